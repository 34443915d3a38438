import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.sed import Galaxy, load_filters, load_ssp, observe, photometry, rest_spectrum
from nebulium.sed.igm import LYMAN_SERIES, STEPS_AA, igm_transmission, resolve_lyman_steps
from nebulium.sed.sfh import Exponential

# Transmission at these rest wavelengths by the class Inoue14 of eazy-py 0.8.7.
REST_AA = np.array([700.0, 850.0, 905.0, 935.0, 1000.0, 1100.0, 1200.0, 1220.0], np.float32)
EAZY = {
    2.0: [0.4384, 0.6566, 0.8181, 0.8891, 0.9016, 0.9085, 0.8762, 1.0],
    3.0: [0.1402, 0.3354, 0.5773, 0.7140, 0.7419, 0.7579, 0.6823, 1.0],
    4.0: [0.0155, 0.0945, 0.2980, 0.4654, 0.5067, 0.5315, 0.4183, 1.0],
    5.0: [0.0004, 0.0110, 0.0943, 0.2193, 0.2582, 0.2895, 0.1602, 1.0],
    6.0: [0.0000, 0.0001, 0.0088, 0.0465, 0.0681, 0.0709, 0.0140, 1.0],
}


@pytest.mark.parametrize("redshift", EAZY)
def test_transmission_is_that_of_another_implementation(redshift):
    found = igm_transmission(REST_AA * (1.0 + redshift), redshift)
    np.testing.assert_allclose(found, EAZY[redshift], atol=5e-4)


def test_the_columns_left_out_follow_from_those_kept():
    """Table 2: A_LAF,2, A_LAF,3 and A_DLA,2 of n = 2, 3, 10, 20 and 40, as the depth between pieces."""
    printed = {
        0: (2.354e-03, 1.026e-04, 5.390e-05),
        1: (6.536e-04, 2.849e-05, 5.151e-05),
        8: (3.960e-04 / 10, 1.726e-06, 4.448e-05),
        18: (9.062e-06, 3.950e-07, 3.949e-05),
        38: (2.103e-06, 9.169e-08, 3.339e-05),
    }
    for row, columns in printed.items():
        _, forest, damped = LYMAN_SERIES[row]
        derived = forest * 2.2**-2.5, forest * 2.2**-2.5 * 5.7**-1.8, damped / 3.0
        np.testing.assert_allclose(derived, columns, rtol=6e-4)


def printed_continuum_depth(x, redshift):
    """Equations 25 to 29 as printed, x = observed wavelength over 911.8 AA, beyond the limit."""
    z1 = 1.0 + redshift
    if redshift < 1.2:
        forest = 0.325 * (x**1.2 - z1**-0.9 * x**2.1)
    elif redshift < 4.7:
        lower = 2.55e-2 * z1**1.6 * x**2.1 + 0.325 * x**1.2 - 0.250 * x**2.1
        forest = np.where(x < 2.2, lower, 2.55e-2 * (z1**1.6 * x**2.1 - x**3.7))
    else:
        lower = 5.22e-4 * z1**3.4 * x**2.1 + 0.325 * x**1.2 - 3.14e-2 * x**2.1
        middle = 5.22e-4 * z1**3.4 * x**2.1 + 0.218 * x**2.1 - 2.55e-2 * x**3.7
        upper = 5.22e-4 * (z1**3.4 * x**2.1 - x**5.5)
        forest = np.where(x < 2.2, lower, np.where(x < 5.7, middle, upper))
    if redshift < 2.0:
        return forest + 0.211 * z1**2 - 7.66e-2 * z1**2.3 * x**-0.3 - 0.135 * x**2
    far = 4.70e-2 * z1**3 - 1.78e-2 * z1**3.3 * x**-0.3
    damped = np.where(x < 3.0, 0.634 + far - 0.135 * x**2 - 0.291 * x**-0.3, far - 2.92e-2 * x**3)
    return forest + damped


@pytest.mark.parametrize("redshift", [0.5, 1.1, 1.6, 2.5, 4.0, 5.5, 6.5])
def test_continuum_is_that_of_the_printed_equations(redshift):
    x = np.linspace(1.05, 0.999 * (1.0 + redshift), 500)
    # Observed between two lines, so that the series and the continuum can be told apart.
    wave = (911.8 * x).astype(np.float32)
    series = np.zeros_like(x)
    for line, forest, damped in LYMAN_SERIES:
        ratio = wave / line
        deep = np.where(
            ratio < 2.2, ratio**1.2, np.where(ratio < 5.7, 0.1393 * ratio**3.7, 6.07e-3 * ratio**5.5)
        )
        dla = np.where(ratio < 3.0, ratio**2, ratio**3 / 3.0)
        series += np.where(ratio > 1.0, forest * deep + damped * dla, 0.0)
    expected = np.exp(-series - printed_continuum_depth(x, redshift))
    np.testing.assert_allclose(igm_transmission(wave, redshift), expected, atol=4e-3)


transmission = jax.jit(igm_transmission)


@given(st.floats(0.0, 7.0), st.floats(100.0, 30000.0))
def test_transmission_is_a_share_and_falls_with_distance(redshift, wave):
    wave_aa = jnp.array([wave], jnp.float32)
    near, far = (float(transmission(wave_aa, jnp.float32(z))[0]) for z in (redshift, redshift + 0.3))
    assert 0.0 <= far <= near + 1e-5 <= 1.0 + 2e-5


def test_nothing_is_absorbed_at_rest_or_redwards_of_lyman_alpha():
    wave = jnp.asarray(np.geomspace(100.0, 20000.0, 400), jnp.float32)
    np.testing.assert_array_equal(igm_transmission(wave, 0.0), 1.0)
    red = igm_transmission(wave, 2.0)[np.asarray(wave) > 1215.68 * 3.0]
    np.testing.assert_array_equal(red, 1.0)


def test_gradients_are_finite_and_those_of_differences():
    wave = jnp.array([600.0, 3000.0, 3700.0, 4300.0, 4700.0, 9000.0])
    slope = jax.jacfwd(lambda z: igm_transmission(wave, z))(jnp.array(3.1))
    assert np.all(np.isfinite(slope))
    difference = (igm_transmission(wave, 3.11) - igm_transmission(wave, 3.09)) / 0.02
    np.testing.assert_allclose(slope, difference, atol=2e-3)
    assert np.all(np.isfinite(jax.jacfwd(lambda w: igm_transmission(w, 3.1))(wave)))


def test_resolved_steps_keep_the_templates_and_sharpen_the_break():
    """Magnitudes of a band that the break cuts, against the product on a grid of 0.5 AA."""
    coarse, finer = load_ssp(), resolve_lyman_steps(load_ssp())
    kept = np.isin(np.asarray(finer.wave_aa), np.asarray(coarse.wave_aa))
    assert kept.sum() == coarse.wave_aa.size
    assert finer.wave_aa.size == coarse.wave_aa.size + 2 * len(STEPS_AA)
    np.testing.assert_array_equal(np.asarray(finer.flux)[..., kept], coarse.flux)

    galaxy = Galaxy(Exponential(1.0, 1.0), 10.0, 4.2)
    bands = load_filters("acs_wfc_f606w", "sdss_r0")

    def magnitudes(rest_wave, lum):
        seen = observe(rest_wave, lum, 4.2)
        flux = seen.flux_lambda * igm_transmission(seen.wave_aa, 4.2)
        return np.asarray(photometry(seen.wave_aa, flux, bands).mag_ab)

    rest = rest_spectrum(galaxy, coarse)
    fine = jnp.asarray(np.arange(600.0, 8000.0, 0.5), jnp.float32)
    expected = magnitudes(fine, jnp.interp(fine, rest.wave_rest_aa, rest.lum_lsun_hz))
    resolved = rest_spectrum(galaxy, finer)
    np.testing.assert_allclose(magnitudes(resolved.wave_rest_aa, resolved.lum_lsun_hz), expected, atol=1e-3)
    blurred = magnitudes(rest.wave_rest_aa, rest.lum_lsun_hz)
    assert np.abs(blurred - expected).max() > 3e-3
