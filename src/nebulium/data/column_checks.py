"""Values of a column: numbers, ids or flags as the glossary says, and numbers that stand for a missing value.

Faults become an error that names the file, the column and the first rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from nebulium.data.files import EXACT
from nebulium.data.glossary import lookup
from nebulium.errors import ImplausibleError, TableError

Flags = Bool[np.ndarray, " n"]

#: Rows that a message names, and letters of a value.
NAMED, MOST_LETTERS = 3, 60


@dataclass(frozen=True)
class ColumnPlace:
    """Where values stand: the file, its column, and the row of the first of them."""

    file: str
    column: str
    first_row: int = 0

    def refuse(
        self,
        values: Shaped[np.ndarray, " n"],
        bad: Flags,
        expected: str,
        mend: str,
        *,
        remark: str = "",
        found: str | None = None,
    ) -> None:
        """Raise an error if a value is bad; ``{found}`` in the mend becomes the first bad value."""
        if np.any(bad):
            first = values.item(int(np.argmax(bad)))
            found = found or (f"{first:.6g}" if isinstance(first, float) else repr(first)[:MOST_LETTERS])
            problem = f"expected {expected}, found {found} in {named_rows(bad, self.first_row)}{remark}"
            raise TableError(f"{self.file}, column {self.column}", problem, mend.replace("{found}", found))


def named_rows(bad: Flags, first_row: int = 0) -> str:
    """The first rows at fault, and how many there are."""
    rows = (np.flatnonzero(bad) + first_row).tolist()
    listed = ", ".join(map(str, rows[:NAMED]))
    more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
    return f"row{'s' * (len(rows) > 1)} {listed}{more}"


#: What catalogues write for "not measured", and nobody measures.
CERTAIN = (-99.0, -99.9, -99.99, -999.0, -999.9, -9999.0, -99999.0)
#: What they write where magnitudes stand.
LARGE = (99.0, 99.9, 99.99, 999.0, 9999.0, 99999.0)
#: What may also be measured, and is suspected where it lies far outside all other values.
LIKELY = (-1.0, -9.0, *LARGE)
#: Written in place of a number: what looks like a missing value was measured.
NONE = "none"


@dataclass(frozen=True)
class MissingNumbers:
    """What the user declares: ``-99`` for every column of a file, ``COLUMN=-1`` for one, or ``none``."""

    entries: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for entry in self.entries:
            _parsed(entry)

    def of(self, *names: str) -> tuple[float, ...]:
        """Numbers that stand for a missing value in a column, by any of its names."""
        pairs = [_parsed(entry) for entry in self.entries if entry != NONE]
        return tuple(number for name, number in pairs if name in (None, *names))

    def check(
        self,
        values: Float[np.ndarray, " n"],
        place: ColumnPlace,
        *,
        certain: Sequence[float] = CERTAIN,
        likely: Sequence[float] = LIKELY,
    ) -> None:
        """Ask about numbers that look like a missing value, unless the user says that they were measured."""
        if NONE in self.entries:
            return
        suspected = is_any_of(values, certain) | _far_out(values, likely)
        place.refuse(
            values,
            suspected,
            "measured values",
            "say --missing={found}, or --missing=none if it was measured",
            remark=", which looks like a number that stands for a missing value",
        )


#: Forms in which Python and the command line give a declaration.
Missing = float | int | str | Sequence[Any] | Mapping[str, Any] | MissingNumbers | None


def missing_numbers(given: Missing) -> MissingNumbers:
    """A declaration in any of its forms."""
    if isinstance(given, MissingNumbers):
        return given
    if isinstance(given, Mapping):
        given = [f"{name}={number}" for name, numbers in given.items() for number in np.atleast_1d(numbers)]
    return MissingNumbers(() if given is None else tuple(map(str, np.atleast_1d(np.asarray(given)))))


def is_any_of(values: Shaped[np.ndarray, "*n"], numbers: Sequence[float]) -> Bool[np.ndarray, "*n"]:
    """Which values are one of some numbers, rounded as the column is or as one in single precision."""
    known = np.asarray(numbers, np.float64)
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            known = np.concatenate([known, known.astype(np.float32), known.astype(values.dtype)])
    return np.isin(values, known[np.isfinite(known)])


def without(values: Shaped[np.ndarray, " n"], numbers: Sequence[float]) -> Shaped[np.ndarray, " n"]:
    """NaN in place of some numbers; whole numbers become floats where there are any."""
    absent = is_any_of(values, numbers) if numbers and values.dtype.kind in "iuf" else np.zeros(1, bool)
    if not np.any(absent):
        return values
    return np.where(absent, np.nan, values if values.dtype.kind == "f" else values.astype(np.float64))


def _far_out(values: Float[np.ndarray, " n"], numbers: Sequence[float]) -> Flags:
    """Which are among the numbers and farther from all other values than these are from one another."""
    suspected = is_any_of(values, numbers)
    others = values[np.isfinite(values) & ~suspected]
    if not np.any(suspected) or len(others) < 2 or others.min() == others.max():
        return np.zeros(len(values), bool)
    least, most = others.min(), others.max()
    return suspected & (np.maximum(least - values, values - most) > most - least)


def _parsed(entry: str) -> tuple[str | None, float]:
    """Column, or None for all, and the number."""
    column, equals, number = entry.rpartition("=")
    try:
        return (column.strip() if equals else None), float("nan" if entry == NONE else number)
    except ValueError:
        problem = "is not a number that stands for a missing value"
        raise TableError(f"missing {entry!r}", problem, "write -99, COLUMN=-1, or none") from None


MEND = "map another column, or mend the row"


def checked_column(
    values: np.ndarray, name: str, place: ColumnPlace, *, missing: Sequence[float] = ()
) -> np.ndarray:
    """A column as read from a file, of the type that its name calls for; what is masked is missing."""
    entry = lookup(name)
    kind = entry.kind if entry else None
    if isinstance(values, np.ma.MaskedArray):
        absent = np.ma.getmaskarray(values)
        if kind == "id":
            place.refuse(values.data, absent, "an id", MEND, found="none")
        values = _with_gaps(values.data, absent, place)
    if kind == "id":
        return _ids(values, place)
    if kind == "flag":
        return _flags(values, place)
    # Before any conversion: a number such as -99.9 was rounded to the precision of the column.
    values = without(values, missing)
    return numbers(values, place, f"a number for {name}") if kind == "number" else values


def _with_gaps(values: np.ndarray, absent: Flags, place: ColumnPlace) -> np.ndarray:
    """NaN, or an empty text, where a value is missing."""
    if values.dtype.kind in "US":
        return np.where(absent, "", values.astype(np.str_))
    if values.dtype.kind in "iu":
        large = ~absent & ((values > EXACT) | (values < -EXACT))
        expected = "whole numbers that a float can hold, as others are missing"
        place.refuse(values, large, expected, "fill the gaps, or leave these rows out")
    return np.where(absent, np.nan, values if values.dtype.kind == "f" else values.astype(np.float64))


def check_plausible(columns: Mapping[str, np.ndarray], undeclared: Sequence[str], where: str) -> None:
    """Ask about columns without a declared unit whose numbers are hardly in nebulium's."""
    for name in undeclared:
        entry = lookup(name)
        if entry is None or entry.plausible is None:
            continue
        sizes = columns[name][np.isfinite(columns[name]) & (columns[name] > 0)]
        if not sizes.size or entry.plausible[0] <= np.median(sizes) <= entry.plausible[1]:
            continue
        size = "large" if np.median(sizes) > entry.plausible[1] else "small"
        problem = f"declares no unit and holds numbers of about {np.median(sizes):.3g}"
        meant = f"{entry.meaning}, {entry.unit}" if entry.unit else entry.meaning
        known = f"say --unit {entry.name}={entry.suspected}" if entry.suspected else "convert them"
        mend = (
            f"{known}, or --unit {entry.name}='{entry.unit or 1}' if they are right (Python: units={{...}})"
        )
        raise ImplausibleError(f"{where}, column {name}", f"{problem}, which is {size} for: {meant}", mend)


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
        # Beyond this not every whole number is one of that precision: several ids may have become one.
        exact = 2.0 ** (np.finfo(values.dtype).nmant + 1)
        bad = ~(np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < exact))
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
