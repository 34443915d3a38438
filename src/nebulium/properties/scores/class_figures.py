"""Figures of predicted classes: what is taken for what, and whether probabilities are what they say."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Integer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nebulium.metrics.classes import BINS, expected_calibration_error
from nebulium.metrics.figure_style import BLACK, BLUE, FULL_WIDTH, HALF_WIDTH, SMALL
from nebulium.metrics.panels import finish, leave_empty, say
from nebulium.verbs.score import Columns, Values

#: From this share of a row on, numbers are written white.
DARK = 0.6


def class_figures(target: str, names: Sequence[str], columns: Columns) -> dict[str, Figure]:
    """The figures of a target that is a class, by name."""
    known = np.isfinite(columns["true"] + columns["right"])
    of = {name: values[known] for name, values in columns.items()}
    matrix = np.zeros((len(names), len(names)), int)
    np.add.at(matrix, (of["true"].astype(int), of["most_probable"].astype(int)), 1)
    return {
        "confusion": confusion_figure(matrix, names, title=target),
        "reliability": reliability_figure(of["right"], of["confidence"], title=target),
    }


def confusion_figure(matrix: Integer[np.ndarray, "c c"], names: Sequence[str], *, title: str = "") -> Figure:
    """Numbers of galaxies by true and predicted class, coloured by their share of the true class."""
    side = HALF_WIDTH + 0.35 * max(len(names) - 2, 0)
    figure = Figure(figsize=(side + 0.6, side + 0.2), layout="constrained")
    axes = figure.add_subplot()
    finish(axes, "Predicted class", "True class", title)
    total = matrix.sum(axis=1, keepdims=True)
    share = matrix / np.maximum(total, 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(
        range(len(names)), [f"{name}\n{count:,}" for name, count in zip(names, total[:, 0], strict=True)]
    )
    for row, column in np.ndindex(*matrix.shape):
        colour = "white" if share[row, column] > DARK else BLACK
        text = f"{100 * share[row, column]:.0f} %\n{matrix[row, column]:,}"
        axes.text(column, row, text, ha="center", va="center", fontsize=SMALL, color=colour)
    return figure


def reliability_figure(right: Values, confidence: Values, *, title: str = "") -> Figure:
    """How often predictions are right against the probability that they claim, and how many claim it."""
    figure = Figure(figsize=(FULL_WIDTH * 2 / 3, 2.5), layout="constrained")
    left, beside = figure.subplots(1, 2)
    figure.suptitle(title, fontsize=SMALL + 1)
    finish(left, "Probability of the predicted class", "Share that is right")
    finish(beside, "Probability of the predicted class", "Galaxies")
    if not len(right):
        leave_empty(left)
        leave_empty(beside)
        return figure
    edges = np.linspace(0, 1, BINS + 1)
    _shares(left, right, np.minimum((confidence * BINS).astype(int), BINS - 1), confidence)
    error = expected_calibration_error(right, confidence)
    say(left, f"{len(right):,} galaxies\ncalibration error {error:.3f}", x=0.96, y=0.04)
    beside.stairs(np.histogram(confidence, edges)[0], edges, fill=True, color=BLUE)
    for axes in (left, beside):
        axes.set_xlim(min(0.5, confidence.min()), 1)
    return figure


def _shares(axes: Axes, right: Values, place: np.ndarray, confidence: Values) -> None:
    """Points with binomial errors, a bin each."""
    count = np.bincount(place, minlength=BINS)
    there = count > 0
    claimed, found = (
        np.bincount(place, weights=values, minlength=BINS)[there] / count[there]
        for values in (confidence, right)
    )
    # Of one galaxy more of each kind: a bin in which all are right is not without error.
    smoothed = (found * count[there] + 1) / (count[there] + 2)
    error = np.sqrt(smoothed * (1 - smoothed) / (count[there] + 2))
    axes.plot([0, 1], [0, 1], color=BLACK, linewidth=0.8, linestyle="--")
    axes.errorbar(claimed, found, error, fmt="o", color=BLUE, markersize=4, linewidth=1)
    axes.set_ylim(0, 1.02)
