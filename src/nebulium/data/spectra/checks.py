"""From what a file holds to spectra in nebulium's units, every pixel and row checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.glossary import FLUX_UNIT, WAVE_UNIT, conversion_factor
from nebulium.data.ids import ids_or_places
from nebulium.data.rejects import Rejects
from nebulium.data.spectra.parts import WAVES
from nebulium.data.spectra.spectrum_set import (
    Spectra,
    check_looks_like_aa,
    check_rising,
    not_rising,
    vacuum_from_air,
)
from nebulium.errors import SpectrumError

#: A flux below this in units of 1e-17 erg/s/cm2/Angstrom is more likely one in erg/s/cm2/Angstrom.
FAINTEST = 1e-9
#: What there is of each pixel beside its wavelength and flux.
PIXELWISE = ("ivar", "error", "variance", "mask", "lsf")
LOG_UNITS = (
    "log10(angstrom)",
    "log10(aa)",
    "log(angstrom)",
    "log(aa)",
    "log10 angstrom",
    "dex(angstrom)",
    "log10(a)",
)


@dataclass(frozen=True)
class Declared:
    """What the user declares, in place of what the file declares.

    Parameters
    ----------
    wave_unit, flux_unit : str, optional
        Units; ``log10(Angstrom)`` is one.
    air : bool, optional
        Whether the wavelengths are those in air.
    """

    wave_unit: str | None = None
    flux_unit: str | None = None
    air: bool | None = None


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
        wavelengths. Of that shape or (wave,): one of wave, air and log, for wavelengths, those in air and
        log10 of wavelengths. Of shape (n,): id and redshift.
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
    """

    name: str
    values: Mapping[str, np.ndarray]
    units: Mapping[str, str] = field(default_factory=dict)
    air: bool | None = None
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def checked_spectra(raw: RawSpectra, declared: Declared = Declared()) -> Spectra:  # noqa: B008 - frozen
    """Spectra in nebulium's units; those that cannot be used are set aside.

    Pixels whose flux or inverse variance is not finite are masked and counted. A spectrum is set aside if an
    inverse variance is negative, if no pixel is left, or if its own wavelengths are not sorted.
    """
    wave = _wave(raw.values)
    _check_shapes(raw, wave)
    wave, lsf, about_wave = _wavelengths(raw, wave, declared)
    flux, ivar, about_flux = _fluxes(raw, declared)
    flux, ivar, unusable = _masked_pixels(flux, ivar, raw.values.get("mask"))
    n, pixels = flux.shape
    ids, redshift = ids_or_places(raw.values.get("id"), n), raw.values.get("redshift", np.full(n, np.nan))
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
    )


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
    wave = next(values[key] for key in WAVES if key in values).astype(np.float64)
    if wave.ndim == 1:
        return wave
    wave[wave <= 0] = np.nan
    # One grid for all, if it is the same for all: a fault is then one of the file and not of a row.
    return wave[0] if np.all(wave == wave[:1]) else wave


def _ivar(values: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Inverse variance from whichever measure of noise there is; noise of 0 is no measurement."""
    if "ivar" in values:
        return values["ivar"].astype(np.float64)
    noise = values.get("error", values.get("variance"))
    if noise is None:
        return None
    noise = noise.astype(np.float64)
    variance = noise * np.abs(noise) if "error" in values else noise
    with np.errstate(divide="ignore", over="ignore"):
        return np.where(variance == 0, 0.0, 1.0 / variance)


def _wavelengths(
    raw: RawSpectra, wave: np.ndarray, declared: Declared
) -> tuple[np.ndarray, np.ndarray | None, dict[str, Any]]:
    """Angstrom in vacuum, the LSF with them, and what was assumed."""
    told = "log10(Angstrom)" if "log" in raw.values else raw.units.get("wave", raw.units.get("air", ""))
    wave, factor = _to_aa(raw.name, wave, told if declared.wave_unit is None else declared.wave_unit)
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


def _to_aa(where: str, wave: np.ndarray, unit: str) -> tuple[np.ndarray, float]:
    """Wavelengths in Angstrom, and the factor; a logarithm is undone."""
    if unit.strip().lower() in LOG_UNITS:
        if np.nanmax(wave) > 10.0:
            problem = f"is declared to hold {unit}, and holds values up to {np.nanmax(wave):g}"
            raise SpectrumError(where, problem, "declare the unit with wave_unit='Angstrom', say")
        return 10.0**wave, 1.0
    factor = _factor(where, unit, WAVE_UNIT, "wavelength", "wave_unit")
    return wave * factor, factor


def _fluxes(raw: RawSpectra, declared: Declared) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Flux and inverse variance in nebulium's units, as arrays of our own, and what was assumed."""
    unit = declared.flux_unit if declared.flux_unit is not None else raw.units.get("flux", "")
    factor = _factor(raw.name, unit, FLUX_UNIT, "flux", "flux_unit")
    with np.errstate(over="ignore"):
        flux = raw.values["flux"].astype(np.float64) * factor
        measured = _ivar(raw.values)
        ivar = np.ones_like(flux) if measured is None else measured / factor**2
    if declared.flux_unit is None:
        _check_plausible(raw.name, flux, unit)
    about = {"flux_unit": unit or f"{FLUX_UNIT} (not declared)"}
    if measured is None:
        about["ivar"] = "not in the file: 1 everywhere"
    return flux, ivar, about


def _factor(where: str, declared: str, wanted: str, what: str, argument: str) -> float:
    """Number by which to multiply; 1 where no unit is declared."""
    mend = f"declare the unit with {argument}='{wanted}', say, or convert the file"
    if not declared.strip():
        return 1.0
    return conversion_factor(declared, wanted, where=f"{where}, {what}", mend=mend, error=SpectrumError)


def _check_plausible(where: str, flux: np.ndarray, unit: str) -> None:
    """A spectrum in erg/s/cm2/Angstrom read as one in 1e-17 of it would be too faint to be true."""
    sizes = np.sort(np.abs(flux[np.isfinite(flux) & (flux != 0)]))
    middle = float(sizes[len(sizes) // 2]) if sizes.size else 1.0
    if middle < FAINTEST:
        problem = f"has fluxes of about {middle:.2g} in units of {FLUX_UNIT} (declared: {unit or 'none'})"
        mend = "declare the unit with flux_unit='erg/(s cm2 Angstrom)', say, or the unit above if it is right"
        raise SpectrumError(where, problem, mend)


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


def with_redshift(spectra: Spectra, redshift: np.ndarray, **columns: np.ndarray) -> Spectra:
    """The spectra with other redshifts."""
    return replace(spectra, redshift=np.asarray(redshift, np.float64), columns={**spectra.columns, **columns})
