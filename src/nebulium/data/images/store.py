"""Prepared images in one flat file, from which rows are read in any order."""

import json
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nebulium.data.images.preparation import ImageForm, Preparation, usable_chunks
from nebulium.data.images.source import ImageSource
from nebulium.data.output import replace_on_success
from nebulium.data.rejects import Rejects
from nebulium.errors import ImageError

FORMAT = 1
FORM = ("bands", "unit", "size", "binning", "stretch")
PIXELS, ABOUT, IDS, PLACES = "pixels.bin", "store.json", "ids.npy", "places.npy"
MEND = "make it again with ImageStore.create"


class ImageStore:
    """Prepared images on disk, read by row; memory holds only what is asked for.

    Reading is safe from several threads. The file is read, not mapped: the pages of a map would count as
    memory of this process.

    Parameters
    ----------
    folder : str or Path
        As `ImageStore.create` made it.

    Attributes
    ----------
    ids : ndarray of shape (n,), int64 or str
    form : ImageForm
        Bands, unit of the pixels, size, binning and stretch.
    shape : tuple of int
        (n, height, width, band).

    Raises
    ------
    ImageError
        The folder is no such store, or not whole.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data import Stretch, open_images
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     np.save(f"{scratch}/a.npy", 1 + np.arange(192, dtype=np.float32).reshape(3, 8, 8, 1))
    ...     source = open_images(f"{scratch}/a.npy")
    ...     preparation = Preparation(4, Stretch("none"))
    ...     store = ImageStore.create(f"{scratch}/store", source, preparation, rejects=Rejects())
    ...     store.shape, store.take(np.array([2, 0]))[:, 0, 0, 0].tolist()
    ((3, 4, 4, 1), [147.0, 19.0])
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        about = _read(self.folder / ABOUT, lambda path: {**json.loads(path.read_text(encoding="utf-8"))})
        if about.get("format") != FORMAT:
            problem = f"has the format {about.get('format')}, this version of nebulium reads {FORMAT}"
            raise ImageError(str(self.folder), problem, MEND)
        self.form = ImageForm.of(**{name: about[name] for name in FORM})
        self.ids = _read(self.folder / IDS, np.load)
        self._places = _read(self.folder / PLACES, np.load)
        side, bands = self.form.preparation.side, len(self.form.bands)
        self.shape = (len(self.ids), side, side, bands)
        self._row_bytes = side * side * bands * self.form.preparation.dtype.itemsize
        self._descriptor = _open_pixels(self.folder / PIXELS, about["stored"] * self._row_bytes)
        weakref.finalize(self, os.close, self._descriptor)

    @classmethod
    def create(
        cls,
        folder: str | Path,
        source: ImageSource,
        preparation: Preparation,
        *,
        rejects: Rejects,
        rows: Int[np.ndarray, " n"] | None = None,
        progress: Callable[[int], Any] | None = None,
    ) -> "ImageStore":
        """Prepare images and write them, whole or not at all.

        Parameters
        ----------
        folder : str or Path
            To be made; a store that is there is replaced.
        source : ImageSource
        preparation : Preparation
            What is done to each image.
        rejects : Rejects
            Takes the images that cannot be used: those that `ImageSource.chunks` sets aside, and those that
            are shorter on a side than half of the size asked for.
        rows : ndarray of int of shape (n,), optional
            Which rows of the source; all if not given. The store has them in this order, without those set
            aside.
        progress : callable of int, optional
            Told how many images have been read.

        Returns
        -------
        ImageStore

        Raises
        ------
        ImageError
            The stretch is not for such images, or none of them can be used.
        OutputError
            The disk is full, or the folder cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from nebulium.data import Stretch, open_images
        >>> with tempfile.TemporaryDirectory() as scratch:
        ...     images = np.ones((3, 8, 8, 1), np.float32)
        ...     images[1] = 0.0
        ...     np.save(f"{scratch}/a.npy", images)
        ...     source, rejects = open_images(f"{scratch}/a.npy"), Rejects()
        ...     preparation = Preparation(8, Stretch("none"))
        ...     store = ImageStore.create(f"{scratch}/store", source, preparation, rejects=rejects)
        >>> store.ids.tolist(), rejects.rows().tolist()
        ([0, 2], [1])
        """
        rows = np.arange(len(source)) if rows is None else np.asarray(rows, np.int64)
        with replace_on_success(folder, folder_with=ABOUT) as partial:
            partial.mkdir()
            # From front to back, as files are read fastest.
            stored = _write_pixels(partial / PIXELS, source, preparation, np.unique(rows), rejects, progress)
            if not len(stored):
                problem = f"has no image that can be used: {rejects.summary()}"
                raise ImageError(str(source.path), problem, "check the images")
            kept = rows[np.isin(rows, stored)]
            np.save(partial / IDS, source.ids[kept])
            np.save(partial / PLACES, np.searchsorted(stored, kept))
            form = ImageForm(source.bands, source.unit, preparation)
            about = {"format": FORMAT, "stored": len(stored), **form.as_dict(), "source": str(source.path)}
            (partial / ABOUT).write_text(json.dumps(about, indent=2), encoding="utf-8")
        return cls(folder)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, "k side side band"]:
        """Read images.

        Parameters
        ----------
        rows : ndarray of int of shape (k,)
            Rows of the store, in any order.

        Returns
        -------
        ndarray of shape (k, height, width, band), float32
            Stretched.

        Raises
        ------
        ImageError
            The file has become shorter since it was opened.

        Examples
        --------
        >>> import tempfile
        >>> from nebulium.data import Stretch, open_images
        >>> with tempfile.TemporaryDirectory() as scratch:
        ...     np.save(f"{scratch}/a.npy", np.ones((3, 8, 8, 1), np.float32))
        ...     source, preparation = open_images(f"{scratch}/a.npy"), Preparation(4, Stretch("none"), 2)
        ...     store = ImageStore.create(f"{scratch}/store", source, preparation, rejects=Rejects())
        ...     store.take(np.array([2, 0])).shape
        (2, 2, 2, 1)
        """
        places = self._places[rows].tolist()
        parts = [os.pread(self._descriptor, self._row_bytes, place * self._row_bytes) for place in places]
        content = b"".join(parts)
        if len(content) != len(places) * self._row_bytes:
            raise _not_whole(self.folder, f"{PIXELS} ends too early")
        stored = np.frombuffer(content, self.form.preparation.dtype).reshape(len(places), *self.shape[1:])
        return self.form.preparation.from_disk(stored)


def _write_pixels(
    path: Path,
    source: ImageSource,
    preparation: Preparation,
    rows: np.ndarray,
    rejects: Rejects,
    progress: Callable[[int], Any] | None,
) -> np.ndarray:
    """Prepare images and write them one after the other; the rows of the source that are there now."""
    stored, done = [np.zeros(0, np.int64)], 0
    with path.open("wb") as file:
        for chunk in usable_chunks(source, preparation, rejects, rows):
            if len(chunk.rows):
                file.write(preparation.to_disk(chunk.pixels).tobytes())
                stored.append(chunk.rows)
            done += len(chunk.rows) + len(chunk.problems)
            if progress is not None:
                progress(done)
    return np.concatenate(stored)


def _read(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise _not_whole(path.parent, f"{path.name}: {error}") from error


def _open_pixels(path: Path, expected: int) -> int:
    """Descriptor of the pixels; a file that was cut is noticed now, not in the middle of an epoch."""
    found = path.stat().st_size if path.is_file() else 0
    if found != expected:
        raise _not_whole(path.parent, f"{path.name} has {found} bytes, expected {expected}")
    return os.open(path, os.O_RDONLY)


def _not_whole(folder: Path, why: str) -> ImageError:
    return ImageError(str(folder), f"is not a whole store of images ({why})", MEND)
