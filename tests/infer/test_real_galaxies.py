"""Galaxies of SDSS as they were observed: posteriors where they belong."""

import numpy as np
from astropy.table import Table
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.tables.reading import read_table

ROWS = slice(0, 6400, 100)


def test_galaxies_of_sdss_are_where_galaxies_are(nebulium_data, tmp_path):
    every = Table.read(nebulium_data / "photoz" / "sdss_galex_2mass_10k.fits")
    every[ROWS].write(tmp_path / "sdss.fits")
    bands = [
        argument
        for place, band in enumerate("ugriz")
        for argument in ("--band", f"sdss_{band}0=MODELFLUX[{place}],MODELFLUX_IVAR[{place}]")
    ]
    asked = (
        "infer", "predict", tmp_path / "sdss.fits", *bands, "--id", "ROW", "--redshift", "Z", "--flux-unit",
        "nanomaggy", "--ebv", "0.03", "--not-dereddened", "--model", "sdss-ugriz-properties", "--output",
        tmp_path / "said.parquet",
    )  # fmt: skip
    said = CliRunner().invoke(app, [str(one) for one in asked])
    assert said.exit_code == 0, said.output
    found = read_table(tmp_path / "said.parquet")
    assert np.mean(found["reliable"]) > 0.9
    assert np.mean(found["in_domain"]) > 0.9
    # The main galaxy sample: most are heavier than 1e10 solar masses, and none is heavier than 1e12.5.
    heavy = np.percentile(found["log_mstar"], [5, 50, 100])
    assert 8.5 < heavy[0] < heavy[1] < heavy[2] < 12.5
    assert 10.3 < heavy[1] < 11.2
    # Red galaxies have stopped forming stars, blue ones have not.
    flux = np.asarray(every[ROWS]["MODELFLUX"])[found["ROW"]]
    red = -2.5 * np.log10(flux[:, 1] / flux[:, 3])
    quiet, busy = (
        found["log_ssfr"][red > np.percentile(red, 70)],
        found["log_ssfr"][red < np.percentile(red, 20)],
    )
    assert np.median(quiet) < -11.5 < -10.8 < np.median(busy)
