"""Scores of a property: the published numbers, known answers, rows that must not count."""

import numpy as np
import pytest
from scipy.stats import norm

from nebulium.data.tables.reading import read_table
from nebulium.metrics.point import rmse
from nebulium.properties.scores.scores import METRICS, Intervals, pit_of_intervals, property_columns
from nebulium.verbs.score import Bootstrap, score_method

RANDOM = np.random.default_rng(0)
# Root mean square as printed by Wu & Boada 2019; these predictions lack 101 galaxies of theirs.
PUBLISHED_RMSE = {
    "cnn_prediction": 0.0851,
    "cnn_prediction_64px": 0.0893,
    "cnn_prediction_32px": 0.0927,
    "cnn_prediction_16px": 0.1053,
}


def gaussians(count=4000, sigma=0.1, claimed=0.1):
    predicted = RANDOM.normal(9, 0.2, count)
    true = predicted + RANDOM.normal(0, sigma, count)
    return true, predicted, Intervals.of_sigma(predicted, np.full(count, claimed))


def score_of(true, predicted, intervals=None, resamples=20):
    columns = property_columns(true, predicted, intervals)
    return score_method("a", columns, METRICS, bootstrap=Bootstrap(resamples))


@pytest.fixture(scope="module")
def published(nebulium_data):
    return read_table(nebulium_data / "sdss" / "wu_boada_2019_predictions.parquet")


@pytest.mark.parametrize("column", PUBLISHED_RMSE)
def test_published_rmse(published, column):
    true, predicted = (published[name].astype(float) for name in ("oh_p50", column))
    assert rmse(true, predicted) == pytest.approx(PUBLISHED_RMSE[column], abs=0.0015)


def test_golden_scores_of_the_published_network(published):
    true, predicted = (published[name].astype(float) for name in ("oh_p50", "cnn_prediction"))
    score = score_of(true, predicted)
    assert score.n == 20_366
    assert score["rmse"].value == pytest.approx(0.08495, abs=1e-5)
    assert score["nmad"].value == pytest.approx(0.06503, abs=1e-5)
    assert score["rmse"].error == pytest.approx(0.0008, abs=0.0005)
    assert np.isnan(score["coverage_68"].value)


def test_honest_error_bars_cover():
    score = score_of(*gaussians())
    assert score["coverage_68"].value == pytest.approx(0.68, abs=4 * score["coverage_68"].error)
    assert score["half_width_68"].value == pytest.approx(0.0994, abs=1e-3)
    assert score["pit_ks"].value < 0.03


def test_boastful_error_bars_do_not():
    score = score_of(*gaussians(claimed=0.05))
    assert score["coverage_68"].value < 0.45
    assert score["pit_ks"].value > 0.1


def test_pit_of_intervals_is_the_gaussian_one():
    true, predicted, intervals = gaussians(50)
    expected = norm.cdf(true, predicted, 0.1)
    np.testing.assert_allclose(pit_of_intervals(true, predicted, intervals), expected, rtol=1e-9)


def test_an_interval_of_no_width():
    here = Intervals(np.full(3, 9.0), np.full(3, 9.0))
    found = pit_of_intervals(np.array([8.0, 9.0, 10.0]), np.full(3, 9.0), here)
    assert found.tolist() == [0.0, 0.5, 1.0]


def test_missing_values_do_not_count():
    true, predicted, intervals = gaussians(500)
    whole = score_of(true[20:], predicted[20:], resamples=5)
    true[:10], predicted[10:20] = np.nan, np.nan
    holed = score_of(true, predicted, intervals, resamples=5)
    assert holed.n == 480
    assert holed["rmse"] == whole["rmse"]


def test_too_few_galaxies_are_not_scored():
    score = score_of(*gaussians(9))
    assert score.n == 9
    assert np.isnan(score["rmse"].value)
