"""Images of galaxies in any of the known formats, read in pieces."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nebulium.data.glossary import FILE
from nebulium.data.ids import check_unique_ids
from nebulium.data.images.checks import checked_image
from nebulium.data.images.stretches import DISPLAY_UNIT
from nebulium.data.tables.table import Table
from nebulium.errors import ImageError

#: What is said of an image that cannot be read.
DAMAGED = "is in a damaged part of its file"
#: Fields of a source that hold a number a band.
OF_BANDS = ("pixel_scale_arcsec", "psf_fwhm_arcsec", "zero_point_ab")
#: So many files are opened to find some that can be read, and so many of these tell the bands.
TRIED, ASKED = 100, 5
#: Reads rows: an image each, or in words why there is none.
Read = Callable[[np.ndarray], list[np.ndarray | str]]


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
        In the order of the last axis; of colour images red, green and blue, unless they were named otherwise.
    opened : callable returning a context with a function of rows
        How images are read: rows -> an image each, or the reason why there is none. In images of numbers, bad
        pixels are NaN.
    unit : str
        Of the pixels; "display" for colours from 0 to 255, empty if not known.
    pixel_scale_arcsec, psf_fwhm_arcsec, zero_point_ab : tuple of float, optional
        One a band, as the first image has them; None if not known.
    beside : callable returning Table, optional
        Reads the columns beside the images.
    id_column : str
        What the files call the ids.
    bands_named : bool
        False if the bands are only a guess, so that other names may be given to them.
    of_files : tuple of (str, int)
        Of many files that hold many galaxies each: their names, and the rows of each, in order.

    Raises
    ------
    TableError
        If an id stands there twice.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data.images.opening import open_images
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     np.save(f"{scratch}/cutouts.npy", np.ones((3, 8, 8, 2), np.float32))
    ...     source = open_images(f"{scratch}/cutouts.npy", bands=["g", "r"])
    >>> len(source), source.bands, source.ids.tolist()
    (3, ('g', 'r'), [0, 1, 2])
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
    id_column: str = "target_id"
    bands_named: bool = True
    of_files: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        mend = "give each image an id of its own, or the files one at a time"
        check_unique_ids(lambda: [self.ids], where=str(self.path), mend=mend)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def table(self) -> Table | None:
        """Columns beside the images, a row a galaxy: they may be labels. None if there are none."""
        return self.beside() if self.beside else None

    def beside_rows(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Columns that go into what is predicted of some rows: the file of each, if there are many.

        Parameters
        ----------
        rows : ndarray of int of shape (k,)
            Of the source.

        Returns
        -------
        dict of str to ndarray of shape (k,)

        Examples
        --------
        >>> files = (("a.parquet", 2), ("b.parquet", 1))
        >>> source = ImageSource(Path("."), np.arange(3), ("r",), lambda: None, of_files=files)
        >>> source.beside_rows(np.array([2, 0]))["file"].tolist()
        ['b.parquet', 'a.parquet']
        """
        if not self.of_files:
            return {}
        names, sizes = zip(*self.of_files, strict=True)
        return {FILE: np.array(names)[np.searchsorted(np.cumsum(sizes), rows, side="right")]}

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
        >>> import tempfile
        >>> from nebulium.data.images.opening import open_images
        >>> with tempfile.TemporaryDirectory() as scratch:
        ...     np.save(f"{scratch}/cutouts.npy", np.ones((3, 8, 8, 2), np.float32))
        ...     source = open_images(f"{scratch}/cutouts.npy", bands=["g", "r"])
        ...     [chunk.ids.tolist() for chunk in source.chunks(size=2)]
        [[0, 1], [2]]
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


def with_bands(source: ImageSource, bands: Sequence[str]) -> ImageSource:
    """A source with some of its bands, in another order, or, if they have no names of their own, renamed.

    Parameters
    ----------
    source : ImageSource
        The images.
    bands : sequence of str
        The bands to keep, in order; or names for bands that have none.

    Returns
    -------
    ImageSource
        The same images.

    Raises
    ------
    ImageError
        A band is not there, or stands there twice.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data.images.opening import open_images
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     np.save(f"{scratch}/cutouts.npy", np.ones((3, 8, 8, 2), np.float32))
    ...     source = open_images(f"{scratch}/cutouts.npy", bands=["g", "r"])
    >>> with_bands(source, ["r"]).bands
    ('r',)
    """
    asked = tuple(bands)
    if not source.bands_named and not set(asked) & set(source.bands) and len(asked) == len(source.bands):
        return replace(source, bands=asked, bands_named=True)
    lacking = [band for band in asked if band not in source.bands]
    if lacking or not asked or len(set(asked)) != len(asked):
        problem = f"has the bands {', '.join(source.bands)}, asked for were {', '.join(asked) or 'none'}"
        raise ImageError(str(source.path), problem, "ask for bands that are there, each once")
    places = [source.bands.index(band) for band in asked]
    known = {name: values for name in OF_BANDS if (values := getattr(source, name)) is not None}
    picked = {name: tuple(values[place] for place in places) for name, values in known.items()}
    return with_change(source, lambda image, _: image[..., places], bands=asked, **picked)


def with_factors(source: ImageSource, factors: Float[np.ndarray, "n band"]) -> ImageSource:
    """A source whose pixels are multiplied, each image and band by a number of its own."""
    if source.unit == DISPLAY_UNIT:
        raise ImageError(str(source.path), "has colours, which do not scale", "give images with fluxes")
    factors = factors.astype(np.float32)
    return with_change(source, lambda image, row: image * factors[row])


def with_change(
    source: ImageSource, change: Callable[[np.ndarray, int], np.ndarray], **fields: Any
) -> ImageSource:
    """A source, with other fields, whose images are changed by a function of the image and its row.

    Images that do not have all bands are left as they are, to be set aside later.
    """

    def changed(image: np.ndarray | str, row: int) -> np.ndarray | str:
        if isinstance(image, str) or image.ndim != 3 or image.shape[-1] != len(source.bands):
            return image
        return change(image, row)

    @contextmanager
    def opened() -> Iterator[Read]:
        with source.opened() as read:
            yield lambda rows: [changed(*found) for found in zip(read(rows), rows.tolist(), strict=True)]

    return replace(source, opened=opened, **fields)


def some_readable(path: Path, what: str, names: Iterable[str], found: Iterable[Any]) -> list[Any]:
    """The first few that can be read, to tell what most are like: the very first may be the odd one."""
    good, problems = [], []
    for name, one in islice(zip(names, found, strict=True), TRIED):
        if isinstance(one, str):
            problems.append(f"{name} {one}")
        else:
            good.append(one)
        if len(good) == ASKED:
            break
    if not good:
        damaged = any(word in problems[0] for word in ("damaged", "empty", "neither", "cannot be read"))
        mend = "make or download them again" if damaged else f"convert them, or give each {what} as FITS"
        raise ImageError(str(path), f"has no {what} that can be read; {problems[0]}", mend)
    return good
