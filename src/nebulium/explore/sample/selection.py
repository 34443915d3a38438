"""Some of the galaxies: those in a shape drawn on the map, what they are like, and as a table in a file."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64, Integer

from nebulium.data.tables.table import Table
from nebulium.explore.draw.raster import Window, in_window
from nebulium.explore.sample.galaxies import ID, Galaxies

#: Characters that begin a formula in a spreadsheet.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
#: The levels of a summary.
LEVELS = (0.16, 0.5, 0.84)


@dataclass(frozen=True)
class ColumnSummary:
    """What a column is like in a selection.

    Attributes
    ----------
    column, unit : str
    count : int
        Galaxies that have a number there.
    q16, median, q84 : float
        NaN if none has.
    all_median : float
        Median of all galaxies, to compare with.
    """

    column: str
    unit: str
    count: int
    q16: float
    median: float
    q84: float
    all_median: float


def rows_in(xy: Float[np.ndarray, "n 2"], polygon: Float[np.ndarray, "corner 2"]) -> Int64[np.ndarray, " m"]:
    """Rows of the points inside a polygon, by the even-odd rule."""
    corners = np.asarray(polygon, np.float64)
    if len(corners) < 3 or not np.isfinite(corners).all():
        return np.zeros(0, np.int64)
    low, high = corners.min(axis=0), corners.max(axis=0)
    near = in_window(xy, (low[0], high[0], low[1], high[1]))
    return near[_inside(xy[near].astype(np.float64), corners)]


def rows_in_box(xy: Float[np.ndarray, "n 2"], box: Window) -> Int64[np.ndarray, " m"]:
    """Rows of the points in a box, whichever way it was drawn."""
    (left, right), (bottom, top) = sorted(box[:2]), sorted(box[2:])
    return in_window(xy, (left, right, bottom, top))


def summary(
    galaxies: Galaxies, rows: Integer[np.ndarray, " m"], columns: Sequence[str] | None = None
) -> tuple[ColumnSummary, ...]:
    """Medians and central 68 % of columns in a selection."""
    asked = galaxies.values if columns is None else [name for name in columns if name in galaxies.values]
    return tuple(_summary(galaxies, name, rows) for name in asked)


def selection_table(galaxies: Galaxies, rows: Integer[np.ndarray, " m"]) -> Table:
    """A selection as a table, for a file."""
    others = {name: values[rows] for name, values in {**galaxies.values, **galaxies.texts}.items()}
    return Table({ID: galaxies.ids[rows], **others}, dict(galaxies.units), galaxies.name)


def csv_bytes(table: Table) -> bytes:
    r"""A table as CSV that a spreadsheet takes for data and never for formulas."""
    import pyarrow as pa
    import pyarrow.csv

    arrays = [
        pa.array(_harmless(values)) if values.dtype.kind == "U" else pa.array(values, from_pandas=True)
        for values in table.columns.values()
    ]
    names = [_harmless_text(name) for name in table.columns]
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(pa.Table.from_arrays(arrays, names=names), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def parquet_bytes(table: Table) -> bytes:
    """A table as Parquet, with its units, as `nebulium.data.tables.reading.write_table` writes it."""
    import tempfile
    from pathlib import Path

    from nebulium.data.tables.writer import write_table

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "selection.parquet"
        write_table(table, path)
        return path.read_bytes()


def _inside(xy: Float[np.ndarray, "m 2"], corners: Float[np.ndarray, "corner 2"]) -> Bool[np.ndarray, " m"]:
    """Even-odd rule: a ray to the right crosses the sides an odd number of times.

    Points go by bands of rising y, so that a side is asked only about those that it reaches across.
    """
    order = np.argsort(xy[:, 1])
    x, y = xy[order, 0], xy[order, 1]
    inside = np.zeros(len(xy), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        # Half open, so that a ray through a corner crosses one of its two sides.
        first, last = np.searchsorted(y, sorted((y0, y1)), side="right")
        if first < last:
            crossing = x0 + (y[first:last] - y0) * ((x1 - x0) / (y1 - y0))
            inside[first:last] ^= x[first:last] < crossing
    found = np.empty_like(inside)
    found[order] = inside
    return found


def _summary(galaxies: Galaxies, name: str, rows: Integer[np.ndarray, " m"]) -> ColumnSummary:
    chosen = galaxies.values[name][rows]
    chosen = chosen[np.isfinite(chosen)]
    q16, median, q84 = _quantiles(chosen, LEVELS)
    unit = galaxies.units.get(name, "")
    return ColumnSummary(name, unit, len(chosen), q16, median, q84, galaxies.median_of(name))


def _quantiles(values: np.ndarray, levels: tuple[float, ...]) -> list[float]:
    if not len(values):
        return [float("nan")] * len(levels)
    found: list[float] = np.quantile(values.astype(np.float64), levels).tolist()
    return found


def _harmless(values: np.ndarray) -> list[str]:
    return [_harmless_text(text) for text in values.tolist()]


def _harmless_text(text: str) -> str:
    return "'" + text if text.startswith(FORMULA_STARTS) else text
