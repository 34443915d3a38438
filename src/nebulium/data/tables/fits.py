"""FITS binary tables; columns may stand in several extensions, which are then joined by id."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.files.fits import native, opened_fits
from nebulium.data.tables.table import TableSource, missing_column
from nebulium.errors import TableError

#: Keyword of the header under which nebulium keeps its metadata, as JSON.
METADATA_KEY = "NEBULIUM"


@dataclass(frozen=True)
class _Extension:
    """A binary table of the file: its place, name, rows, and columns of one value a row."""

    place: int
    name: str
    rows: int
    columns: tuple[str, ...]
    units: Mapping[str, str]
    metadata: Mapping[str, Any]


def open_fits_table(path: Path, wanted: Sequence[str] | None) -> TableSource:
    """Open the binary table of a FITS file that has the columns asked for."""
    with opened_fits(path, TableError) as hdus:
        extensions = [_describe(place, hdu) for place, hdu in enumerate(hdus) if _is_table(hdu)]
    if not extensions:
        raise TableError(
            str(path), "holds no binary table", "check the file; spectra are read by read_spectra"
        )
    chosen = _choose(path, extensions, wanted)
    places = {column: extension.place for extension in reversed(chosen) for column in extension.columns}
    ids = _id_column(path, chosen, wanted) if len(chosen) > 1 else None
    return TableSource(
        name=str(path),
        columns=_all_columns(chosen),
        chunks=_FitsChunks(path, places, chosen[0].place, ids),
        units={column: unit for extension in reversed(chosen) for column, unit in extension.units.items()},
        metadata=chosen[0].metadata,
    )


@dataclass(frozen=True)
class _FitsChunks:
    """Reads slices of columns, each from its extension."""

    path: Path
    places: Mapping[str, int]
    first_place: int
    ids: str | None

    def __call__(self, names: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        with opened_fits(self.path, TableError) as hdus:
            needed = sorted({self.places[name] for name in names})
            orders = {place: self._order(hdus, place) for place in needed}
            total = len(hdus[self.first_place].data)
            for first in range(0, total, rows):
                part = slice(first, first + rows)
                yield {name: self._column(hdus, name, part, orders) for name in names}

    def _order(self, hdus: Any, place: int) -> np.ndarray | None:
        """Rows of an extension in the order of the first one, by id; None if they are in that order."""
        if self.ids is None or place == self.first_place:
            return None
        ours, theirs = (native(hdus[index].data[self.ids]) for index in (self.first_place, place))
        if np.array_equal(ours, theirs):
            return None
        order = np.argsort(theirs, kind="stable")
        found = order[np.minimum(np.searchsorted(theirs[order], ours), len(order) - 1)]
        if len(np.unique(theirs)) < len(theirs) or not np.array_equal(theirs[found], ours):
            problem = f"has extensions whose {self.ids} differ or repeat, so that rows cannot be joined"
            raise TableError(str(self.path), problem, "join them into one table first")
        return found

    def _column(
        self, hdus: Any, name: str, part: slice, orders: Mapping[int, np.ndarray | None]
    ) -> np.ndarray:
        """One column; the value that the header declares to be missing becomes NaN."""
        place = self.places[name]
        order = orders[place]
        data = hdus[place].data
        values = native(data[part][name] if order is None else data[name][order[part]])
        null = hdus[place].columns[name].null
        if isinstance(null, int | np.integer) and values.dtype.kind in "iu" and np.any(values == null):
            return np.where(values == null, np.nan, values.astype(np.float64))
        return values


def _is_table(hdu: Any) -> bool:
    """Image extensions, compressed images among them, are no tables."""
    return (
        hdu.header.get("XTENSION") == "BINTABLE" and hasattr(hdu, "columns") and not hdu.header.get("ZIMAGE")
    )


def _describe(place: int, hdu: Any) -> _Extension:
    """Names and units from the header alone; arrays in a cell are left out."""
    plain = [column for column in hdu.columns if _is_plain(column)]
    try:
        metadata = json.loads(hdu.header.get(METADATA_KEY, "{}")).get("metadata", {})
    except (ValueError, AttributeError):
        metadata = {}
    return _Extension(
        place=place,
        name=hdu.name,
        rows=int(hdu.header["NAXIS2"]),
        columns=tuple(column.name for column in plain),
        units={column.name: column.unit for column in plain if column.unit},
        metadata=metadata,
    )


def _is_plain(column: Any) -> bool:
    """One number or one text a row."""
    form = str(column.format).strip()
    count = form.rstrip("LXBIJKAEDCMPQ")
    if not isinstance(column.name, str):
        return False
    return "A" in form or (form[-1:].isalpha() and "P" not in form and "Q" not in form and count in ("", "1"))


def _choose(path: Path, extensions: list[_Extension], wanted: Sequence[str] | None) -> list[_Extension]:
    """The extensions that the columns stand in."""
    if not wanted:
        return extensions[:1]
    complete = [extension for extension in extensions if set(wanted) <= set(extension.columns)]
    if complete:
        return complete[:1]
    chosen: list[_Extension] = []
    lacking = set(wanted)
    for extension in sorted(extensions, key=lambda one: -len(lacking & set(one.columns))):
        if lacking & set(extension.columns):
            chosen.append(extension)
            lacking -= set(extension.columns)
    if lacking:
        name = next(column for column in wanted if column in lacking)
        raise missing_column(str(path), name, dict.fromkeys(c for one in extensions for c in one.columns))
    return chosen


def _all_columns(chosen: Sequence[_Extension]) -> tuple[str, ...]:
    """Every name once, but a name that one extension has twice stays double, to be refused."""
    names = list(chosen[0].columns)
    for extension in chosen[1:]:
        names += [column for column in extension.columns if column not in names]
    return tuple(names)


def _id_column(path: Path, chosen: Sequence[_Extension], wanted: Sequence[str] | None) -> str:
    """A column that all the extensions share; rows are never matched by their order alone."""
    shared = [name for name in wanted or () if all(name in extension.columns for extension in chosen)]
    if not shared or len({extension.rows for extension in chosen}) > 1:
        names = ", ".join(f"{extension.name} ({extension.rows} rows)" for extension in chosen)
        problem = f"has the columns in several extensions without a common id column: {names}"
        raise TableError(
            str(path), problem, "map an id that stands in each of them, or join them into one table"
        )
    return shared[0]
