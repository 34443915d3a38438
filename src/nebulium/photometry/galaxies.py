"""Photometry of galaxies, with redshifts where they are known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float32

from nebulium.data.tables.table import select_rows
from nebulium.errors import TableError


@dataclass(frozen=True, eq=False)
class PhotometricGalaxies:
    """Fluxes of galaxies, and redshifts of some of them.

    Attributes
    ----------
    ids : ndarray of int64 or str of shape (n,)
    bands : tuple of str
        In the order of the last axis.
    flux_njy : ndarray of float32 of shape (n, band)
        NaN where a galaxy was not observed; negative or zero where it was not seen.
    flux_err_njy : ndarray of float32 of shape (n, band)
        Standard errors; positive where there is a flux.
    redshift : ndarray of float32 of shape (n,)
        NaN where there is no label.
    redshift_err : ndarray of float32 of shape (n,)
        Standard errors of the labels; 0 where not known.
    ebv : ndarray of float32 of shape (n,), optional
        E(B-V) of the Milky Way in mag.
    name : str
        Where they are from, for messages.
    dereddened : bool, optional
        Whether the fluxes are corrected for Galactic extinction; None if that is not known.

    Raises
    ------
    TableError
        The columns differ in length.

    Examples
    --------
    >>> one = np.ones((1, 2), np.float32)
    >>> z = np.array([0.5], np.float32)
    >>> galaxies = PhotometricGalaxies(np.array([7]), ("g", "r"), one, 0.1 * one, z, 0 * z, None, "a.fits")
    >>> len(galaxies), len(galaxies.select(np.array([False])))
    (1, 0)
    """

    ids: np.ndarray
    bands: tuple[str, ...]
    flux_njy: Float32[np.ndarray, "n band"]
    flux_err_njy: Float32[np.ndarray, "n band"]
    redshift: Float32[np.ndarray, " n"]
    redshift_err: Float32[np.ndarray, " n"]
    ebv: Float32[np.ndarray, " n"] | None
    name: str
    dereddened: bool | None = None

    def __post_init__(self) -> None:
        shapes = {self.flux_njy.shape, self.flux_err_njy.shape, (len(self.ids), len(self.bands))}
        lengths = {len(self.ids), len(self.redshift), len(self.redshift_err)}
        if len(shapes) > 1 or len(lengths) > 1:
            raise TableError(self.name, f"has columns of different lengths: {shapes}, {lengths}", "mend them")

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: Any) -> "PhotometricGalaxies":
        """Some of the galaxies.

        Parameters
        ----------
        rows : array of bool of shape (n,), array of int, or slice

        Returns
        -------
        PhotometricGalaxies
        """
        return select_rows(self, rows)

    def in_bands(self, bands: Sequence[str]) -> "PhotometricGalaxies":
        """The galaxies in the bands of a model, in its order.

        Parameters
        ----------
        bands : sequence of str

        Returns
        -------
        PhotometricGalaxies

        Raises
        ------
        TableError
            A band is not there.
        """
        lacking = [band for band in bands if band not in self.bands]
        if lacking:
            problem = (
                f"has no band {', '.join(lacking)}: its bands are {', '.join(self.bands)}, those of the "
                f"model {', '.join(bands)}"
            )
            mend = "name its columns as the bands of the model: --band BAND=COLUMN,ERROR_COLUMN"
            raise TableError(self.name, problem, mend)
        places = [self.bands.index(band) for band in bands]
        return replace(
            self,
            bands=tuple(bands),
            flux_njy=self.flux_njy[:, places],
            flux_err_njy=self.flux_err_njy[:, places],
        )
