"""The galaxies of the page: those of any table, of a mock survey, or of the example."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64
from pyarrow.types import is_nested

from nebulium.data.column_checks import ColumnPlace, Missing, checked_column
from nebulium.data.files import opened_parquet, stored_as
from nebulium.data.ids import check_unique_ids, rows_of_ids
from nebulium.data.images.opening import open_images
from nebulium.data.images.parquet import image_column
from nebulium.data.images.source import ImageSource
from nebulium.data.tables.reading import ColumnMapping, column_mapping, column_names, read_table
from nebulium.data.tables.table import READABLE, Table, ending_of, missing_column
from nebulium.errors import NebuliumError, TableError
from nebulium.explore.sample.cache import cache_folder, kept
from nebulium.explore.sample.example import example_table
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import FLUX_COLUMNS, single
from nebulium.mock.survey.shards import IMAGES
from nebulium.photometry.catalogue import table_of

ID = "target_id"
#: What a column of ids may be called, in any case, where none is named.
ID_NAMES = (ID, "object_id", "targetid", "objid", "id")
#: Values of columns that are not shown: of bytes, or of several numbers a row.
UNSHOWN = (bytes, list, dict, np.ndarray)
#: Columns of the fluxes of a band, measured or true, but not of their errors.
FLUX_COLUMN = re.compile("flux_njy_(?!err_)(?:obs_)?(.*)")


@dataclass(frozen=True, eq=False)
class Galaxies:
    """Galaxies: columns of numbers and of text, units and images.

    Parameters
    ----------
    name : str
        Name of the table, to be shown.
    ids : ndarray of str of shape (n,)
        Each once.
    values : mapping of str to ndarray of float of shape (n,)
        Columns of numbers; NaN is missing, true and false are 1 and 0.
    texts : mapping of str to ndarray of str of shape (n,)
        The other columns.
    units : mapping of str to str
        Of the numbers; a column without a unit has no entry.
    images : ImageSource, optional
        Images of the galaxies.
    image_rows : ndarray of int64 of shape (n,), optional
        Rows of the images; -1 where a galaxy has none.
    path : Path, optional
        The table or the folder of the mock survey; None for the example.
    id_column : str, optional
        The file's column of ids; None if there is none.
    notes : tuple of str
        Assumptions made in reading them.

    Examples
    --------
    >>> values = {"ew_HALPHA": np.array([5.0, np.nan]), "flux_njy_r": np.ones(2)}
    >>> galaxies = Galaxies("a.parquet", np.array(["7", "8"]), values)
    >>> galaxies.lines, galaxies.bands, galaxies.continuum, len(galaxies)
    (('HALPHA',), ('r',), None, 2)
    """

    name: str
    ids: np.ndarray
    values: Mapping[str, np.ndarray]
    texts: Mapping[str, np.ndarray] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    images: ImageSource | None = None
    image_rows: Int64[np.ndarray, " n"] | None = None
    path: Path | None = None
    id_column: str | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @kept(1000)
    def median_of(self, name: str) -> float:
        """Median of a column of numbers; NaN if it has none."""
        known = self.values[name][np.isfinite(self.values[name])]
        return float(np.median(known)) if len(known) else float("nan")

    @cached_property
    def continuum(self) -> Float[np.ndarray, "n 12"] | None:
        """The continuum in twelve bins, float32; None if a column of them is lacking."""
        if not all(name in self.values for name in FLUX_COLUMNS):
            return None
        return np.stack([single(self.values[name]) for name in FLUX_COLUMNS], axis=1)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """Emission lines with a column of equivalent widths, in the order of the spectrum."""
        return tuple(line for line in LINES if f"ew_{line}" in self.values)

    @cached_property
    def bands(self) -> tuple[str, ...]:
        """Bands with a column of fluxes, in the order of the table."""
        found = (FLUX_COLUMN.fullmatch(name) for name in self.values)
        return tuple(dict.fromkeys(match[1] for match in found if match))

    @cached_property
    def fluxes(self) -> tuple[Float[np.ndarray, "n band"], Float[np.ndarray, "n band"]]:
        """Measured, else true, fluxes in the bands and their errors, nJy; NaN where missing."""
        shape, unknown = (len(self.bands), len(self)), np.full(len(self), np.nan, np.float32)
        true = [self.values.get(f"flux_njy_{band}", unknown) for band in self.bands]
        flux = [
            self.values.get(f"flux_njy_obs_{band}", one) for band, one in zip(self.bands, true, strict=True)
        ]
        errors = [self.values.get(f"flux_njy_err_{band}", unknown) for band in self.bands]
        return single(np.reshape(flux, shape).T), single(np.reshape(errors, shape).T)

    def with_values(
        self, values: Mapping[str, np.ndarray], units: Mapping[str, str], notes: Sequence[str] = ()
    ) -> "Galaxies":
        """The galaxies with columns of numbers added or replaced.

        Parameters
        ----------
        values : mapping of str to ndarray of float of shape (n,)
            The new columns.
        units : mapping of str to str
            Their units.
        notes : sequence of str
            Added to the others.

        Returns
        -------
        Galaxies
            These stay as they were.
        """
        kept = {name: text for name, text in self.texts.items() if name not in values}
        old_units = {name: unit for name, unit in self.units.items() if name not in values}
        return replace(
            self,
            values={**self.values, **values},
            texts=kept,
            units={**old_units, **units},
            notes=(*self.notes, *notes),
        )


def read_galaxies(
    path: str | Path | None,
    *,
    columns: ColumnMapping | None = None,
    id_column: str | None = None,
    missing: Missing = None,
) -> Galaxies:
    """Read galaxies from a table or a mock survey; without either, make those of the example.

    Parameters
    ----------
    path : str or Path, optional
        A table as `nebulium.data.tables.reading.read_table` reads it, or the folder of a mock survey.
    columns : mapping of str to str, or what `column_mapping` reads, optional
        nebulium's name -> the file's, for columns that have other names in the file; the other columns are
        read as well.
    id_column : str, optional
        The column of ids. By default one of `ID_NAMES`; the numbers of the rows if there is none.
    missing : float, sequence of float, or mapping of str to these, optional
        Numbers that stand for a missing value.

    Returns
    -------
    Galaxies

    Raises
    ------
    TableError
        The table cannot be read, has no rows or no column of numbers, the column of ids is not there, or an
        id stands there twice.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data.tables.writer import write_table
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_table(Table({"name": np.array(["a", "b"]), "z": np.ones(2)}), f"{scratch}/a.parquet")
    ...     galaxies = read_galaxies(f"{scratch}/a.parquet", id_column="name")
    >>> galaxies.ids.tolist(), list(galaxies.values)
    (['a', 'b'], ['z'])
    """
    if path is None:
        return _galaxies(example_table(cache_folder(None).folder), None, None)
    return _galaxies(_read(table_of(Path(path)), columns, missing), id_column, Path(path))


def _read(path: Path, columns: ColumnMapping | None, missing: Missing) -> Table:
    """All columns, some of them by other names."""
    if columns is None:
        return read_table(path, missing=missing, check_units=False)
    renamed = column_mapping(columns)
    others = {name: name for name in column_names(path) if name not in renamed.values()}
    return read_table(path, columns={**others, **renamed}, missing=missing, check_units=False)


def _galaxies(table: Table, id_column: str | None, path: Path | None) -> Galaxies:
    raw_ids, taken, notes = _ids(table, id_column)
    images, image_rows, image_notes = _images(path, raw_ids)
    table, left_out = _shown_columns(table, taken, images is not None)
    values = {
        name: numbers
        for name, column in table.columns.items()
        if name != taken and (numbers := _numbers(column)) is not None
    }
    if not values:
        raise TableError(table.name, "has no column of numbers", "check the file, or how it was made")
    texts = {
        name: _text(column) for name, column in table.columns.items() if name not in values and name != taken
    }
    return Galaxies(
        name=table.name if path is None else path.name,
        ids=np.array(raw_ids.astype(np.str_).tolist(), np.str_),
        values=values,
        texts=texts,
        units={name: unit for name, unit in table.units.items() if name in values},
        images=images,
        image_rows=image_rows,
        path=path,
        id_column=taken,
        notes=(*notes, *left_out, *image_notes),
    )


def _shown_columns(table: Table, ids: str | None, with_images: bool) -> tuple[Table, tuple[str, ...]]:
    """The table without the columns that hold neither numbers nor text nor the images, and a note of them."""
    file = Path(table.name)
    columns = {name: column for name, column in table.columns.items() if name == ids or _can_be_shown(column)}
    left = [name for name in (*table.columns, *_nested(file)) if name not in columns]
    left = [name for name in left if not (with_images and name == image_column(file))]
    note = f"Left out, as they hold neither numbers nor text: {', '.join(left)}."
    return replace(table, columns=columns), (note,) if left else ()


def _nested(path: Path) -> list[str]:
    """Columns of lists and of structs, which a table is read without."""
    if not (path.is_file() and READABLE.get(ending_of(path) or "") == "parquet"):
        return []
    with opened_parquet(path) as file:
        return [field.name for field in file.schema_arrow if is_nested(stored_as(field.type))]


def _can_be_shown(column: np.ndarray) -> bool:
    """Whether there is one value a row, a number, a text or a time."""
    of_objects = column.dtype.kind == "O"
    return column.ndim == 1 and not (of_objects and any(isinstance(one, UNSHOWN) for one in column))


def _ids(table: Table, id_column: str | None) -> tuple[np.ndarray, str | None, tuple[str, ...]]:
    """The ids, their column, and notes."""
    if id_column is not None and id_column not in table:
        raise missing_column(table.name, id_column, table.columns)
    by_case = {name.lower(): name for name in reversed(list(table.columns))}
    column = id_column or next((by_case[name] for name in ID_NAMES if name in by_case), None)
    if column is None:
        note = "The table has no column of ids: galaxies go by the number of their row; --id names a column."
        return np.arange(len(table)), None, (note,)
    ids = checked_column(table[column], ID, ColumnPlace(table.name, column))
    check_unique_ids(lambda: [ids], where=table.name)
    return ids, column, ()


def _numbers(column: np.ndarray) -> np.ndarray | None:
    """Floats of the least precision that holds the numbers; None for what is no number."""
    if column.dtype.kind not in "biuf" or column.ndim != 1:
        return None
    wanted = min(np.result_type(column.dtype, np.float32), np.dtype(np.float64))
    return column.astype(wanted, copy=False)


def _text(column: np.ndarray) -> np.ndarray:
    """Anything else as text; a missing time is empty."""
    if column.dtype.kind in "mM":
        return np.where(np.isnat(column), "", column.astype(np.str_))
    if column.dtype.kind == "O":
        return np.array(["" if one is None else str(one) for one in column], np.str_)
    return column.astype(np.str_)


def _images(
    path: Path | None, ids: np.ndarray
) -> tuple[ImageSource | None, np.ndarray | None, tuple[str, ...]]:
    """Images of a mock survey or in a column; without them the rest works all the same."""
    of_survey = path is not None and (path / IMAGES).is_dir()
    if path is None or not (of_survey or image_column(path)):
        return None, None, ()
    try:
        source = open_images(path)
    except NebuliumError as error:
        return None, None, (f"No images: {error}",)
    return source, rows_of_ids(ids, source.ids) if of_survey else np.arange(len(ids)), ()
