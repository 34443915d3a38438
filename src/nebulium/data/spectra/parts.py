"""Parts of spectra by what files call them, put together for the checks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.ids import ids_or_places
from nebulium.data.spectra.checks import RawSpectra

#: Names of columns, lists and extensions, in lower case, by what they hold; the first that is there is taken.
NAMES: Mapping[str, tuple[str, ...]] = {
    "wave": ("wave", "wavelength", "wave_aa", "lambda", "lam", "wl", "obs_wave", "wave_vac", "vacuum_wave"),
    "air": ("wave_air", "air_wave", "lambda_air", "wavelength_air", "airwave"),
    "log": ("loglam", "log_wave", "logwave", "log_lambda", "loglambda"),
    "flux": (
        "flux", "flux_lambda", "f_lambda", "flam", "flux_density", "fluxdensity", "spectrum",
        "spec", "sci", "data",
    ),
    "ivar": ("ivar", "invvar", "inverse_variance", "flux_ivar", "weight"),
    "error": (
        "err", "error", "sigma", "sig", "uncertainty", "flux_err", "flux_error", "fluxerr", "noise",
        "std", "e_flux",
    ),
    "variance": ("var", "variance", "stat"),
    "mask": ("mask", "dq", "and_mask", "quality"),
    "lsf": ("lsf_sigma_aa", "lsf_sigma"),
    "id": ("target_id", "targetid", "object_id", "objid", "specobjid", "stackid", "id"),
    "redshift": ("redshift", "z"),
    "ebv": ("ebv",),
    "zwarn": ("zwarn", "zwarning"),
    "ra": ("ra",),
    "dec": ("dec",),
    "objtype": ("objtype",),
    "dispersion": ("wdisp",),
}  # fmt: skip
#: Any of these tells the wavelengths.
WAVES = ("wave", "air", "log")


def raw_spectra(
    path: Path,
    values: Mapping[str, np.ndarray],
    units: Mapping[str, str],
    *,
    air: bool | None,
    columns: dict[str, np.ndarray],
    about: Mapping[str, Any],
) -> RawSpectra:
    """What a file holds, by the keys of ``NAMES``, in the form in which it is checked."""
    return RawSpectra(
        name=str(path),
        ids=ids_or_places(values.get("id"), len(values["flux"])),
        wave=_wave(values),
        flux=values["flux"],
        ivar=_ivar(values),
        mask=None if "mask" not in values else values["mask"] != 0,
        lsf_sigma=values.get("lsf"),
        redshift=values.get("redshift"),
        wave_unit="log10(Angstrom)" if "log" in values else units.get("wave", units.get("air", "")),
        flux_unit=units.get("flux", ""),
        air=True if "air" in values else air,
        columns=columns,
        metadata={**about, "file": path.name},
    )


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
