"""Parquet, read in a stream."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nebulium.data.files import (
    declared_units,
    is_list,
    list_lengths,
    opened_parquet,
    own_metadata,
    stored_as,
    to_numpy,
)
from nebulium.data.tables.astropy_tables import units_of_header
from nebulium.data.tables.table import TableSource, with_masks
from nebulium.errors import TableError

#: Read-ahead of each column. Without it, Arrow holds whole row groups in memory.
STREAM_BYTES = 1 << 18
#: Key of the metadata under which astropy keeps units and more, as YAML.
ASTROPY_KEY = b"table_meta_yaml"


def open_parquet(path: Path, wanted: Sequence[str] | None) -> TableSource:
    """Open a Parquet file; its rows are streamed, in memory that does not grow with their number."""
    with opened_parquet(path) as file:
        schema = file.schema_arrow

    def chunks(names: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        # No memory map: its pages would count as memory of ours, and grow with the file.
        with opened_parquet(path, buffer_size=STREAM_BYTES) as file:
            tables = _regrouped(file.iter_batches(rows, columns=list(names)), rows)
            yield from converted(path, tables, names)

    source = TableSource(
        name=str(path),
        columns=tuple(column.name for column in schema if _is_plain(column.type)),
        chunks=chunks,
        units=_units_of_astropy(schema) | declared_units(schema),
        metadata=own_metadata(schema).get("metadata", {}),
        arrays=tuple(column.name for column in schema if _is_array(column.type)),
    )
    return with_masks(source)


def converted(
    path: Path, tables: Iterator[pa.Table], names: Sequence[str]
) -> Iterator[dict[str, np.ndarray]]:
    """Columns as numpy has them, table by table; whole numbers beside gaps stay exact, and masked."""
    first = 0
    for table in tables:
        yield {name: _column(table[name], str(path), name, first) for name in names}
        first += len(table)


def _column(values: pa.ChunkedArray, where: str, name: str, first: int) -> np.ndarray:
    if pa.types.is_integer(values.type) and values.null_count:
        mask = pc.is_null(values).to_numpy()
        return np.ma.MaskedArray(pc.fill_null(values, 0).to_numpy(), mask=mask)
    if is_list(values.type):
        return _array(values, where, name, first)
    return to_numpy(values, where, name, first)


def _array(lists: pa.ChunkedArray, where: str, name: str, first: int) -> np.ndarray:
    """Lists of one length as the rows of an array, NaN for a row that has none."""
    lengths, flat = list_lengths(lists), pc.list_flatten(lists)
    width = int(lengths.max(initial=0))
    there, uneven = lengths > 0, (lengths > 0) & (lengths != width)
    if np.any(uneven):
        row = int(np.argmax(uneven))
        problem = f"has {lengths[row]} values, where another row has {width}"
        mend = "give every row the same number, or a column for each"
        raise TableError(f"{where}, row {first + row}, column {name}", problem, mend)
    values = to_numpy(pa.chunked_array(flat) if isinstance(flat, pa.Array) else flat, where, name)
    if np.all(there):
        return values.reshape(len(lengths), width)
    array = np.full((len(lengths), width), np.nan)
    array[there] = values.reshape(-1, width)
    return array


def _is_plain(kind: pa.DataType) -> bool:
    """One value a row."""
    return not pa.types.is_nested(stored_as(kind))


def _is_array(kind: pa.DataType) -> bool:
    """Several numbers a row."""
    return is_list(kind) and _is_plain(kind.value_type)


def _units_of_astropy(schema: pa.Schema) -> dict[str, str]:
    """Units that astropy wrote."""
    written = (schema.metadata or {}).get(ASTROPY_KEY, b"").decode(errors="replace")
    return units_of_header(written.splitlines())


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
