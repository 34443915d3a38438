"""`nebulium mock make --spectra`: the same spectra however they are made, and lines predicted from them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.spectra.reading import read_spectra
from nebulium.data.tables.reading import read_table
from nebulium.mock.survey import making as survey_module
from nebulium.mock.survey.blocks import BlockMaker
from nebulium.mock.survey.making import make_survey
from nebulium.mock.survey.run_file import WORK, RunSettings, read_run
from nebulium.mock.survey.shards import SPECTRA, shard_paths

pytestmark = pytest.mark.usefixtures("optimised_programs")

N = 70
OPTIONS = {"n": N, "seed": 3, "pixels": 8, "neighbours": 0.0, "spectra": "sdss"}


def command(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """By the command, one process, one file."""
    folder = tmp_path_factory.mktemp("made") / "mock"
    options = [word for key, value in OPTIONS.items() for word in (f"--{key}", value)]
    command("mock", "make", "--survey", "sdss", *options, "--output", folder)
    return folder


def spectra_in(folder: Path) -> tuple[np.ndarray, ...]:
    parts = [read_spectra(path) for path in shard_paths(folder, read_run(folder).settings.shards, SPECTRA)]
    return tuple(
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("ids", "flux_lambda", "ivar", "redshift", "lsf_sigma_aa")
    )


def assert_same_spectra(one: Path, other: Path) -> None:
    for first, second in zip(spectra_in(one), spectra_in(other), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-4)


def test_spectra_are_those_of_the_catalogue(made):
    ids, flux, ivar, redshift, lsf = spectra_in(made)
    catalogue = read_table(made / "catalogue.parquet")
    assert ids.tolist() == catalogue["target_id"].tolist()
    np.testing.assert_allclose(redshift, catalogue["redshift"], rtol=1e-6)
    assert np.all(ivar > 0)
    assert np.all(np.isfinite(flux))
    assert np.all((lsf > 0.9) & (lsf < 1.7))
    bright = catalogue["mag_ab_sdss_r0"] < 17.0
    signal_to_noise = np.median(flux * np.sqrt(ivar), axis=1)
    assert np.median(signal_to_noise[bright]) > np.median(signal_to_noise[~bright]) > 3


def test_lines_are_predicted_from_the_spectra(made, tmp_path):
    """The line model that made the lines, by colours, finds them in its intervals."""
    output = tmp_path / "lines.parquet"
    command("lines", "predict", made / "spectra", "--model", "desi-lines-colours", "--output", output)
    lines, catalogue = read_table(output), read_table(made / "catalogue.parquet")
    order = np.argsort(lines["object_id"].astype(int))
    assert lines["object_id"][order].astype(int).tolist() == catalogue["target_id"].tolist()
    low, high = (lines[f"ew_HALPHA_{q}"][order] for q in ("q025", "q975"))
    held = (low < catalogue["ew_HALPHA"]) & (catalogue["ew_HALPHA"] < high)
    assert held.mean() > 0.8


def test_the_folder_tells_of_its_spectra(made):
    text = (made / "README.md").read_text()
    assert "`spectra/*.parquet`" in text
    assert "--spectra sdss" in text
    assert "`fibre_fraction`" in text
    assert (made / "figures" / "spectra.png").stat().st_size > 10_000


def test_a_killed_run_goes_on_where_it_was_and_files_change_nothing(made, tmp_path, monkeypatch):
    folder, options = tmp_path / "mock", OPTIONS | {"shards": 3}
    call = f"make_survey('sdss', {os.fspath(folder)!r}, **{options})"
    code = f"from nebulium.mock.survey.making import make_survey; {call}"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    while not list((folder / WORK).glob("spectra-*")) and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    monkeypatch.setattr(survey_module, "show_survey", lambda folder: [])
    assert make_survey("sdss", folder, **options, processes=2, resume=True).made > 0
    assert len(list((folder / SPECTRA).iterdir())) == 3
    assert_same_spectra(made, folder)
    assert not (folder / WORK).exists()


def test_every_survey_has_spectra():
    """Deep ones as well, whose galaxies reach beyond redshift 3 and below the noise."""
    block = BlockMaker(RunSettings("candels", 3, 7, 16, 0.7, shards=1, spectra="desi"))(0)
    assert block.spectra.ids.tolist() == [0, 1, 2]
    assert np.all(np.isfinite(block.spectra.flux_lambda))
    assert np.all(np.isfinite(block.spectra.columns["median_sn_per_pixel"]))
