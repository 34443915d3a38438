"""ECSV (astropy's text that carries units and metadata), VOTable, IPAC and MRT, read whole, by astropy."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.files import reading
from nebulium.data.tables.table import TableSource, in_memory, tables_with
from nebulium.errors import TableError


def open_ecsv(path: Path, wanted: Sequence[str] | None) -> TableSource:
    """Open an ECSV file."""
    from astropy.table import Table

    # The parser of the header is a YAML parser, with errors of its own.
    with reading(path, "ECSV", faults=(Exception,)):
        table = Table.read(path, format="ascii.ecsv")
    return source_of(path, table)


def open_described(path: Path, form: str) -> TableSource:
    """Open text in a form that astropy reads, such as those of IRSA and of the AAS journals."""
    from astropy.table import Table

    with reading(path, form.removeprefix("ascii.").upper(), faults=(Exception,)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = Table.read(path, format=form)
    return source_of(path, table)


def open_votable(path: Path, wanted: Sequence[str] | None) -> TableSource:
    """Open the table of a VOTable that has the columns asked for; names of columns, not their ids, count."""
    from astropy.io.votable import parse

    with reading(path, "VOTable", faults=(Exception,)), warnings.catch_warnings():
        # What services write departs from the standard in ways that do not matter.
        warnings.simplefilter("ignore")
        tables = [one.to_table(use_names_over_ids=True) for one in parse(path, verify="ignore").iter_tables()]
    if not tables:
        raise TableError(str(path), "holds no table", "check the query that made it")
    names = {place: table.colnames for place, table in enumerate(tables)}
    return source_of(path, tables[tables_with(wanted, names, path)[0]])


def source_of(path: Path, table: Any) -> TableSource:
    """A table of astropy, in memory."""
    columns = {name: plain_column(table[name]) for name in table.colnames if table[name].ndim <= 2}
    units = {name: str(table[name].unit) for name in columns if table[name].unit is not None}
    own = table.meta.get("nebulium", {})
    return TableSource(
        str(path),
        tuple(name for name, values in columns.items() if values.ndim == 1),
        in_memory(columns),
        units,
        own.get("metadata", {}) if isinstance(own, dict) else {},
        tuple(name for name, values in columns.items() if values.ndim == 2),
    )


def plain_column(column: Any) -> np.ndarray:
    """A column of astropy as numpy has it, masked where values are missing."""
    mask = getattr(column, "mask", None)
    values = np.asarray(column)
    if values.dtype.kind == "O":
        texts = (text.decode() if isinstance(text, bytes) else str(text) for text in values.ravel().tolist())
        values = np.array(list(texts), np.str_).reshape(values.shape)
    return values if mask is None or not np.any(mask) else np.ma.MaskedArray(values, mask=mask)


def units_of_header(lines: Sequence[str]) -> dict[str, str]:
    """Units in the YAML header that astropy writes into files; none if it cannot be read."""
    if not lines:
        return {}
    from astropy.table.meta import get_header_from_yaml

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header: dict[str, Any] = get_header_from_yaml(lines)
        return {one["name"]: str(one["unit"]) for one in header["datatype"] if one.get("unit") is not None}
    except Exception:  # noqa: BLE001 - a parser of YAML has errors of its own; another program may have put anything there
        return {}
