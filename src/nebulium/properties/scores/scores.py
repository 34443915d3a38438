"""Scores of a predicted property, with their errors.

The definitions are those of Wu & Boada (2019, MNRAS 484, 4683): root mean square of the residuals, and NMAD
about their median. What the paper had not, predicted intervals, is scored by coverage, width and PIT.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

from nebulium.metrics.estimates import estimate
from nebulium.metrics.point import bias_mean, bias_median, nmad, rmse, spearman
from nebulium.metrics.probabilistic import Estimate, interval_coverage, pit_ks

Values = Float[np.ndarray, " _"]

#: Of a Gaussian, the 84 % quantile in standard deviations.
UPPER = float(norm.ppf(0.84))


@dataclass(frozen=True)
class Intervals:
    """The 68 % intervals of a prediction.

    Parameters
    ----------
    q16, q84 : ndarray of shape (n,)
        Their bounds, in the unit of the property; NaN where there is none.
    """

    q16: Values
    q84: Values

    @classmethod
    def of_sigma(cls, predicted: Values, sigma: Values) -> "Intervals":
        """Those of Gaussians."""
        return cls(predicted - UPPER * sigma, predicted + UPPER * sigma)

    def of_labels(self, predicted: Values, label_sigma: Values) -> "Intervals":
        """Where labels with errors of their own fall, if these are where true values fall."""
        below = np.hypot(predicted - self.q16, UPPER * label_sigma)
        return Intervals(predicted - below, predicted + np.hypot(self.q84 - predicted, UPPER * label_sigma))


@dataclass(frozen=True)
class PropertyScore:
    """How well one method predicts one property.

    Attributes
    ----------
    method, target : str
        Which.
    galaxies : int
        Galaxies that have the label and a prediction.
    rmse : Estimate
        Root mean square of predicted - true.
    nmad : Estimate
        1.4826 median|d - median(d)|.
    bias_mean, bias_median : Estimate
        Mean and median of predicted - true.
    spearman : Estimate
        Rank correlation; NaN for a constant prediction.
    coverage_68 : Estimate
        Share of the true values in the 68 % interval; NaN where the method gives none.
    half_width_68 : Estimate
        Median of half the width of that interval.
    pit_ks : Estimate
        Kolmogorov-Smirnov distance of the PIT from uniform, see `pit_of_intervals`.
    """

    method: str
    target: str
    galaxies: int
    rmse: Estimate
    nmad: Estimate
    bias_mean: Estimate
    bias_median: Estimate
    spearman: Estimate
    coverage_68: Estimate
    half_width_68: Estimate
    pit_ks: Estimate


POINT_METRICS: Mapping[str, Callable[..., float]] = {
    "rmse": rmse,
    "nmad": nmad,
    "bias_mean": bias_mean,
    "bias_median": bias_median,
    "spearman": spearman,
}


def score_property(
    method: str,
    target: str,
    true: Values,
    predicted: Values,
    intervals: Intervals | None = None,
    *,
    resamples: int = 200,
    seed: int = 0,
) -> PropertyScore:
    """Score one method's predictions of one property.

    Parameters
    ----------
    method, target : str
        Their names.
    true : ndarray of shape (n,)
        Labels; NaN where missing.
    predicted : ndarray of shape (n,)
        Predictions, the medians where there are distributions; NaN where there is none.
    intervals : Intervals, optional
        The 68 % intervals.
    resamples : int
        Draws of the bootstrap that gives the errors.
    seed : int
        Its seed; the same galaxies are drawn for every method that predicts all of them.

    Returns
    -------
    PropertyScore
        Scores of fewer than 10 galaxies are NaN.

    Examples
    --------
    >>> draw = np.random.default_rng(0).normal
    >>> predicted = draw(size=2000)
    >>> score = score_property("exact error bars", "oh12", predicted + 0.1 * draw(size=2000), predicted,
    ...                        Intervals.of_sigma(predicted, np.full(2000, 0.1)), resamples=5)
    >>> abs(score.rmse.value - 0.1) < 0.01, abs(score.coverage_68.value - 0.68) < 0.03
    (True, True)
    """
    both = np.isfinite(true) & np.isfinite(predicted)
    points = {
        name: estimate(metric, true[both], predicted[both], resamples=resamples, seed=seed)
        for name, metric in POINT_METRICS.items()
    }
    spread = _interval_scores(true[both], predicted[both], _selected(intervals, both), resamples, seed)
    return PropertyScore(method, target, int(both.sum()), **points, **spread)


def _selected(intervals: Intervals | None, rows: np.ndarray) -> Intervals:
    """Intervals of some rows; missing ones where there are none at all."""
    if intervals is None:
        nothing = np.full(int(rows.sum()), np.nan)
        return Intervals(nothing, nothing)
    return Intervals(intervals.q16[rows], intervals.q84[rows])


def _interval_scores(
    true: Values, predicted: Values, intervals: Intervals, resamples: int, seed: int
) -> dict[str, Estimate]:
    """Scores of the intervals that are there."""
    there = np.isfinite(intervals.q16) & np.isfinite(intervals.q84)
    bounds = _selected(intervals, there)
    true, predicted = true[there], predicted[there]
    metrics: dict[str, Callable[..., float]] = {
        "coverage_68": lambda t, _, low, high: interval_coverage(t, low, high),
        "half_width_68": lambda _, __, low, high: float(np.median(high - low)) / 2,
        "pit_ks": lambda t, p, low, high: pit_ks(pit_of_intervals(t, p, Intervals(low, high))),
    }
    rows = true, predicted, bounds.q16, bounds.q84
    return {name: estimate(metric, *rows, resamples=resamples, seed=seed) for name, metric in metrics.items()}


def pit_of_intervals(true: Values, predicted: Values, intervals: Intervals) -> Values:
    """Probability integral transform of distributions known by three of their quantiles."""
    above = true > predicted
    scale = np.where(above, intervals.q84 - predicted, predicted - intervals.q16) / UPPER
    # A median on the bound of its interval has no width on that side: whatever lies there is beyond it.
    with np.errstate(over="ignore"):
        return norm.cdf((true - predicted) / np.maximum(scale, np.finfo(float).tiny))


def rmse_gain(
    true: Values, predicted: Values, rival: Values, *, resamples: int = 200, seed: int = 0
) -> Estimate:
    """Root mean square residual of a rival above that of a prediction on the same galaxies."""
    together = np.isfinite(true) & np.isfinite(predicted) & np.isfinite(rival)
    rows = true[together], predicted[together], rival[together]
    return estimate(lambda t, p, r: rmse(t, r) - rmse(t, p), *rows, resamples=resamples, seed=seed)
