import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.errors import SpectrumError
from nebulium.sed import (
    CalzettiDust,
    DelayedExponential,
    Galaxy,
    NoDust,
    NollDust,
    Photometry,
    igm_transmission,
    load_filters,
    load_ssp,
    make_band_table,
    make_redshift_table,
    observe,
    photometry,
    resolve_lyman_steps,
    rest_spectrum,
)

FILTERS = load_filters("sdss_u0", "sdss_r0", "sdss_z0")
ALL_AGES = load_ssp()
# Every sixth age is compiled and run faster, and is a grid like any other.
SSP = eqx.tree_at(
    lambda grid: (grid.lg_age_gyr, grid.flux), ALL_AGES, (ALL_AGES.lg_age_gyr[::6], ALL_AGES.flux[:, ::6])
)
# Age, time scale, mass, metals, A_V and redshift.
RNG = np.random.default_rng(3)
LOW, HIGH = np.array([0.1, 0.1, 9.0, -2.6, 0.0, 0.1]), np.array([10.0, 5.0, 11.0, -1.4, 4.0, 0.12])
DRAWS = jnp.asarray(RNG.uniform(LOW, HIGH, (40, 6)), jnp.float32)
CALZETTI, TILTED = CalzettiDust(0.3), NollDust(1.0, slope=-0.3, bump=1.0)


def exact(draw, redshift, ssp=SSP, filters=FILTERS, *, curve=CALZETTI, igm=False) -> Photometry:
    dust = eqx.tree_at(lambda dust: dust.av_mag, curve, draw[4])
    galaxy = Galaxy(DelayedExponential(draw[0], draw[1]), draw[2], redshift, draw[3], dust=dust)
    rest = rest_spectrum(galaxy, ssp)
    seen = observe(rest.wave_rest_aa, rest.lum_lsun_hz, redshift)
    through = igm_transmission(seen.wave_aa, redshift) if igm else 1.0
    return photometry(seen.wave_aa, seen.flux_lambda * through, filters)


def by_table(table, draw) -> Photometry:
    history = DelayedExponential(draw[0], draw[1])
    return table.photometry(history, draw[2], av_mag=draw[4], lgmet=draw[3])


def by_redshift_table(table, draw, redshift) -> Photometry:
    history = DelayedExponential(draw[0], draw[1])
    return table.photometry(history, draw[2], redshift, av_mag=draw[4], lgmet=draw[3])


@pytest.fixture(scope="module")
def redshift_table():
    return make_redshift_table(SSP, FILTERS, (0.1, 0.12), components=48)


@pytest.mark.parametrize("curve", [CALZETTI, TILTED])
@pytest.mark.parametrize("redshift", [0.0, 0.11])
def test_magnitudes_are_those_of_the_chain(curve, redshift):
    """Whatever the amount of the dust that gives the curve; 0 stands for ten parsecs."""
    table = make_band_table(SSP, FILTERS, redshift, dust=curve)
    found = eqx.filter_jit(jax.vmap(by_table, (None, 0)))(table, DRAWS).mag_ab
    expected = jax.jit(jax.vmap(lambda draw: exact(draw, redshift, curve=curve).mag_ab))(DRAWS)
    np.testing.assert_allclose(found, expected, atol=3e-5)


def test_hydrogen_between_the_galaxies():
    ssp, filters = resolve_lyman_steps(SSP), load_filters("sdss_g0", "sdss_r0")
    table = make_band_table(ssp, filters, 3.4, igm=True)
    expected = jax.jit(lambda draw: exact(draw, 3.4, ssp, filters, igm=True).mag_ab)(DRAWS[0])
    np.testing.assert_allclose(by_table(table, DRAWS[0]).mag_ab, expected, atol=3e-5)


def test_at_any_redshift(redshift_table):
    found = eqx.filter_jit(jax.vmap(by_redshift_table, (None, 0, 0)))(redshift_table, DRAWS, DRAWS[:, 5])
    expected = jax.jit(jax.vmap(lambda draw: exact(draw, draw[5]).mag_ab))(DRAWS)
    np.testing.assert_allclose(found.mag_ab, expected, atol=1e-4)


def test_gradients_are_those_of_the_chain(redshift_table):
    """In age, time scale, mass, metals, A_V and redshift."""
    at = jnp.array([5.0, 2.0, 10.0, -1.8, 0.5, 0.111])
    of_table = jax.jit(jax.jacfwd(lambda p: by_redshift_table(redshift_table, p, p[5]).mag_ab))(at)
    of_chain = jax.jit(jax.jacfwd(lambda p: exact(p, p[5]).mag_ab))(at)
    np.testing.assert_allclose(of_table, of_chain, rtol=3e-3, atol=3e-3)
    table = make_band_table(SSP, FILTERS, at[5])
    of_table = jax.jit(jax.jacrev(lambda p: by_table(table, p).mag_ab))(at)
    fixed = jax.jit(jax.jacfwd(lambda p: exact(p, at[5]).mag_ab))(at)
    np.testing.assert_allclose(of_table, fixed, rtol=1e-3, atol=1e-4)


def test_outside_the_table_is_nan(redshift_table):
    table = make_band_table(SSP, FILTERS, 0.11, av_most_mag=1.0)
    weights = jnp.ones(SSP.flux.shape[:2])
    for av_mag, known in ((0.0, True), (1.0, True), (1.01, False), (-0.01, False)):
        assert np.isfinite(table.flux_of(weights, jnp.float32(av_mag))).all() == known
    for redshift, known in ((0.1, True), (0.12, True), (0.09, False), (0.13, False)):
        flux = redshift_table.flux_of(weights, jnp.float32(redshift), jnp.float32(0.5))
        assert np.isfinite(flux).all() == known


def test_bands_beyond_the_templates_are_not_covered():
    filters = load_filters("sdss_r0", "roman_wfi_f213")
    found = by_table(make_band_table(SSP, filters, 0.1), DRAWS[0])
    assert found.covered.tolist() == [True, False]
    assert np.isnan(found.mag_ab).tolist() == [False, True]


def test_galaxies_share_one_compiled_function():
    traced = []

    @eqx.filter_jit
    def flux(table, weights):
        traced.append(1)
        return table.flux_of(weights, jnp.float32(0.3))

    weights = jnp.ones(SSP.flux.shape[:2])
    fluxes = [flux(make_band_table(SSP, FILTERS, z), weights) for z in (0.05, 0.2)]
    assert len(traced) == 1
    assert np.all(fluxes[0] > fluxes[1])


def test_what_makes_no_table_is_explained():
    with pytest.raises(SpectrumError, match="no av_mag"):
        make_band_table(SSP, FILTERS, 0.1, dust=NoDust())
    with pytest.raises(SpectrumError, match="the least and the largest"):
        make_redshift_table(SSP, FILTERS, (0.3, 0.1))
