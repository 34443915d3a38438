"""Traces of the diagrams: all galaxies, those selected, the pinned one, curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Integer, Real

from nebulium.explore.draw.frame import SELECTABLE
from nebulium.explore.draw.raster import raster
from nebulium.explore.draw.theme import Theme

Numbers = Float[np.ndarray, " n"]

#: More galaxies are drawn as cells, and not one by one.
MANY = 2_000
CELLS = (110, 110)
#: Galaxies of a selection that are drawn one by one.
MOST_SELECTED = 1_500

Values = Real[np.ndarray, " _"]
Limits = tuple[float, float]
Place = tuple[float, float]
Trace = dict[str, Any]


def galaxy_traces(x: Numbers, y: Numbers, xlim: Limits, ylim: Limits, theme: Theme) -> list[Trace]:
    """All galaxies in grey: one by one, or cells where there are many."""
    if np.isfinite(x + y).sum() <= MANY:
        return [dots("all galaxies", x, y, {"color": theme.muted, "size": 5, "opacity": 0.6})]
    cells = raster(np.stack([x, y], axis=1), None, (*xlim, *ylim), CELLS)
    # One byte a cell: 0 is no galaxy, the others the logarithm of how many.
    most = max(int(cells.count.max()), 2)
    place = np.ceil(1.0 + 254.0 * np.log(np.maximum(cells.count, 1)) / np.log(most))
    first = 0.5 / 255
    colours = [[first + (1.0 - first) * float(along), colour] for along, colour in theme.density]
    picture: Trace = {
        "type": "heatmap",
        "name": "all galaxies",
        "z": np.where(cells.count > 0, np.minimum(place, 255), 0).astype(np.uint8),
        **cells.places,
        "zmin": 0,
        "zmax": 255,
        "colorscale": [[0.0, "rgba(0,0,0,0)"], [first, "rgba(0,0,0,0)"], *colours],
        "showscale": False,
        "hoverinfo": "skip",
    }
    return [picture, SELECTABLE]


def selection_traces(
    x: Numbers,
    y: Numbers,
    has: Bool[np.ndarray, " n"],
    selected: Integer[np.ndarray, " _"] | None,
    theme: Theme,
) -> list[Trace]:
    """A selection drawn over all galaxies; of a very large one every so many galaxies."""
    rows = np.zeros(0, np.int64) if selected is None else selected[has[selected]]
    if not len(rows):
        return []
    drawn = rows[:: -(-len(rows) // MOST_SELECTED)]
    marker = {"color": theme.selected, "size": 4, "opacity": 0.7}
    return [dots(f"selected, {len(rows):,}", x[drawn], y[drawn], marker)]


def pin_traces(pinned: Place | None, predicted: Place | None, theme: Theme) -> list[Trace]:
    """The galaxy that was clicked on: a star as measured, a diamond as predicted."""
    kinds = (
        ("pinned", pinned, symbol("star", 20, theme.pinned, theme.edge)),
        ("pinned, predicted", predicted, symbol("diamond", 14, theme.predicted, theme.edge)),
    )
    return [
        dots(name, at[0], at[1], marker)
        for name, at, marker in kinds
        if at is not None and np.isfinite(at).all()
    ]


def symbol(kind: str, size: int, fill: str, edge: str) -> dict[str, Any]:
    """The marker of a single galaxy that must be seen on every colour."""
    return {"symbol": kind, "size": size, "color": fill, "line": {"color": edge, "width": 1.8}}


def error_bars(above: Values, below: Values | None = None) -> dict[str, Any]:
    """Bars around dots: the same on both sides unless those below are given."""
    sides = {"array": above} if below is None else {"array": above, "arrayminus": below}
    return {"type": "data", "width": 5, "thickness": 2, **sides}


def dots(name: str, x: Values | float, y: Values | float, marker: dict[str, Any]) -> Trace:
    """Single galaxies, without labels of plotly's."""
    return {"mode": "markers", "marker": marker} | _trace(name, x, y)


def curve(name: str, x: Values, y: Values, line: dict[str, Any]) -> Trace:
    """A curve, without labels of plotly's; NaN is a gap."""
    return {"mode": "lines", "line": line, "connectgaps": False} | _trace(name, x, y)


def plane(x: str, y: str, xlim: Sequence[float], ylim: Sequence[float]) -> dict[str, Any]:
    """Axes with the legend above them."""
    return {
        "xaxis": {"title": {"text": x}, "range": [float(end) for end in xlim], "zeroline": False},
        "yaxis": {"title": {"text": y}, "range": [float(end) for end in ylim], "zeroline": False},
        "dragmode": "pan",
    }


def _trace(name: str, x: Values | float, y: Values | float) -> Trace:
    where = {"x": np.atleast_1d(np.float32(x)), "y": np.atleast_1d(np.float32(y))}
    return {"type": "scatter", "name": name, "hoverinfo": "skip"} | where
