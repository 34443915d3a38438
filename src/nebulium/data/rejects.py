"""Rows that are set aside: which, and why."""

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from nebulium.data.output import replace_on_success
from nebulium.data.tables.table import stem_of

#: A reason, and the rows that it holds for.
Fault = tuple[str, Bool[np.ndarray, " n"]]


@dataclass(frozen=True)
class Rejects:
    """Rows of one input that cannot be used, collected as they are met.

    Examples
    --------
    >>> rejects = Rejects()
    >>> rejects.add([4], np.array([39627]), "redshift is negative")
    >>> len(rejects), rejects.summary()
    (1, '1 row set aside: 1 redshift is negative')
    """

    _blocks: list[tuple[np.ndarray, np.ndarray, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(rows) for rows, _, _ in self._blocks)

    def add(self, rows: np.ndarray | list[int], ids: np.ndarray, reason: str) -> None:
        """Set rows aside.

        Parameters
        ----------
        rows : array of int of shape (n,)
            Their places in the input, counted from 0.
        ids : array of shape (n,)
            Their ids.
        reason : str
            What is wrong with all of them, one line.

        Examples
        --------
        >>> rejects = Rejects()
        >>> rejects.add(np.array([], dtype=int), np.array([], dtype=int), "redshift is negative")
        >>> len(rejects)
        0
        """
        if len(rows):
            self._blocks.append((np.asarray(rows, dtype=np.int64), np.asarray(ids), reason))

    def take(self, others: "Rejects", first_row: int) -> None:
        """Take over those of a part of the input.

        Parameters
        ----------
        others : Rejects
            Of the part.
        first_row : int
            Where the part begins in the input.

        Examples
        --------
        >>> rejects, part = Rejects(), Rejects()
        >>> part.add([4], np.array([39627]), "redshift is negative")
        >>> rejects.take(part, 100)
        >>> rejects.rows().tolist()
        [104]
        """
        self._blocks.extend((rows + first_row, ids, reason) for rows, ids, reason in others._blocks)

    def set_aside(
        self, faults: Iterable[Fault], ids: np.ndarray, *, rows: np.ndarray | None = None
    ) -> Bool[np.ndarray, " n"]:
        """Set aside every row that has a fault, with the first reason that holds for it.

        Parameters
        ----------
        faults : iterable of (str, ndarray of bool of shape (n,))
            Each a reason, one line, and the rows that it holds for.
        ids : array of shape (n,)
            Ids of all rows.
        rows : array of int of shape (n,), optional
            Their places in the input; counted from 0 if not given.

        Returns
        -------
        ndarray of bool of shape (n,)
            True for the rows without a fault.

        Examples
        --------
        >>> rejects, redshift = Rejects(), np.array([0.1, -np.inf, -0.2])
        >>> faults = [("redshift is infinite", np.isinf(redshift)), ("redshift is negative", redshift < 0)]
        >>> rejects.set_aside(faults, np.array([7, 8, 9])).tolist(), rejects.summary()
        ([True, False, False], '2 rows set aside: 1 redshift is infinite, 1 redshift is negative')
        """
        rows = np.arange(len(ids)) if rows is None else rows
        good = np.ones(len(ids), bool)
        for reason, bad in faults:
            new = bad & good
            self.add(rows[new], ids[new], reason)
            good &= ~new
        return good

    def rows(self) -> np.ndarray:
        """Places of the rows in the input, in order.

        Returns
        -------
        ndarray of int64 of shape (n,)
            Counted from 0; a row with two reasons stands there once.

        Examples
        --------
        >>> Rejects().rows().tolist()
        []
        """
        return np.unique(np.concatenate([rows for rows, _, _ in self._blocks] or [np.zeros(0, np.int64)]))

    def summary(self) -> str:
        """One line for the terminal.

        Returns
        -------
        str
            How many rows, and how many for each reason.

        Examples
        --------
        >>> Rejects().summary()
        'no rows set aside'
        """
        if not len(self):
            return "no rows set aside"
        counts: Counter[str] = Counter()
        for rows, _, reason in self._blocks:
            counts[reason] += len(rows)
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
        number = len(self.rows())
        return f"{number} row{'s' if number != 1 else ''} set aside: {reasons}"

    def write(self, output: str | Path, *, id_column: str = "target_id") -> Path | None:
        r"""Write ``<stem of output>.rejects.csv`` beside an output; nothing if no row was set aside.

        A rejects file of an earlier run is removed then: it would be taken for one of this run.

        Parameters
        ----------
        output : str or Path
            The output that the rows are missing from.
        id_column : str
            What the input calls the ids.

        Returns
        -------
        Path or None
            The file, with the columns row (counted from 0), the ids and reason, in the order of the rows.

        Raises
        ------
        OutputError
            If it cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> rejects = Rejects()
        >>> rejects.add([4], np.array([39627]), "redshift is negative")
        >>> with tempfile.TemporaryDirectory() as scratch:
        ...     path = rejects.write(f"{scratch}/lines.parquet")
        ...     path.name, path.read_text()
        ('lines.rejects.csv', 'row,target_id,reason\n4,39627,redshift is negative\n')
        """
        path = rejects_path(output)
        if not len(self):
            path.unlink(missing_ok=True)
            return None
        entries: list[tuple[int, object, str]] = [
            (int(row), identifier, reason)
            for rows, ids, reason in self._blocks
            for row, identifier in zip(rows.tolist(), ids.tolist(), strict=True)
        ]
        # By row alone: the ids of two inputs may be of kinds that do not compare.
        entries.sort(key=itemgetter(0))
        with replace_on_success(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("row", id_column, "reason"))
            writer.writerows(entries)
        return path


def rejects_path(output: str | Path) -> Path:
    """Where the rows go that an output lacks."""
    output = Path(output)
    return output.with_name(f"{stem_of(output)}.rejects.csv")


def write_rejects(rejects: Rejects, output: Path, *, id_column: str = "target_id") -> Path | None:
    """List the rejects beside an output that is there; if that fails, neither stays."""
    try:
        return rejects.write(output, id_column=id_column)
    except BaseException:
        output.unlink(missing_ok=True)
        raise
