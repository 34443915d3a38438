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
    """

    source: ImageSource
    sides: Int32[np.ndarray, " n"]

    def padded_notes(self, size: int, rejects: Rejects) -> tuple[str, ...]:
        """Say how many of the images that were used are smaller than the size of a model."""
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
    """Let images remember their sides."""
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
