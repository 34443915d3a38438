"""Methods compared on the same galaxies: by how much one is better than another, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nebulium.metrics.estimates import FEWEST
from nebulium.metrics.probabilistic import Estimate, bootstrap_draws
from nebulium.photoz.scores.galaxies import Sample, ScoredGalaxies
from nebulium.photoz.scores.scores import METRICS

Values = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class RedshiftComparison:
    """By how much one method is better than another on the same galaxies, in one metric.

    Attributes
    ----------
    metric, method, rival : str
        Which.
    quantity : str
        What the galaxies of the sample have in common; "all" for all.
    low, middle, high : float
        Least, median and greatest value of it in the sample; NaN for all.
    galaxies : int
        Number of galaxies.
    difference : Estimate
        The metric of the rival minus that of the method, of biases the absolute values.
    reduction : Estimate
        The same as a share of the metric of the rival: 0.2 is 20 % smaller. NaN where that is not positive.
    """

    metric: str
    method: str
    rival: str
    quantity: str
    low: float
    middle: float
    high: float
    galaxies: int
    difference: Estimate
    reduction: Estimate


#: Metrics that are better when they are smaller.
COMPARED = (
    "bias_mean", "nmad", "outliers_015", "bias_median", "sigma_iqr", "outliers_rail",
    "rms", "crps", "cde_loss",
)  # fmt: skip


def compare_methods(
    galaxies: Mapping[str, ScoredGalaxies], samples: Sequence[Sample], *, resamples: int = 200, seed: int = 0
) -> tuple[RedshiftComparison, ...]:
    """Compare the first method with each of the others, sample by sample."""
    (method, ours), *rivals = galaxies.items()
    if any(not np.array_equal(theirs.redshift, ours.redshift) for _, theirs in rivals):
        raise ValueError("all methods must be compared on the same galaxies, in the same order")
    gains: list[RedshiftComparison] = []
    for sample in samples:
        measured = {name: _measured(those, sample, resamples, seed) for name, those in galaxies.items()}
        for rival, _ in rivals:
            gains += _gains((method, rival), measured[method], measured[rival], sample)
    return tuple(gains)


def _measured(galaxies: ScoredGalaxies, sample: Sample, resamples: int, seed: int) -> dict[str, Values]:
    """Each metric of a sample, then of the galaxies drawn again; nothing where there are too few.

    Of biases the absolute values. One seed draws the same galaxies for all methods.
    """
    if len(sample.rows) < FEWEST:
        return {name: np.full(resamples + 1, np.nan) for name in COMPARED}
    measured = {}
    for name in COMPARED:
        column, metric = METRICS[name]
        values = getattr(galaxies, column)[sample.rows]
        drawn = bootstrap_draws(metric, values, seed=seed, resamples=resamples)
        found = np.append(metric(values), drawn)
        measured[name] = np.abs(found) if name.startswith("bias") else found
    return measured


def _gains(
    names: tuple[str, str], ours: Mapping[str, Values], theirs: Mapping[str, Values], sample: Sample
) -> list[RedshiftComparison]:
    method, rival = names
    gains = []
    for metric in COMPARED:
        difference = theirs[metric] - ours[metric]
        reduction = np.full_like(difference, np.nan)
        # The CDE loss has no zero to be a share of.
        if metric != "cde_loss":
            np.divide(difference, theirs[metric], out=reduction, where=theirs[metric] > 0)
        gains.append(
            RedshiftComparison(
                metric,
                method,
                rival,
                sample.quantity,
                sample.low,
                sample.middle,
                sample.high,
                len(sample.rows),
                difference=_estimate(difference),
                reduction=_estimate(reduction),
            )
        )
    return gains


def _estimate(measured: Values) -> Estimate:
    """Of a number, and then that of the galaxies drawn again."""
    return Estimate(float(measured[0]), float(np.std(measured[1:], ddof=1)))
