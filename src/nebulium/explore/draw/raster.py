"""Many points as a picture of cells, for views that hold too many to draw one by one."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64, Shaped
from scipy.spatial import cKDTree

Places = Float[np.ndarray, "n 2"]

Values = Float[np.ndarray, " n"]

#: Left, right, bottom and top of a view, in map coordinates.
Window = tuple[float, float, float, float]

#: Cells of a map on a screen (height, width): a cell is about two pixels across.
SHAPE = (300, 400)
#: A point is hit by a click within this share of the view's diagonal.
REACH = 0.015


@dataclass(frozen=True, eq=False)
class Raster:
    """Number of points, and mean of a column, in the cells of a view.

    Attributes
    ----------
    count : (height, width) int32
        The first row is at the bottom.
    mean : (height, width) float32
        NaN where no point has a value.
    x_edges, y_edges : (width + 1,) and (height + 1,) float64
    """

    count: Shaped[np.ndarray, "height width"]
    mean: Float[np.ndarray, "height width"]
    x_edges: Float[np.ndarray, " x"]
    y_edges: Float[np.ndarray, " y"]

    @property
    def places(self) -> dict[str, float]:
        """Middle of the first cell and distance to the next along each axis, as plotly takes them."""
        (x0, x1), (y0, y1) = self.x_edges[:2].tolist(), self.y_edges[:2].tolist()
        return {"x0": 0.5 * (x0 + x1), "dx": x1 - x0, "y0": 0.5 * (y0 + y1), "dy": y1 - y0}


def raster(xy: Places, values: Values | None, window: Window, shape: tuple[int, int] = SHAPE) -> Raster:
    """Count points, and average their values, in the cells of a view."""
    left, right, bottom, top = window
    height, width = shape
    cells = height * width
    # Points outside go to a cell of their own, behind the others.
    cell = np.where(
        _inside(xy, window),
        _places(xy[:, 1], bottom, top, height) * width + _places(xy[:, 0], left, right, width),
        cells,
    )
    count = np.bincount(cell, minlength=cells + 1)[:cells].reshape(shape)
    mean = np.full(shape, np.nan, np.float32) if values is None else _means(cell, values, count)
    return Raster(
        count.astype(np.int32),
        mean,
        np.linspace(left, right, width + 1),
        np.linspace(bottom, top, height + 1),
    )


def in_window(xy: Places, window: Window) -> Int64[np.ndarray, " m"]:
    """Rows of the points in a view, its border included."""
    return np.flatnonzero(_inside(xy, window))


def whole_window(xy: Places, margin: float = 0.03) -> Window:
    """The view that shows all points."""
    placed = xy[placed_rows(xy)]
    if not len(placed):
        return -1.0, 1.0, -1.0, 1.0
    low, high = placed.min(axis=0).astype(np.float64), placed.max(axis=0).astype(np.float64)
    extent = np.where(high > low, high - low, 1.0)
    (left, bottom), (right, top) = low - margin * extent, high + margin * extent
    return float(left), float(right), float(bottom), float(top)


def placed_rows(xy: Places) -> Int64[np.ndarray, " m"]:
    """Rows of the galaxies that have a place in the map."""
    return np.flatnonzero(np.isfinite(xy[:, 0]) & np.isfinite(xy[:, 1]))


class NearestRow:
    """Finds the galaxy under the pointer; built once for a map.

    Parameters
    ----------
    xy : (n, 2) float
        NaN where a galaxy has no place.
    """

    def __init__(self, xy: Places):
        self._rows = placed_rows(xy)
        self._tree = cKDTree(xy[self._rows])

    def __call__(self, x: float, y: float, window: Window, reach: float = REACH) -> int | None:
        """The row nearest to a point of a view, no further than a share of the view's diagonal."""
        if not len(self._rows) or not np.isfinite([x, y, *window]).all():
            return None
        left, right, bottom, top = window
        furthest = reach * float(np.hypot(right - left, top - bottom))
        distance, place = self._tree.query([x, y], distance_upper_bound=furthest)
        return int(self._rows[place]) if np.isfinite(distance) else None

    def around(self, row: int, k: int) -> Int64[np.ndarray, " k"]:
        """The rows nearest to a galaxy in the map, itself left out; none if it has no place."""
        place = int(np.searchsorted(self._rows, row))
        if place >= len(self._rows) or self._rows[place] != row:
            return np.zeros(0, np.int64)
        count = min(k + 1, len(self._rows))
        _, places = self._tree.query(self._tree.data[place], k=list(range(1, count + 1)))
        return self._rows[places[places != place]][:k].astype(np.int64)


def _inside(xy: Places, window: Window) -> Bool[np.ndarray, " n"]:
    left, right, bottom, top = window
    x, y = xy[:, 0], xy[:, 1]
    return (x >= left) & (x <= right) & (y >= bottom) & (y <= top)


def _places(values: Values, low: float, high: float, cells: int) -> Int64[np.ndarray, " n"]:
    """In which of the equal cells of a range numbers lie; anything where they lie outside."""
    kind = values.dtype.type
    # A view may be too narrow for the reciprocal of its cells.
    scale = kind(min(cells / (high - low), float(np.finfo(kind).max)) if high > low else 0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        place = ((values - kind(low)) * scale).astype(np.int64)
    return np.minimum(place, cells - 1, out=place)


def _means(
    cell: Int64[np.ndarray, " n"], values: Values, count: Int64[np.ndarray, "height width"]
) -> Float[np.ndarray, "height width"]:
    """Mean of the values that are known in each cell."""
    known = np.isfinite(values)
    if not known.all():
        cell, values = cell[known], values[known]
        count = np.bincount(cell, minlength=count.size + 1)[: count.size].reshape(count.shape)
    total = np.bincount(cell, weights=values, minlength=count.size + 1)[: count.size].reshape(count.shape)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return (total / count).astype(np.float32)
