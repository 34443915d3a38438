"""Answers of the server to the page: each follows from the galaxies and from the question alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, no_update, set_props
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate
from plotly.graph_objects import Figure

from nebulium.explore.draw.raster import Window
from nebulium.explore.page.cards import galaxy_title, hover_card, neighbour_buttons, sample_note
from nebulium.explore.page.explored import DIRECTIONS, PREDICTED, Explored
from nebulium.explore.page.layout import CONTROLS, DOWNLOADS, place_of
from nebulium.explore.page.map_view import draw_map, shown_by
from nebulium.explore.page.state import Choices, ViewState, from_query, from_texts, to_texts
from nebulium.explore.page.views import GALAXY_VIEWS, SAMPLE_VIEWS, View, drawn_view, stamp_buttons
from nebulium.explore.sample.selection import csv_bytes, parquet_bytes, selection_table

#: Galaxies of a search that finds several.
MOST_FOUND = 5
MOST_NOTES = 4


def register(app: Dash, explored: Explored, choices: Choices) -> None:
    """Register all callbacks with the application."""
    _register_browser(app)
    _register_state(app, choices)
    _register_views(app, explored, choices)
    if explored.pictures is not None:
        _register_stamps(app, explored, choices)
    _register_pointer(app, explored, choices)
    _register_downloads(app, explored, choices)


def _register_browser(app: Dash) -> None:
    """Register the callbacks that run in the browser, in assets/explore.js."""

    def called(name: str) -> ClientsideFunction:
        return ClientsideFunction("nebulium", name)

    app.clientside_callback(
        called("open"),
        Output("texts", "data"),
        Output("query", "data"),
        Input("page", "id"),
        State("defaults", "data"),
        State("names", "data"),
        prevent_initial_call=False,
    )
    app.clientside_callback(called("change"), *(Input(name, "value") for name in CONTROLS))
    for name, store in (("settle", "settled"), ("pin", "pinned"), ("notify", "message")):
        app.clientside_callback(called(name), Input(store, "data"))
    app.clientside_callback(called("zoom"), Input("map", "relayoutData"))
    app.clientside_callback(
        called("select"), Input("map", "selectedData"), Input("sample-figure", "selectedData")
    )


def _register_state(app: Dash, choices: Choices) -> None:
    @app.callback(
        *(Output(name, "value") for name in CONTROLS),
        Output("settled", "data"),
        Output("message", "data"),
        Input("query", "data"),
    )
    def settle(query: Any) -> tuple[Any, ...]:
        state, notes = from_query(query if isinstance(query, str) else "", choices)
        shown = [*notes[:MOST_NOTES], *(["…"] if len(notes) > MOST_NOTES else [])]
        message = (
            {"text": "\n".join(["Not all of the address makes sense here.", *shown])} if notes else no_update
        )
        values = {name: getattr(state, name) for name in CONTROLS}
        for name, names in (("colour", choices.columns), ("quantity", choices.quantities)):
            values[name] = place_of(values[name], names)
        return (*values.values(), to_texts(state, choices), message)


def _register_views(app: Dash, explored: Explored, choices: Choices) -> None:
    # The browser asks in this order: what was clicked on is looked at first.
    @_drawing(
        app,
        "galaxy",
        Output("galaxy-figure", "figure"),
        Output("galaxy-body", "children"),
        Output("galaxy-title", "children"),
        Output("neighbours", "children"),
    )
    def draw_the_galaxy(texts: Any, drawn: Any) -> tuple[Any, ...]:
        state = from_texts(texts, choices)[0]
        view = GALAXY_VIEWS[state.galaxy_view]
        new = _if_new(state, ("galaxy_view", "pin", "theme", *view.shows), drawn)
        row = explored.row_pinned(state)
        title, neighbours = galaxy_title(explored, row), neighbour_buttons(explored, row)
        return *_figure_and_body(view, explored, state), title, neighbours, new

    @_drawing(app, "map", Output("map", "figure"), after=[Input("made", "data")])
    def draw_the_map(texts: Any, made: Any, drawn: Any) -> tuple[Figure, str]:
        if texts is None:
            raise PreventUpdate
        state = from_texts(texts, choices)[0]
        # The synthetic galaxy takes its place as soon as its view, which makes it, is drawn.
        new = _if_new(state, shown_by(state), drawn, str(explored.synthetic.is_ready))
        return draw_map(explored, state), new

    @_drawing(
        app,
        "sample",
        Output("sample-figure", "figure"),
        Output("sample-body", "children"),
        Output("sample-figure-space", "data-space"),
        Output("sample-note", "children"),
    )
    def draw_the_sample(texts: Any, drawn: Any) -> tuple[Any, ...]:
        state = from_texts(texts, choices)[0]
        view = SAMPLE_VIEWS[state.sample_view]
        was_ready = explored.synthetic.is_ready
        new = _if_new(state, ("sample_view", "theme", *view.shows), drawn)
        answer = *_figure_and_body(view, explored, state), view.space, sample_note(explored, state), new
        if explored.synthetic.is_ready and not was_ready:
            set_props("made", {"data": "synthetic galaxy"})
        return answer


def _register_stamps(app: Dash, explored: Explored, choices: Choices) -> None:
    @_drawing(app, "stamps", Output("stamps", "children"))
    def draw_the_stamps(texts: Any, drawn: Any) -> tuple[list[Component], str]:
        state = from_texts(texts, choices)[0]
        if state.sample_view != "selection":
            raise PreventUpdate
        new = _if_new(state, ("selection", "stretch"), drawn)
        return stamp_buttons(explored, state), new


def _register_pointer(app: Dash, explored: Explored, choices: Choices) -> None:
    @app.callback(Output("card", "children"), Input("pointer", "data"), State("texts", "data"))
    def show_card(place: Any, texts: Any) -> list[Component]:
        state = from_texts(texts, choices)[0]
        row = _row_at(explored, place, state)
        return [] if row is None else hover_card(explored, row, state)

    @app.callback(Output("pinned", "data"), Input("pick", "data"), State("texts", "data"))
    def pick(place: Any, texts: Any) -> dict[str, Any]:
        return _pinned(explored, _row_at(explored, place, from_texts(texts, choices)[0]))

    @app.callback(
        Output("pinned", "data", allow_duplicate=True), Input("step", "data"), State("texts", "data")
    )
    def step(asked: Any, texts: Any) -> dict[str, Any]:
        direction = asked.get("direction") if isinstance(asked, Mapping) else None
        if direction not in DIRECTIONS:
            raise PreventUpdate
        state = from_texts(texts, choices)[0]
        window = state.window or explored.window
        return _pinned(explored, explored.next_row(explored.row_pinned(state), direction, window))

    @app.callback(
        Output("pinned", "data", allow_duplicate=True),
        Output("message", "data", allow_duplicate=True),
        Input("search", "n_submit"),
        State("search", "value"),
    )
    def search(_: Any, text: Any) -> tuple[Any, Any]:
        found = _found(explored, text if isinstance(text, str) else "")
        if len(found) == 1:
            return {"pin": found[0]}, no_update
        text = f"{len(found)} ids begin with these characters" if found else "There is no such galaxy."
        return no_update, {"text": text, "asked": _}


def _register_downloads(app: Dash, explored: Explored, choices: Choices) -> None:
    for kind in DOWNLOADS:

        @app.callback(
            Output("download", "data", allow_duplicate=True),
            Input(f"save-{kind}", "n_clicks"),
            State("texts", "data"),
        )
        def save(_: Any, texts: Any, kind: str = kind) -> Any:
            rows = explored.rows_selected(from_texts(texts, choices)[0])
            if rows is None:
                rows = np.arange(len(explored.galaxies))
            name, content = saved(explored, rows, kind)
            return dcc.send_bytes(content, name)


def _drawing(app: Dash, name: str, *outputs: Output, after: Sequence[Input] = ()) -> Any:
    """A callback that draws what the texts of the page ask for, and notes what it has drawn."""
    drawn = f"{name}-drawn"
    return app.callback(*outputs, Output(drawn, "data"), Input("texts", "data"), *after, State(drawn, "data"))


def saved(explored: Explored, rows: np.ndarray, kind: str) -> tuple[str, bytes]:
    """A selection as a file."""
    if kind == "ids":
        return "selection.txt", "".join(f"{one}\n" for one in explored.galaxies.ids[rows]).encode()
    table = selection_table(explored.galaxies, rows)
    write = parquet_bytes if kind == "parquet" else csv_bytes
    return f"selection.{kind}", write(table)


def _if_new(state: ViewState, shown: tuple[str, ...], drawn: Any, besides: str = "") -> str:
    """The parts of the state that a view shows, as text; an update is prevented if they have not changed."""
    new = repr([*(getattr(state, name) for name in shown), besides])
    if new == drawn:
        raise PreventUpdate
    return new


def _figure_and_body(view: View, explored: Explored, state: ViewState) -> tuple[Any, Any]:
    drawn = drawn_view(view, explored, state)
    return (drawn, []) if isinstance(drawn, dict) else (no_update, drawn)


def _row_at(explored: Explored, place: Any, state: ViewState) -> int | None:
    """The galaxy at a place that the browser names; None if it names none."""
    try:
        space, x, y = place["space"], float(place["x"]), float(place["y"])
        left, right, bottom, top = (float(value) for value in place["window"])
        finder = explored.finder(space, state.quantity if space == PREDICTED else "")
    except (KeyError, TypeError, ValueError):
        return None
    window: Window = (left, right, bottom, top)
    return finder(x, y, window)


def _pinned(explored: Explored, row: int | None) -> dict[str, Any]:
    if row is None:
        raise PreventUpdate
    return {"pin": str(explored.galaxies.ids[row])}


def _found(explored: Explored, text: str) -> list[str]:
    """The galaxy of an id, or those whose ids begin so."""
    text = text.strip()
    if text in explored.rows_by_id:
        return [text]
    if not text:
        return []
    return [one for one in explored.rows_by_id if one.startswith(text)][: MOST_FOUND + 1]
