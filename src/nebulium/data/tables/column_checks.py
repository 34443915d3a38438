"""Columns of the glossary hold what it says: numbers, ids, or flags."""

from collections.abc import Sequence

import numpy as np

from nebulium.data.glossary import lookup
from nebulium.errors import TableError

#: Whole numbers beyond this are not exact as float64.
EXACT = 2.0**53


def checked_column(
    values: np.ndarray,
    name: str,
    column: str,
    *,
    where: str,
    first_row: int = 0,
    missing: float | int | Sequence[float | int] | None = None,
) -> np.ndarray:
    """A column as read from a file, of the type that its name calls for."""
    entry = lookup(name)
    kind = entry.kind if entry else None
    if kind == "id":
        return _ids(values, where, column, first_row)
    if kind == "flag":
        return _flags(values, where, column, first_row)
    if kind == "number":
        values = _numbers(values, name, where, column, first_row)
    return values if missing is None else _without(values, missing)


def _numbers(values: np.ndarray, name: str, where: str, column: str, first_row: int) -> np.ndarray:
    """Floats; a whole number is one too, true and false and text are not."""
    if values.dtype.kind == "f":
        return values.astype(np.float32) if values.dtype.itemsize < 4 else values
    if values.dtype.kind in "iu":
        return values.astype(np.float64)
    row = next((place for place, value in enumerate(values.tolist()) if not _is_number(value)), 0)
    raise _fault(values, row, where, column, first_row, f"a number for {name}")


def _ids(values: np.ndarray, where: str, column: str, first_row: int) -> np.ndarray:
    """Whole numbers as int64, where they fit, and text as text."""
    kind = values.dtype.kind
    if kind == "i":
        return values.astype(np.int64, copy=False)
    if kind == "u":
        fits = values.size == 0 or values.max() <= np.iinfo(np.int64).max
        return values.astype(np.int64) if fits else values.astype(np.str_)
    if kind in "US":
        values = np.char.strip(values.astype(np.str_))
        bad = values == ""
    elif kind == "f":
        bad = ~(np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < EXACT))
    else:
        bad = np.ones(len(values), bool)
    if np.any(bad):
        wanted = "an id (a whole number, exact, or text)"
        raise _fault(values, int(np.argmax(bad)), where, column, first_row, wanted)
    return values.astype(np.int64) if kind == "f" else values


def _flags(values: np.ndarray, where: str, column: str, first_row: int) -> np.ndarray:
    """True and false, also as 1 and 0."""
    bad = ~np.isin(values, (0, 1)) if values.dtype.kind in "biuf" else np.ones(len(values), bool)
    if np.any(bad):
        raise _fault(values, int(np.argmax(bad)), where, column, first_row, "true or false")
    return values.astype(bool)


def _without(values: np.ndarray, missing: float | int | Sequence[float | int]) -> np.ndarray:
    """NaN in place of the numbers that stand for a missing value."""
    if values.dtype.kind not in "iuf":
        return values
    sentinels = np.atleast_1d(np.asarray(missing, dtype=np.float64))
    # A sentinel such as -99.9 was rounded when the column was stored in single precision.
    absent = np.isin(values, sentinels.astype(values.dtype) if values.dtype.kind == "f" else sentinels)
    if not np.any(absent):
        return values
    return np.where(absent, np.nan, values if values.dtype.kind == "f" else values.astype(np.float64))


def _is_number(value: object) -> bool:
    """Whether a value of a column of text could be meant as a number."""
    try:
        float(str(value))
    except ValueError:
        return False
    return not isinstance(value, bool)


def _fault(values: np.ndarray, row: int, where: str, column: str, first_row: int, wanted: str) -> TableError:
    """The first row at fault, named."""
    found = repr(values[row].item()) if len(values) else "no rows"
    place = f"{where}, row {first_row + row}, column {column}"
    return TableError(place, f"expected {wanted}, found {found}", "map another column, or mend the row")
