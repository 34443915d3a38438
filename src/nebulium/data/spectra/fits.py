"""Spectra in FITS files: binary tables, or images with a wavelength axis."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.files import columns_of, native
from nebulium.data.glossary import WAVE_UNIT, found_names
from nebulium.data.output import replace_on_success
from nebulium.data.spectra.checks import PIXELWISE, Declared, RawSpectra, checked_spectra
from nebulium.data.spectra.parts import NAMES, WAVES
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.tables.writer import fits_format
from nebulium.errors import SpectrumError

#: Tables about each spectrum, by which layouts are known: of SDSS's spec files and DESI's stacks.
ABOUT = {"SPECOBJ": "SDSS spec", "STACKINFO": "DESI stack"}
#: A pixel of an SDSS coadd is 1e-4 dex wide.
DEX_PER_PIXEL = 1e-4
#: Where headers have the id and the redshift of a single spectrum.
ID_KEYS, REDSHIFT_KEYS = ("TARGETID", "OBJID", "SPECOBJID", "OBJECT"), ("REDSHIFT", "Z")
#: What the header may say of the frame of the wavelengths.
AIR_WORDS = {"air": True, "vac": False, "vacuum": False}


#: What was found in the file, by the keys of ``NAMES``, with the units declared, and whether it is in air.
_Parts = tuple[dict[str, np.ndarray], dict[str, str], bool | None]


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
    found, units, air = parts
    pixelwise = ("flux", "dispersion", *PIXELWISE)
    values = {key: np.atleast_2d(array) if key in pixelwise else array for key, array in found.items()}
    flux = values["flux"]
    if flux.ndim > 2:
        problem = f"has flux of shape {flux.shape}, expected (wave,) or (n, wave)"
        raise SpectrumError(str(path), problem, "extract the spectra from the cube or the raw frame first")
    values |= about_spectra(hdus, len(flux))
    whole = {key: values.pop(key) for key in _WHOLE if key in values}
    values |= {key: array for key, array in whole.items() if len(array) == len(flux)}
    if len(flux) == 1:
        values = _from_headers(path, hdus) | values
    if "dispersion" in values and "log" in values:
        # SDSS has the line-spread function in pixels of the logarithm.
        wave = 10.0 ** np.atleast_2d(values["log"]).astype(np.float64)
        values["lsf"] = values["dispersion"] * DEX_PER_PIXEL * np.log(10.0) * wave
    kinds = {"ebv": np.float64, "zwarn": np.int64}
    columns = {name: values[name].astype(kind) for name, kind in kinds.items() if name in values}
    about = {"format": next((layout for table, layout in ABOUT.items() if table in hdus), "FITS")}
    return checked_spectra(RawSpectra(str(path), values, units, air, columns, about), declared)


_WHOLE = ("id", "redshift", "ebv", "zwarn")


def about_spectra(hdus: Any, count: int) -> dict[str, np.ndarray]:
    """Id, redshift and warning bits of each spectrum, from the table that surveys keep beside the spectra."""
    data = next((hdus[table].data for table in ABOUT if table in hdus), None)
    if data is None or len(data) != count:
        return {}
    found = found_names((name for name in data.names if data[name].ndim == 1), NAMES)
    return {key: native(data[found[key]]) for key in _WHOLE if key in found}


def _from_table(hdus: Any) -> _Parts | None:
    """The first binary table with flux and wavelengths."""
    for hdu in hdus:
        if hdu.header.get("XTENSION") != "BINTABLE" or not hasattr(hdu, "columns") or hdu.data is None:
            continue
        found = found_names(hdu.columns.names, NAMES)
        if "flux" not in found or not set(WAVES) & set(found) or not len(hdu.data):
            continue
        values = {key: native(hdu.data[name]) for key, name in found.items()}
        if values["flux"].ndim == 1:
            # A row a pixel: what belongs to the spectrum as a whole cannot be a column.
            values = {key: array for key, array in values.items() if key not in _WHOLE}
        units = {key: str(hdu.columns[name].unit or "") for key, name in found.items()}
        # A table whose flux column has no unit may have it in BUNIT.
        units["flux"] = units["flux"] or str(hdu.header.get("BUNIT", hdus[0].header.get("BUNIT", "")))
        return values, units, _air(hdus, hdu, "")
    return None


def _from_images(path: Path, hdus: Any) -> _Parts | None:
    """Extensions by name; the flux may also be the first image of the file, whatever its name."""
    images = {hdu.name: hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) > 0}
    if not images:
        return None
    found = found_names(images, NAMES)
    others = [name for name in images if name not in found.values()]
    if "flux" not in found and not others:
        return None
    found = {"flux": others[0], **found} if others else found
    flux_hdu = images[found["flux"]]
    values = {key: native(images[name].data) for key, name in found.items()}
    units = {key: str(images[name].header.get("BUNIT", "")) for key, name in found.items()}
    kind = ""
    if not set(WAVES) & set(found):
        axis = _axis(path, flux_hdu)
        if axis is None:
            return None
        key, values_of_axis, units["wave"], kind = axis
        values[key] = values_of_axis
    wave_hdu = next((images[found[key]] for key in WAVES if key in found), flux_hdu)
    return values, units, _air(hdus, wave_hdu, kind)


def _axis(path: Path, hdu: Any) -> tuple[str, np.ndarray, str, str] | None:
    """Wavelengths of the first axis of an image, from its header (Greisen et al. 2006, A&A 446, 747)."""
    header = hdu.header
    step, start = header.get("CD1_1", header.get("CDELT1")), header.get("CRVAL1")
    if start is None or not step:
        return None
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


def _from_headers(path: Path, hdus: Any) -> dict[str, np.ndarray]:
    """Id and redshift of a single spectrum; without an id it goes by the name of the file."""
    headers = [hdu.header for hdu in hdus]
    named = [header[key] for key in ID_KEYS for header in headers if header.get(key)]
    found = {"id": np.array([str(named[0]) if named else path.name.split(".")[0]])}
    numbers = [header.get(key) for key in REDSHIFT_KEYS for header in headers]
    redshifts = [z for z in numbers if isinstance(z, int | float) and not isinstance(z, bool)]
    return found | ({"redshift": np.array([float(redshifts[0])])} if redshifts else {})


def _listed(hdus: Any) -> str:
    """What the file has, for the message."""
    columns = [(hdu.name, ", ".join(columns_of(hdu)[:8])) for hdu in hdus]
    return "; ".join(f"{name} ({listed})" if listed else name for name, listed in columns)


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
    form = fits_format("TARGETID", spectra.ids, Path(path))
    columns = [
        fits.Column("TARGETID", form, array=spectra.ids),
        fits.Column("Z", "D", array=spectra.redshift),
    ]
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
