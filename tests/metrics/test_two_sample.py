"""The classifier test: blind where there is nothing to see, and not where there is."""

import numpy as np
import pytest
from scipy import stats

from nebulium.metrics.two_sample import classifier_auc

pytest.importorskip("sklearn")
pytestmark = pytest.mark.usefixtures("few_trees")


def draw(seed, shift=0.0, count=800):
    return np.random.default_rng(seed).normal(shift, 1.0, size=(count, 3))


def test_equal_sets_cannot_be_told_apart():
    found = classifier_auc(draw(0), draw(1), seed=2, folds=3)
    assert abs(found.value - 0.5) < max(0.03, 4 * found.error)


def test_a_known_shift_is_found():
    """Two Gaussians a distance d apart: the best possible area is Phi(d / sqrt 2)."""
    found = classifier_auc(draw(0), draw(1, shift=0.5), seed=2, folds=3)
    best = stats.norm.cdf(0.5 * np.sqrt(3) / np.sqrt(2))
    assert best - 0.06 < found.value < best + 0.02


def test_a_correlation_is_found_where_the_margins_agree():
    a = np.random.default_rng(0).multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 800)
    assert classifier_auc(a, draw(1)[:, :2], seed=2, folds=3).value > 0.75


def test_what_is_missing_tells():
    a, b = draw(0), draw(1)
    a[np.random.default_rng(3).random(800) < 0.4, 1] = np.nan
    assert classifier_auc(a, b, seed=2, folds=3).value > 0.65


def test_twins_are_kept_in_one_fold():
    """Both sets hold the same galaxies: without groups a twin gives the answer away, the wrong way round."""
    shared, galaxy = draw(0), np.arange(800)
    together = classifier_auc(shared, shared.copy(), seed=2, folds=3, groups_a=galaxy, groups_b=galaxy)
    apart = classifier_auc(shared, shared.copy(), seed=2, folds=3)
    assert together.value == pytest.approx(0.5, abs=1e-6)
    assert apart.value < 0.47


def test_same_seed_same_result():
    assert classifier_auc(draw(0), draw(1), seed=5, folds=2) == classifier_auc(
        draw(0), draw(1), seed=5, folds=2
    )


def test_faults_are_named():
    with pytest.raises(ValueError, match="same features"):
        classifier_auc(draw(0), draw(1)[:, :2], seed=1)
    with pytest.raises(ValueError, match="folds"):
        classifier_auc(draw(0)[:3], draw(1), seed=1)
    with pytest.raises(ValueError, match="groups of both"):
        classifier_auc(draw(0), draw(1), seed=1, groups_a=np.arange(800))
