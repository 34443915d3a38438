"""FITS binary tables; columns may stand in several extensions, which are then joined by id."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.files import EXACT, native, opened_fits
from nebulium.data.tables.table import TableSource, tables_with
from nebulium.errors import TableError

#: Keyword of the header under which nebulium keeps its metadata, as JSON.
METADATA_KEY = "NEBULIUM"


def open_fits(path: Path, wanted: Sequence[str] | None) -> TableSource:
    """Open the binary table of a FITS file that has the columns asked for."""
    with opened_fits(path, TableError) as hdus:
        found = {place: _plain_columns(hdu) for place, hdu in enumerate(hdus) if _is_table(hdu)}
        if not found:
            mend = "check the file; spectra are read by read_spectra"
            raise TableError(str(path), "holds no binary table", mend)
        names = {place: [column.name for column in columns] for place, columns in found.items()}
        first, *others = chosen = tables_with(wanted, names, path)
        ids = _id_column(path, [hdus[place] for place in chosen], wanted) if others else None
        # Every name once, but a name that one extension has twice stays double, to be refused.
        columns = list(names[first])
        for place in others:
            columns += [name for name in names[place] if name not in columns]
        places = {name: place for place in reversed(chosen) for name in names[place]}
        return TableSource(
            name=str(path),
            columns=tuple(columns),
            chunks=partial(_chunks, path, places, first, ids),
            units={one.name: one.unit for place in reversed(chosen) for one in found[place] if one.unit},
            metadata=_metadata(hdus[first].header),
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
            yield {
                name: _column(path, hdus[places[name]], name, part, orders.get(places[name]))
                for name in names
            }


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


def _column(path: Path, hdu: Any, name: str, part: slice, order: np.ndarray | None) -> np.ndarray:
    """One column; the value that the header declares to be missing becomes NaN."""
    values = native(hdu.data[part][name] if order is None else hdu.data[name][order[part]])
    null = hdu.columns[name].null
    absent = (
        values == null if isinstance(null, int | np.integer) and values.dtype.kind in "iu" else np.zeros(1)
    )
    if not np.any(absent):
        return values
    floats = np.where(absent, np.nan, values.astype(np.float64))
    if np.nanmax(np.abs(floats), initial=0.0) > EXACT:
        where = f"{path}, row {part.start + int(np.argmax(absent))}, column {name}"
        problem = "is missing in a column of whole numbers too large for a float"
        raise TableError(where, problem, "fill it, or leave the row out")
    return floats


def _is_table(hdu: Any) -> bool:
    """Image extensions, compressed images among them, are no tables."""
    return (
        hdu.header.get("XTENSION") == "BINTABLE" and hasattr(hdu, "columns") and not hdu.header.get("ZIMAGE")
    )


def _metadata(header: Any) -> Any:
    """What nebulium wrote; another program may have put anything there."""
    try:
        return json.loads(header.get(METADATA_KEY, "{}")).get("metadata", {})
    except (ValueError, AttributeError):
        return {}


def _plain_columns(hdu: Any) -> list[Any]:
    """Those of one value a row, from the header alone."""
    return [column for column in hdu.columns if _is_plain(column)]


def _is_plain(column: Any) -> bool:
    """One number or one text a row."""
    form = str(column.format).strip()
    count = form.rstrip("LXBIJKAEDCMPQ")
    if not isinstance(column.name, str):
        return False
    return "A" in form or (form[-1:].isalpha() and "P" not in form and "Q" not in form and count in ("", "1"))


def _id_column(path: Path, hdus: Sequence[Any], wanted: Sequence[str] | None) -> str:
    """A column that all the extensions share; rows are never matched by their order alone."""
    shared = [name for name in wanted or () if all(name in hdu.columns.names for hdu in hdus)]
    if not shared or len({hdu.header["NAXIS2"] for hdu in hdus}) > 1:
        names = ", ".join(f"{hdu.name} ({hdu.header['NAXIS2']} rows)" for hdu in hdus)
        problem = f"has the columns in several extensions without a common id column: {names}"
        raise TableError(
            str(path), problem, "map an id that stands in each of them, or join them into one table"
        )
    return shared[0]
