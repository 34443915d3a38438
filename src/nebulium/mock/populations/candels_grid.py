"""The grid on which the table behind the population `candels` stands, and its cells."""

from dataclasses import dataclass

import numpy as np

#: Range of log10 mass in Msun.
LOG_MASS_RANGE = (6.0, 12.5)


@dataclass(frozen=True)
class Grid:
    """Even values of one variable, each with the cell that is rounded to it.

    Parameters
    ----------
    name : str
        Column of the table.
    first, step : float
        Lowest value, and the distance to the next.
    size : int
        Number of values.
    lowest : float
        Lower edge of the first cell: half a step below its value, unless nature ends before.
    """

    name: str
    first: float
    step: float
    size: int
    lowest: float

    def values(self) -> np.ndarray:
        """Values of the grid."""
        return self.first + self.step * np.arange(self.size)

    def edges(self) -> np.ndarray:
        """Edges of the cells."""
        edges = self.first + self.step * (np.arange(self.size + 1) - 0.5)
        edges[0] = self.lowest
        return edges

    def cell(self, value: np.ndarray) -> np.ndarray:
        """Number of the cell that holds a value, the nearest one beyond the ends."""
        nearest = np.rint((np.asarray(value, np.float64) - self.first) / self.step)
        return np.clip(nearest, 0, self.size - 1).astype(np.int64)


# EAZY's redshifts as FAST rounds them; FAST's grids of log10 age/yr, log10 tau/yr and A_V.
REDSHIFT = Grid("z", 0.05, 0.01, 596, lowest=0.045)
AGE = Grid("lage", 7.6, 0.1, 26, lowest=7.55)
TAU = Grid("ltau", 7.0, 0.2, 16, lowest=6.9)
AV = Grid("av", 0.0, 0.1, 41, lowest=0.0)
