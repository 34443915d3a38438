"""FITS tables, binary or ASCII; columns may stand in several extensions, which are then joined by id."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.files import native, opened_fits
from nebulium.data.tables.table import TableSource, tables_with
from nebulium.errors import TableError

#: Keyword of the header under which nebulium keeps its metadata, as JSON.
METADATA_KEY = "NEBULIUM"


def open_fits(path: Path, wanted: Sequence[str] | None) -> TableSource:
    """Open the table of a FITS file that has the columns asked for."""
    with opened_fits(path, TableError) as hdus:
        found = {place: _usable_columns(hdu) for place, hdu in enumerate(hdus) if _is_table(hdu)}
        if not found:
            mend = "check the file; spectra are read by read_spectra"
            raise TableError(str(path), "holds no table", mend)
        names = {place: [column.name for column in columns] for place, columns in found.items()}
        first, *others = chosen = tables_with(wanted, names, path)
        ids = _id_column(path, [hdus[place] for place in chosen], wanted) if others else None
        # Every name once, but a name that one extension has twice stays double, to be refused.
        columns = list(found[first])
        for place in others:
            columns += [one for one in found[place] if one.name not in {two.name for two in columns}]
        places = {name: place for place in reversed(chosen) for name in names[place]}
        return TableSource(
            name=str(path),
            columns=tuple(one.name for one in columns if not _is_array(one)),
            chunks=partial(_chunks, path, places, first, ids),
            units={one.name: one.unit for place in reversed(chosen) for one in found[place] if one.unit},
            metadata=_metadata(hdus[first].header),
            arrays=tuple(one.name for one in columns if _is_array(one)),
        )


def _chunks(
    path: Path, places: Mapping[str, int], main: int, ids: str | None, names: Sequence[str], rows: int
) -> Iterator[dict[str, np.ndarray]]:
    """Slices of columns, each from its extension, in the order of the main one."""
    with opened_fits(path, TableError) as hdus:
        others = {place for name in names if (place := places[name]) != main}
        orders = {place: _order(path, hdus, ids, (main, place)) for place in others}
        for first in range(0, len(hdus[main].data), rows):
            part = slice(first, first + rows)
            yield {name: _column(hdus[places[name]], name, part, orders.get(places[name])) for name in names}


def _order(path: Path, hdus: Any, ids: str | None, places: tuple[int, int]) -> np.ndarray | None:
    """Rows of an extension in the order of another one, by id; None if they are in that order."""
    ours, theirs = (native(hdus[place].data[ids]) for place in places)
    if np.array_equal(ours, theirs):
        return None
    order = np.argsort(theirs, kind="stable")
    found = order[np.minimum(np.searchsorted(theirs[order], ours), len(order) - 1)]
    if len(np.unique(theirs)) < len(theirs) or not np.array_equal(theirs[found], ours):
        problem = f"has extensions whose {ids} differ or repeat, so that rows cannot be joined"
        raise TableError(str(path), problem, "join them into one table first")
    return found


def _column(hdu: Any, name: str, part: slice, order: np.ndarray | None) -> np.ndarray:
    """One column, masked where it holds the value that the header declares to be missing."""
    values = native(hdu.data[part][name] if order is None else hdu.data[name][order[part]])
    null = hdu.columns[name].null
    if isinstance(null, int | np.integer) and values.dtype.kind in "iu" and np.any(values == null):
        return np.ma.MaskedArray(values, mask=values == null)
    return values


def _is_table(hdu: Any) -> bool:
    """Image extensions, compressed images among them, are no tables."""
    table = hdu.header.get("XTENSION") in ("BINTABLE", "TABLE") and hasattr(hdu, "columns")
    return table and not hdu.header.get("ZIMAGE")


def _metadata(header: Any) -> Any:
    """What nebulium wrote; another program may have put anything there."""
    try:
        return json.loads(header.get(METADATA_KEY, "{}")).get("metadata", {})
    except (ValueError, AttributeError):
        return {}


def _usable_columns(hdu: Any) -> list[Any]:
    """Those of numbers or text, one a row or an array of numbers a row, from the header alone."""
    named = [one for one in hdu.columns if isinstance(one.name, str)]
    ascii = hdu.header["XTENSION"] == "TABLE"
    return named if ascii else [one for one in named if _count(one) is not None]


def _is_array(column: Any) -> bool:
    """Several numbers a row."""
    return (_count(column) or 0) > 1


def _count(column: Any) -> int | None:
    """Values a row; None for what is neither a number nor a text, or of another length in each row."""
    form = str(column.format).strip()
    if "A" in form:
        return 1
    count, kind = form[:-1], form[-1:]
    known = kind in "LBIJKED" and (count.isdecimal() or not count) and count != "0"
    return int(count or 1) if known else None


def _id_column(path: Path, hdus: Sequence[Any], wanted: Sequence[str] | None) -> str:
    """A column that all the extensions share; rows are never matched by their order alone."""
    shared = [name for name in wanted or () if all(_may_be_id(hdu.columns, name) for hdu in hdus)]
    if not shared or len({hdu.header["NAXIS2"] for hdu in hdus}) > 1:
        names = ", ".join(f"{hdu.name} ({hdu.header['NAXIS2']} rows)" for hdu in hdus)
        problem = f"has the columns in several extensions without a common id column: {names}"
        raise TableError(
            str(path), problem, "map an id that stands in each of them, or join them into one table"
        )
    return shared[0]


def _may_be_id(columns: Any, name: str) -> bool:
    """Whole numbers or text: equal floats are no sign of the same galaxy."""
    return name in columns.names and columns[name].dtype.kind in "iuSU"
