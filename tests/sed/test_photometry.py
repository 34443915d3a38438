import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sedpy.observate import Filter

from nebulium.data.spectra.spectrum_set import vacuum_from_air
from nebulium.errors import SpectrumError
from nebulium.sed import (
    FilterCurve,
    list_filters,
    load_filters,
    load_ssp,
    make_filters,
    photometry,
    read_filter,
)
from nebulium.sed.band_fluxes import covers, line_njy_per_flux, mean_flux_njy

NAMES = (
    *(f"sdss_{band}0" for band in "ugriz"),
    *(f"decam_{band}" for band in "grz"),
    *(f"panstarrs_{band}" for band in "grizy"),
    *(f"lsst_baseline_{band}" for band in "ugrizy"),
    *("acs_wfc_f606w", "acs_wfc_f814w", "wfc3_ir_f125w", "wfc3_ir_f160w", "wfc3_uvis_f275w"),
    *("roman_wfi_f087", "roman_wfi_f129"),
)
FILTERS = load_filters(*NAMES)
SSP = load_ssp()
FLAT_AB = 1e17 * 3631e-23 * 2.99792458e18  # over wavelength^2: AB magnitude 0


def reference_magnitude(name, wave, flux_lambda):
    """AB magnitude by the trapezoidal rule in double precision on both grids together."""
    curve = Filter(name)
    inside = wave[(wave > curve.wavelength[0]) & (wave < curve.wavelength[-1])]
    dense = np.linspace(curve.wavelength[0], curve.wavelength[-1], 20001)
    grid = np.unique(np.concatenate([inside, dense, curve.wavelength]))
    response = np.interp(grid, curve.wavelength, curve.transmission)
    photons = np.trapezoid(np.interp(grid, wave, flux_lambda) * response * grid, grid)
    f_nu = 1e-17 * photons / np.trapezoid(response / grid, grid) / 2.99792458e18
    return -2.5 * np.log10(f_nu) - 48.60


@pytest.mark.parametrize(
    ("metal", "age", "redshift"), [(0, 5, 0.0), (4, 40, 0.1), (4, 100, 0.3), (5, 150, 0.2), (2, 190, 0.6)]
)
def test_magnitudes_of_templates_within_a_millimagnitude(metal, age, redshift):
    wave = np.asarray(SSP.wave_aa, np.float64) * (1 + redshift)
    flux = np.asarray(SSP.flux[metal, age], np.float64) / wave**2 * 1e25
    found = photometry(jnp.asarray(wave, jnp.float32), jnp.asarray(flux, jnp.float32), FILTERS)
    expected = np.array([reference_magnitude(name, wave, flux) for name in NAMES])
    covered = np.asarray(found.covered)
    assert covered.sum() >= len(NAMES) - 1
    np.testing.assert_allclose(np.asarray(found.mag_ab)[covered], expected[covered], atol=1e-3)


@pytest.mark.parametrize("centre", [4100.0, 5500.0, 6210.0, 6907.0, 8200.0])
def test_a_narrow_line_counts_wherever_it_falls(centre):
    """A line 5 AA wide of 100 AA equivalent width, also where filters rise and fall."""
    wave = np.arange(2500.0, 20000.0, 0.5)
    flux = 1.0 + 20.0 * np.exp(-0.5 * ((wave - centre) / 2.0) ** 2)
    found = np.asarray(
        photometry(jnp.asarray(wave, jnp.float32), jnp.asarray(flux, jnp.float32), FILTERS).mag_ab
    )
    covered = np.isfinite(found)
    expected = np.array([reference_magnitude(name, wave, flux) for name in NAMES])
    np.testing.assert_allclose(found[covered], expected[covered], atol=2e-3)


def test_flat_spectrum_of_3631_jy_has_magnitude_zero():
    wave = jnp.asarray(np.geomspace(900.0, 30000.0, 3000), jnp.float32)
    seen = photometry(wave, FLAT_AB / wave**2, FILTERS)
    np.testing.assert_allclose(seen.mag_ab, 0.0, atol=1e-3)
    np.testing.assert_allclose(seen.flux_njy, 3631e9, rtol=1e-3)
    assert bool(seen.covered.all())


def test_a_filter_beyond_the_spectrum_is_missing_and_flagged():
    wave = jnp.asarray(np.linspace(5000.0, 9000.0, 500), jnp.float32)
    seen = photometry(wave, jnp.ones(500), load_filters("sdss_g0", "sdss_r0", "sdss_z0"))
    np.testing.assert_array_equal(seen.covered, [False, True, False])
    np.testing.assert_array_equal(np.isnan(seen.mag_ab), [True, False, True])
    np.testing.assert_array_equal(np.isnan(seen.flux_njy), [True, False, True])


def test_a_gap_flags_only_the_filters_that_it_touches():
    wave = jnp.asarray(np.linspace(3000.0, 12000.0, 2000), jnp.float32)
    flux = jnp.where((wave > 6000) & (wave < 6100), jnp.nan, 1.0)
    bands = load_filters("sdss_g0", "sdss_r0", "sdss_z0")
    np.testing.assert_array_equal(covers(wave, flux, bands), [True, False, True])
    assert np.isfinite(photometry(wave, flux, bands).mag_ab[2])


def test_flux_that_is_not_positive_has_no_magnitude_and_a_finite_gradient():
    wave = jnp.asarray(np.linspace(3000.0, 11000.0, 500), jnp.float32)
    bands = load_filters("sdss_r0")
    assert np.isnan(photometry(wave, jnp.zeros(500), bands).mag_ab[0])
    gradient = jax.grad(lambda f: jnp.nansum(photometry(wave, f, bands).mag_ab))(jnp.zeros(500))
    assert np.all(np.isfinite(gradient))


@given(st.floats(-3.0, 3.0), st.floats(0.1, 100.0))
def test_magnitudes_are_logarithms_of_flux(slope, factor):
    wave = jnp.asarray(np.linspace(3000.0, 12000.0, 700), jnp.float32)
    bands = load_filters("sdss_g0", "sdss_i0")
    flux = (wave / 6000.0) ** jnp.float32(slope)
    faint, bright = (photometry(wave, flux * jnp.float32(f), bands).mag_ab for f in (1.0, factor))
    np.testing.assert_allclose(faint - bright, 2.5 * np.log10(factor), atol=2e-4)


def test_one_equals_batch():
    wave = jnp.asarray(np.linspace(3000.0, 11000.0, 500), jnp.float32)
    fluxes = jnp.stack([wave / 6000.0, 6000.0 / wave])
    bands = load_filters("sdss_g0", "sdss_r0")
    batch = jax.vmap(lambda f: photometry(wave, f, bands).mag_ab)(fluxes)
    for row, flux in zip(batch, fluxes, strict=True):
        np.testing.assert_allclose(row, photometry(wave, flux, bands).mag_ab, atol=1e-5)


@pytest.mark.parametrize("line", [4500.0, 6200.0, 6800.0, 7500.0])
def test_light_of_one_wavelength_is_a_line_integrated(line):
    wave = jnp.asarray(np.arange(3000.0, 11500.0, 0.5), jnp.float32)
    profile = jnp.exp(-0.5 * ((wave - line) / 2.0) ** 2) / (2.0 * np.sqrt(2 * np.pi))
    bands = load_filters("sdss_g0", "sdss_r0", "sdss_i0")
    integrated = mean_flux_njy(wave, profile, bands)
    direct = line_njy_per_flux(jnp.array([line]), bands)[:, 0]
    np.testing.assert_allclose(direct, integrated, rtol=0.02, atol=0.02)


def test_names_are_listed_and_misspelt_ones_corrected():
    assert set(NAMES) <= set(list_filters())
    with pytest.raises(SpectrumError, match="similar: .*sdss_r0"):
        load_filters("sdss_r")
    with pytest.raises(SpectrumError, match="none were given"):
        load_filters()


def test_a_file_of_ones_own_equals_the_curve_in_memory(tmp_path):
    curve = Filter("sdss_r0")
    path = tmp_path / "mine.csv"
    rows = zip(curve.wavelength.tolist(), curve.transmission.tolist(), strict=True)
    path.write_text("wavelength,transmission\n" + "\n".join(f"{w},{t}" for w, t in rows))
    mine, named = load_filters(path), load_filters("sdss_r0")
    assert mine.names == ("mine",)
    np.testing.assert_allclose(mine.edges_aa, named.edges_aa, rtol=1e-6)
    np.testing.assert_allclose(mine.response, named.response, rtol=1e-4, atol=1e-9)
    assert read_filter(path, name="r").name == "r"


WAVE, BOX = np.array([4000.0, 4500.0, 5000.0]), np.array([1.0, 1.0, 1.0])
FAULTS = {
    "multiply nanometres": FilterCurve("x", WAVE / 10, BOX),
    "do not increase": FilterCurve("x", WAVE[::-1], BOX),
    "not finite": FilterCurve("x", WAVE, BOX * np.nan),
    "transmission from": FilterCurve("x", WAVE, -BOX),
    "3 wavelengths and 2": FilterCurve("x", WAVE, BOX[:2]),
}


def test_filters_of_euclid_by_name():
    """Pivot wavelengths of Y, J and H: Schirmer et al. 2022, A&A 662, A92, to the quarter per cent."""
    names = ("euclid_y", "euclid_j", "euclid_h")
    assert {"euclid_vis", *names} == set(list_filters("euclid"))
    np.testing.assert_allclose(load_filters(*names).pivot_aa, [10809.0, 13673.0, 17714.0], rtol=3e-3)
    assert 7000 < load_filters("euclid_vis").pivot_aa[0] < 7300


def test_a_curve_in_air_is_moved_to_vacuum(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("1000 0\n6562.79 1\n8000 0\n")
    np.testing.assert_allclose(read_filter(path, in_air=True).wave_aa[:2], [1000.0, 6564.60], atol=0.02)
    np.testing.assert_array_equal(read_filter(path).wave_aa, [1000.0, 6562.79, 8000.0])


def test_air_taken_for_vacuum_changes_magnitudes_by_millimagnitudes():
    """The statement in the module: what it would cost if a named curve were in air."""
    names = [f"{survey}_{band}" for survey in ("decam", "panstarrs") for band in "griz"]
    names += [f"sdss_{band}0" for band in "griz"]
    curves = [FilterCurve(name, Filter(name).wavelength, Filter(name).transmission) for name in names]
    moved = [FilterCurve(c.name, vacuum_from_air(c.wave_aa), c.transmission) for c in curves]
    for age, redshift in ((40, 0.1), (190, 0.05), (190, 0.3)):
        wave = SSP.wave_aa * (1.0 + redshift)
        flux = 1e25 * SSP.flux[4, age] / wave**2
        difference = (
            photometry(wave, flux, make_filters(moved)).mag_ab
            - photometry(wave, flux, make_filters(curves)).mag_ab
        )
        assert 0 < np.abs(difference).max() < 4e-3


@pytest.mark.parametrize("message", FAULTS)
def test_faulty_curves_are_explained(message):
    with pytest.raises(SpectrumError, match=message):
        make_filters([FAULTS[message]])


def test_a_file_without_two_columns(tmp_path):
    (tmp_path / "one.txt").write_text("# wavelength\n4000\n5000\n")
    with pytest.raises(SpectrumError, match="no two columns"):
        load_filters(tmp_path / "one.txt")
    with pytest.raises(SpectrumError, match="cannot be read"):
        load_filters(tmp_path / "none.txt")
