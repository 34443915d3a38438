"""Images in Parquet, in the layout of the Multimodal Universe."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from jaxtyping import Bool, Float

from nebulium.data.files import (
    declared_units,
    described_schema,
    is_list,
    list_lengths,
    lists_by_field,
    opened_parquet,
    own_metadata,
    rows_by_group,
    sizes_of_groups,
    to_numpy,
)
from nebulium.data.glossary import found_names
from nebulium.data.ids import ids_or_places
from nebulium.data.output import replace_on_success
from nebulium.data.tables.table import Table
from nebulium.errors import TableError

ID, IMAGE = "object_id", "image"
#: Fields of the struct by our name; some of the catalogues call them otherwise.
FIELDS = {
    "band": ("band",),
    "flux": ("flux", "array"),
    "ivar": ("ivar",),
    "mask": ("mask", "bit_mask"),
    "psf_fwhm": ("psf_fwhm",),
    "scale": ("scale",),
}
CUBES = ("flux", "ivar", "mask")
MEND = (
    "give a column image: struct of the lists band, flux, ivar, mask, psf_fwhm, scale; or pictures: struct "
    "of bytes and path"
)


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one shape through the same bands, a galaxy a row.

    Parameters
    ----------
    ids : ndarray of shape (n,), int64 or text
        Identifiers.
    bands : tuple of str
        Names of the bands, in the order of the last axis.
    flux : ndarray of shape (n, height, width, band), float32
        In the unit of the survey.
    ivar : ndarray of shape (n, height, width, band), float32
        Inverse variance of the flux.
    bad : ndarray of shape (n, height, width, band) of bool
        True for pixels that are not to be used.
    psf_fwhm_arcsec, pixel_scale_arcsec : ndarray of shape (n, band), float32
        Of each image.
    table : Table
        Columns beside the images, of n rows.
    metadata : dict
        What the file says of itself; must go into JSON.

    Raises
    ------
    TableError
        If the shapes disagree.

    Examples
    --------
    >>> flux = np.zeros((2, 8, 8, 3), np.float32)
    >>> len(Images(np.arange(2), ("g", "r", "i"), flux, flux + 1, flux > 0, *np.ones((2, 2, 3), np.float32)))
    2
    """

    ids: np.ndarray
    bands: tuple[str, ...]
    flux: Float[np.ndarray, "n height width band"]
    ivar: Float[np.ndarray, "n height width band"]
    bad: Bool[np.ndarray, "n height width band"]
    psf_fwhm_arcsec: Float[np.ndarray, "n band"]
    pixel_scale_arcsec: Float[np.ndarray, "n band"]
    table: Table = field(default_factory=lambda: Table({}))
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cells = (len(self.ids), len(self.bands))
        shapes = {self.flux.shape, self.ivar.shape, self.bad.shape}
        agree = len(shapes) == 1 and (self.flux.shape[0], self.flux.shape[-1]) == cells
        agree = agree and self.psf_fwhm_arcsec.shape == self.pixel_scale_arcsec.shape == cells
        if not agree or (self.table.columns and len(self.table) != len(self.ids)):
            listed = sorted(map(str, shapes))
            problem = f"have arrays of shapes {listed} for {cells[0]} ids and {cells[1]} bands"
            raise TableError("images", problem, "give (n, height, width, band) and (n, band)")

    def __len__(self) -> int:
        return len(self.ids)


def images_to_arrow(images: Images) -> pa.Table:
    """Images and the columns beside them as an Arrow table in the layout of the Multimodal Universe."""
    n, bands = len(images), len(images.bands)
    names = pa.array(list(images.bands) * n)
    parts = {
        "band": _lists(names, bands),
        "flux": _planes(images.flux),
        "ivar": _planes(images.ivar),
        "mask": _planes(images.bad),
        "psf_fwhm": _lists(pa.array(images.psf_fwhm_arcsec.ravel()), bands),
        "scale": _lists(pa.array(images.pixel_scale_arcsec.ravel()), bands),
    }
    columns = {
        ID: pa.array(images.ids.astype(np.str_)),
        IMAGE: pa.StructArray.from_arrays(list(parts.values()), list(parts)),
        **{name: pa.array(values) for name, values in images.table.columns.items()},
    }
    kinds = {name: values.type for name, values in columns.items()}
    schema = described_schema(kinds, images.table.units, json.dumps({"metadata": images.metadata}))
    return pa.table(list(columns.values()), schema=schema)


def images_from_arrow(table: pa.Table, where: str = "images") -> Images:
    """The inverse of `images_to_arrow`; also reads the layouts of other catalogues of images."""
    found = _fields(table, where)
    bands = _bands(found["band"], where)
    cubes = {part: _cube(found[part], part, len(bands), where) for part in CUBES if part in found}
    shape = cubes["flux"].shape
    cubes = {"ivar": np.ones(shape, np.float32), "mask": np.zeros(shape, bool), **cubes}
    for part in ("psf_fwhm", "scale"):
        if part not in found:
            raise TableError(where, f"has no {part} in its column image", MEND)
    kept = [name for name in table.column_names if not pa.types.is_nested(table[name].type) and name != ID]
    return Images(
        ids=ids_or_places(to_numpy(table[ID], where, ID) if ID in table.column_names else None, len(table)),
        bands=bands,
        flux=cubes["flux"].astype(np.float32, copy=False),
        ivar=cubes["ivar"].astype(np.float32, copy=False),
        bad=cubes["mask"] != 0,
        psf_fwhm_arcsec=_matrix(found["psf_fwhm"], "psf_fwhm", len(bands), where),
        pixel_scale_arcsec=_matrix(found["scale"], "scale", len(bands), where),
        table=Table(
            {name: to_numpy(table[name], where, name) for name in kept},
            declared_units(table.schema.field(name) for name in kept),
            where,
        ),
        metadata=own_metadata(table.schema).get("metadata", {}),
    )


def write_images(images: Images, path: str | Path) -> None:
    """Write images to Parquet, in the layout of the Multimodal Universe; whole or not at all.

    Parameters
    ----------
    images : Images
        What to write.
    path : str or Path
        File ending in .parquet.

    Raises
    ------
    OutputError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> flux = np.zeros((2, 8, 8, 1), np.float32)
    >>> images = Images(np.arange(2), ("r",), flux, flux + 1, flux > 0, *np.ones((2, 2, 1), np.float32))
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_images(images, f"{scratch}/images.parquet")
    ...     read_images(f"{scratch}/images.parquet").ids.tolist()
    [0, 1]
    """
    with parquet_images(path) as write:
        write(images)


@contextmanager
def parquet_images(path: str | Path) -> Iterator[Callable[[Images], None]]:
    """Write images to Parquet chunk by chunk, each a row group; whole or not at all."""
    with replace_on_success(path) as partial, ExitStack() as stack:
        writers: list[pyarrow.parquet.ParquetWriter] = []

        def write(images: Images) -> None:
            table = images_to_arrow(images)
            if not writers:
                writers.append(stack.enter_context(image_writer(partial, table.schema)))
            writers[0].write_table(table)

        yield write


def image_writer(path: Path, schema: pa.Schema) -> pyarrow.parquet.ParquetWriter:
    """A writer of Parquet that suits images; each table written to it is one row group."""
    # Pixels of noise do not repeat: a dictionary of them costs time and saves nothing.
    return pyarrow.parquet.ParquetWriter(path, schema, compression="zstd", use_dictionary=[ID])


def read_images(path: str | Path, *, rows: slice | Sequence[int] | None = None) -> Images:
    """Read images from Parquet in the layout of the Multimodal Universe (2024, arXiv:2412.02527).

    Parameters
    ----------
    path : str or Path
        The file.
    rows : slice or sequence of int, optional
        Which rows; only row groups that hold one of them are read. All of them if not given.

    Returns
    -------
    Images
        In the order of the file, or of `rows`.

    Raises
    ------
    TableError
        The file is not there, damaged, or has no images in that layout.

    Examples
    --------
    >>> import tempfile
    >>> flux = np.zeros((2, 8, 8, 1), np.float32)
    >>> images = Images(np.arange(2), ("r",), flux, flux + 1, flux > 0, *np.ones((2, 2, 1), np.float32))
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_images(images, f"{scratch}/images.parquet")
    ...     read_images(f"{scratch}/images.parquet", rows=[1]).ids.tolist()
    [1]
    """
    with opened_parquet(Path(path)) as file:
        if rows is None:
            return images_from_arrow(file.read(), str(path))
        wanted = np.arange(file.metadata.num_rows)[rows if isinstance(rows, slice) else np.asarray(rows, int)]
        return images_from_arrow(_take(file, wanted), str(path))


def iter_images(path: str | Path) -> Iterator[Images]:
    """The images of a file, a row group at a time, in memory that does not grow with their number.

    Parameters
    ----------
    path : str or Path
        The file.

    Yields
    ------
    Images

    Raises
    ------
    TableError
        The file is not there, damaged, or has no images in that layout.

    Examples
    --------
    >>> import tempfile
    >>> flux = np.zeros((2, 8, 8, 1), np.float32)
    >>> images = Images(np.arange(2), ("r",), flux, flux + 1, flux > 0, *np.ones((2, 2, 1), np.float32))
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_images(images, f"{scratch}/images.parquet")
    ...     [part.flux.shape for part in iter_images(f"{scratch}/images.parquet")]
    [(2, 8, 8, 1)]
    """
    with opened_parquet(Path(path)) as file:
        for group in range(file.num_row_groups):
            yield images_from_arrow(file.read_row_group(group), str(path))


def _take(file: pyarrow.parquet.ParquetFile, wanted: np.ndarray) -> pa.Table:
    """Rows by their place in the file, in the order asked for."""
    parts, order = [file.schema_arrow.empty_table()], [np.zeros(0, np.int64)]
    # Few rows of many groups: no more than one group is held at a time.
    for group, places, rows in rows_by_group(wanted, sizes_of_groups(file)):
        parts.append(file.read_row_group(group).take(rows))
        order.append(places)
    return pa.concat_tables(parts).take(np.argsort(np.concatenate(order)))


def _lists(values: pa.Array, length: int) -> pa.ListArray:
    """Values cut into lists of one length, without a copy."""
    offsets = np.arange(0, len(values) + 1, length, dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, values)


def _planes(cube: np.ndarray) -> pa.ListArray:
    """Images as lists of bands of rows of pixels."""
    _, height, width, bands = cube.shape
    pixels = np.ascontiguousarray(np.moveaxis(cube, -1, 1)).ravel()
    return _lists(_lists(_lists(pa.array(pixels), width), height), bands)


def _fields(table: pa.Table, where: str) -> dict[str, pa.Array]:
    """The fields of the column `image` by our name, as lists with an entry a band."""
    if IMAGE not in table.column_names:
        listed = ", ".join(table.column_names[:12])
        raise TableError(where, "has no column image" + (f" (it has {listed})" if listed else ""), MEND)
    if not len(table):
        raise TableError(where, "has no rows", "check how it was made")
    found = lists_by_field(table[IMAGE])
    fields = {part: found[name] for part, name in found_names(found, FIELDS).items()}
    if "band" not in fields or "flux" not in fields:
        raise TableError(where, f"has a column image of type {table[IMAGE].type}", MEND)
    return fields


def _bands(values: pa.Array, where: str) -> tuple[str, ...]:
    """The bands of the first row, which all the others must have."""
    rows = values.to_pylist()
    for place, row in enumerate(rows):
        if row != rows[0]:
            problem = f"has the bands {row}, the first row {rows[0]}"
            raise TableError(f"{where}, row {place}", problem, "read rows of the same bands together")
    return tuple(rows[0])


def _cube(values: pa.Array, part: str, bands: int, where: str) -> np.ndarray:
    """Lists of bands of rows of pixels as (n, height, width, band)."""
    return np.moveaxis(_array(values, part, (bands, None, None), where), 1, -1)


def _matrix(values: pa.Array, part: str, bands: int, where: str) -> np.ndarray:
    """A number a band as (n, band)."""
    return _array(values, part, (bands,), where).astype(np.float32)


def _array(values: pa.Array, part: str, expected: tuple[int | None, ...], where: str) -> np.ndarray:
    """Lists of lists as one array; None where any length will do that all have."""
    sizes = []
    for length in expected:
        sizes.append(_one_length(values, part, length, where))
        values = values.flatten()
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(-1, *sizes)


def _one_length(values: pa.Array, part: str, expected: int | None, where: str) -> int:
    """The length that all lists have."""
    if not is_list(values.type):
        raise TableError(where, f"has {values.type} for {part} of its images", MEND)
    lengths = list_lengths(values)
    wanted = int(lengths[0]) if expected is None else expected
    if wanted == 0 or np.any(lengths != wanted):
        problem = f"has images whose {part} differs in shape (lists of {lengths.min()} to {lengths.max()})"
        raise TableError(where, problem, "cut them to one size")
    return wanted
