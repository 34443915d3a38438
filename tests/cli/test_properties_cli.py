"""``nebulium properties`` from end to end, on invented galaxies whose colour is their metallicity."""

import json
import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.cli.properties import Encoder, Head
from nebulium.data.images.source import ImageSource
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import OutputError
from nebulium.nn.densities import HEADS
from nebulium.nn.encoders import ENCODERS
from nebulium.properties import training_file
from nebulium.properties.model import GAUSSIAN_PROCESS
from nebulium.properties.scores.evaluate import evaluate_file

# Networks over whole images run many times slower without.
pytestmark = pytest.mark.usefixtures("optimised_programs")

N, SIDE, FIRST_ID = 60, 32, 1237648704043942146
DAMAGED, UNLABELLED = FIRST_ID + 5, FIRST_ID + 7


def nebulium(*arguments: object):
    return CliRunner().invoke(app, ["properties", *(str(argument) for argument in arguments)])


def succeeds(*arguments: object) -> str:
    result = nebulium(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def fails(*arguments: object) -> str:
    """Ends with code 2 and a message, and leaves the folder as it was."""
    before = sorted(path.name for path in Path().iterdir())
    result = nebulium(*arguments)
    assert result.exit_code == 2, (result.output, result.exception)
    assert sorted(path.name for path in Path().iterdir()) == before
    return " ".join(result.stderr.split())


def picture(metallicity: float, random: np.random.Generator) -> np.ndarray:
    """A round galaxy, the redder the more metals it has."""
    y, x = np.mgrid[:SIDE, :SIDE] - 0.5 * (SIDE - 1)
    light = np.exp(-(x**2 + y**2) / 40.0)[..., None]
    colour = np.array([metallicity - 8.0, 0.6, 9.2 - metallicity]) * 150.0
    return np.clip(20.0 + light * colour + random.normal(0, 2, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def survey(tmp_path_factory) -> Path:
    """Cutouts with their labels: one damaged, one without label, one label without image."""
    folder = tmp_path_factory.mktemp("survey")
    random = np.random.default_rng(0)
    metallicity = random.uniform(8.0, 9.2, N)
    (folder / "cutouts").mkdir()
    for row, value in enumerate(metallicity):
        Image.fromarray(picture(value, random)).save(folder / "cutouts" / f"{FIRST_ID + row}.png")
    damaged = folder / "cutouts" / f"{DAMAGED}.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    columns = {
        "objid": np.arange(FIRST_ID, FIRST_ID + N),
        "oh_p50": metallicity,
        "log_mstar": metallicity + random.normal(1.5, 0.2, N),
        "name": np.array([f"galaxy {row}" for row in range(N)]),
        "same": np.full(N, 3.0),
    }
    columns["objid"][7] = 77
    write_table(Table(columns), folder / "labels.ecsv")
    return folder


@pytest.fixture(scope="module")
def trained(survey) -> tuple[Path, str]:
    said = succeeds(
        "train", survey / "cutouts", "--labels", survey / "labels.ecsv", "--id", "objid",
        "--target", "oh_p50", "--output", survey / "mine", "--epochs", 2, "--batch-size", 16, "--conformal",
        "--encoder", "resnet-tiny",
    )  # fmt: skip
    return survey / "mine", said


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("verb", ["train", "predict", "evaluate", "explain"])
def test_help_shows_an_example(verb):
    assert f"Example: nebulium properties {verb}" in " ".join(succeeds(verb, "--help").split())


def test_the_networks_and_heads_of_the_help_are_those_that_there_are():
    assert get_args(Encoder) == tuple(ENCODERS)
    assert get_args(Head) == (*HEADS, GAUSSIAN_PROCESS)


def test_training_says_what_it_left_out(trained):
    model, said = trained
    split = json.loads((model / "config.json").read_text())["split"]["galaxies"]
    assert sum(split.values()) == 58
    train, validation, test = split.values()
    assert f"on {train} galaxies with labels, validated on {validation}; {test} left for testing" in said
    assert "2 rows set aside" in said
    assert "1 labels without an image: 77" in said
    rejects = model.with_name("mine.rejects.csv").read_text()
    assert f"5,{DAMAGED},is truncated or damaged" in rejects
    assert f"7,{UNLABELLED},has no label" in rejects


def test_predictions_have_error_bars(trained, survey, work):
    said = succeeds("predict", survey / "cutouts", "--model", trained[0], "-o", "out.parquet")
    assert "out.parquet: 59 galaxies" in said
    assert "out.rejects.csv: 1 row set aside: 1 is truncated or damaged" in said
    table = read_table("out.parquet")
    names = ["target_id", "oh_p50", "oh_p50_sigma", "oh_p50_q16", "oh_p50_q84", "in_domain"]
    assert list(table.columns) == names
    assert table["target_id"].tolist() == [FIRST_ID + row for row in range(N) if row != 5]
    assert list(table.metadata["models"]) == ["mine"]
    labels = read_table(survey / "labels.ecsv")
    true = np.delete(labels["oh_p50"], 5)
    assert np.corrcoef(table["oh_p50"], true)[0, 1] > 0.9


def test_the_images_are_also_named_by_the_option_of_before(trained, survey, work):
    cutouts, rest = survey / "cutouts", ("--model", trained[0], "-o", "out.parquet")
    assert "out.parquet: 59 galaxies" in succeeds("predict", "--images", cutouts, *rest)
    (work / "out.parquet").unlink()
    (work / "out.rejects.csv").unlink()
    assert f"DATA: is given twice, {cutouts} and --images b" in fails(
        "predict", cutouts, "--images", "b", *rest
    )
    assert "sees images, and none are given. To mend: name the images" in fails("predict", *rest)
    assert "--images" not in succeeds("predict", "--help")


def test_evaluation_scores_the_test_part_only(trained, survey, work):
    both = (survey / "cutouts", "--labels", survey / "labels.ecsv", "--id", "objid")
    succeeds("evaluate", *both, "--model", trained[0], "-o", "scores", "--against", "log_mstar")
    config = json.loads((trained[0] / "config.json").read_text())
    scores = json.loads((work / "scores" / "scores.json").read_text())["scores"]
    assert [one["method"] for one in scores] == ["training mean", "ridge on integrated light", "mine"]
    score = scores[0]
    assert score["galaxies"] == config["split"]["galaxies"]["test"] > 0
    assert (work / "scores" / "oh_p50_gallery.png").is_file()


def test_evaluation_of_all_galaxies_leaves_out_the_damaged_one(trained, survey):
    both = survey / "cutouts", survey / "labels.ecsv"
    found = evaluate_file(*both, model=trained[0], id_column="objid", all_rows=True, resamples=2)
    assert [one.n for one in found.scores] == [N - 2] * 2
    assert found.rejects.summary() == "1 row set aside: 1 is truncated or damaged"
    assert {"oh_p50_relation_with_mass", "oh_p50_gallery"} <= set(found.figures)


def test_explanations_add_up(trained, survey, work):
    said = succeeds(
        "explain", survey / "cutouts", "--model", trained[0], "-o", "seen", "--galaxy",
        FIRST_ID + 3, "--galaxy", DAMAGED,
    )  # fmt: skip
    assert "oh_p50.png of 1 galaxies; 1 row set aside" in said
    with np.load(work / "seen" / "oh_p50.npz") as maps:
        assert maps["target_id"].tolist() == [FIRST_ID + 3]
        assert maps["integrated_gradients"].shape == (1, SIDE, SIDE, 3)
        assert maps["grad_cam"].shape == (1, SIDE, SIDE)
    assert "has no galaxy 12" in fails(
        "explain", survey / "cutouts", "--model", trained[0], "-o", "none", "--galaxy", 12
    )


def test_an_interrupt_leaves_nothing(trained, survey, work, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ImageSource, "chunks", interrupt)
    result = nebulium("predict", survey / "cutouts", "--model", trained[0], "-o", "out.parquet")
    assert result.exit_code == 130
    assert result.stderr.strip() == "Interrupted; nothing half-written is left."
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        (["--encoder", "convnext-nano"], "encoder", "convnext-nano"),
        (["--head", "mixture"], "head", "mixture"),
        (["--members", 3], "members", 3),
        (["--epochs", 4], "epochs", 4),
        (["--batch-size", 8], "batch_size", 8),
        (["--patience", 2], "patience", 2),
        (["--size", 16], "size", 16),
        (["--binning", 2], "binning", 2),
        (["--no-profiles"], "with_profiles", False),
        (["--conformal"], "conformal", True),
        (["--seed", 5], "seed", 5),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_options_reach_the_training(survey, work, monkeypatch, options, field, value):
    def stop(galaxies, labelled, split, config, run):
        assert getattr(config, field) == value
        assert getattr(training_file.PropertiesConfig(), field) != value
        raise OutputError("training", "was only a test", "train")

    monkeypatch.setattr(training_file, "train_on_galaxies", stop)
    assert "was only a test" in fails(*training(survey)[:-2], *options)


# Bad input


def training(survey: Path, **changed: object) -> list[object]:
    given = {
        "images": survey / "cutouts",
        "labels": survey / "labels.ecsv",
        "id": "objid",
        "target": "oh_p50",
    }
    options = given | {"output": "mine", "epochs": 1} | changed
    return ["train", *(part for name, value in options.items() for part in (f"--{name}", value))]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"target": "name"}, "column name: has 60 different entries (galaxy 0, galaxy 1, "),
        ({"target": "same"}, "column same: is 3 for every image"),
        ({"target": "oh_p5"}, "has no column 'oh_p5' (the nearest is 'oh_p50'"),
        ({"id": "log_mstar"}, "expected an id"),
        ({"id": "target_id"}, "To mend: name the column of ids: --id COLUMN"),
        ({"features": "profiles,modes"}, "choose that head"),
        ({"images": "nowhere"}, "nowhere: is not there"),
        ({"labels": "nowhere.csv"}, "nowhere.csv: is not there"),
        ({"output": "no/such/folder"}, "there is no folder"),
        ({"bands": "u,g,r,i"}, "asked for were u, g, r, i"),
        ({"init": "no-such-model"}, "is neither a folder nor a packaged model"),
        ({"binning": 5}, "5 does not divide a size of 32 pixels"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_training_that_cannot_be_is_refused_at_once(survey, work, changed, message):
    assert message in fails(*training(survey, **changed))


def test_labels_of_other_galaxies_are_refused(survey, work):
    labels = read_table(survey / "labels.ecsv")
    write_table(labels.with_columns({"objid": np.arange(N)}), "others.ecsv")
    said = fails(*training(survey, labels="others.ecsv"))
    assert "has no id of the images: its ids begin with 0, 1, 2" in said


def test_labels_with_an_id_twice_are_refused(survey, work):
    labels = read_table(survey / "labels.ecsv")
    labels["objid"][1] = FIRST_ID
    write_table(labels, "twice.ecsv")
    assert f"expected every id once, found {FIRST_ID} in rows 0 and 1" in fails(
        *training(survey, labels="twice.ecsv")
    )


def test_too_few_galaxies_are_refused(survey, work):
    write_table(read_table(survey / "labels.ecsv").select(slice(8, 16)), "few.ecsv")
    assert "give more labelled galaxies" in fails(*training(survey, labels="few.ecsv"))


def test_other_images_than_the_models_are_refused(trained, work):
    fluxes = np.random.default_rng(0).normal(size=(3, SIDE, SIDE, 3)).astype(np.float32)
    np.save("fluxes.npy", fluxes)
    np.save("two.npy", fluxes[..., :2])
    np.save("small.npy", np.full((3, 8, 8, 3), 99, np.uint8))
    model = ("--model", trained[0], "-o", "out.parquet")
    said = fails("predict", "fluxes.npy", *model)
    assert "expected colours from 0 to 255, found pixels in an unknown unit" in said
    assert "uint8 from 0 to 255" in said
    assert "the model takes red, green, blue" in fails("predict", "two.npy", *model)
    said = fails("predict", "small.npy", *model)
    assert "no galaxy that can be predicted (3 rows set aside: 3 is smaller than half of 32 pixels" in said


@pytest.mark.parametrize(("side", "padded"), [(20, True), (32, False), (40, False)])
def test_images_that_are_padded_are_counted(trained, work, side, padded):
    pixels = np.random.default_rng(0).integers(0, 255, (4, side, side, 3), np.uint8)
    pixels[1] = 0
    np.save("cube.npy", pixels)
    write_table(Table({"target_id": np.arange(4), "oh_p50": 8.0 + np.arange(4) / 10}), "labels.ecsv")
    both = ("cube.npy", "--model", trained[0], "-o")
    for said in (
        succeeds("predict", *both, "out.ecsv"),
        succeeds("explain", *both, "seen"),
        succeeds("evaluate", *both, "scores", "--labels", "labels.ecsv", "--all-rows"),
    ):
        assert ("3 of 3 images were padded from 20 to 32 pixels" in said) == padded


def test_a_training_counts_the_images_that_it_pads(survey, work):
    said = succeeds(*training(survey), "--size", 40, "--encoder", "resnet-tiny")
    assert "58 of 58 images were padded from 32 to 40 pixels" in said


def test_grey_images_are_refused_by_a_model_of_colours(trained, work):
    Path("grey").mkdir()
    Image.fromarray(np.full((SIDE, SIDE), 99, np.uint8)).save("grey/1.png")
    said = fails("predict", "grey", "--model", trained[0], "-o", "out.parquet")
    assert "grey: has the bands grey, the model takes red, green, blue" in said


def test_labels_that_stand_for_missing_ones_must_be_told(survey, work):
    table = read_table(survey / "labels.ecsv")
    table["oh_p50"][10:22] = -9999
    write_table(table, "labels.ecsv")
    said = fails(*training(survey, labels="labels.ecsv"))
    assert "labels.ecsv, column oh_p50: expected measured values, found -9999 in rows 10, 11, 12 and " in said
    assert "To mend: say --missing=-9999, or --missing=none if it was measured" in said


def test_scores_on_what_a_model_was_trained_on_are_called_so(trained, survey, work):
    shutil.copytree(trained[0], "all")
    config = json.loads(Path("all/config.json").read_text())
    config["split"]["fractions"] = {"train": 1.0, "validation": 0.0, "test": 0.0}
    Path("all/config.json").write_text(json.dumps(config))
    both = (survey / "cutouts", "--labels", survey / "labels.ecsv", "--id", "objid", "--all-rows")
    for model, told in ((trained[0], False), ("all", True)):
        said = succeeds("evaluate", *both, "--model", model, "-o", "scores")
        assert ("trained on every galaxy of its sample" in said) == told


def test_an_interrupted_training_says_how_to_go_on(survey, work, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(training_file, "train_on_galaxies", interrupt)
    result = nebulium(*training(survey))
    assert result.exit_code == 130
    assert result.stderr.strip() == "Interrupted; to go on: the same command with --resume."


def test_a_model_of_something_else_is_refused(survey, work):
    said = fails("predict", survey / "cutouts", "--model", "desi-lines-colours", "-o", "out.parquet")
    assert "predicts emission lines, not properties" in said
