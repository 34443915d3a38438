"""Metrics of point predictions, each convention of the field under its own name.

All take `observed` and `predicted` of shape (n,) and return a float. Missing values are an error unless
`mask` says which rows count, so that no row is dropped in silence. Three papers mean three things by "bias"
and two by "NMAD":

=================================  =======================================================
Khederlarian et al. 2024 (EWs)     `bias_median_ratio`, `nmad_uncentred`, `spearman`
Khederlarian et al. 2026 (PITA)    `bias_mean`, `nmad`, `outlier_fraction`
RAIL                               `bias_median`, `nmad`, `sigma_iqr`, `outlier_fraction_rail`
=================================  =======================================================

For photometric redshifts give `scale=1 + redshift`: the last two
papers mean residuals (z_pred - z) / (1 + z).
"""

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy import stats

# Lengths are compared in `kept`, whose message says more than a type error.
Values = Float[np.ndarray, " _"]
Mask = Bool[np.ndarray, " _"]

# Median absolute deviation to standard deviation of a Gaussian, and as rounded by Khederlarian et al. 2024.
MAD_TO_SIGMA = 1.4826
MAD_TO_SIGMA_ROUNDED = 1.48
# Interquartile range of a Gaussian over its standard deviation, as rounded by RAIL.
IQR_TO_SIGMA = 1.349


def kept(mask: Mask | None, *arrays: Shaped[np.ndarray, "_ ..."]) -> tuple[np.ndarray, ...]:
    """Rows that count, in every array, in double precision."""
    lengths = {len(array) for array in arrays} | ({len(mask)} if mask is not None else set())
    if len(lengths) != 1:
        raise ValueError(f"arrays of equal length expected, got lengths {sorted(lengths)}")
    chosen = [np.asarray(array if mask is None else array[mask], np.float64) for array in arrays]
    if chosen[0].shape[0] == 0:
        raise ValueError("no row to measure: the arrays are empty, or the mask is False everywhere")
    for array in chosen:
        bad = int(np.count_nonzero(~np.isfinite(array)))
        if bad:
            raise ValueError(f"{bad} values are NaN or infinite; give mask= to say which rows count")
    return tuple(chosen)


def residuals(
    observed: Values, predicted: Values, *, mask: Mask | None = None, scale: Values | None = None
) -> Values:
    """Predicted minus observed, over `scale`.

    Parameters
    ----------
    observed, predicted : ndarray of shape (n,)
        In one unit.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.
    scale : ndarray of shape (n,), optional
        What each residual is divided by: 1 + redshift for photometric redshifts.

    Returns
    -------
    ndarray of shape (count,)

    Raises
    ------
    ValueError
        The lengths differ, no row counts, or a value is NaN or infinite.

    Examples
    --------
    >>> residuals(np.array([1.0, 0.5]), np.array([1.5, 0.8]), scale=np.array([2.0, 1.5])).round(2).tolist()
    [0.25, 0.2]
    """
    scale = np.ones(len(observed)) if scale is None else scale
    observed, predicted, scale = kept(mask, observed, predicted, scale)
    return (predicted - observed) / scale


def rmse(observed: Values, predicted: Values, *, mask: Mask | None = None) -> float:
    """Root mean square of the residuals, not centred.

    Parameters
    ----------
    observed, predicted : array of shape (n,)
        In one unit.
    mask : array of bool, optional
        Rows to use.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        The lengths differ, no row counts, or a value is NaN or infinite.

    Examples
    --------
    >>> rmse(np.zeros(2), np.array([3.0, -3.0]))
    3.0
    """
    return float(np.sqrt(np.mean(residuals(observed, predicted, mask=mask) ** 2)))


def spearman(observed: Values, predicted: Values, *, mask: Mask | None = None) -> float:
    """Spearman's rank correlation.

    Parameters
    ----------
    observed, predicted : ndarray of shape (n,)
        In any units.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.

    Returns
    -------
    float
        -1 to 1; NaN if either is constant, since a constant has no ranks.

    Raises
    ------
    ValueError
        The lengths differ, no row counts, or a value is NaN or infinite.

    Examples
    --------
    >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 9.0])), 6)
    1.0
    """
    observed, predicted = kept(mask, observed, predicted)
    if np.ptp(observed) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(np.corrcoef(stats.rankdata(observed), stats.rankdata(predicted))[0, 1])


def nmad(
    observed: Values, predicted: Values, *, mask: Mask | None = None, scale: Values | None = None
) -> float:
    """Normalised median absolute deviation of the residuals, centred on their median.

    Parameters
    ----------
    observed, predicted : ndarray of shape (n,)
        In one unit.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.
    scale : ndarray of shape (n,), optional
        What each residual is divided by: 1 + redshift for photometric redshifts.

    Returns
    -------
    float
        1.4826 median|d - median(d)|, in the unit of the residuals.

    Raises
    ------
    ValueError
        The lengths differ, no row counts, or a value is NaN or infinite.

    Examples
    --------
    >>> nmad(np.zeros(5), np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    1.4826
    """
    left = residuals(observed, predicted, mask=mask, scale=scale)
    return MAD_TO_SIGMA * float(np.median(np.abs(left - np.median(left))))


def nmad_uncentred(observed: Values, predicted: Values, *, mask: Mask | None = None) -> float:
    """Normalised median absolute residual, not centred, so that a bias counts too.

    Parameters
    ----------
    observed, predicted : ndarray of shape (n,)
        In one unit.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.

    Returns
    -------
    float
        1.48 median|predicted - observed|, in the unit of both.

    Raises
    ------
    ValueError
        The lengths differ, no row counts, or a value is NaN or infinite.

    References
    ----------
    Khederlarian et al. 2024, MNRAS 531, 1454, public code.

    Examples
    --------
    >>> round(nmad_uncentred(np.zeros(5), np.array([1.0, 2.0, 3.0, 4.0, 5.0])), 6)
    4.44
    """
    left = residuals(observed, predicted, mask=mask)
    return MAD_TO_SIGMA_ROUNDED * float(np.median(np.abs(left)))


def bias_median_ratio(observed: Values, predicted: Values, *, mask: Mask | None = None) -> float:
    """Median of predicted over observed; 1 is ideal.

    Parameters
    ----------
    observed, predicted : ndarray of shape (n,)
        In one unit; observed values must not be 0.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        The lengths differ, no row counts, a value is NaN or infinite, or an observed one is 0.

    References
    ----------
    Khederlarian et al. 2024, MNRAS 531, 1454, public code.

    Examples
    --------
    >>> bias_median_ratio(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 8.0]))
    1.5
    """
    observed, predicted = kept(mask, observed, predicted)
    if np.any(observed == 0):
        raise ValueError("a ratio needs observed values other than 0; leave those rows out by mask=")
    return float(np.median(predicted / observed))


def bias_mean(
    observed: Values, predicted: Values, *, mask: Mask | None = None, scale: Values | None = None
) -> float:
    """Mean of the residuals; 0 is ideal.

    Parameters
    ----------
    observed, predicted : ndarray of shape (n,)
        In one unit.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.
    scale : ndarray of shape (n,), optional
        What each residual is divided by: 1 + redshift for photometric redshifts.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        The lengths differ, no row counts, or a value is NaN or infinite.

    References
    ----------
    Khederlarian et al. 2026 (PITA), arXiv:2602.10207, public code.

    Examples
    --------
    >>> bias_mean(np.zeros(3), np.array([0.0, 1.0, 5.0]))
    2.0
    """
    return float(np.mean(residuals(observed, predicted, mask=mask, scale=scale)))


def bias_median(
    observed: Values, predicted: Values, *, mask: Mask | None = None, scale: Values | None = None
) -> float:
    """Median of the residuals; 0 is ideal.

    Parameters
    ----------
    observed, predicted : ndarray of shape (n,)
        In one unit.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.
    scale : ndarray of shape (n,), optional
        What each residual is divided by: 1 + redshift for photometric redshifts.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        The lengths differ, no row counts, or a value is NaN or infinite.

    References
    ----------
    RAIL, rail_base, point-estimate metrics.

    Examples
    --------
    >>> bias_median(np.zeros(3), np.array([0.0, 1.0, 5.0]))
    1.0
    """
    return float(np.median(residuals(observed, predicted, mask=mask, scale=scale)))


def sigma_iqr(
    observed: Values, predicted: Values, *, mask: Mask | None = None, scale: Values | None = None
) -> float:
    """Standard deviation of the residuals, from their interquartile range.

    Parameters
    ----------
    observed, predicted : ndarray of shape (n,)
        In one unit.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.
    scale : ndarray of shape (n,), optional
        What each residual is divided by: 1 + redshift for photometric redshifts.

    Returns
    -------
    float
        (q75 - q25) / 1.349.

    Raises
    ------
    ValueError
        The lengths differ, no row counts, or a value is NaN or infinite.

    References
    ----------
    RAIL, rail_base, point-estimate metrics.

    Examples
    --------
    >>> round(sigma_iqr(np.zeros(5), np.array([1.0, 2.0, 3.0, 4.0, 5.0])), 4)
    1.4826
    """
    lower, upper = np.percentile(residuals(observed, predicted, mask=mask, scale=scale), [25, 75])
    return float(upper - lower) / IQR_TO_SIGMA


def outlier_fraction(
    observed: Values,
    predicted: Values,
    *,
    threshold: float = 0.15,
    mask: Mask | None = None,
    scale: Values | None = None,
) -> float:
    """Fraction of residuals larger than a fixed threshold.

    Parameters
    ----------
    observed, predicted : ndarray of shape (n,)
        In one unit.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.
    scale : ndarray of shape (n,), optional
        What each residual is divided by: 1 + redshift for photometric redshifts.
    threshold : float
        The largest residual that is no outlier; 0.15 for photometric redshifts.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        The lengths differ, no row counts, or a value is NaN or infinite.

    References
    ----------
    Khederlarian et al. 2026 (PITA), arXiv:2602.10207, public code.

    Examples
    --------
    >>> outlier_fraction(np.zeros(4), np.array([0.0, 0.1, 0.2, -0.3]))
    0.5
    """
    left = residuals(observed, predicted, mask=mask, scale=scale)
    return float(np.mean(np.abs(left) > threshold))


def outlier_fraction_rail(
    observed: Values,
    predicted: Values,
    *,
    floor: float = 0.06,
    mask: Mask | None = None,
    scale: Values | None = None,
) -> float:
    """Fraction of residuals larger than three `sigma_iqr`, and than a floor.

    Parameters
    ----------
    observed, predicted : ndarray of shape (n,)
        In one unit.
    mask : ndarray of bool, shape (n,), optional
        True where a row counts.
    scale : ndarray of shape (n,), optional
        What each residual is divided by: 1 + redshift for photometric redshifts.
    floor : float
        The threshold is max(floor, 3 sigma_iqr).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        The lengths differ, no row counts, or a value is NaN or infinite.

    References
    ----------
    RAIL, rail_base, point-estimate metrics.

    Examples
    --------
    >>> outlier_fraction_rail(np.zeros(5), np.array([0.0, 0.0, 0.0, 0.0, 0.07]))
    0.2
    """
    left = residuals(observed, predicted, mask=mask, scale=scale)
    threshold = max(floor, 3 * sigma_iqr(observed, predicted, mask=mask, scale=scale))
    return float(np.mean(np.abs(left) > threshold))
