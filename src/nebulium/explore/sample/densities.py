"""Densities p(z) of the galaxies of a table, in a file from which one is read at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nebulium.data.output import replace_on_success
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid


@dataclass(frozen=True)
class DensityFile:
    """Densities of the galaxies of a table, a row a galaxy, in half precision.

    Parameters
    ----------
    path : Path
        Ends in .npy.
    grid : RedshiftGrid
        Of the model.
    """

    path: Path
    grid: RedshiftGrid

    def __call__(self, row: int) -> RedshiftDensities | None:
        """The density of one galaxy; None if the model could not see it."""
        mass = np.load(self.path, mmap_mode="r", allow_pickle=False)[row].astype(np.float32)
        total = mass.sum(dtype=np.float64)
        return RedshiftDensities(self.grid, (mass / total)[None].astype(np.float32)) if total > 0 else None

    def fits(self, rows: int) -> bool:
        """Whether the file is there, with so many rows."""
        try:
            found = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError):
            return False
        return bool(found.shape == (rows, self.grid.bins))

    @contextmanager
    def writing(self, rows: int) -> Iterator[Float[np.ndarray, "rows bin"]]:
        """An array to write densities into, zero where there is none; the file appears at the end."""
        with replace_on_success(self.path) as partial:
            shape = (rows, self.grid.bins)
            mass = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float16, shape=shape)
            yield mass
            mass.flush()
            del mass
