"""DESI: coadds of the pipeline, and redshifts of Redrock or of a table, joined to spectra by id."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.files import columns_of, native, opened_fits
from nebulium.data.glossary import found_names
from nebulium.data.ids import check_unique_ids, rows_of_ids
from nebulium.data.spectra.checks import Declared, RawSpectra, checked_spectra
from nebulium.data.spectra.parts import ID, NAMES, id_name, no_such_ids
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.tables.reading import column_names, read_table
from nebulium.data.tables.table import READABLE, Table, ending_of
from nebulium.errors import ImplausibleError, SpectrumError, TableError, mending

#: What a table of redshifts may say of each beside its id.
OF_REDSHIFTS = ("redshift", "zwarn", "spectype", "primary")
#: What is known of redshifts alone, and is out of date where these come from elsewhere.
ABOUT_REDSHIFT = ("zwarn", "spectype")


def read_redshifts(path: str | Path, id_column: str | None = None) -> Table:
    """Read a Redrock file, a DESI zcatalog, or another table with ids and redshifts by their usual names."""
    there = _columns_with_redshifts(Path(path), id_column)
    names = found_names(there, {key: NAMES[key] for key in OF_REDSHIFTS})
    named = id_name(there, id_column) or id_name(there, None)
    if named is None or "redshift" not in names:
        problem = f"has no columns of ids and redshifts by their usual names (it has {', '.join(there[:24])})"
        raise TableError(str(path), problem, f"call them {ID} and redshift, or name the ids with --id")
    # Names that are none of the glossary's, so that only what is needed is checked.
    wanted = {ID: named} | {key.upper() if key in ABOUT_REDSHIFT else key: one for key, one in names.items()}
    with mending(ImplausibleError, "convert the redshifts, or write their unit into the file"):
        table = read_table(path, columns=wanted)
    if "primary" in table:
        table = table.select(table["primary"].astype(bool))
    return table


def _columns_with_redshifts(path: Path, id_column: str | None) -> list[str]:
    """Columns of a table, of FITS those of the first extension that has ids and redshifts."""
    if READABLE.get(ending_of(path) or "") != "fits" or not path.is_file():
        return list(column_names(path))
    with opened_fits(path, TableError) as hdus:
        tables = [columns for hdu in hdus if (columns := columns_of(hdu))]
    for columns in tables:
        if found_names(columns, {"z": NAMES["redshift"]}) and (
            id_name(columns, id_column) or id_name(columns, None)
        ):
            return columns
    return list(dict.fromkeys(name for columns in tables for name in columns))


def join_redshifts(spectra: Spectra, table: Table, *, some: bool = True) -> Spectra:
    """Give spectra the redshifts of a table, by id; it must hold some of them, unless told otherwise."""
    ours = np.flatnonzero(rows_of_ids(table[ID], spectra.ids) >= 0) if len(spectra) else np.zeros(0, int)
    table = table.select(ours)
    check_unique_ids(lambda: [table[ID]], where=f"{table.name}, among the spectra of {spectra.name}")
    rows = rows_of_ids(spectra.ids, table[ID])
    found = rows >= 0
    if some and not np.any(found):
        problem = (
            f"has none of the ids of {spectra.name} ({', '.join(map(str, spectra.ids[:3].tolist()))} ...)"
        )
        raise SpectrumError(table.name, problem, "give the redshifts that belong to these spectra")
    columns = {key: one for key, one in spectra.columns.items() if key not in ABOUT_REDSHIFT}
    redshift = np.full(len(spectra), np.nan)
    redshift[found] = table["redshift"][rows[found]]
    if "ZWARN" in table:
        columns["zwarn"] = np.full(len(spectra), np.nan)
        columns["zwarn"][found] = table["ZWARN"][rows[found]]
    if "SPECTYPE" in table:
        columns["spectype"] = np.full(len(spectra), "", table["SPECTYPE"].astype(np.str_).dtype)
        columns["spectype"][found] = table["SPECTYPE"][rows[found]]
    joined = replace(spectra, redshift=redshift, columns=columns)
    joined.metadata["redshifts"] = table.name
    return joined


#: Arms in the order of their wavelengths; BRZ is what desispec writes when it has coadded them itself.
ARMS = ("B", "R", "Z", "BRZ")
#: Columns of the fibre map that are worth keeping.
FIBERMAP_COLUMNS = {
    "ebv": "EBV",
    "objtype": "OBJTYPE",
    "coadd_fiberstatus": "COADD_FIBERSTATUS",
    "ra": "TARGET_RA",
    "dec": "TARGET_DEC",
}
#: Fraction of a pixel by which the grids of two arms may differ.
GRID_TOLERANCE = 0.02


@dataclass(frozen=True, eq=False)
class Arm:
    """One arm of the spectrograph.

    Parameters
    ----------
    wave : ndarray of float64 of shape (wave,)
        Angstrom.
    flux, ivar : ndarray of shape (n, wave)
        Flux density and its inverse variance, 0 where masked.
    variance : ndarray of shape (n, wave), optional
        Of the line-spread function, Angstrom^2.
    """

    wave: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray
    variance: np.ndarray | None


def is_desi_coadd(hdus: Any) -> bool:
    """Whether a FITS file has the extensions of DESI's coadds."""
    return "FIBERMAP" in hdus and any(f"{arm}_WAVELENGTH" in hdus for arm in ARMS)


def read_desi_coadd(path: Path, hdus: Any, declared: Declared) -> Spectra:
    """Read a DESI coadd; arms are coadded by inverse variance where they overlap.

    A pixel whose mask is not 0 has inverse variance 0. The line-spread function is the second moment of the
    resolution matrix (Bolton & Schlegel 2010; Guy et al. 2023, AJ 165, 144). Redshifts come from the file
    ``redrock-X`` beside ``coadd-X``, if there is one.
    """
    arms = [_read_arm(path, hdus, arm) for arm in ARMS if f"{arm}_WAVELENGTH" in hdus]
    fibermap = hdus["FIBERMAP"].data
    whole = coadd_arms(str(path), arms)
    columns = {
        ours: native(fibermap[theirs])
        for ours, theirs in FIBERMAP_COLUMNS.items()
        if theirs in fibermap.names
    }
    arm = next(arm for arm in ARMS if f"{arm}_FLUX" in hdus)
    named = declared.id_column or "TARGETID"
    if named not in fibermap.names:
        raise no_such_ids(f"{path}, FIBERMAP", named, fibermap.names)
    values = {"id": native(fibermap[named]), "wave": whole.wave, "flux": whole.flux, "ivar": whole.ivar}
    if whole.variance is not None:
        values["lsf"] = np.sqrt(whole.variance)
    units = {
        "wave": "Angstrom",
        "flux": hdus[f"{arm}_FLUX"].header.get("BUNIT", "10**-17 erg/(s cm2 Angstrom)"),
    }
    units["ivar"] = hdus[f"{arm}_IVAR"].header.get("BUNIT", "")
    about = {"format": "DESI coadd"}
    raw = RawSpectra(str(path), values, units, False, columns, about, _remarks(columns), named)
    spectra = _without_sky(checked_spectra(raw, declared))
    redrock = path.with_name(path.name.replace("coadd-", "redrock-", 1))
    if redrock == path or not redrock.exists() or not len(spectra):
        return spectra
    return join_redshifts(spectra, read_redshifts(redrock))


def coadd_arms(where: str, arms: list[Arm]) -> Arm:
    """Put arms on their common grid; where two overlap, average by inverse variance."""
    if len(arms) == 1:
        return arms[0]
    wave, places = _common_grid(where, [arm.wave for arm in arms])
    shape = (len(arms[0].flux), len(wave))
    sums = {name: np.zeros(shape) for name in ("ivar", "flux", "plain", "count", "lsf", "lsf_weight")}
    negative = np.zeros(shape, bool)
    for arm, place in zip(arms, places, strict=True):
        good = np.where(np.isfinite(arm.flux) & np.isfinite(arm.ivar), arm.ivar, 0.0)
        finite = np.nan_to_num(arm.flux, nan=0.0, posinf=0.0, neginf=0.0)
        sums["ivar"][:, place] += good
        sums["flux"][:, place] += good * finite
        sums["plain"][:, place] += finite
        sums["count"][:, place] += np.isfinite(arm.flux)
        negative[:, place] |= good < 0
        if arm.variance is not None:
            # Where nothing was measured the line-spread function still is what it is.
            share = np.maximum(good, 1e-30)
            sums["lsf"][:, place] += share * arm.variance
            sums["lsf_weight"][:, place] += share
    # A negative inverse variance must not vanish in a sum: the spectrum is to be set aside.
    weight = np.where(negative, -1.0, sums["ivar"])
    plain = np.where(sums["count"] > 0, sums["plain"] / np.maximum(sums["count"], 1.0), np.nan)
    flux = np.where(weight > 0, sums["flux"] / np.where(weight > 0, weight, 1.0), plain)
    known = all(arm.variance is not None for arm in arms)
    return Arm(wave, flux, weight, sums["lsf"] / sums["lsf_weight"] if known else None)


def _common_grid(where: str, waves: list[np.ndarray]) -> tuple[np.ndarray, list[slice]]:
    """The grid that all arms are pieces of, and where each of them lies on it."""
    step = float(np.median(np.diff(waves[0])))
    start = min(float(wave[0]) for wave in waves)
    firsts = [round((float(wave[0]) - start) / step) for wave in waves]
    size = max(first + len(wave) for first, wave in zip(firsts, waves, strict=True))
    grid = start + step * np.arange(size)
    places = [slice(first, first + len(wave)) for first, wave in zip(firsts, waves, strict=True)]
    covered, mend = np.zeros(size, bool), "coadd the arms first, with desispec.coaddition.coadd_cameras"
    for wave, place in zip(waves, places, strict=True):
        covered[place] = True
        if np.max(np.abs(grid[place] - wave)) > GRID_TOLERANCE * step:
            problem = "has arms whose wavelengths are not pieces of one grid"
            raise SpectrumError(where, problem, mend)
    if not np.all(covered):
        problem = f"has a gap between its arms at {grid[np.argmin(covered)]:.1f} Angstrom"
        raise SpectrumError(where, problem, mend)
    return grid, places


def _read_arm(path: Path, hdus: Any, arm: str) -> Arm:
    """One arm; masked pixels get inverse variance 0, bad numbers are left for the checks."""
    for part in ("FLUX", "IVAR"):
        if f"{arm}_{part}" not in hdus:
            problem = f"has no extension {arm}_{part}, but {arm}_WAVELENGTH"
            raise SpectrumError(str(path), problem, "download it again")
    wave, flux, ivar = (native(hdus[f"{arm}_{part}"].data) for part in ("WAVELENGTH", "FLUX", "IVAR"))
    if flux.ndim != 2 or flux.shape != ivar.shape or flux.shape[1:] != wave.shape:
        problem = (
            f"has {arm}_FLUX of shape {flux.shape}, {arm}_IVAR {ivar.shape}, {arm}_WAVELENGTH {wave.shape}"
        )
        raise SpectrumError(str(path), problem, "download it again")
    if f"{arm}_MASK" in hdus:
        ivar = np.where((native(hdus[f"{arm}_MASK"].data) != 0) & (ivar > 0), 0.0, ivar)
    name = f"{arm}_RESOLUTION"
    variance = lsf_variance(native(hdus[name].data), np.gradient(wave)) if name in hdus else None
    return Arm(wave, flux.astype(np.float64), ivar.astype(np.float64), variance)


def lsf_variance(resolution: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Variance of the line-spread function from the diagonals of DESI's resolution matrix."""
    half = resolution.shape[1] // 2
    offsets = np.arange(half, half - resolution.shape[1], -1, dtype=np.float64)[None, :, None]
    # Noise in the far wings goes below 0, and their squared distance would carry it into the moment.
    weights = np.maximum(resolution, 0.0)
    total = weights.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (weights * offsets).sum(axis=1) / total
        square = (weights * offsets**2).sum(axis=1) / total
        return (square - mean**2) * step**2


def _without_sky(spectra: Spectra) -> Spectra:
    """Sky fibres have a signal as well, but not that of a galaxy."""
    sky = spectra.columns.get("objtype", np.zeros(len(spectra), np.str_)) == "SKY"
    return spectra.without(sky, "is a sky fibre") if np.any(sky) else spectra


def _remarks(columns: Mapping[str, np.ndarray]) -> list[str]:
    """What the fibre map says that explains a spectrum without a signal."""
    if "objtype" not in columns:
        return []
    types = columns["objtype"].tolist()
    status = columns.get("coadd_fiberstatus", np.zeros(len(types), int)).tolist()
    kinds = [{"SKY": "sky fibre", "TGT": "", "": "no target"}.get(one, f"OBJTYPE {one}") for one in types]
    bits = [f"fibre status {int(one)}" if one else "" for one in status]
    return [", ".join(filter(None, parts)) for parts in zip(kinds, bits, strict=True)]
