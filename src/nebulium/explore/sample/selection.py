"""A selection of galaxies: the rows in an outline, their summary, and their table as a file."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int64, Integer
from matplotlib.path import Path as Outline

from nebulium.data.tables.table import Table
from nebulium.explore.draw.raster import in_window
from nebulium.explore.sample.galaxies import ID, Galaxies

#: Characters that begin a formula in a spreadsheet.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
#: The levels of a summary.
LEVELS = (0.5, 0.16, 0.84)


def rows_in(xy: Float[np.ndarray, "n 2"], polygon: Float[np.ndarray, "corner 2"]) -> Int64[np.ndarray, " m"]:
    """Rows of the points inside a polygon, by the even-odd rule."""
    corners = np.asarray(polygon, np.float64)
    if len(corners) < 3 or not np.isfinite(corners).all():
        return np.zeros(0, np.int64)
    low, high = corners.min(axis=0), corners.max(axis=0)
    near = in_window(xy, (low[0], high[0], low[1], high[1]))
    return near[Outline(corners).contains_points(xy[near])]


def summary(
    galaxies: Galaxies, rows: Integer[np.ndarray, " m"], columns: Sequence[str]
) -> dict[str, tuple[int | float, ...]]:
    """Of columns in a selection, galaxies that have a number, median, 16 and 84 %; and the median of all."""
    found: dict[str, tuple[int | float, ...]] = {}
    for name in columns:
        if name in galaxies.values:
            known = galaxies.values[name][rows].astype(np.float64)
            known = known[np.isfinite(known)]
            levels = np.quantile(known if len(known) else [np.nan], LEVELS).tolist()
            found[name] = (len(known), *levels, galaxies.median_of(name))
    return found


def selection_table(galaxies: Galaxies, rows: Integer[np.ndarray, " m"]) -> Table:
    """A selection as a table, for a file."""
    others = {name: values[rows] for name, values in {**galaxies.values, **galaxies.texts}.items()}
    return Table({ID: galaxies.ids[rows], **others}, dict(galaxies.units), galaxies.name)


def csv_bytes(table: Table) -> bytes:
    r"""A table as CSV that a spreadsheet takes for data and never for formulas."""
    import pyarrow as pa
    import pyarrow.csv

    arrays = [
        pa.array([_harmless(text) for text in values.tolist()])
        if values.dtype.kind == "U"
        else pa.array(values, from_pandas=True)
        for values in table.columns.values()
    ]
    names = [_harmless(name) for name in table.columns]
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


def _harmless(text: str) -> str:
    return "'" + text if text.startswith(FORMULA_STARTS) else text
