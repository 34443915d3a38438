"""ECSV tables (astropy's text format that carries units and metadata)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.files import reading
from nebulium.data.tables.table import TableSource, in_memory


def open_ecsv(path: Path, wanted: Sequence[str] | None) -> TableSource:
    """Open an ECSV file; it is read whole."""
    from astropy.table import Table

    # The parser of the header is a YAML parser, with errors of its own.
    with reading(path, "ECSV", faults=(Exception,)):
        table = Table.read(path, format="ascii.ecsv")
    columns = {name: plain_column(table[name]) for name in table.colnames if table[name].ndim == 1}
    units = {name: str(table[name].unit) for name in columns if table[name].unit is not None}
    metadata = table.meta.get("nebulium", {}).get("metadata", {})
    return TableSource(str(path), tuple(columns), in_memory(columns), units, metadata)


def plain_column(column: Any) -> np.ndarray:
    """A column of astropy as numpy has it."""
    mask = getattr(column, "mask", None)
    values = np.asarray(column)
    if mask is None or not np.any(mask):
        return values
    if values.dtype.kind in "US":
        return np.where(mask, "", values.astype(np.str_))
    return np.where(mask, np.nan, values.astype(np.float64))
