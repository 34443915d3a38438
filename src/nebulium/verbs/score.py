"""Scores of predictions with bootstrapped errors: of any method, target and sample of galaxies."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from nebulium.metrics.estimates import FEWEST
from nebulium.metrics.probabilistic import Estimate, bootstrap_draws, pit_ks

Values = Float[np.ndarray, " _"]
#: What is known of each galaxy by name, NaN where missing; "true" and "predicted" at least.
Columns = Mapping[str, Values]
PAIR = ("true", "predicted")
#: Name of the sample of all galaxies.
ALL = "all"
#: Kolmogorov-Smirnov distance from uniform, times sqrt(n), that chance exceeds in 5 % of samples.
KS_LIMIT = 1.36


@dataclass(frozen=True)
class Metric:
    """One number about the predictions of many galaxies.

    Parameters
    ----------
    measure : callable
        Takes the columns, arrays of shape (n,), and returns a float.
    heading : str
        Its name in tables to read.
    columns : tuple of str
        What it is measured on; galaxies that lack one of them are left out.
    unit : str
        As astropy writes it.
    loss : callable, optional
        Turns the number into one that is better the smaller it is, by which methods are compared.
    has_share : bool
        Whether a difference of two methods may be given as a share of the loss.

    Examples
    --------
    >>> from nebulium.metrics import rmse
    >>> Metric(rmse, "RMSE", loss=float).columns
    ('true', 'predicted')
    """

    measure: Callable[..., float]
    heading: str
    columns: tuple[str, ...] = PAIR
    unit: str = ""
    loss: Callable[..., Any] | None = None
    has_share: bool = True


def average(values: Values) -> float:
    """The mean."""
    return float(np.mean(values))


def smaller(values: Values) -> Values:
    """The loss of a metric that is better the smaller it is."""
    return values


#: Metrics of predicted distributions, by columns of how the distribution of each galaxy fared.
DISTRIBUTION_METRICS: Mapping[str, Metric] = {
    "coverage_68": Metric(average, "68 % coverage", ("inside_68",)),
    "coverage_95": Metric(average, "95 % coverage", ("inside_95",)),
    "pit_ks": Metric(pit_ks, "PIT K-S", ("pit",)),
    "crps": Metric(average, "CRPS", ("crps",), loss=smaller),
}


@dataclass(frozen=True)
class Sample:
    """Galaxies that are scored together.

    Parameters
    ----------
    quantity : str
        What they were sorted by, or "all".
    low, middle, high : float
        Least, median and greatest value of it; NaN for all galaxies.
    rows : ndarray of int of shape (k,)
        Which.

    Examples
    --------
    >>> [sample.name for sample in equal_samples("mag", np.array([20.0, 23.0, 21.0, 22.0]), 2)]
    ['mag 20.00 – 21.00', 'mag 22.00 – 23.00']
    """

    quantity: str
    low: float
    middle: float
    high: float
    rows: Integer[np.ndarray, " _"] = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.quantity if math.isnan(self.low) else f"{self.quantity} {self.low:.2f} – {self.high:.2f}"

    def record(self) -> dict[str, Any]:
        """The sample in a row of a table."""
        return {"sample": self.quantity, "low": self.low, "middle": self.middle, "high": self.high}


def all_galaxies(count: int) -> Sample:
    """The sample of all galaxies."""
    return Sample(ALL, math.nan, math.nan, math.nan, np.arange(count))


def equal_samples(quantity: str, values: Values, count: int) -> tuple[Sample, ...]:
    """Samples of equally many galaxies along a quantity; galaxies without it are in none."""
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    parts = np.array_split(order, min(count, len(order))) if len(order) else []
    return tuple(
        Sample(
            quantity, float(values[part[0]]), float(np.median(values[part])), float(values[part[-1]]),
            np.sort(part),
        )
        for part in parts
    )  # fmt: skip


@dataclass(frozen=True)
class Bootstrap:
    """Metrics of galaxies drawn again with replacement, each measured once.

    Parameters
    ----------
    resamples : int
        How many times the galaxies are drawn.
    seed : int
        Of the draws: as many galaxies are drawn alike for every metric and method.

    Examples
    --------
    >>> Bootstrap(resamples=50)(average, np.arange(100.0)).shape
    (51,)
    """

    resamples: int = 200
    seed: int = 0
    _known: dict[Any, Values] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, measure: Callable[..., float], *columns: Values) -> Values:
        """A metric of n galaxies, then of each draw of them; NaN if they are too few to be measured."""
        if len(columns[0]) < FEWEST:
            return np.full(self.resamples + 1, np.nan)
        key = (measure, *(hash(column.tobytes()) for column in columns))
        if key not in self._known:
            drawn = bootstrap_draws(measure, *columns, seed=self.seed, resamples=self.resamples)
            self._known[key] = np.append(measure(*columns), drawn)
        return self._known[key]


def to_estimate(measured: Values) -> Estimate:
    """A number and its error from the number, followed by those of the galaxies drawn again."""
    return Estimate(float(measured[0]), float(np.std(measured[1:], ddof=1)))


@dataclass(frozen=True)
class Score:
    """How well one method predicts one target for one sample of galaxies.

    Parameters
    ----------
    method, target : str
        What was predicted, and by what.
    sample : Sample
        For which galaxies.
    n : int
        How many of them have a true value and a prediction.
    estimates : mapping of str to Estimate
        Each metric with its bootstrapped error, in the unit of the metric; NaN below 10 galaxies.

    Examples
    --------
    >>> from nebulium.metrics import rmse
    >>> columns = {"true": np.arange(50.0), "predicted": np.arange(50.0) + 2}
    >>> found = score_method("shifted", columns, {"rmse": Metric(rmse, "RMSE")}, target="log_mstar")
    >>> found.n, found["rmse"]
    (50, Estimate(value=2.0, error=0.0))
    """

    method: str
    target: str
    sample: Sample
    n: int
    estimates: Mapping[str, Estimate]

    def __getitem__(self, metric: str) -> Estimate:
        """The estimate of a metric."""
        return self.estimates[metric]

    @property
    def pit_ks_limit(self) -> float:
        """The PIT K-S that calibrated predictions exceed in 5 % of samples of as many galaxies."""
        return KS_LIMIT / math.sqrt(self.n) if self.n else math.nan

    def record(self) -> dict[str, Any]:
        """The score as a row of a table."""
        limit = {"pit_ks_limit": self.pit_ks_limit} if "pit_ks" in self.estimates else {}
        return {
            "target": self.target,
            "method": self.method,
            **self.sample.record(),
            "galaxies": self.n,
            **self.estimates,
            **limit,
        }


def score_method(
    method: str,
    columns: Columns,
    metrics: Mapping[str, Metric],
    *,
    target: str = "",
    sample: Sample | None = None,
    bootstrap: Bootstrap | None = None,
) -> Score:
    """Score one method on one target.

    Parameters
    ----------
    method, target : str
        Their names.
    columns : mapping of str to ndarray of shape (n,)
        "true" and what else the metrics take, NaN where missing; galaxies are counted for the first metric
        that can be measured.
    metrics : mapping of str to Metric
        By name; one whose columns are not there is NaN.
    sample : Sample, optional
        The galaxies; all of them if not given.
    bootstrap : Bootstrap, optional
        Gives the errors; 200 draws if not given.

    Returns
    -------
    Score

    Raises
    ------
    ValueError
        If the columns have different lengths.

    Examples
    --------
    >>> from nebulium.metrics import bias_mean
    >>> columns = {"true": np.zeros(20), "predicted": np.full(20, 0.5)}
    >>> score_method("any", columns, {"bias_mean": Metric(bias_mean, "mean bias")})["bias_mean"].value
    0.5
    """
    sample, bootstrap = sample or all_galaxies(len(columns["true"])), bootstrap or Bootstrap()
    estimates = {
        name: to_estimate(bootstrap(metric.measure, *known_values(columns, metric.columns, sample)))
        for name, metric in metrics.items()
    }
    measured = (metric.columns for metric in metrics.values() if set(metric.columns) <= set(columns))
    counted = known_values(columns, next(measured, PAIR), sample)
    return Score(method, target, sample, len(counted[0]), estimates)


def known_values(columns: Columns, names: Sequence[str], sample: Sample) -> list[Values]:
    """Columns of those galaxies of a sample that lack none of them; empty if there is no such column."""
    if any(name not in columns for name in names):
        return [np.zeros(0) for _ in names]
    chosen = np.stack([columns[name][sample.rows] for name in names]).astype(np.float64)
    return list(chosen[:, np.isfinite(chosen).all(axis=0)])
