"""Densities: every number agrees with numerical integrals, and the laws of probability hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats

from nebulium.metrics.probabilistic import cde_loss, crps_from_quantiles
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid

GRID = RedshiftGrid(most=3.0, bins=40)
FINE = np.expm1((np.arange(400_000) + 0.5) * GRID.width * 40 / 400_000)

masses = arrays(
    np.float32, (4, 40), elements=st.one_of(st.just(0.0), st.floats(2.0**-20, 1, width=32))
).filter(lambda mass: mass.any(axis=1).all())
levels = arrays(np.float64, 7, elements=st.floats(0, 1)).map(np.sort)


def of(*rows, grid=GRID):
    return RedshiftDensities(grid, np.array(rows, np.float32))


def gaussians(mean, sigma, grid=GRID):
    """Of ln(1 + z), in bins."""
    upper = stats.norm.cdf((np.log1p(grid.edges) - np.log1p(mean)[:, None]) / sigma[:, None])
    mass = np.diff(upper, axis=1)
    return RedshiftDensities(grid, (mass / mass.sum(axis=1, keepdims=True)).astype(np.float32))


RANDOM = np.random.default_rng(0)
MESSY = RedshiftDensities(GRID, RANDOM.gamma(0.2, size=(6, 40)).astype(np.float32))
TRUE = np.array([0.0, 0.3, 1.1, 2.9, 3.7, GRID.edges[7]])


def test_mean_median_and_integral_are_those_of_the_density():
    density = MESSY.on_grid(FINE)
    step = GRID.width * 40 / 400_000 * (1 + FINE)
    assert density @ step == pytest.approx(np.ones(6), rel=1e-6)
    assert density * FINE @ step == pytest.approx(MESSY.mean(), rel=1e-6)
    below = np.cumsum(density * step, axis=1)
    medians = [np.interp(0.5, row, FINE) for row in below]
    assert MESSY.median() == pytest.approx(medians, abs=1e-4)


@pytest.mark.parametrize("row", range(6))
def test_crps_and_cde_loss_are_their_integrals(row):
    one, true = MESSY.select(slice(row, row + 1)), TRUE[row : row + 1]
    step = GRID.width * 40 / 400_000 * (1 + FINE)
    below = np.cumsum(one.on_grid(FINE)[0] * step)
    beyond = max(true[0] - 3.0, 0.0)
    expected = np.sum((below - (true <= FINE)) ** 2 * step) + beyond
    assert one.crps(true)[0] == pytest.approx(expected, rel=1e-4)
    squares = integrate.quad(
        lambda z: one.density(np.array([z]))[0] ** 2, 0, 3, points=GRID.edges[1:-1], limit=200
    )[0]
    assert one.cde_loss(true)[0] == pytest.approx(squares - 2 * one.density(true)[0], rel=1e-6)


def test_crps_agrees_with_that_of_quantiles():
    densities, true = gaussians(np.array([0.5, 1.0]), np.array([0.1, 0.2])), np.array([0.6, 0.4])
    level = (np.arange(4000) + 0.5) / 4000
    assert densities.crps(true) == pytest.approx(
        crps_from_quantiles(true, level, densities.quantile(level)), rel=1e-3
    )


def test_cde_loss_agrees_with_that_on_a_grid():
    fine = RedshiftGrid(3.0, 1000)
    densities, true = gaussians(np.array([0.5, 1.0]), np.array([0.1, 0.2]), fine), np.array([0.6, 0.4])
    grid = np.linspace(0, 3, 3001)
    assert densities.cde_loss(true) == pytest.approx(cde_loss(true, grid, densities.on_grid(grid)), abs=0.01)


def test_a_narrow_gaussian_is_where_it_is():
    fine = RedshiftGrid(6.0, 600)
    mean, sigma = np.array([0.1, 0.712, 2.3, 4.2]), np.full(4, 0.01)
    densities = gaussians(mean, sigma, fine)
    assert densities.median() == pytest.approx(mean, abs=1e-4)
    # Per unit redshift the highest point of a Gaussian of ln(1 + z) lies sigma^2 lower.
    assert densities.mode() == pytest.approx(np.exp(np.log1p(mean) - 1e-4) - 1, abs=1e-3)
    assert densities.odds() == pytest.approx(np.ones(4), abs=1e-6)
    assert densities.odds(0.01) == pytest.approx(np.full(4, 0.683), abs=0.01)


def test_the_mode_is_of_the_density_per_redshift():
    # The second bin holds a little more, spread over twice the redshifts.
    wide = RedshiftGrid(most=3.0, bins=2)
    assert of([0.45, 0.55], grid=wide).mode().tolist() == [wide.centres[0]]


@pytest.mark.parametrize("bins", [1, 2, 3])
def test_grids_of_few_bins(bins):
    grid = RedshiftGrid(1.0, bins)
    one = of(np.ones(bins), grid=grid)
    assert 0 <= one.mode()[0] <= 1
    assert one.crps(np.array([0.5]))[0] < 0.2


@given(masses, levels)
def test_quantiles_ascend_and_invert_the_distribution(mass, level):
    densities = RedshiftDensities(GRID, mass)
    quantiles = densities.quantile(level)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (quantiles >= 0).all()
    assert (quantiles <= 3.0 + 1e-12).all()
    for column, wanted in enumerate(level):
        assert densities.cdf(quantiles[:, column]) == pytest.approx(np.full(4, wanted), abs=1e-6)


@given(masses, arrays(np.float64, 4, elements=st.floats(0, 8)))
def test_numbers_of_one_galaxy_are_those_in_a_batch(mass, true):
    batch = RedshiftDensities(GRID, mass)
    for name in ("cdf", "density", "crps", "cde_loss"):
        together = getattr(batch, name)(true)
        alone = [getattr(batch.select(np.array([i])), name)(true[i : i + 1])[0] for i in range(4)]
        assert together == pytest.approx(alone, rel=1e-9, abs=1e-9)
    assert (batch.crps(true) >= 0).all()
    assert (batch.crps(true) <= 8).all()
    assert ((batch.odds() >= 0) & (batch.odds() <= 1 + 1e-9)).all()
    assert ((batch.cdf(true) >= 0) & (batch.cdf(true) <= 1)).all()
    assert batch.mode() == pytest.approx([batch.select(slice(i, i + 1)).mode()[0] for i in range(4)])


def test_crps_of_a_point_is_its_error():
    point = of(np.eye(40)[10])
    assert point.crps(np.array([2.5]))[0] == pytest.approx(2.5 - GRID.centres[10], abs=GRID.width)


def test_the_truth_scores_best():
    true = RANDOM.normal(np.log1p(1.0), 0.1, 4000)
    scores = {
        sigma: gaussians(np.full(4000, 1.0), np.full(4000, sigma)).crps(np.expm1(true)).mean()
        for sigma in (0.06, 0.1, 0.16)
    }
    assert min(scores, key=scores.__getitem__) == 0.1


def test_missing_redshifts_stay_missing():
    missing = np.full(6, np.nan)
    for name in ("cdf", "density", "crps", "cde_loss"):
        assert np.isnan(getattr(MESSY, name)(missing)).all()


def test_outside_the_grid():
    beyond, below = np.full(6, 5.0), np.full(6, -0.01)
    assert MESSY.cdf(beyond).tolist() == [1.0] * 6
    assert MESSY.cdf(below).tolist() == [0.0] * 6
    assert MESSY.density(beyond).tolist() == MESSY.density(below).tolist() == [0.0] * 6
    assert MESSY.crps(beyond) == pytest.approx(MESSY.crps(np.full(6, 3.0)) + 2.0)


def test_pieces_make_the_whole():
    parts = [part for _, part in MESSY.chunks(4)]
    assert [len(part) for part in parts] == [4, 2]
    assert (RedshiftDensities.concatenate(parts).mass == MESSY.mass).all()
    with pytest.raises(ValueError, match="one grid"):
        RedshiftDensities.concatenate([MESSY, of([1.0], grid=RedshiftGrid(1.0, 1))])


@pytest.mark.parametrize("row", [np.zeros(40), np.full(40, np.nan), -np.ones(40), np.r_[np.inf, np.ones(39)]])
def test_what_is_no_probability_is_refused(row):
    with pytest.raises(ValueError, match="got 1 rows"):
        of(np.ones(40), row)


def test_bins_and_levels_are_checked():
    with pytest.raises(ValueError, match="40 bins"):
        of(np.ones(39))
    with pytest.raises(ValueError, match="levels between 0 and 1"):
        MESSY.quantile([0.5, 1.1])
