"""What is known of each galaxy about its predicted redshift, and the metrics of it.

Residuals are delta = (z_pred - z) / (1 + z). What PITA (Khederlarian et al. 2026, arXiv:2602.10207) and RAIL
mean by bias and by outliers differs, and so do the names here; their NMAD and sigma_MAD are one number.
Densities are scored by coverage, PIT, CRPS and CDE loss.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from nebulium.data.ids import check_unique_ids
from nebulium.errors import TableError
from nebulium.metrics.estimates import FEWEST
from nebulium.metrics.point import (
    bias_mean,
    bias_median,
    nmad,
    outlier_fraction,
    outlier_fraction_rail,
    rmse,
    sigma_iqr,
)
from nebulium.photometry.fluxes import ZERO_POINT_NJY
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.baselines import fit_train_distribution
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.verbs.score import DISTRIBUTION_METRICS, Columns, Metric, Values, average, smaller

TARGET = "redshift"
#: The trivial baseline, by whose redshifts it knows.
TRAINING_DISTRIBUTION, SCORED_DISTRIBUTION = "training distribution", "distribution of the scored"

#: The redshift of a density, by name.
POINTS: Mapping[str, Callable[[RedshiftDensities], np.ndarray]] = {
    "median": RedshiftDensities.median,
    "mode": RedshiftDensities.mode,
    "mean": RedshiftDensities.mean,
}


def _of_delta(measure: Callable[..., float], heading: str, loss: Callable[[Values], Values]) -> Metric:
    # The metrics take observed and predicted values: those of delta are 0 and delta.
    return Metric(lambda delta: measure(np.zeros_like(delta), delta), heading, ("delta",), loss=loss)


#: PITA: mean of delta, 1.4826 median|delta - median(delta)|, share with |delta| > 0.15. RAIL: median of
#: delta, its interquartile range / 1.349, share with |delta| > max(0.06, 3 sigma_iqr).
METRICS: Mapping[str, Metric] = {
    "bias_mean": _of_delta(bias_mean, "mean bias", np.abs),
    "nmad": _of_delta(nmad, "NMAD", smaller),
    "outliers_015": _of_delta(outlier_fraction, "outliers > 0.15", smaller),
    "bias_median": _of_delta(bias_median, "median bias", np.abs),
    "sigma_iqr": _of_delta(sigma_iqr, "σ(IQR)", smaller),
    "outliers_rail": _of_delta(outlier_fraction_rail, "outliers (RAIL)", smaller),
    "rms": _of_delta(rmse, "RMS", smaller),
    **DISTRIBUTION_METRICS,
    # The CDE loss has no zero to be a share of.
    "cde_loss": replace(
        DISTRIBUTION_METRICS["crps"], heading="CDE loss", columns=("cde_loss",), has_share=False
    ),
    "odds": Metric(average, "mean odds", ("odds",)),
}


def redshift_columns(densities: RedshiftDensities, redshift: Values, *, point: str = "median") -> Columns:
    """What the metrics are measured on.

    Parameters
    ----------
    densities : RedshiftDensities
        Of n galaxies.
    redshift : ndarray of shape (n,)
        True ones, all finite.
    point : str
        The redshift of a density: median, mode or mean.

    Returns
    -------
    mapping of str to ndarray of shape (n,)
        "true", "predicted", "delta" (the residual over 1 + z), "pit" (the probability below the true
        redshift), "inside_68" and "inside_95" (1 or 0), "crps", "cde_loss" and "odds".

    Raises
    ------
    ValueError
        If the redshifts are not finite, or as many as the densities.

    Examples
    --------
    >>> from nebulium.photoz.density.grid import RedshiftGrid
    >>> grid = RedshiftGrid(3.0, 60)
    >>> sure = RedshiftDensities(grid, np.eye(60, dtype=np.float32)[[20, 30]])
    >>> redshift_columns(sure, grid.centres[[20, 30]])["delta"].round(2).tolist()
    [0.0, 0.0]
    """
    if len(densities) != len(redshift) or not np.isfinite(redshift).all():
        raise ValueError(f"{len(densities)} finite redshifts expected, got {np.isfinite(redshift).sum()}")
    true = redshift.astype(np.float64)
    parts = [
        {
            "predicted": POINTS[point](piece),
            "pit": piece.cdf(true[rows]),
            "crps": piece.crps(true[rows]),
            "cde_loss": piece.cde_loss(true[rows]),
            "odds": piece.odds(),
        }
        for rows, piece in densities.chunks()
    ]
    names = ("predicted", "pit", "crps", "cde_loss", "odds")
    columns = {name: np.concatenate([part[name] for part in parts] or [true]) for name in names}
    off = np.abs(columns["pit"] - 0.5)
    return {
        "true": true,
        **columns,
        "delta": (columns["predicted"] - true) / (1.0 + true),
        "inside_68": (off <= 0.68 / 2).astype(np.float64),
        "inside_95": (off <= 0.95 / 2).astype(np.float64),
    }


def baseline_columns(
    training: Values | None, true: Values, grid: RedshiftGrid, *, point: str = "median"
) -> dict[str, Columns]:
    """One distribution for all galaxies, by its name; none where there are too few redshifts for one."""
    for name, known in {TRAINING_DISTRIBUTION: training, SCORED_DISTRIBUTION: true}.items():
        if known is not None and np.sum((known >= 0) & (known <= grid.most)) >= FEWEST:
            mass = np.asarray(fit_train_distribution(known, grid, bands=()).mass)
            densities = RedshiftDensities(grid, np.tile(mass, (len(true), 1)))
            return {name: redshift_columns(densities, true, point=point)}
    return {}


def magnitude_and_colour(galaxies: PhotometricGalaxies) -> dict[str, tuple[Values, str]]:
    """The magnitude in the last band, and the colour of the two in the middle, with their labels."""
    bands, middle = galaxies.bands, len(galaxies.bands) // 2
    with np.errstate(invalid="ignore", divide="ignore"):
        magnitudes = ZERO_POINT_NJY - 2.5 * np.log10(galaxies.flux_njy.astype(np.float64))
    magnitudes[~np.isfinite(magnitudes)] = np.nan
    along = {"mag": (magnitudes[:, -1], f"{bands[-1]} / AB mag")}
    if len(bands) > 1:
        colour = magnitudes[:, middle - 1] - magnitudes[:, middle]
        along["colour"] = (colour, f"{bands[middle - 1]} – {bands[middle]} / AB mag")
    return along


def labelled_rows(
    densities: Mapping[str, RedshiftDensities],
    redshift: Values,
    ids: np.ndarray,
    columns: Mapping[str, Values],
) -> np.ndarray:
    """Galaxies with a redshift, once everything is known to be of the same galaxies."""
    lengths = {name: len(one) for name, one in densities.items()} | {TARGET: len(redshift)}
    lengths |= {name: len(values) for name, values in columns.items()}
    if set(lengths.values()) != {len(ids)}:
        problem = f"of {len(ids)} galaxies expected, got {lengths}"
        raise TableError("redshifts to evaluate", problem, "give the same galaxies in the same order")
    check_unique_ids(lambda: [ids], where="redshifts to evaluate")
    labelled = np.flatnonzero(np.isfinite(redshift))
    if not len(labelled):
        problem = f"have no true redshift among {len(ids)} galaxies"
        raise TableError("redshifts to evaluate", problem, "give galaxies with spectroscopic redshifts")
    return labelled
