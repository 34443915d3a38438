"""Fluxes, errors and inverse variances, each in its own unit; magnitudes as they are declared."""

import os

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from nebulium.errors import TableError
from nebulium.photometry.catalogue import read_photometry
from nebulium.photometry.layout import BandColumns, CatalogueLayout

#: More in `python -m benchmarks inputs`.
INPUTS = settings(max_examples=int(os.environ.get("NEBULIUM_INPUTS", "50")))
FLUX_NJY = np.array([100.0, 2000.0, -30.0, 40000.0])
ERROR_NJY = np.array([10.0, 20.0, 15.0, 400.0])
#: What one of a unit is in nJy.
NJY = {
    "nJy": 1.0,
    "uJy": 1e3,
    "Jy": 1e9,
    "nanomaggy": 3631.0,
    "nmgy": 3631.0,
    "erg/s/cm2/Hz": 1e32,
    "mJy": 1e6,
}
#: How surveys call the three, and the power of the unit.
NAMES = {
    1: ["flux_err_{}", "FLUXERR_{}", "e_{}", "SIGMA_{}", "{}_unc"],
    -2: ["FLUX_IVAR_{}", "{}_ivar", "INVVAR_{}", "flux_inverse_variance_{}", "psfFluxIvar_{}"],
    2: ["{}_variance", "FLUX_VAR_{}"],
}


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def catalogue(columns: dict[str, np.ndarray], units: dict[str, str | None]) -> str:
    """A FITS table of one band with its errors."""
    table = Table({"id": np.arange(len(FLUX_NJY)), **columns})
    hdu = fits.BinTableHDU(table)
    for place, column in enumerate(table.colnames, start=1):
        if units.get(column):
            hdu.header[f"TUNIT{place}"] = units[column]
    hdu.writeto("a.fits", overwrite=True)
    return "a.fits"


def read(value: str, error: str, band: str = "r", **told):
    layout = CatalogueLayout(bands=(BandColumns(band, value, error),), id_column="id", **told)
    galaxies = read_photometry("a.fits", layout)
    return galaxies.flux_njy[:, 0], galaxies.flux_err_njy[:, 0]


@INPUTS
@given(
    st.sampled_from(sorted(NJY)),
    st.sampled_from([None, *sorted(NJY)]),
    st.sampled_from([(power, name) for power, names in NAMES.items() for name in names]),
    st.sampled_from(["f4", "f8"]),
)
def test_each_column_counts_in_its_own_unit(unit, unit_of_error, name, dtype):
    power, column = name[0], name[1].format("R")
    of_error = NJY[unit_of_error or unit]
    values = {
        "FLUX_R": (FLUX_NJY / NJY[unit]).astype(dtype),
        column: ((ERROR_NJY / of_error) ** power).astype("f8"),
    }
    spelt = unit_of_error and {1: "{}", -2: "1/({})^2", 2: "({})^2"}[power].format(unit_of_error)
    if spelt and power != 1:
        simple = {"erg/s/cm2/Hz": {-2: "s2 cm4 Hz2 erg-2", 2: "erg2 s-2 cm-4 Hz-2"}[power]}
        spelt = simple.get(unit_of_error, f"{unit_of_error}**{power}")
    catalogue(values, {"FLUX_R": unit, column: spelt})
    flux, error = read("FLUX_R", column)
    np.testing.assert_allclose(flux, FLUX_NJY, rtol=1e-5)
    np.testing.assert_allclose(error, ERROR_NJY, rtol=1e-5)


def test_what_the_user_says_counts_for_both_columns():
    catalogue(
        {"f": FLUX_NJY / 3631.0, "f_ivar": (ERROR_NJY / 3631.0) ** -2.0}, {"f": "count", "f_ivar": None}
    )
    for told in ("nanomaggy", "22.5"):
        flux, error = read("f", "f_ivar", flux_unit=told)
        np.testing.assert_allclose(flux, FLUX_NJY, rtol=1e-4)
        np.testing.assert_allclose(error, ERROR_NJY, rtol=1e-4)


def test_an_inverse_variance_of_zero_is_no_measurement():
    catalogue({"f": FLUX_NJY, "ivar": np.array([0.01, 0.0, -1.0, np.nan])}, {"f": "nJy"})
    flux, error = read("f", "ivar")
    assert np.isnan(flux).tolist() == np.isnan(error).tolist() == [False, True, True, True]
    assert error[0] == 10.0


def test_units_that_contradict_names_or_options_are_refused():
    catalogue({"f": FLUX_NJY, "f_ivar": ERROR_NJY}, {"f": "uJy", "f_ivar": "uJy"})
    with pytest.raises(TableError, match=r"a\.fits, column f_ivar: is called ivar and declared in 'uJy'"):
        read("f", "f_ivar")
    with pytest.raises(TableError, match=r"column f: is declared in 'uJy'.*leave out --magnitudes"):
        read("f", "f_ivar", magnitudes=True)
    catalogue({"f": FLUX_NJY, "e": ERROR_NJY}, {"f": "uJy", "e": "Angstrom"})
    with pytest.raises(TableError, match=r"column e: has the unit 'Angstrom'.*--flux-unit for both"):
        read("f", "e")


@pytest.mark.parametrize("unit", ["mag(AB)", "ABmag", "AB"])
def test_magnitudes_are_known_by_their_unit(unit):
    catalogue(
        {"m": np.array([23.9, 22.9, 21.4, 30.0]), "m_err": np.full(4, 0.1)}, {"m": unit, "m_err": "mag"}
    )
    flux, error = read("m", "m_err")
    np.testing.assert_allclose(flux[:2], [1000.0, 2511.886], rtol=1e-5)
    np.testing.assert_allclose(error / flux, 0.0921034, rtol=1e-5)


def test_magnitudes_of_no_declared_system_are_asked_about():
    catalogue({"m": np.array([23.9, 22.9, 21.4, 30.0]), "m_err": np.full(4, 0.1)}, {"m": "mag"})
    with pytest.raises(TableError, match=r"column m: is declared in 'mag'.*say --magnitudes if they are AB"):
        read("m", "m_err")
    assert read("m", "m_err", magnitudes=True)[0][0] == pytest.approx(1000.0)


def test_fluxes_per_wavelength_go_by_the_pivot_of_the_band():
    # f_nu = f_lambda pivot^2 / c; the pivot of ACS F606W is 5919 AA.
    per_frequency = 5919.0**2 / 2.99792458e18 * 1e32
    catalogue({"f": np.full(4, 1e-19), "f_err": np.full(4, 1e-17)}, {"f": "erg/s/cm2/A", "f_err": "W/m2/um"})
    flux, error = read("f", "f_err", band="acs_wfc_f606w")
    np.testing.assert_allclose(flux, 1e-19 * per_frequency, rtol=1e-3)
    np.testing.assert_allclose(error, 1e-17 * 0.1 * per_frequency, rtol=1e-3)
    with pytest.raises(
        TableError, match=r"column f: has the unit .*per wavelength, which needs the curve of the band r"
    ):
        read("f", "f_err", band="r")
