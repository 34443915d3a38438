"""HDF5 tables: a compound dataset, or a group of columns of equal length."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.files import reading
from nebulium.data.tables.table import TableSource, tables_with
from nebulium.errors import TableError, from_extra

#: Attributes in which programs keep the unit of a dataset.
UNIT_ATTRIBUTES = ("unit", "units", "UNIT", "UNITS")


def open_hdf5(path: Path, wanted: Sequence[str] | None) -> TableSource:
    """Open an HDF5 file."""
    with from_extra("h5py", "sed"):
        import h5py

    with reading(path, "HDF5"), h5py.File(path) as file:
        tables = _tables(file, h5py)
        units = {place: _units(file[place], names) for place, names in tables.items()}
    if not tables:
        raise TableError(str(path), "holds no table (columns of equal length)", "convert it to Parquet")
    # With none asked for, or all in several, that with most columns.
    largest = dict(sorted(tables.items(), key=lambda table: -len(table[1])))
    place = tables_with(wanted, largest, path)[0]

    def chunks(names: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        with h5py.File(path) as file:
            table = file[place]
            # Rows of a compound dataset, or of the columns of a group.
            for first in range(0, len(table if hasattr(table, "dtype") else table[names[0]]), rows):
                yield {name: _text(table[name][first : first + rows]) for name in names}

    return TableSource(str(path), tables[place], chunks, units[place])


def _tables(file: Any, h5py: Any) -> dict[str, tuple[str, ...]]:
    """Everything that can be read as a table: place in the file -> names of its columns."""
    found: dict[str, tuple[str, ...]] = {}

    def visit(place: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if item.dtype.names and item.ndim == 1:
                found[place] = tuple(name for name in item.dtype.names if item.dtype[name].shape == ())
        else:
            columns = {name: part for name, part in item.items() if isinstance(part, h5py.Dataset)}
            plain = {
                name: len(part) for name, part in columns.items() if part.ndim == 1 and not part.dtype.names
            }
            if plain and len(set(plain.values())) == 1:
                found[place] = tuple(plain)

    visit("/", file)
    file.visititems(visit)
    return found


def _units(item: Any, names: Sequence[str]) -> dict[str, str]:
    """Units in the attributes of the datasets."""
    if hasattr(item, "dtype"):
        return {}
    told = {
        name: [item[name].attrs[key] for key in UNIT_ATTRIBUTES if key in item[name].attrs] for name in names
    }
    return {name: as_text(units[0]) for name, units in told.items() if units}


def as_text(value: Any) -> str:
    """Text, which HDF5 and NumPy keep as bytes or in an array of one."""
    value = value.item() if isinstance(value, np.ndarray | np.generic) else value
    return value.decode() if isinstance(value, bytes) else str(value)


def _text(values: np.ndarray) -> np.ndarray:
    """Bytes become text."""
    if values.dtype.kind in "OS":
        return np.array([as_text(value) for value in values], dtype=np.str_)
    return values
