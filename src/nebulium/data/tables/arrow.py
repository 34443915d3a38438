"""Parquet, read in a stream, and CSV, both through Arrow."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from nebulium.data.tables.source import TableSource
from nebulium.errors import TableError

#: Key of the file's metadata under which nebulium keeps its own, as JSON.
METADATA_KEY = b"nebulium"
#: Read-ahead of each column. Without it, Arrow holds whole row groups in memory.
STREAM_BYTES = 1 << 18
#: Whole numbers up to here are exact as float64.
EXACT = 2**53


def open_parquet(path: Path, wanted: Sequence[str] | None) -> TableSource:
    """Open a Parquet file; its rows are streamed, in memory that does not grow with their number."""
    with _telling(path, "Parquet"), pyarrow.parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
    chunks = _ParquetChunks(path)
    fields = [column for column in schema if not pa.types.is_nested(column.type)]
    return TableSource(
        name=str(path),
        columns=tuple(column.name for column in fields),
        chunks=chunks,
        units=_units(fields),
        metadata=_metadata(schema),
    )


class _ParquetChunks:
    """Reads the columns named, so many rows at a time, whatever the size of the row groups."""

    def __init__(self, path: Path):
        self.path = path

    def __call__(self, names: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        first = 0
        # No memory map: its pages would count as memory of ours, and grow with the file.
        options = {"buffer_size": STREAM_BYTES, "pre_buffer": False}
        with _telling(self.path, "Parquet"), pyarrow.parquet.ParquetFile(self.path, **options) as file:
            for table in _regrouped(file.iter_batches(rows, columns=list(names)), rows):
                yield {name: to_numpy(table[name], str(self.path), name, first) for name in names}
                first += len(table)


def _regrouped(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Tables of equal length: the batches end where the row groups end, which may be every few rows."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        while count + len(batch) >= rows:
            yield pa.Table.from_batches([*held, batch.slice(0, rows - count)])
            batch = batch.slice(rows - count)
            held, count = [], 0
        if len(batch):
            held.append(batch)
            count += len(batch)
    if held:
        yield pa.Table.from_batches(held)


def open_csv(path: Path, wanted: Sequence[str] | None) -> TableSource:
    r"""Open a CSV file with a header line; it is read whole."""
    with path.open("rb") as lines:
        start = [line for line, _ in zip(lines, range(10_000), strict=False)]
    if start and start[0].startswith(b"# %ECSV"):
        from nebulium.data.tables.ecsv import open_ecsv

        return open_ecsv(path, wanted)
    skipped = next((number for number, line in enumerate(start) if not line.startswith(b"#")), len(start))
    with _telling(path, "CSV"):
        table = pyarrow.csv.read_csv(path, pyarrow.csv.ReadOptions(skip_rows=skipped))
        names = tuple(name.strip() for name in table.column_names)

    def chunks(asked: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        for first in range(0, len(table), rows):
            part = table.slice(first, rows)
            # Text that is not UTF-8 is found out only here.
            with _telling(path, "CSV"):
                columns = {name: part.column(names.index(name)) for name in asked}
                read = {name: to_numpy(values, str(path), name, first) for name, values in columns.items()}
            yield read

    return TableSource(str(path), names, chunks)


def to_numpy(values: pa.ChunkedArray, where: str, column: str, first_row: int = 0) -> np.ndarray:
    """An Arrow column as numpy has it, without a copy where there is nothing to convert."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.cast(kind.value_type), kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        return np.asarray(pc.fill_null(values.cast(pa.string()), "").to_numpy(), dtype=np.str_)
    if pa.types.is_nested(kind):
        raise TableError(
            f"{where}, column {column}", f"holds {kind}, expected one value a row", "map another column"
        )
    if values.null_count:
        _check_exact(values, where, column, first_row)
        values = values.cast(pa.float64()) if not pa.types.is_temporal(kind) else values
    elif pa.types.is_decimal(kind) or pa.types.is_null(kind):
        values = values.cast(pa.float64())
    return values.to_numpy()


def _check_exact(values: pa.ChunkedArray, where: str, column: str, first_row: int) -> None:
    """Ids beside a gap would be rounded to floats, and several become one."""
    if not pa.types.is_integer(values.type) or values.null_count == len(values):
        return
    extremes = pc.min_max(values).as_py()
    if max(abs(extremes["min"]), abs(extremes["max"])) > EXACT:
        row = first_row + pc.index(pc.is_null(values), True).as_py()
        problem = "is missing in a column of whole numbers too large for a float"
        raise TableError(f"{where}, row {row}, column {column}", problem, "fill it, or leave the row out")


def _units(fields: Sequence[pa.Field]) -> dict[str, str]:
    """The units that the fields declare."""
    declared = {column.name: (column.metadata or {}).get(b"unit") for column in fields}
    return {name: unit.decode() for name, unit in declared.items() if unit is not None}


def _metadata(schema: pa.Schema) -> dict[str, Any]:
    """What nebulium wrote into the schema; another program may have put anything there."""
    try:
        content = json.loads((schema.metadata or {}).get(METADATA_KEY, b"{}"))
    except ValueError:
        return {}
    return content.get("metadata", {}) if isinstance(content, dict) else {}


@contextmanager
def _telling(path: Path, form: str) -> Iterator[None]:
    """What Arrow says, as an error that says what to do."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        problem = f"is truncated, damaged, or not {form} ({reason})"
        raise TableError(str(path), problem, "make or download it again") from error
