"""Metrics of classes beside those of scikit-learn, and what calibrated probabilities have."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.metrics.classes import balanced_accuracy, expected_calibration_error, roc_auc

metrics = pytest.importorskip("sklearn.metrics")


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.booleans())
def test_as_scikit_learn_has_them(seed, n, with_ties):
    random = np.random.default_rng(seed)
    true, said = random.integers(0, 3, n), random.integers(0, 3, n)
    expected = np.mean([np.mean(said[true == one] == one) for one in np.unique(true)])
    assert balanced_accuracy(true, said == true) == pytest.approx(expected)
    positive, score = true > 0, random.random(n)
    score = np.round(score, 1) if with_ties else score
    if 0 < positive.sum() < n:
        assert roc_auc(positive, score) == pytest.approx(metrics.roc_auc_score(positive, score))
    else:
        assert np.isnan(roc_auc(positive, score))


def test_calibrated_probabilities_have_a_small_error_and_bold_ones_a_large_one():
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1.0, 100_000)
    right = random.random(100_000) < confidence
    assert expected_calibration_error(right, confidence) < 0.01
    bold = np.minimum(confidence + 0.1, 1.0)
    assert expected_calibration_error(right, bold) == pytest.approx(np.mean(bold - confidence), abs=0.01)


def test_nothing_to_measure():
    none = np.zeros(0)
    assert np.isnan(balanced_accuracy(none, none))
    assert np.isnan(expected_calibration_error(none, none))
