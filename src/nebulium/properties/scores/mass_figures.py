"""Figures of a property beside stellar mass: the relation, and what an image tells beyond it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nebulium.metrics.estimates import UNKNOWN
from nebulium.metrics.figure_style import BLACK, BLUE, FULL_WIDTH, SMALL, VERMILION
from nebulium.metrics.panels import (
    Limits,
    draw_cloud,
    draw_running,
    finish,
    leave_empty,
    range_of,
    running_quantiles,
    say,
)
from nebulium.metrics.point import nmad
from nebulium.properties.scores.mass_metallicity import FEWEST, fit_mass_relation
from nebulium.verbs.score import Score, Values

__all__ = ["mass_metallicity_figure", "more_than_mass_figure"]


MASS = "log M★ / M☉"


def mass_metallicity_figure(
    log_mstar: Values, true: Values, predicted: Values, *, label: str = "12 + log(O/H)", title: str = ""
) -> Figure:
    """The relation with stellar mass from labels and from predictions, and the scatter of both."""
    figure = Figure(figsize=(FULL_WIDTH, 2.6), layout="constrained")
    figure.suptitle(title, fontsize=SMALL + 1)
    panels = figure.subplots(1, 3)
    finish(panels[0], MASS, label, "Labels")
    finish(panels[1], MASS, "", "Predictions")
    finish(panels[2], MASS, "Half of the 68 % range", "Scatter")
    there = np.isfinite(log_mstar) & np.isfinite(true) & np.isfinite(predicted)
    if there.sum() < FEWEST:
        for axes in panels:
            leave_empty(axes, "too few galaxies")
        return figure
    mass, true, predicted = log_mstar[there], true[there], predicted[there]
    limits = range_of(mass), range_of(true, predicted)
    _relation_panel(panels[0], mass, true, limits)
    _relation_panel(panels[1], mass, predicted, limits)
    panels[1].set_yticklabels([])
    panels[0].legend(loc="lower right", fontsize=SMALL - 1, frameon=False)
    for name, values, colour, style in (("labels", true, BLACK, "-"), ("predictions", predicted, BLUE, "--")):
        running = running_quantiles(mass, values)
        panels[2].plot(
            running.centre, (running.q84 - running.q16) / 2, color=colour, linestyle=style, label=name
        )
    panels[2].set(xlim=limits[0])
    panels[2].set_ylim(bottom=0)
    panels[2].legend(fontsize=SMALL, frameon=False)
    return figure


def _relation_panel(axes: Axes, mass: Values, values: Values, limits: tuple[Limits, Limits]) -> None:
    """One cloud with its running median, its fit and the relations of others."""
    relation = fit_mass_relation(mass, values)
    masses = np.linspace(*limits[0], 200)
    draw_cloud(axes, mass, values, *limits)
    draw_running(axes, mass, values, label="median, 16, 84 %")
    axes.plot(masses, relation.at(masses), color=BLACK, linestyle="--", linewidth=1, label="quadratic fit")
    say(axes, f"NMAD about the fit {nmad(relation.at(mass), values):.3f}")


def more_than_mass_figure(
    log_mstar: Values,
    true: Values,
    predicted: Values,
    comparison: Score,
    *,
    unit: str = "dex",
    title: str = "",
) -> Figure:
    """Whether a prediction knows more than the mass."""
    figure = Figure(figsize=(FULL_WIDTH, 2.8), layout="constrained")
    figure.suptitle(title, fontsize=SMALL + 1)
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    _offsets_panel(left, log_mstar, true, predicted, unit)
    rho = comparison["partial_correlation"]
    say(left, f"partial correlation\nρ = {rho.value:.3f} ± {rho.error:.3f}")
    _errors_panel(right, comparison, unit)
    return figure


def _offsets_panel(axes: Axes, log_mstar: Values, true: Values, predicted: Values, unit: str) -> None:
    there = np.isfinite(log_mstar) & np.isfinite(true) & np.isfinite(predicted)
    mass = log_mstar[there]
    true_off, predicted_off = (
        values[there] - fit_mass_relation(mass, values[there]).at(mass) for values in (true, predicted)
    )
    reach = max(abs(edge) for edge in range_of(true_off, predicted_off, tails=0.5))
    draw_cloud(axes, true_off, predicted_off, (-reach, reach), (-reach, reach))
    axes.plot([-reach, reach], [-reach, reach], color=BLACK, linewidth=0.8, linestyle="--")
    draw_running(axes, true_off, predicted_off)
    of = f" / {unit}" if unit else ""
    axes.xaxis.set_major_locator(MaxNLocator(5))
    finish(axes, f"True offset from the mean relation{of}", f"Predicted offset{of}")


def _errors_panel(axes: Axes, comparison: Score, unit: str) -> None:
    """Errors as points with bars, the image's in another colour."""
    rows = {
        "image": "rmse_image",
        "mean relation,\ntrue mass": "rmse_mass",
        "mean relation,\nmass from the image": "rmse_predicted_mass",
    }
    found = {name: comparison.estimates.get(metric, UNKNOWN) for name, metric in rows.items()}
    known = {name: one for name, one in found.items() if np.isfinite(one.value)}
    for place, (name, one) in enumerate(known.items()):
        colour = BLUE if name == "image" else VERMILION
        axes.errorbar(one.value, place, xerr=one.error, fmt="o", color=colour, markersize=5)
        axes.text(one.value, place - 0.14, f"{one.value:.4f}", ha="center", va="bottom", fontsize=SMALL)
    finish(axes, f"RMSE / {unit}" if unit else "RMSE", "")
    axes.set_yticks(range(len(known)), list(known), fontsize=SMALL)
    axes.set_ylim(len(known) - 0.5, -0.6)
    axes.set_xlim(0, 1.15 * max((one.value for one in known.values()), default=1.0))
    axes.grid(axis="x", color="0.9")
