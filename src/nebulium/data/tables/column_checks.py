"""Columns of the glossary hold what it says: numbers, ids, or flags."""

from collections.abc import Sequence

import numpy as np

from nebulium.data.column_faults import ColumnPlace
from nebulium.data.files.arrow import EXACT
from nebulium.data.glossary import lookup
from nebulium.data.missing import without
from nebulium.errors import TableError

MEND = "map another column, or mend the row"


def checked_column(
    values: np.ndarray, name: str, place: ColumnPlace, *, missing: Sequence[float] = ()
) -> np.ndarray:
    """A column as read from a file, of the type that its name calls for."""
    entry = lookup(name)
    kind = entry.kind if entry else None
    if kind == "id":
        return _ids(values, place)
    if kind == "flag":
        return _flags(values, place)
    # Before any conversion: a number such as -99.9 was rounded to the precision of the column.
    values = without(values, missing)
    return numbers(values, place, f"a number for {name}") if kind == "number" else values


def numbers(values: np.ndarray, place: ColumnPlace, expected: str, mend: str = MEND) -> np.ndarray:
    """Floats; a whole number is one too, true and false and text are not."""
    if values.dtype.kind == "f":
        return values.astype(np.float32) if values.dtype.itemsize < 4 else values
    if values.dtype.kind in "iu":
        return values.astype(np.float64)
    bad = np.array([not _is_number(value) for value in values.tolist()], bool)
    # Where every text spells a number the column is one of text all the same.
    place.refuse(values, bad if np.any(bad) else ~bad, expected, mend)
    raise TableError(f"{place.file}, column {place.column}", f"expected {expected}, found no rows", mend)


def _ids(values: np.ndarray, place: ColumnPlace) -> np.ndarray:
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
    place.refuse(values, bad, "an id (a whole number, exact, or text)", MEND)
    return values.astype(np.int64) if kind == "f" else values


def _flags(values: np.ndarray, place: ColumnPlace) -> np.ndarray:
    """True and false, also as 1 and 0."""
    bad = ~np.isin(values, (0, 1)) if values.dtype.kind in "biuf" else np.ones(len(values), bool)
    place.refuse(values, bad, "true or false", MEND)
    return values.astype(bool)


def _is_number(value: object) -> bool:
    """Whether a value of a column of text could be meant as a number."""
    try:
        float(str(value))
    except ValueError:
        return False
    return not isinstance(value, bool)
