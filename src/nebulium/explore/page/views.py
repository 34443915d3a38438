"""The views next to the map: the columns that each needs, and the figure that it draws of a state."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dash import html
from dash.development.base_component import Component
from plotly.graph_objects import Figure

from nebulium.data.glossary import FLUX_UNIT
from nebulium.explore.draw.diagram_figures import bpt_figure, predicted_against_observed_figure
from nebulium.explore.draw.frame import empty_figure
from nebulium.explore.draw.labels import column_label
from nebulium.explore.draw.redshift_figures import redshift_density_figure
from nebulium.explore.draw.spectrum_figures import photometry_figure, spectrum_figure
from nebulium.explore.draw.theme import theme_of
from nebulium.explore.page.cards import message, pin_button, summary_table
from nebulium.explore.page.explored import BPT, MAP, PREDICTED, SPACES, Explored
from nebulium.explore.page.map_view import draw_residuals
from nebulium.explore.page.state import Choices, ViewState
from nebulium.explore.sample.synthetic import REDSHIFT
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import FLUX_COLUMNS
from nebulium.lines.scores.bpt import BptRatios

#: Columns of the summary of a selection.
MOST_COLUMNS = 60
#: Size of the letters in a card, pixels; titles of the upright axis that are longer get two lines.
CARD_TEXT, LONG_TITLE = 13, 26
#: Left margin without and with a long title, pixels: six digits fit.
CARD_MARGINS = (72, 88)
#: Pictures of a selection.
MOST_STAMPS = 24
NOT_PINNED = "Click on a galaxy in the map, or search for one."


@dataclass(frozen=True)
class View:
    """One way to look at galaxies.

    Parameters
    ----------
    label : str
        On its tab.
    lacks : callable of Explored returning str
        Names what the galaxies lack for it; empty if it can be opened.
    draw : callable of Explored and ViewState
        Gives a figure or another component.
    shows : tuple of str
        Fields of the state that it shows besides the theme: it is drawn again only when they change.
    space : str
        Name of the plane in which it places galaxies, if it does: there one can click and select.
    """

    label: str
    lacks: Callable[[Explored], str]
    draw: Callable[[Explored, ViewState], Figure | Component]
    shows: tuple[str, ...]
    space: str = ""


def _no_spectrum(explored: Explored) -> str:
    galaxies = explored.galaxies
    if galaxies.continuum is None and not galaxies.lines and not galaxies.bands:
        return "continuum_flux_0 to continuum_flux_11, ew_LINE or flux_njy_BAND"
    return ""


def _spectrum(explored: Explored, state: ViewState) -> Figure:
    theme = theme_of(state.theme)
    row = explored.row_pinned(state)
    if row is None:
        return empty_figure(NOT_PINNED, theme)
    galaxies = explored.galaxies
    if galaxies.continuum is None and galaxies.bands:
        flux_njy, flux_err_njy = galaxies.fluxes
        return photometry_figure(galaxies.bands, flux_njy[row], flux_err_njy[row], theme)
    return spectrum_figure(
        None if galaxies.continuum is None else galaxies.continuum[row],
        {line: explored.value(f"ew_{line}", row) for line in galaxies.lines},
        {line: explored.quantiles(f"predicted_ew_{line}", row) for line in LINES},
        redshift=explored.redshift(row),
        frame="observed" if state.frame == "observed" else "rest",
        theme=theme,
        unit=galaxies.units.get(FLUX_COLUMNS[0], FLUX_UNIT),
    )


def _density(explored: Explored, state: ViewState) -> Figure:
    theme = theme_of(state.theme)
    row = explored.row_pinned(state)
    if row is None:
        return empty_figure(NOT_PINNED, theme)
    density = explored.density_of(row) if explored.density_of else None
    if density is None:
        return empty_figure("The model has no prediction for this galaxy.", theme)
    return redshift_density_figure(density.grid.edges, density.mass[0], theme, known=explored.redshift(row))


def _bpt(explored: Explored, state: ViewState) -> Figure:
    row = explored.row_pinned(state)
    ratios, predicted = explored.ratios, explored.predicted_ratios
    if ratios is None:
        raise ValueError("no line ratios")
    return bpt_figure(
        ratios,
        theme_of(state.theme),
        selected=explored.rows_selected(state),
        pinned=None if row is None else _place(ratios, row),
        pinned_predicted=None if row is None or predicted is None else _place(predicted, row),
    )


def _place(ratios: BptRatios, row: int) -> tuple[float, float]:
    return float(ratios.x[row]), float(ratios.y[row])


def _no_quantity(explored: Explored) -> str:
    if explored.quantities:
        return ""
    return "a measured column and its prediction, such as ew_HALPHA and predicted_ew_HALPHA (see --model)"


def _predicted(explored: Explored, state: ViewState) -> Figure:
    quantity, values = explored.quantities[state.quantity], explored.galaxies.values
    return predicted_against_observed_figure(
        values[quantity.name],
        values[quantity.predicted],
        (column_label(quantity.name, quantity.unit), column_label(quantity.predicted, quantity.unit)),
        theme_of(state.theme),
        logarithmic=quantity.logarithmic,
        selected=explored.rows_selected(state),
        pinned=explored.row_pinned(state),
    )


def _image(explored: Explored, state: ViewState) -> Component:
    row = explored.row_pinned(state)
    if row is None:
        return message(NOT_PINNED)
    made = explored.pictures.bands(row, state.stretch) if explored.pictures else {}
    if not made:
        return message("This galaxy has no image that can be shown.")
    return html.Div(
        [
            html.Figure([html.Img(src=uri, alt=f"The galaxy, {name}"), html.Figcaption(name)])
            for name, uri in made.items()
        ],
        className="bands",
    )


def stamp_buttons(explored: Explored, state: ViewState) -> list[Component]:
    """Pictures of the first galaxies of a selection, which pin them."""
    rows = explored.rows_selected(state)
    if explored.pictures is None or rows is None:
        return []
    ids = explored.galaxies.ids
    made = explored.pictures.stamps(rows[:MOST_STAMPS], state.stretch)
    return [pin_button(str(ids[row]), html.Img(src=uri, alt="")) for row, uri in made.items()]


def _history(explored: Explored, state: ViewState) -> Figure:
    galaxy = explored.synthetic.at(state.history)
    return spectrum_figure(
        galaxy.continuum,
        {},
        galaxy.ew_aa,
        redshift=REDSHIFT,
        frame="observed" if state.frame == "observed" else "rest",
        theme=theme_of(state.theme),
    )


def _selection(explored: Explored, state: ViewState) -> Component:
    rows = explored.rows_selected(state)
    if rows is None:
        return message("Draw a lasso or a box on a diagram to select galaxies.")
    if not len(rows):
        return message("No galaxy lies within the outline.")
    columns = _telling_columns(explored, state)
    return html.Div([summary_table(explored, rows, columns)])


def _telling_columns(explored: Explored, state: ViewState) -> list[str]:
    """The columns of the maps and the predictions first, then the other columns."""
    quantity = explored.quantities.get(state.quantity)
    first = [state.colour, *(quantity.columns if quantity else ())]
    return list(dict.fromkeys([*first, *explored.columns]))[:MOST_COLUMNS]


GALAXY_VIEWS = {
    "spectrum": View("Spectrum", _no_spectrum, _spectrum, ("pin", "frame")),
    "image": View(
        "Image",
        lambda explored: "" if explored.pictures else "images, which the folder of a mock survey has",
        _image,
        ("pin", "stretch"),
    ),
    "density": View(
        "p(z)",
        lambda explored: "" if explored.density_of else "a photo-z model, given with --model",
        _density,
        ("pin",),
    ),
}
SAMPLE_VIEWS = {
    "bpt": View(
        "BPT",
        lambda explored: "" if explored.ratios else "ew_NII_6584, ew_HALPHA, ew_OIII_5007 and ew_HBETA",
        _bpt,
        ("pin", "selection", "quantity"),
        BPT,
    ),
    "predicted": View(
        "Predicted vs true", _no_quantity, _predicted, ("pin", "selection", "quantity"), PREDICTED
    ),
    "residuals": View(
        "Residual map", _no_quantity, draw_residuals, ("quantity", "pin", "selection", "window"), MAP
    ),
    "selection": View("Selection", lambda _: "", _selection, ("selection", "quantity", "colour")),
    "history": View("Star formation", lambda one: one.synthetic.lacks, _history, ("history", "frame")),
}


def labels_of() -> dict[str, dict[str, str]]:
    """The tabs of the two cards."""
    cards = {"galaxy_view": GALAXY_VIEWS, "sample_view": SAMPLE_VIEWS}
    return {card: {name: view.label for name, view in views.items()} for card, views in cards.items()}


def choices_of(explored: Explored) -> Choices:
    """The columns, galaxies and views that a visitor may ask for."""
    return Choices(
        explored.columns,
        tuple(explored.quantities),
        explored.rows_by_id.get,
        tuple(GALAXY_VIEWS),
        tuple(SAMPLE_VIEWS),
        SPACES,
    )


def drawn_view(view: View, explored: Explored, state: ViewState) -> dict[str, Any] | Component:
    """A view of a state, or words that name the columns it lacks."""
    lacks = view.lacks(explored)
    if lacks:
        return message(f"This view stays closed: it needs {lacks}.")
    drawn = view.draw(explored, state)
    return _fitted(drawn) if isinstance(drawn, Figure) else drawn


def _fitted(figure: Figure) -> dict[str, Any]:
    """A figure for a card: smaller letters, and the title of the upright axis on two lines if it is long.

    Its left margin is fixed: to fit it to the numbers, plotly would draw the figure twice. What is changed
    here need not be validated again, which would take as long as making the figure.
    """
    drawn: dict[str, Any] = figure.to_dict()
    layout = defaultdict(dict, drawn["layout"])
    for name in ("xaxis", "yaxis"):
        layout[name]["title"] = {**layout[name].get("title", {}), "font": {"size": CARD_TEXT}}
    upright = layout["yaxis"]["title"]
    is_long = len(upright.get("text", "")) > LONG_TITLE
    if is_long:
        upright["text"] = upright["text"].replace(" / ", "<br>/ ", 1)
    if layout["yaxis"].get("automargin", True):
        layout["yaxis"]["automargin"] = False
        layout["margin"]["l"] = CARD_MARGINS[is_long]
    layout["legend"]["font"] = {"size": CARD_TEXT - 1}
    if "coloraxis" in layout:
        layout["coloraxis"]["colorbar"]["title"]["font"] = {"size": CARD_TEXT}
    return {**drawn, "layout": dict(layout)}
