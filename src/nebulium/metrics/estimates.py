"""Bootstrapped scores of samples that may be too small for one."""

import math
from collections.abc import Callable

import numpy as np

from nebulium.metrics.probabilistic import Estimate, bootstrap

#: An estimate for what cannot be measured: too few galaxies, or nothing predicted.
UNKNOWN = Estimate(math.nan, math.nan)
FEWEST = 10


def estimate(
    statistic: Callable[..., float], *rows: np.ndarray, resamples: int = 200, seed: int = 0
) -> Estimate:
    """A bootstrapped statistic, or nothing where there are too few rows for it.

    Parameters
    ----------
    statistic : callable
        Takes the arrays, returns a float.
    *rows : ndarray of shape (n, ...)
        Drawn together.
    resamples : int
        Draws of the bootstrap that gives the error.
    seed : int
        Its seed; the same rows are drawn for every statistic of as many rows.

    Returns
    -------
    Estimate
        NaN below 10 rows.

    Examples
    --------
    >>> estimate(lambda x: float(x.mean()), np.arange(5.0))
    Estimate(value=nan, error=nan)
    """
    if len(rows[0]) < FEWEST:
        return UNKNOWN
    return bootstrap(statistic, *rows, seed=seed, resamples=resamples)
