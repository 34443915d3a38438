"""Files of Parquet and FITS, for tables, spectra and images alike, opened with care.

Files that are cut, damaged, or not what their name says end in one error, whatever their format.
"""

import json
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from nebulium.data.glossary import about_column
from nebulium.errors import NebuliumError, SpectrumError, TableError

#: What parsers raise when a file ends too early or its bytes make no sense.
FAULTS: tuple[type[Exception], ...] = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError,
    MemoryError, RuntimeError, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


@contextmanager
def reading(
    path: Path,
    form: str,
    error: type[NebuliumError] = TableError,
    faults: tuple[type[Exception], ...] = FAULTS,
) -> Iterator[None]:
    """Faults of a parser as an error that says what to do; an error of nebulium's passes."""
    try:
        yield
    except NebuliumError:
        raise
    except faults as fault:
        reason = (str(fault).strip() or type(fault).__name__).splitlines()[0]
        problem = f"is truncated, damaged, or not {form} ({reason})"
        raise error(str(path), problem, "make or download it again") from fault


def is_pattern(path: Path) -> bool:
    """Whether a path that is not there is a pattern of several, as ``spec-*.fits``."""
    return not path.exists() and bool(set("*?[") & set(str(path)))


def matching(pattern: Path) -> list[Path]:
    """The paths that a pattern stands for, in order."""
    return sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))


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
    """An Arrow column as numpy has it, without a copy where there is nothing to convert.

    Bytes are text where all of them can be; else they are left as they are, as objects.
    """
    kind = stored_as(values.type)
    if kind != values.type:
        values = values.cast(kind)
    if is_bytes(kind):
        values, kind = _decoded(values)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return np.asarray(pc.fill_null(values.cast(pa.large_string()), "").to_numpy(), dtype=np.str_)
    if pa.types.is_nested(kind):
        raise TableError(
            f"{where}, column {column}", f"holds {kind}, expected one value a row", "map another column"
        )
    if values.null_count and not (is_bytes(kind) or pa.types.is_temporal(kind)):
        _check_exact(values, where, column, first_row)
        values = values.cast(pa.float64())
    elif pa.types.is_decimal(kind) or pa.types.is_null(kind):
        values = values.cast(pa.float64())
    return np.asarray(values.to_numpy(zero_copy_only=False))


def stored_as(kind: pa.DataType) -> pa.DataType:
    """What the values of a dictionary, or of a type that a program has added, are."""
    if pa.types.is_dictionary(kind):
        return stored_as(kind.value_type)
    return stored_as(kind.storage_type) if isinstance(kind, pa.BaseExtensionType) else kind


def is_bytes(kind: pa.DataType) -> bool:
    """Whether a column holds bytes, be they text or not."""
    kinds = (
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_fixed_size_binary,
        pa.types.is_binary_view,
    )
    return any(is_kind(kind) for is_kind in kinds)


def _decoded(values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.DataType]:
    """Bytes as text, if all of them are."""
    try:
        text = values.cast(pa.large_binary()).cast(pa.large_string())
    except pa.ArrowInvalid:
        return values, values.type
    return text, text.type


def _check_exact(values: pa.ChunkedArray, where: str, column: str, first_row: int) -> None:
    """Ids beside a gap would be rounded to floats, and several become one."""
    if not pa.types.is_integer(values.type) or values.null_count == len(values):
        return
    extremes = pc.min_max(values).as_py()
    if max(abs(extremes["min"]), abs(extremes["max"])) > EXACT:
        row = first_row + pc.index(pc.is_null(values), True).as_py()
        problem = "is missing in a column of whole numbers too large for a float"
        raise TableError(f"{where}, row {row}, column {column}", problem, "fill it, or leave the row out")


@contextmanager
def opened_fits(path: Path, error: type[TableError] | type[SpectrumError]) -> Iterator[Any]:
    """Open a FITS file for reading."""
    from astropy.io import fits
    from astropy.io.fits.verify import VerifyError

    with warnings.catch_warnings(record=True) as warned, reading(path, "FITS", error, (*FAULTS, VerifyError)):
        warnings.simplefilter("always")
        # The file is ours to close: astropy leaves it open if it fails to read it.
        with path.open("rb") as file, fits.open(file, lazy_load_hdus=False) as hdus:
            _check_whole(path, hdus, [str(warning.message) for warning in warned])
            yield hdus


def _check_whole(path: Path, hdus: Any, warned: list[str]) -> None:
    """Astropy opens a cut file with no more than a warning."""
    for message in warned:
        if "Error validating header" in message:
            raise OSError("the header of an extension is cut or damaged")
    info = hdus[-1].fileinfo()
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    # To the end of the last block of 2880 bytes: a file cut in the padding was cut all the same.
    expected = info["datLoc"] + info["datSpan"]
    if not compressed and path.stat().st_size < expected:
        raise OSError(f"expected at least {expected} bytes, found {path.stat().st_size}")


def columns_of(hdu: Any) -> list[str]:
    """Names of the columns of an extension, if it is a table."""
    return list(getattr(getattr(hdu, "columns", None), "names", ()))


def native(values: Any) -> np.ndarray:
    """An array of a FITS file in the byte order of this machine, text without trailing blanks."""
    array = np.array(values)
    if array.dtype.kind in "SU":
        return np.char.strip(array.astype(np.str_))
    return array.astype(array.dtype.newbyteorder("="), copy=False)
