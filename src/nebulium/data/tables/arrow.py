"""Parquet, read in a stream, and CSV, both through Arrow."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from nebulium.data.files.arrow import declared_units, opened_parquet, own_metadata, reading_parquet, to_numpy
from nebulium.data.files.damage import reading
from nebulium.data.tables.table import TableSource

#: Read-ahead of each column. Without it, Arrow holds whole row groups in memory.
STREAM_BYTES = 1 << 18


def open_parquet(path: Path, wanted: Sequence[str] | None) -> TableSource:
    """Open a Parquet file; its rows are streamed, in memory that does not grow with their number."""
    with opened_parquet(path) as file:
        schema = file.schema_arrow
    chunks = _ParquetChunks(path)
    fields = [column for column in schema if not pa.types.is_nested(column.type)]
    return TableSource(
        name=str(path),
        columns=tuple(column.name for column in fields),
        chunks=chunks,
        units=declared_units(fields),
        metadata=own_metadata(schema).get("metadata", {}),
    )


class _ParquetChunks:
    """Reads the columns named, so many rows at a time, whatever the size of the row groups."""

    def __init__(self, path: Path):
        self.path = path

    def __call__(self, names: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        first = 0
        # No memory map: its pages would count as memory of ours, and grow with the file.
        with reading_parquet(self.path), opened_parquet(self.path, buffer_size=STREAM_BYTES) as file:
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
    with reading(path, "CSV"):
        table = pyarrow.csv.read_csv(path, pyarrow.csv.ReadOptions(skip_rows=skipped))
        names = tuple(name.strip() for name in table.column_names)

    def chunks(asked: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        for first in range(0, len(table), rows):
            part = table.slice(first, rows)
            # Text that is not UTF-8 is found out only here.
            with reading(path, "CSV"):
                columns = {name: part.column(names.index(name)) for name in asked}
                read = {name: to_numpy(values, str(path), name, first) for name, values in columns.items()}
            yield read

    return TableSource(str(path), names, chunks)
