import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gammainc, gammaincinv
from scipy.stats import norm

from nebulium.mock.galaxies import half_light_radius_kpc
from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.populations.relations import av_stars
from nebulium.mock.populations.size_relations import (
    local_weight,
    shen_2003,
    shen_2003_scatter,
    van_der_wel_2014,
    van_der_wel_2014_scatter,
)
from nebulium.mock.structure import (
    SERSIC_INDICES,
    draw_structure,
    half_light_radius,
    is_quiescent,
    light_shares,
    median_log_size,
)

N = 400
LATE = GalaxyProperties(0.1, 10.3, 9.0, 6.0, 0.4, 8.7, -1.8)
EARLY = GalaxyProperties(0.1, 11.0, 10.0, 0.8, 0.1, 8.8, -1.7)
many = jax.jit(jax.vmap(draw_structure, in_axes=(None, 0)))
radius_of = jax.jit(half_light_radius)
radii_in_light = jax.jit(
    jax.vmap(
        lambda one, log_ssfr: half_light_radius_kpc(one, light_shares(one.bulge_share, log_ssfr)),
        in_axes=(0, None),
    )
)
KEYS = jax.random.split(jax.random.key(2), N)


def drawn(galaxy, **changes):
    for name, value in changes.items():
        galaxy = eqx.tree_at(lambda one, name=name: getattr(one, name), galaxy, jnp.float32(value))
    return jax.tree.map(np.asarray, many(galaxy, KEYS))


def test_shen_at_their_figure_11():
    """At the break of 3.98e10 Msun, by hand from eq. 18, 17 (corrected) and 19."""
    mass = jnp.log10(jnp.array([3.98e10, 3.98e10]))
    expected = [0.10 * 3.98e10**0.14 * 2**0.25, 2.88e-6 * 3.98e10**0.56]
    found = 10 ** shen_2003(mass, jnp.array([False, True]))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_allclose(shen_2003_scatter(mass), (0.34 + 0.13 / 2) / np.log(10), rtol=1e-4)


@pytest.mark.parametrize(
    ("redshift", "late", "early"), [(0.25, 0.86, 0.60), (1.25, 0.70, 0.22), (2.75, 0.51, -0.06)]
)
def test_van_der_wel_at_the_pivot_of_table_1(redshift, late, early):
    mass, z = jnp.full(2, np.log10(5e10)), jnp.full(2, redshift)
    np.testing.assert_allclose(van_der_wel_2014(mass, z, jnp.array([False, True])), [late, early], atol=1e-4)


def test_van_der_wel_between_bins_and_below_its_masses():
    late, early = jnp.array([False]), jnp.array([True])
    halfway = van_der_wel_2014(jnp.full(1, np.log10(5e10)), jnp.full(1, 1.0), late)
    np.testing.assert_allclose(halfway, 0.74, atol=1e-4)
    at_limit, below = (
        van_der_wel_2014(jnp.full(1, mass), jnp.full(1, 1.0), early) for mass in (10.30103, 9.30103)
    )
    np.testing.assert_allclose(at_limit - below, 0.22, atol=1e-3)
    np.testing.assert_allclose(van_der_wel_2014_scatter(jnp.full(1, 1.75), early), 0.14, atol=1e-4)


def test_the_two_relations_join_without_a_step():
    z = jnp.linspace(0.0, 1.0, 501)
    weight = np.asarray(local_weight(z))
    assert weight[z <= 0.2].min() == 1.0
    assert weight[z >= 0.5].max() == 0.0
    assert np.abs(np.diff(weight)).max() < 0.011
    size = jax.vmap(lambda one: median_log_size(jnp.float32(10.5), one, jnp.array(False)))(z)
    assert np.abs(np.diff(size)).max() < 0.005


@pytest.mark.parametrize(("galaxy", "redshift"), [(LATE, 0.1), (LATE, 1.2), (EARLY, 0.1), (EARLY, 1.2)])
def test_the_whole_galaxy_has_the_median_size_and_its_scatter(galaxy, redshift):
    galaxy = eqx.tree_at(lambda one: one.redshift, galaxy, jnp.float32(redshift))
    galaxy = eqx.tree_at(lambda one: one.age_gyr, galaxy, jnp.minimum(galaxy.age_gyr, 4.5))
    structures = many(galaxy, KEYS)
    log_ssfr = galaxy.log_sfr() - galaxy.log_mstar
    radius = radii_in_light(structures, log_ssfr)
    early = is_quiescent(log_ssfr, galaxy.redshift)
    expected = median_log_size(galaxy.log_mstar, galaxy.redshift, early)
    found = np.log10(np.asarray(radius))
    assert abs(np.median(found) - expected) < 0.03
    scatter = (
        shen_2003_scatter(galaxy.log_mstar)
        if redshift < 0.2
        else van_der_wel_2014_scatter(galaxy.redshift, early)
    )
    assert abs(np.std(found) / scatter - 1.0) < 0.12


@pytest.mark.parametrize("shares", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.4, 0.4, 0.2), (0.1, 0.3, 0.6)])
@pytest.mark.parametrize("n", [1.0, 2.5, 6.0])
def test_half_of_the_light_lies_within_the_half_light_radius(shares, n):
    radii = (0.7, 3.0, 4.5)
    found = radius_of(jnp.array(shares), *(jnp.float32(value) for value in (n, *radii)))
    inside = sum(
        share * gammainc(2 * index, gammaincinv(2 * index, 0.5) * (float(found) / radius) ** (1 / index))
        for share, index, radius in zip(shares, (n, 1.0, 1.0), radii, strict=True)
    )
    assert abs(inside - 0.5) < 1e-3


def test_early_types_have_large_bulges_and_steep_ones():
    early = [bool(is_quiescent(one.log_sfr() - one.log_mstar, one.redshift)) for one in (LATE, EARLY)]
    assert early == [False, True]
    late, early = drawn(LATE), drawn(EARLY)
    assert np.median(early.bulge_share) > 0.6 > 0.4 > np.median(late.bulge_share)
    assert np.median(early.bulge_sersic_n) >= 3.5 > 2.5 >= np.median(late.bulge_sersic_n)
    assert np.all(np.isin(late.bulge_sersic_n, SERSIC_INDICES))
    assert np.median(early.arm_contrast) < 0.3 < np.median(late.arm_contrast)


def test_inclinations_are_random_and_dusty_discs_edge_on():
    clear, dusty = drawn(LATE, av_mag=0.05), drawn(LATE, av_mag=1.5)
    assert clear.cos_inclination.mean() > dusty.cos_inclination.mean() + 0.25
    # Over the spread of dust about that typical of the mass, cos i is uniform.
    level = (np.arange(N) + 0.5) / N
    dust = np.maximum(float(av_stars(jnp.float32(10.3))) + 0.3 * norm.ppf(level), 0.0)
    others = (np.full(N, value) for value in (0.1, 10.3, 9.0, 6.0))
    galaxies = GalaxyProperties(*others, dust, np.full(N, 8.7), np.full(N, -1.8))
    cosine = np.sort(np.asarray(jax.jit(jax.vmap(draw_structure))(galaxies, KEYS).cos_inclination))
    assert np.abs(cosine - level).max() < 0.08


def test_metal_poor_gas_goes_with_clumps_and_small_bulges():
    poor, rich = drawn(LATE, oh12=8.4), drawn(LATE, oh12=8.9)
    assert np.median(poor.clump_share) > 1.3 * np.median(rich.clump_share)
    assert np.median(poor.bulge_share) < np.median(rich.bulge_share)


def test_young_stars_lie_further_out_and_shares_are_shares():
    structure = drawn(LATE)
    assert np.mean(structure.young_re_kpc > structure.disc_re_kpc) > 0.8
    for name in ("bulge_share", "clump_share", "arm_contrast", "cos_inclination", "bulge_axis_ratio"):
        value = getattr(structure, name)
        assert value.min() >= 0.0
        assert value.max() <= 1.0
    assert structure.n_clumps.dtype == np.int32
    assert structure.pattern_seed.dtype == np.uint32
    assert len(np.unique(structure.pattern_seed)) == N


def test_the_key_decides():
    one, same, other = (many(LATE, jax.random.split(jax.random.key(seed), N)) for seed in (1, 1, 2))
    assert eqx.tree_equal(one, same)
    assert np.all(np.asarray(one.disc_re_kpc != other.disc_re_kpc))
