"""The map as a visitor sees it: the galaxies in view, in one panel or in three."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from plotly.graph_objects import Figure

from nebulium.explore.draw.colours import ColourScale
from nebulium.explore.draw.frame import empty_figure
from nebulium.explore.draw.map_figures import Marks, Points, map_figure
from nebulium.explore.draw.raster import Raster, Window, in_window, raster
from nebulium.explore.draw.theme import theme_of
from nebulium.explore.page.explored import MAP, Explored
from nebulium.explore.page.state import ViewState

Shape = tuple[int, int]

#: More galaxies than this in view are drawn as a picture of cells.
MOST_POINTS = 20_000
#: Cells of one panel, and of each of three (height, width).
CELLS, CELLS_OF_THREE = (220, 280), (200, 180)
NO_MAP = (
    "There is no map: it needs continuum_flux_0 to continuum_flux_11, flux_njy_BAND, or a model with "
    "--embedding latent."
)
#: Fields of the state that the map shows.
SHOWN = ("colour", "quantity", "panels", "theme", "window", "pin", "selection")


def draw_map(explored: Explored, state: ViewState) -> Figure:
    """Draw the map that a state describes."""
    if explored.galaxy_map is None:
        return empty_figure(NO_MAP, theme_of(state.theme))
    columns = columns_of(explored, state)
    shape = CELLS if len(columns) == 1 else CELLS_OF_THREE
    values = {name: explored.galaxies.values[column] for name, column in columns.items()}
    return _map(explored, state, values, explored.scale(*columns.values()), shape)


def draw_residuals(explored: Explored, state: ViewState) -> Figure:
    """Draw the map coloured by predicted less measured: where among the galaxies is the model wrong?"""
    difference, scale = explored.residuals(state.quantity)
    return _map(explored, state, {"": difference}, scale, CELLS_OF_THREE)


def columns_of(explored: Explored, state: ViewState) -> dict[str, str]:
    """The column that each panel shows, by the name above it."""
    quantity = explored.quantities.get(state.quantity)
    if state.panels == "one" or quantity is None:
        return {"": state.colour}
    return dict(zip(quantity.panels, quantity.columns, strict=True))


def marks_of(explored: Explored, state: ViewState) -> Marks:
    """The pinned galaxy, its neighbours, and the outline of the selection."""
    outline = state.selection.polygon if state.selection and state.selection.space == MAP else None
    marks = Marks(selection=outline)
    row = explored.row_pinned(state)
    if row is not None and np.isfinite(explored.xy[row]).all():
        x, y = explored.xy[row].tolist()
        marks = replace(marks, pinned=(x, y), neighbours=explored.xy[explored.neighbours(row)])
    synthetic = explored.synthetic
    if state.sample_view == "history" and synthetic.is_ready:
        at = synthetic.place(synthetic.at(state.history))
        marks = replace(marks, track=synthetic.track, track_at=at)
    return marks


def shown_by(state: ViewState) -> tuple[str, ...]:
    """The fields of a state that the map shows."""
    return (*SHOWN, "sample_view", "history") if state.sample_view == "history" else (*SHOWN, "sample_view")


def _map(
    explored: Explored, state: ViewState, panels: Mapping[str, np.ndarray], scale: ColourScale, shape: Shape
) -> Figure:
    """The galaxies in view, coloured by the values of each panel."""
    window = state.window or explored.window
    rows = in_window(explored.xy, window)
    drawn = {name: _drawn(explored.xy, values, window, rows, shape) for name, values in panels.items()}
    return map_figure(drawn, scale, theme_of(state.theme), window=window, marks=marks_of(explored, state))


def _drawn(
    xy: Float[np.ndarray, "n 2"], values: np.ndarray, window: Window, rows: np.ndarray, shape: Shape
) -> Raster | Points:
    if len(rows) > MOST_POINTS:
        return raster(xy, values, window, shape)
    # Those without a value lie below the others.
    rows = rows[np.argsort(np.isfinite(values[rows]), kind="stable")]
    return Points(xy[rows], values[rows], rows)
