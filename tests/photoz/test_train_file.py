"""From catalogues to model folders, their scores, and the experiment with fewer labels."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import NebuliumError, OutputError, TableError
from nebulium.metrics.probabilistic import pit_ks
from nebulium.modelfile import describe_model, load_model
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import BandColumns, band_extinction
from nebulium.photoz import training_file as module
from nebulium.photoz import training_galaxies
from nebulium.photoz.baselines import TrainDistributionModel
from nebulium.photoz.density.recalibration import with_recalibration
from nebulium.photoz.methods import pit_values
from nebulium.photoz.predict import predict_file, predict_galaxies
from nebulium.photoz.reading import counted_notes
from nebulium.photoz.scores.evaluate import evaluate_file
from nebulium.photoz.scores.held_out import predict_held_out
from nebulium.photoz.scores.label_fraction_file import label_fraction_file
from nebulium.photoz.training_file import train_file
from nebulium.verbs.evaluation import Scoring, named_models

N = 600
QUICK = {"epochs": 2, "members": 1, "batch_size": 64, "grid_most": 3.0, "grid_bins": 50}
GRID = {"grid_most": 3.0, "grid_bins": 50}
BANDS = ("acs_wfc_f606w", "acs_wfc_f814w")


def catalogue(**changed: object) -> Table:
    """Colours that tell the redshift; two in three galaxies have one."""
    random = np.random.default_rng(5)
    z = random.uniform(0.1, 2.0, N)
    flux = np.stack([1e3 / (1 + z), 1e3 * (1 + z)], axis=1) * random.lognormal(0, 0.5, (N, 1))
    columns = {"target_id": np.arange(N), "redshift": z}
    columns["redshift_spec"] = np.where(np.arange(N) % 3 > 0, z, np.nan)
    for place, band in enumerate(BANDS):
        columns |= {f"flux_njy_obs_{band}": flux[:, place], f"flux_njy_err_{band}": np.full(N, 10.0)}
    return Table(columns | {name: np.asarray(values) for name, values in changed.items()})


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mock").mkdir()
    write_table(catalogue(), "mock/catalogue.parquet")


def test_a_trained_model_says_what_it_is():
    run = train_file("mock", "mine", method="photometry", settings=QUICK)
    found = describe_model("mine")
    split, preprocessing = found.config["split"], found.config["preprocessing"]
    assert run.galaxies == split["galaxies"]
    assert sum(run.galaxies.values()) == 400
    assert found.config["method"] == "photometry"
    assert split["seed"] == "nebulium"
    assert split["label_fraction"] == 1
    assert preprocessing["bands"] == list(BANDS)
    assert preprocessing["dereddened"] is None
    assert [network["best_epoch"] for network in found.config["metrics"]["networks"]] != []
    assert found.config["training"]["epochs"] == 2
    assert found.config["versions"]["nebulium"]
    assert f"**Trained on**: {run.galaxies['train']:,} galaxies" in found.card
    assert (Path("mine.run") / "network-0" / "metrics.jsonl").is_file()
    assert load_model("mine").bands == BANDS


def test_the_redshift_is_learned_and_scored_on_galaxies_never_seen():
    settings = {**QUICK, "epochs": 30}
    train_file("mock", "mine", method="photometry", settings=settings)
    train_file("mock", "silly", method="train-distribution", settings=GRID)
    found = evaluate_file("mock", models=["mine", "silly"], resamples=5)
    of = {score.method: score for score in found.of_all()}
    assert of["mine"].n == describe_model("mine").config["split"]["galaxies"]["test"]
    assert of["mine"]["nmad"].value < 0.3 * of["silly"]["nmad"].value
    assert {score.sample.quantity for score in found.scores} == {"all", "redshift", "mag", "colour"}
    assert found.about["part"] == "test"
    every = evaluate_file(
        "mock", models=["silly"], columns={"redshift_column": "redshift"}, all_rows=True, resamples=2
    )
    assert every.scores[0].n == N
    # The true redshifts of a sample that is not selected like the labels.
    representative = evaluate_file(
        "mock", models=["silly"], columns={"redshift_column": "redshift"}, resamples=2
    )
    assert of["mine"].n < representative.scores[0].n < N


def test_fractions_of_labels():
    whole = train_file("mock", "whole", method="train-distribution", settings=GRID)
    half = train_file(
        "mock", "half", method="train-distribution", settings=GRID, split=Split(label_fraction=0.5)
    )
    assert half.galaxies["train"] == pytest.approx(0.5 * whole.galaxies["train"], rel=0.25)
    assert half.galaxies["test"] == whole.galaxies["test"]
    assert "50 % of the labels" in describe_model("half").card
    with pytest.raises(TableError, match=r"larger --label-fraction"):
        train_file("mock", "few", method="photometry", split=Split(label_fraction=0.01))
    with pytest.raises(NebuliumError, match="label fraction: expected a number above 0"):
        Split(label_fraction=0.0)


def test_templates_learn_nothing_from_labels(tmp_path):
    write_table(catalogue(redshift_spec=np.full(N, np.nan)), "mock/catalogue.parquet")
    run = train_file("mock", "templates", method="template", settings={"grid_most": 1.0, "grid_bins": 10})
    assert run.galaxies == {"train": 0, "validation": 0, "test": 0}
    assert not Path("templates.run").exists()
    assert predict_file("mock", "z.parquet", model="templates").rows == N
    assert "Nothing was learned" in describe_model("templates").card
    write_table(catalogue(), "mock/catalogue.parquet")
    assert evaluate_file("mock", models=["templates"], resamples=2).scores[0].n == 400


def test_templates_are_fitted_to_the_bands_where_labels_are_enough():
    settings = {"grid_most": 1.0, "grid_bins": 10}
    run = train_file("mock", "templates", method="template", settings=settings)
    described = describe_model("templates")
    assert run.galaxies["train"] > 100
    assert any(note.startswith("zero points in mag, fitted to ") for note in run.notes)
    assert "errors in % of the flux, fitted to" in described.card
    changed = described.config["preprocessing"]["adjustment"]
    assert changed["zero_point_mag"].keys() == changed["error"].keys() == set(BANDS)
    labelled = np.flatnonzero(np.arange(N) % 3 > 0)
    scored = evaluate_file("mock", models=["templates"], resamples=2).scores[0].n
    assert scored == np.sum(Split().held_out(labelled)) < 60
    given = settings | {"zero_points": f"{BANDS[0]}=0.1", "band_errors": "none"}
    run = train_file("mock", "given", method="template", settings=given)
    assert run.galaxies["train"] == 0
    assert "zero points in mag, as given" in describe_model("given").card


@pytest.mark.parametrize("method", ["photometry", "train-distribution"])
def test_without_labels(method):
    write_table(catalogue(redshift_spec=np.full(N, np.nan)), "mock/catalogue.parquet")
    with pytest.raises(TableError, match=r"no redshift for any of 600 galaxies.*--redshift COLUMN"):
        train_file("mock", "mine", method=method)
    assert sorted(path.name for path in Path().iterdir()) == ["mock"]


def test_networks_and_templates_in_one_call():
    settings = {"grid_most": 1.0, "grid_bins": 10, "epochs": 2, "members": 1, "width": 8, "depth": 1}
    train_file("mock", "both", method="combined", settings=settings)
    described = describe_model("both")
    assert "zero points in mag, fitted to" in described.card
    assert "of networks to the power" in described.card
    assert predict_file("mock", "z.parquet", model="both").rows == N
    assert evaluate_file("mock", models=["both"], resamples=2).scores[0].n < 60


@pytest.fixture
def enough_to_score(monkeypatch):
    """No warning of few test galaxies."""
    monkeypatch.setattr(training_galaxies, "FEW_TO_SCORE", 0)


def test_few_test_galaxies_are_warned_of_before_the_training(capsys):
    """Some 40 of 600 galaxies with labels are in the test part; of 60 about four."""
    settings = {"grid_most": 3.0, "grid_bins": 10}
    run = train_file("mock", "mine", method="train-distribution", settings=settings, progress=True)
    warned = (
        f"{run.galaxies['test']} galaxies with redshifts are left for testing: their scores will be known"
    )
    assert f"Warning: {warned}" in capsys.readouterr().err
    assert any(note.startswith(warned) for note in run.notes)
    few = catalogue(redshift_spec=np.where(np.arange(N) < 60, 0.5, np.nan))
    write_table(few, "mock/catalogue.parquet")
    run = train_file("mock", "fewer", method="train-distribution", settings=settings)
    assert any("too few for any score, it takes 10" in note for note in run.notes)
    assert not capsys.readouterr().err


def test_too_few_labels():
    few = np.where(np.arange(N) < 8, 0.5, np.nan)
    write_table(catalogue(redshift_spec=few), "mock/catalogue.parquet")
    with pytest.raises(
        TableError, match="has . labelled galaxies to train on and . to validate; at least 10 and 2"
    ):
        train_file("mock", "mine", method="photometry")


@pytest.mark.usefixtures("enough_to_score")
def test_labels_that_cannot_be_used_are_counted():
    z = catalogue()["redshift_spec"].copy()
    z[1] = 5.0
    flux = {
        f"flux_njy_obs_{band}": np.where(np.arange(N) == 2, np.nan, 100.0 * np.arange(1, N + 1))
        for band in BANDS
    }
    write_table(catalogue(redshift_spec=z, **flux), "mock/catalogue.parquet")
    run = train_file("mock", "mine", method="train-distribution", settings=GRID)
    assert run.notes == (
        "1 labels beyond redshift 3, the highest of the grid: not used",
        "1 labels of galaxies without a flux in any band: not used",
    )
    assert sum(run.galaxies.values()) == 398


def test_infinite_fluxes_are_listed_beside_the_model():
    flux = catalogue()["flux_njy_obs_acs_wfc_f606w"].copy()
    flux[4] = np.inf
    write_table(catalogue(flux_njy_obs_acs_wfc_f606w=flux), "mock/catalogue.parquet")
    run = train_file("mock", "mine", method="train-distribution", settings=GRID)
    assert run.rejects_path == Path("mine.rejects.csv")
    assert "4,4,has an infinite flux" in run.rejects_path.read_text()


def test_dust_is_taken_out_once_and_the_same_in_predictions():
    told = {"ebv": 0.1, "dereddened": False, "extinction": ((BANDS[0], 2.5),)}
    train_file("mock", "mine", method="train-distribution", settings=GRID, columns=told)
    preprocessing = describe_model("mine").config["preprocessing"]
    assert preprocessing["dereddened"] is True
    extinction = dict(preprocessing["catalogue"]["extinction"])
    assert extinction[BANDS[0]] == 2.5
    assert extinction[BANDS[1]] == pytest.approx(1.46, abs=0.05)
    assert predict_file("mock", "z.parquet", model="mine").rows == N
    run = predict_file("mock", "z.parquet", model="mine", columns={"dereddened": True})
    assert run.notes == ("the fluxes are corrected for Galactic extinction already: E(B-V) is not used",)
    bands = tuple(BandColumns(band, f"flux_njy_obs_{band}", f"flux_njy_err_{band}") for band in BANDS)
    with pytest.raises(TableError, match="does not say whether it is corrected"):
        predict_file("mock", "z.parquet", model="mine", columns={"bands": bands})


@pytest.mark.usefixtures("enough_to_score")
def test_one_reddening_for_all_is_noted():
    told = {"ebv": 0.1, "dereddened": False}
    run = train_file("mock", "mine", method="train-distribution", settings=GRID, columns=told)
    assert run.notes == ("E(B-V) is taken to be 0.1 mag for all galaxies",)
    assert predict_file("mock", "z.parquet", model="mine").notes == run.notes


def test_dust_that_was_not_spoken_of_in_training_is_noted():
    train_file("mock", "mine", method="train-distribution", settings=GRID)
    assert not predict_file("mock", "z.parquet", model="mine").notes
    run = predict_file("mock", "z.parquet", model="mine", columns={"dereddened": True})
    assert run.notes[0].startswith("the model was not told whether the fluxes that it learned from")


@pytest.mark.parametrize("text", ["f606w=nan", "f606w=-3", "f606w=inf", "f606w", "f606w=much"])
def test_extinction_that_is_none(text):
    with pytest.raises(TableError, match="expected BAND=NUMBER, magnitudes of 0 or more"):
        band_extinction(text)


def test_extinction_of_a_band_that_is_not_there():
    told = {"ebv": 0.1, "dereddened": False}
    typo = told | {"extinction": (("acs_wfc_f606x", 3.0),)}
    with pytest.raises(TableError, match="extinction of acs_wfc_f606x: there is no such band"):
        train_file("mock", "mine", method="train-distribution", settings=GRID, columns=typo)
    train_file("mock", "mine", method="train-distribution", settings=GRID, columns=told)
    with pytest.raises(TableError, match="extinction of acs_wfc_f606x: there is no such band"):
        predict_file("mock", "z.parquet", model="mine", columns=typo)


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("redshift_spec", np.where(np.arange(N) < 60, 0.0, 0.5), "its redshift is exactly 0"),
        ("ZWARN", np.where(np.arange(N) < 60, 4, 0), "its redshift failed: zwarn is not 0"),
        ("SPECTYPE", np.where(np.arange(N) < 60, "STAR  ", "GALAXY"), "is a STAR, by its spectype"),
        ("class", np.where(np.arange(N) < 60, "qso", "galaxy"), "is a QSO, by its spectype"),
    ],
)
def test_labels_of_what_is_no_galaxy_are_left_out(column, values, reason):
    write_table(catalogue(**{column: values}), "mock/catalogue.parquet")
    run = train_file("mock", "mine", method="train-distribution", settings=GRID)
    labels = 60 if column == "redshift_spec" else int(np.isfinite(catalogue()["redshift_spec"][:60]).sum())
    assert any(note.startswith(f"{labels} labels ({reason}") for note in run.notes)


def test_labels_that_cannot_be_used_are_said_to_be_there():
    with pytest.raises(TableError, match=r"has 400 redshifts, none of which can be used .400 labels beyond"):
        train_file("mock", "mine", method="train-distribution", settings=GRID | {"grid_most": 0.01})


def test_too_few_to_score():
    train_file("mock", "mine", method="train-distribution", settings=GRID)
    split = describe_model("mine").config["split"]
    test = Split(seed=split["seed"], fractions=split["fractions"]).parts(np.arange(N)) == "test"
    few = np.flatnonzero(test & np.isfinite(catalogue()["redshift_spec"]))[:4]
    write_table(catalogue().select(few), "few.parquet")
    with pytest.raises(TableError, match="has 4 galaxies to score, and it takes 10"):
        evaluate_file("few.parquet", models=["mine"])


def test_what_was_not_used_in_a_score_is_noted():
    train_file("mock", "mine", method="train-distribution", settings=GRID)
    changed = catalogue()
    error, z = changed[f"flux_njy_err_{BANDS[0]}"], changed["redshift_spec"]
    error[:30] = 0.0
    z[40:80] = np.where(np.isfinite(z[40:80]), 5.0, np.nan)
    write_table(changed.with_columns({"number": np.arange(N) + 7}), "other.parquet")
    notes = evaluate_file("other.parquet", models=["mine"], columns={"id_column": "number"}).notes
    assert notes[0].startswith(f"30 fluxes in {BANDS[0]} whose error is zero")
    assert "beyond 3, the highest that mine knows" in notes[1]
    assert notes[2].startswith("the ids are those of number, and mine was trained with those of target_id")


def test_one_model_twice():
    train_file("mock", "mine", method="train-distribution", settings=GRID)
    with pytest.raises(TableError, match="is given twice"):
        evaluate_file("mock", models=["mine", "./mine"])


def test_an_output_is_no_file_of_the_input():
    train_file("mock", "mine", method="train-distribution", settings=GRID)
    for place in ("mock/catalogue.parquet", "mock/other.parquet"):
        write_table(catalogue(), place)
        with pytest.raises(OutputError, match="is a file of the input mock, which might be lost"):
            predict_file("mock", place, model="mine")
    assert predict_file("mock", "mock/new.parquet", model="mine").rows == N


def test_a_bad_fraction_leaves_nothing():
    with pytest.raises(NebuliumError, match="above 0"):
        label_fraction_file("mock", "out", methods=["train-distribution"], fractions=[0.0], settings=GRID)
    assert not Path("out.models").exists()


@pytest.mark.usefixtures("enough_to_score")
def test_dust_that_is_left_is_noted():
    run = train_file(
        "mock", "mine", method="train-distribution", settings=GRID, columns={"dereddened": False}
    )
    assert run.notes[0].startswith("the fluxes are not corrected for Galactic extinction")


def test_recalibration_mends_densities():
    """A density that is even to redshift 3, of galaxies that are not."""
    z = np.random.default_rng(3).uniform(0.2, 1.0, 400).astype(np.float32)
    one = np.ones((400, 1), np.float32)
    galaxies = PhotometricGalaxies(np.arange(400), ("r",), one, one, z, 0 * z, None, "a.fits")
    shape = {"bands": ["r"], "grid_most": 3.0, "grid_bins": 60}
    plain = TrainDistributionModel(**shape)
    half, other = galaxies.select(slice(0, 200)), galaxies.select(slice(200, 400))
    mended = with_recalibration(plain, pit_values(predict_galaxies(plain, half), half.redshift))
    ks = [
        pit_ks(predict_galaxies(model, other).densities.cdf(other.redshift.astype(np.float64)))
        for model in (plain, mended)
    ]
    assert ks[0] > 0.4
    assert ks[1] < 0.15


@pytest.mark.usefixtures("enough_to_score")
def test_recalibration_on_request():
    part = {"train": 0.4, "validation": 0.4, "test": 0.2}
    asked = {"method": "train-distribution", "settings": GRID, "split": Split(fractions=part)}
    train_file("mock", "plain", **asked)
    assert train_file("mock", "mended", **asked, recalibrate=True).notes == ()
    assert "were recalibrated" in describe_model("mended").card
    assert "were recalibrated" not in describe_model("plain").card
    of = {name: load_model(name) for name in ("plain", "mended")}
    np.testing.assert_array_equal(of["mended"].mass, of["plain"].mass)
    assert predict_file("mock", "z.parquet", model="mended").rows == N
    run = train_file("mock", "few", method="train-distribution", settings=GRID, recalibrate=True)
    assert run.notes[0].startswith("the densities are not recalibrated: there are")
    assert "were recalibrated" not in describe_model("few").card


def test_settings_of_another_method():
    with pytest.raises(NebuliumError, match="--epochs: is no setting of the method template"):
        train_file("mock", "mine", method="template", settings={"epochs": 3})
    with pytest.raises(NebuliumError, match="method magic: is not known"):
        train_file("mock", "mine", method="magic")
    assert sorted(path.name for path in Path().iterdir()) == ["mock"]


def test_an_interrupted_training_is_not_written_over():
    Path("other.run").mkdir()
    with pytest.raises(OutputError, match=r"other\.run: holds an interrupted training.*--resume"):
        train_file("mock", "other", method="train-distribution")


def test_an_interrupted_training_can_be_taken_up(monkeypatch):
    with monkeypatch.context() as patch:

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(module, "save_trained", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_file("mock", "mine", method="photometry", settings=QUICK)
    train_file("mock", "mine", method="photometry", settings=QUICK, resume=True)
    train_file("mock", "again", method="photometry", settings=QUICK)
    checksum = [describe_model(name).config["weights_sha256"] for name in ("mine", "again")]
    assert checksum[0] == checksum[1]


def test_models_are_compared_on_what_none_has_seen():
    train_file("mock", "a", method="train-distribution", settings=GRID, split=Split("one"))
    train_file("mock", "b", method="train-distribution", settings=GRID, split=Split("two"))
    found = predict_held_out(Scoring("mock", named_models(["a", "b"])))
    sizes = [describe_model(name).config["split"]["galaxies"]["test"] for name in ("a", "b")]
    assert 0 < len(found.galaxies) < min(sizes) / 2
    with pytest.raises(TableError, match="model a: is given twice"):
        evaluate_file("mock", models=["a", "a"])
    write_table(catalogue().select(np.arange(30) * 3 + 1), "few.parquet")
    with pytest.raises(TableError, match="none in the test part of every model's split.*--all-rows"):
        evaluate_file("few.parquet", models=["a", "b"])


def test_label_fractions():
    told: list[str] = []
    found = label_fraction_file(
        "mock",
        "fractions",
        methods=["train-distribution"],
        fractions=[1.0, 0.3],
        settings=GRID,
        resamples=2,
        progress=told.append,
    )
    assert told == ["train-distribution-30", "train-distribution-100"]
    assert [one.method for one in found.scores] == ["training distribution", *["train-distribution"] * 2]
    labels = found.columns["labels"]
    assert labels[0] == labels[1] < labels[2]
    assert len({one.n for one in found.scores}) == 1
    table = read_table("fractions/scores.ecsv")
    assert table["label_fraction"].tolist() == [0.3, 0.3, 1.0]
    assert table["labels"].tolist() == labels
    assert Path("fractions/label_fraction.png").is_file()
    assert json.loads(Path("fractions/scores.json").read_text())["scores"][0]["label_fraction"] == 0.3
    with pytest.raises(OutputError, match="holds models of an earlier run"):
        label_fraction_file("mock", "fractions", methods=["train-distribution"])
    again = label_fraction_file(
        "mock",
        "fractions",
        methods=["train-distribution"],
        fractions=[0.3],
        resamples=2,
        resume=True,
        progress=told.append,
    )
    assert len(told) == 2
    assert again.scores[1]["nmad"].value == found.scores[1]["nmad"].value


def test_settings_count_for_the_methods_that_have_them():
    with pytest.raises(
        NebuliumError,
        match="--epochs: is no setting of the method template, which.*; train-distribution, which",
    ):
        label_fraction_file("mock", "a", methods=["template", "train-distribution"], settings={"epochs": 1})
    found = label_fraction_file(
        "mock",
        "a",
        methods=["train-distribution", "photometry"],
        fractions=[1.0],
        settings=QUICK,
        resamples=2,
    )
    assert [one.method for one in found.scores[1:]] == ["train-distribution", "photometry"]
    assert describe_model("a.models/photometry-100").config["training"]["epochs"] == 2


def test_notes_name_numbers():
    assert counted_notes(Counter({"fluxes": 1200})) == ("1,200 fluxes: not used",)
