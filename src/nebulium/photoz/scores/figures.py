"""Figures of redshifts of galaxies: pure functions from arrays to a matplotlib `Figure`.

No function touches pyplot or its settings; save one with ``figure.savefig(path)``. Those of scores are in
`nebulium.photoz.scores.calibration_figures`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nebulium.metrics.figure_style import (
    BLACK,
    BLUE,
    FULL_WIDTH,
    HALF_WIDTH,
    SKY,
    SMALL,
    STYLES,
    TEXT,
    VERMILION,
)
from nebulium.metrics.panels import (
    draw_cloud,
    draw_running,
    finish,
    leave_empty,
    range_of,
    say,
    shared_legend,
)
from nebulium.metrics.point import bias_mean, nmad
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.verbs.score import Values

__all__ = ["density_panels", "predicted_against_spectroscopic", "redshift_distribution"]


#: |delta| / (1 + z) beyond which a redshift is an outlier (PITA, Euclid).
OUTLIER = 0.15
#: And within which it is right.
RIGHT = 0.05
SPECTROSCOPIC, PHOTOMETRIC = "Spectroscopic redshift", "Photometric redshift"
DELTA = r"$\Delta z / (1 + z)$"
DISTRIBUTION_BINS = 40


def predicted_against_spectroscopic(redshift: Values, predicted: Values, *, title: str = "") -> Figure:
    """Photometric against spectroscopic redshifts, and the residuals below."""
    figure = Figure(figsize=(HALF_WIDTH + 0.3, HALF_WIDTH + 1.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.3))
    finish(above, "", PHOTOMETRIC, title)
    finish(below, SPECTROSCOPIC, DELTA)
    both = np.isfinite(redshift) & np.isfinite(predicted)
    true, predicted = redshift[both].astype(np.float64), predicted[both].astype(np.float64)
    if len(true) == 0:
        leave_empty(above)
        leave_empty(below)
        return figure
    limits = range_of(true, predicted)
    draw_cloud(above, true, predicted, limits, limits)
    line = np.array(limits)
    above.plot(line, line, color=BLACK, linewidth=0.8)
    for side in (-OUTLIER, OUTLIER):
        above.plot(line, line + side * (1 + line), color=BLACK, linewidth=0.8, linestyle="--")
    delta, scale = (predicted - true) / (1 + true), 1 + true
    numbers = (
        f"{len(true):,} galaxies",
        f"bias {bias_mean(true, predicted, scale=scale):+.4f}",
        f"NMAD {nmad(true, predicted, scale=scale):.4f}",
        f"|Δz|/(1+z) > {OUTLIER}: {100 * np.mean(np.abs(delta) > OUTLIER):.2f} %",
    )
    say(above, "\n".join(numbers))
    _residuals(below, true, delta, limits)
    return figure


def _residuals(axes: Axes, true: Values, delta: Values, limits: tuple[float, float]) -> None:
    reach = min(max(2.0 * OUTLIER, float(np.percentile(np.abs(delta), 99))), 1.0)
    draw_cloud(axes, true, delta, limits, (-reach, reach))
    for height, dash in ((0.0, "-"), (-OUTLIER, "--"), (OUTLIER, "--")):
        axes.axhline(height, color=BLACK, linewidth=0.8, linestyle=dash)
    draw_running(axes, true, delta)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right", fontsize=SMALL - 1, frameon=True, framealpha=0.75, edgecolor="none")


def density_panels(
    densities: RedshiftDensities,
    redshift: Values | None = None,
    *,
    names: Sequence[str] = (),
    title: str = "",
) -> Figure:
    """Densities of single galaxies, a panel each."""
    columns = min(max(len(densities), 1), 4)
    rows = max(-(-len(densities) // columns), 1)
    figure = Figure(figsize=(FULL_WIDTH * columns / 4 + 0.2, 1.6 * rows + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=TEXT + 1)
    true = np.full(len(densities), np.nan) if redshift is None else redshift
    quantiles = densities.quantile([0.001, 0.16, 0.5, 0.84, 0.999])
    for place in range(len(densities)):
        axes = figure.add_subplot(rows, columns, place + 1)
        lowest = place + columns >= len(densities)
        finish(axes, "Redshift" if lowest else "", "", names[place] if names else "")
        one = densities.select(slice(place, place + 1))
        _density(axes, one, quantiles[place], float(true[place]))
    figure.supylabel("p(z)", fontsize=TEXT)
    shared_legend(figure, "outside lower right")
    return figure


def _density(axes: Axes, one: RedshiftDensities, quantiles: Values, true: float) -> None:
    """One galaxy: steps as they are, since the density is constant in a bin."""
    edges = one.grid.edges
    height = one.mass[0].astype(np.float64) / np.diff(edges)
    low, q16, median, q84, high = (float(value) for value in quantiles)
    axes.stairs(height, edges, color=BLUE, linewidth=1.0, label="p(z)")
    axes.axvspan(q16, q84, color=SKY, alpha=0.3, linewidth=0, label="central 68 %")
    axes.axvline(median, color=BLUE, linewidth=1.0, linestyle="--", label="median")
    shown = [low, high]
    if np.isfinite(true):
        axes.axvline(true, color=VERMILION, linewidth=1.2, label="spectroscopic")
        shown.append(true)
    margin = 0.08 * (max(shown) - min(shown)) + 0.01
    axes.set(xlim=(min(shown) - margin, max(shown) + margin), ylim=(0, 1.12 * float(height.max())), yticks=[])


def redshift_distribution(redshift: Values, densities: Mapping[str, RedshiftDensities]) -> Figure:
    """Distribution of the redshifts of a sample: the true one, and sums of densities."""
    figure = Figure(figsize=(HALF_WIDTH + 0.9, 2.8), layout="constrained")
    axes = figure.add_subplot()
    finish(axes, "Redshift", "Galaxies per unit redshift, normalised")
    known = redshift[np.isfinite(redshift)]
    everything = [known, *(one.quantile([0.01, 0.99]).ravel() for one in densities.values() if len(one))]
    low, high = range_of(*everything)
    low = max(low, 0.0)
    if len(known):
        counts, edges = np.histogram(known, DISTRIBUTION_BINS, range=(low, high))
        density = counts / (len(known) * np.diff(edges))
        axes.stairs(density, edges, fill=True, color="0.8", label="spectroscopic")
    for (name, one), (colour, dash) in zip(densities.items(), STYLES, strict=False):
        total = np.mean(one.mass / one.mass.sum(axis=1, keepdims=True), axis=0, dtype=np.float64)
        per_z = total / np.diff(one.grid.edges)
        axes.plot(
            one.grid.centres, per_z, color=colour, linestyle=dash, linewidth=1.2, label=f"Σ p(z), {name}"
        )
    axes.set(xlim=(low, high))
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=SMALL, frameon=False)
    return figure
