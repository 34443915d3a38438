"""Images of the galaxies, read when they are looked at."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nebulium.data.images.source import ImageSource
from nebulium.data.images.stretches import DISPLAY_UNIT
from nebulium.explore.draw.stamps import Levels, measure_levels, stamp
from nebulium.explore.sample.cache import kept

#: Images by which the brightness of a survey is measured: the first, which lie together.
MEASURED = 48
#: Sets of images that are kept in memory: of the galaxies and pages that were looked at last.
KEPT = 48


@dataclass(frozen=True, eq=False)
class Pictures:
    """Images of galaxies as pictures for the page.

    Parameters
    ----------
    source : ImageSource
        The images.
    image_rows : ndarray of int64 of shape (n,)
        The row of each galaxy's image; -1 if it has none.
    """

    source: ImageSource
    image_rows: np.ndarray

    @cached_property
    def levels(self) -> Levels:
        """The levels of white and of noise in this survey."""
        first = np.flatnonzero(self.image_rows >= 0)[:MEASURED]
        return measure_levels(list(self._read(*first.tolist()).values()))

    def stamps(self, rows: np.ndarray, stretch: float) -> dict[int, str]:
        """Pictures by row of the galaxy; those without an image are left out."""
        images = self._read(*sorted(rows.tolist()))
        unit = self.source.unit
        return {row: stamp(image, stretch, self.levels, unit) for row, image in images.items()}

    def bands(self, row: int, stretch: float) -> dict[str, str]:
        """Pictures of one galaxy, in colour and in each band, by name; none without an image."""
        image = self._read(row).get(row)
        if image is None:
            return {}
        made = {"colour": stamp(image, stretch, self.levels, self.source.unit)}
        if self.source.unit == DISPLAY_UNIT or len(self.source.bands) == 1:
            return made
        white, noise = self.levels.white, self.levels.noise
        for place, band in enumerate(self.source.bands):
            level = Levels((white[place],), (noise[place],))
            made[band] = stamp(image[..., place : place + 1], stretch, level)
        return made

    @kept(KEPT)
    def _read(self, *rows: int) -> dict[int, np.ndarray]:
        """Images by row of the galaxy, without those that are missing or damaged."""
        wanted = {int(self.image_rows[row]): row for row in rows if self.image_rows[row] >= 0}
        found: dict[int, np.ndarray] = {}
        for chunk in self.source.chunks(np.array(sorted(wanted), np.int64)):
            for image_row, image in zip(chunk.rows.tolist(), chunk.pixels, strict=True):
                found[wanted[image_row]] = image
        return {row: found[row] for row in rows if row in found}
