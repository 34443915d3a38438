"""Spectra in memory: observed-frame wavelengths in vacuum, fluxes, inverse variances, redshifts."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nebulium.data.rejects import Rejects
from nebulium.errors import SpectrumError


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra of one file, one a row; shorter ones are padded with pixels of inverse variance 0.

    Parameters
    ----------
    ids : ndarray of int64 or str of shape (n,)
        Identifiers.
    wave_aa : ndarray of float32 of shape (n, wave)
        Observed wavelengths in vacuum, Angstrom, rising; in the padding they go on rising.
    flux_lambda : ndarray of float32 of shape (n, wave)
        Flux density, 1e-17 erg/s/cm2/Angstrom; finite everywhere, 0 where it was not.
    ivar : ndarray of float32 of shape (n, wave)
        Its inverse variance; 0 masks a pixel.
    redshift : ndarray of float64 of shape (n,)
        NaN where it is not known.
    lsf_sigma_aa : ndarray of float32 of shape (n, wave), optional
        Gaussian sigma of the line-spread function, Angstrom.
    metadata : dict
        Where the spectra come from and what was done to them; goes into JSON.
    name : str
        The file, for messages.
    columns : dict of str to ndarray of shape (n,)
        What else the file says of each: ebv, zwarn, objtype ...
    rows : ndarray of int64 of shape (n,), optional
        Places in the file, counted from 0; given if some were set aside.
    rejects : Rejects
        Those set aside when the file was read.

    Raises
    ------
    SpectrumError
        If the shapes do not agree.

    Examples
    --------
    >>> wave = np.linspace(4000, 5000, 3, dtype=np.float32)[None]
    >>> spectra = Spectra(ids=np.array([7]), wave_aa=wave, flux_lambda=np.ones_like(wave),
    ...                   ivar=np.ones_like(wave), redshift=np.array([0.1]))
    >>> len(spectra), spectra.row_numbers().tolist()
    (1, [0])
    """

    ids: np.ndarray
    wave_aa: np.ndarray
    flux_lambda: np.ndarray
    ivar: np.ndarray
    redshift: np.ndarray
    lsf_sigma_aa: np.ndarray | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    name: str = "spectra"
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    rows: np.ndarray | None = None
    rejects: Rejects = field(default_factory=Rejects)

    def __post_init__(self) -> None:
        shapes = {name: getattr(self, name).shape for name in ("wave_aa", "flux_lambda", "ivar")}
        rows = {len(self.ids), len(self.redshift), len(self.flux_lambda), *map(len, self.columns.values())}
        if len(set(shapes.values())) > 1 or self.flux_lambda.ndim != 2 or len(rows) > 1:
            problem = f"expected arrays of shape (n, wave) for {len(self.ids)} ids, found {shapes}"
            raise SpectrumError(self.name, problem, "give one row for each spectrum")

    def __len__(self) -> int:
        return len(self.ids)

    def row_numbers(self) -> np.ndarray:
        """Places of the spectra in the file.

        Returns
        -------
        ndarray of int64 of shape (n,)
            Counted from 0.

        Examples
        --------
        >>> wave = np.linspace(4000, 5000, 6, dtype=np.float32).reshape(2, 3)
        >>> spectra = Spectra(np.array([7, 8]), wave, wave, wave, np.array([0.1, 0.2]))
        >>> spectra.select([1]).row_numbers().tolist()
        [1]
        """
        return np.arange(len(self)) if self.rows is None else self.rows

    def select(self, which: Any) -> "Spectra":
        """Some of the spectra.

        Parameters
        ----------
        which : array of bool of shape (n,), array of int, or slice
            As numpy indexes rows.

        Returns
        -------
        Spectra
            Those, with their places in the file.

        Examples
        --------
        >>> wave = np.linspace(4000, 5000, 6, dtype=np.float32).reshape(2, 3)
        >>> spectra = Spectra(np.array([7, 8]), wave, wave, wave, np.array([0.1, 0.2]))
        >>> spectra.select([1]).ids.tolist(), spectra.select([1]).row_numbers().tolist()
        ([8], [1])
        """
        return replace(
            self,
            ids=self.ids[which],
            wave_aa=self.wave_aa[which],
            flux_lambda=self.flux_lambda[which],
            ivar=self.ivar[which],
            redshift=self.redshift[which],
            lsf_sigma_aa=None if self.lsf_sigma_aa is None else self.lsf_sigma_aa[which],
            columns={name: values[which] for name, values in self.columns.items()},
            rows=self.row_numbers()[which],
        )

    def without(self, bad: np.ndarray, reason: str) -> "Spectra":
        """The spectra for which a condition does not hold; the others go to the rejects.

        Parameters
        ----------
        bad : ndarray of bool of shape (n,)
            The condition.
        reason : str
            What the condition means, one line.

        Returns
        -------
        Spectra
            With the rejects of these.

        Examples
        --------
        >>> wave = np.linspace(4000, 5000, 6, dtype=np.float32).reshape(2, 3)
        >>> spectra = Spectra(np.array([7, 8]), wave, wave, wave, np.array([0.1, np.nan]))
        >>> known = spectra.without(np.isnan(spectra.redshift), "redshift is not known")
        >>> known.ids.tolist(), known.rejects.summary()
        ([7], '1 row set aside: 1 redshift is not known')
        """
        return self.select(self.rejects.set_aside([(reason, bad)], self.ids, rows=self.row_numbers()))
