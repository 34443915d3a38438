"""Panels of the figures, one a line."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nebulium.lines.continuum.line_list import DISPLAY_NAMES
from nebulium.metrics.figure_style import FULL_WIDTH, SMALL, TEXT

PANEL_HEIGHT = 1.75
SQUARE_PANEL_HEIGHT = 1.62


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


def shared_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """Draw one legend for all panels, above them."""
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        if handles:
            figure.legend(
                handles, labels, loc="outside upper right", ncols=len(labels), fontsize=SMALL, frameon=False
            )
            return
