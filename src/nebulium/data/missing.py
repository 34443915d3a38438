"""Numbers that stand for a missing value: declared by the user, or asked about where nobody declared them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from nebulium.data.column_faults import ColumnPlace
from nebulium.errors import TableError

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


def _far_out(values: Float[np.ndarray, " n"], numbers: Sequence[float]) -> Bool[np.ndarray, " n"]:
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
