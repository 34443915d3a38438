import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u
from astropy.cosmology import FlatLambdaCDM
from hypothesis import given
from hypothesis import strategies as st

from nebulium.lines.continuum.line_list import LINES, line_index
from nebulium.lines.injection.line_grid import COMPONENT_WAVES_AA, line_grid, pixel_edges
from nebulium.lines.injection.profiles import (
    LINE_CENTRES_AA,
    add_lines,
    component_fluxes,
    emission_lines,
    line_spectrum,
    lsf_sigma_from_resolving_power,
)
from nebulium.sed import load_ssp

EW = np.array([20.0, 4.0, 8.0, 5.0, 15.0, 6.0, 40.0, 18.0, 9.0, 7.0], np.float32)


def flux_of(wave, density):
    """Flux in a spectrum whose pixels end half way between their centres."""
    return float(np.sum(np.asarray(density, np.float64) * np.diff(np.asarray(pixel_edges(wave), np.float64))))


def only(line, value=1.0):
    return jnp.zeros(10).at[line_index(line)].set(value)


@given(
    line=st.sampled_from(LINES),
    redshift=st.floats(0.0, 1.0),
    steps=st.lists(st.floats(0.5, 300.0), min_size=40, max_size=40),
    velocity=st.floats(0.0, 500.0),
    lsf=st.floats(0.0, 20.0),
)
def test_flux_is_conserved_on_any_grid(line, redshift, steps, velocity, lsf):
    """Finer and coarser than the line, and both in one grid, about the line wherever it is."""
    centre = LINE_CENTRES_AA[line_index(line)] * (1 + redshift)
    widths = np.repeat(steps, 3)
    wave = np.cumsum(widths) - 0.5 * np.sum(widths) + centre
    wave = np.concatenate([wave[0] - [2000.0, 1000.0], wave, wave[-1] + [1000.0, 2000.0]])
    wave = jnp.asarray(np.sort(wave), jnp.float32)
    density = line_spectrum(
        wave, only(line, 7.0), redshift, velocity_dispersion_km_s=velocity, lsf_sigma_aa=lsf
    )
    np.testing.assert_allclose(flux_of(wave, density), 7.0, rtol=1e-3)


@pytest.mark.parametrize("redshift", [0.0, 0.1, 0.4])
def test_line_flux_is_the_equivalent_width_times_the_observed_continuum(redshift):
    wave = jnp.asarray(np.linspace(3000.0, 10500.0, 3000), jnp.float32)
    continuum = 2.0 + wave / 5000.0
    lines = emission_lines(wave, continuum, EW, redshift)
    at_lines = 2.0 + LINE_CENTRES_AA * (1 + redshift) / 5000.0
    np.testing.assert_allclose(lines.line_flux, EW * (1 + redshift) * at_lines, rtol=1e-5)
    added = add_lines(wave, continuum, jnp.asarray(EW), redshift) - continuum
    np.testing.assert_allclose(flux_of(wave, added), float(lines.line_flux.sum()), rtol=2e-4)


def test_equivalent_width_measured_in_the_rest_frame_is_the_one_put_in():
    """The definition, with the spectrum's own integral: EW = integral of (F - C) / C over rest wavelength."""
    redshift, wave = 0.25, jnp.asarray(np.arange(4000.0, 10000.0, 0.4), jnp.float32)
    continuum = jnp.full(wave.shape, 3.0)
    total = add_lines(wave, continuum, only("OIII_5007", 12.0), redshift, velocity_dispersion_km_s=150.0)
    contrast = np.asarray(total / continuum - 1.0, np.float64)
    np.testing.assert_allclose(np.trapezoid(contrast, np.asarray(wave, np.float64)) / 1.25, 12.0, rtol=1e-3)


def test_width_is_that_of_gas_and_instrument_together():
    wave = jnp.asarray(np.arange(6000.0, 9000.0, 0.2), jnp.float32)
    for lsf in (1.5, jnp.full(wave.shape, 1.5)):
        density = line_spectrum(wave, only("HALPHA"), 0.1, velocity_dispersion_km_s=120.0, lsf_sigma_aa=lsf)
        share, x = np.asarray(density, np.float64) * 0.2, np.asarray(wave, np.float64)
        centre = np.sum(share * x)
        expected = np.hypot(120.0 / 299792.458 * 6564.61 * 1.1, 1.5)
        np.testing.assert_allclose(centre, 6564.61 * 1.1, rtol=2e-6)
        np.testing.assert_allclose(np.sqrt(np.sum(share * (x - centre) ** 2)), expected, rtol=3e-3)


def test_resolving_power_is_wavelength_over_full_width():
    np.testing.assert_allclose(
        lsf_sigma_from_resolving_power(jnp.array([6000.0]), 2000.0),
        3.0 / (2 * np.sqrt(2 * np.log(2))),
        rtol=1e-6,
    )


@pytest.mark.parametrize("ratio", [0.35, 1.3, 1.45])
def test_oii_is_two_lines_in_the_ratio_given(ratio):
    wave = jnp.asarray(np.arange(3700.0, 3760.0, 0.1), jnp.float32)
    density = np.asarray(
        line_spectrum(wave, only("OII_DOUBLET"), 0.0, velocity_dispersion_km_s=20.0, oii_ratio=ratio)
    )
    red = np.asarray(wave) > 0.5 * (3727.092 + 3729.875)
    np.testing.assert_allclose(density[red].sum() / density[~red].sum(), ratio, rtol=2e-3)
    np.testing.assert_allclose(density.sum() * 0.1, 1.0, rtol=1e-3)
    assert component_fluxes(jnp.ones(10)).shape == COMPONENT_WAVES_AA.shape == (11,)


def test_missing_negative_and_unseen_lines():
    wave = jnp.asarray(np.arange(4500.0, 7000.0, 1.0), jnp.float32)
    continuum = jnp.ones(wave.shape)
    missing = add_lines(wave, continuum, jnp.full(10, jnp.nan), 0.0)
    np.testing.assert_array_equal(missing, continuum)
    absorbed = add_lines(wave, continuum, only("HBETA", -3.0), 0.0)
    np.testing.assert_allclose(flux_of(wave, absorbed - continuum), -3.0, rtol=1e-3)
    lines = emission_lines(wave, continuum, jnp.asarray(EW), 0.0)
    np.testing.assert_array_equal(np.isnan(lines.line_flux)[:3], [True, True, False])
    assert np.isnan(emission_lines(wave, continuum, only("HBETA", -3.0), 0.0)["HBETA"].log_luminosity)


def test_a_gap_stays_a_gap_and_its_line_is_missing():
    wave = jnp.asarray(np.arange(4500.0, 7000.0, 1.0), jnp.float32)
    continuum = jnp.where(jnp.abs(wave - 4862.7) < 30.0, jnp.nan, 1.0)
    total = add_lines(wave, continuum, jnp.asarray(EW), 0.0)
    np.testing.assert_array_equal(np.isnan(total), np.isnan(continuum))
    lines = emission_lines(wave, continuum, jnp.asarray(EW), 0.0)
    assert np.isnan(lines["HBETA"].line_flux)
    assert float(lines["HALPHA"].line_flux) == pytest.approx(40.0)


def test_continuum_of_a_noisy_spectrum_is_its_mean_near_the_line():
    rng = np.random.default_rng(1)
    wave = jnp.asarray(np.arange(3600.0, 9800.0, 0.8), jnp.float32)
    noisy = jnp.asarray(5.0 + rng.normal(0, 2, wave.size), jnp.float32).at[::7].set(jnp.nan)
    lines = emission_lines(wave, noisy, jnp.ones(10), 0.2, continuum_half_width_aa=20.0)
    np.testing.assert_allclose(lines.line_flux / 1.2, 5.0, atol=1.2)
    assert np.std(np.asarray(lines.line_flux)) < 0.8
    straight = emission_lines(wave, 2.0 + wave / 5000.0, jnp.ones(10), 0.2, continuum_half_width_aa=20.0)
    at_line = emission_lines(wave, 2.0 + wave / 5000.0, jnp.ones(10), 0.2)
    np.testing.assert_allclose(straight.line_flux, at_line.line_flux, rtol=1e-4)


def test_luminosity_against_astropy():
    wave = jnp.asarray(np.arange(3600.0, 9800.0, 0.8), jnp.float32)
    line = emission_lines(wave, jnp.full(wave.shape, 4.0), jnp.asarray(EW), 0.2)["HALPHA"]
    distance = FlatLambdaCDM(H0=70, Om0=0.3).luminosity_distance(0.2)
    flux = 40.0 * 1.2 * 4.0 * 1e-17 * u.erg / u.s / u.cm**2
    expected = np.log10((flux * 4 * np.pi * distance**2).to_value("erg/s"))
    assert (line.name, float(line.ew_aa)) == ("HALPHA", 40.0)
    np.testing.assert_allclose(line.log_luminosity, expected, atol=1e-4)
    at_ten_parsec = emission_lines(wave, jnp.full(wave.shape, 4.0), jnp.asarray(EW), 0.0)["HALPHA"]
    np.testing.assert_allclose(
        10 ** float(at_ten_parsec.log_luminosity), 160e-17 * 4 * np.pi * (3.0857e19) ** 2, rtol=1e-3
    )


def test_an_unknown_line_is_named_with_those_known():
    lines = emission_lines(jnp.array([3000.0, 9000.0]), jnp.ones(2), jnp.asarray(EW), 0.0)
    with pytest.raises(KeyError, match="HELIUM.*HALPHA"):
        lines["HELIUM"]


def test_fine_grid_keeps_the_coarse_and_shows_each_line():
    coarse = np.asarray(load_ssp().wave_aa)
    fine = line_grid(coarse)
    assert set(coarse) <= set(fine)
    assert np.all(np.diff(fine) > 0.2)
    for centre in COMPONENT_WAVES_AA:
        near = fine[np.abs(fine / centre - 1) < 400 / 299792.458]
        assert np.diff(near).max() < 1.5 * 60 / 299792.458 * centre
    # The continuum as drawn on it is the same, and the lines are whole.
    density = line_spectrum(jnp.asarray(fine), jnp.asarray(EW), 0.0)
    np.testing.assert_allclose(flux_of(jnp.asarray(fine), density), EW.sum(), rtol=1e-3)


def test_gradients_are_finite_also_where_lines_are_missing():
    wave = jnp.asarray(np.arange(4500.0, 7000.0, 1.0), jnp.float32)
    ew = jnp.asarray(EW).at[4].set(jnp.nan)

    def total(z, velocity, continuum):
        return jnp.sum(add_lines(wave, continuum, ew, z, velocity_dispersion_km_s=velocity) ** 2)

    for gradient in jax.grad(total, argnums=(0, 1, 2))(0.05, 0.0, jnp.ones(wave.shape)):
        assert np.all(np.isfinite(gradient))
    by_ew = jax.grad(lambda e: jnp.nansum(emission_lines(wave, jnp.ones(wave.shape), e, 0.05).log_luminosity))
    assert np.all(np.isfinite(np.delete(np.asarray(by_ew(ew)), 4)))


def test_one_equals_batch():
    wave = jnp.asarray(np.arange(3600.0, 9800.0, 2.0), jnp.float32)
    redshifts, ews = jnp.array([0.05, 0.2]), jnp.stack([jnp.asarray(EW), 2 * jnp.asarray(EW)])
    batch = jax.jit(jax.vmap(lambda e, z: add_lines(wave, jnp.ones(wave.shape), e, z)))(ews, redshifts)
    for row, ew, z in zip(batch, ews, redshifts, strict=True):
        np.testing.assert_allclose(row, add_lines(wave, jnp.ones(wave.shape), ew, z), rtol=1e-4, atol=1e-4)
