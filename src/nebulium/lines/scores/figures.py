"""Figures of the emission lines: pure functions from arrays to a matplotlib `Figure`.

No function touches pyplot or its settings; save one with `figure.savefig(path)`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from nebulium.lines.continuum.line_list import DISPLAY_NAMES, LINES, Widths, line_index
from nebulium.lines.scores.bpt import bpt_diagram
from nebulium.lines.scores.scores import FLUX
from nebulium.metrics.figure_style import BLACK, FULL_WIDTH, MARKERS, SKY, SMALL, STYLES, TEXT, VERMILION
from nebulium.metrics.panels import draw_counts, draw_pit_histogram, shared_legend
from nebulium.metrics.point import nmad, spearman
from nebulium.verbs.evaluation import Methods
from nebulium.verbs.score import Score

__all__ = [
    "bpt_diagram",
    "coverage_against_flux",
    "ew_distributions",
    "pit_histograms",
    "predicted_against_observed",
    "score_table",
]


PANEL_HEIGHT = 1.75
SQUARE_PANEL_HEIGHT = 1.62
HISTOGRAM_BINS, DISTRIBUTION_BINS = 60, 50
# Fits at their bound reach down to 1e-6 AA: a panel ends at this fraction of its brightest lines.
SMALLEST_SHOWN = 1.0 / 3000.0
EW_LABEL = "EW / Å (rest frame)"


def predicted_against_observed(observed: Widths, predicted: Widths, *, title: str = "") -> Figure:
    """Two-dimensional histograms of predicted against observed equivalent width, a panel a line."""
    figure, panels = line_panels(LINES, title, square=True)
    for axes, line in zip(panels, LINES, strict=True):
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
    draw_counts(axes, x, y, (edges, edges))
    axes.plot(edges[[0, -1]], edges[[0, -1]], color=VERMILION, linewidth=0.8, linestyle="--")
    axes.set(xscale="log", yscale="log", xlim=edges[[0, -1]], ylim=edges[[0, -1]])


def ew_distributions(observed: Widths, predictions: Mapping[str, Widths]) -> Figure:
    """Histograms of equivalent width: observed as grey steps, predictions as lines."""
    figure, panels = line_panels(LINES, "")
    for axes, line in zip(panels, LINES, strict=True):
        seen = _present(observed[:, line_index(line)])
        name_panel(axes, line)
        if seen.size == 0:
            continue
        edges = np.linspace(
            min(0.0, np.percentile(seen, 0.5)), np.percentile(seen, 97.5), DISTRIBUTION_BINS + 1
        )
        axes.stairs(_fractions(seen, edges), edges, fill=True, color="0.8", label="observed")
        for (name, widths), (colour, style) in zip(predictions.items(), STYLES, strict=False):
            heights = _fractions(_present(widths[:, line_index(line)]), edges)
            axes.stairs(heights, edges, color=colour, linestyle=style, linewidth=1.1, label=name)
        axes.set(xlim=(edges[0], edges[-1]), yticks=[])
    shared_legend(figure)
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
    title: str = "",
) -> Figure:
    """Fraction of measurements inside their predicted intervals against continuum flux, a panel a line."""
    figure, panels = line_panels(LINES, title)
    for place, (axes, line) in enumerate(zip(panels, LINES, strict=True)):
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
    shared_legend(figure)
    label_axes(figure, "Continuum flux at 6250 Å / 10⁻¹⁷ erg s⁻¹ cm⁻² Å⁻¹", "Coverage")
    return figure


def score_table(scores: Mapping[str, Float[np.ndarray, " line"]], *, quantity: str) -> Figure:
    """One score of several methods, line by line, as points."""
    figure = Figure(figsize=(FULL_WIDTH, 0.45 * FULL_WIDTH), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(LINES))
    shifts = np.linspace(-0.25, 0.25, len(scores)) if len(scores) > 1 else [0.0]
    colours = (colour for colour, _ in (*STYLES, (BLACK, "-"), (SKY, "-")))
    for (name, values), shift, colour, marker in zip(scores.items(), shifts, colours, MARKERS, strict=False):
        axes.plot(places + shift, values, color=colour, marker=marker, linestyle="", markersize=5, label=name)
    axes.set_xticks(places, [DISPLAY_NAMES[line] for line in LINES], rotation=30, ha="right", fontsize=TEXT)
    axes.set_ylabel(quantity, fontsize=TEXT)
    axes.tick_params(labelsize=SMALL)
    axes.grid(axis="y", color="0.9")
    axes.legend(fontsize=SMALL, frameon=False)
    return figure


def evaluation_figures(
    observed: Widths,
    medians: Widths,
    populations: Mapping[str, Widths],
    methods: Methods,
    scores: Sequence[Score],
) -> dict[str, Figure]:
    """All figures of an evaluation, by name; the last of the methods is the best."""
    best, columns = list(methods.items())[-1]
    pits = {line: columns[f"ew_{line}"]["pit"] for line in LINES}
    return {
        "spearman": score_table(_by_method(scores, "spearman"), quantity="Spearman's ρ"),
        "nmad": score_table(_by_method(scores, "nmad_uncentred"), quantity="Uncentred NMAD / Å"),
        "predicted_against_observed": predicted_against_observed(
            observed, medians, title="Median, from the continuum alone"
        ),
        "ew_distributions": ew_distributions(observed, populations),
        "bpt": bpt_diagram({"observed": observed, **populations}),
        "pit": pit_histograms(
            {line: _present(pit) for line, pit in pits.items() if np.isfinite(pit).any()}, title=best
        ),
        "coverage": _coverage_figure([one for one in scores if one.method == best], best),
    }


def _coverage_figure(scores: Sequence[Score], title: str) -> Figure:
    """Coverage of each line in the fifths by flux."""
    fifths = [one for one in scores if one.sample.quantity == FLUX]
    flux = np.array([one.sample.middle for one in fifths[: len(fifths) // len(LINES)]])
    shares = {
        f"{level} %": np.array([one[f"coverage_{level}"].value for one in fifths]).reshape(len(LINES), -1)
        for level in (68, 95)
    }
    return coverage_against_flux(flux, shares, {"68 %": 0.68, "95 %": 0.95}, title=title)


def _by_method(scores: Sequence[Score], metric: str) -> dict[str, np.ndarray]:
    """A metric of each method, line by line."""
    of_all = [one for one in scores if metric in one.estimates]
    return {
        method: np.array([one[metric].value for one in of_all if one.method == method])
        for method in dict.fromkeys(one.method for one in of_all)
    }


def line_panels(lines: Sequence[str], title: str, *, square: bool = False) -> tuple[Figure, list[Axes]]:
    """Make a panel a line, in rows of five, or fewer where there are fewer lines."""
    columns = min(len(lines), 5)
    rows = -(-len(lines) // columns)
    height = SQUARE_PANEL_HEIGHT if square else PANEL_HEIGHT
    figure = Figure(figsize=(FULL_WIDTH, rows * height + 0.5), layout="constrained")
    panels = [figure.add_subplot(rows, columns, place + 1) for place in range(len(lines))]
    for axes in panels:
        axes.tick_params(labelsize=SMALL - 1)
        if square:
            axes.set_box_aspect(1)
    if title:
        figure.suptitle(title, fontsize=TEXT + 1)
    return figure, panels


def name_panel(axes: Axes, line: str, numbers: str = "") -> None:
    """Write the name of a line above its panel, and numbers below the name."""
    axes.set_title(DISPLAY_NAMES.get(line, line), fontsize=TEXT, pad=12 if numbers else 3)
    if numbers:
        axes.text(0.5, 1.03, numbers, transform=axes.transAxes, ha="center", fontsize=SMALL - 1)


def label_axes(figure: Figure, x: str, y: str) -> None:
    """Label the axes that all panels share."""
    figure.supxlabel(x, fontsize=TEXT)
    figure.supylabel(y, fontsize=TEXT)
