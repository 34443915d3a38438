"""Spectra in and out: DESI coadds and stacks, SDSS, other FITS, Multimodal Universe Parquet."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.extinction import deredden
from nebulium.data.files import columns_of, is_pattern, matching, opened_fits, opened_parquet
from nebulium.data.glossary import FILE
from nebulium.data.ids import check_unique_ids
from nebulium.data.rejects import Rejects
from nebulium.data.spectra.checks import Declared
from nebulium.data.spectra.desi import is_desi_coadd, join_redshifts, read_desi_coadd, read_redshifts
from nebulium.data.spectra.fits import read_spectrum_fits
from nebulium.data.spectra.mmu import read_mmu
from nebulium.data.spectra.parts import NAMES, WAVES
from nebulium.data.spectra.sdss import read_sdss_lines
from nebulium.data.spectra.spectrum_set import Spectra, concatenate_spectra
from nebulium.data.tables.table import READABLE, Table, ending_of
from nebulium.errors import NebuliumError, SpectrumError

__all__ = ["Spectra", "deredden", "is_spectrum_file", "read_sdss_lines", "read_spectra"]

#: Names of columns or extensions that only a file of spectra has, in lower case.
SIGNS = {"spectrum", "spectrum_flux", "b_wavelength", *(name for key in WAVES for name in NAMES[key])}
#: Spectra of many files that are in memory at a time.
SPECTRA_PER_CHUNK = 512


def read_spectra(
    path: str | Path | Sequence[str | Path],
    *,
    redshifts: str | Path | float | int | np.ndarray | None = None,
    wave_unit: str | None = None,
    flux_unit: str | None = None,
    air: bool | None = None,
    id_column: str | None = None,
    ebv: float | int | np.ndarray | None = None,
    correct_extinction: bool = False,
) -> Spectra:
    """Read spectra from a file, whichever of the known layouts it has, or from many files.

    Parameters
    ----------
    path : str, Path or sequence of these
        A DESI coadd or stack, an SDSS spec or spSpec file, another FITS file with a spectrum, or Parquet in
        the layout of the Multimodal Universe. The file's content tells which. A folder, a pattern such as
        ``spec-*.fits`` or several files make one set, with the column ``file``; a file that cannot be read is
        set aside.
    redshifts : str, Path, float or array of shape (n,), optional
        A Redrock file, a DESI zcatalog or a table with ids and redshifts, joined by id; or the redshifts
        themselves, in the order of the file. Those of the file itself (of ``redrock-X`` beside a DESI
        ``coadd-X``) if not given.
    wave_unit, flux_unit : str, optional
        Units, in place of what the file declares; ``log10(Angstrom)`` and ``ln(Angstrom)`` are some.
    air : bool, optional
        Whether the wavelengths are those in air, in place of what the file declares; they are then converted.
    id_column : str, optional
        The file's column of ids (of one spectrum also a keyword of the header); found by its usual names if
        not given.
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
        If the file cannot be read, its units or wavelengths make no sense, several spectra have no ids, or no
        spectrum is left.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data import write_spectra
    >>> wave = np.linspace(4000, 5000, 3, dtype=np.float32)[None]
    >>> spectra = Spectra(np.array([7]), wave, np.ones_like(wave), np.ones_like(wave), np.array([np.nan]))
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_spectra(spectra, f"{scratch}/spectra.fits")
    ...     read_spectra(f"{scratch}/spectra.fits", redshifts=0.1).redshift.tolist()
    [0.1]
    """
    declared, files = Declared(wave_unit, flux_unit, air, id_column), spectrum_files(path)
    known = read_redshifts(redshifts, id_column) if isinstance(redshifts, str | Path) else redshifts
    if isinstance(files, Path):
        spectra = _with_redshifts(_usable(files, declared), known)
    else:
        rejects = Rejects()
        parts = list(iter_spectra(files, rejects, redshifts=known, declared=declared))
        name = str(path) if isinstance(path, str | Path) else str(files[0].parent)
        spectra = replace(concatenate_spectra(parts, rejects), name=name)
    return deredden(spectra, ebv) if correct_extinction else spectra


def iter_spectra(
    files: Sequence[Path],
    rejects: Rejects,
    *,
    redshifts: Table | float | np.ndarray | None = None,
    declared: Declared = Declared(),  # noqa: B008 - frozen
    spectra_per_chunk: int = SPECTRA_PER_CHUNK,
) -> Iterator[Spectra]:
    """Spectra of many files, some files at a time; rows are counted through all of them.

    A file that cannot be read is set aside, unless none can be; an id that comes again is an error. Ids are
    text in all chunks where they are in the first.
    """
    held: list[Spectra] = []
    file_of: dict[Any, str] = {}
    first, faults = 0, list[NebuliumError]()
    begun = as_text = False
    for file in files:
        try:
            spectra = _usable(file, declared)
        except NebuliumError as fault:
            faults.append(fault)
            reason = f"cannot be read: {fault.problem}"
            rejects.add([first], np.array([str(file)]), reason)
            first += 1
            continue
        _check_new(spectra, file, file_of)
        rejects.take(spectra.rejects, first)
        rows = spectra.row_numbers() + first
        first += len(spectra) + len(spectra.rejects.rows())
        columns = {**spectra.columns, FILE: np.full(len(spectra), str(file))}
        as_text = as_text or (spectra.ids.dtype.kind == "U" and not begun)
        if as_text:
            spectra = replace(spectra, ids=spectra.ids.astype(np.str_))
        elif spectra.ids.dtype.kind == "U":
            problem = f"has ids that are text ({spectra.ids[0]}), and the files before it have numbers"
            raise SpectrumError(str(file), problem, "give it in a call of its own, or name it first")
        held.append(replace(spectra, rows=rows, columns=columns, name=str(file)))
        if sum(map(len, held)) >= spectra_per_chunk:
            yield _joined(held, rejects, redshifts)
            held, begun = [], True
    if held:
        yield _joined(held, rejects, redshifts)
    if len(faults) == len(files):
        raise faults[0]


def _joined(held: Sequence[Spectra], rejects: Rejects, redshifts: Any) -> Spectra:
    whole = concatenate_spectra(held, rejects)
    about = {key: one for key, one in whole.metadata.items() if key != "file"} if len(held) == 1 else {}
    return _with_redshifts(replace(whole, metadata=about), redshifts, of_many=True)


def _check_new(spectra: Spectra, file: Path, file_of: dict[Any, str]) -> None:
    """Refuse an id that comes twice in a file, or that another file holds as well."""
    check_unique_ids(lambda: [spectra.ids], where=str(file))
    for identifier in spectra.ids.tolist():
        other = file_of.setdefault(str(identifier), str(file))
        if other != str(file):
            problem = f"holds the id {identifier}, which {other} holds as well"
            raise SpectrumError(str(file), problem, "give each galaxy once, or name other ids with --id")


def spectrum_files(source: str | Path | Sequence[str | Path]) -> Path | list[Path]:
    """The file, or the files of a folder, of a pattern or of a list of these, each once."""
    if isinstance(source, str | Path):
        path = Path(source)
        if path.is_dir():
            found = sorted(file for file in path.iterdir() if _is_readable(file))
        elif is_pattern(path):
            found = matching(path)
        else:
            return path
        if not found:
            problem = "holds no file of spectra" if path.is_dir() else "is a pattern that no file has"
            raise SpectrumError(str(path), f"{problem} (.fits, .fits.gz or .parquet)", "check the path")
        return found
    parts = [spectrum_files(one) for one in source]
    if len(parts) == 1:
        return parts[0]
    files = [file for part in parts for file in ([part] if isinstance(part, Path) else part)]
    if not files:
        raise SpectrumError("spectra", "expected a file, found none", "name a file, a folder or a pattern")
    return list(dict.fromkeys(files))


def _is_readable(file: Path) -> bool:
    """Whether the ending of a file is one that spectra have."""
    return READABLE.get(ending_of(file) or "") in ("fits", "parquet") and not file.name.startswith(".")


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


def _usable(path: Path, declared: Declared) -> Spectra:
    """The spectra of a file, at least one."""
    form = _form(path)
    if form == "parquet":
        spectra = read_mmu(path, declared)
    elif form == "fits":
        with opened_fits(path, SpectrumError) as hdus:
            read = read_desi_coadd if is_desi_coadd(hdus) else read_spectrum_fits
            spectra = read(path, hdus, declared)
    else:
        problem = f"has the ending {path.suffix!r}, expected .fits, .fits.gz or .parquet"
        raise SpectrumError(str(path), problem, "convert it to one of these")
    if not len(spectra):
        problem = f"holds no spectrum that can be used ({spectra.rejects.summary()})"
        raise SpectrumError(str(path), problem, "check the file")
    return spectra


def _with_redshifts(
    spectra: Spectra, redshifts: Table | float | np.ndarray | None, *, of_many: bool = False
) -> Spectra:
    """Redshifts of a table, or those given: one for all, or one for each of the file, those set aside too."""
    if redshifts is None:
        return spectra
    if isinstance(redshifts, Table):
        return join_redshifts(spectra, redshifts, some=not of_many)
    values, total = np.asarray(redshifts, np.float64), len(spectra) + len(spectra.rejects.rows())
    if values.ndim and (values.shape != (total,) or of_many):
        problem = f"holds {total} spectra, but {values.size} redshifts were given"
        raise SpectrumError(spectra.name, problem, "give one for all or one for each")
    every = values if not values.ndim else values[spectra.row_numbers()]
    columns = {name: one for name, one in spectra.columns.items() if name != "zwarn"}
    metadata = {**spectra.metadata, "redshifts": "given"}
    return replace(
        spectra, redshift=np.broadcast_to(every, (len(spectra),)), columns=columns, metadata=metadata
    )
