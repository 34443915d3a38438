"""The layout of the page: controls, maps, and the two cards of views.

Every text from a table is a plain child of a component, which the browser shows as text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from nebulium.explore.draw.frame import graph_config
from nebulium.explore.draw.labels import distinct_labels
from nebulium.explore.page.state import Choices, ViewState

#: Controls whose value is the field of the state by whose name they go.
CONTROLS = (
    "colour", "quantity", "panels", "frame", "stretch", "galaxy_view", "sample_view", "history",
)  # fmt: skip
DOWNLOADS = {"parquet": "Parquet", "csv": "CSV", "ids": "ids"}
KEYS = (
    ("arrows", "on the map: pin the next galaxy that way"),
    ("n p", "through the neighbours, Enter pins"),
    ("/", "search"),
    ("Esc", "clear"),
)

Labels = Mapping[str, str]


def page(
    name: str,
    count: int,
    choices: Choices,
    first: ViewState,
    views: Mapping[str, Labels],
    notes: Sequence[str],
    *,
    has_images: bool,
) -> Component:
    """The whole page, before anything is drawn on it."""
    return html.Div(
        [
            *_stores(choices, first),
            html.A("Skip to the map", href="#maps", className="skip"),
            _header(name, count, choices, first),
            html.Div(id="notice", role="status", **{"aria-live": "polite"}),
            html.Main(
                [
                    _maps(),
                    _group(
                        "cards",
                        _galaxy_card(first, views["galaxy_view"]),
                        _sample_card(first, views["sample_view"]),
                    ),
                ]
            ),
            _footer(notes),
        ],
        id="page",
        className="" if has_images else "no-images",
    )


def place_of(name: str, names: Sequence[str]) -> str | None:
    """Value of a choice in a dropdown: its place, as names of columns may mean something to the browser."""
    return str(names.index(name)) if name in names else None


def _stores(choices: Choices, first: ViewState) -> list[Component]:
    """The stores in which the page keeps its state and its questions to the server."""
    defaults = {name: _text(getattr(first, name)) for name in (*CONTROLS, "theme")}
    asked = ("texts", "query", "settled", "pointer", "pick", "step", "pinned", "message", "made")
    drawn = ("map-drawn", "galaxy-drawn", "sample-drawn", "stamps-drawn")
    return [
        dcc.Store("defaults", data=defaults),
        dcc.Store("names", data={"colour": choices.columns, "quantity": choices.quantities}),
        *(dcc.Store(name) for name in (*asked, *drawn)),
        dcc.Download("download"),
    ]


def _header(name: str, count: int, choices: Choices, first: ViewState) -> Component:
    search = dcc.Input(id="search", type="search", placeholder="id", debounce=False, autoComplete="off",
                       spellCheck=False, maxLength=200)  # fmt: skip
    return html.Header(
        [
            _group(
                "title",
                html.H1("nebulium"),
                _group(
                    "what", html.Span(name, className="name", title=name), html.Span(f"{count:,} galaxies")
                ),
            ),
            _labelled("Colour", _dropdown("colour", choices.columns, first.colour)),
            _labelled("Compare", _dropdown("quantity", choices.quantities, first.quantity)),
            _labelled("Panels", _radio("panels", {"one": "One", "three": "Three"}, first.panels, "segments")),
            _labelled("Find a galaxy", search),
            _labelled("Stretch", _slider("stretch", first.stretch, "mouseup")),
            _group(
                "buttons",
                _button("clear", "", "Clear pin and selection (Esc)"),
                _button("share", "", "Copy a link to this view"),
                _button("theme", "", "Light or dark"),
            ),
        ]
    )


def _maps() -> Component:
    return html.Section(
        [
            html.Div(_graph("map", wheel=True), className="figure", **{"data-space": "map"}),
            html.Div(id="card", className="card", **{"aria-hidden": "true"}),
            _button("whole", "Whole map", "Show the whole map"),
        ],
        id="maps",
        tabIndex=0,
        role="group",
        **{"aria-label": "Map of the galaxies. Arrow keys pin the next galaxy that way."},
    )


def _galaxy_card(first: ViewState, labels: Labels) -> Component:
    frames = _radio("frame", {"rest": "Rest", "observed": "Observed"}, first.frame, "segments")
    head = _group(
        "head",
        html.Div(id="galaxy-title", role="status", **{"aria-live": "polite"}),
        _radio("galaxy_view", labels, first.galaxy_view, "tabs", "View of the galaxy"),
        _labelled("Frame", frames),
    )
    view = _group("view", _figure("galaxy-figure"), html.Div(id="galaxy-body", className="body"))
    neighbours = html.Nav(id="neighbours", **{"aria-label": "Neighbours in the map"})
    return _card("galaxy", "One galaxy", head, view, neighbours)


def _sample_card(first: ViewState, labels: Labels) -> Component:
    downloads = [
        _button(f"save-{kind}", label, f"Download the selection: {label}")
        for kind, label in DOWNLOADS.items()
    ]
    settings = _group(
        "settings",
        _labelled("Star formation: ended → going on", _slider("history", first.history, "drag")),
        html.Span(id="sample-note", role="status", **{"aria-live": "polite"}),
        html.Span(downloads, className="downloads"),
    )
    head = html.Div(
        _radio("sample_view", labels, first.sample_view, "tabs", "View of many"), className="head"
    )
    body = _group("body", html.Div(id="stamps"), html.Div(id="sample-body"))
    view = _group("view", _figure("sample-figure"), body)
    return _card("sample", "Many galaxies", head, settings, view)


def _footer(notes: Sequence[str]) -> Component:
    keys = [part for key, does in KEYS for part in (html.Kbd(key), html.Span(does))]
    about = html.Details([html.Summary("About these galaxies"), html.Ul([html.Li(note) for note in notes])])
    return html.Footer([html.Div(keys, className="keys"), *([about] if notes else [])])


def _group(kind: str, *parts: Component) -> Component:
    return html.Div(list(parts), className=kind)


def _card(name: str, spoken: str, *parts: Component) -> Component:
    return html.Section(list(parts), id=name, className="panelled", **{"aria-label": spoken})


def _figure(name: str) -> Component:
    return html.Div(_graph(name), className="figure", id=f"{name}-space", **{"data-space": ""})


def _graph(name: str, *, wheel: bool = False) -> Component:
    clear = {"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)"}
    nothing = {"layout": {"xaxis": {"visible": False}, "yaxis": {"visible": False}, **clear}}
    # A double click on the map shows all of it: the state must hear of it, not the figure alone.
    config = graph_config(name, wheel=wheel) | {"doubleClick": False}
    return dcc.Graph(id=name, figure=nothing, config=config, responsive=True)


def _options(columns: Sequence[str]) -> list[dict[str, str]]:
    labels = distinct_labels(columns, {})
    return [
        {"label": _tame(label), "search": _tame(f"{label} {column}"), "value": str(place)}
        for place, (column, label) in enumerate(zip(columns, labels, strict=True))
    ]


def _tame(text: str) -> str:
    """Text that a dropdown can look up; it reads the same.

    The dropdown keeps the words of its choices as keys of an object, where this one would be the prototype of
    all objects of the page: a sign without width makes it a word like others.
    """
    return text.replace("__proto__", "_\N{WORD JOINER}_proto__")


def _dropdown(name: str, names: Sequence[str], value: str) -> Component:
    return dcc.Dropdown(
        id=name, options=_options(names), value=place_of(value, names), clearable=False, disabled=not names
    )


def _radio(name: str, labels: Labels, value: str, kind: str, spoken: str = "") -> Component:
    options = [{"label": label, "value": key} for key, label in labels.items()]
    radio = dcc.RadioItems(id=name, options=options, value=value, className=kind, inline=True)
    return html.Div(radio, role="group", **{"aria-label": spoken}) if spoken else radio


def _slider(name: str, value: float, when: Any) -> Component:
    return dcc.Slider(id=name, min=0.0, max=1.0, step=0.01, value=value, marks=None, updatemode=when,
                      tooltip=None, allow_direct_input=False)  # fmt: skip


def _labelled(label: str, control: Component) -> Component:
    return html.Div([html.Span(label, className="label"), control], className=f"field {control.id}-field",
                    role="group", **{"aria-label": label})  # fmt: skip


def _button(name: str, label: str, title: str) -> Component:
    return html.Button(label, id=name, type="button", title=title, **{"aria-label": title})


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)
