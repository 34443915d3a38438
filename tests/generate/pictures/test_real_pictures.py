"""Pictures that are no mock: they go the same way as any set of images."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nebulium.data.images.opening import open_images
from nebulium.data.tables.reading import read_table
from nebulium.errors import NebuliumError
from nebulium.generate import LatentConfig, posterior_file, sample_file, train_file

TINY = LatentConfig(components=16, width=8, depth=1, binning=16, epochs=2, reader_epochs=2, batch_size=64)
COPIES = 8


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def eagle(nebulium_data, tmp_path_factory) -> Path:
    """Pictures of 12 simulated galaxies with their true masses, each in its eight orientations."""
    folder = tmp_path_factory.mktemp("eagle")
    (folder / "pictures").mkdir()
    rows = ["name,log_mstar,log_sfr,view"]
    archive = nebulium_data / "simulations" / "eagle_mocks_and_decals_samples.zip"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    for table in sorted(folder.glob("eagle/**/data.csv")):
        found = read_table(table)
        for place, galaxy in enumerate(found["GalaxyID"]):
            rate = found["StarFormationRate"][place]
            log_sfr = np.log10(rate) if rate > 0 else np.nan
            for view in ("face", "edge", "rand"):
                pixels = np.asarray(Image.open(table.parent / "images" / f"gal{view}_{galaxy}.png"))
                for way in range(COPIES):
                    turned = np.rot90(pixels[:, ::-1] if way % 2 else pixels, way // 2)
                    name = f"{view}_{galaxy}_{way}"
                    Image.fromarray(turned).save(folder / "pictures" / f"{name}.png", compress_level=1)
                    log_mass = np.log10(found["MassType_Star"][place])
                    rows.append(f"{name},{log_mass},{log_sfr},{view}")
    (folder / "true.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_simulated_galaxies_with_true_properties_train_by_the_same_call(eagle):
    """A handful of galaxies is too few to learn from: the way from pictures to a model is what is tested."""
    options = {"table": eagle / "true.csv", "id_column": "name", "config": TINY}
    properties = ["log_mstar", "log_sfr", "view"]
    train_file(eagle / "pictures", "mine", properties=properties, **options)
    run = sample_file("drawn.parquet", model="mine", given={"view": "edge"}, n=2, steps=2)
    assert run.images == 2
    pixels = np.stack([image for chunk in open_images("drawn.parquet").chunks() for image in chunk.pixels])
    # Pictures stay pictures: means of 8 by 8 whole numbers from 0 to 255.
    assert pixels.min() >= 0
    assert pixels.max() <= 255
    np.testing.assert_array_equal(pixels * TINY.binning**2 % 1, 0)
    found = read_table(posterior_file(eagle / "pictures", "posterior.ecsv", model="mine").output)
    assert len(found) == 36 * COPIES
    assert np.all(np.isfinite(found["log_mstar"]))
    shares = found["view_p_edge"] + found["view_p_face"] + found["view_p_rand"]
    np.testing.assert_allclose(shares, 1.0, atol=1e-5)


def test_a_handful_of_pictures_is_counted(eagle):
    few = eagle / "few"
    few.mkdir()
    for path in sorted((eagle / "pictures").glob("*_0.png")):
        (few / path.name).write_bytes(path.read_bytes())
    options = {"table": eagle / "true.csv", "id_column": "name", "config": TINY}
    with pytest.raises(NebuliumError, match="at least 200 and 20 are needed"):
        train_file(few, "mine", properties=["log_mstar"], **options)
