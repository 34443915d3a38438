"""Tables in: Parquet, FITS, ECSV, VOTable, HDF5 and text, with column mapping and units."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nebulium.data.column_checks import (
    ColumnPlace,
    Missing,
    MissingNumbers,
    check_plausible,
    checked_column,
    missing_numbers,
)
from nebulium.data.files import reading
from nebulium.data.glossary import WAVE_UNIT, conversion_factor, family_of, unit_of
from nebulium.data.tables.astropy_tables import open_ecsv, open_votable
from nebulium.data.tables.fits import open_fits
from nebulium.data.tables.hdf5 import open_hdf5
from nebulium.data.tables.parquet import open_parquet
from nebulium.data.tables.table import READABLE, Table, TableSource, concatenate, ending_of, missing_column
from nebulium.data.tables.text import open_text
from nebulium.data.uncertainties import Kind, convert_uncertainty, uncertainty_kind, unit_of_uncertainty
from nebulium.errors import TableError

#: Names of ours for ids.
ID_NAMES = ("target_id", "object_id")
#: Who opens a format; text is apart, as it is told which column holds ids.
OPENERS = {
    "parquet": open_parquet, "fits": open_fits, "ecsv": open_ecsv, "votable": open_votable, "hdf5": open_hdf5
}  # fmt: skip
#: Rows that are read at a time: large enough that the cost of a chunk does not count, small enough for a
#: cache.
ROWS_PER_CHUNK = 65536
#: A table that is read whole is read in pieces of this size, so that few have to be joined.
ROWS_AT_ONCE = 1 << 24

#: Line fits of FastSpecFit (Moustakas et al. 2023, ASCL 2308.005): EXTNAME FASTSPEC, with Z in METADATA for
#: some versions. It measures the two lines of the [O II] doublet apart; their equivalent widths add up.
FASTSPECFIT: Mapping[str, str] = {
    "target_id": "TARGETID",
    "redshift": "Z",
    "ew_OII_DOUBLET": "OII_3726_EW + OII_3729_EW",
    "ew_ivar_OII_DOUBLET": "OII_3726_EW_IVAR + OII_3729_EW_IVAR",
    **{
        f"{ours}_{line}": f"{line}_{theirs}"
        for line in (
            "HGAMMA", "HBETA", "OIII_4959", "OIII_5007", "NII_6548",
            "HALPHA", "NII_6584", "SII_6716", "SII_6731",
        )
        for ours, theirs in (("ew", "EW"), ("ew_ivar", "EW_IVAR"))
    },
}  # fmt: skip

#: Mappings that go by a name.
NAMED_MAPPINGS: Mapping[str, Mapping[str, str]] = {"fastspecfit": FASTSPECFIT}


#: Units as Python and the command line give them: by nebulium's name, or as "name=unit".
Units = Mapping[str, str] | Sequence[str] | None
ColumnMapping = Mapping[str, str] | str | Sequence[str]


def read_table(
    path: str | Path,
    *,
    columns: ColumnMapping | None = None,
    optional: Collection[str] = (),
    units: Units = None,
    missing: Missing = None,
    check_units: bool = True,
) -> Table:
    """Read a table into memory.

    Parameters
    ----------
    path : str or Path
        File ending in .parquet, .pq, .fits, .fit (also with .gz), .ecsv, .csv, .tsv, .txt, .cat, .dat, .tbl,
        .mrt, .vot, .votable, .xml, .hdf5, .h5 or .hdf.
    columns : mapping of str to str, or what `column_mapping` reads, optional
        nebulium's name -> the file's name, of the columns to be read; ``"A + B"`` adds two columns, and for
        inverse variances their variances; ``"A[2]"`` is a number of a column of arrays, counted from 0;
        ``"ROW"`` for ids are the numbers of the rows. All columns, under their own names, if not given.
    optional : collection of str
        Of the names in ``columns``, those that the file may lack; they are then left out.
    units : mapping of str to str, or sequence of str, optional
        nebulium's name -> the unit of the file's values, in place of what the file declares; ``ew_LINE`` and
        ``continuum_flux_N`` stand for all of their kind.
    missing : float, sequence of float, mapping of str to these, or MissingNumbers, optional
        Numbers that stand for a missing value, in all columns or by nebulium's name; they become NaN.
    check_units : bool
        Ask about numbers without a declared unit that are hardly in nebulium's.

    Returns
    -------
    Table
        Columns in the glossary are in its units: converted where the file declares another, taken to be in it
        where the file declares none, and asked about where that is not plausible. A standard error or
        variance in place of an inverse variance is told by its unit or its name, and converted. Other columns
        are as they are.

    Raises
    ------
    TableError
        If the file is damaged or empty, a column is missing, doubled or of the wrong type, or its unit does
        not convert.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data.tables.writer import write_table
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     table = Table({"Z": np.array([0.1, -99.0]), "EW": np.array([0.5, 0.6])}, {"EW": "nm"})
    ...     write_table(table, f"{scratch}/fits.ecsv")
    ...     read = read_table(f"{scratch}/fits.ecsv", columns=["redshift=Z", "ew_HALPHA=EW"], missing=-99)
    >>> read["redshift"].tolist(), read["ew_HALPHA"].tolist(), read.units
    ([0.1, nan], [5.0, 6.0], {'ew_HALPHA': 'Angstrom'})
    """
    chunks = iter_table(
        path,
        rows_per_chunk=ROWS_AT_ONCE,
        columns=columns,
        optional=optional,
        units=units,
        missing=missing,
        check_units=check_units,
    )
    return concatenate(chunks)


def iter_table(
    path: str | Path,
    *,
    rows_per_chunk: int = ROWS_PER_CHUNK,
    columns: ColumnMapping | None = None,
    optional: Collection[str] = (),
    units: Units = None,
    missing: Missing = None,
    check_units: bool = True,
) -> Iterator[Table]:
    """Read a table in chunks of equal length (the last may be shorter).

    Parquet and HDF5 files are streamed in memory that does not grow with their rows, FITS files are mapped,
    and ECSV and CSV files are read whole.

    Parameters
    ----------
    path : str or Path
        File ending in .parquet, .pq, .fits, .fit (also with .gz), .ecsv, .csv, .tsv, .txt, .cat, .dat, .tbl,
        .mrt, .vot, .votable, .xml, .hdf5, .h5 or .hdf.
    rows_per_chunk : int
        Rows of a chunk.
    columns : mapping of str to str, or what `column_mapping` reads, optional
        nebulium's name -> the file's name, of the columns to be read; all, by their own names, if not given.
    optional : collection of str
        Of the names in ``columns``, those that the file may lack; they are then left out.
    units : mapping of str to str, or sequence of str, optional
        nebulium's name -> the unit of the file's values, in place of what the file declares; ``ew_LINE`` and
        ``continuum_flux_N`` stand for all of their kind.
    missing : float, sequence of float, mapping of str to these, or MissingNumbers, optional
        Numbers that stand for a missing value, in all columns or by nebulium's name; they become NaN.
    check_units : bool
        Ask about numbers without a declared unit that are hardly in nebulium's.

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
    >>> from nebulium.data.tables.writer import write_table
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_table(Table({"redshift": np.array([0.1, 0.2, 0.3])}), f"{scratch}/z.parquet")
    ...     [chunk["redshift"].tolist() for chunk in iter_table(f"{scratch}/z.parquet", rows_per_chunk=2)]
    [[0.1, 0.2], [0.3]]
    """
    path = Path(path)
    mapping = None if columns is None else column_mapping(columns)
    source, recipes = _plan(path, mapping, optional, unit_mapping(units))
    needed = list(dict.fromkeys(term.column for recipe in recipes for term in recipe.terms))
    declared = {recipe.name: recipe.unit for recipe in recipes if recipe.unit}
    first, absent = 0, missing_numbers(missing)
    for raw in source.chunks(needed, rows_per_chunk):
        made = {recipe.name: recipe.make(raw, source.name, first, absent) for recipe in recipes}
        # What nebulium wrote is in its units.
        if first == 0 and check_units and not source.metadata:
            check_plausible(made, [recipe.name for recipe in recipes if not recipe.declared], source.name)
        yield Table(made, declared, source.name, dict(source.metadata))
        first += len(next(iter(raw.values())))
    if first == 0:
        raise TableError(source.name, "has no rows", "check how it was made")


def column_names(path: str | Path) -> tuple[str, ...]:
    """Names of the columns of a file, without reading its rows where the format allows it."""
    return open_table(Path(path), None).columns


def column_mapping(given: Mapping[str, str] | str | Path | Iterable[str]) -> dict[str, str]:
    """Read a column mapping in any of its forms.

    Parameters
    ----------
    given : mapping, str, Path, or iterable of str
        A mapping of nebulium's name to the file's; or ``"name=column"`` strings; or the name of a known
        mapping (``fastspecfit``); or the path of a JSON file with such a mapping, or of an ECSV or CSV
        table with the columns ``name`` and ``column``. In an iterable these may be mixed; the later ones
        win.

    Returns
    -------
    dict of str to str
        nebulium's name -> the file's name. ``A + B`` is the sum of two columns.

    Raises
    ------
    TableError
        If a string has no ``=``, or a file cannot be read.

    Examples
    --------
    >>> column_mapping(["redshift=Z", "target_id = TARGETID"])
    {'redshift': 'Z', 'target_id': 'TARGETID'}
    >>> column_mapping("fastspecfit")["ew_HALPHA"]
    'HALPHA_EW'
    """
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, str | Path):
        given = [str(given)]
    merged: dict[str, str] = {}
    for item in given:
        merged |= _one(str(item))
    return merged


def unit_mapping(given: Units) -> dict[str, str]:
    """Units by nebulium's name of the column."""
    if given is None or isinstance(given, Mapping):
        return dict(given or {})
    pairs = [[part.strip() for part in item.partition("=")[::2]] for item in given]
    for item, (name, unit) in zip(given, pairs, strict=True):
        if not (name and unit):
            problem = "is not a unit of a column: expected NAME=UNIT"
            raise TableError(f"unit {item!r}", problem, "write redshift=percent, say")
    return {name: unit for name, unit in pairs}


def open_table(path: Path, wanted: Sequence[str] | None, ids: Sequence[str] = ID_NAMES) -> TableSource:
    """Open a table by the ending of its name; files of several tables are searched for the columns wanted."""
    if not path.exists():
        raise TableError(str(path), "is not there", "check the path")
    ending = ending_of(path)
    if ending is None or path.is_dir():
        found = "is a folder" if path.is_dir() else f"has an unknown ending {path.suffix!r}"
        raise TableError(str(path), f"{found}, expected a file ending in {', '.join(READABLE)}", "convert it")
    if path.stat().st_size == 0:
        raise TableError(str(path), "is an empty file (0 bytes)", "make or download it again")
    form = READABLE[ending]
    if wanted is not None:
        # What the file calls them: MODELFLUX[2] is a number of MODELFLUX.
        wanted = [_base(part) for column in wanted if column != ROW for part in _parts_of(column)]
    return open_text(path, wanted, ids) if form in ("csv", "text") else OPENERS[form](path, wanted)


def _one(item: str) -> Mapping[str, str]:
    """A name, a file or a pair."""
    if item in NAMED_MAPPINGS:
        return NAMED_MAPPINGS[item]
    if item.endswith((".json", ".ecsv", ".csv")) and "=" not in item:
        return _from_json(Path(item)) if item.endswith(".json") else _from_table(Path(item))
    name, equals, column = (part.strip() for part in item.partition("="))
    if not (name and equals and column):
        known = ", ".join(NAMED_MAPPINGS)
        problem = "is not a column mapping: expected name=column"
        raise TableError(
            f"column mapping {item!r}", problem, f"write redshift=Z, say, or one of {known}, or a file"
        )
    return {name: column}


def _from_json(path: Path) -> dict[str, str]:
    """An object of strings."""
    with reading(path, "JSON"):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not (isinstance(content, dict) and all(isinstance(column, str) for column in content.values())):
        raise TableError(str(path), "is not a JSON object of strings", 'write {"redshift": "Z"}, say')
    return content


def _from_table(path: Path) -> dict[str, str]:
    """A table with the columns name and column."""
    names = ("name", "column")
    source = open_table(path, names)
    for name in names:
        if name not in source.columns:
            raise missing_column(source.name, name, source.columns)
    pairs: dict[str, str] = {}
    for chunk in source.chunks(names, 1024):
        pairs |= zip(*(chunk[name].astype(str).tolist() for name in names), strict=True)
    return pairs


#: A number of an array, as MODELFLUX[2], counted from 0.
ELEMENT = re.compile(r"(.+)\[(\d+)\]")
#: In place of the name of a column of ids: the numbers of the rows, counted from 0, of a file without ids.
ROW = "ROW"


@dataclass(frozen=True)
class _Term:
    """A column of the file, or a number of an array in it, as it enters a column of ours.

    Attributes
    ----------
    spelt : str
        As the user names it.
    column : str
        The file's.
    element : int, optional
        Place in the array.
    factor : float
        Into our unit.
    kind : str, optional
        Of a column that stands for an inverse variance: what it holds in truth.
    """

    spelt: str
    column: str
    element: int | None = None
    factor: float = 1.0
    kind: Kind | None = None

    def values(self, raw: Mapping[str, np.ndarray], place: ColumnPlace) -> np.ndarray:
        """As the file has them."""
        values = raw[self.column]
        if self.element is None:
            return values
        if self.element >= values.shape[1]:
            problem = (
                f"has {values.shape[1]} numbers a row, the last of them {self.column}[{values.shape[1] - 1}]"
            )
            raise TableError(f"{place.file}, column {self.spelt}", problem, "count from 0")
        return values[:, self.element]


@dataclass(frozen=True)
class _Recipe:
    """How one column of nebulium is made from columns of the file, and whether their unit is declared."""

    name: str
    terms: tuple[_Term, ...]
    unit: str
    declared: bool

    def make(
        self, raw: Mapping[str, np.ndarray], where: str, first_row: int, missing: MissingNumbers
    ) -> np.ndarray:
        """The column: checked, sentinels taken out, in nebulium's unit."""
        if self.terms[0].spelt == ROW:
            return first_row + np.arange(len(raw[self.terms[0].column]))
        terms = []
        for one in self.terms:
            place, absent = ColumnPlace(where, one.spelt, first_row), missing.of(one.spelt, self.name)
            term = checked_column(one.values(raw, place), self.name, place, missing=absent)
            term = term if one.factor == 1.0 else term * term.dtype.type(one.factor)
            terms.append(term if one.kind is None else convert_uncertainty(term, one.kind, "ivar"))
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
    wanted = [column for name, column in (mapping or {}).items() if name not in optional]
    source = open_table(path, wanted, [(mapping or {}).get(name, name) for name in ID_NAMES])
    mapping = {name: name for name in source.columns} if mapping is None else mapping
    terms = _terms(source, mapping, optional)
    if not terms:
        asked = ", ".join(mapping.values())
        problem = f"has none of the columns {asked}" if asked else "has no columns that can be read"
        raise TableError(source.name, problem, "check the file, and the names of its columns")
    given = {name: units.get(name, units.get(family_of(name))) for name in terms}
    return source, [_recipe(source, name, made_of, given[name]) for name, made_of in terms.items()]


def _terms(
    source: TableSource, mapping: Mapping[str, str], optional: Collection[str]
) -> dict[str, tuple[_Term, ...]]:
    """Nebulium's name -> the columns of the file that make it up."""
    found: dict[str, tuple[_Term, ...]] = {}
    for name, column in mapping.items():
        if column == ROW and ROW not in source.columns:
            found[name] = (_Term(ROW, source.all_columns[0]),)
            continue
        parts = (column,) if column in source.all_columns else _parts_of(column)
        lacking = [
            part for part in parts if part not in source.all_columns and _base(part) not in source.arrays
        ]
        if lacking and name not in optional:
            raise missing_column(source.name, lacking[0], source.all_columns)
        if not lacking:
            found[name] = tuple(_term(source, part) for part in parts)
    return found


def _term(source: TableSource, part: str) -> _Term:
    """A column, or a number of one that holds arrays."""
    if part in source.all_columns and part not in source.arrays:
        return _Term(part, part)
    element = ELEMENT.fullmatch(part)
    if element is None:
        problem = "holds several numbers a row, expected one"
        raise TableError(
            f"{source.name}, column {part}", problem, f"name one of them, as {part}[0], the first"
        )
    return _Term(part, element[1], int(element[2]))


def _base(part: str) -> str:
    """The column of a number of an array."""
    element = ELEMENT.fullmatch(part)
    return element[1] if element else part


def _parts_of(column: str) -> tuple[str, ...]:
    """The columns of a sum."""
    return tuple(term.strip() for term in column.split("+"))


def _recipe(source: TableSource, name: str, terms: tuple[_Term, ...], given: str | None) -> _Recipe:
    """Units settled: given by the user, else declared by the file, else nebulium's own."""
    told = [given if given is not None else source.units.get(term.column, "") for term in terms]
    wanted, declared = unit_of(name), given is not None or all(told)
    if wanted is None:
        return _Recipe(name, terms, told[0], declared)
    converted = tuple(
        _in_our_unit(term, name, unit, wanted, source.name) for term, unit in zip(terms, told, strict=True)
    )
    return _Recipe(name, converted, wanted, declared)


def _in_our_unit(term: _Term, name: str, unit: str, wanted: str, where: str) -> _Term:
    """A term with its factor; errors and variances where inverse variances are wanted are told apart."""
    place = f"{where}, column {term.spelt}"
    if name.startswith("ew_ivar_"):
        kind = uncertainty_kind(term.spelt, unit, WAVE_UNIT, where=where, otherwise="ivar")
        factor = conversion_factor(unit, unit_of_uncertainty(WAVE_UNIT, kind), where=place) if unit else 1.0
        return replace(term, factor=factor, kind=None if kind == "ivar" else kind)
    return replace(term, factor=conversion_factor(unit, wanted, where=place) if unit else 1.0)
