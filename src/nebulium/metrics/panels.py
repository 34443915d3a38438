"""What the panels of the figures are made of: clouds of galaxies, running medians, empty panels."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nebulium.metrics.figure_style import BLACK, BLUE, SMALL, TEXT, VERMILION

Values = Float[np.ndarray, " _"]
Limits = tuple[float, float]

#: From so many galaxies on, a cloud is drawn as a histogram and not galaxy by galaxy.
MANY = 2000
#: With fewer, points are drawn larger.
FEW = 100
CELLS = 70
#: Fewest galaxies of a running median, and most bins.
IN_A_BIN, MOST_BINS = 40, 12
#: Galaxies in a bin of the PIT, on average.
FEWEST_IN_A_BIN = 20
#: Columns of a legend.
MOST_COLUMNS = 6
PLATE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.0}


class Running(NamedTuple):
    """Quantiles of one quantity in bins of another that hold equally many galaxies.

    Parameters
    ----------
    centre : ndarray of shape (bin,)
        Median of the other quantity.
    q16, median, q84 : ndarray of shape (bin,)
        Quantiles of the one.
    """

    centre: Values
    q16: Values
    median: Values
    q84: Values


def running_quantiles(x: Values, y: Values) -> Running:
    """Median and 68 % range of one quantity along another."""
    bins = min(len(x) // IN_A_BIN, MOST_BINS)
    if bins == 0:
        return Running(*(np.zeros(0),) * 4)
    parts = np.array_split(np.argsort(x, kind="stable"), bins)
    centre = np.array([np.median(x[part]) for part in parts])
    return Running(centre, *np.array([np.quantile(y[part], [0.16, 0.5, 0.84]) for part in parts]).T)


def range_of(*arrays: Values, tails: float = 0.2) -> Limits:
    """Limits of an axis that shows all but the farthest values."""
    values = np.concatenate(arrays)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, [tails, 100 - tails]))
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def draw_cloud(axes: Axes, x: Values, y: Values, xlim: Limits, ylim: Limits) -> None:
    """Draw galaxies as points, or as a histogram where there are many."""
    x, y = np.clip(x, *xlim), np.clip(y, *ylim)
    if len(x) < MANY:
        size = 4 if len(x) < FEW else 2
        axes.plot(x, y, linestyle="", marker="o", markersize=size, color=BLUE, alpha=0.45, markeredgewidth=0)
    else:
        draw_counts(axes, x, y, [np.linspace(*limits, CELLS) for limits in (xlim, ylim)])
    axes.set(xlim=xlim, ylim=ylim)


def draw_counts(axes: Axes, x: Values, y: Values, edges: Sequence[Values], **style: Any) -> None:
    """Draw a histogram; its colours go with the square root of the counts."""
    shown = np.sqrt(np.ma.masked_equal(np.histogram2d(x, y, bins=edges)[0].T, 0))
    axes.pcolormesh(*edges, shown, rasterized=True, **{"cmap": "cividis"} | style)


def draw_running(axes: Axes, x: Values, y: Values, *, label: str = "median, 16 and 84 %") -> None:
    """Draw the running median and 68 % range over a cloud of at least 80 galaxies."""
    running = running_quantiles(x, y)
    if len(running.centre) < 2:
        # One point is no line, but would stand in the legend.
        return
    # Each curve on a wider white one: to be seen on points and on dark cells alike.
    for values, width, name in ((running.q16, 0.8, ""), (running.q84, 0.8, ""), (running.median, 1.6, label)):
        axes.plot(running.centre, values, color="white", linewidth=width + 1.4)
        axes.plot(running.centre, values, color=VERMILION, linewidth=width, label=name or None)


def draw_pit_histogram(axes: Axes, pit: Values) -> None:
    """Draw the histogram of PIT values: flat if the predictions are calibrated."""
    bins = int(np.clip(len(pit) // FEWEST_IN_A_BIN, 5, 20))
    density = np.histogram(pit, bins, range=(0, 1))[0] * bins / len(pit)
    noise = 1.96 * math.sqrt((bins - 1) / len(pit))
    axes.axhspan(1 - noise, 1 + noise, color="0.85")
    axes.axhline(1, color=BLACK, linewidth=0.8, linestyle="--")
    axes.stairs(density, np.linspace(0, 1, bins + 1), color=BLUE, linewidth=1.2)
    axes.set(xlim=(0, 1), ylim=(0, max(2.0, 1.15 * float(density.max()))))


def finish(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Label a panel in the sizes of all."""
    axes.set_xlabel(x, fontsize=TEXT)
    axes.set_ylabel(y, fontsize=TEXT)
    axes.set_title(title, fontsize=TEXT)
    axes.tick_params(labelsize=SMALL)


def say(axes: Axes, text: str, *, x: float = 0.04, y: float = 0.96) -> None:
    """Write numbers into a corner of a panel."""
    across, along = "left" if x < 0.5 else "right", "bottom" if y < 0.5 else "top"
    axes.text(x, y, text, transform=axes.transAxes, fontsize=SMALL, bbox=PLATE, ha=across, va=along, zorder=5)


def leave_empty(axes: Axes, text: str = "no galaxies") -> None:
    """Say in a panel that there is nothing to show."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=TEXT, color="0.4")
    axes.set(xticks=[], yticks=[])


def shared_legend(figure: Figure, where: Any = "outside upper right") -> None:
    """Draw one legend for all panels: that of the first which has one."""
    found = (axes.get_legend_handles_labels() for axes in figure.axes)
    handles, labels = next((each for each in found if each[0]), ([], []))
    if handles:
        figure.legend(handles, labels, loc=where, ncols=MOST_COLUMNS, fontsize=SMALL, frameon=False)
