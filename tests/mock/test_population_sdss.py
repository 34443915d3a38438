import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.mock.populations import relations
from nebulium.mock.populations.sdss import (
    LOG_MASS_RANGE,
    MAG_LIMIT,
    REDSHIFT_RANGE,
    least_log_mass,
    sdss_population,
)
from nebulium.sed import (
    CalzettiDust,
    Galaxy,
    load_filters,
    load_ssp,
    luminosity_distance_mpc,
    observe,
    photometry,
    rest_spectrum,
)

N = 20_000


@pytest.fixture(scope="module")
def drawn():
    population = sdss_population()
    keys = jax.random.split(jax.random.key(0), N)
    galaxies, log_sfr = jax.jit(jax.vmap(lambda key: (population.draw(key), population.draw(key).log_sfr())))(
        keys
    )
    columns = {name: np.asarray(value, float) for name, value in vars(galaxies).items()}
    return columns | {"log_ssfr": np.asarray(log_sfr, float) - columns["log_mstar"]}


def test_values_lie_where_they_may(drawn):
    assert np.all(np.isfinite(np.stack(list(drawn.values()))))
    assert REDSHIFT_RANGE[0] <= drawn["redshift"].min() <= drawn["redshift"].max() <= REDSHIFT_RANGE[1]
    assert LOG_MASS_RANGE[0] <= drawn["log_mstar"].min() <= drawn["log_mstar"].max() <= LOG_MASS_RANGE[1]
    assert drawn["av_mag"].min() >= 0.0
    assert drawn["lgmet"].max() <= -1.299


def test_masses_follow_the_mass_function(drawn):
    # Above this mass no limit cuts at these redshifts, so that shape and volume can be told apart.
    z, mass = drawn["redshift"], drawn["log_mstar"]
    limit = float(least_log_mass(jnp.asarray(0.1), jnp.asarray(True)))
    counts, edges = np.histogram(mass[(z < 0.1) & (mass > limit)], np.linspace(limit, 11.4, 7))
    fine = [np.linspace(low, high, 50) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    expected = np.array(
        [float(jnp.trapezoid(relations.mass_function(jnp.asarray(m, jnp.float32)), m)) for m in fine]
    )
    expected *= counts.sum() / expected.sum()
    assert np.sum((counts - expected) ** 2 / expected) < 20.5  # chi2 of 5 degrees of freedom, 0.1 %


def test_redshifts_follow_the_volume(drawn):
    z, mass = drawn["redshift"], drawn["log_mstar"]
    limit = float(least_log_mass(jnp.asarray(0.2), jnp.asarray(True)))
    counts, edges = np.histogram(z[mass > limit], np.linspace(*REDSHIFT_RANGE, 6))
    distance = np.array([float(luminosity_distance_mpc(edge)) / (1 + edge) for edge in edges])
    expected = np.diff(distance**3) * counts.sum() / (distance[-1] ** 3 - distance[0] ** 3)
    assert np.sum((counts - expected) ** 2 / expected) < 18.5  # 4 degrees of freedom, 0.1 %


def test_quiescent_galaxies_are_as_many_as_published(drawn):
    z, mass = drawn["redshift"], drawn["log_mstar"]
    limits = jax.vmap(lambda one: least_log_mass(one, jnp.asarray(True)))(jnp.asarray(z, jnp.float32))
    both = mass > np.asarray(limits)
    for low in (9.8, 10.3, 10.8):
        inside = both & (mass > low) & (mass < low + 0.3)
        expected = float(relations.quiescent_fraction(jnp.asarray(mass[inside], jnp.float32)).mean())
        assert np.mean(drawn["log_ssfr"][inside] < -11.0) == pytest.approx(expected, abs=0.05)


def test_star_formers_stand_on_the_main_sequence_with_its_scatter(drawn):
    forming = (drawn["log_ssfr"] > -11.0) & (drawn["log_mstar"] > 9.0)
    mass, z = (jnp.asarray(drawn[name][forming], jnp.float32) for name in ("log_mstar", "redshift"))
    offset = drawn["log_ssfr"][forming] + mass - np.asarray(jax.vmap(relations.main_sequence)(mass, z))
    assert np.median(offset) == pytest.approx(0.0, abs=0.02)
    assert np.subtract(*np.percentile(offset, [84.1, 15.9])) / 2 == pytest.approx(0.3, abs=0.03)


def test_metals_scatter_with_star_formation(drawn):
    forming = (drawn["log_ssfr"] > -11.0) & (np.abs(drawn["log_mstar"] - 9.6) < 0.2)
    mass = jnp.asarray(drawn["log_mstar"][forming], jnp.float32)
    local = np.asarray(relations.oh12_mass(mass, jnp.asarray(0.08)))
    residual = drawn["oh12"][forming] - local
    assert np.median(residual) == pytest.approx(0.0, abs=0.02)
    assert np.std(residual) == pytest.approx(0.07, abs=0.015)  # Curti et al. 2020: 0.07 dex about the MZR
    assert np.corrcoef(residual, drawn["log_ssfr"][forming])[0, 1] < -0.4


def test_nothing_bright_enough_is_left_out_and_enough_is_bright():
    population, ssp, r_band = sdss_population(), load_ssp(), load_filters("sdss_r0")

    def one(key):
        galaxy = population.draw(key)
        stars = Galaxy(
            galaxy.history(),
            galaxy.log_mstar,
            galaxy.redshift,
            galaxy.lgmet,
            dust=CalzettiDust(galaxy.av_mag),
        )
        rest = rest_spectrum(stars, ssp)
        seen = observe(rest.wave_rest_aa, rest.lum_lsun_hz, galaxy.redshift)
        mag = photometry(seen.wave_aa, seen.flux_lambda, r_band).mag_ab[0]
        quiescent = galaxy.log_sfr() - galaxy.log_mstar < -11.0
        return mag, galaxy.log_mstar - least_log_mass(galaxy.redshift, quiescent)

    keys = jax.random.split(jax.random.key(2), 1600)
    mag, above_limit = (np.asarray(a) for a in jax.jit(lambda k: jax.lax.map(one, k, batch_size=200))(keys))
    bright = mag < MAG_LIMIT
    assert bright.mean() > 0.2
    # Were galaxies lost below the limit, some would be found just above it.
    assert np.sum(bright & (above_limit < 0.1) & (above_limit > 1e-3)) <= 0.01 * bright.sum()
