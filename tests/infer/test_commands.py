"""`nebulium infer` from end to end: a small model, catalogues that suit it and catalogues that do not."""

import numpy as np
import pytest
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table

N = 24
BANDS = ("sdss_g0", "sdss_r0")
G = ("flux_njy_obs_sdss_g0", "flux_njy_err_sdss_g0")


def run(*arguments):
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("infer") / "mine"
    trained = run(
        "infer", "train", "--bands", ",".join(BANDS), "--redshifts", "0.05,0.07", "--simulated", 1024,
        "--epochs", 1, "--batch-size", 256, "--output", folder,
    )  # fmt: skip
    assert trained.exit_code == 0, trained.output
    return folder


def catalogue(tmp_path, **changes):
    rng = np.random.default_rng(0)
    columns = {
        "target_id": np.arange(N),
        "redshift_spec": rng.uniform(0.051, 0.069, N),
        "flux_njy_obs_sdss_g0": rng.uniform(2e5, 4e5, N),
        "flux_njy_err_sdss_g0": np.full(N, 2e4),
        "flux_njy_obs_sdss_r0": rng.uniform(5e5, 8e5, N),
        "flux_njy_err_sdss_r0": np.full(N, 2e4),
    } | changes
    write_table(
        Table({name: v for name, v in columns.items() if v is not None}), tmp_path / "galaxies.parquet"
    )
    return tmp_path / "galaxies.parquet"


def predict(model, table, tmp_path, *more):
    return run(
        "infer", "predict", table, "--model", model, "--draws-per-galaxy", 200,
        "--output", tmp_path / "said.parquet", *more,
    )  # fmt: skip


def test_a_catalogue_becomes_quantiles_and_draws(model, tmp_path):
    g = np.random.default_rng(1).uniform(2e5, 4e5, N)
    g[3] = -1e3  # not seen
    g[4] = np.nan  # not observed
    redshift = np.full(N, 0.06)
    redshift[5], redshift[6] = np.nan, 0.5
    table = catalogue(tmp_path, flux_njy_obs_sdss_g0=g, redshift_spec=redshift)
    said = predict(model, table, tmp_path, "--draws", tmp_path / "draws.parquet")
    assert said.exit_code == 0, said.output
    found, draws = read_table(tmp_path / "said.parquet"), read_table(tmp_path / "draws.parquet")
    assert found["target_id"].tolist() == [one for one in range(N) if one not in (5, 6)]
    assert len(draws["target_id"]) == 250 * (N - 2)
    for name in ("log_mstar", "log_sfr", "log_ssfr", "age_gyr", "av_mag", "lgmet"):
        ends = [found[name + end] for end in ("_q025", "_q16", "", "_q84", "_q975")]
        assert np.all(np.diff(ends, axis=0) >= 0)
    np.testing.assert_allclose(draws["log_sfr"] - draws["log_mstar"], draws["log_ssfr"], atol=1e-4)
    reasons = (tmp_path / "said.rejects.csv").read_text()
    assert "has no redshift" in reasons
    assert "outside 0.05 to 0.07" in reasons


def test_what_is_said_of_a_galaxy_does_not_depend_on_the_others(model, tmp_path):
    whole = catalogue(tmp_path)
    predict(model, whole, tmp_path)
    together = read_table(tmp_path / "said.parquet")
    rows = np.array([7, 2])
    table = read_table(whole)
    catalogue(tmp_path, **{name: np.asarray(table[name])[rows] for name in table.columns})
    predict(model, whole, tmp_path)
    alone = read_table(tmp_path / "said.parquet")
    for name in ("log_mstar", "av_mag_q84", "k_hat"):
        np.testing.assert_allclose(alone[name], together[name][rows], rtol=1e-4)


def test_brighter_galaxies_are_heavier_and_not_otherwise_different(model, tmp_path):
    dim = catalogue(tmp_path)
    predict(model, dim, tmp_path)
    faint, table = read_table(tmp_path / "said.parquet"), read_table(dim)
    fluxes = {name: 10.0 * table[name] for name in table.columns if name.startswith("flux")}
    predict(model, catalogue(tmp_path, **fluxes), tmp_path)
    bright = read_table(tmp_path / "said.parquet")
    np.testing.assert_allclose(bright["log_mstar"] - faint["log_mstar"], 1.0, atol=2e-3)
    np.testing.assert_allclose(bright["av_mag"], faint["av_mag"], atol=2e-3)


@pytest.mark.parametrize(
    ("changes", "more", "message"),
    [
        (
            {"flux_njy_obs_sdss_g0": np.linspace(18, 20, N), "flux_njy_err_sdss_g0": np.full(N, 0.05),
             "flux_njy_obs_sdss_r0": np.linspace(17, 19, N), "flux_njy_err_sdss_r0": np.full(N, 0.05)},
            (), "magnitudes",
        ),
        ({"redshift_spec": None}, (), "no redshifts"),
        ({"redshift_spec": np.full(N, 3.0)}, (), "outside 0.05 to 0.07"),
        ({f"flux_njy_obs_{band}": np.full(N, np.nan) for band in BANDS}, (), "no flux"),
        ({}, ("--band", f"u={G[0]},{G[1]}", "--flux-unit", "nJy"), "does not know u"),
        ({"target_id": np.zeros(N, int)}, (), "every id once"),
    ],
)  # fmt: skip
def test_catalogues_that_cannot_be_used_are_refused(model, tmp_path, changes, more, message):
    said = predict(model, catalogue(tmp_path, **changes), tmp_path, *more)
    assert said.exit_code == 2
    assert message in said.output
    assert not (tmp_path / "said.parquet").exists()


def test_a_band_that_the_catalogue_lacks_is_told(model, tmp_path):
    table = catalogue(tmp_path, flux_njy_obs_sdss_g0=None, flux_njy_err_sdss_g0=None)
    said = predict(model, table, tmp_path)
    assert said.exit_code == 0, said.output
    assert "not observed, as far as the catalogue says: sdss_g0" in said.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "neither is given"),
        (("--survey", "sdss", "--bands", "sdss_g0"), "both are given"),
        (("--bands", "sdss_g0,sdss_g0"), "given twice"),
        (("--bands", "sdss_q0"), "not known"),
        (("--bands", "sdss_g0", "--redshifts", "0.3,0.1"), "least and the largest"),
        (("--bands", "sdss_g0", "--model-error", "30"), "a fraction"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, arguments, message):
    said = run("infer", "train", *arguments, "--output", tmp_path / "mine")
    assert said.exit_code == 2
    assert message in said.output
    assert not (tmp_path / "mine").exists()


def test_a_check_writes_a_table_a_figure_and_a_page(model, tmp_path):
    said = run(
        "infer", "check", "--model", model, "--n", 64, "--relative-error", 0.1, "--output", tmp_path / "c"
    )
    assert said.exit_code == 0, said.output
    table = read_table(tmp_path / "c" / "calibration.ecsv")
    assert len(table["property"]) == 24
    assert (tmp_path / "c" / "pit.png").stat().st_size > 10_000
    assert "Efficiency of the draws" in (tmp_path / "c" / "README.md").read_text()
    few = run("infer", "check", "--model", model, "--n", 5, "--output", tmp_path / "d")
    assert few.exit_code == 2
