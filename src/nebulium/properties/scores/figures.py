"""Figures of predicted properties: pure functions from arrays to a matplotlib `Figure`.

No function touches pyplot or its settings; save one with ``figure.savefig(path)``. Those about stellar mass
are in `nebulium.properties.scores.mass_figures`, those that show galaxies in
`nebulium.properties.scores.galleries`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nebulium.data.tables.table import Table
from nebulium.metrics.figure_style import BLACK, BLUE, FULL_WIDTH, HALF_WIDTH, SMALL
from nebulium.metrics.panels import (
    FEWEST_IN_A_BIN,
    Limits,
    draw_cloud,
    draw_pit_histogram,
    draw_running,
    finish,
    leave_empty,
    range_of,
    say,
)
from nebulium.metrics.point import nmad, rmse
from nebulium.properties.scores.mass_figures import mass_metallicity_figure, more_than_mass_figure
from nebulium.properties.scores.scores import Intervals, pit_of_intervals
from nebulium.verbs.labels.joining import label_values
from nebulium.verbs.score import Columns, Score, Values

__all__ = ["calibration_figure", "predicted_against_true", "residuals_against"]


HISTOGRAM_BINS = 40

MASS = "log_mstar"
#: What residuals are drawn against where the labels have it.
CONTEXT = (MASS, "redshift", "half_light_radius_kpc")
#: Units of errors and residuals.
UNITS: Mapping[str, str] = {"oh12": "dex", "oh_p50": "dex", MASS: "dex", "log_sfr": "dex"}
#: Names of properties on the axes, with their units; others stand as their columns are called.
DISPLAY: Mapping[str, str] = {
    "oh12": "12 + log(O/H)",
    "oh_p50": "12 + log(O/H)",
    MASS: "log M★ / M☉",
    "log_sfr": "log SFR / (M☉/yr)",
    "redshift": "Redshift",
    "half_light_radius_kpc": "Half-light radius / kpc",
}


def predicted_against_true(true: Values, predicted: Values, *, label: str, title: str = "") -> Figure:
    """Predicted against true values, with the distribution of each beside."""
    figure = Figure(figsize=(HALF_WIDTH + 0.4, HALF_WIDTH + 0.4), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(4, 1), height_ratios=(1, 4), wspace=0.02, hspace=0.02)
    main = figure.add_subplot(grid[1, 0])
    above, beside, corner = (figure.add_subplot(grid[place]) for place in ((0, 0), (1, 1), (0, 1)))
    corner.set_axis_off()
    finish(main, f"True {label}", f"Predicted {label}")
    figure.suptitle(title, fontsize=SMALL + 1)
    both = np.isfinite(true) & np.isfinite(predicted)
    true, predicted = true[both], predicted[both]
    if len(true) == 0:
        leave_empty(main)
        above.set_axis_off()
        beside.set_axis_off()
        return figure
    limits = range_of(true, predicted)
    draw_cloud(main, true, predicted, limits, limits)
    main.plot(limits, limits, color=BLACK, linewidth=0.8, linestyle="--")
    draw_running(main, true, predicted)
    if main.get_legend_handles_labels()[0]:
        main.legend(loc="lower right", fontsize=SMALL - 1, frameon=False)
    say(main, f"{len(true):,} galaxies\nRMSE {rmse(true, predicted):.3g}\nNMAD {nmad(true, predicted):.3g}")
    _marginals(above, beside, true, predicted, limits)
    corner.legend(*beside.get_legend_handles_labels(), loc="center", fontsize=SMALL - 1, frameon=False)
    return figure


def _marginals(above: Axes, beside: Axes, true: Values, predicted: Values, limits: Limits) -> None:
    """The distribution of the true values above, and of the predictions at the right."""
    edges = np.linspace(*limits, HISTOGRAM_BINS)
    of_true, of_predicted = (np.histogram(values, edges)[0] for values in (true, predicted))
    above.stairs(of_true, edges, fill=True, color="0.75")
    beside.stairs(of_true, edges, fill=True, color="0.75", orientation="horizontal", label="true")
    beside.stairs(of_predicted, edges, color=BLUE, orientation="horizontal", linewidth=1.1, label="predicted")
    above.set(xlim=limits, xticklabels=[], yticks=[])
    beside.set(ylim=limits, yticklabels=[], xticks=[])


def residuals_against(
    true: Values, predicted: Values, others: Mapping[str, Values], *, label: str, title: str = ""
) -> Figure:
    """Predicted minus true values against other properties, a panel each."""
    columns = min(max(len(others), 1), 3)
    rows = max(-(-len(others) // columns), 1)
    figure = Figure(figsize=(FULL_WIDTH * columns / 3 + 0.2, 2.1 * rows + 0.3), layout="constrained")
    figure.suptitle(title, fontsize=SMALL + 1)
    residual = predicted - true
    low, high = range_of(residual, tails=0.5)
    reach = max(abs(low), abs(high))
    for place, (name, values) in enumerate(others.items()):
        axes = figure.add_subplot(rows, columns, place + 1)
        finish(axes, name, "")
        both = np.isfinite(residual) & np.isfinite(values)
        if not both.any():
            leave_empty(axes)
            continue
        draw_cloud(axes, values[both], residual[both], range_of(values), (-reach, reach))
        axes.axhline(0, color=BLACK, linewidth=0.8, linestyle="--")
        draw_running(axes, values[both], residual[both])
    figure.supylabel(f"Predicted − true {label}", fontsize=SMALL + 1)
    return figure


def calibration_figure(true: Values, predicted: Values, intervals: Intervals, *, label: str) -> Figure:
    """Whether the error bars are right: PIT histogram, and scatter found against scatter predicted."""
    figure = Figure(figsize=(FULL_WIDTH * 2 / 3, 2.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    finish(left, "Probability integral transform", "Density")
    finish(right, f"Half-width predicted, {label}", "Half-width found")
    there = np.isfinite(true) & np.isfinite(predicted) & np.isfinite(intervals.q16 + intervals.q84)
    if there.sum() < FEWEST_IN_A_BIN:
        leave_empty(left, "too few galaxies")
        leave_empty(right, "too few galaxies")
        return figure
    bounds = Intervals(intervals.q16[there], intervals.q84[there])
    draw_pit_histogram(left, pit_of_intervals(true[there], predicted[there], bounds))
    _spread_against_error(right, predicted[there] - true[there], (bounds.q84 - bounds.q16) / 2)
    inside = np.mean((true[there] >= bounds.q16) & (true[there] <= bounds.q84))
    say(right, f"{100 * inside:.1f} % of {there.sum():,}\nin their 68 % intervals")
    return figure


def _spread_against_error(axes: Axes, residual: Values, half_width: Values) -> None:
    """Half the 68 % range of the residuals in groups by half-width, with its sampling error."""
    groups = np.array_split(np.argsort(half_width, kind="stable"), min(len(residual) // FEWEST_IN_A_BIN, 8))
    given = np.array([np.median(half_width[group]) for group in groups])
    found = np.array([np.diff(np.quantile(residual[group], [0.16, 0.84]))[0] / 2 for group in groups])
    counts = np.array([len(group) for group in groups])
    # Of a Gaussian, a quantile at 16 % has 1.5 times the error of the mean, and half a difference of two
    # that are all but independent has 1 / sqrt 2 of that.
    axes.errorbar(
        given, found, 1.06 * found / np.sqrt(counts), fmt="o", color=BLUE, markersize=4, linewidth=1
    )
    limits = (0.0, 1.15 * float(max(given.max(), found.max())))
    axes.plot(limits, limits, color=BLACK, linewidth=0.8, linestyle="--")
    axes.set(xlim=limits, ylim=limits)


def property_figures(
    labels: Table, target: str, columns: Columns, masses: Score | None, against: Sequence[str]
) -> dict[str, Figure]:
    """The figures of one property, by name."""
    name, unit = DISPLAY.get(target, target), UNITS.get(target, "")
    true, predicted = columns["true"], columns["predicted"]
    known = [column for column in CONTEXT if column in labels]
    others = {f"True {name}": true} | {
        DISPLAY.get(column, column): label_values(labels, column)
        for column in [*known, *against]
        if column != target
    }
    figures = {
        "predicted_against_true": predicted_against_true(true, predicted, label=name),
        "residuals": residuals_against(true, predicted, others, label=name),
    }
    if "q16" in columns:
        intervals = Intervals(columns["q16"], columns["q84"])
        figures["calibration"] = calibration_figure(true, predicted, intervals, label=name)
    if masses is not None:
        triple = label_values(labels, MASS), true, predicted
        figures["relation_with_mass"] = mass_metallicity_figure(*triple, label=name)
        figures["more_than_mass"] = more_than_mass_figure(*triple, masses, unit=unit)
    return figures
