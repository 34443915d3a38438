"""What is learned of spectra: where they lie along the components, how bright they are, and their lines."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from nebulium.data.ids import check_unique_ids, rows_of_ids
from nebulium.data.rejects import Rejects
from nebulium.data.spectra.checks import Declared
from nebulium.data.spectra.desi import read_redshifts
from nebulium.data.spectra.reading import iter_spectra, spectrum_files
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.tables.table import concatenate_rows, select_rows
from nebulium.errors import SpectrumError
from nebulium.nn.mapping import in_batches
from nebulium.spectra.continuum.basis import ContinuumBasis, grid_of, project_batch
from nebulium.spectra.continuum.emission import measure_batch, most_near
from nebulium.spectra.continuum.fitting import fit_basis, joined, on_rest_grid

SpectrumPaths = str | Path | Sequence[str | Path]

#: Rest wavelengths of the components: the twelve bins of the models of lines, and what surveys see beyond.
RANGE_AA = (3380.0, 8500.0)
#: Spectra that components are fitted to, at most, and so many a galaxy is measured with at a time.
MOST_FOR_BASIS, BATCH = 3000, 32
#: Spectra that are cut and measured together: memory holds little more than the cut ones.
AT_A_TIME = 512
#: Spectra of nearly the same length share one compiled function.
PIXEL_MULTIPLE = 512
#: Good pixels within the components, at the least.
LEAST_PIXELS = 100
#: Ids that a message names.
NAMED = 3


@dataclass(frozen=True, eq=False)
class MeasuredSpectra:
    """Spectra as the model learns from them.

    Attributes
    ----------
    ids : ndarray of shape (n,)
    redshift : ndarray of float32 of shape (n,)
    coefficients : ndarray of float32 of shape (n, component)
    log_flux : ndarray of float32 of shape (n,)
        Logarithm to base 10 of the flux of the continuum from 5400 to 5600 AA at rest, 1e-17 erg/s/cm2/AA.
    ew_aa, sigma_aa : ndarray of float32 of shape (n, 10)
        Equivalent widths and their errors; NaN where a line is not seen.
    chi_square : ndarray of float32 of shape (n,)
        Reduced, of the continuum.
    """

    ids: np.ndarray
    redshift: Float[np.ndarray, " n"]
    coefficients: Float[np.ndarray, "n component"]
    log_flux: Float[np.ndarray, " n"]
    ew_aa: Float[np.ndarray, "n 10"]
    sigma_aa: Float[np.ndarray, "n 10"]
    chi_square: Float[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: np.ndarray) -> "MeasuredSpectra":
        """Some of them."""
        return select_rows(self, rows)


@dataclass(frozen=True)
class SpectrumFiles:
    """Spectra that are read a chunk at a time, as often as needed.

    Attributes
    ----------
    source : str, Path or sequence of these
        As in `nebulium.data.read_spectra`.
    redshifts : str or Path, optional
        A table of redshifts, joined by id; those of the spectra if not given.
    declared : Declared
        What is declared in place of what the files say.
    """

    source: SpectrumPaths
    redshifts: str | Path | None = None
    declared: Declared = Declared()  # noqa: RUF009 - frozen
    _held: list[Spectra] = field(default_factory=list, init=False, repr=False)
    _rejects: Rejects = field(default_factory=Rejects, init=False, repr=False)

    @property
    def name(self) -> str:
        """For messages."""
        return str(self.source) if isinstance(self.source, str | Path) else str(self.source[0])

    def chunks(self, rejects: Rejects) -> Iterator[Spectra]:
        """Those with a redshift; the others are set aside. A single file, which is read whole, is kept."""
        files = spectrum_files(self.source)
        if isinstance(files, Path) or len(files) == 1:
            if not self._held:
                self._held.extend(self._read(files, self._rejects))
            rejects.take(self._rejects, 0)
            yield from self._held
        else:
            yield from self._read(files, rejects)

    def _read(self, files: Path | list[Path], rejects: Rejects) -> Iterator[Spectra]:
        declared = self.declared
        known = None if self.redshifts is None else read_redshifts(self.redshifts, declared.id_column)
        several = [files] if isinstance(files, Path) else files
        for spectra in iter_spectra(several, rejects, redshifts=known, declared=declared):
            z = spectra.redshift
            faults = [
                ("redshift is not known", np.isnan(z)),
                ("redshift is not above 0: its spectrum cannot be brought to rest", ~(z > 0)),
                ("has no pixel with inverse variance", ~np.any(spectra.ivar > 0, axis=1)),
            ]
            good = rejects.set_aside(faults, spectra.ids, rows=spectra.row_numbers())
            rows = np.flatnonzero(good)
            for first in range(0, len(rows), AT_A_TIME):
                yield _cut(spectra.select(rows[first : first + AT_A_TIME]))


def _cut(spectra: Spectra) -> Spectra:
    """The pixels within the range of the components, each spectrum's own."""
    rest = spectra.wave_aa / (1.0 + spectra.redshift[:, None])
    inside = (rest >= RANGE_AA[0]) & (rest <= RANGE_AA[1])
    most = max(int(inside.sum(axis=1).max()), 2)
    if most >= rest.shape[1]:
        return spectra
    first = np.minimum(np.argmax(inside, axis=1), rest.shape[1] - most)
    places = first[:, None] + np.arange(most)
    wave, flux, ivar = (
        np.take_along_axis(values, places, axis=1)
        for values in (spectra.wave_aa, spectra.flux_lambda, spectra.ivar)
    )
    return replace(spectra, lsf_sigma_aa=None, wave_aa=wave, flux_lambda=flux, ivar=ivar)


class SharedIds:
    """Which spectra are of galaxies with an image."""

    def __init__(self, images: np.ndarray | None):
        self.images, self.spectra = images, list[np.ndarray]()
        self.found = False

    def __call__(self, ids: np.ndarray) -> Bool[np.ndarray, " n"]:
        """Of some spectra those with an image; all if there are no images."""
        if self.images is None:
            return np.ones(len(ids), bool)
        shared = rows_of_ids(ids, self.images) >= 0
        self.found |= bool(shared.any())
        self.spectra.append(ids[:NAMED])
        return shared

    def check(self, where: str) -> None:
        """Refuse spectra and images that have no id in common."""
        if self.images is not None and self.spectra and not self.found:
            theirs, ours = (", ".join(map(str, ids[:NAMED])) for ids in (self.spectra[0], self.images))
            problem = f"has no id in common with the images ({theirs}, ... and {ours}, ...)"
            raise SpectrumError(where, problem, "give spectra and images the same ids")


def no_spectrum(where: str, rejects: Rejects) -> SpectrumError:
    """The error for spectra of which none can be used."""
    why = rejects.summary() if len(rejects) else "none is in the training part of the split"
    mend = "check the spectra; redshifts may come from a table: --redshifts TABLE (redshifts=)"
    return SpectrumError(where, f"gives no spectrum that can be used: {why}", mend)


def basis_of(
    files: SpectrumFiles, components: int, *, wanted: Callable[[np.ndarray], np.ndarray] | None = None
) -> ContinuumBasis:
    """Principal components of those spectra whose ids are wanted, 3,000 of them at most."""
    parts, count, rejects = [], 0, Rejects()
    for spectra in files.chunks(rejects):
        rows = np.arange(len(spectra)) if wanted is None else np.flatnonzero(wanted(spectra.ids))
        rows = rows[: MOST_FOR_BASIS - count]
        if len(rows):
            some = spectra.select(rows)
            grid = grid_of(*RANGE_AA)
            parts.append(on_rest_grid(some.wave_aa, some.flux_lambda, some.ivar, some.redshift, grid))
            count += len(rows)
        if count >= MOST_FOR_BASIS:
            break
    if not parts:
        raise no_spectrum(files.name, rejects)
    return fit_basis(joined(parts), components, where=files.name)


def measured_spectra(
    files: SpectrumFiles, basis: ContinuumBasis, *, among: np.ndarray | None, rejects: Rejects
) -> MeasuredSpectra:
    """Measure spectra; only those whose ids are among some, if these are given."""
    parts, shared = [], SharedIds(among)
    for spectra in files.chunks(rejects):
        spectra = spectra.select(shared(spectra.ids))
        if len(spectra):
            parts.append(measured_chunk(spectra, basis, rejects))
    parts = [part for part in parts if len(part)]
    if not parts:
        shared.check(files.name)
        raise no_spectrum(files.name, rejects)
    found = concatenate_rows(parts)
    check_unique_ids(lambda: [found.ids], where=files.name)
    return found


def spectra_of_images(
    files: SpectrumFiles, basis: ContinuumBasis, images: np.ndarray, rejects: Rejects
) -> tuple[MeasuredSpectra, Int[np.ndarray, " n"]]:
    """Spectra of images whose ids are given, measured, in the order of the images, and the rows of these."""
    measured = measured_spectra(files, basis, among=images, rejects=rejects)
    rows = rows_of_ids(measured.ids, images)
    order = np.argsort(rows)
    return measured.select(order), rows[order].astype(np.int64)


def measured_chunk(spectra: Spectra, basis: ContinuumBasis, rejects: Rejects) -> MeasuredSpectra:
    """Measure spectra that are in memory; those that cannot be used are set aside."""
    padded = spectra.padded(-(-spectra.wave_aa.shape[1] // PIXEL_MULTIPLE) * PIXEL_MULTIPLE)
    rows: tuple[Any, ...] = (
        padded.wave_aa,
        padded.flux_lambda,
        padded.ivar,
        padded.redshift.astype(np.float32),
    )
    place = in_batches(lambda *some: project_batch(basis, *some), *rows, size=BATCH)
    faults = [
        (f"has fewer than {LEAST_PIXELS} good pixels in the rest frame", place.pixels < LEAST_PIXELS),
        ("has no continuum above 0 at 5500 AA in the rest frame", ~(place.flux > 0)),
    ]
    good = rejects.set_aside(faults, spectra.ids, rows=spectra.row_numbers())
    most = most_near(padded.wave_aa, padded.redshift)
    measure = partial(measure_batch, basis, most=most)
    lines = in_batches(measure, place.coefficients, place.flux, *rows, size=BATCH)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_flux = np.log10(place.flux)
    every = MeasuredSpectra(
        spectra.ids, rows[-1], place.coefficients, log_flux, lines.ew_aa, lines.sigma_aa, place.chi_square
    )
    return every.select(good)
