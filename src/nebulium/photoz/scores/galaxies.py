"""What scores need to know of each galaxy, and the samples of galaxies that are scored together."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float, Integer

from nebulium.photoz.density.densities import RedshiftDensities

Values = Float[np.ndarray, " n"]

#: Name of the sample of all galaxies.
ALL = "all"
#: The redshift of a density, by name.
POINTS: Mapping[str, Callable[[RedshiftDensities], np.ndarray]] = {
    "median": RedshiftDensities.median,
    "mode": RedshiftDensities.mode,
    "mean": RedshiftDensities.mean,
}


@dataclass(frozen=True, eq=False)
class ScoredGalaxies:
    """What the scores of one method need to know of each galaxy.

    Attributes
    ----------
    redshift : ndarray of shape (n,)
        True ones.
    point : ndarray of shape (n,)
        The redshift that the method gives.
    pit : ndarray of shape (n,)
        Probability below the true redshift.
    crps, cde_loss, odds : ndarray of shape (n,)
        See `nebulium.photoz.density.densities.RedshiftDensities`.

    Examples
    --------
    See `score_galaxies`.
    """

    redshift: Values
    point: Values
    pit: Values
    crps: Values
    cde_loss: Values
    odds: Values

    def __len__(self) -> int:
        return len(self.redshift)

    @property
    def delta(self) -> Values:
        """Residual over 1 + z."""
        return (self.point - self.redshift) / (1.0 + self.redshift)

    def select(self, rows: Integer[np.ndarray, " _"]) -> "ScoredGalaxies":
        """Some of the galaxies.

        Parameters
        ----------
        rows : ndarray of int

        Returns
        -------
        ScoredGalaxies
        """
        return ScoredGalaxies(**{entry.name: getattr(self, entry.name)[rows] for entry in fields(self)})


def score_galaxies(
    densities: RedshiftDensities, redshift: Values, *, point: str = "median"
) -> ScoredGalaxies:
    """Look at each galaxy by itself."""
    if len(densities) != len(redshift) or not np.isfinite(redshift).all():
        raise ValueError(f"{len(densities)} finite redshifts expected, got {np.isfinite(redshift).sum()}")
    true = redshift.astype(np.float64)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("point", "pit", "crps", "cde_loss", "odds")}
    for rows, piece in densities.chunks():
        columns["point"].append(POINTS[point](piece))
        columns["pit"].append(piece.cdf(true[rows]))
        columns["crps"].append(piece.crps(true[rows]))
        columns["cde_loss"].append(piece.cde_loss(true[rows]))
        columns["odds"].append(piece.odds())
    return ScoredGalaxies(true, **{name: np.concatenate(parts or [true]) for name, parts in columns.items()})


@dataclass(frozen=True, eq=False)
class Sample:
    """Galaxies that are scored together.

    Attributes
    ----------
    quantity : str
        What they were sorted by, or "all".
    low, middle, high : float
        Least, median and greatest value of it; NaN for all galaxies.
    rows : ndarray of int
        Which.
    """

    quantity: str
    low: float
    middle: float
    high: float
    rows: Integer[np.ndarray, " _"]

    @property
    def name(self) -> str:
        """In tables."""
        return self.quantity if math.isnan(self.low) else f"{self.quantity} {self.low:.2f} – {self.high:.2f}"


def all_galaxies(count: int) -> Sample:
    """The sample of all."""
    return Sample(ALL, math.nan, math.nan, math.nan, np.arange(count))


def equal_samples(quantity: str, values: Values, count: int) -> tuple[Sample, ...]:
    """Samples of equally many galaxies, along a quantity."""
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    parts = np.array_split(order, min(count, len(order))) if len(order) else []
    return tuple(
        Sample(
            quantity, float(values[part[0]]), float(np.median(values[part])), float(values[part[-1]]),
            np.sort(part),
        )
        for part in parts
    )  # fmt: skip
