"""Galaxies beside their neighbours in two spaces: pure functions from arrays to a matplotlib `Figure`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nebulium.data.images.stretches import core_light, scaled_colours
from nebulium.metrics.figure_style import BLACK, BLUE, FULL_WIDTH, SMALL, STYLES, TEXT, VERMILION
from nebulium.metrics.panels import PLATE, leave_empty, shared_legend
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.scores.figures import OUTLIER, RIGHT
from nebulium.verbs.score import Values

Pictures = UInt8[np.ndarray, "n height width 3"]


#: White pixels between pictures, as a share of their width.
GAP = 0.06
#: Inches: of a row, its caption included; of what stands above and below the rows.
ROW, ABOVE, BELOW = 0.88, 0.72, 0.42
#: Widths of the galaxy, its densities and one of the neighbours.
GALAXY, DENSITY, ONE = 1.0, 2.1, 1.0


@dataclass(frozen=True, eq=False)
class ShownNeighbours:
    """Neighbours of galaxies in one space.

    Attributes
    ----------
    pictures : (n, count, height, width, 3) uint8
        The nearest first.
    redshift : (n, count) float
        Spectroscopic ones.
    """

    pictures: UInt8[np.ndarray, "n count height width 3"]
    redshift: Float[np.ndarray, "n count"]


def colour_pictures(flux: Float[np.ndarray, "n height width band"], noise: Sequence[float]) -> Pictures:
    """Images as colours, all on one scale.

    Each band is scaled by the typical galaxy among these, which is white: colours tell galaxies apart.
    """
    typical = np.median(core_light(flux), axis=0) if len(flux) else np.ones(flux.shape[-1])
    return scaled_colours(flux, typical, noise)


def neighbours_figure(
    pictures: Pictures,
    redshift: Values,
    densities: Mapping[str, RedshiftDensities],
    neighbours: Mapping[str, ShownNeighbours],
    *,
    names: Sequence[str] = (),
    title: str = "",
) -> Figure:
    """Galaxies with their densities and their neighbours: a row a galaxy."""
    height = ABOVE + ROW * max(len(pictures), 1) + BELOW
    figure = Figure(figsize=(FULL_WIDTH, height))
    figure.suptitle(title, fontsize=TEXT, y=1 - 0.06 / height, va="top")
    if not len(pictures):
        leave_empty(figure.add_axes((0.1, 0.1, 0.8, 0.5)))
        return figure
    counts = [shown.redshift.shape[1] for shown in neighbours.values()]
    grid = figure.add_gridspec(
        len(pictures),
        2 + len(neighbours),
        width_ratios=[GALAXY, DENSITY, *(ONE * count for count in counts)],
        left=0.012, right=0.992, top=1 - ABOVE / height, bottom=BELOW / height, wspace=0.05, hspace=0.46,
    )  # fmt: skip
    ends = [those.quantile([0.995]).max() for those in densities.values()]
    limits = 0.0, 1.05 * float(max(*ends, redshift.max()))
    for row in range(len(pictures)):
        panels = [figure.add_subplot(grid[row, column]) for column in range(2 + len(neighbours))]
        _strip(panels[0], pictures[row : row + 1])
        name = f"\n{names[row]}" if len(names) else ""
        # To the left: an id of many digits has room on the right only.
        _caption(panels[0], 0.0, f"z = {redshift[row]:.3f}{name}", ha="left")
        one = {method: those.select(slice(row, row + 1)) for method, those in densities.items()}
        _densities(panels[1], one, float(redshift[row]), limits, last=row == len(pictures) - 1)
        for axes, shown in zip(panels[2:], neighbours.values(), strict=True):
            _strip(axes, shown.pictures[row])
            for place, other in enumerate(others := shown.redshift[row].tolist()):
                like = _likeness(other, float(redshift[row]))
                _caption(axes, (place + 0.5) / len(others), f"{other:.3f}", **like)
        if row == 0:
            for axes, heading in zip(panels, ("galaxy", "p(z)", *neighbours), strict=True):
                axes.set_title(heading, fontsize=TEXT, pad=4)
    shared_legend(figure, "lower right")
    return figure


def _densities(
    axes: Axes, one: Mapping[str, RedshiftDensities], true: float, limits: tuple[float, float], *, last: bool
) -> None:
    """Each scaled to its peak: one that is sure would flatten the others. Medians stand beside."""
    for line, ((method, density), (colour, dash)) in enumerate(zip(one.items(), STYLES, strict=False)):
        edges = density.grid.edges
        height = density.mass[0].astype(np.float64) / np.diff(edges)
        label = f"p(z), {method}"
        axes.stairs(height / height.max(), edges, color=colour, linestyle=dash, linewidth=1.0, label=label)
        axes.text(
            0.98, 0.94 - 0.24 * line, f"{density.median()[0]:.3f}",
            transform=axes.transAxes, ha="right", va="top", color=colour, fontsize=SMALL, bbox=PLATE,
        )  # fmt: skip
    axes.axvline(true, color=BLACK, linewidth=0.8, label="spectroscopic")
    axes.set(xlim=limits, ylim=(0, 1.15), yticks=[])
    axes.tick_params(labelsize=SMALL, labelbottom=last, pad=2)
    axes.set_xlabel("redshift" if last else "", fontsize=SMALL, labelpad=1)


def _likeness(other: float, true: float) -> dict[str, Any]:
    """How the redshift of a neighbour is written; not by its colour alone."""
    apart = abs(other - true) / (1 + true)
    if apart < RIGHT:
        return {"color": BLUE, "fontweight": "bold"}
    return {"color": VERMILION, "fontstyle": "italic"} if apart > OUTLIER else {"color": BLACK}


def _strip(axes: Axes, pictures: UInt8[np.ndarray, "count height width 3"]) -> None:
    """Pictures side by side as one: a panel each would take ten times as long. The first row lies below."""
    gap = max(1, round(GAP * pictures.shape[2]))
    padded = np.pad(pictures, ((0, 0), (0, 0), (0, gap), (0, 0)), constant_values=255)
    axes.imshow(np.concatenate(list(padded), axis=1), interpolation="nearest", origin="lower")
    axes.set_axis_off()
    axes.set_anchor("N")


def _caption(axes: Axes, x: float, text: str, *, ha: str = "center", **style: Any) -> None:
    axes.text(x, -0.04, text, transform=axes.transAxes, ha=ha, va="top", fontsize=SMALL, **style)
