"""Spectra in FITS files: binary tables, or images with a wavelength axis."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.files.fits import native
from nebulium.data.glossary import WAVE_UNIT
from nebulium.data.output import replace_on_success
from nebulium.data.spectra.checks import Declared, RawSpectra, checked_spectra
from nebulium.data.spectra.sdss import ids_from_text
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.errors import OutputError, SpectrumError

#: Names of columns and extensions, in lower case, by what they hold; the first that is there is taken.
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
    "dispersion": ("wdisp",),
}  # fmt: skip
#: Tables about each spectrum, by which layouts are known: of SDSS's spec files and DESI's stacks.
ABOUT = {"SPECOBJ": "SDSS spec", "STACKINFO": "DESI stack"}
#: A pixel of an SDSS coadd is 1e-4 dex wide.
DEX_PER_PIXEL = 1e-4
#: What the header may say of the frame of the wavelengths.
AIR_WORDS = {"air": True, "vac": False, "vacuum": False}


@dataclass(frozen=True, eq=False)
class _Parts:
    """What was found in the file, by the keys of ``NAMES``, with the units declared."""

    values: dict[str, np.ndarray]
    units: dict[str, str]
    air: bool | None


def read_spectrum_fits(path: Path, hdus: Any, declared: Declared) -> Spectra:
    """Read spectra from a FITS file: SDSS's spec files, DESI's stacks, or of no survey in particular.

    Either a binary table with columns of wavelength, flux and, if there are, ivar, error or variance and
    mask (a row a pixel, or a row a spectrum with arrays in the cells); or images: extensions named in the
    same way, or one image with the wavelengths in its header (CRVAL1, CDELT1 or CD1_1, CRPIX1; CTYPE1 WAVE,
    AWAV, WAVE-LOG, AWAV-LOG, LINEAR or LOG-LINEAR; DC-FLAG 1 for log10). Wavelengths are in air if CTYPE1,
    AIRORVAC, VACUUM or the column's name says so, or the user.
    """
    parts = _from_table(hdus) or _from_images(path, hdus)
    if parts is None:
        problem = f"has no flux with wavelengths that could be found; it has {_listed(hdus)}"
        mend = "name the columns or extensions wave, flux and ivar, or give the image CRVAL1 and CDELT1"
        raise SpectrumError(str(path), problem, mend)
    values = {
        key: np.atleast_2d(array) if key in _PIXELWISE else array for key, array in parts.values.items()
    }
    flux = values["flux"]
    if flux.ndim > 2:
        problem = f"has flux of shape {flux.shape}, expected (wave,) or (n, wave)"
        raise SpectrumError(str(path), problem, "extract the spectra from the cube or the raw frame first")
    values |= _about(hdus, len(flux))
    log = "log" in values
    columns = {"ebv": np.float64, "zwarn": np.int64}
    raw = RawSpectra(
        name=str(path),
        ids=_ids(path, hdus, values, len(flux)),
        wave=_wave(values),
        flux=flux,
        ivar=_ivar(values),
        mask=None if "mask" not in values else values["mask"] != 0,
        lsf_sigma=_lsf_sigma(values),
        redshift=_redshift(hdus, values, len(flux)),
        wave_unit="log10(Angstrom)" if log else parts.units.get("wave", parts.units.get("air", "")),
        flux_unit=parts.units.get("flux", ""),
        air=True if "air" in values else parts.air,
        columns={name: values[name].astype(kind) for name, kind in columns.items() if name in values},
        metadata={"format": _layout(hdus), "file": path.name},
    )
    return checked_spectra(raw, declared)


_PIXELWISE = ("flux", "ivar", "error", "variance", "mask", "lsf", "dispersion")
_WHOLE = ("id", "redshift", "ebv", "zwarn")


def _layout(hdus: Any) -> str:
    """Whose layout it is, by the table that it keeps beside the spectra."""
    return next((layout for table, layout in ABOUT.items() if table in hdus), "FITS")


def _about(hdus: Any, count: int) -> dict[str, np.ndarray]:
    """Id, redshift and warning bits of each spectrum, from the table that surveys keep beside the spectra."""
    data = next((hdus[table].data for table in ABOUT if table in hdus), None)
    if data is None or len(data) != count:
        return {}
    found = _find(name for name in data.names if data[name].ndim == 1)
    return {key: native(data[found[key]]) for key in _WHOLE if key in found}


def _lsf_sigma(values: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Line-spread function in the unit of the wavelengths; SDSS has it in pixels of 1e-4 dex."""
    if "dispersion" not in values or "log" not in values:
        return values.get("lsf")
    wave = 10.0 ** np.atleast_2d(values["log"]).astype(np.float64)
    return np.asarray(values["dispersion"] * DEX_PER_PIXEL * np.log(10.0) * wave)


def _from_table(hdus: Any) -> _Parts | None:
    """The first binary table with flux and wavelengths."""
    for hdu in hdus:
        if hdu.header.get("XTENSION") != "BINTABLE" or not hasattr(hdu, "columns") or hdu.data is None:
            continue
        found = _find(hdu.columns.names)
        if "flux" not in found or not _WAVES & set(found) or not len(hdu.data):
            continue
        values = {key: native(hdu.data[name]) for key, name in found.items()}
        if values["flux"].ndim == 1:
            # A row a pixel: what belongs to the spectrum as a whole cannot be a column.
            values = {key: array for key, array in values.items() if key not in _WHOLE}
        units = {key: str(hdu.columns[name].unit or "") for key, name in found.items()}
        return _Parts(values, _with_header_unit(units, hdus, hdu), _air(hdus, hdu, ""))
    return None


def _from_images(path: Path, hdus: Any) -> _Parts | None:
    """Extensions by name; the flux may also be the first image of the file, whatever its name."""
    images = {hdu.name: hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) > 0}
    if not images:
        return None
    found = _find(images)
    if "flux" not in found:
        taken = set(found.values())
        found["flux"] = next((name for name in images if name not in taken), "")
    if not found["flux"]:
        return None
    flux_hdu = images[found["flux"]]
    values = {key: native(images[name].data) for key, name in found.items()}
    units = {key: str(images[name].header.get("BUNIT", "")) for key, name in found.items()}
    kind = ""
    if not _WAVES & set(found):
        key, values_of_axis, units["wave"], kind = _axis(path, flux_hdu)
        if values_of_axis is None:
            return None
        values[key] = values_of_axis
    wave_hdu = next((images[found[key]] for key in ("wave", "air", "log") if key in found), flux_hdu)
    return _Parts(values, units, _air(hdus, wave_hdu, kind))


_WAVES = {"wave", "air", "log"}


def _find(names: Iterable[str]) -> dict[str, str]:
    """Key of ``NAMES`` -> the name in the file."""
    lower = {name.lower(): name for name in names}
    chosen = {
        key: next((lower[name] for name in known if name in lower), None) for key, known in NAMES.items()
    }
    return {key: name for key, name in chosen.items() if name is not None}


def _axis(path: Path, hdu: Any) -> tuple[str, np.ndarray | None, str, str]:
    """Wavelengths of the first axis of an image, from its header (Greisen et al. 2006, A&A 446, 747)."""
    header = hdu.header
    step = header.get("CDELT1", header.get("CD1_1"))
    if "CD1_1" in header:
        step = header["CD1_1"]
    start = header.get("CRVAL1")
    if start is None or not step:
        return "wave", None, "", ""
    kind = str(header.get("CTYPE1", "")).strip().upper()
    pixels = np.arange(header["NAXIS1"], dtype=np.float64) + 1.0 - float(header.get("CRPIX1", 1.0))
    unit = str(header.get("CUNIT1", "")).strip()
    if kind.startswith(("FREQ", "ENER", "WAVN", "VELO", "VRAD", "VOPT")):
        problem = f"has an axis of type {kind}, expected wavelengths"
        raise SpectrumError(str(path), problem, "convert it to wavelengths first")
    if kind.endswith("-LOG"):
        return "wave", start * np.exp(pixels * step / start), unit, kind
    if header.get("DC-FLAG") == 1 or kind.startswith("LOG") or "LOG" in unit.upper():
        return "log", start + pixels * step, "", kind
    return "wave", start + pixels * step, unit, kind


def _air(hdus: Any, hdu: Any, kind: str) -> bool | None:
    """What the file declares about air and vacuum; None if nothing."""
    if kind.startswith("AWAV"):
        return True
    for header in (hdu.header, hdus[0].header):
        word = str(header.get("AIRORVAC", "")).strip().lower()
        if word in AIR_WORDS:
            return AIR_WORDS[word]
        if isinstance(header.get("VACUUM"), bool):
            return not header["VACUUM"]
    # By the standard, WAVE is the wavelength in vacuum.
    return False if kind.startswith("WAVE-") or kind == "WAVE" else None


def _with_header_unit(units: dict[str, str], hdus: Any, hdu: Any) -> dict[str, str]:
    """A table whose flux column has no unit may have it in BUNIT."""
    bunit = hdu.header.get("BUNIT", hdus[0].header.get("BUNIT", ""))
    return {**units, "flux": units.get("flux") or str(bunit)}


def _wave(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """One grid, or one for each spectrum; what is not positive at the end of a grid is padding."""
    key = next(key for key in ("wave", "air", "log") if key in values)
    wave = values[key].astype(np.float64)
    if wave.ndim == 1:
        return wave
    if np.all(wave == wave[:1]):
        return wave[0]
    wave[wave <= 0] = np.nan
    return wave


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


def _ids(path: Path, hdus: Any, values: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    """From a column, else from the header, else the name of the file."""
    if len(values.get("id", ())) == count:
        return ids_from_text(values["id"])
    if count > 1:
        return np.arange(count, dtype=np.int64)
    for keyword in ("TARGETID", "OBJID", "SPECOBJID", "OBJECT"):
        found = next((hdu.header[keyword] for hdu in hdus if hdu.header.get(keyword)), None)
        if found is not None:
            return ids_from_text(np.array([str(found)]))
    return np.array([path.name.split(".")[0]])


def _redshift(hdus: Any, values: Mapping[str, np.ndarray], count: int) -> np.ndarray | None:
    """From a column, else from the header of a single spectrum."""
    if len(values.get("redshift", ())) == count:
        return values["redshift"].astype(np.float64)
    for keyword in ("REDSHIFT", "Z"):
        for hdu in hdus:
            found = hdu.header.get(keyword)
            if count == 1 and isinstance(found, int | float) and not isinstance(found, bool):
                return np.array([float(found)])
    return None


def _listed(hdus: Any) -> str:
    """What the file has, for the message."""
    parts = []
    for hdu in hdus:
        columns = getattr(getattr(hdu, "columns", None), "names", None)
        parts.append(f"{hdu.name} ({', '.join(columns[:8])})" if columns else hdu.name)
    return "; ".join(parts)


def write_spectrum_fits(spectra: Spectra, path: str | Path) -> None:
    """Write spectra to a FITS binary table, a row a spectrum with arrays in the cells."""
    from astropy.io import fits

    pixels = spectra.wave_aa.shape[1]
    arrays = {
        "WAVE": (spectra.wave_aa, WAVE_UNIT),
        "FLUX": (spectra.flux_lambda, "10**-17 erg s-1 cm-2 Angstrom-1"),
        "IVAR": (spectra.ivar, "10**34 erg-2 s2 cm4 Angstrom2"),
    }
    if spectra.lsf_sigma_aa is not None:
        arrays["LSF_SIGMA"] = (spectra.lsf_sigma_aa, WAVE_UNIT)
    ids = spectra.ids
    if ids.dtype.kind == "U" and not all(text.isascii() for text in ids.tolist()):
        raise OutputError(str(path), "would have ids that FITS cannot hold (not ASCII)", "write Parquet")
    form = "K" if ids.dtype.kind == "i" else f"{max(ids.dtype.itemsize // 4, 1)}A"
    columns = [fits.Column("TARGETID", form, array=ids), fits.Column("Z", "D", array=spectra.redshift)]
    columns += [
        fits.Column(name, f"{pixels}E", unit=unit, array=array) for name, (array, unit) in arrays.items()
    ]
    if "ebv" in spectra.columns:
        columns.append(fits.Column("EBV", "D", unit="mag", array=spectra.columns["ebv"]))
    hdu = fits.BinTableHDU.from_columns(columns, name="SPECTRA")
    hdu.header["AIRORVAC"] = "vac"
    hdu.header["NEBULIUM"] = json.dumps({"metadata": spectra.metadata})
    with replace_on_success(path) as partial:
        hdu.writeto(partial)
