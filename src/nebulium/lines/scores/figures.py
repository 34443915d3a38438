"""Figures of the emission lines: pure functions from arrays to a matplotlib `Figure`.

No function touches pyplot or its settings; save one with `figure.savefig(path)`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from nebulium.lines.continuum.line_list import DISPLAY_NAMES, LINES, line_index
from nebulium.lines.scores.bpt import bpt_diagram
from nebulium.lines.scores.panels import label_axes, line_panels, name_panel, shared_legend
from nebulium.metrics.figure_style import BLACK, FULL_WIDTH, MARKERS, SKY, SMALL, STYLES, TEXT, VERMILION
from nebulium.metrics.panels import draw_pit_histogram
from nebulium.metrics.point import nmad, spearman

__all__ = [
    "bpt_diagram",
    "coverage_against_flux",
    "ew_distributions",
    "pit_histograms",
    "predicted_against_observed",
    "score_table",
]

Widths = Float[np.ndarray, "n 10"]

HISTOGRAM_BINS = 60
# Fits at their bound reach down to 1e-6 AA: a panel ends at this fraction of its brightest lines.
SMALLEST_SHOWN = 1.0 / 3000.0
EW_LABEL = "EW / Å (rest frame)"


def predicted_against_observed(
    observed: Widths, predicted: Widths, *, title: str = "", lines: Sequence[str] = LINES
) -> Figure:
    """Two-dimensional histograms of predicted against observed equivalent width, a panel a line."""
    figure, panels = line_panels(lines, title, square=True)
    for axes, line in zip(panels, lines, strict=True):
        x, y = observed[:, line_index(line)], predicted[:, line_index(line)]
        both = (x > 0) & (y > 0)
        if both.sum() < 2:
            name_panel(axes, line, "no galaxies")
            continue
        _density(axes, x[both], y[both])
        rho, spread = spearman(x[both], y[both]), nmad(x[both], y[both])
        name_panel(axes, line, f"ρ {rho:.3f}   NMAD {spread:.2g} Å")
        axes.text(0.95, 0.05, f"{both.sum():,}", transform=axes.transAxes, ha="right", fontsize=SMALL - 1)
    label_axes(figure, "Observed " + EW_LABEL, "Predicted " + EW_LABEL)
    return figure


def _density(axes: Axes, x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> None:
    """Logarithmic histogram of two widths on shared limits, with the line of equality."""
    low, high = np.percentile(np.concatenate([x, y]), [0.5, 99.8])
    low = max(low, high * SMALLEST_SHOWN)
    edges = np.geomspace(low, max(high, low * 10.0), HISTOGRAM_BINS)
    x, y = (np.clip(values, edges[0], edges[-1]) for values in (x, y))
    counts, _, _ = np.histogram2d(x, y, bins=(edges, edges))
    shown = np.ma.masked_equal(counts.T, 0)
    axes.pcolormesh(edges, edges, np.sqrt(shown), cmap="cividis", rasterized=True)
    axes.plot(edges[[0, -1]], edges[[0, -1]], color=VERMILION, linewidth=0.8, linestyle="--")
    axes.set(xscale="log", yscale="log", xlim=edges[[0, -1]], ylim=edges[[0, -1]])


def ew_distributions(
    observed: Widths,
    predictions: Mapping[str, Widths],
    *,
    title: str = "",
    lines: Sequence[str] = LINES,
    bins: int = 50,
) -> Figure:
    """Histograms of equivalent width: observed as grey steps, predictions as lines."""
    figure, panels = line_panels(lines, title)
    for axes, line in zip(panels, lines, strict=True):
        seen = _present(observed[:, line_index(line)])
        name_panel(axes, line)
        if seen.size == 0:
            continue
        edges = np.linspace(min(0.0, np.percentile(seen, 0.5)), np.percentile(seen, 97.5), bins + 1)
        axes.stairs(_fractions(seen, edges), edges, fill=True, color="0.8", label="observed")
        for (name, widths), (colour, style) in zip(predictions.items(), STYLES, strict=False):
            heights = _fractions(_present(widths[:, line_index(line)]), edges)
            axes.stairs(heights, edges, color=colour, linestyle=style, linewidth=1.1, label=name)
        axes.set(xlim=(edges[0], edges[-1]), yticks=[])
    shared_legend(figure, panels)
    label_axes(figure, EW_LABEL, "Fraction of galaxies")
    return figure


def _present(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    """The values that are not missing."""
    return values[np.isfinite(values)]


def _fractions(values: Float[np.ndarray, " n"], edges: Float[np.ndarray, " edge"]) -> np.ndarray:
    """Histogram as fractions of all values."""
    return np.histogram(values, edges)[0] / max(values.size, 1)


def pit_histograms(pit: Mapping[str, Float[np.ndarray, " n"]], *, title: str = "") -> Figure:
    """Histograms of probability integral transforms, a panel a line; flat is calibrated."""
    figure, panels = line_panels(tuple(pit), title)
    for axes, (line, values) in zip(panels, pit.items(), strict=True):
        if values.size:
            draw_pit_histogram(axes, values)
        name_panel(axes, line)
        axes.text(0.95, 0.05, f"{values.size:,}", transform=axes.transAxes, ha="right", fontsize=SMALL - 1)
    label_axes(figure, "Probability integral transform", "Density")
    return figure


def coverage_against_flux(
    flux: Float[np.ndarray, " fifth"],
    coverage: Mapping[str, Float[np.ndarray, "line fifth"]],
    nominal: Mapping[str, float],
    *,
    lines: Sequence[str] = LINES,
    title: str = "",
) -> Figure:
    """Fraction of measurements inside their predicted intervals against continuum flux, a panel a line."""
    figure, panels = line_panels(lines, title)
    for place, (axes, line) in enumerate(zip(panels, lines, strict=True)):
        for (name, values), (colour, style), marker in zip(coverage.items(), STYLES, MARKERS, strict=False):
            axes.axhspan(nominal[name] - 0.05, nominal[name] + 0.05, color=colour, alpha=0.12, linewidth=0)
            axes.axhline(nominal[name], color=colour, linewidth=0.6)
            axes.plot(
                flux, values[place], color=colour, linestyle=style, marker=marker, markersize=3, label=name
            )
        axes.set(xscale="log", ylim=(min(0.5, min(nominal.values()) - 0.1), 1.0))
        # Less than a decade: plain numbers at the ends, or the labels run into each other.
        axes.set_xticks([float(flux[0]), float(flux[-1])], [f"{flux[0]:.2g}", f"{flux[-1]:.2g}"])
        axes.xaxis.set_minor_formatter(NullFormatter())
        name_panel(axes, line)
    shared_legend(figure, panels)
    label_axes(figure, "Continuum flux at 6250 Å / 10⁻¹⁷ erg s⁻¹ cm⁻² Å⁻¹", "Coverage")
    return figure


def score_table(
    scores: Mapping[str, Float[np.ndarray, " line"]],
    *,
    quantity: str,
    lines: Sequence[str] = LINES,
    title: str = "",
) -> Figure:
    """One score of several methods, line by line, as points."""
    figure = Figure(figsize=(FULL_WIDTH, 0.45 * FULL_WIDTH), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(lines))
    shifts = np.linspace(-0.25, 0.25, len(scores)) if len(scores) > 1 else [0.0]
    colours = (colour for colour, _ in (*STYLES, (BLACK, "-"), (SKY, "-")))
    for (name, values), shift, colour, marker in zip(scores.items(), shifts, colours, MARKERS, strict=False):
        axes.plot(places + shift, values, color=colour, marker=marker, linestyle="", markersize=5, label=name)
    axes.set_xticks(places, [DISPLAY_NAMES[line] for line in lines], rotation=30, ha="right", fontsize=TEXT)
    axes.set_ylabel(quantity, fontsize=TEXT)
    axes.set_title(title, fontsize=TEXT)
    axes.tick_params(labelsize=SMALL)
    axes.grid(axis="y", color="0.9")
    axes.legend(fontsize=SMALL, frameon=False)
    return figure
