"""Spectra in memory: wavelengths in vacuum and in their order, fluxes, inverse variances, redshifts."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import numpy as np

from nebulium.data.rejects import Rejects
from nebulium.data.spectra.parts import ID
from nebulium.data.tables.table import concatenate_rows, select_rows
from nebulium.errors import SpectrumError

#: Below this the formula does not hold, and by convention wavelengths are given in vacuum.
SHORTEST_IN_AIR_AA = 2000.0
#: A kilometre: no spectrum of a galaxy reaches so far, but numbers that are no wavelengths do.
LONGEST_AA = 1e13


def vacuum_from_air(wave_air_aa: np.ndarray) -> np.ndarray:
    """Wavelengths in vacuum from those in standard air.

    Parameters
    ----------
    wave_air_aa : array of float
        Angstrom, in air.

    Returns
    -------
    ndarray of the same shape
        Angstrom, in vacuum; unchanged below 2000.

    References
    ----------
    Refractive index of Ciddor (1996), Applied Optics 35, 1566, inverted by iteration.

    Examples
    --------
    >>> vacuum_from_air(np.array([6562.79])).round(2).tolist()
    [6564.6]
    """
    air = np.asarray(wave_air_aa, dtype=np.float64)
    vacuum = air
    for _ in range(3):
        vacuum = air * _refractive_index(vacuum)
    return np.where(air < SHORTEST_IN_AIR_AA, air, vacuum)


def air_from_vacuum(wave_aa: np.ndarray) -> np.ndarray:
    """Wavelengths in standard air from those in vacuum.

    Parameters
    ----------
    wave_aa : array of float
        Angstrom, in vacuum.

    Returns
    -------
    ndarray of the same shape
        Angstrom, in air; unchanged below 2000.

    References
    ----------
    Ciddor (1996), Applied Optics 35, 1566.

    Examples
    --------
    >>> air_from_vacuum(np.array([5008.24])).round(2).tolist()
    [5006.84]
    """
    vacuum = np.asarray(wave_aa, dtype=np.float64)
    return np.where(vacuum < SHORTEST_IN_AIR_AA, vacuum, vacuum / _refractive_index(vacuum))


def _refractive_index(vacuum: np.ndarray) -> np.ndarray:
    """Of standard air (15 C, 1 atm, 450 ppm CO2)."""
    squared = (1e4 / np.maximum(vacuum, SHORTEST_IN_AIR_AA / 2)) ** 2
    return 1.0 + 0.05792105 / (238.0185 - squared) + 0.00167917 / (57.362 - squared)


def check_rising(wave: np.ndarray, where: str) -> None:
    """Refuse wavelengths that are not sorted, or occur twice."""
    problem = not_rising(wave)
    if problem:
        mend = "sort the pixels by wavelength and join those that share one, by inverse variance"
        raise SpectrumError(where, problem, mend)


def not_rising(wave: np.ndarray) -> str | None:
    """What is wrong with the order of wavelengths."""
    if not np.all(np.isfinite(wave)):
        return f"has a wavelength that is not finite (pixel {int(np.argmin(np.isfinite(wave)))})"
    if len(wave) and wave[0] <= 0:
        return f"has a wavelength that is not positive ({wave[0]:g} at pixel 0)"
    if len(wave) and wave.max() > LONGEST_AA:
        return f"has a wavelength that is too long ({wave.max():g} at pixel {int(np.argmax(wave))})"
    steps = np.diff(wave)
    if np.all(steps > 0):
        return None
    pixel = int(np.argmax(steps <= 0))
    if steps[pixel] == 0:
        return f"has a wavelength twice ({wave[pixel]:g} at pixels {pixel} and {pixel + 1})"
    return f"has unsorted wavelengths ({wave[pixel]:g} at pixel {pixel}, then {wave[pixel + 1]:g})"


def prolonged(wave_aa: np.ndarray, extra: int) -> np.ndarray:
    """Wavelengths that go on rising by the last step, so that the last pixel keeps its width."""
    last = wave_aa[:, -1:]
    step = last - wave_aa[:, -2:-1] if wave_aa.shape[1] > 1 else np.ones_like(last)
    return np.hstack([wave_aa, last + step * np.arange(1, extra + 1)]).astype(np.float32)


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
        Gaussian sigma of the line-spread function, Angstrom; NaN where it is not known.
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
    id_column : str
        What the file calls the ids.

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
    id_column: str = ID

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
        return select_rows(replace(self, rows=self.row_numbers()), which)

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

    def padded(self, pixels: int) -> "Spectra":
        """The spectra on more pixels, those added of inverse variance 0.

        Parameters
        ----------
        pixels : int
            At least as many as there are.

        Returns
        -------
        Spectra
            Of shape (n, pixels).

        Examples
        --------
        >>> wave = np.linspace(4000, 5000, 3, dtype=np.float32)[None]
        >>> spectra = Spectra(np.array([7]), wave, wave, np.ones_like(wave), np.array([0.1])).padded(4)
        >>> spectra.wave_aa.tolist(), spectra.ivar.tolist()
        ([[4000.0, 4500.0, 5000.0, 5500.0]], [[1.0, 1.0, 1.0, 0.0]])
        """
        extra = pixels - self.wave_aa.shape[1]
        if extra <= 0:
            return self
        pad = ((0, 0), (0, extra))
        lsf = self.lsf_sigma_aa
        return replace(
            self,
            wave_aa=prolonged(self.wave_aa, extra),
            flux_lambda=np.pad(self.flux_lambda, pad),
            ivar=np.pad(self.ivar, pad),
            lsf_sigma_aa=None if lsf is None else np.pad(lsf, pad, mode="edge"),
        )


@dataclass(frozen=True)
class Form:
    """What spectra have in common that stand in one array, or in one file.

    Attributes
    ----------
    pixels : int
        As many as the longest has.
    ids : dtype
    columns : dict of str to dtype
        With room for what one of them lacks.
    has_lsf : bool
        Whether one of them has a line-spread function; those of the others are NaN.
    id_column : str
        What their files call the ids, if they agree.
    """

    pixels: int
    ids: np.dtype
    columns: dict[str, np.dtype]
    has_lsf: bool
    id_column: str

    @classmethod
    def of(cls, spectra: Spectra) -> "Form":
        """That of one set."""
        kinds = {name: values.dtype for name, values in spectra.columns.items()}
        has_lsf = spectra.lsf_sigma_aa is not None
        return cls(spectra.wave_aa.shape[1], spectra.ids.dtype, kinds, has_lsf, spectra.id_column)

    def joined(self, other: "Form") -> "Form":
        """That of two sets together; a number that one lacks is NaN there."""
        kinds = self.columns | other.columns
        for name, kind in kinds.items():
            gap = np.dtype(np.str_) if kind.kind == "U" else np.dtype(np.float64)
            kinds[name] = np.result_type(self.columns.get(name, gap), other.columns.get(name, gap))
        return Form(
            max(self.pixels, other.pixels),
            np.result_type(self.ids, other.ids),
            kinds,
            self.has_lsf or other.has_lsf,
            self.id_column if self.id_column == other.id_column else ID,
        )

    def applied(self, spectra: Spectra) -> Spectra:
        """One of the sets, like the others."""
        absent = {
            name: np.full(len(spectra), "" if kind.kind == "U" else np.nan)
            for name, kind in self.columns.items()
            if name not in spectra.columns
        }
        columns, longer = spectra.columns | absent, spectra.padded(self.pixels)
        lacks_lsf = self.has_lsf and longer.lsf_sigma_aa is None
        return replace(
            longer,
            lsf_sigma_aa=np.full_like(longer.wave_aa, np.nan) if lacks_lsf else longer.lsf_sigma_aa,
            ids=spectra.ids.astype(self.ids),
            columns={name: columns[name].astype(kind) for name, kind in self.columns.items()},
            rows=spectra.row_numbers(),
            id_column=self.id_column,
        )


def concatenate_spectra(parts: Sequence[Spectra], rejects: Rejects) -> Spectra:
    """One set of spectra below the other, as long as the longest; what one lacks is missing there."""
    form = reduce(Form.joined, map(Form.of, parts))
    whole: Spectra = concatenate_rows([form.applied(part) for part in parts])
    return replace(whole, rejects=rejects)
