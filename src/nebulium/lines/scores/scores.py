"""Scores of predicted equivalent widths, line by line, with their errors.

Point predictions are scored in the published definitions (Khederlarian et al. 2024, MNRAS 531, 1454:
Spearman's rho, uncentred NMAD, median ratio) and in the centred ones; distributions by coverage, PIT, CRPS.
See `nebulium.metrics` for the formulas.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

from nebulium.lines.continuum.line_list import LINES
from nebulium.metrics.estimates import FEWEST, UNKNOWN, estimate
from nebulium.metrics.point import bias_median, bias_median_ratio, nmad, nmad_uncentred, spearman
from nebulium.metrics.probabilistic import (
    Estimate,
    bootstrap,
    crps_from_quantiles,
    pit_from_quantiles,
    pit_ks,
)

Widths = Float[np.ndarray, "n 10"]
Quantiles = Float[np.ndarray, "n level 10"]

#: Levels at which distributions are scored: those of the 68 and 95 % intervals among them.
LEVELS: Float[np.ndarray, " level"] = np.unique(
    np.round(np.append(np.arange(0.025, 0.99, 0.025), [0.005, 0.16, 0.84, 0.995]), 3)
)
#: Nominal coverage of each interval, and the levels that bound it.
INTERVALS: dict[str, tuple[float, float]] = {"68 %": (0.16, 0.84), "95 %": (0.025, 0.975)}
FIFTHS = 5


@dataclass(frozen=True)
class PointScore:
    """How well one method predicts one line.

    Attributes
    ----------
    method, line : str
        Which.
    galaxies : int
        Galaxies that have the line and a prediction.
    spearman : Estimate
        Rank correlation; NaN for a constant prediction.
    nmad_uncentred, bias_median_ratio : Estimate
        As published: AA, and a ratio.
    nmad, bias_median : Estimate
        Centred, AA.
    """

    method: str
    line: str
    galaxies: int
    spearman: Estimate
    nmad_uncentred: Estimate
    bias_median_ratio: Estimate
    nmad: Estimate
    bias_median: Estimate


@dataclass(frozen=True)
class CalibrationScore:
    """How well one predicted distribution of one line agrees with the measurements.

    Attributes
    ----------
    method, line : str
        Which.
    galaxies : int
        Galaxies that have the line and a prediction.
    coverage_68, coverage_95 : Estimate
        Share of the measurements inside the interval.
    pit_ks : Estimate
        Kolmogorov-Smirnov distance of the PIT from uniform.
    crps : Estimate
        Mean continuous ranked probability score, AA.
    coverage_68_by_fifth, coverage_95_by_fifth : tuple of Estimate
        The coverage in each fifth of the galaxies by `continuum_flux_9`, faintest first.
    """

    method: str
    line: str
    galaxies: int
    coverage_68: Estimate
    coverage_95: Estimate
    pit_ks: Estimate
    crps: Estimate
    coverage_68_by_fifth: tuple[Estimate, ...]
    coverage_95_by_fifth: tuple[Estimate, ...]


POINT_METRICS: Mapping[str, Callable[..., float]] = {
    "spearman": spearman,
    "nmad_uncentred": nmad_uncentred,
    "bias_median_ratio": bias_median_ratio,
    "nmad": nmad,
    "bias_median": bias_median,
}


def score_points(
    method: str, observed: Widths, predicted: Widths, *, resamples: int = 50, seed: int = 0
) -> tuple[PointScore, ...]:
    """Score one method's predictions of all lines."""
    scores = []
    for place, line in enumerate(LINES):
        both = np.isfinite(observed[:, place]) & np.isfinite(predicted[:, place])
        pair = observed[both, place], predicted[both, place]
        estimates = {
            name: estimate(metric, *pair, resamples=resamples, seed=seed)
            for name, metric in POINT_METRICS.items()
        }
        scores.append(PointScore(method, line, int(both.sum()), **estimates))
    return tuple(scores)


def spearman_gain(
    observed: Float[np.ndarray, " n"],
    predicted: Float[np.ndarray, " n"],
    rival: Float[np.ndarray, " n"],
    *,
    resamples: int = 50,
    seed: int = 0,
) -> Estimate:
    """Spearman's rho of a prediction above that of a rival on the same galaxies."""
    together = np.isfinite(observed) & np.isfinite(predicted) & np.isfinite(rival)
    rows = observed[together], predicted[together], rival[together]
    return estimate(lambda o, p, r: spearman(o, p) - spearman(o, r), *rows, resamples=resamples, seed=seed)


def score_distribution(
    method: str,
    observed: Widths,
    quantiles: Quantiles,
    flux: Float[np.ndarray, " n"],
    *,
    levels: Float[np.ndarray, " level"] = LEVELS,
    resamples: int = 50,
    seed: int = 0,
) -> tuple[CalibrationScore, ...]:
    """Score the predicted distributions of all lines."""
    fifth = fifths(flux)
    return tuple(
        _score_line(
            (method, line), observed[:, place], quantiles[:, :, place], fifth, levels, resamples, seed
        )
        for place, line in enumerate(LINES)
    )


def fifths(flux: Float[np.ndarray, " n"]) -> Integer[np.ndarray, " n"]:
    """Which fifth of the galaxies each one is in, by brightness."""
    edges = np.quantile(flux, np.arange(1, FIFTHS) / FIFTHS)
    return np.searchsorted(edges, flux, side="right")


def _score_line(
    names: tuple[str, str],
    observed: Float[np.ndarray, " n"],
    quantiles: Float[np.ndarray, "n level"],
    fifth: Integer[np.ndarray, " n"],
    levels: Float[np.ndarray, " level"],
    resamples: int,
    seed: int,
) -> CalibrationScore:
    """One line of `score_distribution`."""
    known = np.isfinite(observed) & np.isfinite(quantiles).all(axis=1)
    observed, quantiles, fifth = observed[known], quantiles[known], fifth[known]
    if known.sum() < FEWEST:
        nothing = (UNKNOWN,) * FIFTHS
        return CalibrationScore(
            *names, int(known.sum()), UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, nothing, nothing
        )
    pit = pit_from_quantiles(observed, levels, quantiles)
    crps = crps_from_quantiles(observed, levels, quantiles)
    inside = {name: _inside(observed, quantiles, levels, bounds) for name, bounds in INTERVALS.items()}
    by_fifth = {
        name: tuple(_share(hits[fifth == part]) for part in range(FIFTHS)) for name, hits in inside.items()
    }
    return CalibrationScore(
        *names,
        int(known.sum()),
        coverage_68=_share(inside["68 %"]),
        coverage_95=_share(inside["95 %"]),
        pit_ks=bootstrap(pit_ks, pit, seed=seed, resamples=resamples),
        crps=bootstrap(lambda values: float(values.mean()), crps, seed=seed, resamples=resamples),
        coverage_68_by_fifth=by_fifth["68 %"],
        coverage_95_by_fifth=by_fifth["95 %"],
    )


def _inside(
    observed: np.ndarray, quantiles: np.ndarray, levels: np.ndarray, bounds: tuple[float, float]
) -> np.ndarray:
    """1 where a measurement lies between two of the quantiles."""
    low, high = (int(np.argmin(np.abs(levels - bound))) for bound in bounds)
    return ((observed >= quantiles[:, low]) & (observed <= quantiles[:, high])).astype(float)


def _share(hits: Float[np.ndarray, " n"]) -> Estimate:
    """A share and its binomial error."""
    if hits.size == 0:
        return UNKNOWN
    share = float(hits.mean())
    return Estimate(share, math.sqrt(share * (1 - share) / hits.size))
