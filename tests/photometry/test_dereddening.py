"""Dust of the Milky Way is taken out once, and never without a word."""

from dataclasses import replace

import numpy as np
import pytest

from nebulium.errors import SpectrumError, TableError
from nebulium.photometry.curves import band_filters
from nebulium.photometry.dereddening import corrected, deredden, extinction_of_bands, known_extinction
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import BandColumns, CatalogueLayout
from nebulium.photoz.reading import check_dereddened_alike

R_GR = {"g": 3.303, "r": 2.285}


@pytest.fixture
def galaxies() -> PhotometricGalaxies:
    flux = np.array([[10.0, 20.0], [np.nan, -5.0], [1.0, 2.0]], np.float32)
    z = np.zeros(3, np.float32)
    ebv = np.array([0.0, 0.1, 0.5], np.float32)
    err = np.ones_like(flux)
    return PhotometricGalaxies(np.arange(3), ("g", "r"), flux, err, z, z, ebv, "a.fits", dereddened=False)


def test_fluxes_and_errors_are_brighter_by_the_extinction(galaxies):
    clean = deredden(galaxies, R_GR)
    expected = 10 ** (0.4 * np.outer([0.0, 0.1, 0.5], [3.303, 2.285]))
    np.testing.assert_allclose(clean.flux_err_njy, expected, rtol=1e-6)
    np.testing.assert_allclose(clean.flux_njy, galaxies.flux_njy * expected, rtol=1e-6)
    assert clean.dereddened
    assert galaxies.dereddened is False


def test_never_twice(galaxies):
    clean = deredden(galaxies, R_GR)
    with pytest.raises(TableError, match="is corrected for Galactic extinction already"):
        deredden(clean, R_GR)
    # Where nothing is to be done, nothing is.
    assert corrected(clean, R_GR) is clean


def test_never_without_a_word(galaxies):
    with pytest.raises(TableError, match="does not say whether .*--not-dereddened"):
        deredden(replace(galaxies, dereddened=None), R_GR)
    with pytest.raises(TableError, match="has no E.B-V."):
        deredden(replace(galaxies, ebv=None), R_GR)
    with pytest.raises(TableError, match="no extinction per E.B-V. for r"):
        deredden(galaxies, {"g": 3.3})


def test_extinction_of_sdss():
    """Schlafly & Finkbeiner 2011, table 6, R_V = 3.1: u, g, r, i, z."""
    pivot = np.asarray(band_filters(["sdss_u0", "sdss_g0", "sdss_r0", "sdss_i0", "sdss_z0"]).pivot_aa)
    np.testing.assert_allclose(extinction_of_bands(pivot), [4.239, 3.303, 2.285, 1.698, 1.263], rtol=0.04)


def layout(*bands: str, **told: object) -> CatalogueLayout:
    named = tuple(BandColumns(band, band, f"{band}_err") for band in bands)
    return CatalogueLayout(bands=named, **{"ebv": 0.1, "dereddened": False, **told})


def test_given_extinction_counts_first():
    found = known_extinction(layout("sdss_g0", "sdss_r0", extinction=(("sdss_g0", 3.303),)))
    assert found["sdss_g0"] == 3.303
    assert found["sdss_r0"] == pytest.approx(2.22, abs=0.01)
    assert known_extinction(layout("r", dereddened=True)) == {}
    assert known_extinction(layout("r", extinction=(("r", 2.3),))) == {"r": 2.3}


def test_a_band_of_unknown_wavelength():
    with pytest.raises(SpectrumError, match="--extinction BAND=NUMBER"):
        known_extinction(layout("r"))
    with pytest.raises(SpectrumError, match="filter r: is not known.*--filters TABLE"):
        band_filters(["r"])


def test_curves_from_a_table(nebulium_data):
    curves = nebulium_data / "hst" / "hdfn_filters.csv"
    filters = band_filters(["f814w", "f300w"], curves)
    np.testing.assert_allclose(filters.pivot_aa, [8002, 2991], rtol=0.01)
    with pytest.raises(TableError, match="has no curve of f999w; it has f300w, "):
        band_filters(["f999w"], curves)


@pytest.mark.parametrize(
    ("learned", "told", "message"),
    [
        (None, None, None),
        (None, True, None),
        (True, True, None),
        (False, False, None),
        (False, None, None),
        (True, None, "does not say"),
        (True, False, "is not corrected .* learned from are"),
        (False, True, "is corrected .* learned from are not"),
    ],
)
def test_models_and_catalogues_must_agree(galaxies, learned, told, message):
    given = replace(galaxies, dereddened=told)
    if message is None:
        check_dereddened_alike(given, learned)
    else:
        with pytest.raises(TableError, match=message):
            check_dereddened_alike(given, learned)
