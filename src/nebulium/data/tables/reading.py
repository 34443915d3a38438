"""Tables in and out: Parquet, FITS, ECSV, CSV and HDF5, with column mapping and units."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nebulium.data.column_faults import ColumnPlace
from nebulium.data.glossary import conversion_factor, unit_of
from nebulium.data.missing import Missing, MissingNumbers, missing_numbers
from nebulium.data.tables.column_checks import checked_column
from nebulium.data.tables.column_mapping import column_mapping
from nebulium.data.tables.opening import open_table
from nebulium.data.tables.table import Table, TableSource, concatenate, missing_column
from nebulium.data.tables.writer import TableWriter, write_table
from nebulium.errors import TableError

__all__ = ["Table", "TableWriter", "column_names", "concatenate", "iter_table", "read_table", "write_table"]

#: Rows that are read at a time: large enough that the cost of a chunk does not count, small enough for a
#: cache.
ROWS_PER_CHUNK = 65536
#: A table that is read whole is read in pieces of this size, so that few have to be joined.
ROWS_AT_ONCE = 1 << 24


def read_table(
    path: str | Path,
    *,
    columns: Mapping[str, str] | str | Sequence[str] | None = None,
    optional: Collection[str] = (),
    units: Mapping[str, str] | None = None,
    missing: Missing = None,
) -> Table:
    """Read a table into memory.

    Parameters
    ----------
    path : str or Path
        File ending in .parquet, .pq, .fits, .fit (also with .gz), .ecsv, .csv, .hdf5, .h5 or .hdf.
    columns : mapping of str to str, or what `column_mapping` reads, optional
        nebulium's name -> the file's name, of the columns to be read; ``"A + B"`` adds two columns, and for
        inverse variances their variances. All columns, under their own names, if not given.
    optional : collection of str
        Of the names in ``columns``, those that the file may lack; they are then left out.
    units : mapping of str to str, optional
        nebulium's name -> the unit of the file's values, in place of what the file declares.
    missing : float, sequence of float, mapping of str to these, or MissingNumbers, optional
        Numbers that stand for a missing value, in all columns or by nebulium's name; they become NaN.

    Returns
    -------
    Table
        Columns in the glossary are in its units: converted where the file declares another, taken to be in it
        where the file declares none. Other columns are as they are.

    Raises
    ------
    TableError
        If the file is damaged or empty, a column is missing, doubled or of the wrong type, or its unit does
        not convert.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     table = Table({"Z": np.array([0.1, -99.0]), "EW": np.array([0.5, 0.6])}, {"EW": "nm"})
    ...     write_table(table, f"{scratch}/fits.ecsv")
    ...     read = read_table(f"{scratch}/fits.ecsv", columns=["redshift=Z", "ew_HALPHA=EW"], missing=-99)
    >>> read["redshift"].tolist(), read["ew_HALPHA"].tolist(), read.units
    ([0.1, nan], [5.0, 6.0], {'ew_HALPHA': 'Angstrom'})
    """
    chunks = iter_table(
        path, rows_per_chunk=ROWS_AT_ONCE, columns=columns, optional=optional, units=units, missing=missing
    )
    return concatenate(chunks)


def iter_table(
    path: str | Path,
    *,
    rows_per_chunk: int = ROWS_PER_CHUNK,
    columns: Mapping[str, str] | str | Sequence[str] | None = None,
    optional: Collection[str] = (),
    units: Mapping[str, str] | None = None,
    missing: Missing = None,
) -> Iterator[Table]:
    """Read a table in chunks of equal length (the last may be shorter).

    Parquet and HDF5 files are streamed in memory that does not grow with their rows, FITS files are mapped,
    and ECSV and CSV files are read whole.

    Parameters
    ----------
    path : str or Path
        File ending in .parquet, .pq, .fits, .fit (also with .gz), .ecsv, .csv, .hdf5, .h5 or .hdf.
    rows_per_chunk : int
        Rows of a chunk.
    columns : mapping of str to str, or what `column_mapping` reads, optional
        nebulium's name -> the file's name, of the columns to be read; all, by their own names, if not given.
    optional : collection of str
        Of the names in ``columns``, those that the file may lack; they are then left out.
    units : mapping of str to str, optional
        nebulium's name -> the unit of the file's values, in place of what the file declares.
    missing : float, sequence of float, mapping of str to these, or MissingNumbers, optional
        Numbers that stand for a missing value, in all columns or by nebulium's name; they become NaN.

    Yields
    ------
    Table
        The next rows.

    Raises
    ------
    TableError
        If the file is damaged or empty, a column is missing, doubled or of the wrong type, or its unit does
        not convert.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_table(Table({"redshift": np.array([0.1, 0.2, 0.3])}), f"{scratch}/z.parquet")
    ...     [chunk["redshift"].tolist() for chunk in iter_table(f"{scratch}/z.parquet", rows_per_chunk=2)]
    [[0.1, 0.2], [0.3]]
    """
    path = Path(path)
    mapping = None if columns is None else column_mapping(columns)
    source, recipes = _plan(path, mapping, optional, units or {})
    needed = list(dict.fromkeys(part for recipe in recipes for part, _ in recipe.terms))
    declared = {recipe.name: recipe.unit for recipe in recipes if recipe.unit}
    first, absent = 0, missing_numbers(missing)
    for raw in source.chunks(needed, rows_per_chunk):
        made = {recipe.name: recipe.make(raw, source.name, first, absent) for recipe in recipes}
        yield Table(made, declared, source.name, dict(source.metadata))
        first += len(next(iter(raw.values())))
    if first == 0:
        raise TableError(source.name, "has no rows", "check how it was made")


def column_names(path: str | Path) -> tuple[str, ...]:
    """Names of the columns of a file, without reading its rows where the format allows it."""
    return open_table(Path(path), None).columns


@dataclass(frozen=True)
class _Recipe:
    """How one column of nebulium is made from columns of the file, each times a factor."""

    name: str
    terms: tuple[tuple[str, float], ...]
    unit: str

    def make(
        self, raw: Mapping[str, np.ndarray], where: str, first_row: int, missing: MissingNumbers
    ) -> np.ndarray:
        """The column: checked, sentinels taken out, in nebulium's unit."""
        terms = []
        for part, factor in self.terms:
            place, absent = ColumnPlace(where, part, first_row), missing.of(part, self.name)
            term = checked_column(raw[part], self.name, place, missing=absent)
            terms.append(term if factor == 1.0 else term * term.dtype.type(factor))
        return terms[0] if len(terms) == 1 else self._sum(terms)

    def _sum(self, terms: Sequence[np.ndarray]) -> np.ndarray:
        """A sum; of inverse variances, that of the quantities' sum, 0 if one of them was not measured."""
        if "ivar" not in self.name:
            return np.sum(terms, axis=0)
        with np.errstate(divide="ignore"):
            return 1.0 / np.sum([1.0 / term for term in terms], axis=0)


def _plan(
    path: Path, mapping: Mapping[str, str] | None, optional: Collection[str], units: Mapping[str, str]
) -> tuple[TableSource, list[_Recipe]]:
    """Open the file, and settle which of its columns make up which of ours, in which units."""
    # The columns that must be there: a file of several tables is searched for them.
    columns = [column for name, column in (mapping or {}).items() if name not in optional]
    source = open_table(path, [part for column in columns for part in _terms(column)])
    mapping = {name: name for name in source.columns} if mapping is None else mapping
    parts = _parts(source, mapping, optional)
    if not parts:
        raise TableError(
            source.name, "has no columns that can be read", "check the file and the column mapping"
        )
    return source, [_recipe(source, name, made_of, units.get(name)) for name, made_of in parts.items()]


def _parts(
    source: TableSource, mapping: Mapping[str, str], optional: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Nebulium's name -> the columns of the file that make it up."""
    found = {}
    for name, column in mapping.items():
        terms = (column,) if column in source.columns else _terms(column)
        lacking = [term for term in terms if term not in source.columns]
        if lacking and name not in optional:
            raise missing_column(source.name, lacking[0], source.columns)
        if not lacking:
            found[name] = terms
    return found


def _terms(column: str) -> tuple[str, ...]:
    """The columns of a sum."""
    return tuple(term.strip() for term in column.split("+"))


def _recipe(source: TableSource, name: str, parts: tuple[str, ...], given: str | None) -> _Recipe:
    """Units settled: given by the user, else declared by the file, else nebulium's own."""
    declared = [given if given is not None else source.units.get(part, "") for part in parts]
    wanted, terms = unit_of(name), []
    for part, unit in zip(parts, declared, strict=True):
        known, where = wanted is not None and unit, f"{source.name}, column {part}"
        terms.append((part, conversion_factor(unit, wanted or "", where=where) if known else 1.0))
    return _Recipe(name, tuple(terms), declared[0] if wanted is None else wanted)
