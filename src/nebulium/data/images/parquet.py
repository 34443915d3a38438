"""Images in Parquet, as a source: one file or many, in the layout of the Multimodal Universe."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from nebulium.data.files.arrow import opened_parquet, to_numpy
from nebulium.data.images.mmu import ID, IMAGE, images_from_arrow
from nebulium.data.images.source import ImageSource, Read
from nebulium.data.spectra.sdss import ids_from_text
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table, concatenate
from nebulium.errors import ImageError, TableError

DAMAGED = "is in a damaged part of its file"
#: What ids are called where the file has no name of its own for them, or this one beside its own.
TARGET_ID = "target_id"
#: A field of the struct that is not needed here, and as large as the flux.
UNUSED = "ivar"


def open_parquet_images(path: Path, files: Sequence[Path]) -> ImageSource:
    """Open Parquet files of images, one below the other."""
    shards = [_Shard(file) for file in files]
    shards = [shard for shard in shards if shard.rows]
    if not shards:
        raise ImageError(str(path), "has no rows", "check how it was made")
    first = images_from_arrow(shards[0].first_row(), str(shards[0].path))
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


class _Shard:
    """What one Parquet file holds."""

    def __init__(self, path: Path):
        self.path = path
        with opened_parquet(path) as file:
            schema = file.schema_arrow
            groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        self.rows = sum(groups)
        self.firsts = np.concatenate([[0], np.cumsum(groups)])
        self.has_ids = ID in schema.names
        self.beside = [field.name for field in schema if not pa.types.is_nested(field.type)]
        self.columns = _image_columns(schema)

    def first_row(self) -> pa.Table:
        """Id, image and what the file says of itself."""
        group = int(np.searchsorted(self.firsts, 0, side="right")) - 1
        with opened_parquet(self.path) as file:
            return file.read_row_group(group, columns=self.columns).slice(0, 1)

    def images(
        self, file: pyarrow.parquet.ParquetFile, rows: np.ndarray, bands: tuple[str, ...]
    ) -> list[np.ndarray | str]:
        """Images of some rows of the file; a row group is read once for all that it has of them."""
        group_of = np.searchsorted(self.firsts, rows, side="right") - 1
        found: list[np.ndarray | str] = [""] * len(rows)
        for group in np.unique(group_of):
            places = np.flatnonzero(group_of == group)
            wanted = rows[places] - self.firsts[group]
            for place, image in zip(places, self._of_group(file, int(group), wanted, bands), strict=True):
                found[place] = image
        return found

    def _of_group(
        self, file: pyarrow.parquet.ParquetFile, group: int, rows: np.ndarray, bands: tuple[str, ...]
    ) -> list[np.ndarray | str]:
        """Images of some rows of a row group; a damaged one spoils only its own."""
        try:
            table = file.read_row_group(group, columns=self.columns)
            # Neighbours are cut out without a copy.
            together = np.all(np.diff(rows) == 1)
            table = table.slice(rows[0], len(rows)) if together else table.take(rows)
        except (pa.ArrowException, OSError):
            return [DAMAGED] * len(rows)
        try:
            return _fluxes(table, bands)
        except TableError:
            # One image that differs from the others does not spoil them.
            return [_flux(table.slice(row, 1), bands) for row in range(len(rows))]


class _Reader:
    """Reads rows counted over all shards; the file that was read last stays open."""

    def __init__(self, shards: Sequence[_Shard], bands: tuple[str, ...], files: ExitStack):
        self.shards, self.bands, self.files = shards, bands, files
        self.firsts = np.concatenate([[0], np.cumsum([shard.rows for shard in shards])])
        self.held: tuple[int, pyarrow.parquet.ParquetFile | None] = (-1, None)

    def __call__(self, rows: np.ndarray) -> list[np.ndarray | str]:
        shard_of = np.searchsorted(self.firsts, rows, side="right") - 1
        found: list[np.ndarray | str] = [""] * len(rows)
        for number in np.unique(shard_of).tolist():
            places = np.flatnonzero(shard_of == number)
            for place, image in zip(places, self._of_shard(number, rows[places]), strict=True):
                found[place] = image
        return found

    def _of_shard(self, number: int, rows: np.ndarray) -> list[np.ndarray | str]:
        """A shard that can no longer be opened spoils only its own images."""
        try:
            file = self._opened(number)
        except TableError:
            return [DAMAGED] * len(rows)
        return self.shards[number].images(file, rows - self.firsts[number], self.bands)

    def _opened(self, number: int) -> pyarrow.parquet.ParquetFile:
        if self.held[0] != number:
            self.files.close()
            self.held = (-1, None)
            self.held = (number, self.files.enter_context(opened_parquet(self.shards[number].path)))
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
    if not all(shard.has_ids for shard in shards):
        return np.arange(sum(shard.rows for shard in shards), dtype=np.int64)
    parts = []
    for shard in shards:
        with opened_parquet(shard.path) as file:
            parts.append(to_numpy(file.read(columns=[ID])[ID], str(shard.path), ID).astype(np.str_))
    return ids_from_text(np.concatenate(parts))


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
