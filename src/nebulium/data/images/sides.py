"""How large the images were that were read, and how many of them had to be padded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int32

from nebulium.data.images.source import ImageSource, Read
from nebulium.data.rejects import Rejects


@dataclass(frozen=True, eq=False)
class MeasuredImages:
    """Images that remember their shorter sides once they are read.

    Parameters
    ----------
    source : ImageSource
    sides : ndarray of int32 of shape (n,)
        Pixels, by row of the source; 0 where it was not read yet, or could not be.

    Examples
    --------
    See `measured_images`.
    """

    source: ImageSource
    sides: Int32[np.ndarray, " n"]

    def padded_notes(self, size: int, rejects: Rejects) -> tuple[str, ...]:
        """Say how many of the images that were used are smaller than the size of a model.

        Parameters
        ----------
        size : int
            Pixels on a side to which they were brought.
        rejects : Rejects
            Images that were set aside.

        Returns
        -------
        tuple of str
            For the user; empty if there are none.

        Examples
        --------
        See `measured_images`.
        """
        used = self.sides.copy()
        used[rejects.rows()] = 0
        used = used[used > 0]
        small = used[used < size]
        if not len(small):
            return ()
        least, most = small.min(), small.max()
        sides = f"{least}" if least == most else f"{least} to {most}"
        return (
            f"{len(small):,} of {len(used):,} images were padded from {sides} to {size} pixels: what is "
            "measured on them is measured on another field than on images of that size",
        )


def measured_images(source: ImageSource) -> MeasuredImages:
    """Let images remember their sides.

    Parameters
    ----------
    source : ImageSource

    Returns
    -------
    MeasuredImages
        With a source to read instead.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data.images.opening import open_images
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     np.save(f"{scratch}/a.npy", np.ones((3, 8, 8, 2), np.float32))
    ...     images = measured_images(open_images(f"{scratch}/a.npy"))
    ...     _ = list(images.source.chunks())
    >>> images.padded_notes(8, Rejects()), images.padded_notes(12, Rejects())
    ((), ('3 of 3 images were padded from 8 to 12 pixels: ...',))
    """
    sides = np.zeros(len(source), np.int32)
    return MeasuredImages(replace(source, opened=lambda: _measuring(source, sides)), sides)


@contextmanager
def _measuring(source: ImageSource, sides: Int32[np.ndarray, " n"]) -> Iterator[Read]:
    with source.opened() as read:

        def measured(rows: np.ndarray) -> list[np.ndarray | str]:
            found = read(rows)
            sides[rows] = [0 if isinstance(one, str) else min(one.shape[:2], default=0) for one in found]
            return found

        yield measured
