"""Tables out: Parquet, ECSV and CSV chunk by chunk, FITS at the end, whole or not at all."""

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import dropwhile, islice
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from nebulium.data.files import described_schema
from nebulium.data.glossary import lookup, parse_unit
from nebulium.data.output import replace_on_success
from nebulium.data.tables.table import READABLE, WRITABLE, Table, concatenate, ending_of
from nebulium.errors import OutputError


class TableWriter:
    """Write a table chunk by chunk; the file appears when the block ends without an error.

    Parquet, ECSV and CSV are written as the chunks come; FITS is held in memory until the end. The unit
    and the meaning of each column stand in the file: in Parquet in the metadata of the field and, all
    together as JSON, under ``nebulium`` in the metadata of the schema; in FITS in TUNIT, TCOMM and the
    keyword NEBULIUM; in ECSV in the unit, the description and ``meta``; CSV has no place for them.

    Parameters
    ----------
    path : str or Path
        File ending in .parquet, .pq, .fits, .fit, .fits.gz, .ecsv or .csv.
    metadata : dict, optional
        What the file should say of itself; must go into JSON. The metadata of the first chunk if not given.

    Raises
    ------
    OutputError
        If the ending is unknown, the folder cannot be written to, the disk is full, the chunks differ in
        their columns, or there was none.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data.tables.reading import read_table
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     with TableWriter(f"{scratch}/z.parquet") as writer:
    ...         writer.append(Table({"redshift": np.array([0.1])}))
    ...         writer.append(Table({"redshift": np.array([0.2])}))
    ...     read_table(f"{scratch}/z.parquet")["redshift"].tolist()
    [0.1, 0.2]
    """

    def __init__(self, path: str | Path, *, metadata: dict[str, Any] | None = None):
        self.path = Path(path)
        self.metadata = metadata
        self.rows = 0
        ending = ending_of(self.path)
        if ending is None or READABLE[ending] not in WRITABLE:
            endings = ", ".join(known for known, form in READABLE.items() if form in WRITABLE)
            problem = f"cannot be written as a table: the ending {self.path.suffix!r} is not one of {endings}"
            raise OutputError(str(path), problem, "choose one of these endings")
        self._form = READABLE[ending]
        self._stack = ExitStack()
        self._held: list[Table] = []
        self._first: Table | None = None
        self._stream: Any = None

    def __enter__(self) -> "TableWriter":
        self._partial = self._stack.enter_context(replace_on_success(self.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._close_quietly()
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._finish()

    def append(self, table: Table) -> None:
        """Add rows.

        Parameters
        ----------
        table : Table
            With the columns of the first chunk.

        Raises
        ------
        OutputError
            If the columns differ, or cannot be held by the format.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as scratch, TableWriter(f"{scratch}/z.parquet") as writer:
        ...     writer.append(Table({"redshift": np.array([0.1])}))
        ...     writer.rows
        1
        """
        if self._first is None:
            self._first = table
        elif list(table.columns) != list(self._first.columns):
            problem = f"got a chunk with columns {list(table.columns)} after {list(self._first.columns)}"
            raise OutputError(str(self.path), problem, "give every chunk the same columns")
        self.rows += len(table)
        if self._form in ("parquet", "csv"):
            self._append_to_stream(table)
        elif self._form == "ecsv":
            self._append_as_ecsv(table)
        else:
            self._held.append(table)

    def _append_to_stream(self, table: Table) -> None:
        """One row group a chunk."""
        if self._stream is None:
            # Types are those of the first chunk.
            kinds = {name: pa.array(values[:1]).type for name, values in table.columns.items()}
            schema = described_schema(kinds, table.units, self._described(table))
            self._schema, self._stream = schema, self._opened(schema)
        # NaN is an empty field in CSV.
        gaps = self._form == "csv"
        arrays = [pa.array(values, from_pandas=gaps) for values in table.columns.values()]
        try:
            self._stream.write_table(pa.table(arrays, schema=self._schema))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            problem = f"got a chunk with other types of columns ({error})"
            raise OutputError(str(self.path), problem, "give every chunk the same types") from error

    def _append_as_ecsv(self, table: Table) -> None:
        """As astropy writes it, with the header of the first chunk."""
        kinds = [values.dtype.kind for values in table.columns.values()]
        if self._stream is None:
            self._kinds, self._stream = kinds, self._partial.open("w", encoding="utf-8", newline="")
            self._stream.writelines(_as_ecsv(table, self._described(table)))
        elif kinds != self._kinds:
            problem = f"got a chunk with other types of columns ({kinds} after {self._kinds})"
            raise OutputError(str(self.path), problem, "give every chunk the same types")
        else:
            lines = dropwhile(lambda line: line.startswith("#"), _as_ecsv(table, ""))
            self._stream.writelines(islice(lines, 1, None))

    def _opened(self, schema: pa.Schema) -> Any:
        """Where chunks go as they come."""
        if self._form == "csv":
            return pyarrow.csv.CSVWriter(str(self._partial), schema)
        # A dictionary of numbers that hardly repeat takes four times the time and more space.
        text = [column.name for column in schema if pa.types.is_string(column.type)]
        return pyarrow.parquet.ParquetWriter(self._partial, schema, compression="zstd", use_dictionary=text)

    def _finish(self) -> None:
        """Write what is held, and complete the file."""
        if self._first is None:
            raise OutputError(str(self.path), "would have no rows", "check the input and its rejects")
        if self._stream is not None:
            self._stream.close()
            return
        whole = concatenate(self._held)
        _write_fits(whole, self._partial, self._described(whole), self.path)

    def _close_quietly(self) -> None:
        """Let go of the file; on a full disk this fails too, and the first error is the one that counts."""
        if self._stream is not None:
            try:
                self._stream.close()
            except OSError:
                self._stream = None

    def _described(self, table: Table) -> str:
        """What the file says of itself, as JSON."""
        metadata = table.metadata if self.metadata is None else self.metadata
        columns = {
            name: {"unit": table.units.get(name, ""), "meaning": _meaning(name)} for name in table.columns
        }
        return json.dumps({"columns": columns, "metadata": metadata})


def write_table(table: Table, path: str | Path, *, metadata: dict[str, Any] | None = None) -> None:
    """Write a table, whole or not at all.

    Parameters
    ----------
    table : Table
        What to write.
    path : str or Path
        File ending in .parquet, .pq, .fits, .fit, .fits.gz, .ecsv or .csv.
    metadata : dict, optional
        What the file should say of itself; must go into JSON. That of the table if not given.

    Raises
    ------
    OutputError
        If the ending is unknown, the folder cannot be written to, the disk is full, or the table has no rows.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data.tables.reading import read_table
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     table = Table({"ew_HALPHA": np.array([5.0])}, {"ew_HALPHA": "Angstrom"})
    ...     write_table(table, f"{scratch}/ew.fits", metadata={"model": "desi-lines"})
    ...     read = read_table(f"{scratch}/ew.fits")
    >>> read.units, read.metadata
    ({'ew_HALPHA': 'Angstrom'}, {'model': 'desi-lines'})
    """
    with TableWriter(path, metadata=metadata) as writer:
        writer.append(table)


def _meaning(name: str) -> str:
    """What the glossary says of a column."""
    entry = lookup(name)
    return entry.meaning if entry else ""


def _write_fits(table: Table, partial: Path, described: str, path: Path) -> None:
    """A binary table as the first extension."""
    from astropy import units as astropy_units
    from astropy.io import fits

    columns = []
    for name, values in table.columns.items():
        unit = table.units.get(name)
        try:
            spelt = parse_unit(unit).to_string("fits") if unit else None
        except (ValueError, astropy_units.UnitScaleError):
            spelt = unit
        columns.append(fits.Column(name, fits_format(name, values, path), unit=spelt, array=values))
    hdu = fits.BinTableHDU.from_columns(columns, name="NEBULIUM")
    for number, name in enumerate(table.columns, start=1):
        if _meaning(name):
            hdu.header[f"TCOMM{number}"] = _meaning(name)
    hdu.header["NEBULIUM"] = described
    hdu.writeto(partial)


def fits_format(name: str, values: np.ndarray, path: Path) -> str:
    """The TFORM of a column."""
    codes = {"b1": "L", "u1": "B", "i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D"}
    if values.dtype.kind == "U":
        if not all(text.isascii() for text in values.tolist()):
            problem = "has text that FITS cannot hold (not ASCII)"
            raise OutputError(f"{path}, column {name}", problem, "write Parquet")
        return f"{max(values.dtype.itemsize // 4, 1)}A"
    code = codes.get(values.dtype.str[1:])
    if code is None:
        problem = f"is of type {values.dtype}, which is not written to FITS"
        raise OutputError(f"{path}, column {name}", problem, "write Parquet")
    return code


def _as_ecsv(table: Table, described: str) -> Iterator[str]:
    """Lines, through astropy: comments, the names of the columns, a row each."""
    from astropy.table import Column
    from astropy.table import Table as AstropyTable

    columns = [
        Column(values, name, unit=table.units.get(name) or None, description=_meaning(name) or None)
        for name, values in table.columns.items()
    ]
    text = io.StringIO()
    AstropyTable(columns, meta={"nebulium": json.loads(described or "{}")}).write(text, format="ascii.ecsv")
    text.seek(0)
    return text
