"""The frame of all figures: a template, a description for screen readers, places for words."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any

from plotly.graph_objects import Figure

from nebulium.explore.draw.theme import TEXT, Theme

Part = dict[str, Any]

#: Buttons of plotly that do not help here: pictures are downloaded with those of `assets/figures.js`.
HIDDEN_BUTTONS = ("toImage", "zoomIn2d", "zoomOut2d", "autoScale2d")
#: Characters of a line that fits a narrow figure.
WIDTH = 46
#: No point, but a trace of points: plotly offers lasso and box only where there is one.
SELECTABLE: Part = {
    "type": "scatter",
    "mode": "markers",
    "x": [None],
    "y": [None],
    "hoverinfo": "skip",
    "showlegend": False,
}


def framed(traces: Sequence[Part], layout: Part, theme: Theme, *, name: str, description: str) -> Figure:
    """A figure in a theme."""
    common = {
        "template": theme.template,
        "uirevision": name,
        "meta": {"description": description, "background": theme.background},
    }
    return Figure(data=list(traces), layout={**common, **layout})


def empty_figure(message: str, theme: Theme) -> Figure:
    """A figure that says why there is nothing to see."""
    # Entities such as &lt; stay whole, for lines break at spaces.
    lines = textwrap.wrap(message, WIDTH, break_long_words=False, break_on_hyphens=False)
    layout = {
        "xaxis": {"visible": False},
        "yaxis": {"visible": False},
        "annotations": [note("<br>".join(lines), 0.5, 0.5, size=TEXT, color=theme.muted)],
    }
    return framed([], layout, theme, name="empty", description=message)


def note(text: str, x: float, y: float, *, size: int | None = None, **font: Any) -> Part:
    """Words in a figure."""
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


def graph_config(name: str, *, wheel: bool = False) -> Part:
    """How a figure behaves in the page: the `config` of a `dcc.Graph`."""
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
