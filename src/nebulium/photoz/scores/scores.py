"""Scores of photometric redshifts in the conventions of the field, with their errors.

Residuals are delta = (z_pred - z) / (1 + z). What PITA (Khederlarian et al. 2026, arXiv:2602.10207) and RAIL
mean by bias and by outliers differs, and so do the names here; their NMAD and sigma_MAD are one number.
Densities are scored by coverage, PIT, CRPS and CDE loss.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nebulium.metrics.estimates import estimate
from nebulium.metrics.point import (
    bias_mean,
    bias_median,
    nmad,
    outlier_fraction,
    outlier_fraction_rail,
    rmse,
    sigma_iqr,
)
from nebulium.metrics.probabilistic import Estimate, pit_ks
from nebulium.photoz.scores.galaxies import Sample, ScoredGalaxies

Values = Float[np.ndarray, " n"]

#: Kolmogorov-Smirnov distance from uniform, times sqrt(n), that chance exceeds in 5 % of samples.
KS_LIMIT = 1.36


@dataclass(frozen=True)
class RedshiftScore:
    """How well one method does on one sample.

    Attributes
    ----------
    method : str
        Which.
    quantity : str
        What the galaxies of the sample have in common; "all" for all.
    low, middle, high : float
        Least, median and greatest value of it in the sample; NaN for all.
    galaxies : int
        Number of galaxies.
    pit_ks_limit : float
        `pit_ks` that calibrated densities exceed in 5 % of samples of as many galaxies: 1.36 / sqrt(n).
    bias_mean, nmad, outliers_015 : Estimate
        PITA: mean of delta, 1.4826 median|delta - median(delta)|, share with |delta| > 0.15. The NMAD is also
        the sigma_MAD of RAIL.
    bias_median, sigma_iqr, outliers_rail : Estimate
        RAIL: median of delta, its interquartile range / 1.349, share with |delta| > max(0.06, 3 sigma_iqr).
    rms : Estimate
        Root mean square of delta, outliers included.
    coverage_68, coverage_95 : Estimate
        Share of true redshifts in the central 68 and 95 % of their densities.
    pit_ks : Estimate
        Kolmogorov-Smirnov distance of the PIT values from uniform.
    crps, cde_loss, odds : Estimate
        Means over the galaxies.
    """

    method: str
    quantity: str
    low: float
    middle: float
    high: float
    galaxies: int
    pit_ks_limit: float
    bias_mean: Estimate
    nmad: Estimate
    outliers_015: Estimate
    bias_median: Estimate
    sigma_iqr: Estimate
    outliers_rail: Estimate
    rms: Estimate
    coverage_68: Estimate
    coverage_95: Estimate
    pit_ks: Estimate
    crps: Estimate
    cde_loss: Estimate
    odds: Estimate


def _of_delta(metric: Callable[..., float]) -> Callable[[Values], float]:
    # The metrics take observed and predicted values: those of delta are 0 and delta.
    return lambda delta: metric(np.zeros_like(delta), delta)


def _covered(level: float) -> Callable[[Values], float]:
    return lambda pit: float(np.mean(np.abs(pit - 0.5) <= level / 2))


def _average(values: Values) -> float:
    return float(np.mean(values))


#: What each metric is measured of, and how.
METRICS: Mapping[str, tuple[str, Callable[[Values], float]]] = {
    "bias_mean": ("delta", _of_delta(bias_mean)),
    "nmad": ("delta", _of_delta(nmad)),
    "outliers_015": ("delta", _of_delta(outlier_fraction)),
    "bias_median": ("delta", _of_delta(bias_median)),
    "sigma_iqr": ("delta", _of_delta(sigma_iqr)),
    "outliers_rail": ("delta", _of_delta(outlier_fraction_rail)),
    "rms": ("delta", _of_delta(rmse)),
    "coverage_68": ("pit", _covered(0.68)),
    "coverage_95": ("pit", _covered(0.95)),
    "pit_ks": ("pit", pit_ks),
    "crps": ("crps", _average),
    "cde_loss": ("cde_loss", _average),
    "odds": ("odds", _average),
}


def score_redshifts(
    method: str, galaxies: ScoredGalaxies, sample: Sample, *, resamples: int = 200, seed: int = 0
) -> RedshiftScore:
    """Score one method on one sample.

    Parameters
    ----------
    method : str
        Its name.
    galaxies : ScoredGalaxies
    sample : Sample
    resamples : int
        Draws of the bootstrap that gives the errors.
    seed : int
        Its seed; the same galaxies are drawn for every method.

    Returns
    -------
    RedshiftScore
        Scores of fewer than 10 galaxies are NaN.

    Examples
    --------
    >>> from nebulium.photoz.scores.galaxies import all_galaxies
    >>> true, nothing = np.linspace(0.1, 1.0, 50), np.zeros(50)
    >>> galaxies = ScoredGalaxies(true, true + 0.01 * (1 + true), nothing, nothing, nothing, nothing)
    >>> score = score_redshifts("shifted", galaxies, all_galaxies(50), resamples=2)
    >>> round(score.bias_mean.value, 3), score.outliers_015.value
    (0.01, 0.0)
    """
    chosen = galaxies.select(sample.rows)
    estimates = {
        name: estimate(metric, getattr(chosen, column), resamples=resamples, seed=seed)
        for name, (column, metric) in METRICS.items()
    }
    return RedshiftScore(
        method,
        sample.quantity,
        sample.low,
        sample.middle,
        sample.high,
        len(chosen),
        KS_LIMIT / math.sqrt(len(chosen)) if len(chosen) else math.nan,
        **estimates,
    )
