"""The map of galaxies: one panel, or several that zoom together on one colour scale."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer, Real
from plotly.graph_objects import Figure

from nebulium.explore.draw.colours import NOTHING, ColourScale
from nebulium.explore.draw.frame import SELECTABLE, Part, framed, note
from nebulium.explore.draw.raster import Raster, Window
from nebulium.explore.draw.theme import TEXT, Theme
from nebulium.explore.draw.traces import curve, dots, symbol

#: Share of the width between two panels.
GAP = 0.015
#: Left and below, pixels: the names of the axes fit.
MARGIN = 28
#: Sizes of the points of a map of 100 galaxies and of 20,000, pixels.
SIZES = (9.0, 3.5)


@dataclass(frozen=True, eq=False)
class Points:
    """Single galaxies of a map.

    Attributes
    ----------
    xy : (m, 2) float
    values : (m,)
        Values that give their colours; NaN where missing.
    rows : (m,) int
        Of the table: what the browser sends back of a point that is pointed at.
    """

    xy: Float[np.ndarray, "m 2"]
    values: Real[np.ndarray, " m"]
    rows: Integer[np.ndarray, " m"]


@dataclass(frozen=True, eq=False)
class Marks:
    """Marks over the galaxies of a map.

    Attributes
    ----------
    pinned : (x, y), optional
        The galaxy that was clicked on.
    neighbours : (k, 2) float, optional
        Those like it.
    selection : (corner, 2) float, optional
        Outline of the lasso or the box.
    track : (step, 2) float, optional
        Places of a synthetic galaxy in the map; NaN where it has none.
    track_at : (x, y), optional
        Where it is.
    """

    pinned: tuple[float, float] | None = None
    neighbours: Float[np.ndarray, "k 2"] | None = None
    selection: Float[np.ndarray, "corner 2"] | None = None
    track: Float[np.ndarray, "step 2"] | None = None
    track_at: tuple[float, float] | None = None


NO_MARKS = Marks()


def map_figure(
    panels: Mapping[str, Raster | Points],
    scale: ColourScale,
    theme: Theme,
    *,
    window: Window,
    marks: Marks = NO_MARKS,
) -> Figure:
    """Galaxies in their map, coloured by one quantity, in a panel for each name."""
    traces: list[Part] = []
    layout: Part = {"annotations": []}
    for place, (name, one) in enumerate(panels.items()):
        on = {"xaxis": f"x{place + 1 if place else ''}", "yaxis": f"y{place + 1 if place else ''}"}
        traces += [{**trace, **on} for trace in [_galaxies(one, scale), SELECTABLE, *_marks(marks, theme)]]
        layout |= _panel_axes(place, len(panels), window)
        layout["annotations"] += _titles(name, one, on, theme)
    layout |= {
        "coloraxis": scale.axis(theme),
        "showlegend": False,
        # The page follows the pointer by itself: plotly's search among many points is slow.
        "hovermode": False,
        "dragmode": "pan",
        # An outline that the browser drew gives way to the one that is drawn in all panels.
        "selections": [],
        "selectionrevision": _outline_name(marks.selection),
        "margin": {"l": MARGIN, "b": MARGIN},
    }
    description = f"Map of galaxies coloured by {scale.label}: {', '.join(panels) or 'one panel'}."
    return framed(traces, layout, theme, name="map", description=description)


def _galaxies(drawn: Raster | Points, scale: ColourScale) -> Part:
    """The galaxies of one panel."""
    if isinstance(drawn, Raster):
        return {
            "type": "heatmap",
            "z": np.where(drawn.count > 0, scale.colours_of(drawn.mean), NOTHING).astype(np.uint8),
            **drawn.places,
            "coloraxis": "coloraxis",
            "hoverinfo": "skip",
        }
    size = float(np.interp(np.log10(max(len(drawn.xy), 1)), [2.0, 4.3], SIZES))
    return {
        "type": "scattergl",
        "mode": "markers",
        "x": drawn.xy[:, 0],
        "y": drawn.xy[:, 1],
        "customdata": drawn.rows.astype(np.int32),
        "marker": {"color": scale.colours_of(drawn.values), "coloraxis": "coloraxis", "size": size},
        "hoverinfo": "skip",
        # The outline shows the selection: points keep their colours.
        "unselected": {"marker": {"opacity": 0.35}},
    }


def _marks(marks: Marks, theme: Theme) -> list[Part]:
    """Outline, neighbours, track, pinned galaxy: dark on light rings, to be seen on every colour."""
    traces = []
    if marks.selection is not None and len(marks.selection):
        x, y = np.concatenate([marks.selection, marks.selection[:1]]).T
        traces.append(curve("", x, y, {"color": theme.background, "width": 5}))
        traces.append(curve("", x, y, {"color": theme.selected, "width": 2.5, "dash": "dash"}))
    if marks.track is not None and len(marks.track):
        x, y = marks.track.T
        traces.append(curve("", x, y, {"color": theme.background, "width": 6}))
        traces.append(curve("", x, y, {"color": theme.pinned, "width": 3}))
    if marks.neighbours is not None and len(marks.neighbours):
        x, y = marks.neighbours.T
        traces.append(dots("", x, y, symbol("circle", 9, theme.background, theme.ink)))
    for at, kind, size in ((marks.track_at, "diamond", 16), (marks.pinned, "star", 20)):
        if at is not None:
            traces.append(dots("", *at, symbol(kind, size, theme.pinned, theme.edge)))
    return traces


def _panel_axes(place: int, panels: int, view: Window) -> Part:
    """Axes of one panel: no numbers, for the coordinates of a map mean nothing one by one."""
    left, right, bottom, top = view
    width = (1.0 - GAP * (panels - 1)) / panels
    start = place * (width + GAP)
    number = str(place + 1) if place else ""
    bare = {
        "automargin": False,
        "showticklabels": False,
        "ticks": "",
        "showgrid": False,
        "zeroline": False,
        "mirror": True,
    }
    x = {"domain": [start, start + width], "range": [left, right], "anchor": f"y{number}"}
    y = {"range": [bottom, top], "anchor": f"x{number}"}
    if place:
        x, y = x | {"matches": "x"}, y | {"matches": "y"}
    return {
        f"xaxis{number}": x | bare | {"title": {"text": "UMAP 1"}},
        f"yaxis{number}": y | bare | {"title": {"text": "UMAP 2" if place == 0 else ""}},
    }


def _titles(name: str, drawn: Raster | Points, on: Mapping[str, str], theme: Theme) -> list[Part]:
    """The name above a panel, and words where it has no galaxy."""
    domain = {"xref": f"{on['xaxis']} domain", "yref": f"{on['yaxis']} domain"}
    above = note(name, 0.0, 1.0, size=TEXT) | domain | {"yanchor": "bottom", "yshift": 4}
    nothing = note("no galaxies here", 0.5, 0.5, size=TEXT, color=theme.muted) | domain
    return [above] * bool(name) + [nothing] * _is_empty(drawn)


def _is_empty(drawn: Raster | Points) -> bool:
    return not (drawn.count.any() if isinstance(drawn, Raster) else len(drawn.xy))


def _outline_name(selection: np.ndarray | None) -> str:
    return "none" if selection is None else "/".join(f"{value:.5g}" for value in selection.ravel()[:64])
