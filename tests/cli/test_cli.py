import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from astropy.io import fits
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.spectra.reading import read_spectra
from nebulium.data.tables.reading import FASTSPECFIT, read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.lines import recipe
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.demo import demonstration as demo_module
from nebulium.lines.input import FLUX_COLUMNS
from nebulium.lines.model import LineModel
from nebulium.lines.predict import LinePredictor
from nebulium.modelfile import REQUIRED, list_models, save_model

pytestmark = pytest.mark.usefixtures("small_batches", "optimised_programs")
HYPERPARAMETERS = {"with_luminosity": False, "width": 8, "depth": 2, "noise_width": 8}
QUANTILES = ("q50", "q16", "q84", "q025", "q975")
COMMANDS = (
    (), ("demo",), ("lines",), ("lines", "train"), ("lines", "predict"), ("lines", "evaluate"),
    ("lines", "inject"), ("mock",), ("mock", "make"), ("mock", "show"),
    ("models",), ("models", "list"), ("models", "show"), ("properties",), ("properties", "train"),
    ("properties", "predict"), ("properties", "evaluate"), ("properties", "explain"),
)  # fmt: skip


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    model = LineModel(**HYPERPARAMETERS, key=jax.random.key(0))
    config = dict.fromkeys(REQUIRED, "") | {"hyperparameters": HYPERPARAMETERS}
    return save_model(tmp_path_factory.mktemp("models") / "tiny", model, config=config, card="# Tiny\n")


@pytest.fixture(scope="module")
def desi(nebulium_data):
    table = read_table(nebulium_data / "desi" / "desi_edr_emission_lines.parquet")
    return table.select(slice(0, 40))


def nebulium(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def succeeds(*arguments: object) -> str:
    result = nebulium(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def fails(*arguments: object) -> str:
    """Ends with code 2 and a message, and leaves the folder as it was."""
    before = sorted(path.name for path in Path().iterdir())
    result = nebulium(*arguments)
    assert result.exit_code == 2, (result.output, result.exception)
    assert sorted(path.name for path in Path().iterdir()) == before
    return " ".join(result.stderr.split())


# The whole program


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_is_enough_to_start(command):
    text = succeeds(*command, "--help")
    if command and command[-1] not in ("lines", "mock", "models", "properties"):
        assert f"Example: nebulium {' '.join(command)}" in " ".join(text.split())


def test_it_says_its_version():
    program = Path(sys.executable).with_name("nebulium")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("nebulium 0.")


def test_the_command_line_imports_nothing_slow_to_help():
    slow = {"jax", "numpy", "pyarrow", "astropy", "matplotlib"}
    code = f"import nebulium.cli, sys; print(*{slow} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# Models


def test_models_are_listed_and_shown(model_folder):
    listed = succeeds("models", "list")
    assert all(name in listed for name in list_models())
    assert "# Tiny" in succeeds("models", "show", model_folder)
    assert json.loads(succeeds("models", "show", model_folder, "--config"))["class"].endswith("LineModel")


def test_a_model_that_is_not_there_is_named(work):
    assert "model no-such: is neither a folder nor a packaged model" in fails("models", "show", "no-such")


# Predict


def test_predict_on_desi(work, desi, model_folder):
    write_table(desi, "galaxies.parquet")
    said = succeeds("lines", "predict", "galaxies.parquet", "-o", "lines.fits", "--model", model_folder)
    assert "40 galaxies (40 by tiny)" in said
    read = read_table("lines.fits")
    np.testing.assert_array_equal(read["target_id"], desi["target_id"])
    assert {read.units[f"ew_{line}_{name}"] for line in LINES for name in QUANTILES} == {"Angstrom"}
    assert {path.name for path in work.iterdir()} == {"galaxies.parquet", "lines.fits"}


def test_predict_maps_columns_and_rejects(work, desi, model_folder):
    columns = {"ID": desi["target_id"], "Z": desi["redshift"].copy()}
    columns["Z"][3] = -0.1
    columns |= {f"F{place}": desi[name] for place, name in enumerate(FLUX_COLUMNS)}
    write_table(Table(columns), "mine.ecsv")
    flux_options = [f"--column={name}=F{place}" for place, name in enumerate(FLUX_COLUMNS)]
    said = succeeds(
        "lines", "predict", "mine.ecsv", "-o", "lines.ecsv", "--model", model_folder, "--id", "ID",
        "--column", "redshift=Z", *flux_options,
    )  # fmt: skip
    assert "lines.rejects.csv: 1 row set aside: 1 redshift is negative" in said
    assert read_table("lines.ecsv")["ID"].tolist() == np.delete(desi["target_id"], 3).tolist()


def test_predict_observed(work, desi, model_folder):
    write_table(desi.select(slice(0, 5)), "in.parquet")
    for output, option in (("intrinsic.parquet", []), ("observed.parquet", ["--observed"])):
        succeeds("lines", "predict", "in.parquet", "-o", output, "--model", model_folder, *option)
    intrinsic, observed = read_table("intrinsic.parquet"), read_table("observed.parquet")
    assert list(intrinsic.columns) == list(observed.columns)
    assert observed.metadata["distribution"] == "observed"
    assert not np.allclose(intrinsic["ew_HALPHA_q50"], observed["ew_HALPHA_q50"])


def spoil(folder: Path, file: str, change) -> Path:
    (folder / file).write_text(change((folder / file).read_text()))
    return folder


@pytest.mark.parametrize(
    ("ruin", "message"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "expected the file model.safetensors"),
        (
            lambda folder: spoil(folder, "config.json", lambda t: t.replace('sion": 1', 'sion": 99')),
            "upgrade",
        ),
        (lambda folder: spoil(folder, "config.json", lambda t: t.replace("LineModel", "Other")), "Other"),
        (lambda folder: spoil(folder, "config.json", lambda t: t[:50]), "not valid JSON"),
    ],
    ids=["missing file", "newer", "another class", "damaged"],
)
def test_a_bad_model_is_an_error(work, desi, model_folder, ruin, message):
    import shutil

    shutil.copytree(model_folder, "bad")
    ruin(Path("bad"))
    write_table(desi, "in.parquet")
    assert message in fails("lines", "predict", "in.parquet", "-o", "out.parquet", "--model", "./bad")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("no/such/folder/out.parquet", "there is no folder"),
        ("out.txt", "ending '.txt'"),
        ("/dev/full", "ending"),
        ("in.parquet", "is the input"),
    ],
)
def test_a_bad_output_is_an_error(work, desi, model_folder, output, message):
    write_table(desi, "in.parquet")
    assert message in fails("lines", "predict", "in.parquet", "-o", output, "--model", model_folder)


@pytest.mark.parametrize("ending", ["parquet", "fits", "ecsv"])
def test_a_truncated_table_is_an_error(work, desi, model_folder, ending):
    write_table(desi, f"in.{ending}")
    content = Path(f"in.{ending}").read_bytes()
    Path(f"in.{ending}").write_bytes(content[: len(content) // 2])
    assert f"in.{ending}" in fails(
        "lines", "predict", f"in.{ending}", "-o", "out.ecsv", "--model", model_folder
    )


def test_a_missing_input_is_an_error(work, model_folder):
    assert "none.parquet: is not there" in fails(
        "lines", "predict", "none.parquet", "-o", "out.ecsv", "--model", model_folder
    )


def test_an_interrupt_ends_with_130(work, desi, model_folder, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(LinePredictor, "__call__", interrupt)
    write_table(desi, "in.parquet")
    result = nebulium("lines", "predict", "in.parquet", "-o", "out.parquet", "--model", model_folder)
    assert result.exit_code == 130
    assert {path.name for path in work.iterdir()} == {"in.parquet"}


def test_what_a_queue_sends_ends_with_130_and_leaves_nothing(tmp_path):
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom nebulium import cli\n"
        "from nebulium.cli.verb import ends_well\nfrom nebulium.data.output import replace_on_success\n"
        "@cli.app.command('wait')\n@ends_well\ndef wait(path: str) -> None:\n"
        "    with replace_on_success(path) as partial:\n        partial.write_text('half')\n"
        "        print('on', flush=True)\n        time.sleep(60)\n"
        "sys.argv = ['nebulium', 'wait', sys.argv[1]]\ncli.main()\n"
    )
    command = [sys.executable, "-c", script, tmp_path / "a.txt"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "on\n"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate()
    assert process.returncode == 130
    assert said.startswith("Interrupted; ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["predict", "inject"])
def test_what_a_message_names_can_be_given(work, model_folder, command):
    wave = np.arange(3600.0, 9820.0, 4.0)
    columns = {"wave": np.log(wave), "flux": np.full(len(wave), 2e-17), "name": np.zeros(len(wave))}
    hdu = fits.BinTableHDU.from_columns([fits.Column(key, "D", array=one) for key, one in columns.items()])
    hdu.header["REDSHIFT"] = 0.1
    hdu.writeto("mine.fits")
    start = ("lines", command, "mine.fits", "-o", "out.fits", "--model", model_folder)
    assert "--wave-unit 'ln(Angstrom)'" in fails(*start)
    told = (*start, "--wave-unit", "ln(Angstrom)")
    assert "--flux-unit 'erg/(s cm2 Angstrom)'" in fails(*told)
    succeeds(*told, "--flux-unit", "erg/(s cm2 Angstrom)", "--air", "--keep-flagged")


# Inject


def test_inject_a_real_spectrum(work, nebulium_data, model_folder):
    source = nebulium_data / "sdss" / "spectra" / "NGC3522_SDSS_DR18.fits"
    said = succeeds(
        "lines", "inject", source, "-o", "out.fits", "--model", model_folder, "--ew", "sample", "--seed", 3
    )
    assert "1 spectra with lines" in said
    before, after = read_spectra(source), read_spectra("out.fits")
    assert np.any(after.flux_lambda != before.flux_lambda)
    assert {path.name for path in work.iterdir()} == {"out.fits", "out.lines.ecsv"}


def test_inject_refuses_a_table_without_widths(work, nebulium_data, desi):
    write_table(Table({"target_id": np.array([1])}), "empty.ecsv")
    source = nebulium_data / "sdss" / "spectra" / "NGC3522_SDSS_DR18.fits"
    assert "no column ew_LINE" in fails("lines", "inject", source, "-o", "out.fits", "--ew", "empty.ecsv")


# Train and evaluate


@pytest.fixture(scope="module")
def trained(nebulium_data, tmp_path_factory):
    """A small model from a table in the names of FastSpecFit, by column mapping alone."""
    folder = tmp_path_factory.mktemp("trained")
    table = read_table(nebulium_data / "desi" / "desi_edr_emission_lines.parquet").select(slice(0, 2200))
    columns = {"TARGETID": table["target_id"], "Z": table["redshift"]}
    columns |= {name: table[name].copy() for name in FLUX_COLUMNS}
    columns["continuum_flux_4"][5] = -1.0
    for name, theirs in FASTSPECFIT.items():
        if name.startswith("ew_") and "+" not in theirs:
            columns[theirs] = table[name]
    for line in ("OII_3726", "OII_3729"):
        columns[f"{line}_EW"] = 0.5 * table["ew_OII_DOUBLET"]
        columns[f"{line}_EW_IVAR"] = 2.0 * table["ew_ivar_OII_DOUBLET"]
    write_table(Table(columns), folder / "fastspec.fits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe.LinesConfig, "hyperparameters", property(lambda self: HYPERPARAMETERS | {
            "with_luminosity": self.with_luminosity}))  # fmt: skip
        output = succeeds(
            "lines", "train", folder / "fastspec.fits", "-o", folder / "mine", "--column", "fastspecfit",
            "--epochs", 1,
        )  # fmt: skip
    return folder, output


def test_train_by_column_mapping_alone(trained, work):
    folder, said = trained
    parts = [int(number) for number in re.findall(r"\d+", said.split("trained on ")[1].replace(",", ""))[:3]]
    assert sum(parts) == 2199
    assert "continuum_flux_4 is not positive" in (folder / "mine.rejects.csv").read_text()
    assert "HALPHA" in succeeds("models", "show", folder / "mine", "--config")


def test_evaluate_what_was_trained(trained, work, nebulium_data):
    folder, _ = trained
    said = succeeds(
        "lines", "evaluate", folder / "fastspec.fits", "--column", "fastspecfit", "-o", "scores",
        "--model", folder / "mine",
    )  # fmt: skip
    assert "galaxies scored" in said
    assert (work / "scores" / "scores.ecsv").is_file()


# Demo


def test_demo_passes_its_options_on(work, monkeypatch):
    def pretend(folder, *, n_galaxies, seed):
        return demo_module.DemoRun(Path(folder), n_galaxies + seed, 1.0)

    monkeypatch.setattr(demo_module, "run_demo", pretend)
    assert "57 galaxies in 1 s; there/README.md" in succeeds(
        "demo", "-o", "there", "--galaxies", 50, "--seed", 7
    )
