"""Probabilistic metrics: closed forms of Gaussians, brute force, and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nebulium.metrics import probabilistic

LEVELS = (np.arange(200) + 0.5) / 200


def gaussian_crps(observed):
    """Closed form for a standard normal prediction (Gneiting et al. 2005, equation 5)."""
    return observed * (2 * stats.norm.cdf(observed) - 1) + 2 * stats.norm.pdf(observed) - 1 / np.sqrt(np.pi)


def test_coverage_of_a_calibrated_interval():
    observed = np.random.default_rng(0).normal(size=20_000)
    found = probabilistic.interval_coverage(observed, np.full(20_000, -1.0), np.full(20_000, 1.0))
    assert found == pytest.approx(0.6827, abs=0.01)


def test_crossed_intervals_are_refused():
    with pytest.raises(ValueError, match="1 intervals"):
        probabilistic.interval_coverage(np.zeros(2), np.array([0.0, 1.0]), np.array([1.0, 0.0]))


def test_pit_of_calibrated_samples_is_uniform():
    random = np.random.default_rng(0)
    pit = probabilistic.pit_from_samples(random.normal(size=4000), random.normal(size=(4000, 99)))
    assert probabilistic.pit_ks(pit) < 0.03
    assert 0 < pit.min() < pit.max() < 1


def test_pit_of_biased_samples_is_not():
    random = np.random.default_rng(0)
    pit = probabilistic.pit_from_samples(random.normal(size=4000), random.normal(0.5, 1, size=(4000, 99)))
    assert probabilistic.pit_ks(pit) > 0.15


def test_pit_from_quantiles_is_the_distribution_function():
    observed = np.array([-1.5, 0.0, 0.7, 5.0])
    quantiles = np.tile(stats.norm.ppf(LEVELS), (4, 1))
    expected = np.append(stats.norm.cdf(observed[:3]), 0.99875)
    np.testing.assert_allclose(
        probabilistic.pit_from_quantiles(observed, LEVELS, quantiles), expected, atol=2e-4
    )


def test_ties_count_half():
    assert probabilistic.pit_from_samples(np.array([1.0]), np.ones((1, 9))).tolist() == [0.5]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_ks_is_scipys(pit):
    expected = stats.kstest(pit, "uniform").statistic
    assert probabilistic.pit_ks(np.array(pit)) == pytest.approx(expected, abs=1e-12)


def test_ks_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match="between 0 and 1"):
        probabilistic.pit_ks(np.array([0.5, 1.2]))


def test_crps_from_samples_is_brute_force():
    random = np.random.default_rng(0)
    observed, samples = random.normal(size=5), random.normal(size=(5, 7))
    pairs = np.abs(samples[:, :, None] - samples[:, None]).sum(axis=(1, 2)) / (2 * 7 * 6)
    expected = np.abs(samples - observed[:, None]).mean(axis=1) - pairs
    np.testing.assert_allclose(probabilistic.crps_from_samples(observed, samples), expected)


@pytest.mark.parametrize("count", [2, 5, 50])
def test_crps_from_samples_is_unbiased_in_their_number(count):
    random = np.random.default_rng(count)
    observed, samples = np.full(40_000, 0.8), random.normal(size=(40_000, count))
    scores = probabilistic.crps_from_samples(observed, samples)
    assert scores.mean() == pytest.approx(gaussian_crps(0.8), abs=4 * scores.std() / 200)


def test_crps_from_quantiles_of_a_gaussian():
    observed = np.array([-2.0, 0.0, 0.8])
    quantiles = np.tile(stats.norm.ppf(LEVELS), (3, 1))
    found = probabilistic.crps_from_quantiles(observed, LEVELS, quantiles)
    np.testing.assert_allclose(found, gaussian_crps(observed), atol=2e-3)


def test_a_point_prediction_scores_its_error():
    found = probabilistic.crps_from_quantiles(np.array([3.0]), LEVELS, np.full((1, 200), 1.0))
    assert found == pytest.approx([2.0])


def test_the_truth_scores_best():
    random = np.random.default_rng(0)
    observed = random.normal(size=5000)
    scores = {
        width: probabilistic.crps_from_quantiles(
            observed, LEVELS, np.tile(width * stats.norm.ppf(LEVELS), (5000, 1))
        ).mean()
        for width in (0.5, 1.0, 2.0)
    }
    assert min(scores, key=scores.__getitem__) == 1.0


@pytest.mark.parametrize("metric", ["pit_from_quantiles", "crps_from_quantiles"])
def test_bad_quantile_grids_are_refused(metric):
    function = getattr(probabilistic, metric)
    with pytest.raises(ValueError, match="ascend within"):
        function(np.zeros(1), np.array([0.0, 0.5]), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="shape"):
        function(np.zeros(1), np.array([0.1, 0.5]), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="quantiles must ascend"):
        function(np.zeros(1), np.array([0.1, 0.5]), np.array([[1.0, 0.0]]))


@pytest.mark.parametrize("metric", ["pit_from_samples", "crps_from_samples"])
def test_missing_samples_are_refused_unless_masked(metric):
    function = getattr(probabilistic, metric)
    samples = np.array([[1.0, 2.0], [np.nan, 1.0]])
    with pytest.raises(ValueError, match="mask="):
        function(np.zeros(2), samples)
    assert function(np.zeros(2), samples, mask=np.array([True, False])).shape == (1,)


def test_one_sample_is_too_few():
    with pytest.raises(ValueError, match="two samples"):
        probabilistic.crps_from_samples(np.zeros(1), np.zeros((1, 1)))


def test_cde_loss_of_a_gaussian():
    observed, grid = np.array([-1.0, 0.0, 2.5]), np.linspace(-8, 8, 1601)
    density = np.tile(stats.norm.pdf(grid), (3, 1))
    expected = 1 / (2 * np.sqrt(np.pi)) - 2 * stats.norm.pdf(observed)
    np.testing.assert_allclose(probabilistic.cde_loss(observed, grid, density), expected, atol=1e-9)


def test_cde_loss_is_that_of_qp():
    qp = pytest.importorskip("qp")
    from qp.metrics.concrete_metric_classes import CDELossMetric

    random, grid = np.random.default_rng(0), np.linspace(0, 3, 301)
    density = random.gamma(0.3, size=(50, 301))
    density /= np.trapezoid(density, grid, axis=1)[:, None]
    observed = np.append(random.uniform(-0.2, 3.2, 49), 0.005)
    theirs = CDELossMetric(grid).evaluate(qp.interp.create_ensemble(grid, density), observed)
    assert probabilistic.cde_loss(observed, grid, density).mean() == pytest.approx(theirs, rel=1e-9)


def test_cde_loss_refuses_a_grid_that_does_not_fit():
    for grid in (np.zeros(3), np.arange(4.0)):
        with pytest.raises(ValueError, match="ascending grid of 3 points"):
            probabilistic.cde_loss(np.zeros(2), grid, np.ones((2, 3)))


def test_bootstrap_error_of_a_mean():
    rows = np.random.default_rng(0).normal(size=400)
    estimate = probabilistic.bootstrap(lambda x: float(x.mean()), rows, seed=1, resamples=500)
    assert estimate.error == pytest.approx(rows.std() / 20, rel=0.15)
    assert estimate == probabilistic.bootstrap(lambda x: float(x.mean()), rows, seed=1, resamples=500)


def test_bootstrap_keeps_rows_together():
    rows = np.arange(50.0)
    estimate = probabilistic.bootstrap(lambda x, y: float(np.abs(x - y).max()), rows, rows, seed=1)
    assert estimate == (0.0, 0.0)


def test_bootstrap_refuses_unequal_lengths():
    with pytest.raises(ValueError, match="one length"):
        probabilistic.bootstrap(lambda x, y: 0.0, np.zeros(3), np.zeros(4), seed=1)


def test_draws_are_paired_by_their_seed():
    rows = np.random.default_rng(0).normal(size=100)
    drawn = probabilistic.bootstrap_draws(np.mean, rows, seed=1, resamples=30)
    np.testing.assert_allclose(
        probabilistic.bootstrap_draws(np.mean, 2 * rows, seed=1, resamples=30), 2 * drawn
    )
    assert probabilistic.bootstrap(np.mean, rows, seed=1, resamples=30).error == np.std(drawn, ddof=1)
