"""What is known of each galaxy about its predicted lines, and the metrics of it.

Point predictions are scored in the published definitions (Khederlarian et al. 2024, MNRAS 531, 1454:
Spearman's rho, uncentred NMAD, median ratio) and in the centred ones; distributions by coverage, PIT, CRPS.
See `nebulium.metrics` for the formulas.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from nebulium.lines.continuum.line_list import LINES, Widths
from nebulium.metrics.point import bias_median, bias_median_ratio, nmad, nmad_uncentred, spearman
from nebulium.metrics.probabilistic import crps_from_quantiles, pit_from_quantiles
from nebulium.verbs.score import DISTRIBUTION_METRICS, Columns, Metric, smaller

#: Levels at which distributions are scored: those of the 68 and 95 % intervals among them.
LEVELS: Float[np.ndarray, " level"] = np.unique(
    np.round(np.append(np.arange(0.025, 0.99, 0.025), [0.005, 0.16, 0.84, 0.995]), 3)
)
#: The levels that bound each interval.
INTERVALS: dict[str, tuple[float, float]] = {"inside_68": (0.16, 0.84), "inside_95": (0.025, 0.975)}
AA = "Angstrom"
#: The bin of the continuum by whose flux galaxies are sorted.
FLUX_BIN = 9
FLUX = f"continuum_flux_{FLUX_BIN}"

COVERAGE: Mapping[str, Metric] = {
    name: metric for name, metric in DISTRIBUTION_METRICS.items() if name.startswith("coverage")
}
METRICS: Mapping[str, Metric] = {
    "spearman": Metric(spearman, "Spearman's ρ", loss=np.negative, has_share=False),
    "nmad_uncentred": Metric(nmad_uncentred, "uncentred NMAD / Å", unit=AA, loss=smaller),
    "bias_median_ratio": Metric(bias_median_ratio, "median ratio", loss=lambda ratio: np.abs(ratio - 1)),
    "nmad": Metric(nmad, "NMAD / Å", unit=AA, loss=smaller),
    "bias_median": Metric(bias_median, "median bias / Å", unit=AA, loss=np.abs),
    **DISTRIBUTION_METRICS,
    "crps": replace(DISTRIBUTION_METRICS["crps"], heading="CRPS / Å", unit=AA),
}


def line_columns(
    observed: Widths, predicted: Widths, quantiles: Float[np.ndarray, "n level 10"] | None = None
) -> dict[str, Columns]:
    """What is known of each line of each galaxy: measured and predicted, and how the quantiles fared."""
    columns: dict[str, Columns] = {}
    for place, line in enumerate(LINES):
        pair = {"true": observed[:, place], "predicted": predicted[:, place]}
        fared = {} if quantiles is None else _fared(observed[:, place], quantiles[:, :, place])
        columns[f"ew_{line}"] = pair | fared
    return columns


def _fared(
    observed: Float[np.ndarray, " n"], quantiles: Float[np.ndarray, "n level"]
) -> dict[str, Float[np.ndarray, " n"]]:
    """Where measurements lie in their predicted distributions."""
    known = np.isfinite(observed) & np.isfinite(quantiles).all(axis=1)
    found = {name: np.full(len(observed), np.nan) for name in (*INTERVALS, "pit", "crps")}
    if known.any():
        observed, quantiles = observed[known], quantiles[known]
        found["pit"][known] = pit_from_quantiles(observed, LEVELS, quantiles)
        found["crps"][known] = crps_from_quantiles(observed, LEVELS, quantiles)
        for name, bounds in INTERVALS.items():
            low, high = (quantiles[:, np.argmin(np.abs(LEVELS - bound))] for bound in bounds)
            found[name][known] = (observed >= low) & (observed <= high)
    return found
