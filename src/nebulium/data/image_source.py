"""Images of galaxies in any of the known formats, read in pieces."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nebulium.data.duplicates import check_unique_ids
from nebulium.data.image_checks import checked_image
from nebulium.data.stretches import DISPLAY_UNIT
from nebulium.data.table import Table
from nebulium.errors import ImageError

#: Reads rows: an image each, or in words why there is none.
Read = Callable[[np.ndarray], list[np.ndarray | str]]

#: Kind of images by the ending of their files.
KINDS = {
    ".jpg": "pictures", ".jpeg": "pictures", ".png": "pictures",
    ".fits": "fits", ".fit": "fits", ".fits.gz": "fits", ".fit.gz": "fits", ".fits.fz": "fits",
    ".npy": "numpy", ".npz": "numpy",
    ".h5": "hdf5", ".hdf5": "hdf5",
    ".parquet": "parquet",
}  # fmt: skip
#: Kinds of which a file holds a galaxy, so that a folder of them is one set.
ONE_A_FILE = ("pictures", "fits")
KNOWN = (
    "a folder or .zip of .jpg, .jpeg or .png, a folder of .fits, a .npy, .npz, .h5 or .hdf5, a .parquet or "
    "folder of .parquet, or a mock survey"
)


@dataclass(frozen=True, eq=False)
class ImageChunk:
    """Some of the images of a source.

    Parameters
    ----------
    rows : ndarray of shape (k,), int64
        Their rows in the source.
    ids : ndarray of shape (k,), int64 or str
    pixels : list of k ndarrays of shape (height, width, band), uint8 or float32
        The images, which may differ in size.
    problems : dict of int to str
        What is wrong with rows that are not among these: row of the source -> the reason.

    Examples
    --------
    >>> ImageChunk(np.array([1]), np.array([39627]), [np.zeros((8, 8, 3))], {0: "is truncated"}).problems
    {0: 'is truncated'}
    """

    rows: np.ndarray
    ids: np.ndarray
    pixels: list[np.ndarray]
    problems: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ImageSource:
    """A set of images that stays on disk.

    Parameters
    ----------
    path : Path
        Where it is.
    ids : ndarray of shape (n,), int64 or str
        Each once.
    bands : tuple of str
        In the order of the last axis; of colour images red, green and blue, unless told otherwise.
    opened : callable returning a context with a function of rows
        How images are read: rows -> an image each, or the reason why there is none. In images of numbers, bad
        pixels are NaN.
    unit : str
        Of the pixels; "display" for colours from 0 to 255, empty if not told.
    pixel_scale_arcsec, psf_fwhm_arcsec, zero_point_ab : tuple of float, optional
        One a band, as the first image has them; None if not told.
    beside : callable returning Table, optional
        Reads the columns beside the images.
    bands_told : bool
        False if the bands are only a guess, so that other names may be given to them.

    Raises
    ------
    TableError
        If an id stands there twice.

    Examples
    --------
    See `open_images`.
    """

    path: Path
    ids: np.ndarray
    bands: tuple[str, ...]
    opened: Callable[[], AbstractContextManager[Read]]
    unit: str = ""
    pixel_scale_arcsec: tuple[float, ...] | None = None
    psf_fwhm_arcsec: tuple[float, ...] | None = None
    zero_point_ab: tuple[float, ...] | None = None
    beside: Callable[[], Table] | None = None
    bands_told: bool = True

    def __post_init__(self) -> None:
        check_unique_ids(lambda: [self.ids], where=str(self.path), rows=len(self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def table(self) -> Table | None:
        """Columns beside the images, a row a galaxy: they may be labels. None if there are none."""
        return self.beside() if self.beside else None

    def chunks(self, rows: np.ndarray | None = None, size: int = 256) -> Iterator[ImageChunk]:
        """Read images, so many at a time.

        An image is set aside if it cannot be read, has other bands than the first, is zero throughout (or one
        of its bands is), or if more than 5 per cent of the pixels of a band are NaN, infinite or flagged. A
        smaller share of bad pixels is filled with the median of the border of that band.

        Parameters
        ----------
        rows : ndarray of int of shape (n,), optional
            Which; all if not given. In rising order they are read fastest.
        size : int
            Rows of a chunk; memory holds no more.

        Yields
        ------
        ImageChunk
            The rows in the order asked for, without those set aside.

        Examples
        --------
        See `open_images`.
        """
        rows = np.arange(len(self)) if rows is None else np.asarray(rows, np.int64)
        with self.opened() as read:
            for first in range(0, len(rows), size):
                yield self._checked(rows[first : first + size], read)

    def _checked(self, rows: np.ndarray, read: Read) -> ImageChunk:
        """Good images and problems apart."""
        found = [
            image if isinstance(image, str) else checked_image(image, self.bands) for image in read(rows)
        ]
        problems = {int(row): what for row, what in zip(rows, found, strict=True) if isinstance(what, str)}
        good = np.array([not isinstance(what, str) for what in found], bool)
        pixels = [what for what in found if not isinstance(what, str)]
        return ImageChunk(rows[good], self.ids[rows[good]], pixels, problems)


def open_images(path: str | Path, *, bands: Sequence[str] | None = None) -> ImageSource:
    """Open a set of images, whatever its format.

    Known are folders and zips of JPG or PNG named by the id of the galaxy, folders of FITS cutouts (a file a
    galaxy; a cube, or an extension a band), NumPy and HDF5 cubes of shape (n, height, width, band), Parquet
    in the layout of the Multimodal Universe, and the folder of a mock survey.

    Parameters
    ----------
    path : str or Path
        File or folder.
    bands : sequence of str, optional
        Which bands, in which order. Where the files do not name them (colours, NumPy cubes), the names to go
        by instead.

    Returns
    -------
    ImageSource
        Nothing but ids and headers is read yet.

    Raises
    ------
    ImageError
        There is nothing there, or nothing known; files of several kinds; a band that is not there; no image
        that can be read; two files of one id.
    TableError
        An id stands there twice, or a Parquet file is damaged.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     np.save(f"{scratch}/cutouts.npy", np.ones((3, 8, 8, 2), np.float32))
    ...     source = open_images(f"{scratch}/cutouts.npy", bands=["g", "r"])
    ...     [(chunk.ids.tolist(), chunk.pixels[0].shape) for chunk in source.chunks(size=2)]
    [([0, 1], (8, 8, 2)), ([2], (8, 8, 2))]
    """
    path = Path(path)
    if not path.exists():
        raise ImageError(str(path), "is not there", "check the path")
    kind, files = _kind_of(path)
    source = _open(kind, path, files)
    return source if bands is None else with_bands(source, bands)


def with_bands(source: ImageSource, bands: Sequence[str]) -> ImageSource:
    """A source with some of its bands, in another order, or, if they have no names of their own, renamed.

    Parameters
    ----------
    source : ImageSource
    bands : sequence of str

    Returns
    -------
    ImageSource

    Raises
    ------
    ImageError
        A band is not there, or stands there twice.

    Examples
    --------
    See `open_images`.
    """
    asked = tuple(bands)
    if not source.bands_told and not set(asked) & set(source.bands) and len(asked) == len(source.bands):
        return replace(source, bands=asked, bands_told=True)
    lacking = [band for band in asked if band not in source.bands]
    if lacking or not asked or len(set(asked)) != len(asked):
        problem = f"has the bands {', '.join(source.bands)}, asked for were {', '.join(asked) or 'none'}"
        raise ImageError(str(source.path), problem, "ask for bands that are there, each once")
    places = [source.bands.index(band) for band in asked]

    def picked(values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        return None if values is None else tuple(values[place] for place in places)

    return replace(
        source,
        bands=asked,
        opened=lambda: _picking(source, places),
        pixel_scale_arcsec=picked(source.pixel_scale_arcsec),
        psf_fwhm_arcsec=picked(source.psf_fwhm_arcsec),
        zero_point_ab=picked(source.zero_point_ab),
    )


def with_factors(source: ImageSource, factors: Float[np.ndarray, "n band"]) -> ImageSource:
    """A source whose pixels are multiplied, each image and band by a number of its own.

    Parameters
    ----------
    source : ImageSource
        Of fluxes.
    factors : ndarray of shape (n, band)
        One a row of the source and band.

    Returns
    -------
    ImageSource

    Raises
    ------
    ImageError
        The pixels are colours.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     np.save(f"{scratch}/a.npy", np.ones((3, 8, 8, 2), np.float32))
    ...     source = with_factors(open_images(f"{scratch}/a.npy"), np.array([[1.0, 2], [3, 4], [5, 6]]))
    ...     [image[0, 0].tolist() for chunk in source.chunks() for image in chunk.pixels]
    [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    """
    if source.unit == DISPLAY_UNIT:
        raise ImageError(str(source.path), "has colours, which do not scale", "give images with fluxes")
    return replace(source, opened=lambda: _scaling(source, factors.astype(np.float32)))


@contextmanager
def _scaling(source: ImageSource, factors: Float[np.ndarray, "n band"]) -> Iterator[Read]:
    """Read images, and multiply those that have all bands."""

    def scaled(image: np.ndarray | str, row: int) -> np.ndarray | str:
        if isinstance(image, str) or image.ndim != 3 or image.shape[-1] != len(source.bands):
            return image
        return image * factors[row]

    with source.opened() as read:
        yield lambda rows: [scaled(image, row) for image, row in zip(read(rows), rows.tolist(), strict=True)]


@contextmanager
def _picking(source: ImageSource, places: list[int]) -> Iterator[Read]:
    """Read images, and pick bands out of those that have all."""

    def pick(image: np.ndarray | str) -> np.ndarray | str:
        if isinstance(image, str) or image.ndim != 3 or image.shape[-1] != len(source.bands):
            return image
        return image[..., places]

    with source.opened() as read:
        yield lambda rows: [pick(image) for image in read(rows)]


def _kind_of(path: Path) -> tuple[str, list[Path]]:
    """The kind of images, and the files that hold them."""
    if path.name.lower().endswith(".zip"):
        return "pictures", []
    if path.is_file():
        kind = _kind(path)
        if kind is None:
            raise ImageError(str(path), "is of no known kind", f"give {KNOWN}")
        return kind, [path]
    shards = sorted(_files(path / "data", ".parquet")) if (path / "data").is_dir() else []
    if shards:
        return "parquet", shards
    return _kind_of_folder(path)


def _kind_of_folder(path: Path) -> tuple[str, list[Path]]:
    """A folder holds files of one kind, and others that are no images."""
    files = {file: kind for file in sorted(_files(path)) if (kind := _kind(file))}
    kinds = sorted(set(files.values()))
    if not kinds:
        raise ImageError(str(path), "holds no images", f"give {KNOWN}")
    if len(kinds) > 1:
        examples = " and ".join(next(file.name for file in files if files[file] == kind) for kind in kinds)
        raise ImageError(str(path), f"holds files of several kinds, such as {examples}", "keep one kind")
    if kinds[0] not in (*ONE_A_FILE, "parquet"):
        problem = f"is a folder of {kinds[0]} files, such as {next(iter(files)).name}"
        raise ImageError(str(path), problem, "give one of them by its name")
    return kinds[0], list(files)


def _files(folder: Path, ending: str = "") -> Iterator[Path]:
    """All files below a folder but the hidden ones, which other programs leave behind."""
    for file in folder.rglob(f"*{ending}"):
        if not any(part.startswith(".") for part in file.relative_to(folder).parts) and file.is_file():
            yield file


def _kind(file: Path) -> str | None:
    name = file.name.lower()
    return next((kind for ending, kind in KINDS.items() if name.endswith(ending)), None)


def _open(kind: str, path: Path, files: list[Path]) -> ImageSource:
    """Hand over to those who know the format; each is imported only when needed."""
    if kind == "pictures":
        from nebulium.data.picture_files import open_pictures

        return open_pictures(path, files)
    if kind == "fits":
        from nebulium.data.fits_cutouts import open_fits_cutouts

        return open_fits_cutouts(path, files)
    if kind == "parquet":
        from nebulium.data.parquet_images import open_parquet_images

        return open_parquet_images(path, files)
    from nebulium.data.image_cubes import open_hdf5_cube, open_numpy_cube

    return open_numpy_cube(path) if kind == "numpy" else open_hdf5_cube(path)
