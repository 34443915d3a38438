"""The bins of redshift on which every method says its p(z)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class RedshiftGrid:
    """Bins of equal width in ln(1 + z), from redshift 0 on.

    The errors of photometric redshifts grow as 1 + z, and so do these bins. A density is held as the
    probability of each bin, spread evenly within it.

    Parameters
    ----------
    most : float
        Highest redshift.
    bins : int

    Raises
    ------
    ValueError
        If the range is empty, or if there is no bin.

    Examples
    --------
    >>> grid = RedshiftGrid(most=3.0, bins=4)
    >>> grid.edges.round(3).tolist(), grid.centres.round(3).tolist()
    ([0.0, 0.414, 1.0, 1.828, 3.0], [0.189, 0.682, 1.378, 2.364])
    """

    most: float = 6.0
    bins: int = 300

    def __post_init__(self) -> None:
        if not 0 < self.most < np.inf or self.bins < 1:
            problem = f"expected a finite most > 0 and bins > 0, got {self.most} and {self.bins}"
            raise ValueError(f"RedshiftGrid: {problem}")

    @cached_property
    def edges(self) -> Float[np.ndarray, " edge"]:
        """Borders of the bins, redshift, in float64."""
        return np.expm1(np.linspace(0.0, np.log1p(self.most), self.bins + 1))

    @cached_property
    def centres(self) -> Float[np.ndarray, " bin"]:
        """Middle of each bin in ln(1 + z), as a redshift, in float64."""
        return np.expm1((np.arange(self.bins) + 0.5) * self.width)

    @property
    def width(self) -> float:
        """Width of a bin in ln(1 + z)."""
        return float(np.log1p(self.most)) / self.bins
