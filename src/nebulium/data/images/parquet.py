"""Images in Parquet, as a source: one file or many, in the layout of the Multimodal Universe."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from nebulium.data.column_checks import ColumnPlace, checked_column
from nebulium.data.files import (
    FAULTS_OF_ARROW,
    is_list,
    opened_parquet,
    rows_by_group,
    sizes_of_groups,
    stored_as,
    to_numpy,
)
from nebulium.data.ids import ids_or_places
from nebulium.data.images.encoded import id_column, ids_of_paths, paths_alone, picture_column, pictures_of
from nebulium.data.images.mmu import ID, IMAGE, images_from_arrow
from nebulium.data.images.pictures import typical_bands
from nebulium.data.images.source import DAMAGED, TRIED, ImageSource, Read
from nebulium.data.images.stretches import DISPLAY_UNIT
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table, concatenate
from nebulium.errors import ImageError, TableError

#: What ids are called where the file has no name of its own for them, or this one beside its own.
TARGET_ID = "target_id"
#: Images of the rows of a table, or what is wrong with them.
ImagesOf = Callable[[pa.Table], list[np.ndarray | str]]
#: A field of the struct that is not needed here, and as large as the flux.
UNUSED = "ivar"


def open_parquet_images(path: Path, files: Sequence[Path]) -> ImageSource:
    """Open Parquet files of images, one below the other."""
    shards = [shard for shard in map(_described, files) if sum(shard.sizes)]
    if not shards:
        raise ImageError(str(path), "has no rows", "check how it was made")
    several = tuple((str(shard.path), sum(shard.sizes)) for shard in shards if list(files) != [path])
    if shards[0].pictures:
        return _pictures(path, shards, several)
    first = images_from_arrow(_first_row(shards[0]), str(shards[0].path))
    unit = str(first.metadata.get("unit", ""))
    return ImageSource(
        path=path,
        ids=_ids(shards),
        bands=first.bands,
        opened=lambda: _reading(shards, lambda table: _images(table, first.bands)),
        unit=unit,
        pixel_scale_arcsec=_if_known(first.pixel_scale_arcsec[0]),
        psf_fwhm_arcsec=_if_known(first.psf_fwhm_arcsec[0]),
        zero_point_ab=zero_points(unit, first.bands),
        beside=(lambda: _table(shards)) if shards[0].beside else None,
        id_column=ID if shards[0].ids and TARGET_ID not in shards[0].beside else TARGET_ID,
        of_files=several,
    )


def _pictures(path: Path, shards: Sequence["_Shard"], several: tuple[tuple[str, int], ...]) -> ImageSource:
    """A source of the pictures in a column."""
    ids, column = _ids(shards), shards[0].pictures

    def opened() -> AbstractContextManager[Read]:
        return _reading(shards, lambda table: pictures_of(table[column]))

    return ImageSource(
        path=path,
        ids=ids,
        bands=typical_bands(path, opened, [f"row {row}" for row in range(min(len(ids), TRIED))]),
        opened=opened,
        unit=DISPLAY_UNIT,
        beside=(lambda: _table(shards)) if shards[0].beside else None,
        id_column=shards[0].ids or TARGET_ID,
        bands_named=False,
        of_files=several,
    )


@dataclass(frozen=True)
class _Shard:
    """What one Parquet file holds: rows of its row groups, columns of ids, beside the images, and needed.

    Images are in the layout of the Multimodal Universe, or pictures in the column that is named.
    """

    path: Path
    sizes: Sequence[int]
    ids: str | None
    beside: Sequence[str]
    columns: Sequence[str]
    pictures: str | None = None
    paths: Sequence[str] = ()


def _described(path: Path) -> _Shard:
    with opened_parquet(path) as file:
        schema, sizes = file.schema_arrow, sizes_of_groups(file)
    pictures = None if _has_images(schema) else picture_column(schema)
    kinds = {field.name: stored_as(field.type) for field in schema if field.name != pictures}
    beside = [name for name, kind in kinds.items() if not pa.types.is_nested(kind)]
    if pictures is None:
        return _Shard(path, sizes, ID if ID in schema.names else None, beside, _image_columns(schema))
    paths = paths_alone(schema, pictures)
    return _Shard(path, sizes, id_column(schema), beside, [pictures], pictures, paths)


def image_column(path: Path) -> str | None:
    """The column of images or of pictures of a table, if it has one."""
    if not (path.is_file() and path.suffix.lower() == ".parquet"):
        return None
    with opened_parquet(path) as file:
        return IMAGE if _has_images(file.schema_arrow) else picture_column(file.schema_arrow)


def _has_images(schema: pa.Schema) -> bool:
    """Whether there is a column of images with fluxes, beside which pictures are for the eye."""
    if IMAGE not in schema.names:
        return False
    kind = stored_as(schema.field(IMAGE).type)
    kind = kind.value_type if is_list(kind) else kind
    return pa.types.is_struct(kind) and "band" in {field.name.lower() for field in kind}


def _first_row(shard: _Shard) -> pa.Table:
    """Id, image and what the file says of itself."""
    ((group, _, _),) = rows_by_group(np.zeros(1, np.int64), shard.sizes)
    with opened_parquet(shard.path) as file:
        return file.read_row_group(group, columns=shard.columns).slice(0, 1)


class _Reader:
    """Reads rows counted over all row groups of all shards; the file that was read last stays open."""

    def __init__(self, shards: Sequence[_Shard], images_of: ImagesOf, files: ExitStack):
        self.images_of, self.files = images_of, files
        self.groups = [(shard, group) for shard in shards for group in range(len(shard.sizes))]
        self.sizes = [size for shard in shards for size in shard.sizes]
        self.held: tuple[_Shard | None, Any] = (None, None)

    def __call__(self, rows: np.ndarray) -> list[np.ndarray | str]:
        """An image each; a row group is read once for all that it has of them."""
        found: list[np.ndarray | str] = [""] * len(rows)
        for group, places, wanted in rows_by_group(rows, self.sizes):
            for place, image in zip(places, self._of_group(*self.groups[group], wanted), strict=True):
                found[place] = image
        return found

    def _of_group(self, shard: _Shard, group: int, rows: np.ndarray) -> list[np.ndarray | str]:
        """Images of some rows of a row group; what is damaged or has gone spoils only its own."""
        try:
            table = self._opened(shard).read_row_group(group, columns=shard.columns)
            # Neighbours are cut out without a copy.
            together = np.all(np.diff(rows) == 1)
            table = table.slice(rows[0], len(rows)) if together else table.take(rows)
        except (TableError, *FAULTS_OF_ARROW):
            return [DAMAGED] * len(rows)
        return self.images_of(table)

    def _opened(self, shard: _Shard) -> pyarrow.parquet.ParquetFile:
        if self.held[0] is not shard:
            self.files.close()
            self.held = (None, None)
            self.held = (shard, self.files.enter_context(opened_parquet(shard.path)))
        return self.held[1]


@contextmanager
def _reading(shards: Sequence[_Shard], images_of: ImagesOf) -> Iterator[Read]:
    with ExitStack() as files:
        yield _Reader(shards, images_of, files)


def _images(table: pa.Table, bands: tuple[str, ...]) -> list[np.ndarray | str]:
    """Images of rows; one that differs from the others does not spoil them."""
    try:
        return _fluxes(table, bands)
    except TableError:
        return [_flux(table.slice(row, 1), bands) for row in range(len(table))]


def _fluxes(table: pa.Table, bands: tuple[str, ...]) -> list[np.ndarray | str]:
    """Images of rows that agree in shape and bands; pixels that the mask marks are NaN."""
    images = images_from_arrow(table)
    if sorted(images.bands) != sorted(bands):
        return [f"has the bands {', '.join(images.bands)}, expected {', '.join(bands)}"] * len(images)
    order = [images.bands.index(band) for band in bands]
    # A copy, so that the rest of the row group can go.
    return [
        np.where(bad[..., order], np.float32(np.nan), flux[..., order])
        for flux, bad in zip(images.flux, images.bad, strict=True)
    ]


def _flux(row: pa.Table, bands: tuple[str, ...]) -> np.ndarray | str:
    """The same for one row, or what is wrong with it."""
    try:
        return _fluxes(row, bands)[0]
    except TableError as error:
        return error.problem


def _image_columns(schema: pa.Schema) -> list[str]:
    """What is needed of the column of images: of a struct its fields, of a list of structs the whole."""
    kept = [ID] if ID in schema.names else []
    if IMAGE in schema.names and pa.types.is_struct(schema.field(IMAGE).type):
        fields = [field.name for field in schema.field(IMAGE).type if field.name.lower() != UNUSED]
        return [*kept, *(f"{IMAGE}.{field}" for field in fields)]
    return [*kept, IMAGE]


def _ids(shards: Sequence[_Shard]) -> np.ndarray:
    """Ids of all shards; rows of files without ids go by their place."""
    column, parts = shards[0].ids, []
    if column is None and all(shard.paths for shard in shards):
        return ids_of_paths(pa.chunked_array(chain.from_iterable(map(_paths, shards))))
    for shard in shards if column and all(shard.ids == column for shard in shards) else ():
        with opened_parquet(shard.path) as file:
            values = file.read(columns=[column])[column]
            found = to_numpy(values, str(shard.path), str(column))
            place = ColumnPlace(str(shard.path), str(column))
            parts.append(checked_column(found, TARGET_ID, place).astype(np.str_))
    return ids_or_places(np.concatenate(parts) if parts else None, sum(sum(shard.sizes) for shard in shards))


def _paths(shard: _Shard) -> list[pa.Array]:
    """What the pictures of a file are called."""
    with opened_parquet(shard.path) as file:
        return list(file.read(columns=list(shard.paths)).column(0).chunks)


def _table(shards: Sequence[_Shard]) -> Table:
    """The columns beside the images."""
    wanted = shards[0].beside
    names = {name: name for name in wanted}
    return concatenate(read_table(shard.path, columns=names, check_units=False) for shard in shards)


def _if_known(values: np.ndarray) -> tuple[float, ...] | None:
    """Catalogues have 0 or NaN where they do not know."""
    return tuple(values.tolist()) if np.all(np.isfinite(values) & (values > 0)) else None


def zero_points(unit: str, bands: Sequence[str]) -> tuple[float, ...] | None:
    """From a unit such as "1 is the AB magnitude of the zero point: g 22.5, r 22.5", as the mocks have it."""
    zero_points = dict(re.findall(r"([\w-]+) (-?\d+(?:\.\d+)?)(?=,|$)", unit.partition("zero point:")[2]))
    return tuple(float(zero_points[band]) for band in bands) if set(bands) <= set(zero_points) else None
