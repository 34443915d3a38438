"""Light and dark: the colours of the page and of its figures.

Colours of marks are those of Okabe & Ito (2008); colour scales are even in lightness. The colour-blind
can tell all of them apart, and no meaning rests on colour alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_hex
from plotly.graph_objs.layout import Template

from nebulium.lines.continuum.line_list import LINES
from nebulium.metrics.figure_style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION

Stops = list[list[float | str]]

#: Of the figures' text, pixels: to be read from the back of a room.
TEXT, SMALL = 15, 13
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
#: Colours that a scale is given to the browser in.
STOPS = 17


@dataclass(frozen=True)
class Theme:
    """The colours of the page and its figures.

    Attributes
    ----------
    name : {"light", "dark"}
    background, ink, muted, missing, grid, edge : str
        Of the page, of text and curves, of minor text, of galaxies without a value, of grid
        lines, and of the rims of marks that must be seen on every colour.
    observed, predicted : str
        Of measurements and of predictions.
    pinned, selected : str
        Of the galaxy that was clicked on, and of those chosen with lasso or box.
    line_colours : mapping of str to str
        Colour of each emission line: one for each ion.
    scale_ends : tuple of float
        The part of viridis that can be seen on the background.
    scale_middle : str
        Of a diverging scale, between the background and the ends.
    """

    name: Literal["light", "dark"]
    background: str
    ink: str
    muted: str
    missing: str
    grid: str
    edge: str
    observed: str
    predicted: str
    pinned: str
    selected: str
    line_colours: Mapping[str, str]
    scale_ends: tuple[float, float]
    scale_middle: str

    @cached_property
    def sequential(self) -> Stops:
        """Viridis, without the end that would be lost on the background."""
        viridis = matplotlib.colormaps["viridis"]
        low, high = self.scale_ends
        return _stops(lambda place: viridis(low + (high - low) * place))

    @cached_property
    def diverging(self) -> Stops:
        """Blue for negative, orange for positive, and as near to the background as zero is to nothing."""
        ends = (SKY, BLUE) if self.name == "light" else (BLUE, SKY)
        others = (ORANGE, VERMILION) if self.name == "light" else (VERMILION, ORANGE)
        colours = (ends[1], ends[0], self.scale_middle, others[0], others[1])
        return _stops(LinearSegmentedColormap.from_list("diverging", colours))

    @cached_property
    def density(self) -> Stops:
        """How many galaxies are there, in greys on which curves of the ink still stand out."""
        ends = ("#d9dde2", "#525c68") if self.name == "light" else ("#2c343e", "#a9b3be")
        return _stops(LinearSegmentedColormap.from_list("density", ends))

    @cached_property
    def template(self) -> Template:
        """Fonts, grid and colours that all figures share."""
        axis = {
            "automargin": True,
            "gridcolor": self.grid,
            "linecolor": self.muted,
            "zerolinecolor": self.grid,
            "ticks": "outside",
            "tickcolor": self.muted,
            "showline": True,
            "title": {"font": {"size": TEXT}, "standoff": 8},
        }
        layout: dict[str, Any] = {
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": SMALL, "color": self.ink},
            "title": {"font": {"size": TEXT}, "x": 0.01, "xanchor": "left"},
            "margin": {"l": 12, "r": 8, "t": 34, "b": 8},
            "xaxis": axis,
            "yaxis": axis,
            "legend": {
                "bgcolor": "rgba(0,0,0,0)",
                "font": {"size": SMALL},
                "orientation": "h",
                "yref": "container",
                "y": 0.0,
                "yanchor": "bottom",
                "x": 0.0,
            },
            "hoverlabel": {"bgcolor": self.background, "font": {"color": self.ink, "size": SMALL}},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": self.muted, "activecolor": self.ink},
            "newselection": {"line": {"color": self.selected, "width": 2}},
            "annotationdefaults": {"showarrow": False, "font": {"size": SMALL, "color": self.ink}},
        }
        return Template(layout=layout)


def theme_of(name: str | None) -> Theme:
    """A theme by its name."""
    return DARK if name == "dark" else LIGHT


def faint(colour: str, opacity: float = 0.28) -> str:
    """A colour to fill with."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _stops(colour_at: Any) -> Stops:
    """Evenly spaced colours, as plotly takes them."""
    return [[float(place), to_hex(colour_at(place))] for place in np.linspace(0.0, 1.0, STOPS)]


def _by_ion(**colours: str) -> Mapping[str, str]:
    """A colour for each line, by the beginning of its name; the Balmer lines begin with H."""
    return MappingProxyType(
        {line: next(colour for start, colour in colours.items() if line.startswith(start)) for line in LINES}
    )


LIGHT = Theme(
    name="light",
    background="#ffffff",
    ink="#1a1d21",
    muted="#69727d",
    missing="#c9ced4",
    grid="#e4e7eb",
    edge="#16191d",
    observed=BLACK,
    predicted=BLUE,
    pinned=VERMILION,
    selected="#b0005a",
    line_colours=_by_ion(OIII=GREEN, OII=BLUE, H=VERMILION, NII="#9a5a85", SII="#8a6100"),
    scale_ends=(0.0, 0.95),
    scale_middle="#e3e3e3",
)
DARK = Theme(
    name="dark",
    background="#12161c",
    ink="#e9ecf0",
    muted="#98a2ae",
    missing="#4d5661",
    grid="#2b323c",
    edge="#0b0d10",
    observed="#ffffff",
    predicted=SKY,
    pinned="#ff8f3f",
    selected="#ff8fc4",
    line_colours=_by_ion(OIII="#3fc79e", OII=SKY, H="#ff8f3f", NII=PURPLE, SII=ORANGE),
    scale_ends=(0.12, 1.0),
    scale_middle="#3a4049",
)
