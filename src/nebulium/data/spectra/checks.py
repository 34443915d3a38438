"""From what a file holds to spectra in nebulium's units, every pixel and row checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.column_checks import ColumnPlace, checked_column
from nebulium.data.glossary import FLUX_UNIT
from nebulium.data.ids import ids_from_text
from nebulium.data.rejects import Rejects
from nebulium.data.spectra.parts import ID, PIXELWISE, WAVES
from nebulium.data.spectra.spectrum_set import Spectra, check_rising, not_rising, vacuum_from_air
from nebulium.data.spectra.units import (
    check_looks_like_aa,
    check_plausible,
    flux_scale,
    noise_scale,
    same_system,
    wave_in_aa,
)
from nebulium.data.uncertainties import POWERS, Kind
from nebulium.errors import SpectrumError


@dataclass(frozen=True)
class Declared:
    """What the user declares, in place of what the file declares.

    Parameters
    ----------
    wave_unit, flux_unit : str, optional
        Units; ``log10(Angstrom)`` and ``ln(Angstrom)`` are some.
    air : bool, optional
        Whether the wavelengths are those in air.
    id_column : str, optional
        The column of the ids, or the keyword of the header.
    """

    wave_unit: str | None = None
    flux_unit: str | None = None
    air: bool | None = None
    id_column: str | None = None


@dataclass(frozen=True, eq=False)
class RawSpectra:
    """Spectra as a file holds them, for `checked_spectra`.

    Parameters
    ----------
    name : str
        The file.
    values : dict of str to ndarray
        By the keys of `NAMES`, in the file's units. Of shape (n, wave): flux; one of ivar, error and
        variance, or else the inverse variance is 1; mask, not 0 for a bad pixel; lsf, in the unit of the
        wavelengths. Of that shape or (wave,): one of wave, air, log and ln, for wavelengths, those in air,
        log10 and ln of wavelengths. Of shape (n,): id and redshift.
    units : dict of str to str
        As declared, by the same keys.
    air : bool, optional
        As declared; None if not.
    columns : dict of str to ndarray of shape (n,)
        More about each spectrum.
    metadata : dict
        More about the file.
    remarks : list of str
        What to add to the reason if a spectrum is set aside, such as "sky fibre"; one for each, or none.
    id_column : str
        What the file calls its ids.
    there : tuple of str
        The columns in which ids could stand, for messages.
    """

    name: str
    values: Mapping[str, np.ndarray]
    units: Mapping[str, str] = field(default_factory=dict)
    air: bool | None = None
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    id_column: str = ID
    there: tuple[str, ...] = ()


def checked_spectra(raw: RawSpectra, declared: Declared = Declared()) -> Spectra:  # noqa: B008 - frozen
    """Spectra in nebulium's units; those that cannot be used are set aside.

    Pixels whose flux or inverse variance is not finite are masked and counted. A spectrum is set aside if an
    inverse variance is negative, if no pixel is left, or if its own wavelengths are not sorted.
    """
    wave = _wave(raw.values)
    _check_shapes(raw, wave)
    wave, lsf, about_wave = _wavelengths(raw, wave, declared)
    flux, ivar, about_flux = _fluxes(raw, wave, declared)
    flux, ivar, unusable = _masked_pixels(flux, ivar, raw.values.get("mask"))
    n, pixels = flux.shape
    ids, redshift = _ids(raw, n), raw.values.get("redshift", np.full(n, np.nan))
    rejects, kept = _set_aside(raw.remarks or [""] * n, ids, wave, ivar)
    wave = np.broadcast_to(wave, (n, pixels))[kept]
    present = np.isfinite(wave)
    about = {"file": Path(raw.name).name, **about_wave, **about_flux}
    return Spectra(
        ids=ids[kept],
        wave_aa=_prolonged(wave).astype(np.float32),
        flux_lambda=flux[kept],
        ivar=np.where(present, ivar[kept], np.float32(0.0)),
        redshift=redshift[kept].astype(np.float64),
        lsf_sigma_aa=None if lsf is None else np.broadcast_to(lsf, (n, pixels))[kept].astype(np.float32),
        metadata={**raw.metadata, **about, "pixels_not_finite": int((unusable[kept] & present).sum())},
        name=raw.name,
        columns={name: values[kept] for name, values in raw.columns.items()},
        rows=np.flatnonzero(kept),
        rejects=rejects,
        id_column=raw.id_column,
    )


def _ids(raw: RawSpectra, n: int) -> np.ndarray:
    """Exact ids; one spectrum without an id goes by the name of its file, several are refused."""
    if "id" in raw.values:
        found = checked_column(raw.values["id"], ID, ColumnPlace(raw.name, raw.id_column))
        return ids_from_text(found)
    if n == 1:
        return np.array([Path(raw.name).name.split(".")[0]])
    listed = ", ".join(raw.there[:24]) + (" ..." if len(raw.there) > 24 else "")
    problem = f"holds {n:,} spectra and no column of ids that is known"
    problem += f" (it has {listed})" if listed else ", and no table in which one could stand"
    mend = "name the column of ids with --id COLUMN (id_column='COLUMN' in Python)"
    if not listed:
        mend = "add a table with a row for each spectrum and a column TARGETID, or keep one spectrum a file"
    raise SpectrumError(raw.name, problem, mend)


def _check_shapes(raw: RawSpectra, wave: np.ndarray) -> None:
    """Arrays that belong together."""
    flux = raw.values["flux"]
    if flux.ndim != 2 or not flux.size:
        problem = f"holds no spectrum: the flux has shape {flux.shape}"
        raise SpectrumError(raw.name, problem, "check how the file was made")
    noises = [(name, raw.values[name]) for name in PIXELWISE if name in raw.values]
    for name, values in (("wavelength", wave), *noises):
        if values.shape != flux.shape and not (name == "wavelength" and values.shape == flux.shape[1:]):
            problem = f"has {name} of shape {values.shape} for flux of shape {flux.shape}"
            raise SpectrumError(raw.name, problem, "check how the file was made")


def _wave(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """One grid, or one for each spectrum, where what is not positive is padding."""
    key = next(key for key in WAVES if key in values)
    wave = values[key].astype(np.float64)
    if wave.ndim == 1:
        return wave
    if np.any(wave > 0):
        wave[wave <= 0] = np.nan
    # One grid for all, if it is the same for all: a fault is then one of the file and not of a row.
    return wave[0] if np.all(wave == wave[:1]) else wave


def _ivar(values: np.ndarray, power: int) -> np.ndarray:
    """Inverse variance from a measure of noise, by which power of a flux it is; 0 is no measurement."""
    noise = values.astype(np.float64)
    if power == -2:
        return noise
    variance = noise * np.abs(noise) if power == 1 else noise
    with np.errstate(divide="ignore", over="ignore"):
        return np.where(variance == 0, 0.0, 1.0 / variance)


def _wavelengths(
    raw: RawSpectra, wave: np.ndarray, declared: Declared
) -> tuple[np.ndarray, np.ndarray | None, dict[str, Any]]:
    """Angstrom in vacuum, the LSF with them, and what was assumed."""
    key = next(key for key in WAVES if key in raw.values)
    told = {"log": "log10(Angstrom)", "ln": "ln(Angstrom)"}.get(key, raw.units.get(key, ""))
    wave, factor = wave_in_aa(raw.name, wave, told if declared.wave_unit is None else declared.wave_unit)
    if declared.wave_unit is None:
        check_looks_like_aa(wave, raw.name)
    if wave.ndim == 1:
        check_rising(wave, raw.name)
    air = declared.air if declared.air is not None else "air" in raw.values or raw.air
    about = {
        "wavelengths": "vacuum" if air is False else "air, converted" if air else "vacuum (not declared)"
    }
    with np.errstate(invalid="ignore"):
        wave = vacuum_from_air(wave) if air else wave
    return wave, raw.values["lsf"] * factor if "lsf" in raw.values else None, about


def _fluxes(
    raw: RawSpectra, wave_aa: np.ndarray, declared: Declared
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Flux and inverse variance in nebulium's units, as arrays of our own, and what was assumed."""
    stated = raw.units.get("flux", "")
    unit = declared.flux_unit if declared.flux_unit is not None else stated
    kind: Kind | None = next((kind for kind in POWERS if kind in raw.values), None)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        scale = flux_scale(raw.name, unit, wave_aa)
        flux = raw.values["flux"].astype(np.float64) * scale
        ivar = np.ones_like(flux)
        if kind is not None:
            own = raw.units.get(kind, "")
            if declared.flux_unit is not None and own and same_system(own, kind, stated):
                own = ""  # told in place of what the file declares of both
            power, of_noise = noise_scale(raw.name, kind, own, wave_aa, scale)
            ivar = _ivar(raw.values[kind] * of_noise, power)
    if declared.flux_unit is None:
        check_plausible(raw.name, flux, unit)
    about = {"flux_unit": unit or f"{FLUX_UNIT} (not declared)"}
    if kind is None:
        about["ivar"] = "not in the file: 1 everywhere"
    return flux, ivar, about


def _masked_pixels(
    flux: np.ndarray, ivar: np.ndarray, mask: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Single precision, 0 where a pixel cannot be used; and where it was not finite."""
    largest = float(np.finfo(np.float32).max)
    # A sentinel such as 1e300 is no number in single precision.
    unusable = ~((np.abs(flux) <= largest) & (ivar <= largest))
    bad = unusable if mask is None else unusable | (mask != 0)
    # A negative inverse variance is a fault of the spectrum even in a pixel that is masked.
    ivar = np.where(bad & ~(ivar < 0), 0.0, np.maximum(ivar, -largest)).astype(np.float32)
    return np.where(unusable, 0.0, flux).astype(np.float32), ivar, unusable


def _set_aside(
    remarks: list[str], ids: np.ndarray, wave: np.ndarray, ivar: np.ndarray
) -> tuple[Rejects, np.ndarray]:
    """Which spectra cannot be used, and why; the first reason counts."""
    rejects, kept = Rejects(), np.ones(len(ids), bool)
    for row, remark in enumerate(remarks):
        reason = _reason(wave if wave.ndim == 1 else wave[row], ivar[row], check_order=wave.ndim == 2)
        if reason:
            kept[row] = False
            rejects.add([row], ids[row : row + 1], f"{reason} ({remark})" if remark else reason)
    return rejects, kept


def _reason(wave: np.ndarray, ivar: np.ndarray, *, check_order: bool) -> str | None:
    """Why a spectrum cannot be used."""
    present = np.isfinite(wave)
    if not np.all(present[: int(present.sum())]):
        return f"has a wavelength that is not finite (pixel {int(np.argmin(present))})"
    order = not_rising(wave[present]) if check_order else None
    if order:
        return order
    negative = int(np.sum(ivar[present] < 0))
    if negative:
        return f"has a negative inverse variance in {negative} pixel{'s' if negative > 1 else ''}"
    return None if np.any(ivar[present] > 0) else "has inverse variance 0 everywhere"


def _prolonged(wave: np.ndarray) -> np.ndarray:
    """Padding at the end goes on with the last step, so that no pixel has a negative width."""
    absent = ~np.isfinite(wave)
    if not np.any(absent):
        return wave
    wave = wave.copy()
    for row in np.flatnonzero(absent.any(axis=1)):
        real = wave[row][~absent[row]]
        step = real[-1] - real[-2] if len(real) > 1 else 1.0
        start = real[-1] if len(real) else 1.0
        wave[row] = np.concatenate([real, start + step * np.arange(1, int(absent[row].sum()) + 1)])
    return wave
