"""From images on disk to a model and its predictions: what is used, what is refused, what is left alone."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from nebulium.data.images.mmu import Images, write_images
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import ImageError, NebuliumError, TableError
from nebulium.modelfile import describe_model, load_model
from nebulium.photoz.predict import predict_file
from nebulium.photoz.scores.evaluate import evaluate_file
from nebulium.photoz.training_file import train_file

N, SIDE = 240, 16
BANDS = ("acs_wfc_f606w", "acs_wfc_f814w")
QUICK = {
    "epochs": 1, "batch_size": 64, "grid_bins": 20, "view_size": 12, "queue": 64, "encoder": "resnet-tiny",
}  # fmt: skip
SPLIT = Split(fractions={"train": 0.7, "validation": 0.15, "test": 0.15})
MOCK = Path("mock.parquet")


def survey(**changed):
    """Galaxies whose colour is their redshift; every other one has a spectrum."""
    rng = np.random.default_rng(1)
    z = rng.uniform(0.1, 1.5, N)
    flux = np.stack([np.full(N, 100.0), 100.0 * (0.5 + z)], axis=1)
    offset = np.arange(SIDE) - (SIDE - 1) / 2
    shape = np.exp(-0.1 * (offset[:, None] ** 2 + offset[None, :] ** 2))
    pixels = flux[:, None, None, :] * shape[..., None] + rng.normal(size=(N, SIDE, SIDE, 2))
    columns = {"redshift_spec": np.where(np.arange(N) % 2, z, np.nan), "ebv": np.full(N, 0.1)}
    for place, band in enumerate(BANDS):
        columns |= {f"flux_njy_obs_{band}": flux[:, place], f"flux_njy_err_{band}": np.ones(N)}
    cells = np.ones((N, 2), np.float32)
    about = {"unit": "nJy"}
    made = {"ids": np.arange(N), "flux": pixels.astype(np.float32), "table": Table(columns), **changed}
    flux, table = made["flux"], made["table"].with_columns({"target_id": made["ids"]})
    ivar = np.ones_like(flux)
    return Images(made["ids"], BANDS, flux, ivar, flux < -1e9, cells, cells, table, about)


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_images(survey(), MOCK)


def train(output="mine", method="pita", **options):
    return train_file(MOCK, output, method=method, settings=QUICK, split=SPLIT, **options)


def test_from_images_to_redshifts_and_scores():
    run = train()
    found, model = describe_model("mine"), load_model("mine")
    assert found.config["method"] == "pita"
    part = Split(fractions=SPLIT.fractions).parts(np.arange(N))
    labelled = np.arange(N) % 2 == 1
    assert run.galaxies["train"] == np.sum(labelled & (part == "train"))
    # All images of the training part, labelled or not, and none of the others.
    assert found.config["training"]["images"] == np.sum(part == "train")
    assert not (Path("mine.run") / "images").exists()
    assert predict_file(MOCK, "z.parquet", model="mine", pdf="z.hdf5").rows == N
    table = read_table("z.parquet")
    assert np.all(table["redshift_q16"] <= table["redshift_median"])
    assert np.all(table["redshift_median"] <= table["redshift_q84"])
    assert model.grid.bins == 20
    scores = evaluate_file(MOCK, models=["mine"])
    assert scores.scores[0].n == np.sum(labelled & (part == "test"))


def test_labels_do_not_leak_from_the_test_part():
    train(output="one")
    part = Split(fractions=SPLIT.fractions).parts(np.arange(N))
    table = survey().table
    other = np.where(part == "test", 0.7, table["redshift_spec"])
    pixels = np.where((part == "test")[:, None, None, None], 3.0 + survey().flux, survey().flux)
    MOCK.unlink()
    write_images(survey(table=table.with_columns({"redshift_spec": other}), flux=pixels), MOCK)
    train(output="two")
    weights = [Path(name, "model.safetensors").read_bytes() for name in ("one", "two")]
    assert weights[0] == weights[1]


def test_fewer_labels_leave_all_images():
    fewer = Split(label_fraction=0.6, fractions=SPLIT.fractions)
    run = train_file(MOCK, "half", method="pita", settings=QUICK, split=fewer)
    assert describe_model("half").config["training"]["images"] > 2 * run.galaxies["train"]


def test_dust_is_taken_out_of_images_as_of_fluxes():
    told = {"ebv": "ebv", "dereddened": False, "extinction": ((BANDS[0], 2.0), (BANDS[1], 1.0))}
    train(output="corrected", columns=told)
    train(output="plain")
    shapes = [describe_model(name).config["hyperparameters"] for name in ("corrected", "plain")]
    softening = [shape["stretch"]["softening"] for shape in shapes]
    np.testing.assert_allclose(np.divide(*softening), 10 ** (0.4 * 0.1 * np.array([2.0, 1.0])), rtol=1e-3)
    assert predict_file(MOCK, "z.parquet", model="corrected").rows == N


def test_of_many_files_a_column_says_which():
    train(method="supervised")
    parts = {"a.parquet": slice(100), "b.parquet": slice(100, N)}
    made = survey()
    for name, part in parts.items():
        table = Table({column: values[part] for column, values in made.table.columns.items()})
        few = (getattr(made, field)[part] for field in ("flux", "ivar", "bad"))
        cells = made.psf_fwhm_arcsec[part]
        write_images(Images(made.ids[part], BANDS, *few, cells, cells, table, made.metadata), Path(name))
    predict_file(MOCK, "whole.csv", model="mine")
    predict_file(list(parts), "z.csv", model="mine")
    whole, table = read_table("whole.csv"), read_table("z.csv")
    assert set(table.columns) - set(whole.columns) == {"file"}
    assert table["file"].tolist() == ["a.parquet"] * 100 + ["b.parquet"] * (N - 100)
    assert table["redshift_median"].tolist() == whole["redshift_median"].tolist()
    told = {"ebv": "ebv", "dereddened": False, "extinction": ((BANDS[0], 2.0), (BANDS[1], 1.0))}
    with pytest.raises(TableError, match="a.parquet: is one of 2 files, expected one table"):
        predict_file(list(parts), "z.csv", model="mine", columns=told)


def test_images_whose_reddening_is_not_known_are_not_predicted():
    told = {"ebv": "ebv", "dereddened": False, "extinction": ((BANDS[0], 2.0), (BANDS[1], 1.0))}
    train(columns=told)
    ebv = np.full(N, 0.1)
    ebv[:10] = np.nan
    table = survey().table.with_columns({"ebv": ebv, "target_id": np.arange(N)})
    Path("survey/data").mkdir(parents=True)
    write_images(survey(), "survey/data/mock-0.parquet")
    write_table(table.select(np.arange(N - 20)), "survey/catalogue.parquet")
    run = predict_file("survey", "z.parquet", model="mine")
    assert read_table("z.parquet")["target_id"].tolist() == list(range(10, N - 20))
    assert len(run.rejects) == 10
    assert "30 images of galaxies without an E(B-V) in the catalogue: not used" in run.notes
    write_table(table.with_columns({"ebv": np.full(N, np.nan)}), "survey/catalogue.parquet")
    with pytest.raises(TableError, match="240 has an E.B-V. that is negative"):
        predict_file("survey", "y.parquet", model="mine")


def test_images_with_dust_are_refused_by_a_model_that_learned_without():
    train(columns={"dereddened": True})
    with pytest.raises(
        TableError, match=r"is not corrected for Galactic extinction, and the galaxies .* are"
    ):
        predict_file(MOCK, "z.parquet", model="mine", columns={"dereddened": False})


def test_labels_without_images_and_images_without_rows_are_counted():
    table = survey().table
    rows = np.flatnonzero(np.arange(N) != 7)
    Path("survey/data").mkdir(parents=True)
    write_images(survey(), "survey/data/mock-0.parquet")
    extra = table.select(np.concatenate([rows, [9]]))
    ids = np.concatenate([rows, [9999]])
    write_table(extra.with_columns({"target_id": ids}), "survey/catalogue.parquet")
    run = train_file("survey", "mine", method="supervised", settings=QUICK, split=SPLIT)
    assert "1 images without a row in the catalogue: not used" in run.notes
    assert "1 labels of galaxies without an image: not used" in run.notes


def test_no_labels_is_an_error():
    MOCK.unlink()
    write_images(survey(table=survey().table.with_columns({"redshift_spec": np.full(N, np.nan)})), MOCK)
    with pytest.raises(TableError, match="has no redshift for any"):
        train()
    assert not Path("mine.run").exists()


def test_images_in_another_unit_are_refused():
    train()
    write_images(dataclasses.replace(survey(), metadata={"unit": "uJy"}), "other.parquet")
    with pytest.raises(ImageError, match="pixels in uJy, the model learned from pixels in nJy"):
        predict_file("other.parquet", "z.parquet", model="mine")


def test_what_was_supposed_of_images_is_said_as_it_is():
    train()
    write_images(dataclasses.replace(survey(), metadata={}), "other.parquet")
    run = predict_file("other.parquet", "z.parquet", model="mine")
    assert "the images do not name the unit of their pixels: taken to be nJy" in run.notes


def test_what_is_no_setting_is_refused():
    with pytest.raises(NebuliumError, match="--members: is no setting of the method pita"):
        train_file(MOCK, "mine", method="pita", settings={"members": 3})


def test_the_run_folder_keeps_the_settings():
    train(method="selfsupervised")
    settings = json.loads((Path("mine.run") / "contrast" / "config.json").read_text())
    assert settings["about"]["method"] == "selfsupervised"
    assert (Path("mine.run") / "head" / "metrics.jsonl").is_file()
