"""HDF5 tables: a compound dataset, or a group of columns of equal length."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.files import reading
from nebulium.data.tables.astropy_tables import units_of_header
from nebulium.data.tables.table import TableSource, tables_with, with_masks
from nebulium.errors import TableError, from_extra

#: What astropy appends to the name of a table for a dataset with its units.
ASTROPY_HEADER = ".__table_column_meta__"
#: Attributes in which programs keep the unit of a dataset.
UNIT_ATTRIBUTES = ("unit", "units", "UNIT", "UNITS")


def open_hdf5(path: Path, wanted: Sequence[str] | None) -> TableSource:
    """Open an HDF5 file."""
    with from_extra("h5py", "sed"):
        import h5py

    with reading(path, "HDF5"), h5py.File(path) as file:
        tables, arrays = _tables(file, h5py, (1,)), _tables(file, h5py, (2,))
        units = {place: _units(file, place, names) for place, names in tables.items()}
    if not tables:
        raise TableError(str(path), "holds no table (columns of equal length)", "convert it to Parquet")
    # With none asked for, or all in several, that with most columns.
    largest = dict(sorted(tables.items(), key=lambda table: -len(table[1])))
    both = {place: (*names, *arrays.get(place, ())) for place, names in largest.items()}
    place = tables_with(wanted, both, path)[0]

    def chunks(names: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        with h5py.File(path) as file:
            table = file[place]
            # Rows of a compound dataset, or of the columns of a group.
            for first in range(0, len(table if hasattr(table, "dtype") else table[names[0]]), rows):
                yield {name: _text(table[name][first : first + rows]) for name in names}

    columns, of_arrays = tables[place], arrays.get(place, ())
    return with_masks(TableSource(str(path), columns, chunks, units[place], arrays=of_arrays))


def _tables(file: Any, h5py: Any, ndims: tuple[int, ...]) -> dict[str, tuple[str, ...]]:
    """Everything that can be read as a table: place in the file -> names of its columns of so many axes."""
    found: dict[str, tuple[str, ...]] = {}

    def visit(place: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if item.dtype.names and item.ndim == 1:
                kinds = {name: item.dtype[name] for name in item.dtype.names}
                found[place] = tuple(name for name, kind in kinds.items() if kind.ndim + 1 in ndims)
        else:
            columns = {name: part for name, part in item.items() if isinstance(part, h5py.Dataset)}
            plain = {
                name: len(part)
                for name, part in columns.items()
                if part.ndim in ndims and not part.dtype.names and not name.endswith(ASTROPY_HEADER)
            }
            if plain and len(set(plain.values())) == 1:
                found[place] = tuple(plain)

    visit("/", file)
    file.visititems(visit)
    return found


def _units(file: Any, place: str, names: Sequence[str]) -> dict[str, str]:
    """Units in the attributes of the datasets, or as astropy writes them."""
    item, header = file[place], place + ASTROPY_HEADER
    if hasattr(item, "dtype"):
        return units_of_header([as_text(line) for line in file[header]]) if header in file else {}
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
