"""What all figures have in common: a template, a description for screen readers, places for words."""

import re
from collections.abc import Sequence
from typing import Any

from plotly.graph_objects import Figure

from nebulium.explore.draw.theme import TEXT, Theme

#: Buttons of plotly that do not help here: pictures are downloaded with those of `assets/figures.js`.
HIDDEN_BUTTONS = ("toImage", "zoomIn2d", "zoomOut2d", "autoScale2d")
#: No point, but a trace of points: plotly offers lasso and box only where there is one.
SELECTABLE: dict[str, Any] = {
    "type": "scatter",
    "mode": "markers",
    "x": [None],
    "y": [None],
    "hoverinfo": "skip",
    "showlegend": False,
}


def framed(
    traces: Sequence[dict[str, Any]],
    layout: dict[str, Any],
    theme: Theme,
    *,
    name: str,
    description: str,
) -> Figure:
    """A figure in a theme.

    Parameters
    ----------
    traces : sequence of dict
        As plotly takes them.
    layout : dict
        What the template does not say.
    theme : Theme
    name : str
        Zoom and hidden curves survive as long as it stays the same.
    description : str
        What is to be seen, for a screen reader; found in `layout.meta["description"]`.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from nebulium.explore.draw.theme import LIGHT
    >>> framed([], {}, LIGHT, name="map", description="Nothing.").layout.meta["description"]
    'Nothing.'
    """
    common = {
        "template": theme.template,
        "uirevision": name,
        "meta": {"description": description, "background": theme.background},
    }
    return Figure(data=list(traces), layout={**common, **layout})


def empty_figure(message: str, theme: Theme) -> Figure:
    """A figure that says why there is nothing to see.

    Parameters
    ----------
    message : str
        A sentence; text from a table in it must be escaped, see `nebulium.explore.draw.labels.plain`.
    theme : Theme

    Returns
    -------
    Figure

    Examples
    --------
    >>> from nebulium.explore.draw.theme import LIGHT
    >>> empty_figure("This galaxy has no spectrum.", LIGHT).layout.annotations[0].text
    'This galaxy has no spectrum.'
    """
    layout = {
        "xaxis": {"visible": False},
        "yaxis": {"visible": False},
        "annotations": [note(_wrapped(message), 0.5, 0.5, size=TEXT, color=theme.muted)],
    }
    return framed([], layout, theme, name="empty", description=message)


def note(text: str, x: float, y: float, *, size: int | None = None, **font: Any) -> dict[str, Any]:
    """Words in a figure.

    Parameters
    ----------
    text : str
        Escaped.
    x, y : float
        Place in fractions of the drawing area; the text lies towards its middle.
    size : int, optional
        Of the letters, pixels.
    **font
        More of plotly's font.

    Returns
    -------
    dict
        An annotation.

    Examples
    --------
    >>> note("12 galaxies", 0.02, 0.98)["yanchor"]
    'top'
    """
    across = "center" if x == 0.5 else "left" if x < 0.5 else "right"
    along = "middle" if y == 0.5 else "bottom" if y < 0.5 else "top"
    place = {"xref": "x domain", "yref": "y domain", "x": x, "y": y, "xanchor": across, "yanchor": along}
    return {
        "text": text,
        "align": across,
        "showarrow": False,
        **place,
        "font": font | ({"size": size} if size else {}),
    }


def graph_config(name: str, *, wheel: bool = False) -> dict[str, Any]:
    """How a figure behaves in the page: the `config` of a `dcc.Graph`.

    Parameters
    ----------
    name : str
        Of the files that its pictures are saved in, after "nebulium-".
    wheel : bool
        Whether the mouse wheel zooms: in the map, and not where the page should scroll.

    Returns
    -------
    dict

    Examples
    --------
    >>> graph_config("map", wheel=True)["toImageButtonOptions"]["filename"]
    'nebulium-map'
    """
    return {
        "displaylogo": False,
        # Plotly's button would send the data to a server of theirs.
        "showSendToCloud": False,
        "plotlyServerURL": "",
        "displayModeBar": True,
        "responsive": True,
        "scrollZoom": wheel,
        "doubleClick": "reset",
        "showTips": False,
        "modeBarButtonsToRemove": list(HIDDEN_BUTTONS),
        "toImageButtonOptions": {
            "format": "png",
            "filename": f"nebulium-{re.sub('[^A-Za-z0-9_-]+', '-', name)}",
            "scale": 3,
        },
    }


def _wrapped(text: str, width: int = 46) -> str:
    """Lines that fit a narrow figure; entities such as &lt; stay whole, for lines break at spaces."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines)
