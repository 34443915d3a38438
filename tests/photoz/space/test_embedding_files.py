"""From images and fluxes to places in a space, to neighbours, and to galaxies that only images get right."""

from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.images.mmu import Images, write_images
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import ModelFileError, OutputError, TableError
from nebulium.modelfile import load_model, save_model
from nebulium.photoz.baselines import TrainDistributionModel
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.fluxes.model import PhotometryModel, measure_features
from nebulium.photoz.images.model import ImageRedshiftModel
from nebulium.photoz.predict import predict_file
from nebulium.photoz.space.disagreements_file import Disagreements, disagreements_file, disagrees
from nebulium.photoz.space.embedding import embed_file
from nebulium.photoz.space.figures import ShownNeighbours, colour_pictures, neighbours_figure
from nebulium.photoz.space.neighbours import Neighbours
from nebulium.photoz.space.neighbours_file import neighbours_file

N, SIDE = 240, 16
BANDS = ("acs_wfc_f606w", "acs_wfc_f814w")
FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}
PART = Split(fractions=FRACTIONS).parts(np.arange(N))
LABELLED = np.arange(N) % 2 == 1
RANDOM = np.random.default_rng(1)


def save(name, model, **hyperparameters):
    """A model folder as training would leave it."""
    config = {
        "method": name,
        "hyperparameters": {"bands": BANDS, "grid_bins": 20, **hyperparameters},
        "preprocessing": {"bands": BANDS},
        "split": {"seed": "nebulium", "fractions": FRACTIONS, "label_fraction": 1.0},
        "units": {}, "training_domain": {}, "metrics": {}, "citation": "nobody",
    }  # fmt: skip
    save_model(name, model, config=config, card="# Random")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A survey of images, one of them spoilt, and models of both kinds with random weights."""
    folder = tmp_path_factory.mktemp("embedding")
    z = RANDOM.uniform(0.1, 1.5, N)
    flux = np.stack([np.full(N, 100.0), 100.0 * (0.5 + z)], axis=1)
    offset = np.arange(SIDE) - (SIDE - 1) / 2
    shape = np.exp(-0.1 * (offset[:, None] ** 2 + offset[None, :] ** 2))
    pixels = flux[:, None, None, :] * shape[..., None] + RANDOM.normal(size=(N, SIDE, SIDE, 2))
    pixels[2] = np.nan
    columns = {"target_id": np.arange(N), "redshift_spec": np.where(LABELLED, z, np.nan)}
    for place, band in enumerate(BANDS):
        columns |= {f"flux_njy_obs_{band}": flux[:, place], f"flux_njy_err_{band}": np.ones(N)}
    pixels, cells = pixels.astype(np.float32), np.ones((N, 2), np.float32)
    bad = np.isnan(pixels)
    images = Images(
        np.arange(N), BANDS, pixels, np.ones_like(pixels), bad, cells, cells, Table(columns), {"unit": "nJy"}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_images(images, "mock.parquet")
        seen = {"unit": "nJy", "size": SIDE, "view_size": 12, "encoder": "resnet-small"}
        seen["stretch"] = {"kind": "asinh", "softening": [1.0, 1.0]}
        shared = {"bands": BANDS, "grid_bins": 20, "domain_references": 8}
        save("pita", ImageRedshiftModel(**shared, **seen), **seen, domain_references=8)
        model = PhotometryModel(**shared, members=1)
        features = measure_features(flux.astype(np.float32), np.ones((N, 2), np.float32), whitens=False)
        model = eqx.tree_at(lambda one: one.features, model, features)
        save("photometry", model, members=1, domain_references=8)
        save(
            "train-distribution",
            TrainDistributionModel(bands=BANDS, grid_most=3.0, grid_bins=20),
            grid_most=3.0,
        )
    return folder


@pytest.fixture(autouse=True)
def inside(folder, monkeypatch):
    monkeypatch.chdir(folder)


def vectors(table, prefix):
    return np.stack([values for name, values in table.columns.items() if name.startswith(prefix)], axis=1)


def test_latent_vectors_are_those_of_the_model():
    run = embed_file("mock.parquet", "latent.parquet", model="pita")
    table = read_table("latent.parquet")
    assert run.rows == len(table) == N - 1
    assert run.rejects_path == Path("latent.rejects.csv")
    assert 2 not in table["target_id"]
    assert list(table.columns)[:4] == ["target_id", "redshift_median", "in_domain", "latent_000"]
    assert vectors(table, "latent_").shape == (N - 1, 128)
    assert table.metadata["method"] == "pita"
    assert list(table.metadata["models"]) == ["pita"]
    predict_file("mock.parquet", "z.parquet", model="pita")
    said = read_table("z.parquet")
    for column in ("target_id", "redshift_median", "in_domain"):
        np.testing.assert_array_equal(table[column], said[column])


def test_features_are_standardised_photometry():
    run = embed_file("mock.parquet", "features.fits", model="photometry")
    assert (run.rows, run.rejects_path) == (N, None)
    table = read_table("features.fits")
    features = vectors(table, "feature_")
    model = load_model("photometry", of=PhotometryModel)
    first = read_table("mock.parquet", columns={band: f"flux_njy_obs_{band}" for band in BANDS}).select([0])
    flux = jnp.asarray([first[band][0] for band in BANDS], jnp.float32)
    expected = model.features.standardised(flux, jnp.ones(2))
    np.testing.assert_allclose(features[0], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-3)


def test_methods_without_a_space_say_so():
    with pytest.raises(ModelFileError, match=r"TrainDistributionModel, .* no space.*ImageRedshiftModel"):
        embed_file("mock.parquet", "none.parquet", model="train-distribution")
    with pytest.raises(OutputError, match="is the input"):
        embed_file("mock.parquet", "mock.parquet", model="pita")
    assert not Path("none.parquet").exists()


def test_neighbours_in_a_table():
    ids = np.array(["a", "b", "c", "d"])
    columns = {"target_id": ids, "redshift_median": np.arange(4.0), "in_domain": np.ones(4, bool)}
    points = np.array([[0.0, 1.0], [0.0, 3.0], [0.0, 1.5], [5.0, 5.0]])
    columns |= {f"feature_{place:03}": points[:, place] for place in range(2)}
    write_table(Table(columns), "points.parquet")
    table = neighbours_file("points.parquet", ["b", "a"], count=2, output="near.ecsv")
    assert table["target_id"].tolist() == ["b", "b", "a", "a"]
    assert table["neighbour_id"].tolist() == ["c", "a", "c", "b"]
    assert table["rank"].tolist() == [1, 2, 1, 2]
    np.testing.assert_allclose(table["distance"], [1.5, 2.0, 0.5, 2.0])
    assert table["redshift_median"].tolist() == [1, 1, 0, 0]
    assert table["neighbour_redshift_median"].tolist() == [2, 0, 2, 1]
    written = read_table("near.ecsv")
    assert written["neighbour_id"].tolist() == table["neighbour_id"].tolist()
    latent = {name.replace("feature", "latent"): values for name, values in columns.items()}
    write_table(Table(latent), "directions.parquet")
    table = neighbours_file("directions.parquet", ["a"], count=3)
    np.testing.assert_allclose(table["distance"], [0, 0, 1 - np.sqrt(0.5)], atol=1e-6)


def test_neighbours_of_nobody_are_refused():
    embed_file("mock.parquet", "latent.parquet", model="pita")
    with pytest.raises(TableError, match="has no galaxy 2 among 239"):
        neighbours_file("latent.parquet", ["1", "2"])
    with pytest.raises(TableError, match="too few for 500"):
        neighbours_file("latent.parquet", ["1"], count=500)
    with pytest.raises(TableError, match="has no columns latent_000"):
        neighbours_file("mock.parquet", ["1"])
    with pytest.raises(OutputError, match="is the input"):
        neighbours_file("latent.parquet", ["1"], output="latent.parquet")


def test_only_what_taught_both_is_a_neighbour_and_only_what_neither_saw_is_looked_at():
    run = disagreements_file("mock.parquet", "disagreements", model="pita", photometry="photometry", count=3)
    assert run.galaxies == np.sum(LABELLED & (PART == "test"))
    assert 0 <= run.shown <= run.right_by_images
    assert set(run.far_neighbours) == {"images", "photometry"}
    assert imread("disagreements/disagreements.png").shape[1] > 1000
    assert sorted(path.name for path in Path("disagreements").iterdir()) == [
        "disagreements.png", "galaxies.parquet", "neighbours.parquet", "scores.json",
    ]  # fmt: skip
    with pytest.raises(ModelFileError, match="not places of galaxies by their images"):
        disagreements_file("mock.parquet", "new", model="photometry", photometry="photometry")


def test_who_disagrees():
    found = disagrees(np.ones(3), np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 1.0]))
    assert found.tolist() == [False, True, False]


def test_counts_and_tables_of_disagreements():
    near = Neighbours(np.array([[0, 1], [1, 0], [2, 1]]), np.zeros((3, 2), np.float32))
    z = np.array([0.5, 1.0, 2.0])
    predicted = {"images": np.array([0.51, 2.0, 2.0]), "photometry": np.array([1.5, 1.0, 2.0])}
    nearest = dict.fromkeys(predicted, near)
    found = Disagreements(np.array([7, 8, 9]), z, predicted, np.array([4, 5, 6]), z, nearest)
    counts = found.counts()
    assert (counts["galaxies"], counts["right_by_images"], counts["right_by_photometry"]) == (3, 1, 1)
    assert counts["far_neighbours"]["images"] == pytest.approx(0.5)
    galaxies, neighbours = found.galaxies(), found.neighbours()
    assert galaxies["target_id"].tolist() == [7, 8]
    assert galaxies["right_by_images"].tolist() == [True, False]
    assert neighbours["neighbour_id"].tolist() == [4, 5, 5, 4] * 2
    assert neighbours["neighbour_redshift_spec"].tolist() == [0.5, 1.0, 1.0, 0.5] * 2


def pictured(rows):
    """A figure of so many galaxies with ids of many digits."""
    grid, k = RedshiftGrid(4.0, 100), 4
    densities = {
        name: RedshiftDensities(
            grid, RANDOM.dirichlet(np.ones(100), rows).astype(np.float32).reshape(-1, 100)
        )
        for name in ("images", "photometry")
    }
    pictures = RANDOM.integers(0, 255, (rows, 12, 12, 3)).astype(np.uint8)
    near = ShownNeighbours(np.stack([pictures] * k, axis=1), RANDOM.uniform(0, 3, (rows, k)))
    return neighbours_figure(
        pictures,
        RANDOM.uniform(0, 3, rows),
        densities,
        {"by image": near, "by photometry": near},
        names=["39627646512693250"] * rows,
        title="one line\nand another\nand a third",
    )


@pytest.mark.parametrize("rows", [0, 1, 6])
def test_the_figure_is_legible_and_changes_nothing(rows, tmp_path):
    before = dict(mpl.rcParams)
    figure = pictured(rows)
    figure.savefig(tmp_path / "figure.png", dpi=80)
    assert dict(mpl.rcParams) == before
    texts = [text for text in figure.findobj(mpl.text.Text) if text.get_text().strip()]
    assert min(text.get_fontsize() for text in texts) >= 6
    assert figure.get_size_inches()[0] <= 7.4
    title = figure._suptitle.get_window_extent()
    assert not any(title.overlaps(axes.get_tightbbox()) for axes in figure.axes)


@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_the_last_band_is_red_and_all_pictures_share_a_scale(bands):
    flux = np.zeros((3, 8, 8, bands)) + 1.0
    flux[1, ..., -1] *= 3
    flux[2] *= 0.1
    pictures = colour_pictures(flux, [0.1] * bands)
    assert pictures.dtype == np.uint8
    assert len(set(pictures[0, 0, 0].tolist())) == 1
    red, _, blue = pictures[1, 0, 0].tolist()
    assert (red > blue) == (bands > 1)
    assert pictures[2].max() < pictures[0].min()
    assert colour_pictures(flux[:0], [0.1] * bands).shape == (0, 8, 8, 3)


def test_commands():
    def said(*arguments):
        result = CliRunner().invoke(app, ["photoz", *arguments])
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    assert "239 galaxies" in said("embed", "mock.parquet", "--model", "pita", "-o", "cli.parquet")
    shown = said("neighbours", "cli.parquet", "--galaxy", "5", "--galaxy", "7", "--count", "2").splitlines()
    assert [line.split()[0] for line in shown] == ["target_id", "5", "5", "7", "7"]
    shown = said("neighbours", "cli.parquet", "--galaxy", "5", "--output", "near.parquet")
    assert "near.parquet: 10 neighbours of 1 galaxies" in shown
    both = ("--model", "pita", "--photometry", "photometry")
    assert "test galaxies" in said("disagreements", "mock.parquet", *both, "-o", "by-command", "--count", "2")
    result = CliRunner().invoke(app, ["photoz", "neighbours", "cli.parquet", "--galaxy", "nobody"])
    assert (result.exit_code, "has no galaxy nobody" in result.stderr) == (2, True)
