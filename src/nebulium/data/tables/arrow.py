"""Parquet, read in a stream, and CSV, both through Arrow."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from nebulium.data.files import declared_units, opened_parquet, own_metadata, reading, stored_as, to_numpy
from nebulium.data.tables.ecsv import open_ecsv
from nebulium.data.tables.table import TableSource

#: Read-ahead of each column. Without it, Arrow holds whole row groups in memory.
STREAM_BYTES = 1 << 18


def open_parquet(path: Path, wanted: Sequence[str] | None) -> TableSource:
    """Open a Parquet file; its rows are streamed, in memory that does not grow with their number."""
    with opened_parquet(path) as file:
        schema = file.schema_arrow

    def chunks(names: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        # No memory map: its pages would count as memory of ours, and grow with the file.
        with opened_parquet(path, buffer_size=STREAM_BYTES) as file:
            tables = _regrouped(file.iter_batches(rows, columns=list(names)), rows)
            yield from _converted(path, tables, names)

    fields = [column for column in schema if not pa.types.is_nested(stored_as(column.type))]
    return TableSource(
        name=str(path),
        columns=tuple(column.name for column in fields),
        chunks=chunks,
        units=declared_units(fields),
        metadata=own_metadata(schema).get("metadata", {}),
    )


def _converted(
    path: Path, tables: Iterator[pa.Table], names: Sequence[str]
) -> Iterator[dict[str, np.ndarray]]:
    """Columns as numpy has them, table by table."""
    first = 0
    for table in tables:
        yield {name: to_numpy(table[name], str(path), name, first) for name in names}
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
        return open_ecsv(path, wanted)
    skipped = next((number for number, line in enumerate(start) if not line.startswith(b"#")), len(start))
    with reading(path, "CSV"):
        table = pyarrow.csv.read_csv(path, pyarrow.csv.ReadOptions(skip_rows=skipped))
        table = table.rename_columns([name.strip() for name in table.column_names])

    def chunks(names: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        # Text that is not UTF-8 is found out only here.
        with reading(path, "CSV"):
            parts = (table.slice(first, rows) for first in range(0, len(table), rows))
            yield from _converted(path, parts, names)

    return TableSource(str(path), tuple(table.column_names), chunks)
