"""Zero points and errors of bands from known redshifts, and the light of gas in templates."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from nebulium.errors import TableError
from nebulium.nn.mapping import map_galaxies
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.predict import predict_galaxies
from nebulium.photoz.templates.adjustment import (
    Adjustment,
    TemplateSettings,
    adjusted,
    fit_adjustment,
    fitted_templates,
    middle,
)
from nebulium.photoz.templates.gas import continuum_over_hbeta
from nebulium.photoz.templates.grid import TemplateConfig, correction, template_errors
from nebulium.photoz.templates.model import TemplateModel
from nebulium.sed.filters import FilterCurve, make_filters

EDGES = ((3200, 4000), (4200, 5400), (5600, 7000), (7100, 8900), (11000, 13500), (15000, 18000))
BANDS = tuple(f"band{place}" for place in range(len(EDGES)))
FILTERS = make_filters(
    [FilterCurve(name, np.array(ends, float), np.ones(2)) for name, ends in zip(BANDS, EDGES, strict=True)]
)
CONFIG = TemplateConfig(
    ages_gyr=(0.1, 1.0, 5.0),
    ages_over_tau=(0.3, 3.0, 12.0),
    lgmet=(-1.7,),
    dust_slopes=(0.0,),
    av_mag=(0.0, 1.0),
    templates=18,
)
SETTINGS = TemplateSettings(grid_most=2.0, grid_bins=40)
GRID = RedshiftGrid(2.0, 40)
NONE = {"zero_points": False, "band_errors": False}
#: Of the catalogue, mag: what a fit has to take away.
OFF_MAG = np.array([0.2, -0.1, 0.0, 0.05, -0.25, 0.1])


@cache
def model() -> TemplateModel:
    return fitted_templates(BANDS, FILTERS, SETTINGS, nobody(), config=CONFIG, **NONE)[0]


def nobody() -> PhotometricGalaxies:
    none = np.zeros((0, len(BANDS)), np.float32)
    empty = np.zeros(0, np.float32)
    return PhotometricGalaxies(np.zeros(0, np.int64), BANDS, none, none, empty, empty, None, "nobody")


def errors() -> np.ndarray:
    return template_errors(FILTERS, GRID, TemplateConfig(systematic_error=0.0))


def made(n: int, off_mag: np.ndarray = OFF_MAG, scatter: float = 0.0) -> PhotometricGalaxies:
    """Galaxies that are templates, in a catalogue whose zero points are off."""
    rng = np.random.default_rng(2)
    bins = rng.integers(2, 30, n)
    which = [rng.choice(np.flatnonzero(np.isfinite(np.asarray(model().log_share[one])))) for one in bins]
    true = 1e4 * np.asarray(model().flux)[bins, :, which]
    flux = true * 10.0 ** (-0.4 * off_mag) * np.exp(scatter * rng.normal(size=true.shape))
    err = 0.01 * flux
    flux, err = (one.astype(np.float32) for one in (flux + err * rng.normal(size=flux.shape), err))
    redshift = GRID.centres[bins].astype(np.float32)
    return PhotometricGalaxies(np.arange(n), BANDS, flux, err, redshift, 0 * redshift, None, "made")


def test_zero_points_that_are_off_are_found():
    found = fit_adjustment(model(), made(150), errors(), start=Adjustment((0.0,) * 6), band_errors=False)
    np.testing.assert_allclose(found.zero_point_mag, -(OFF_MAG - OFF_MAG.mean()), atol=0.03)
    assert found.error is None


def test_without_redshifts_zero_points_and_redshifts_get_better():
    galaxies = made(150)
    known = galaxies.redshift.astype(float)
    unknown = replace(galaxies, redshift=np.full(150, np.nan, np.float32))
    fitted, change = fitted_templates(
        BANDS, FILTERS, SETTINGS, nobody(), unlabelled=unknown, config=CONFIG, **NONE
    )
    off = OFF_MAG - OFF_MAG.mean()
    assert np.std(change.zero_point_mag + off) < 0.5 * np.std(off)
    assert change.error is not None
    before, after = (
        np.median(np.abs(predict_galaxies(one, galaxies).densities.median() - known) / (1 + known))
        for one in (model(), fitted)
    )
    assert after < 0.5 * before


@pytest.mark.parametrize(
    ("settings", "count"),
    [(SETTINGS, 99), (TemplateSettings(2.0, 40, zero_points="none", band_errors="none"), 120)],
    ids=["too few", "none"],
)
def test_nothing_is_fitted_without_redshifts_where_that_cannot_be_or_is_not_wanted(settings, count):
    _, change = fitted_templates(
        BANDS, FILTERS, settings, nobody(), unlabelled=made(count), config=CONFIG, **NONE
    )
    assert change == Adjustment((0.0,) * 6)


def test_errors_grow_with_the_scatter_that_nobody_quoted():
    start = Adjustment((0.0,) * 6)
    small, large = (
        fit_adjustment(model(), made(150, 0 * OFF_MAG, one), errors(), start=start, zero_points=False)
        for one in (0.0, 0.1)
    )
    assert small.zero_point_mag == large.zero_point_mag == (0.0,) * 6
    assert np.mean(large.error) > np.mean(small.error) + 0.02


def test_an_adjusted_template_sees_a_catalogue_that_is_off_as_the_other_sees_the_right_one():
    right, off = made(5, 0 * OFF_MAG), made(5)
    change = adjusted(model(), Adjustment(tuple(-OFF_MAG)), errors())
    one = map_galaxies(lambda f, e: model()(f, e).mass, right.flux_njy, right.flux_err_njy)
    other = map_galaxies(lambda f, e: change(f, e).mass, off.flux_njy, off.flux_err_njy)
    np.testing.assert_allclose(one, other, atol=2e-3)


def test_expected_fluxes_are_those_of_a_template_at_its_redshift():
    galaxies = made(20, 0 * OFF_MAG)
    found = map_galaxies(model().expected, galaxies.flux_njy, galaxies.flux_err_njy, galaxies.redshift)
    np.testing.assert_allclose(np.median(found / galaxies.flux_njy, axis=0), 1.0, atol=0.02)


def test_numbers_that_are_given_are_taken():
    given = TemplateSettings(2.0, 40, zero_points="band1=-0.1, band3=0.02", band_errors="band0=0.2")
    found, change = fitted_templates(BANDS, FILTERS, given, nobody(), config=CONFIG, **NONE)
    assert change.zero_point_mag == (0.0, -0.1, 0.0, 0.02, 0.0, 0.0)
    assert change.error == (0.2, *[CONFIG.systematic_error] * 5)
    ratio = np.asarray(found.flux / model().flux)
    np.testing.assert_allclose(ratio[0, :, 0], 10.0 ** (0.4 * np.array(change.zero_point_mag)), rtol=1e-5)
    assert change.as_dict(BANDS)["error"]["band0"] == 0.2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"zero_points": "u"}, "expected BAND=NUMBER"),
        ({"zero_points": "u=nan"}, "expected BAND=NUMBER"),
        ({"band_errors": "fitted"}, "--band-errors 'fitted': expected BAND=NUMBER"),
        ({"band_errors": "u=-0.1"}, "expected a fraction of the flux"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, message):
    with pytest.raises(TableError, match=message):
        TemplateSettings(**given)


def test_bands_and_galaxies_that_are_not_there_are_refused():
    unknown = TemplateSettings(2.0, 40, zero_points="u=0.1")
    with pytest.raises(TableError, match="band u: is not there; there are band0"):
        fitted_templates(BANDS, FILTERS, unknown, nobody(), config=CONFIG, **NONE)
    with pytest.raises(TableError, match="50 are needed"):
        fitted_templates(BANDS, FILTERS, SETTINGS, made(20), zero_points=True, band_errors=False)


def test_fits_where_redshifts_are_enough():
    settings = TemplateSettings(zero_points="fit", band_errors="none")
    assert settings.fits("zero_points", 3)
    assert not settings.fits("band_errors", 1000)
    assert [TemplateSettings().fits("zero_points", n) for n in (49, 50)] == [False, True]


def test_a_band_with_few_galaxies_is_left():
    few = np.r_[np.full(19, 0.3), np.full(81, np.nan)]
    assert middle(few) == 0.0
    assert middle(np.full(20, 0.3)) == pytest.approx(0.3)


def test_galaxies_without_a_measured_flux_change_nothing():
    galaxies = made(60)
    blank = replace(galaxies, flux_njy=np.full_like(galaxies.flux_njy, np.nan))
    start = Adjustment((0.0,) * 6)
    assert fit_adjustment(model(), blank, errors(), start=start) == start


def test_the_continuum_of_gas_is_that_of_the_books():
    """Per AA over Hbeta: step at the Balmer limit, and equivalent width of Hbeta over gas alone."""
    wave = np.array([3640.0, 3660.0, 4861.0, 8190.0, 8220.0])
    per_aa = continuum_over_hbeta(wave) * 2.99792458e18 / wave**2
    # Osterbrock & Ferland 2006, table 4.7: emission of hydrogen on both sides of 3646 AA at 10,000 K.
    assert per_aa[0] - per_aa[1] == pytest.approx(5.6e-3, rel=0.1)
    assert 900 < 1.0 / per_aa[2] < 1500
    assert per_aa[3] > per_aa[4]


def test_the_correction_is_small_and_ends_at_both_ends():
    wave = np.geomspace(500.0, 50000.0, 300)[:, None]
    found = correction(wave)
    assert np.all((found > 0.85) & (found < 1.15))
    np.testing.assert_array_equal(found[(wave < 1500) | (wave > 25000)], 1.0)
