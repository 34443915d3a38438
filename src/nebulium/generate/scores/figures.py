"""Figures of how good a model of images is: pure functions from arrays to a matplotlib `Figure`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from nebulium.data.images.stretches import lupton_rgb
from nebulium.metrics.figure_style import BLACK, FULL_WIDTH, HALF_WIDTH, MARKERS, SMALL, STYLES, TEXT
from nebulium.metrics.panels import draw_pit_histogram, finish, leave_empty, range_of, shared_legend
from nebulium.verbs.score import ALL, Score

Images = Float[np.ndarray, "n side side band"]
Values = Float[np.ndarray, " n"]

#: Galaxies shown, a column each.
SHOWN = 10
#: Per cent of the pixels of a real image that are white, in the rows below it too.
WHITE = 0.5
BINS = 30


def pictures_figure(kinds: Mapping[str, Images]) -> Figure:
    """Galaxies of the same properties below each other: real ones in the first row set white."""
    first = next(iter(kinds.values()))
    columns = min(SHOWN, len(first))
    figure = Figure(figsize=(FULL_WIDTH, len(kinds) * (FULL_WIDTH / columns + 0.2)), layout="constrained")
    panels = figure.subplots(len(kinds), columns, squeeze=False)
    white = np.percentile(first[:columns], 100 - WHITE, axis=(1, 2))
    for row, (kind, images) in zip(panels, kinds.items(), strict=True):
        for axes, image, limit in zip(row, images, white, strict=False):
            axes.imshow(picture(image, limit), interpolation="nearest")
            axes.set(xticks=[], yticks=[])
        row[columns // 2].set_title(kind, fontsize=TEXT, pad=2)
    return figure


def picture(image: np.ndarray, white: np.ndarray) -> np.ndarray:
    """The first, middle and last band as blue, green and red."""
    bands = [0, image.shape[-1] // 2, image.shape[-1] - 1]
    relative = (image / np.maximum(white, 1e-9))[..., bands]
    return lupton_rgb(relative, (1.0, 1.0, 1.0), stretch=3.0, softening=1.0)


def feature_figure(kinds: Mapping[str, Float[np.ndarray, "n feature"]], names: Sequence[str]) -> Figure:
    """Distributions of each feature: of real galaxies filled, of others as curves."""
    columns = 5
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(FULL_WIDTH, 1.25 * rows + 0.3), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    (real_name, real), *others = kinds.items()
    for place, (axes, name) in enumerate(zip(panels, names, strict=False)):
        edges = np.linspace(*range_of(real[:, place], tails=0.5), BINS + 1)
        count = lambda values, edges=edges: np.histogram(values, edges)[0] / len(values)  # noqa: E731
        axes.stairs(count(real[:, place]), edges, fill=True, color="0.8", label=real_name)
        for (kind, values), (colour, dash) in zip(others, STYLES, strict=False):
            shown = count(np.clip(values[:, place], edges[0], edges[-1]))
            axes.stairs(shown, edges, color=colour, linestyle=dash, linewidth=1.0, label=kind)
        finish(axes, name.replace("_", " "), "")
        axes.set(yticks=[])
        axes.tick_params(labelsize=SMALL - 1)
    shared_legend(figure)
    return figure


def told_apart_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Area under the ROC curve of a classifier, by kind of images and features."""
    return _points(rows, "features", "images", "auc", label="AUC against real galaxies", lines=(0.5,))


def log_score_figure(scores: Sequence[Score]) -> Figure:
    """Mean logarithm of the density of each property at the truth, by method."""
    rows = [
        {"target": one.target, "method": one.method, "log_score": one["log_score"]}
        for one in scores
        if one.sample.quantity == ALL
    ]
    return _points(rows, "target", "method", "log_score", label="Log score / nats")


def _points(
    rows: Sequence[Mapping[str, Any]],
    group: str,
    kind: str,
    value: str,
    *,
    label: str,
    lines: Sequence[float] = (),
) -> Figure:
    """Estimates with their errors, in groups, each kind with a mark of its own."""
    groups = list(dict.fromkeys(row[group] for row in rows))
    kinds = list(dict.fromkeys(row[kind] for row in rows))
    figure = Figure(figsize=(FULL_WIDTH, 0.42 * len(groups) + 1.0), layout="constrained")
    axes = figure.add_subplot()
    for line in lines:
        axes.axvline(line, color=BLACK, linewidth=0.8, linestyle="--")
    for place, (one, (colour, _), mark) in enumerate(zip(kinds, (*STYLES, *STYLES), MARKERS, strict=False)):
        known = [(groups.index(row[group]), *row[value]) for row in rows if row[kind] == one]
        at, values, errors = np.array(known).T
        offset = 0.12 * (place - 0.5 * (len(kinds) - 1))
        axes.errorbar(
            values, at + offset, xerr=errors, fmt=mark, color=colour, markersize=4, linewidth=1, label=one
        )
    axes.set_yticks(range(len(groups)), groups)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    finish(axes, label, "")
    shared_legend(figure)
    return figure


def calibration_figure(names: Sequence[str], pit: Float[np.ndarray, "n condition"]) -> Figure:
    """Ranks of the truth in the posteriors of each property: flat if these are calibrated."""
    columns = min(len(names), 4)
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(FULL_WIDTH * columns / 4 + 0.3, 1.7 * rows + 0.2), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    for axes, name, values in zip(panels, names, pit.T, strict=False):
        known = values[np.isfinite(values)]
        finish(axes, "", "", name)
        if len(known):
            draw_pit_histogram(axes, known)
        else:
            leave_empty(axes)
    figure.supxlabel("Probability integral transform", fontsize=TEXT)
    figure.supylabel("Density", fontsize=TEXT)
    return figure


def ratio_figure(own: Values, another: Values) -> Figure:
    """Log ratios with own properties and with those of another galaxy."""
    figure = Figure(figsize=(HALF_WIDTH + 0.4, 2.4), layout="constrained")
    axes = figure.add_subplot()
    # Of another galaxy they reach far below, where no curve is of use.
    low, high = np.nanpercentile(another, 5), np.nanpercentile(own, 99.8)
    edges = np.linspace(low, high + 1.0, 2 * BINS)
    finish(axes, "log p(image given properties) / p(image), nats", "Galaxies")
    for values, name, (colour, dash) in zip(
        (own, another), ("own properties", "another galaxy's"), STYLES, strict=False
    ):
        known = np.clip(values[np.isfinite(values)], edges[0], edges[-1])
        axes.stairs(np.histogram(known, edges)[0], edges, color=colour, linestyle=dash, label=name)
    axes.set_yscale("log")
    axes.legend(fontsize=SMALL, frameon=False)
    return figure


def memorisation_figure(distances: Mapping[str, Mapping[str, Values]]) -> Figure:
    """Distances to the nearest training image, in each space, by kind of images."""
    figure = Figure(figsize=(FULL_WIDTH, 2.4), layout="constrained")
    panels = figure.subplots(1, len(distances), squeeze=False)[0]
    for axes, (space, kinds) in zip(panels, distances.items(), strict=True):
        limits = range_of(*kinds.values(), tails=1.0)
        edges = np.linspace(*limits, BINS + 1)
        for (kind, values), (colour, dash) in zip(kinds.items(), STYLES, strict=False):
            shown = np.histogram(np.clip(values, *limits), edges)[0]
            axes.stairs(shown, edges, color=colour, linestyle=dash, label=kind)
        finish(axes, f"Distance to the nearest training image, {space}", "Images")
    shared_legend(figure)
    return figure
