import os
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.sed import (
    CalzettiDust,
    DelayedExponential,
    Exponential,
    Galaxy,
    SalimDust,
    load_ssp,
    observe,
    rest_spectrum,
)
from nebulium.sed.dsps_adapter import metallicity_weights, surviving_fraction

SSP = load_ssp()


def galaxies(n: int) -> Galaxy:
    rng = np.random.default_rng(0)
    return Galaxy(
        DelayedExponential(rng.uniform(1, 12, n), rng.uniform(0.3, 5, n)),
        log_mstar=rng.uniform(9, 11, n),
        redshift=rng.uniform(0.01, 0.3, n),
        lgmet=rng.uniform(-2.5, -1.5, n),
        lgmet_scatter=np.full(n, 0.2),
        dust=SalimDust(rng.uniform(0, 1, n), np.full(n, -0.3), np.full(n, 1.0)),
    )


def run_python(code: str) -> str:
    """Run code in a fresh interpreter, where nothing has been imported or configured."""
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_spectrum_agrees_with_dsps_in_double_precision():
    """DSPS tabulates the history and interpolates; with a fine table and 64 bits the two must meet.

    Two conventions differ: DSPS leaves out stars younger than its first bin (with the shipped grid 120,000
    years, 5 % of the light at 912 AA), and where the spacing of the ages changes its bins do not end half
    way. So the ages here are even and begin at thirty years.
    """
    code = """
import jax, numpy as np, jax.numpy as jnp
from dsps import calc_rest_sed_sfh_table_lognormal_mdf as dsps_sed   # turns on 64 bits
from nebulium.sed import load_ssp
from nebulium.sed.cosmology import age_gyr
ssp = load_ssp()
even = np.linspace(-7.5, 1.1, 197)
t_obs = float(age_gyr(0.1))
for age, tau in ((8.0, 3.0), (5.0, 10.0), (10.0, 1.5)):
    lookback = np.concatenate([np.geomspace(t_obs - 0.011, 1e-9, 8000), [0.0]])
    t = t_obs - lookback
    since = np.clip(t - (t_obs - age), 0, None)
    sfr = since * np.exp(-since / tau)
    rest = dsps_sed(t, sfr, -1.9, 0.2, ssp.lgmet, even, ssp.flux, t_obs).rest_sed
    formed = np.trapezoid(sfr, t) * 1e9
    print(*(float(x) for x in np.asarray(rest / formed)))
"""
    reference = np.array([[float(x) for x in row.split()] for row in run_python(code).splitlines()])
    even = eqx.tree_at(lambda s: s.lg_age_gyr, SSP, jnp.linspace(-7.5, 1.1, 197))
    visible = np.asarray(SSP.wave_aa) > 1000
    for row, (age, tau) in zip(reference, ((8.0, 3.0), (5.0, 10.0), (10.0, 1.5)), strict=True):
        galaxy = Galaxy(DelayedExponential(age, tau), log_mstar=0.0, redshift=0.1, lgmet=-1.9)
        rest = rest_spectrum(galaxy, even)
        found = np.asarray(rest.lum_lsun_hz) / 10 ** float(rest.log_mformed)
        np.testing.assert_allclose(found[visible], row[visible], rtol=1e-3)


def test_one_equals_batch():
    many = galaxies(4)
    batch = jax.jit(jax.vmap(rest_spectrum, in_axes=(0, None)))(many, SSP)
    for i in range(4):
        one = rest_spectrum(jax.tree.map(lambda leaf, i=i: leaf[i], many), SSP)
        np.testing.assert_allclose(batch.lum_lsun_hz[i], one.lum_lsun_hz, rtol=2e-4)
        np.testing.assert_allclose(batch.log_mformed[i], one.log_mformed, rtol=1e-5)


def test_surviving_mass_is_what_is_left_of_the_mass_formed():
    """An old population of Chabrier's mass function keeps 0.55 to 0.6 of its mass."""
    old = rest_spectrum(Galaxy(Exponential(12.0, 0.1), log_mstar=10.0, redshift=0.01), SSP)
    assert 0.54 < 10 ** float(old.log_mstar - old.log_mformed) < 0.62
    young = rest_spectrum(Galaxy(Exponential(0.002, 1.0), log_mstar=10.0, redshift=0.01), SSP)
    assert 10 ** float(young.log_mstar - young.log_mformed) > 0.95
    older = SSP.lg_age_gyr[SSP.lg_age_gyr > -2]
    assert np.all(np.diff(surviving_fraction(older)) <= 0)


def test_light_is_in_proportion_to_mass():
    light, heavy = (
        rest_spectrum(Galaxy(Exponential(8.0, 3.0), log_mstar=m, redshift=0.1), SSP) for m in (9.0, 11.0)
    )
    np.testing.assert_allclose(heavy.lum_lsun_hz, 100.0 * light.lum_lsun_hz, rtol=1e-4)


def test_star_formation_rate_of_a_constant_history():
    rest = rest_spectrum(Galaxy(Exponential(10.0, 1e5), log_mstar=10.0, redshift=0.0), SSP)
    np.testing.assert_allclose(rest.log_sfr, rest.log_mformed - 10.0, atol=1e-3)


def test_ultraviolet_light_per_star_formation_rate_is_that_of_chabrier():
    """Madau & Dickinson 2014: 1.15e-28 Msun/yr per erg/s/Hz at 1500 AA for Salpeter, times 0.63."""
    constant = rest_spectrum(Galaxy(Exponential(0.3, 1e5), log_mstar=9.0, redshift=0.0), SSP)
    at_1500 = float(constant.lum_lsun_hz[np.searchsorted(SSP.wave_aa, 1500.0)]) * 3.828e33
    np.testing.assert_allclose(10 ** float(constant.log_sfr) / at_1500, 1.15e-28 * 0.63, rtol=0.15)


def test_dust_takes_its_magnitudes():
    clear, dusty = (
        rest_spectrum(Galaxy(Exponential(8.0, 3.0), 10.0, 0.1, dust=CalzettiDust(av)), SSP)
        for av in (0.0, 1.0)
    )
    expected = CalzettiDust(1.0).attenuation_mag(SSP.wave_aa)
    optical = np.asarray(SSP.wave_aa) > 2000
    lost = -2.5 * np.log10(np.asarray(dusty.lum_lsun_hz / clear.lum_lsun_hz)[optical])
    np.testing.assert_allclose(lost, np.asarray(expected)[optical], atol=1e-4)


@pytest.mark.parametrize("redshift", [0.0, 0.1, 2.0])
def test_observed_flux_against_the_formula_in_double_precision(redshift):
    from astropy import units as u
    from astropy.cosmology import FlatLambdaCDM

    wave, lum = np.array([4000.0, 5000.0, 7000.0], np.float32), np.array([2e-5, 3e-5, 4e-5], np.float32)
    seen = observe(jnp.asarray(wave), jnp.asarray(lum), redshift)
    away = FlatLambdaCDM(H0=70, Om0=0.3).luminosity_distance(redshift)
    distance = away if redshift > 0 else 10 * u.pc
    f_nu = lum.astype(float) * u.Lsun / u.Hz * (1 + redshift) / (4 * np.pi * distance**2)
    wave_aa = wave.astype(float) * (1 + redshift) * u.AA
    expected = f_nu.to("erg / (s cm2 AA)", u.spectral_density(wave_aa)).value * 1e17
    np.testing.assert_allclose(seen.wave_aa, wave_aa.value, rtol=1e-6)
    np.testing.assert_allclose(seen.flux_lambda, expected, rtol=2e-5)


def test_metallicity_weights_are_shares_around_the_mean():
    weights = metallicity_weights(jnp.float32(-1.7), jnp.float32(0.2), SSP.lgmet)
    np.testing.assert_allclose(weights.sum(), 1.0, rtol=1e-6)
    assert int(np.argmax(weights)) == 4
    assert weights.dtype == jnp.float32


CONFIGURATION_CODE = """
import jax
before = dict(jax.config.values)
{first}
from nebulium.sed import CalzettiDust, DelayedExponential, Galaxy, load_filters, load_ssp, observe, photometry
from nebulium.sed import rest_spectrum
ssp, filters = load_ssp(), load_filters("sdss_r0")
def magnitude(mass):
    galaxy = Galaxy(DelayedExponential(8.0, 2.0), mass, 0.1, dust=CalzettiDust(0.3))
    rest = rest_spectrum(galaxy, ssp)
    seen = observe(rest.wave_rest_aa, rest.lum_lsun_hz, galaxy.redshift)
    return photometry(seen.wave_aa, seen.flux_lambda, filters).mag_ab[0]
first = {call}
changed = {{k for k, v in jax.config.values.items() if before.get(k) != v}}
print(float(first), first.dtype, sorted(changed))
import jax.numpy as jnp
assert not isinstance(__import__("dsps").cosmology.TODAY, jax.core.Tracer)
"""


@pytest.mark.parametrize("call", ["magnitude(10.0)", "jax.jit(magnitude)(10.0)", "jax.grad(magnitude)(10.0)"])
def test_using_sed_leaves_the_configuration_of_jax_alone(call):
    """Also where DSPS is imported for the first time inside somebody's jit or grad."""
    output = run_python(CONFIGURATION_CODE.format(first="", call=call)).split(maxsplit=2)
    assert output[1:] == ["float32", "[]\n"]


def test_sed_works_where_the_user_has_64_bits_on():
    plain = run_python(CONFIGURATION_CODE.format(first="", call="jax.jit(magnitude)(10.0)"))
    wide = run_python(CONFIGURATION_CODE.format(first="import dsps", call="jax.jit(magnitude)(10.0)"))
    np.testing.assert_allclose(float(wide.split()[0]), float(plain.split()[0]), atol=1e-4)
    assert "jax_enable_x64" in wide
