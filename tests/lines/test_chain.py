import os
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.errors import NebuliumError
from nebulium.lines.chain import SampledLines, make_chain, synthesise
from nebulium.lines.continuum.bins import continuum_bins
from nebulium.lines.injection.profiles import line_spectrum
from nebulium.sed import (
    Burst,
    CalzettiDust,
    DelayedExponential,
    Exponential,
    Galaxy,
    SalimDust,
    TwoComponents,
    load_filters,
    load_ssp,
    photometry,
)

UGRIZ = tuple(f"sdss_{band}0" for band in "ugriz")


def bluer_is_stronger(continuum_flux, redshift):
    """A smooth line model: equivalent widths that grow with the blue-to-red ratio of the continuum."""
    return 10.0 * jnp.arange(1.0, 11.0) * continuum_flux[1] / continuum_flux[10] * (1.0 + 0.1 * redshift)


def some_galaxies(n: int) -> Galaxy:
    rng = np.random.default_rng(3)
    return Galaxy(
        DelayedExponential(rng.uniform(1, 12, n), rng.uniform(0.3, 5, n)),
        log_mstar=rng.uniform(9, 11, n),
        redshift=rng.uniform(0.01, 0.3, n),
        lgmet=rng.uniform(-2.5, -1.5, n),
        lgmet_scatter=np.full(n, 0.2),
        dust=SalimDust(rng.uniform(0, 1, n), np.full(n, -0.3), np.full(n, 1.0)),
    )


def one(galaxies: Galaxy, i: int) -> Galaxy:
    return jax.tree.map(lambda leaf: leaf[i], galaxies)


seen_by = eqx.filter_jit(lambda chain, galaxy, log_aperture: chain(galaxy, log_aperture=log_aperture))


# Compiled once: called as they are, each of their operations would be compiled by itself.
bins_of = jax.jit(continuum_bins)
lines_of = jax.jit(line_spectrum)
seen_through = eqx.filter_jit(photometry)


@pytest.fixture(scope="module")
def chain():
    return make_chain(load_ssp(), load_filters(*UGRIZ), bluer_is_stronger)


@pytest.fixture(scope="module")
def galaxies() -> Galaxy:
    return some_galaxies(7)


@pytest.fixture(scope="module")
def many(chain, galaxies):
    return synthesise(chain, galaxies, log_aperture=-0.4)


def test_bins_are_those_of_the_features(galaxies, many):
    for i in range(7):
        wave, flux = many.stars.wave_aa[i], many.stars.flux_lambda[i]
        expected = bins_of(wave, flux, jnp.ones_like(flux), galaxies.redshift[i]).continuum_flux
        np.testing.assert_allclose(many.continuum_flux[i], expected * 10**-0.4, rtol=2e-3)


def test_lines_are_the_model_on_the_whole_galaxy(galaxies, many):
    for i in range(7):
        z = galaxies.redshift[i]
        ew = bluer_is_stronger(many.continuum_flux[i], z)
        np.testing.assert_allclose(many.lines.ew_aa[i], ew, rtol=1e-5)
        centre = 6564.61 * (1 + z)
        continuum = np.interp(centre, many.stars.wave_aa[i], many.stars.flux_lambda[i])
        line = one(many.lines, i)["HALPHA"]
        np.testing.assert_allclose(line.line_flux, ew[6] * (1 + z) * continuum, rtol=1e-4)


def test_the_aperture_dims_what_the_model_sees_and_nothing_else(chain, galaxies):
    galaxy = one(galaxies, 0)
    brighter = eqx.tree_at(lambda c: c.line_model, chain, lambda flux, z: jnp.full(10, 1.0) * flux[9])
    whole, fibre = (seen_by(brighter, galaxy, jnp.array(a)) for a in (0.0, -1.0))
    np.testing.assert_allclose(fibre.lines.ew_aa, 0.1 * whole.lines.ew_aa, rtol=1e-5)
    np.testing.assert_array_equal(fibre.continuum_lambda, whole.continuum_lambda)
    np.testing.assert_array_equal(fibre.stars.photometry.mag_ab, whole.stars.photometry.mag_ab)


def test_spectrum_holds_the_lines_as_inject_draws_them(galaxies, many):
    for i in range(3):
        drawn = lines_of(many.wave_aa[i], many.lines.line_flux[i], galaxies.redshift[i])
        found = np.asarray(many.flux_lambda[i] - many.continuum_lambda[i])
        np.testing.assert_allclose(found, drawn, atol=2e-3 * float(drawn.max()))


@pytest.mark.parametrize("redshift", [0.0, 0.03, 0.1, 0.25])
def test_magnitudes_with_lines_are_those_of_the_spectrum_with_lines(chain, redshift):
    """Against the integral of a spectrum sampled at 0.5 AA, for a galaxy with strong lines."""
    galaxy = Galaxy(
        TwoComponents(Exponential(6.0, 3.0), Burst(0.005), 0.05),
        9.5,
        redshift,
        lgmet=-2.1,
        dust=CalzettiDust(0.2),
    )
    seen = seen_by(chain, galaxy, jnp.array(0.0))
    assert float(seen.lines.ew_aa[6]) > 100.0
    wave = jnp.asarray(np.arange(2500.0, 12500.0, 0.5), jnp.float32)
    fine = jnp.interp(wave, seen.stars.wave_aa, seen.stars.flux_lambda)
    fine = fine + lines_of(wave, seen.lines.line_flux, redshift)
    integrated = seen_through(wave, fine, chain.filters).mag_ab
    np.testing.assert_allclose(seen.photometry.mag_ab, integrated, atol=5e-3)
    on_its_grid = seen_through(seen.wave_aa, seen.flux_lambda, chain.filters).mag_ab
    np.testing.assert_allclose(seen.photometry.mag_ab, on_its_grid, atol=5e-3)
    assert np.any(np.asarray(seen.stars.photometry.mag_ab - seen.photometry.mag_ab) > 0.1)


def test_one_equals_batch_whatever_the_batch(chain, galaxies, many):
    singles = [seen_by(chain, one(galaxies, i), jnp.array(-0.4)) for i in range(7)]
    uneven = synthesise(chain, galaxies, log_aperture=-0.4, batch=3)
    for i, single in enumerate(singles):
        for batch in (many, uneven):
            np.testing.assert_allclose(batch.photometry.mag_ab[i], single.photometry.mag_ab, atol=2e-4)
            np.testing.assert_allclose(batch.lines.line_flux[i], single.lines.line_flux, rtol=1e-3)
            np.testing.assert_allclose(batch.flux_lambda[i], single.flux_lambda, rtol=1e-3)


class Noisy(eqx.Module):
    """A conditional density about one width, to draw from."""

    width: jax.Array

    def density(self, continuum_flux, redshift):
        return self

    def sample(self, key, n):
        return self.width * jnp.exp(0.3 * jax.random.normal(key, (n, 10)))


def test_samples_depend_on_the_key_and_the_galaxy_but_not_on_the_batch(chain, galaxies):
    chain = make_chain(load_ssp(), chain.filters, SampledLines(Noisy(jnp.float32(5.0))))
    key = jax.random.key(1)
    first, second = (synthesise(chain, galaxies, log_aperture=0.0, key=key, batch=b) for b in (7, 4))
    np.testing.assert_array_equal(first.lines.ew_aa, second.lines.ew_aa)
    other = synthesise(chain, galaxies, log_aperture=0.0, key=jax.random.key(2))
    assert not np.any(np.asarray(first.lines.ew_aa == other.lines.ew_aa))
    assert np.unique(np.asarray(first.lines.ew_aa[:, 0])).size == 7


GRADIENT_CODE = """
import jax; jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
from nebulium.lines.chain import make_chain
from nebulium.sed import *
def line_model(flux, z):
    return 10.0 * jnp.arange(1.0, 11.0) * flux[1] / flux[10] * (1.0 + 0.1 * z)
filters = load_filters(*(f"sdss_{band}0" for band in "ugriz"))
chain = make_chain(load_ssp(), filters, line_model)
@jax.jit
def magnitudes(p):
    history = TwoComponents(DelayedExponential(p[0], p[1]), Burst(p[2]), p[3])
    galaxy = Galaxy(history, 10.0, p[4], lgmet=p[5], dust=SalimDust(p[6], p[7], 1.0))
    return chain(galaxy, log_aperture=-0.3).photometry.mag_ab
centre = jnp.array([7.0, 2.0, 0.1, 0.03, 0.12, -1.9, 0.4, -0.3])
for i, value in enumerate(centre):
    h = 1e-4 * abs(value)
    difference = (magnitudes(centre.at[i].add(h)) - magnitudes(centre.at[i].add(-h))) / (2 * h)
    print(*(float(x) for x in difference))
"""


def test_gradients_of_magnitudes_agree_with_finite_differences_in_double_precision(chain):
    """With respect to history, redshift, metallicity and dust, through stars, bins, line model and lines."""

    def magnitudes(p):
        history = TwoComponents(DelayedExponential(p[0], p[1]), Burst(p[2]), p[3])
        galaxy = Galaxy(history, 10.0, p[4], lgmet=p[5], dust=SalimDust(p[6], p[7], 1.0))
        return chain(galaxy, log_aperture=-0.3).photometry.mag_ab

    done = subprocess.run(
        [sys.executable, "-c", GRADIENT_CODE],
        capture_output=True,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    differences = np.array([[float(x) for x in row.split()] for row in done.stdout.splitlines()])
    centre = jnp.array([7.0, 2.0, 0.1, 0.03, 0.12, -1.9, 0.4, -0.3])
    gradients = np.asarray(jax.jit(jax.jacfwd(magnitudes))(centre)).T
    reverse = np.asarray(jax.jit(jax.jacrev(magnitudes))(centre)).T
    history = slice(0, 4)
    np.testing.assert_allclose(gradients[history], differences[history], rtol=1e-3)
    np.testing.assert_allclose(
        gradients, differences, rtol=1e-3, atol=3e-3 * np.abs(differences).max(axis=1).mean()
    )
    np.testing.assert_allclose(reverse, gradients, rtol=1e-3, atol=1e-4)


def test_faults_are_explained(chain):
    ssp = load_ssp()
    narrow = eqx.tree_at(lambda s: (s.wave_aa, s.flux), ssp, (ssp.wave_aa[340:500], ssp.flux[..., 340:500]))
    with pytest.raises(NebuliumError, match="continuum bins need 3400 to 7000"):
        make_chain(narrow, chain.filters, bluer_is_stronger)
    with pytest.raises(NebuliumError, match="arrays of lengths"):
        synthesise(chain, Galaxy(Exponential(jnp.ones(3), 1.0), jnp.ones(3), 0.1), log_aperture=0.0)
