"""Parquet files and Arrow's columns, for tables, spectra and images alike."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from nebulium.data.files.damage import reading
from nebulium.data.glossary import about_column
from nebulium.errors import NebuliumError, TableError

#: Key of the file's metadata under which nebulium keeps its own, as JSON.
METADATA_KEY = b"nebulium"
#: Whole numbers up to here are exact as float64.
EXACT = 2**53
#: What reading a damaged file can end in.
FAULTS_OF_ARROW = (pa.ArrowException, OSError, UnicodeDecodeError)


@contextmanager
def opened_parquet(
    path: Path, *, error: type[NebuliumError] = TableError, **options: Any
) -> Iterator[pyarrow.parquet.ParquetFile]:
    """Open a Parquet file; faults of Arrow and of the disk become an error that says what to do."""
    if not path.is_file():
        raise error(str(path), "is not there", "check the path")
    opened = pyarrow.parquet.ParquetFile
    with reading(path, "Parquet", error, FAULTS_OF_ARROW), opened(path, pre_buffer=False, **options) as file:
        yield file


def sizes_of_groups(file: pyarrow.parquet.ParquetFile) -> list[int]:
    """Rows of each row group."""
    return [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]


def rows_by_group(rows: np.ndarray, sizes: Sequence[int]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Each group that holds some of the rows, their places among the rows asked for, and in the group."""
    firsts = np.concatenate([[0], np.cumsum(sizes)])
    group_of = np.searchsorted(firsts, rows, side="right") - 1
    for group in np.unique(group_of).tolist():
        places = np.flatnonzero(group_of == group)
        yield group, places, rows[places] - firsts[group]


def own_metadata(schema: pa.Schema) -> dict[str, Any]:
    """What nebulium wrote into a schema; another program may have put anything there."""
    try:
        content = json.loads((schema.metadata or {}).get(METADATA_KEY, b"{}"))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def described_schema(kinds: Mapping[str, pa.DataType], units: Mapping[str, str], about: str) -> pa.Schema:
    """Columns with their units and meanings, and what the file says of itself, as JSON."""
    fields = [pa.field(name, kind, metadata=about_column(name, units)) for name, kind in kinds.items()]
    return pa.schema(fields, metadata={METADATA_KEY: about})


def declared_units(fields: Any) -> dict[str, str]:
    """The units that fields declare."""
    declared = {field.name: (field.metadata or {}).get(b"unit") for field in fields}
    return {name: unit.decode() for name, unit in declared.items() if unit}


def is_list(kind: pa.DataType) -> bool:
    """Whether a column holds a list a row."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def list_lengths(lists: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Length of each list; 0 where there is none."""
    return np.asarray(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False))


def lists_by_field(column: pa.ChunkedArray) -> dict[str, pa.Array]:
    """Lists by field in lower case, of a column of structs of lists or of lists of structs; else nothing."""
    whole = column.combine_chunks()
    whole = whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
    if pa.types.is_struct(whole.type):
        return {entry.name.lower(): pc.struct_field(whole, entry.name) for entry in whole.type}
    if not (is_list(whole.type) and pa.types.is_struct(whole.type.value_type)):
        return {}
    offsets = np.concatenate([[0], np.cumsum(list_lengths(whole))]).astype(np.int64)
    flat = whole.flatten()
    return {
        entry.name.lower(): pa.LargeListArray.from_arrays(offsets, pc.struct_field(flat, entry.name))
        for entry in flat.type
    }


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
    return np.asarray(values.to_numpy(zero_copy_only=False))


def _check_exact(values: pa.ChunkedArray, where: str, column: str, first_row: int) -> None:
    """Ids beside a gap would be rounded to floats, and several become one."""
    if not pa.types.is_integer(values.type) or values.null_count == len(values):
        return
    extremes = pc.min_max(values).as_py()
    if max(abs(extremes["min"]), abs(extremes["max"])) > EXACT:
        row = first_row + pc.index(pc.is_null(values), True).as_py()
        problem = "is missing in a column of whole numbers too large for a float"
        raise TableError(f"{where}, row {row}, column {column}", problem, "fill it, or leave the row out")
