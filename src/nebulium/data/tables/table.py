"""A table in memory, with units and the file that it came from; and one on disk, read in pieces."""

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path, PurePath
from typing import Any, TypeVar

import numpy as np

from nebulium.errors import MissingColumnError, TableError

Record = TypeVar("Record", bound=Any)


def select_rows(record: Record, rows: Any) -> Record:
    """The record with some of its rows, as numpy indexes them; what is no array stays."""
    return replace(
        record, **{field.name: _rows(getattr(record, field.name), rows) for field in fields(record)}
    )


def concatenate_rows(records: Sequence[Record]) -> Record:
    """One record below the other; what is no array is that of the first, what one lacks is missing."""
    values = {field.name: [getattr(record, field.name) for record in records] for field in fields(records[0])}
    return replace(records[0], **{name: _joined(parts) for name, parts in values.items()})


def _rows(value: Any, rows: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rows(entry, rows) for name, entry in value.items()}
    return value[rows] if isinstance(value, np.ndarray) else value


def _joined(parts: Sequence[Any]) -> Any:
    if any(part is None for part in parts):
        return None
    if isinstance(parts[0], dict):
        return {name: _joined([part[name] for part in parts]) for name in parts[0]}
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else parts[0]


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length, by name.

    Parameters
    ----------
    columns : dict of str to ndarray of shape (n,)
        The values. A missing number is NaN.
    units : dict of str to str
        As astropy spells them; a column without a unit has no entry.
    name : str
        The file, for messages.
    metadata : dict
        What the file says of itself; must go into JSON.

    Raises
    ------
    TableError
        If the columns differ in length.

    Examples
    --------
    >>> table = Table({"target_id": np.array([3, 4]), "redshift": np.array([0.1, 0.2])}, {}, "a.parquet")
    >>> len(table), table["redshift"].tolist(), table.select([1])["target_id"].tolist()
    (2, [0.1, 0.2], [4])
    >>> table["Redshift"]
    Traceback (most recent call last):
    nebulium.errors.MissingColumnError: a.parquet: has no column 'Redshift' (the nearest is 'redshift'; it has
    target_id, redshift). To mend: check the name, or map it: --column Redshift='redshift' (in Python
    columns={'Redshift': 'redshift'})
    """

    columns: dict[str, np.ndarray]
    units: dict[str, str] = field(default_factory=dict)
    name: str = "table"
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {column: len(values) for column, values in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise TableError(self.name, f"has columns of different lengths: {lengths}", "make them equal")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def __getitem__(self, column: str) -> np.ndarray:
        if column not in self.columns:
            raise missing_column(self.name, column, self.columns)
        return self.columns[column]

    def select(self, rows: Any) -> "Table":
        """Some of the rows.

        Parameters
        ----------
        rows : array of bool of shape (n,), array of int, or slice
            Which rows, as numpy indexes them.

        Returns
        -------
        Table
            The same columns, those rows.

        Examples
        --------
        >>> Table({"redshift": np.array([0.1, 0.2])}).select(np.array([False, True]))["redshift"].tolist()
        [0.2]
        """
        return select_rows(self, rows)

    def with_columns(
        self, columns: Mapping[str, np.ndarray], units: Mapping[str, str] | None = None
    ) -> "Table":
        """The table with columns added or replaced.

        Parameters
        ----------
        columns : mapping of str to ndarray of shape (n,)
            The new columns.
        units : mapping of str to str, optional
            Their units.

        Returns
        -------
        Table
            A new table; this one is as it was.

        Raises
        ------
        TableError
            If the lengths differ.

        Examples
        --------
        >>> table = Table({"redshift": np.array([0.1])}).with_columns({"ew_HALPHA": np.array([5.0])},
        ...                                                           {"ew_HALPHA": "Angstrom"})
        >>> list(table.columns), table.units
        (['redshift', 'ew_HALPHA'], {'ew_HALPHA': 'Angstrom'})
        """
        kept = {name: unit for name, unit in self.units.items() if name not in columns}
        return replace(self, columns={**self.columns, **columns}, units={**kept, **(units or {})})


def concatenate(tables: Iterable[Table]) -> Table:
    """One table below the other."""
    parts = list(tables)
    if not parts:
        raise TableError("table", "has no rows", "check the selection that made it")
    return parts[0] if len(parts) == 1 else replace(parts[0], columns=_joined([one.columns for one in parts]))


def missing_column(where: str, column: str, available: Iterable[str]) -> MissingColumnError:
    """The error for a column that is not there, with the name that is nearest to it."""
    names = list(available)
    near = nearest(column, names)
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    found = f"(the nearest is {near!r}; it has {listed})" if near else f"(it has {listed})"
    name = near or "its name in the file"
    mapping = f"--column {column}={name!r} (in Python columns={{{column!r}: {name!r}}})"
    problem, mend = f"has no column {column!r} {found}", f"check the name, or map it: {mapping}"
    return MissingColumnError(where, problem, mend, column=column)


def nearest(name: str, available: Iterable[str]) -> str | None:
    """The name that looks most like another, letter case and the order of its parts aside."""
    scored = [(_likeness(name, candidate), candidate) for candidate in available]
    score, best = max(scored, default=(0.0, None), key=lambda pair: pair[0])
    return best if score >= 0.6 else None


def _likeness(one: str, other: str) -> float:
    """Between 0 and 1; the parts of a name may come in another order, as in EW_HALPHA and HALPHA_EW."""
    one, other = one.lower(), other.lower()
    in_order = difflib.SequenceMatcher(None, one, other).ratio()
    one, other = ("_".join(sorted(name.split("_"))) for name in (one, other))
    return max(in_order, difflib.SequenceMatcher(None, one, other).ratio())


#: Format by ending; what is written is also read.
READABLE = {
    ".parquet": "parquet", ".pq": "parquet",
    ".fits": "fits", ".fit": "fits", ".fits.gz": "fits", ".fit.gz": "fits",
    ".ecsv": "ecsv", ".csv": "csv",
    ".tsv": "text", ".txt": "text", ".cat": "text", ".dat": "text", ".tbl": "text", ".mrt": "text",
    ".vot": "votable", ".votable": "votable", ".xml": "votable",
    ".hdf5": "hdf5", ".h5": "hdf5", ".hdf": "hdf5",
}  # fmt: skip
WRITABLE = ("parquet", "fits", "ecsv", "csv")

Chunks = Callable[[Sequence[str], int], Iterator[dict[str, np.ndarray]]]


@dataclass(frozen=True)
class TableSource:
    """An open table: what it holds, and how to get at it in pieces.

    Parameters
    ----------
    name : str
        The file, for messages.
    columns : tuple of str
        Names of its columns, as the file has them.
    chunks : callable of (names, rows_per_chunk) to iterator of dict
        Reads only the columns named, so many rows at a time.
    units : mapping of str to str
        As the file declares them.
    metadata : mapping
        What nebulium wrote there.
    arrays : tuple of str
        Names of the columns that hold several numbers a row; ``chunks`` gives them of shape (n, number).
    """

    name: str
    columns: tuple[str, ...]
    chunks: Chunks
    units: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    arrays: tuple[str, ...] = ()

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Also those of arrays, which are read only if they are asked for."""
        return (*self.columns, *self.arrays)

    def __post_init__(self) -> None:
        twice = [column for column, count in Counter(self.all_columns).items() if count > 1]
        if twice:
            raise TableError(self.name, f"has more than one column named {twice[0]!r}", "rename one of them")


#: What astropy appends to the name of a column for a column of where it is missing.
MASK = ".mask"


def with_masks(source: TableSource) -> TableSource:
    """The source with the columns of flags that astropy writes beside masked ones as masks of these."""
    masked = {name for name in source.columns if name + MASK in source.columns}
    if not masked:
        return source

    def chunks(names: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        read = [*names, *(name + MASK for name in names if name in masked)]
        for raw in source.chunks(read, rows):
            mask = {name: raw[name + MASK].astype(bool) for name in names if name in masked}
            yield {
                name: np.ma.MaskedArray(raw[name], mask=mask[name]) if name in mask else raw[name]
                for name in names
            }

    columns = tuple(
        name for name in source.columns if name.removesuffix(MASK) not in masked or name in masked
    )
    return replace(source, columns=columns, chunks=chunks)


Place = TypeVar("Place")


def tables_with(
    wanted: Sequence[str] | None, tables: Mapping[Place, Sequence[str]], where: Path
) -> list[Place]:
    """Places of the tables of a file that hold the columns asked for: the first with all, else several."""
    complete = [place for place, names in tables.items() if set(wanted or ()) <= set(names)]
    if complete:
        return complete[:1]
    chosen, lacking = [], set(wanted or ())
    for place, names in sorted(tables.items(), key=lambda table: -len(lacking & set(table[1]))):
        if lacking & set(names):
            chosen.append(place)
            lacking -= set(names)
    if lacking:
        name = next(column for column in wanted or () if column in lacking)
        raise missing_column(
            str(where), name, dict.fromkeys(name for names in tables.values() for name in names)
        )
    return chosen


def ending_of(path: PurePath, among: Iterable[str] = READABLE) -> str | None:
    """The ending that tells the format, in whatever case it is, ``.fits.gz`` as one."""
    name = path.name.lower()
    return next((ending for ending in sorted(among, key=len, reverse=True) if name.endswith(ending)), None)


def stem_of(path: PurePath, among: Iterable[str] = READABLE) -> str:
    """The file's name without the ending that tells its format."""
    return path.name[: len(path.name) - len(ending_of(path, among) or "")]


def in_memory(columns: Mapping[str, np.ndarray]) -> Chunks:
    """Chunks of a table that is read whole, for formats that cannot be read in pieces."""

    def chunks(names: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        total = len(next(iter(columns.values()), ()))
        for first in range(0, total, rows):
            yield {name: columns[name][first : first + rows] for name in names}

    return chunks
