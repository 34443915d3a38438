"""Spectra in and out: DESI coadds and stacks, SDSS, other FITS, Multimodal Universe Parquet."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from nebulium.data.extinction import deredden
from nebulium.data.files import columns_of, opened_fits, opened_parquet
from nebulium.data.spectra.checks import Declared, with_redshift
from nebulium.data.spectra.desi import is_desi_coadd, join_redshifts, read_desi_coadd, read_redshifts
from nebulium.data.spectra.fits import read_spectrum_fits, write_spectrum_fits
from nebulium.data.spectra.mmu import read_mmu, write_mmu
from nebulium.data.spectra.sdss import read_sdss_lines
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.tables.table import READABLE, ending_of
from nebulium.errors import OutputError, SpectrumError

__all__ = ["Spectra", "deredden", "is_spectrum_file", "read_sdss_lines", "read_spectra", "write_spectra"]

#: Names of columns or extensions that only a file of spectra has, in lower case.
SIGNS = {"spectrum", "spectrum_flux", "lambda", "loglam", "wave", "wavelength", "b_wavelength"}


def read_spectra(
    path: str | Path,
    *,
    redshifts: str | Path | float | int | np.ndarray | None = None,
    wave_unit: str | None = None,
    flux_unit: str | None = None,
    air: bool | None = None,
    ebv: float | int | np.ndarray | None = None,
    correct_extinction: bool = False,
) -> Spectra:
    """Read spectra from a file, whichever of the known layouts it has.

    Parameters
    ----------
    path : str or Path
        A DESI coadd or stack, an SDSS spec file, another FITS file with a spectrum, or Parquet in the
        layout of the Multimodal Universe. The file's content tells which.
    redshifts : str, Path, float or array of shape (n,), optional
        A Redrock file or a table with target_id and redshift, joined by id; or the redshifts themselves, in
        the order of the file. Those of the file itself (of ``redrock-X`` beside a DESI ``coadd-X``) if not
        given.
    wave_unit, flux_unit : str, optional
        Units, in place of what the file declares; ``log10(Angstrom)`` is one.
    air : bool, optional
        Whether the wavelengths are those in air, in place of what the file declares; they are then converted.
    ebv : float or array of shape (n,), optional
        E(B-V) of the Milky Way, as for `deredden`; the file's own if not given.
    correct_extinction : bool
        Take Galactic extinction out.

    Returns
    -------
    Spectra
        Spectra that cannot be used are set aside, with the reason, in ``rejects``.

    Raises
    ------
    SpectrumError
        If the file cannot be read, its units or wavelengths make no sense, or no spectrum is left.

    Examples
    --------
    >>> import tempfile
    >>> wave = np.linspace(4000, 5000, 3, dtype=np.float32)[None]
    >>> spectra = Spectra(np.array([7]), wave, np.ones_like(wave), np.ones_like(wave), np.array([np.nan]))
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_spectra(spectra, f"{scratch}/spectra.fits")
    ...     read_spectra(f"{scratch}/spectra.fits", redshifts=0.1).redshift.tolist()
    [0.1]
    """
    path = Path(path)
    table = read_redshifts(redshifts) if isinstance(redshifts, str | Path) else None
    spectra = _read(path, Declared(wave_unit, flux_unit, air))
    if not len(spectra):
        problem = f"holds no spectrum that can be used ({spectra.rejects.summary()})"
        raise SpectrumError(str(path), problem, "check the file")
    if table is not None:
        spectra = join_redshifts(spectra, table)
    elif redshifts is not None:
        spectra = _given_redshifts(spectra, np.asarray(redshifts, np.float64))
    return deredden(spectra, ebv) if correct_extinction else spectra


def write_spectra(spectra: Spectra, path: str | Path) -> None:
    """Write spectra, whole or not at all.

    Parameters
    ----------
    spectra : Spectra
        What to write.
    path : str or Path
        Ending in .parquet (layout of the Multimodal Universe) or .fits (a binary table, a row a spectrum).

    Raises
    ------
    OutputError
        If the ending is another one, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> wave = np.linspace(4000, 5000, 3, dtype=np.float32)[None]
    >>> spectra = Spectra(np.array([7]), wave, np.ones_like(wave), np.ones_like(wave), np.array([0.1]))
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_spectra(spectra, f"{scratch}/spectra.parquet")
    ...     read_spectra(f"{scratch}/spectra.parquet").redshift.tolist()
    [0.1]
    """
    form = READABLE.get(ending_of(Path(path)) or "")
    if form not in ("parquet", "fits"):
        problem = f"cannot be written as spectra: the ending {Path(path).suffix!r} is not .parquet or .fits"
        raise OutputError(str(path), problem, "choose one of these endings")
    (write_mmu if form == "parquet" else write_spectrum_fits)(spectra, path)


def is_spectrum_file(path: str | Path) -> bool:
    """Whether a file holds spectra rather than a table of features."""
    path = Path(path)
    form = _form(path)
    if form == "parquet":
        with opened_parquet(path, error=SpectrumError) as file:
            return bool({name.lower() for name in file.schema_arrow.names} & SIGNS)
    if form != "fits":
        return False
    with opened_fits(path, SpectrumError) as hdus:
        columns = [name for hdu in hdus for name in columns_of(hdu)]
        names = {name.lower() for name in (*columns, *(hdu.name for hdu in hdus))}
        only_images = not columns and any(hdu.is_image and hdu.header.get("NAXIS", 0) > 0 for hdu in hdus)
        return bool(SIGNS & names) or only_images


def _form(path: Path) -> str:
    """Format by the ending; a file that is not there is another fault than one of a wrong kind."""
    if not path.is_file():
        problem = "is a folder, expected a file" if path.is_dir() else "is not there"
        raise SpectrumError(str(path), problem, "check the path")
    return READABLE.get(ending_of(path) or "", "")


def _read(path: Path, declared: Declared) -> Spectra:
    """Dispatch on the ending, and for FITS on what is inside."""
    form = _form(path)
    if form == "parquet":
        return read_mmu(path, declared)
    if form != "fits":
        problem = f"has the ending {path.suffix!r}, expected .fits, .fits.gz or .parquet"
        raise SpectrumError(str(path), problem, "convert it to one of these")
    with opened_fits(path, SpectrumError) as hdus:
        return (read_desi_coadd if is_desi_coadd(hdus) else read_spectrum_fits)(path, hdus, declared)


def _given_redshifts(spectra: Spectra, values: np.ndarray) -> Spectra:
    """One for all, or one for each spectrum of the file, those set aside included."""
    total = len(spectra) + len(spectra.rejects.rows())
    if values.ndim and values.shape != (total,):
        problem = f"holds {total} spectra, but {values.size} redshifts were given"
        raise SpectrumError(spectra.name, problem, "give one for all or one for each")
    every = np.broadcast_to(values, (total,))[spectra.row_numbers()]
    return replace(with_redshift(spectra, every), metadata={**spectra.metadata, "redshifts": "given"})
