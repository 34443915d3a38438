"""``nebulium photoz`` from end to end, on invented galaxies whose colour is their redshift."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.cli.photoz import Method
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.photoz.methods import METHODS

N = 400
GRID = ("--max-redshift", 3, "--bins", 60)


def nebulium(*arguments: object):
    return CliRunner().invoke(app, ["photoz", *(str(argument) for argument in arguments)])


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A mock survey, the same as a FITS catalogue with other names, and models of both."""
    folder = tmp_path_factory.mktemp("photoz")
    random = np.random.default_rng(4)
    z = random.uniform(0.1, 2.0, N)
    flux = np.stack([1e3 / (1 + z), 1e3 * (1 + z)], axis=1) * random.lognormal(0, 0.5, (N, 1))
    columns = {"target_id": np.arange(N), "redshift_spec": np.where(np.arange(N) % 4 > 0, z, np.nan)}
    for place, band in enumerate(("acs_wfc_f606w", "acs_wfc_f814w")):
        columns |= {f"flux_njy_obs_{band}": flux[:, place], f"flux_njy_err_{band}": np.full(N, 10.0)}
    (folder / "mock").mkdir()
    write_table(Table(columns), folder / "mock" / "catalogue.parquet")
    other = {
        "NAME": np.array([f"J{row}" for row in range(N)]),
        "V": flux[:, 0] / 1e3, "V_ERR": np.full(N, 0.01), "I": flux[:, 1] / 1e3, "I_ERR": np.full(N, 0.01),
        "ZSPEC": np.where(np.arange(N) % 4 > 0, z, -99.0), "EBV": np.full(N, 0.03),
    }  # fmt: skip
    write_table(Table(other), folder / "other.fits")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        succeeds("train", "mock", "--method", "train-distribution", "-o", "silly", *GRID)
        said = succeeds(
            "train", "mock", "--method", "photometry", "-o", "mine", *GRID,
            "--epochs", 15, "--members", 1, "--batch-size", 64, "--seed", 1,
        )  # fmt: skip
        assert "mine: trained on " in said
    return folder


@pytest.fixture(autouse=True)
def inside(folder, monkeypatch):
    monkeypatch.chdir(folder)


def named(*more: object) -> tuple[object, ...]:
    return (
        "other.fits", "--band", "acs_wfc_f606w=V,V_ERR", "--band", "acs_wfc_f814w=I,I_ERR", "--id", "NAME",
        "--flux-unit", "uJy", "--redshift", "ZSPEC", *more,
    )  # fmt: skip


def test_every_method_can_be_chosen():
    assert get_args(Method) == tuple(METHODS)


@pytest.mark.parametrize(
    "command", ["train", "predict", "evaluate", "compare", "label-fraction", "embed", "disagreements"]
)
def test_help_shows_what_can_be_told_of_columns(command):
    shown = succeeds(command, "--help")
    for option in ("--band", "--magnitudes", "--missing", "--redshift", "--ebv", "--filters"):
        assert option in shown


def test_predict():
    said = succeeds("predict", "mock", "--model", "mine", "--output", "z.parquet", "--pdf", "z.hdf5")
    assert f"z.parquet: {N:,} galaxies" in said
    assert "z.hdf5: their densities" in said
    truth = read_table("mock/catalogue.parquet")["redshift_spec"]
    found = read_table("z.parquet")["redshift_median"]
    delta = (found - truth) / (1 + truth)
    assert np.nanmedian(np.abs(delta)) < 0.05


def test_evaluate_and_compare():
    said = succeeds("evaluate", "mock", "--model", "mine", "--output", "scores", "--point", "mode")
    assert "mine: " in said
    assert Path("scores/scores.md").is_file()
    said = succeeds("compare", "mine", "silly", "--data", "mock", "-o", "both")
    assert "silly: " in said
    assert Path("both/comparison.ecsv").is_file()


def test_another_catalogue():
    told = named("--missing", "-99")
    succeeds("train", *told, "--method", "train-distribution", "-o", "of-other", *GRID)
    # The model remembers what its columns are called.
    assert f"{N:,} galaxies" in succeeds(
        "predict", "other.fits", "--model", "of-other", "-o", "other.parquet"
    )
    assert read_table("other.parquet")["NAME"][:2].tolist() == ["J0", "J1"]
    succeeds("evaluate", "other.fits", "--model", "of-other", "-o", "other-scores")
    # One of another catalogue is told.
    succeeds("predict", *told, "--model", "mine", "-o", "other2.parquet")
    ours, theirs = (read_table(name)["redshift_median"] for name in ("z.parquet", "other2.parquet"))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)


def test_dust():
    told = named("--missing", "-99", "--ebv", "EBV")
    assert "say --dereddened or --not-dereddened" in fails(
        "train", *told, "--method", "train-distribution", "-o", "dusty"
    )
    succeeds(
        "train", *told, "--not-dereddened", "--extinction", "acs_wfc_f606w=2.47",
        "--method", "train-distribution", "-o", "clean", *GRID,
    )  # fmt: skip
    assert "does not say whether it is corrected" in fails(
        "predict", *named(), "--model", "clean", "-o", "clean.parquet"
    )
    said = succeeds("predict", *named("--dereddened"), "--model", "clean", "-o", "clean.parquet")
    assert "Note" not in said


def test_label_fraction():
    said = succeeds(
        "label-fraction", "mock", "--method", "train-distribution", "--fraction", 0.5, "--fraction", 1,
        "-o", "fractions",
    )  # fmt: skip
    assert "50 % of the labels" in said
    assert Path("fractions/label_fraction.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("train", "mock", "--method", "train-distribution", "-o", "mock"),
            "mock: is a folder with other things",
        ),
        (("train", "none", "--method", "template", "-o", "new"), "none"),
        (("train", "other.fits", "--method", "photometry", "-o", "new"), "name the columns of each band"),
        (("train", *named(), "--method", "photometry", "-o", "new"), "--missing=ZSPEC=-99"),
        (("train", *named("--magnitudes"), "--method", "photometry", "-o", "new"), "give one of the two"),
        (("train", "mock", "--method", "template", "--epochs", 2, "-o", "new"), "--epochs: is no setting"),
        (("train", "mock", "--method", "photometry", "--label-fraction", 0, "-o", "new"), "0.001"),
        (("train", "mock", "--method", "photometry", "--label-fraction", 0.01, "-o", "new"), "are needed"),
        (("train", "mock", "--method", "photometry", "--band", "g", "-o", "new"), "BAND=COLUMN,ERROR"),
        (("predict", "mock", "--model", "nothing", "-o", "new.parquet"), "model nothing"),
        (
            ("predict", "mock", "--model", "desi-lines", "-o", "new.parquet"),
            "predicts emission lines, not redshifts",
        ),
        (("predict", "mock", "--model", "mine", "-o", "new.txt"), "new.txt: cannot be written as a table"),
        (("predict", "mock", "--model", "mine", "-o", "new.ecsv", "--pdf", "new.fits"), "must end in .hdf5"),
        (("evaluate", "mock", "--model", "mine", "--redshift", "nothing", "-o", "new"), "has no column"),
        (("compare", "mine", "mine", "--data", "mock", "-o", "new"), "is given twice"),
        (("label-fraction", "mock", "--method", "magic", "-o", "new"), "method magic: is not known"),
    ],
)
def test_faults_end_in_a_message(arguments, message):
    assert message in fails(*arguments)
