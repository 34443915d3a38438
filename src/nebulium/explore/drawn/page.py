"""The page of a model of images: sliders of the properties, and galaxies that follow them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dash import ALL, Dash, Input, Output, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from nebulium.explore.drawn.galaxies import SHOWN, Drawn, DrawnGalaxies, Slider
from nebulium.explore.page.server import guard, new_application
from nebulium.generate.image_model import ImageModel
from nebulium.verbs.predict import named_model

OUTSIDE = (
    "Outside the training domain: no galaxies of the training had such properties, and these images are "
    "guesses."
)
ABOUT = (
    "Galaxies that do not exist, drawn by the model as the sliders move: the noise of each stays, only its "
    "properties change. A property that is not ticked may have any value. The sliders go from where 2 % of "
    "the training galaxies lie below to where 98 % do."
)


def make_model_app(model: str | Path) -> Dash:
    """The page of a model of images as a Dash application; it keeps nothing of its visitors.

    Parameters
    ----------
    model : str or Path
        Name of a packaged model of images, or a model folder.

    Returns
    -------
    Dash
        For `serve`; its `server` is a WSGI application.

    Raises
    ------
    ModelFileError
        The model cannot be loaded, or is none of images.

    Examples
    --------
    >>> serve(make_model_app("mine"), say=print)  # doctest: +SKIP
    http://127.0.0.1:8050/ shows the galaxies; Ctrl-C ends it
    """
    galaxies = DrawnGalaxies(named_model(model, of=ImageModel))
    # Compiled now: the first move of a slider would wait for it.
    galaxies.draw([slider.middle for slider in galaxies.sliders])
    return application(galaxies)


def application(galaxies: DrawnGalaxies) -> Dash:
    """The page of a model that is at hand."""
    # The scripts of the other page look for its map.
    app = new_application(galaxies.found.name, prevent_initial_callbacks=False, assets_ignore=r".*\.js$")
    app.layout = _layout(galaxies)
    sliders = galaxies.sliders

    @app.callback(
        Output("drawn", "children"),
        Output("drawn-note", "children"),
        Output({"type": "said", "place": ALL}, "children"),
        Input({"type": "value", "place": ALL}, "value"),
        Input({"type": "given", "place": ALL}, "value"),
        Input("others", "n_clicks"),
    )
    def drawn(values: Any, given: Any, clicks: Any) -> tuple[list[Component], str, list[str]]:
        known = settings(sliders, values, given)
        if not isinstance(clicks, int) or clicks < 0:
            raise PreventUpdate
        made = galaxies.draw(known, clicks)
        said = [slider.said(value) for slider, value in zip(sliders, known, strict=True)]
        return _figures(made), "" if made.in_domain else OUTSIDE, said

    guard(app)
    return app


def settings(sliders: Sequence[Slider], values: Any, given: Any) -> list[float | None]:
    """What the sliders stand at, None where any value will do; whatever arrives is checked."""
    if not all(isinstance(part, list) and len(part) == len(sliders) for part in (values, given)):
        raise PreventUpdate
    known: list[float | None] = []
    for slider, value, ticked in zip(sliders, values, given, strict=True):
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise PreventUpdate
        known.append(min(max(float(value), slider.low), slider.high) if ticked else None)
    return known


def _layout(galaxies: DrawnGalaxies) -> Component:
    title = html.Div(
        [html.H1("nebulium"), html.Div(html.Span(galaxies.found.name, className="name"), className="what")],
        className="title",
    )
    others = html.Button("Other galaxies", id="others", type="button", n_clicks=0)
    controls = [_control(place, slider) for place, slider in enumerate(galaxies.sliders)]
    note = html.P(id="drawn-note", role="status", **{"aria-live": "polite"})
    return html.Div(
        [
            html.Header([title, others]),
            html.Div(
                [
                    html.Section(controls, className="panelled", **{"aria-label": "Properties"}),
                    html.Section([html.Div(id="drawn"), note], className="panelled"),
                ],
                className="drawn-page",
                role="main",
            ),
            html.Footer(ABOUT),
        ],
        id="page",
    )


def _control(place: int, slider: Slider) -> Component:
    label = f"{slider.name} [{slider.unit}]" if slider.unit else slider.name
    tick = dcc.Checklist(
        id={"type": "given", "place": place}, options=[{"label": label, "value": "given"}], value=["given"]
    )
    moved = dcc.Slider(
        id={"type": "value", "place": place}, min=slider.low, max=slider.high, step=slider.step,
        value=slider.middle, marks=None, updatemode="drag", tooltip=None, allow_direct_input=False,
    )  # fmt: skip
    said = html.Span(id={"type": "said", "place": place}, className="said")
    return html.Div(
        [html.Div([tick, said], className="head"), moved],
        className="property",
        role="group",
        **{"aria-label": slider.name},
    )


def _figures(made: Drawn) -> list[Component]:
    kind = "" if made.in_domain else "outside"
    return [
        html.Img(src=address, alt=f"Drawn galaxy {place + 1} of {SHOWN}", className=kind)
        for place, address in enumerate(made.pictures)
    ]
