"""The state of the page, read from the address or from the page, and written into the address.

The page keeps its state as a few short texts by name, the same that stand behind the `?` of the address, and
the server keeps none. Whatever arrives is checked here, each time: a name is looked up among what the
galaxies have, a number is parsed, and nothing is opened, evaluated or shown as HTML.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from nebulium.explore.draw.labels import shortened
from nebulium.explore.draw.raster import Window

#: Longest address that is read, characters; browsers and mail programs pass on as much.
MOST_CHARACTERS = 8000
MOST_CORNERS = 300
#: Of a text from the address that is shown in a note.
SHOWN = 40


@dataclass(frozen=True)
class Selection:
    """An outline drawn by hand.

    Parameters
    ----------
    space : str
        The diagram it was drawn in: `map`, or one of the other views that places galaxies in a plane.
    corners : tuple of (float, float)
        In that diagram's coordinates, at least three.
    """

    space: str
    corners: tuple[tuple[float, float], ...]

    @property
    def polygon(self) -> np.ndarray:
        """The corners as an array of shape (k, 2)."""
        return np.array(self.corners, np.float64)


@dataclass(frozen=True)
class Choices:
    """The names that a state may hold: all others are refused.

    Parameters
    ----------
    columns : tuple of str
        Columns that can colour the map; the first is the default.
    quantities : tuple of str
        Quantities with a measured and a predicted column; the first is the default.
    row_of : callable of str returning int or None
        The row of an id.
    galaxy_views, sample_views : tuple of str
        Names of the views of one galaxy and of many; the first of each is the default.
    spaces : tuple of str
        Diagrams in which a selection may be drawn.
    """

    columns: tuple[str, ...]
    quantities: tuple[str, ...]
    row_of: Callable[[str], int | None]
    galaxy_views: tuple[str, ...]
    sample_views: tuple[str, ...]
    spaces: tuple[str, ...]


@dataclass(frozen=True)
class ViewState:
    """All that decides what a visitor sees.

    Parameters
    ----------
    colour : str
        The column that colours the map; empty where there is none.
    quantity : str
        The quantity compared with its prediction; empty where there is nothing to compare.
    panels : str
        `one` map, or `three`: measured, predicted, predicted plus scatter and noise.
    frame : str
        Of the spectrum: `rest` or `observed`.
    theme : str
        `light` or `dark`.
    stretch : float
        How much of the faint light of the images shows, 0 to 1.
    galaxy_view, sample_view : str
        The open views of one galaxy and of many.
    pin : str, optional
        The id of the pinned galaxy.
    window : tuple of four floats, optional
        The part of the map in view: left, right, bottom, top; all of it if not given.
    selection : Selection, optional
        The outline that selects galaxies.
    history : float
        Where the slider on the star-formation history stands, 0 to 1.
    """

    colour: str
    quantity: str
    panels: str = "one"
    frame: str = "rest"
    theme: str = "light"
    stretch: float = 0.5
    galaxy_view: str = ""
    sample_view: str = ""
    pin: str | None = None
    window: Window | None = None
    selection: Selection | None = None
    history: float = 0.5


FIELDS = tuple(field.name for field in fields(ViewState))


def default_state(choices: Choices) -> ViewState:
    """The state of a page that is opened without one."""
    first = [
        names[0] if names else ""
        for names in (choices.columns, choices.quantities, choices.galaxy_views, choices.sample_views)
    ]
    return ViewState(first[0], first[1], galaxy_view=first[2], sample_view=first[3])


def from_query(query: str, choices: Choices) -> tuple[ViewState, list[str]]:
    """The state that an address names."""
    if len(query) > MOST_CHARACTERS:
        return default_state(choices), [f"the address was longer than {MOST_CHARACTERS:,} characters"]
    try:
        texts = parse_qsl(query.removeprefix("?"), keep_blank_values=True, max_num_fields=4 * len(FIELDS))
    except ValueError:
        return default_state(choices), ["the address names too many things"]
    return from_texts(dict(texts), choices)


def from_texts(texts: Any, choices: Choices) -> tuple[ViewState, list[str]]:
    """The state that texts by name describe, as the page sends them."""
    state, notes = default_state(choices), []
    for name, text in texts.items() if isinstance(texts, Mapping) else ():
        if name not in FIELDS or not isinstance(text, str):
            notes.append(f"“{shortened(str(name), SHOWN)}” is not known to this page")
            continue
        try:
            state = replace(state, **{name: _READERS[name](text, choices)})
        except ValueError as error:
            notes.append(f"{name}: {error}")
    return state, notes


def to_texts(state: ViewState, choices: Choices) -> dict[str, str]:
    """The state as short texts by name, without the fields that have their first value."""
    first = default_state(choices)
    changed = [name for name in FIELDS if getattr(state, name) != getattr(first, name)]
    return {name: _written(getattr(state, name)) for name in changed}


def _written(value: Any) -> str:
    if isinstance(value, Selection):
        return f"{value.space}:" + ";".join(f"{x!r},{y!r}" for x, y in value.corners)
    if isinstance(value, tuple):
        return ",".join(map(repr, value))
    return value if isinstance(value, str) else repr(value)


def _one_of(text: str, names: tuple[str, ...], what: str) -> str:
    if text not in names:
        raise ValueError(f"there is no {what} “{shortened(text, SHOWN)}”")
    return text


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or abs(value) > 1e30:
        raise ValueError
    return value


def _share(text: str, _: Choices) -> float:
    try:
        value = _number(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise ValueError("expected a number from 0 to 1")
    return value


def _pin(text: str, choices: Choices) -> str:
    if choices.row_of(text) is None:
        raise ValueError(f"there is no galaxy “{shortened(text, SHOWN)}”")
    return text


def _window(text: str, _: Choices) -> Window:
    expected = "expected four numbers, left < right and bottom < top"
    try:
        left, right, bottom, top = map(_number, text.split(","))
    except ValueError:
        raise ValueError(expected) from None
    if not (left < right and bottom < top):
        raise ValueError(expected)
    return left, right, bottom, top


def _selection(text: str, choices: Choices) -> Selection:
    space, _, rest = text.partition(":")
    _one_of(space, choices.spaces, "diagram to select in called")
    pairs = [pair.split(",") for pair in rest.split(";")]
    if not 3 <= len(pairs) <= MOST_CORNERS:
        raise ValueError(f"expected 3 to {MOST_CORNERS} corners")
    try:
        return Selection(space, tuple((_number(x), _number(y)) for x, y in pairs))
    except ValueError:
        raise ValueError("expected corners as x,y;x,y;x,y") from None


_READERS: dict[str, Callable[[str, Choices], Any]] = {
    "colour": lambda text, choices: _one_of(text, choices.columns, "column"),
    "quantity": lambda text, choices: _one_of(text, choices.quantities, "predicted quantity"),
    "panels": lambda text, _: _one_of(text, ("one", "three"), "number of panels"),
    "frame": lambda text, _: _one_of(text, ("rest", "observed"), "frame"),
    "theme": lambda text, _: _one_of(text, ("light", "dark"), "theme"),
    "stretch": _share,
    "galaxy_view": lambda text, choices: _one_of(text, choices.galaxy_views, "view"),
    "sample_view": lambda text, choices: _one_of(text, choices.sample_views, "view"),
    "pin": _pin,
    "window": _window,
    "selection": _selection,
    "history": _share,
}
