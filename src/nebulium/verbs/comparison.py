"""Methods compared on the same galaxies: by how much one is better than another, and how sure that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nebulium.metrics.probabilistic import Estimate
from nebulium.verbs.score import Bootstrap, Columns, Metric, Sample, all_galaxies, known_values, to_estimate


@dataclass(frozen=True)
class Comparison:
    """By how much one method is better than another on the same galaxies, in one metric.

    Parameters
    ----------
    method, rival, target, metric : str
        What is compared with what.
    sample : Sample
        The galaxies.
    n : int
        How many of them both methods predict.
    difference : Estimate
        The loss of the rival minus that of the method, in the unit of the metric; of a bias the loss is its
        absolute value, of a correlation its negative.
    reduction : Estimate
        The same as a share of the loss of the rival: 0.2 is 20 % smaller. NaN where that is not positive.

    Examples
    --------
    >>> from nebulium.metrics import rmse
    >>> from nebulium.verbs.score import smaller
    >>> true, metrics = np.arange(50.0), {"rmse": Metric(rmse, "RMSE", loss=smaller)}
    >>> methods = {name: {"true": true, "predicted": true + off} for name, off in {"a": 1, "b": 4}.items()}
    >>> (found,) = compare_methods(methods, metrics)
    >>> found.rival, found.difference.value, found.reduction.value
    ('b', 3.0, 0.75)
    """

    method: str
    rival: str
    target: str
    metric: str
    sample: Sample
    n: int
    difference: Estimate
    reduction: Estimate

    def record(self) -> dict[str, Any]:
        """The comparison as a row of a table."""
        return {
            "target": self.target,
            "method": self.method,
            "rival": self.rival,
            "metric": self.metric,
            **self.sample.record(),
            "galaxies": self.n,
            "difference": self.difference,
            "reduction": self.reduction,
        }


def compare_methods(
    methods: Mapping[str, Columns],
    metrics: Mapping[str, Metric],
    *,
    method: str | None = None,
    target: str = "",
    sample: Sample | None = None,
    bootstrap: Bootstrap | None = None,
) -> tuple[Comparison, ...]:
    """Compare one method with each of the others, on galaxies drawn together.

    Parameters
    ----------
    methods : mapping of str to mapping of str to ndarray of shape (n,)
        The columns of each method, as `score_method` takes them: the same galaxies in the same order.
    metrics : mapping of str to Metric
        Those without a loss are left out, and those whose columns a method lacks.
    method : str, optional
        The one that is compared; the first if not given.
    target : str
        What is predicted.
    sample : Sample, optional
        The galaxies; all if not given.
    bootstrap : Bootstrap, optional
        Gives the errors; 200 draws if not given.

    Returns
    -------
    tuple of Comparison
        Rival by rival, metric by metric.

    Raises
    ------
    ValueError
        If the true values of two methods differ.

    Examples
    --------
    >>> compare_methods({"alone": {"true": np.zeros(9), "predicted": np.ones(9)}}, {})
    ()
    """
    method = method or next(iter(methods))
    ours, bootstrap = methods[method], bootstrap or Bootstrap()
    sample = sample or all_galaxies(len(ours["true"]))
    found = []
    for rival, theirs in methods.items():
        if not np.array_equal(theirs["true"], ours["true"], equal_nan=True):
            raise ValueError("all methods must be compared on the same galaxies, in the same order")
        for name, metric in metrics.items() if rival != method else ():
            if metric.loss is None or not {*metric.columns} <= {*ours} & {*theirs}:
                continue
            count = len(metric.columns)
            both = {
                f"{whose} {column}": columns[column]
                for whose, columns in {"our": ours, "their": theirs}.items()
                for column in metric.columns
            }
            values = known_values(both, list(both), sample)
            our_loss, their_loss = (
                metric.loss(bootstrap(metric.measure, *part)) for part in (values[:count], values[count:])
            )
            difference = their_loss - our_loss
            reduction = np.full_like(difference, np.nan)
            if metric.has_share:
                np.divide(difference, their_loss, out=reduction, where=their_loss > 0)
            better = to_estimate(difference), to_estimate(reduction)
            found.append(Comparison(method, rival, target, name, sample, len(values[0]), *better))
    return tuple(found)
