"""What is known of each galaxy about a predicted property, and the metrics of it.

The definitions are those of Wu & Boada (2019, MNRAS 484, 4683): root mean square of the residuals, and NMAD
about their median. What the paper had not, predicted intervals, is scored by coverage, width and PIT.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from nebulium.data.tables.table import Table
from nebulium.metrics.point import bias_mean, bias_median, nmad, rmse, spearman
from nebulium.properties.scores.class_scores import class_columns, class_frequencies
from nebulium.verbs.labels.classes import Classes
from nebulium.verbs.labels.joining import label_sigma, label_values
from nebulium.verbs.score import DISTRIBUTION_METRICS, Columns, Metric, Values, smaller

#: Of a Gaussian, the 84 % quantile in standard deviations.
UPPER = float(norm.ppf(0.84))

#: What a prediction may have beside the value of a property.
BESIDE = ("", "_q16", "_q84", "_sigma")

METRICS: Mapping[str, Metric] = {
    "rmse": Metric(rmse, "RMSE", loss=smaller),
    "nmad": Metric(nmad, "NMAD", loss=smaller),
    "bias_mean": Metric(bias_mean, "mean bias", loss=np.abs),
    "bias_median": Metric(bias_median, "median bias", loss=np.abs),
    "spearman": Metric(spearman, "Spearman's ρ", loss=np.negative, has_share=False),
    "coverage_68": DISTRIBUTION_METRICS["coverage_68"],
    "half_width_68": Metric(lambda values: float(np.median(values)), "half-width of 68 %", ("half_width",)),
    "pit_ks": DISTRIBUTION_METRICS["pit_ks"],
}


#: What baselines predict of labelled galaxies, by name and property: a number, or probabilities of classes.
Baselines = Mapping[str, Mapping[str, np.ndarray]]
SCORED_MEAN = "mean of the scored"


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


def property_columns(true: Values, predicted: Values, intervals: Intervals | None = None) -> Columns:
    """What the metrics are measured on.

    Parameters
    ----------
    true : ndarray of shape (n,)
        Labels; NaN where missing.
    predicted : ndarray of shape (n,)
        Predictions, the medians where there are distributions; NaN where there is none.
    intervals : Intervals, optional
        The 68 % intervals.

    Returns
    -------
    mapping of str to ndarray of shape (n,)
        "true", "predicted" and, of intervals, "inside_68" (1 or 0), "half_width" and "pit", see
        `pit_of_intervals`.

    Examples
    --------
    >>> from nebulium.verbs import score_method
    >>> draw = np.random.default_rng(0).normal
    >>> predicted = draw(size=2000)
    >>> columns = property_columns(predicted + 0.1 * draw(size=2000), predicted,
    ...                            Intervals.of_sigma(predicted, np.full(2000, 0.1)))
    >>> found = score_method("exact error bars", columns, METRICS, target="oh12")
    >>> abs(found["rmse"].value - 0.1) < 0.01, abs(found["coverage_68"].value - 0.68) < 0.03
    (True, True)
    """
    columns = {"true": true, "predicted": predicted}
    if intervals is None:
        return columns
    low, high = intervals.q16, intervals.q84
    known = np.isfinite(true + predicted + low + high)
    found = {
        "inside_68": (true >= low) & (true <= high),
        "half_width": (high - low) / 2,
        "pit": pit_of_intervals(true, predicted, intervals),
    }
    return columns | {name: np.where(known, values, np.nan) for name, values in found.items()}


def pit_of_intervals(true: Values, predicted: Values, intervals: Intervals) -> Values:
    """Probability integral transform of distributions known by three of their quantiles."""
    above = true > predicted
    scale = np.where(above, intervals.q84 - predicted, predicted - intervals.q16) / UPPER
    # A median on the bound of its interval has no width on that side: whatever lies there is beyond it.
    with np.errstate(over="ignore"):
        return norm.cdf((true - predicted) / np.maximum(scale, np.finfo(float).tiny))


def predicted_columns(ordered: Table, labels: Table, target: str) -> Columns:
    """Predictions of one property by one method, in the order of the labels; NaN where there is none."""
    true, noise = label_values(labels, target), np.nan_to_num(label_sigma(labels, target))
    predicted = ordered[target]
    low, high, sigma = (ordered.columns.get(target + part) for part in BESIDE[1:])
    if low is not None and high is not None:
        intervals = Intervals(low, high)
    elif sigma is not None:
        intervals = Intervals.of_sigma(predicted, sigma)
    else:
        return property_columns(true, predicted)
    intervals = intervals.of_labels(predicted, noise)
    return {**property_columns(true, predicted, intervals), "q16": intervals.q16, "q84": intervals.q84}


def baseline_columns(
    ours: Mapping[str, Columns], baselines: Baselines | None, classes: Classes
) -> dict[str, dict[str, Columns]]:
    """Predictions of the baselines for the galaxies that the method predicts."""
    if baselines is None:
        simplest = {
            target: class_frequencies(columns, len(classes[target]))
            if target in classes
            else _mean_of_scored(columns)
            for target, columns in ours.items()
        }
        baselines = {SCORED_MEAN: simplest}
    return {
        name: {target: _of_baseline(ours[target], values, target in classes) for target, values in of.items()}
        for name, of in baselines.items()
    }


def _of_baseline(ours: Columns, values: np.ndarray, is_class: bool) -> Columns:
    """What a baseline predicts, where the method predicts something."""
    if is_class:
        predicted = np.isfinite(ours["confidence"])
        return class_columns(ours["true"], np.where(predicted[:, None], values, np.nan))
    return property_columns(ours["true"], np.where(np.isfinite(ours["predicted"]), values, np.nan))


def _mean_of_scored(columns: Columns) -> Values:
    known = columns["true"][np.isfinite(columns["true"] + columns["predicted"])]
    return np.full(len(columns["true"]), np.mean(known) if len(known) else np.nan)
