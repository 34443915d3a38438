"""Words and numbers of the page, as plain children of components: texts of a table stay texts."""

import math
from collections.abc import Sequence
from html import unescape

import numpy as np
from dash import html
from dash.development.base_component import Component

from nebulium.explore.draw.labels import column_label, shortened
from nebulium.explore.page.explored import OUTSIDE, Explored
from nebulium.explore.page.map_view import columns_of
from nebulium.explore.page.state import ViewState
from nebulium.explore.sample.selection import summary

#: Longest text that is shown on one line.
LONGEST = 60
UNKNOWN = "–"


def number(value: float) -> str:
    """A number with as many digits as are read."""
    if not math.isfinite(value):
        return UNKNOWN
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:.4g}"


def short(text: str) -> str:
    """A text that fits on a line."""
    return shortened(text, LONGEST)


def label(explored: Explored, column: str) -> str:
    """The readable name of a column, with its unit."""
    return unescape(column_label(column, explored.galaxies.units.get(column, "")))


def hover_card(explored: Explored, row: int, state: ViewState) -> list[Component]:
    """The card of the galaxy under the pointer."""
    columns = [*columns_of(explored, state).values(), "redshift"]
    quantity = explored.quantities.get(state.quantity)
    if quantity is not None:
        columns += quantity.columns[:2]
    parts = []
    for column in dict.fromkeys(columns):
        if column in explored.galaxies.values:
            value = number(explored.value(column, row))
            parts += [html.Dt(label(explored, column)), html.Dd(value)]
    title = html.Strong(short(str(explored.galaxies.ids[row])))
    return [title, html.Dl(parts, className="pairs"), *map(html.Span, domain_note(explored, row))]


def domain_note(explored: Explored, row: int) -> list[str]:
    """A word of warning where a galaxy is predicted that is unlike those of the training set."""
    return [OUTSIDE] if explored.outside_domain[row] else []


def galaxy_title(explored: Explored, row: int | None) -> list[Component]:
    """The heading of the pinned galaxy, which a screen reader reads out when it changes."""
    if row is None:
        return [
            html.Strong("No galaxy is pinned"),
            html.Span("click on one in the map, or search for its id"),
        ]
    known = [
        f"{label(explored, column)} {number(explored.value(column, row))}"
        for column in ("redshift", "redshift_median", "log_mstar", "ew_HALPHA")
        if column in explored.galaxies.values
    ]
    title = html.Strong(short(str(explored.galaxies.ids[row])))
    return [title, *map(html.Span, [*known, *domain_note(explored, row)])]


def neighbour_buttons(explored: Explored, row: int | None) -> list[Component]:
    """A button for each neighbour of the pinned galaxy in the map."""
    if row is None:
        return []
    ids = explored.galaxies.ids[explored.neighbours(row)].tolist()
    return [html.Span("Neighbours"), *(pin_button(identifier, short(identifier)) for identifier in ids)]


def pin_button(identifier: str, shown: str | Component) -> Component:
    """A button that pins a galaxy."""
    data = {"data-pin": identifier, "aria-label": f"Pin galaxy {short(identifier)}"}
    return html.Button(shown, type="button", title=short(identifier), **data)


def summary_table(explored: Explored, rows: np.ndarray, columns: Sequence[str]) -> Component:
    """Medians and central 68 per cent of a selection, a row a column."""
    heads = ("Column", "Known", "Median", "16 %", "84 %", "Median of all")
    lines = [
        html.Tr([html.Td(text) for text in (label(explored, column), f"{count:,}", *map(number, numbers))])
        for column, (count, *numbers) in summary(explored.galaxies, rows, columns).items()
    ]
    head = html.Thead(html.Tr([html.Th(text, scope="col") for text in heads]))
    return html.Table([head, html.Tbody(lines)])


def sample_note(explored: Explored, state: ViewState) -> str:
    """The note above the views of many galaxies: how many are selected, or the galaxy of the slider."""
    if state.sample_view == "history" and not explored.synthetic.lacks:
        galaxy = explored.synthetic.at(state.history)
        width = galaxy.ew_aa["HALPHA"][1]
        return f"τ {galaxy.tau_gyr:.1f} Gyr, log SFR {galaxy.log_sfr:.2f}, EW(Hα) {width:.1f} Å"
    rows = explored.rows_selected(state)
    if rows is None:
        return ""
    return f"{len(rows):,} selected, {len(rows) / len(explored.galaxies):.1%} of all"


def message(text: str) -> Component:
    """Words in place of a view."""
    return html.Div(text, className="message")
