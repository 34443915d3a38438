"""Metrics of predicted distributions, given as samples or as quantiles on a grid.

Missing values are an error unless `mask` says which rows count, as in `nebulium.metrics.point`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from nebulium.metrics.point import Mask, Values, kept

Draws = Float[np.ndarray, "_ sample"]


class Estimate(NamedTuple):
    """A number and its standard error.

    Parameters
    ----------
    value : float
        The number.
    error : float
        Its standard error.

    Examples
    --------
    >>> Estimate(0.68, 0.01).value
    0.68
    """

    value: float
    error: float


def interval_coverage(observed: Values, lower: Values, upper: Values, *, mask: Mask | None = None) -> float:
    """Fraction of observed values between two predicted quantiles.

    Parameters
    ----------
    observed, lower, upper : ndarray of shape (n,)
        In one unit.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.

    Returns
    -------
    float
        To be compared with the nominal one, such as 0.68 for the quantiles 0.16 and 0.84.

    Raises
    ------
    ValueError
        The lengths differ, no row counts, a value is NaN or infinite, or a lower bound
        is above its upper one.

    Examples
    --------
    >>> interval_coverage(np.array([0.0, 1.0, 5.0, 2.0]), np.zeros(4), np.full(4, 2.0))
    0.75
    """
    observed, lower, upper = kept(mask, observed, lower, upper)
    crossed = int(np.count_nonzero(lower > upper))
    if crossed:
        raise ValueError(f"{crossed} intervals have their lower bound above the upper one")
    return float(np.mean((observed >= lower) & (observed <= upper)))


def pit_from_samples(observed: Values, samples: Draws, *, mask: Mask | None = None) -> Values:
    """Probability integral transform: where in its predicted distribution each observed value falls.

    Parameters
    ----------
    observed : ndarray of shape (n,)
        Observed values.
    samples : ndarray of shape (n, sample)
        Samples of each prediction.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.

    Returns
    -------
    ndarray of shape (count,)
        (rank + 1/2) / (sample + 1), ties counted half: uniform if the predictions are calibrated.

    Raises
    ------
    ValueError
        The lengths differ, no row counts, or a value is NaN or infinite.

    Examples
    --------
    >>> pit_from_samples(np.array([2.5]), np.array([[1.0, 2.0, 3.0, 4.0]])).tolist()
    [0.5]
    """
    observed, samples = kept(mask, observed, samples)
    below = np.sum(samples < observed[:, None], axis=1)
    equal = np.sum(samples == observed[:, None], axis=1)
    return (below + 0.5 * equal + 0.5) / (samples.shape[1] + 1)


def pit_from_quantiles(
    observed: Values, levels: Values, quantiles: Float[np.ndarray, "_ _"], *, mask: Mask | None = None
) -> Values:
    """Probability integral transform from quantiles on a grid, linear in between.

    Parameters
    ----------
    observed : ndarray of shape (n,)
        Observed values.
    levels : ndarray of shape (level,)
        Probabilities between 0 and 1, ascending.
    quantiles : ndarray of shape (n, level)
        Value of each prediction at these levels, ascending.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.

    Returns
    -------
    ndarray of shape (count,)
        Values beyond the outermost quantiles get the middle of the tail: half the first level, or half way
        from the last one to 1.

    Raises
    ------
    ValueError
        The lengths differ, no row counts, a value is NaN or infinite, or levels or
        quantiles do not ascend.

    Examples
    --------
    >>> levels, quantiles = np.array([0.1, 0.5, 0.9]), np.array([[0.0, 1.0, 3.0]] * 3)
    >>> pit_from_quantiles(np.array([2.0, 0.5, 9.0]), levels, quantiles).round(3).tolist()
    [0.7, 0.3, 0.95]
    """
    observed, quantiles = kept(mask, observed, quantiles)
    levels = _checked_levels(levels, quantiles)
    pairs = zip(observed, quantiles, strict=True)
    tails = {"left": 0.5 * levels[0], "right": 0.5 * (1.0 + levels[-1])}
    return np.array([np.interp(value, row, levels, **tails) for value, row in pairs])


def _checked_levels(levels: np.ndarray, quantiles: np.ndarray) -> Values:
    """Levels in double precision, once they and the quantiles are known to ascend."""
    levels = np.asarray(levels, np.float64)
    if levels[0] <= 0 or levels[-1] >= 1 or np.any(np.diff(levels) <= 0):
        raise ValueError(f"levels must ascend within (0, 1), got {levels}")
    if quantiles.shape[1:] != levels.shape:
        raise ValueError(f"quantiles of shape (n, {levels.size}) expected, got {quantiles.shape}")
    if np.any(np.diff(quantiles, axis=1) < 0):
        raise ValueError("quantiles must ascend with their level in every row")
    return levels


def pit_ks(pit: Values) -> float:
    """Kolmogorov-Smirnov distance of the PIT values from uniform; 0 is ideal.

    Parameters
    ----------
    pit : ndarray of shape (n,)
        PIT values, 0 to 1.

    Returns
    -------
    float
        Largest difference between their cumulative distribution and the diagonal.

    Raises
    ------
    ValueError
        The lengths differ, no row counts, a value is NaN or infinite, or a value is outside 0 to 1.

    Examples
    --------
    >>> pit_ks(np.array([0.25, 0.75]))
    0.25
    """
    (pit,) = kept(None, pit)
    if pit.min() < 0 or pit.max() > 1:
        raise ValueError(f"PIT values lie between 0 and 1, got {pit.min()} to {pit.max()}")
    ordered, count = np.sort(pit), len(pit)
    steps = np.arange(count + 1) / count
    return float(max(np.max(steps[1:] - ordered), np.max(ordered - steps[:-1])))


def crps_from_samples(observed: Values, samples: Draws, *, mask: Mask | None = None) -> Values:
    """Continuous ranked probability score of each row, unbiased in the number of samples.

    Parameters
    ----------
    observed : ndarray of shape (n,)
        Observed values.
    samples : ndarray of shape (n, sample)
        At least two samples of each prediction.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.

    Returns
    -------
    ndarray of shape (count,)
        mean|x - y| - sum_ij |x_i - x_j| / (2 m (m - 1)), in the unit of the values; smaller is better. A
        single row may come out negative; the mean estimates the score of the distribution without bias.

    Raises
    ------
    ValueError
        The lengths differ, no row counts, a value is NaN or infinite, or there are fewer
        than two samples.

    References
    ----------
    Ferro 2014, QJRMS 140, 1917 (the "fair" score).

    Examples
    --------
    >>> crps_from_samples(np.array([0.0]), np.array([[1.0, 3.0]])).tolist()
    [1.0]
    """
    observed, samples = kept(mask, observed, samples)
    count = samples.shape[1]
    if count < 2:
        raise ValueError("the score needs at least two samples of each prediction")
    ordered = np.sort(samples, axis=1)
    # sum_ij |x_i - x_j| = 2 sum_i (2 i - m + 1) x_(i) over sorted samples: no m x m array.
    weights = 2.0 * np.arange(count) - count + 1
    spread = ordered @ weights / (count * (count - 1))
    return np.mean(np.abs(samples - observed[:, None]), axis=1) - spread


def crps_from_quantiles(
    observed: Values, levels: Values, quantiles: Float[np.ndarray, "_ _"], *, mask: Mask | None = None
) -> Values:
    """Continuous ranked probability score of each row from quantiles on a grid.

    Parameters
    ----------
    observed : ndarray of shape (n,)
        Observed values.
    levels : ndarray of shape (level,)
        Probabilities between 0 and 1, ascending.
    quantiles : ndarray of shape (n, level)
        Value of each prediction at these levels, ascending.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.

    Returns
    -------
    ndarray of shape (count,)
        Twice the pinball loss integrated over the level, each quantile standing for the levels nearest to
        it; in the unit of the values. With few levels the tails are cut, so compare only scores on one grid.

    Raises
    ------
    ValueError
        The lengths differ, no row counts, a value is NaN or infinite, or levels or
        quantiles do not ascend.

    Examples
    --------
    >>> crps_from_quantiles(np.array([3.0]), np.array([0.5]), np.array([[1.0]])).tolist()
    [2.0]
    """
    observed, quantiles = kept(mask, observed, quantiles)
    levels = _checked_levels(levels, quantiles)
    edges = np.concatenate([[0.0], 0.5 * (levels[1:] + levels[:-1]), [1.0]])
    error = observed[:, None] - quantiles
    pinball = np.maximum(levels * error, (levels - 1.0) * error)
    return 2.0 * pinball @ np.diff(edges)


def cde_loss(
    observed: Values,
    grid: Float[np.ndarray, " point"],
    density: Float[np.ndarray, "_ _"],
    *,
    mask: Mask | None = None,
) -> Values:
    """Conditional density loss of each row, from densities on a grid.

    Parameters
    ----------
    observed : ndarray of shape (n,)
        Observed values.
    grid : ndarray of shape (point,)
        Where the densities are given, ascending.
    density : ndarray of shape (n, point)
        Predicted densities, in 1 / unit of the values.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.

    Returns
    -------
    ndarray of shape (count,)
        integral of p^2, by trapezoids, minus twice p at the point of the grid nearest to the observed value;
        smaller is better. Its mean is the loss that qp and RAIL give.

    Raises
    ------
    ValueError
        The lengths differ, no row counts, a value is NaN or infinite, or the grid does
        not ascend or fit the densities.

    References
    ----------
    Izbicki & Lee 2017, arXiv:1704.08095; qp, `CDELossMetric`.

    Examples
    --------
    >>> cde_loss(np.array([0.4]), np.array([0.0, 0.5, 1.0]), np.array([[0.0, 2.0, 0.0]])).tolist()
    [-2.0]
    """
    observed, density = kept(mask, observed, density)
    grid = np.asarray(grid, np.float64)
    if density.shape[1:] != grid.shape or np.any(np.diff(grid) <= 0):
        raise ValueError(f"an ascending grid of {density.shape[1]} points expected, got {grid.size}")
    # Half way between two points the lower one is taken, as argmin does.
    nearest = np.searchsorted(0.5 * (grid[1:] + grid[:-1]), observed, side="left")
    at_observed = np.take_along_axis(density, nearest[:, None], axis=1)[:, 0]
    return np.trapezoid(density**2, grid, axis=1) - 2.0 * at_observed


def bootstrap(
    statistic: Callable[..., float], *arrays: np.ndarray, seed: int, resamples: int = 200
) -> Estimate:
    """A statistic of rows and its standard error, by drawing the rows again with replacement.

    Parameters
    ----------
    statistic : callable
        Takes the arrays, returns a float.
    *arrays : ndarray of shape (n, ...)
        Drawn together, row by row.
    seed : int
        Seed of the draws.
    resamples : int
        How many times the rows are drawn.

    Returns
    -------
    Estimate
        The statistic of the rows as they are, and the standard deviation over the draws.

    Raises
    ------
    ValueError
        Arrays of different lengths, or fewer than two resamples.

    Examples
    --------
    >>> bootstrap(lambda x: float(x.mean()), np.arange(100.0), seed=1)
    Estimate(value=49.5, error=2.9...)
    """
    drawn = bootstrap_draws(statistic, *arrays, seed=seed, resamples=resamples)
    return Estimate(float(statistic(*arrays)), float(np.std(drawn, ddof=1)))


def bootstrap_draws(
    statistic: Callable[..., float], *arrays: np.ndarray, seed: int, resamples: int = 200
) -> Float[np.ndarray, " draw"]:
    """A statistic of rows drawn again with replacement, draw by draw."""
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1 or resamples < 2:
        raise ValueError(
            f"arrays of one length and two resamples or more expected, got {lengths}, {resamples}"
        )
    random = np.random.default_rng(seed)
    count = lengths.pop()
    draws = (random.integers(count, size=count) for _ in range(resamples))
    return np.array([float(statistic(*(array[rows] for array in arrays))) for rows in draws])
