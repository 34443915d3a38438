from dataclasses import replace

import jax
import numpy as np
import pytest

from nebulium.data.images import preparation
from nebulium.data.images.labelled import StoredImages
from nebulium.data.images.matching import match_to_model
from nebulium.data.images.mmu import Images, write_images
from nebulium.data.images.opening import open_images
from nebulium.data.images.store import ImageStore
from nebulium.data.rejects import Rejects
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table, concatenate
from nebulium.errors import ImageError, NebuliumError
from nebulium.nn.mapping import map_galaxies
from nebulium.properties.model import PropertyModel
from nebulium.properties.predict import PropertyPredictor, predict_images
from nebulium.verbs import NamedModel, predict_file


def made_model(**changed) -> PropertyModel:
    shape = {
        "targets": ["oh12", "log_mstar"], "bands": ["g", "r"], "unit": "nJy", "size": 16,
        "stretch": {"kind": "asinh", "softening": [0.1, 0.2]}, "encoder": "resnet-small", "head": "gaussian",
        "domain_references": 8, "key": jax.random.key(1),
    }  # fmt: skip
    return PropertyModel(**shape | changed)


@pytest.fixture(scope="module")
def model():
    return made_model()


@pytest.fixture
def source(tmp_path):
    """Nine images, of which the fourth is empty and the sixth half NaN."""
    images = np.random.default_rng(0).normal(size=(9, 18, 18, 2)).astype(np.float32)
    images[3], images[5, :9] = 0.0, np.nan
    np.save(tmp_path / "a.npy", images)
    return replace(open_images(tmp_path / "a.npy", bands=["g", "r"]), unit="nJy")


def test_a_row_for_each_good_image_whatever_the_batches(source, model, monkeypatch):
    monkeypatch.setattr(preparation, "READ_PIXELS", 4 * 16 * 16 * 2)
    rejects = Rejects()
    tables = list(predict_images(source, model, rejects=rejects, batch=3))
    table = concatenate(tables)
    assert [len(one) for one in tables] == [3, 3, 1]
    assert table["target_id"].tolist() == [0, 1, 2, 4, 6, 7, 8]
    assert rejects.rows().tolist() == [3, 5]
    assert table["log_mstar"].dtype == np.float32
    assert np.all(table["oh12_q16"] < table["oh12"])
    assert np.all(table["oh12"] < table["oh12_q84"])
    half = 0.5 * (table["oh12_q84"] - table["oh12_q16"])
    np.testing.assert_allclose(table["oh12_sigma"], half, rtol=1e-4)
    single = next(predict_images(source, model, rejects=Rejects(), rows=np.array([6]), batch=3))
    np.testing.assert_allclose(single["oh12"], table["oh12"][[4]], rtol=1e-5)


def test_a_store_says_the_same_as_its_images(source, model, tmp_path):
    store = ImageStore.create(tmp_path / "store", source, model.form.preparation, rejects=Rejects())
    said = map_galaxies(model, StoredImages(store, np.array([6, 0])))
    table = concatenate(predict_images(source, model, rejects=Rejects()))
    np.testing.assert_allclose(said.median[:, 0], table["oh12"][[6, 0]], rtol=1e-5)


def test_bands_come_in_the_order_of_the_model(source, model):
    told = replace(source, bands=("r", "g"))
    assert match_to_model(told, model.form).source.bands == ("g", "r")
    assert match_to_model(source, model.form).supposed == ()


def test_bands_without_names_are_taken_by_their_place_and_that_is_said(source, model):
    untold = replace(source, bands=("band_0", "band_1"), bands_named=False, unit="")
    matched = match_to_model(untold, model.form)
    assert matched.source.bands == ("g", "r")
    assert "taken to be g, r, in this order" in matched.supposed[0]
    assert "taken to be nJy" in matched.supposed[1]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"bands": ("g", "i")}, "has the bands g, i, the model takes g, r"),
        ({"unit": "display"}, "expected fluxes for the stretch asinh, found colours"),
        ({"unit": "uJy"}, "has pixels in uJy, the model learned from pixels in nJy"),
    ],
    ids=["band", "stretch", "unit"],
)
def test_images_that_the_model_was_not_made_for_are_refused(source, model, changed, message):
    with pytest.raises(ImageError, match=message):
        match_to_model(replace(source, **changed), model.form)


def test_fluxes_are_not_for_a_model_of_colours(source):
    model = made_model(unit="display", stretch={"kind": "display", "softening": []})
    with pytest.raises(ImageError, match="expected colours from 0 to 255, found pixels in nJy"):
        match_to_model(source, model.form)


def test_images_far_smaller_than_the_models_are_set_aside(source):
    model, rejects = made_model(size=64), Rejects()
    assert list(predict_images(source, model, rejects=rejects)) == []
    assert "smaller than half of 64 pixels" in rejects.summary()


@pytest.mark.parametrize(
    ("beside", "name"), [({}, "object_id"), ({"target_id": np.arange(2)}, "target_id")], ids=["own", "mock"]
)
def test_ids_keep_the_name_that_the_images_give_them(tmp_path, model, beside, name):
    flux = np.random.default_rng(0).normal(size=(2, 18, 18, 2)).astype(np.float32)
    cells = np.ones((2, 2), np.float32)
    unit = {"unit": "nJy"}
    images = Images(np.arange(2) + 7, ("g", "r"), flux, flux, flux > 99, cells, cells, Table(beside), unit)
    write_images(images, tmp_path / "a.parquet")
    config = {"units": {"oh12": "dex", "log_mstar": ""}, "citation": "nobody"}
    predictor = PropertyPredictor((NamedModel("mine", model, config),))
    run = predict_file(tmp_path / "a.parquet", tmp_path / "out.parquet", model=predictor)
    table = read_table(tmp_path / "out.parquet")
    assert (run.rows, next(iter(table.columns)), table[name].tolist()) == (2, name, [7, 8])
    assert table.units["oh12_sigma"] == "dex"


def write_parts(folder, kind):
    """Two files of two galaxies each."""
    flux = np.random.default_rng(0).normal(size=(4, 18, 18, 2)).astype(np.float32)
    for name, part in (("a", slice(2)), ("b", slice(2, 4))):
        if kind == "npy":
            np.save(folder / f"{name}.npy", flux[part])
            np.save(folder / f"{name}.ids.npy", np.arange(4)[part] + 7)
        elif kind == "npz":
            np.savez(folder / f"{name}.npz", images=flux[part], ids=np.arange(4)[part] + 7, bands=["g", "r"])
        else:
            cells = np.ones((2, 2), np.float32)
            one = Images(
                np.arange(4)[part] + 7, ("g", "r"), flux[part], flux[part], flux[part] > 99, cells, cells
            )
            write_images(one, folder / f"{name}.parquet")


@pytest.mark.parametrize("kind", ["parquet", "npz", "npy"])
def test_of_many_files_a_column_says_which(tmp_path, model, kind):
    data = tmp_path / "data"
    data.mkdir()
    write_parts(data, kind)
    names = [str(data / f"{name}.{kind}") for name in "ab"]
    config = {"units": {"oh12": "dex", "log_mstar": ""}, "citation": "nobody"}
    predictor = PropertyPredictor((NamedModel("mine", model, config),))
    for given in (data, data / f"*.{kind}", names):
        predict_file(given, tmp_path / "out.parquet", model=predictor)
        table = read_table(tmp_path / "out.parquet")
        assert table["file"].tolist() == [names[0]] * 2 + [names[1]] * 2
        assert next(iter(table.columns.values())).tolist() == [7, 8, 9, 10]
    predict_file(names[0], tmp_path / "out.parquet", model=predictor)
    assert "file" not in read_table(tmp_path / "out.parquet")


def test_rows_of_joined_files_are_read_in_any_order(tmp_path):
    write_parts(tmp_path, "npz")
    joined, apart = (
        open_images([tmp_path / "a.npz", tmp_path / "b.npz"]),
        [open_images(tmp_path / f"{name}.npz") for name in "ab"],
    )
    alone = [image for source in apart for chunk in source.chunks() for image in chunk.pixels]
    (chunk,) = joined.chunks(np.array([3, 0, 2]))
    assert chunk.ids.tolist() == [10, 7, 9]
    for image, row in zip(chunk.pixels, (3, 0, 2), strict=True):
        np.testing.assert_array_equal(image, alone[row])


def test_files_that_do_not_go_together_are_refused(tmp_path):
    images = np.ones((2, 18, 18, 2), np.float32)
    np.savez(tmp_path / "a.npz", images=images)
    np.savez(tmp_path / "b.npz", images=images)
    with pytest.raises(NebuliumError, match="found 0 in rows 0 and 2.* give each image an id of its own"):
        open_images([tmp_path / "a.npz", tmp_path / "b.npz"])
    np.savez(tmp_path / "b.npz", images=images, ids=[8, 9], zero_point_ab=25.0)
    with pytest.raises(ImageError, match="has .25.0, 25.0. for zero_point_ab, .*a.npz has nothing"):
        open_images([tmp_path / "a.npz", tmp_path / "b.npz"])
