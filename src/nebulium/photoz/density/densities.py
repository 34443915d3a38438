"""Densities p(z) of many galaxies on one grid, and what can be read off them.

Within a bin a density is constant in ln(1 + z). Every number here is that of this density, without further
approximation: nothing is interpolated between centres of bins.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Integer

from nebulium.photoz.density.grid import RedshiftGrid

Values = Float64[np.ndarray, " _"]
Redshifts = Float[np.ndarray, " _"]

#: Half of the window of the odds, over 1 + z (Benitez 2000, ApJ 536, 571, and COSMOS after it).
ODDS_WIDTH = 0.06
#: Galaxies at a time: some 25 MB an array of 300 bins.
CHUNK = 10_000


@dataclass(frozen=True, eq=False)
class RedshiftDensities:
    """Densities p(z) of galaxies.

    Parameters
    ----------
    grid : RedshiftGrid
    mass : ndarray of float32 of shape (n, bin)
        Probability of each bin. Rows need not add up to 1 exactly: they are divided by their sums.

    Raises
    ------
    ValueError
        If the bins are not those of the grid, or a row is no probability: negative, not finite, or all zero.

    Examples
    --------
    >>> grid = RedshiftGrid(most=3.0, bins=4)
    >>> densities = RedshiftDensities(grid, np.array([[0, 1, 1, 0]], np.float32))
    >>> densities.median().round(3).tolist(), densities.quantile([0.25]).round(3).tolist()
    ([1.0], [[0.682]])
    """

    grid: RedshiftGrid
    mass: Float32[np.ndarray, "_ bin"]

    def __post_init__(self) -> None:
        if self.mass.shape[1] != self.grid.bins:
            raise ValueError(f"{self.grid.bins} bins expected, got mass of shape {self.mass.shape}")
        bad = ~np.isfinite(self.mass).all(axis=1) | (self.mass < 0).any(axis=1) | ~self.mass.any(axis=1)
        if bad.any():
            raise ValueError(f"probabilities expected, got {bad.sum()} rows negative, not finite or all zero")

    def __len__(self) -> int:
        return len(self.mass)

    @classmethod
    def concatenate(cls, parts: Sequence["RedshiftDensities"]) -> "RedshiftDensities":
        """One after another.

        Parameters
        ----------
        parts : sequence of RedshiftDensities
            At least one, all on one grid.

        Returns
        -------
        RedshiftDensities

        Raises
        ------
        ValueError
            If the grids differ.
        """
        grids = {part.grid for part in parts}
        if len(grids) != 1:
            raise ValueError(f"densities on one grid expected, got {grids}")
        return cls(grids.pop(), np.concatenate([part.mass for part in parts]))

    def select(self, rows: Integer[np.ndarray, " _"] | Bool[np.ndarray, " _"] | slice) -> "RedshiftDensities":
        """Some of the galaxies.

        Parameters
        ----------
        rows : array of bool or int, or slice
            Which, as numpy indexes them.

        Returns
        -------
        RedshiftDensities
        """
        return RedshiftDensities(self.grid, self.mass[rows])

    def chunks(self, rows: int = CHUNK) -> Iterator[tuple[slice, "RedshiftDensities"]]:
        """The same densities in pieces: methods take memory for several arrays of float64.

        Parameters
        ----------
        rows : int
            Most galaxies in a piece.

        Yields
        ------
        slice
            Which galaxies.
        RedshiftDensities
        """
        for first in range(0, len(self), rows):
            piece = slice(first, min(first + rows, len(self)))
            yield piece, self.select(piece)

    def mean(self) -> Values:
        """Expected redshift.

        Returns
        -------
        ndarray of shape (n,)
        """
        mean_of_bin = np.diff(self.grid.edges) / self.grid.width - 1.0
        return self._mass @ mean_of_bin

    def median(self) -> Values:
        """Redshift with half of the probability below.

        Returns
        -------
        ndarray of shape (n,)
        """
        return self.quantile([0.5])[:, 0]

    def mode(self) -> Values:
        """Redshift of the highest density per unit redshift.

        Returns
        -------
        ndarray of shape (n,)
            The middle of the highest bin, moved to the top of the parabola in ln(1 + z) through it and its
            neighbours; a bin at the border of the grid has one neighbour, and its middle stays.
        """
        height = self._mass / (1.0 + self.grid.centres)
        best = np.argmax(height, axis=1)
        places = np.clip(best[:, None] + np.arange(-1, 2), 0, self.grid.bins - 1)
        left, top, right = np.take_along_axis(height, places, axis=1).T
        bend = 2.0 * top - left - right
        curved = (best > 0) & (best < self.grid.bins - 1) & (bend > 0)
        shift = np.divide(0.5 * (right - left), bend, out=np.zeros_like(bend), where=curved)
        return np.expm1((best + 0.5 + shift) * self.grid.width)

    def quantile(self, levels: Sequence[float] | Redshifts) -> Float64[np.ndarray, "_ level"]:
        """Redshifts with given probabilities below.

        Parameters
        ----------
        levels : sequence of float
            0 to 1.

        Returns
        -------
        ndarray of shape (n, level)
            The lowest, where several have that probability below.

        Raises
        ------
        ValueError
            If a level is no probability.
        """
        wanted = np.asarray(levels, np.float64)
        if not np.all((wanted >= 0) & (wanted <= 1)):
            raise ValueError(f"levels between 0 and 1 expected, got {wanted}")
        above = self._below[:, 1:]
        found = np.empty((len(self), wanted.size))
        for column, level in enumerate(wanted):
            place = np.argmax(above >= level, axis=1)[:, None]
            start, mass = (
                np.take_along_axis(values, place, axis=1)[:, 0] for values in (self._below, self._mass)
            )
            part = np.divide(level - start, mass, out=np.zeros_like(mass), where=mass > 0)
            found[:, column] = np.expm1((place[:, 0] + np.clip(part, 0.0, 1.0)) * self.grid.width)
        return found

    def cdf(self, redshift: Redshifts) -> Values:
        """Probability below a redshift of each galaxy: its PIT value, if this is the true one.

        Parameters
        ----------
        redshift : ndarray of shape (n,)
            NaN where missing.

        Returns
        -------
        ndarray of shape (n,)
            NaN where the redshift is missing.
        """
        place, part = self._place(redshift)
        return (1.0 - part) * self._at(self._below, place) + part * self._at(self._below, place + 1)

    def odds(self, width: float = ODDS_WIDTH) -> Values:
        """Probability near the mode.

        Parameters
        ----------
        width : float
            How near, over 1 + mode.

        Returns
        -------
        ndarray of shape (n,)
        """
        mode = self.mode()
        reach = width * (1.0 + mode)
        return self.cdf(mode + reach) - self.cdf(np.maximum(mode - reach, 0.0))

    def density(self, redshift: Redshifts) -> Values:
        """Density at a redshift of each galaxy.

        Parameters
        ----------
        redshift : ndarray of shape (n,)
            NaN where missing.

        Returns
        -------
        ndarray of shape (n,)
            Per unit redshift; 0 outside the grid, NaN where the redshift is missing.
        """
        place, _ = self._place(redshift)
        return self._at(self._mass, place) * self._per_redshift(redshift)

    def on_grid(self, redshift: Redshifts) -> Float64[np.ndarray, "_ point"]:
        """Densities of all galaxies at the same redshifts.

        Parameters
        ----------
        redshift : ndarray of shape (point,)

        Returns
        -------
        ndarray of shape (n, point)
            Per unit redshift; 0 outside the grid.
        """
        place, _ = self._place(redshift)
        return self._mass[:, place] * self._per_redshift(redshift)

    def cdf_on_grid(self, redshift: Redshifts) -> Float64[np.ndarray, "_ point"]:
        """Probability of all galaxies below the same redshifts.

        Parameters
        ----------
        redshift : ndarray of shape (point,)

        Returns
        -------
        ndarray of shape (n, point)
        """
        place, part = self._place(redshift)
        return (1.0 - part) * self._below[:, place] + part * self._below[:, place + 1]

    def crps(self, redshift: Redshifts) -> Values:
        """Continuous ranked probability score against true redshifts.

        Parameters
        ----------
        redshift : ndarray of shape (n,)
            True ones, also outside the grid; NaN where missing.

        Returns
        -------
        ndarray of shape (n,)
            integral of (F(z) - [z > true])^2 dz, in units of redshift; NaN where missing.
        """
        true = redshift.astype(np.float64)
        place, part = self._place(redshift)
        below, rise = self._below, self._mass
        bins = np.arange(self.grid.bins)
        # F up to the bin of the true redshift and 1 - F beyond it; that bin itself is cut in two.
        missed = (bins >= place[:, None]).astype(np.float64)
        whole = _squared_integral(below[:, :-1] - missed, rise, bins, bins + 1.0, self.grid.width)
        np.put_along_axis(whole, place[:, None], 0.0, axis=1)
        start, mass = self._at(below, place), self._at(rise, place)
        cut, width = place + part, self.grid.width
        inside = _squared_integral(start, mass * part, place, cut, width)
        inside += _squared_integral(start + mass * part - 1.0, mass * (1.0 - part), cut, place + 1.0, width)
        outside = np.maximum(true - self.grid.edges[-1], 0.0) + np.maximum(-true, 0.0)
        return np.maximum(whole.sum(axis=1) + inside, 0.0) + outside

    def cde_loss(self, redshift: Redshifts) -> Values:
        """Conditional density loss against true redshifts (Izbicki & Lee 2017, arXiv:1704.08095).

        Parameters
        ----------
        redshift : ndarray of shape (n,)
            True ones; NaN where missing.

        Returns
        -------
        ndarray of shape (n,)
            integral of p(z)^2 dz - 2 p(true), without the grid of `nebulium.metrics.probabilistic.cde_loss`.
        """
        squares = -np.diff(1.0 / (1.0 + self.grid.edges)) / self.grid.width**2
        return self._mass**2 @ squares - 2.0 * self.density(redshift)

    @cached_property
    def _mass(self) -> Float64[np.ndarray, "_ bin"]:
        mass = self.mass.astype(np.float64)
        return mass / mass.sum(axis=1, keepdims=True)

    @cached_property
    def _below(self) -> Float64[np.ndarray, "_ edge"]:
        """Probability below each edge, from 0 to exactly 1."""
        below = np.zeros((len(self), self.grid.bins + 1))
        np.cumsum(self._mass, axis=1, out=below[:, 1:])
        return below / below[:, -1:]

    def _place(self, redshift: Redshifts) -> tuple[Integer[np.ndarray, " _"], Values]:
        """Bin of a redshift, and how far it lies within, 0 to 1; the nearest bin where it is outside."""
        along = np.log1p(np.clip(redshift.astype(np.float64), 0.0, self.grid.most)) / self.grid.width
        place = np.clip(np.nan_to_num(along).astype(np.intp), 0, self.grid.bins - 1)
        return place, np.clip(along - place, 0.0, 1.0)

    def _per_redshift(self, redshift: Redshifts) -> Values:
        """Density per unit redshift of a bin that holds all the probability; 0 outside the grid."""
        outside = (redshift < 0) | (redshift > self.grid.most)
        stretch = self.grid.width * (1.0 + np.maximum(redshift.astype(np.float64), 0.0))
        return np.where(outside, 0.0, 1.0 / stretch)

    def _at(self, values: Float64[np.ndarray, "_ _"], place: Integer[np.ndarray, " _"]) -> Values:
        return np.take_along_axis(values, place[:, None], axis=1)[:, 0]


def _squared_integral(
    start: np.ndarray, rise: np.ndarray, first: np.ndarray, last: np.ndarray, width: float
) -> np.ndarray:
    """Integral over redshift of the square of what rises linearly in ln(1 + z) between two places.

    Places count in bins. By parts, with t = ln(1 + z): e^t G^2 integrates to e^t (G^2 - 2 G G' + 2 G'^2).
    """
    span = (last - first) * width
    slope = np.divide(rise, span, out=np.zeros(np.broadcast_shapes(rise.shape, span.shape)), where=span > 0)
    end = start + rise

    def primitive(value: np.ndarray) -> np.ndarray:
        return value**2 - 2.0 * value * slope + 2.0 * slope**2

    return np.exp(last * width) * primitive(end) - np.exp(first * width) * primitive(start)
