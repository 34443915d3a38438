"""Properties that images are drawn from: numbers and classes, as tables and as networks have them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from nebulium.data.column_checks import ColumnPlace, numbers
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.verbs.labels.classes import class_places, class_texts

MEND_NUMBER = "write nan where any value is to be drawn for"
MEND_CLASS = "name one of these, or leave it empty where any is to be drawn"


@dataclass(frozen=True)
class ConditionKinds:
    """Which properties are numbers, which are classes, and what these are called.

    Attributes
    ----------
    numbers : tuple of str
    classes : tuple of (str, tuple of str)
        Properties that are classes, with the names of these.
    """

    numbers: tuple[str, ...]
    classes: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def of(cls, names: Sequence[str], classes: Mapping[str, Sequence[str]] | None) -> "ConditionKinds":
        """Those of names, of which the last are classes."""
        kinds = tuple((name, tuple(of)) for name, of in (classes or {}).items())
        there = tuple(name for name in names if name not in dict(kinds))
        if (*there, *dict(kinds)) != tuple(names):
            raise ValueError(f"classes come after the numbers, got {tuple(names)} with {tuple(dict(kinds))}")
        return cls(there, kinds)

    @property
    def names(self) -> tuple[str, ...]:
        """Numbers, then classes."""
        return (*self.numbers, *dict(self.classes))

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of classes of each property that is one."""
        return tuple(len(names) for _, names in self.classes)

    @property
    def columns(self) -> tuple[int, ...]:
        """What each property takes in a network: one for a number, one for each class."""
        return (*(1 for _ in self.numbers), *self.counts)

    def value(self, name: str, given: Any, where: str) -> float:
        """A value as the model takes it: a number, or the place of a class."""
        if name in self.numbers:
            try:
                number = float(given)
            except (TypeError, ValueError):
                number = np.nan
            if not np.isfinite(number):
                raise TableError(where, f"{name} is {given}, expected a number", "leave it out for any")
            return number
        text, names = str(given).strip(), dict(self.classes)[name]
        if text not in names and isinstance(given, (bool, int, float, np.number)):
            text = f"{float(given):g}"
        if text not in names:
            raise TableError(where, f"{name} is {given}, expected one of {', '.join(names)}", "choose one")
        return float(names.index(text))

    def column(self, table: Table, name: str) -> Float[np.ndarray, " n"]:
        """Values of a column of a table; what is not known is NaN."""
        place = ColumnPlace(table.name, name)
        if name in self.numbers:
            values = numbers(table[name], place, "a number", MEND_NUMBER)
            # An infinite number would be taken for one that is not known.
            place.refuse(values, np.abs(values) > np.finfo(np.float32).max, "a finite number", MEND_NUMBER)
            return values.astype(np.float32)
        names = dict(self.classes)[name]
        places = class_places(table, name, names)
        place.refuse(
            class_texts(table, name), np.isinf(places), f"one of the classes {', '.join(names)}", MEND_CLASS
        )
        return places.astype(np.float32)

    def shown(self, name: str, values: Float[np.ndarray, " n"]) -> np.ndarray:
        """Values as a table has them: classes by their names, none where not known."""
        if name in self.numbers:
            return values
        known = np.isfinite(values)
        names = np.array(dict(self.classes)[name])
        return np.where(known, names[np.where(known, values, 0).astype(int)], "")
