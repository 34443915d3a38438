"""Figures of the scores of redshifts: calibration, and methods beside each other."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from nebulium.data.output import file_stem
from nebulium.metrics.figure_style import BLACK, FULL_WIDTH, MARKERS, SMALL, STYLES
from nebulium.metrics.panels import draw_pit_histogram, finish, leave_empty, shared_legend
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.scores.figures import (
    density_panels,
    predicted_against_spectroscopic,
    redshift_distribution,
)
from nebulium.photoz.scores.scores import TARGET
from nebulium.verbs.evaluation import Methods
from nebulium.verbs.score import KS_LIMIT, Score, Values

__all__ = ["calibration_figure", "label_fraction_figure", "scores_against"]


#: What the panels show, with factors to the units on the axes.
PANELS: Mapping[str, tuple[str, float]] = {
    "bias_mean": (r"Mean $\Delta z / (1 + z)$", 1.0),
    "nmad": (r"NMAD of $\Delta z / (1 + z)$", 1.0),
    "outliers_015": ("Outliers beyond 0.15 / %", 100.0),
}
HISTOGRAM_BINS = 20
#: Galaxies whose densities are drawn.
DRAWN = 8


def calibration_figure(pit: Mapping[str, Values]) -> Figure:
    """Whether densities are calibrated: histogram of the PIT values, and their quantiles."""
    figure = Figure(figsize=(FULL_WIDTH * 0.8, 2.9), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(2, 1))
    histogram, quantiles, excess = (
        figure.add_subplot(grid[place]) for place in ((slice(None), 0), (0, 1), (1, 1))
    )
    finish(histogram, "Probability integral transform", "Density")
    finish(quantiles, "", "Share below")
    finish(excess, "Level", "Share − level")
    known = {name: np.sort(values[np.isfinite(values)]) for name, values in pit.items()}
    known = {name: values for name, values in known.items() if len(values)}
    if not known:
        for axes in (histogram, quantiles, excess):
            leave_empty(axes)
        return figure
    _histograms(histogram, known)
    limit = KS_LIMIT / math.sqrt(len(next(iter(known.values()))))
    excess.axhspan(-limit, limit, color="0.85", label="95 % range of chance")
    quantiles.plot((0, 1), (0, 1), color=BLACK, linewidth=0.8, linestyle="--")
    excess.axhline(0, color=BLACK, linewidth=0.8, linestyle="--")
    reach = limit
    for (name, values), (colour, dash) in zip(known.items(), STYLES, strict=False):
        share = np.arange(1, len(values) + 1) / len(values)
        ks = max(np.max(share - values), np.max(values - share + 1 / len(values)))
        label = f"{name}, K-S {ks:.3f}"
        quantiles.plot(values, share, color=colour, linestyle=dash, linewidth=1.2, label=label)
        excess.plot(values, share - values, color=colour, linestyle=dash, linewidth=1.0)
        reach = max(reach, ks)
    quantiles.set(xlim=(0, 1), ylim=(0, 1), xticklabels=[])
    excess.set(xlim=(0, 1), ylim=(-1.15 * reach, 1.15 * reach))
    quantiles.legend(fontsize=SMALL - 1, frameon=False)
    return figure


def _histograms(axes: Axes, pit: Mapping[str, Values]) -> None:
    """The first with the noise of its counts, others as steps of as many bins."""
    first, *others = pit.values()
    draw_pit_histogram(axes, first)
    tallest = axes.get_ylim()[1]
    for values, (colour, dash) in zip(others, STYLES[1:], strict=False):
        density, edges = np.histogram(values, HISTOGRAM_BINS, range=(0, 1), density=True)
        axes.stairs(density, edges, color=colour, linestyle=dash, linewidth=1.1)
        tallest = max(tallest, 1.15 * float(density.max()))
    axes.set_ylim(0, tallest)


def scores_against(scores: Sequence[Score], label: str) -> Figure:
    """Bias, scatter and outliers of methods along a quantity."""
    methods = list(dict.fromkeys(score.method for score in scores))
    by_method = {name: [score for score in scores if score.method == name] for name in methods}
    places = {name: np.array([score.sample.middle for score in those]) for name, those in by_method.items()}
    step = min((float(np.ptp(x)) / max(len(x), 1) for x in places.values()), default=0.0) * 0.08
    middle = (len(methods) - 1) / 2
    shifted = {name: x + (place - middle) * step for place, (name, x) in enumerate(places.items())}
    return _panels(shifted, by_method, label)


def label_fraction_figure(
    fractions: Mapping[str, Sequence[float]], scores: Mapping[str, Sequence[Score]]
) -> Figure:
    """Bias, scatter and outliers of methods by the share of labels that they were trained with."""
    places = {name: 100.0 * np.asarray(those, np.float64) for name, those in fractions.items()}
    figure = _panels(places, scores, "Labels used / %")
    shown = np.unique(np.concatenate([*places.values(), np.zeros(0)]))
    for axes in figure.axes:
        axes.set_xscale("log")
        axes.set_xticks(shown, [f"{value:g}" for value in shown])
        axes.xaxis.set_minor_locator(NullLocator())
    return figure


def _panels(places: Mapping[str, Values], scores: Mapping[str, Sequence[Score]], label: str) -> Figure:
    """A panel for each of bias, scatter and outliers, a curve for each method."""
    figure = Figure(figsize=(FULL_WIDTH, 2.5), layout="constrained")
    for axes, (metric, (name, factor)) in zip(figure.subplots(1, 3), PANELS.items(), strict=True):
        finish(axes, label, name)
        for (method, those), (colour, dash), marker in zip(scores.items(), STYLES * 2, MARKERS, strict=False):
            values, bars = (
                [factor * getattr(score[metric], part) for score in those] for part in ("value", "error")
            )
            axes.errorbar(
                places[method], values, bars, color=colour, linestyle=dash, marker=marker, markersize=4,
                linewidth=1.1, label=method,
            )  # fmt: skip
        if metric == "bias_mean":
            axes.axhline(0, color=BLACK, linewidth=0.8, linestyle=":")
        else:
            axes.set_ylim(bottom=0)
    shared_legend(figure, "outside lower center")
    return figure


def figures_of_methods(
    densities: Mapping[str, RedshiftDensities],
    methods: Methods,
    scores: tuple[Score, ...],
    labels: Mapping[str, str],
    ids: np.ndarray,
    seed: int,
) -> dict[str, Figure]:
    """All figures, by name; those of single methods bear their names where there are several."""
    columns = {name: of[TARGET] for name, of in methods.items()}
    true = next(iter(columns.values()))["true"]
    figures = {
        "calibration": calibration_figure({name: those["pit"] for name, those in columns.items()}),
        "redshift_distribution": redshift_distribution(true, densities),
    }
    for quantity, label in labels.items():
        along = [one for one in scores if one.sample.quantity == quantity and one.method in columns]
        figures[f"scores_against_{quantity}"] = scores_against(along, label)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(true))[:DRAWN])
    names = [str(one) for one in ids[drawn]]
    for method, those in columns.items():
        ending, title = (f"_{file_stem(method)}", method) if len(columns) > 1 else ("", "")
        figures[f"predicted_against_spectroscopic{ending}"] = predicted_against_spectroscopic(
            true, those["predicted"], title=title
        )
        figures[f"densities{ending}"] = density_panels(
            densities[method].select(drawn), true[drawn], names=names, title=title
        )
    return figures
