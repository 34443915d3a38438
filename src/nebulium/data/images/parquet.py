"""Images in Parquet, as a source: one file or many, in the layout of the Multimodal Universe."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from nebulium.data.files import FAULTS_OF_ARROW, opened_parquet, rows_by_group, sizes_of_groups, to_numpy
from nebulium.data.ids import ids_or_places
from nebulium.data.images.mmu import ID, IMAGE, images_from_arrow
from nebulium.data.images.source import DAMAGED, ImageSource, Read
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table, concatenate
from nebulium.errors import ImageError, TableError

#: What ids are called where the file has no name of its own for them, or this one beside its own.
TARGET_ID = "target_id"
#: A field of the struct that is not needed here, and as large as the flux.
UNUSED = "ivar"


def open_parquet_images(path: Path, files: Sequence[Path]) -> ImageSource:
    """Open Parquet files of images, one below the other."""
    shards = [shard for shard in map(_described, files) if sum(shard.sizes)]
    if not shards:
        raise ImageError(str(path), "has no rows", "check how it was made")
    first = images_from_arrow(_first_row(shards[0]), str(shards[0].path))
    unit = str(first.metadata.get("unit", ""))
    return ImageSource(
        path=path,
        ids=_ids(shards),
        bands=first.bands,
        opened=lambda: _reading(shards, first.bands),
        unit=unit,
        pixel_scale_arcsec=_if_known(first.pixel_scale_arcsec[0]),
        psf_fwhm_arcsec=_if_known(first.psf_fwhm_arcsec[0]),
        zero_point_ab=_zero_points(unit, first.bands),
        beside=(lambda: _table(shards)) if shards[0].beside else None,
        id_column=ID if shards[0].has_ids and TARGET_ID not in shards[0].beside else TARGET_ID,
    )


@dataclass(frozen=True)
class _Shard:
    """What one Parquet file holds: rows of its row groups, columns beside the images, and those needed."""

    path: Path
    sizes: Sequence[int]
    has_ids: bool
    beside: Sequence[str]
    columns: Sequence[str]


def _described(path: Path) -> _Shard:
    with opened_parquet(path) as file:
        schema, sizes = file.schema_arrow, sizes_of_groups(file)
    beside = [field.name for field in schema if not pa.types.is_nested(field.type)]
    return _Shard(path, sizes, ID in schema.names, beside, _image_columns(schema))


def _first_row(shard: _Shard) -> pa.Table:
    """Id, image and what the file says of itself."""
    ((group, _, _),) = rows_by_group(np.zeros(1, np.int64), shard.sizes)
    with opened_parquet(shard.path) as file:
        return file.read_row_group(group, columns=shard.columns).slice(0, 1)


class _Reader:
    """Reads rows counted over all row groups of all shards; the file that was read last stays open."""

    def __init__(self, shards: Sequence[_Shard], bands: tuple[str, ...], files: ExitStack):
        self.bands, self.files = bands, files
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
        try:
            return _fluxes(table, self.bands)
        except TableError:
            # One image that differs from the others does not spoil them.
            return [_flux(table.slice(row, 1), self.bands) for row in range(len(rows))]

    def _opened(self, shard: _Shard) -> pyarrow.parquet.ParquetFile:
        if self.held[0] is not shard:
            self.files.close()
            self.held = (None, None)
            self.held = (shard, self.files.enter_context(opened_parquet(shard.path)))
        return self.held[1]


@contextmanager
def _reading(shards: Sequence[_Shard], bands: tuple[str, ...]) -> Iterator[Read]:
    with ExitStack() as files:
        yield _Reader(shards, bands, files)


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
    parts = []
    for shard in shards if all(shard.has_ids for shard in shards) else ():
        with opened_parquet(shard.path) as file:
            parts.append(to_numpy(file.read(columns=[ID])[ID], str(shard.path), ID).astype(np.str_))
    return ids_or_places(np.concatenate(parts) if parts else None, sum(sum(shard.sizes) for shard in shards))


def _table(shards: Sequence[_Shard]) -> Table:
    """The columns beside the images."""
    wanted = shards[0].beside
    return concatenate(read_table(shard.path, columns={name: name for name in wanted}) for shard in shards)


def _if_known(values: np.ndarray) -> tuple[float, ...] | None:
    """Catalogues have 0 or NaN where they do not know."""
    return tuple(values.tolist()) if np.all(np.isfinite(values) & (values > 0)) else None


def _zero_points(unit: str, bands: Sequence[str]) -> tuple[float, ...] | None:
    """From a unit such as "1 is the AB magnitude of the zero point: g 22.5, r 22.5", as the mocks have it."""
    zero_points = dict(re.findall(r"([\w-]+) (-?\d+(?:\.\d+)?)(?=,|$)", unit.partition("zero point:")[2]))
    return tuple(float(zero_points[band]) for band in bands) if set(bands) <= set(zero_points) else None
