"""How the page without a server looks: layouts of the figures, which the browser fills."""

import json
from typing import Any

import numpy as np
from plotly.graph_objects import Figure

from nebulium.explore.draw.colours import colour_scale
from nebulium.explore.draw.frame import graph_config
from nebulium.explore.draw.map_figures import Points, map_figure
from nebulium.explore.draw.raster import Window
from nebulium.explore.draw.theme import Theme, faint
from nebulium.explore.sample.quantities import PANELS

#: Colours of marks and curves.
COLOURS = ("background", "ink", "muted", "edge", "observed", "predicted", "pinned")
#: Buttons of plotly that choose galaxies, which this page does not.
CHOOSING = ("select2d", "lasso2d")


def map_look(theme: Theme, window: Window) -> dict[str, Any]:
    """What the page needs to draw maps in a theme."""
    point = Points(np.zeros((1, 2), np.float32), np.zeros(1), np.zeros(1, np.int64))
    panels = [("",), *(PANELS[:count] for count in range(2, len(PANELS) + 1))]
    return {
        **{name: getattr(theme, name) for name in COLOURS},
        "faint": faint(theme.predicted),
        "template": theme.template.to_plotly_json(),
        "maps": [
            layout_of(
                map_figure(dict.fromkeys(names, point), colour_scale("", np.zeros(1)), theme, window=window)
            )
            for names in panels
        ],
    }


def layout_of(figure: Figure) -> dict[str, Any]:
    """The layout of a figure, as JSON knows it, without its template."""
    layout: dict[str, Any] = json.loads(figure.to_json())["layout"]
    layout.pop("template", None)
    return layout


def page_config(name: str, *, wheel: bool) -> dict[str, Any]:
    """How a figure behaves: pictures are saved by plotly's own button."""
    config = graph_config(name, wheel=wheel)
    hidden = [button for button in config["modeBarButtonsToRemove"] if button != "toImage"]
    return config | {"modeBarButtonsToRemove": [*hidden, *CHOOSING]}
