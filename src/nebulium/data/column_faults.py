"""Faults of the values of a column, in an error that names the file, the column and the first rows."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Shaped

from nebulium.errors import TableError

#: Rows that a message names.
NAMED = 3


@dataclass(frozen=True)
class ColumnPlace:
    """Where values stand: the file, its column, and the row of the first of them."""

    file: str
    column: str
    first_row: int = 0

    def refuse(
        self,
        values: Shaped[np.ndarray, " n"],
        bad: Bool[np.ndarray, " n"],
        expected: str,
        mend: str,
        *,
        remark: str = "",
    ) -> None:
        """Raise an error if a value is bad; ``{found}`` in the mend becomes the first bad value."""
        if np.any(bad):
            first = values[np.argmax(bad)].item()
            found = f"{first:.6g}" if isinstance(first, float) else repr(first)
            problem = f"expected {expected}, found {found} in {named_rows(bad, self.first_row)}{remark}"
            raise TableError(f"{self.file}, column {self.column}", problem, mend.replace("{found}", found))


def named_rows(bad: Bool[np.ndarray, " n"], first_row: int = 0) -> str:
    """The first rows at fault, and how many there are."""
    rows = (np.flatnonzero(bad) + first_row).tolist()
    listed = ", ".join(map(str, rows[:NAMED]))
    more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
    return f"row{'s' * (len(rows) > 1)} {listed}{more}"
