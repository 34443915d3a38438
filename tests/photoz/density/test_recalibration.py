"""Recalibration: measured on some galaxies, it holds on others drawn alike, and leaves the rest alone."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from nebulium.metrics.probabilistic import pit_ks
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.density.recalibration import FEWEST, Recalibration, measure_recalibration, recalibrated

GRID = RedshiftGrid(3.0, 400)
N = 8000


def galaxies(seed, *, wrong=1.0, shift=0.0, outliers=0.0):
    """True redshifts, and Gaussian densities of ln(1 + z) that are too narrow or shifted."""
    random = np.random.default_rng(seed)
    middle, sigma = random.uniform(0.4, 1.0, N), random.uniform(0.03, 0.06, N)
    true = np.where(random.random(N) < outliers, random.uniform(0.05, 1.3, N), random.normal(middle, sigma))
    edges = (np.log1p(GRID.edges) - (middle + shift)[:, None]) / (sigma * wrong)[:, None]
    mass = np.diff(stats.norm.cdf(edges), axis=1)
    return np.expm1(true), RedshiftDensities(GRID, mass.astype(np.float32))


@pytest.mark.parametrize(
    "fault", [{"wrong": 0.6}, {"wrong": 1.6}, {"shift": 0.03}, {"wrong": 0.8, "outliers": 0.04}]
)
def test_new_galaxies_are_calibrated(fault):
    true, densities = galaxies(0, **fault)
    recalibration = measure_recalibration(densities.cdf(true))
    new_true, new = galaxies(1, **fault)
    before, after = (pit_ks(one.cdf(new_true)) for one in (new, recalibrated(new, recalibration)))
    # Both samples have counting noise: 1.36 / sqrt(n) of each.
    assert before > 0.07
    assert after < 1.36 * np.sqrt(2 / N) + 0.005
    inside = np.abs(recalibrated(new, recalibration).cdf(new_true) - 0.5)
    assert np.mean(inside < 0.34) == pytest.approx(0.68, abs=0.02)
    assert np.mean(inside < 0.475) == pytest.approx(0.95, abs=0.02)
    assert recalibrated(new, recalibration).crps(new_true).mean() < new.crps(new_true).mean()


def test_pit_values_follow_the_map():
    true, densities = galaxies(0, wrong=0.6)
    recalibration = measure_recalibration(densities.cdf(true))
    again = recalibrated(densities, recalibration).cdf(true)
    np.testing.assert_allclose(again, recalibration.of_pit(densities.cdf(true)), atol=0.02)


def test_calibrated_densities_stay_nearly_as_they_are():
    true, densities = galaxies(0)
    changed = recalibrated(densities, measure_recalibration(densities.cdf(true)))
    np.testing.assert_allclose(changed.median(), densities.median(), atol=0.005)


def test_few_galaxies_change_nothing():
    few = np.append(np.full(FEWEST - 1, 0.9), np.nan)
    recalibration = measure_recalibration(few)
    assert eqx.tree_equal(recalibration, Recalibration())
    assert not eqx.tree_equal(measure_recalibration(np.full(FEWEST, 0.9)), Recalibration())


def test_no_pit_values_are_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        measure_recalibration(np.full(200, 1.1))


@given(arrays(np.float64, 300, elements=st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))))
def test_the_map_is_monotonic_whatever_it_learns_from(pit):
    recalibration = measure_recalibration(pit)
    share = np.asarray(recalibration.share)
    assert (np.diff(share) >= 0).all()
    assert (share[0], share[-1]) == (0.0, 1.0)
    mass = jnp.asarray(np.random.default_rng(0).dirichlet(np.full(50, 0.1)), jnp.float32)
    changed = np.asarray(recalibration(mass))
    assert (changed >= 0).all()
    assert changed.sum() == pytest.approx(1.0, abs=1e-6)


def test_the_identity_keeps_small_probabilities():
    mass = jnp.asarray([1e-20, 0.5, 1e-12, 0.5], jnp.float32)
    assert np.array_equal(Recalibration()(mass), mass)


def test_batches_are_the_galaxies_one_by_one():
    _, densities = galaxies(0)
    recalibration = measure_recalibration(np.random.default_rng(0).beta(0.5, 0.5, 500))
    few = densities.select(slice(0, 5))
    alone = np.stack([recalibration(jnp.asarray(mass)) for mass in few.mass])
    np.testing.assert_allclose(recalibrated(few, recalibration).mass, alone, atol=1e-7)
    assert np.all(np.isfinite(jax.vmap(jax.grad(lambda m: recalibration(m)[0]))(few.mass)))
