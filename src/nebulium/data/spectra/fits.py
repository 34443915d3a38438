"""Spectra in FITS files: binary tables, or images with a wavelength axis."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.files import columns_of, native
from nebulium.data.glossary import WAVE_UNIT, found_names
from nebulium.data.spectra.checks import Declared, RawSpectra, checked_spectra
from nebulium.data.spectra.fits_columns import Columns, is_table
from nebulium.data.spectra.image_rows import is_spspec, rows_of_image, sdss_header
from nebulium.data.spectra.parts import ID, NAMES, PIXELWISE, WAVES, WHOLE, id_name, no_such_ids
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


#: Bytes of which a FITS file has a multiple.
FITS_BLOCK = 2880
#: What there is of each pixel of a table or image, beside the wavelengths.
PIXELS = ("flux", "dispersion", *PIXELWISE)
#: What was found in the file, by the keys of ``NAMES``, with the units declared, and whether it is in air.
_Parts = tuple[dict[str, np.ndarray], dict[str, str], bool | None]


def read_spectrum_fits(path: Path, hdus: Any, declared: Declared) -> Spectra:
    """Read spectra from a FITS file: SDSS's spec and spSpec files, DESI's stacks, or of no survey.

    Either a binary table with columns of wavelength, flux and, if there are, ivar, error or variance and
    mask (a row a pixel, or a row a spectrum with arrays in the cells, also of variable length); or images:
    extensions named in the same way, or one image with the wavelengths in its header (CRVAL1, CDELT1 or
    CD1_1, CRPIX1; CTYPE1 WAVE, AWAV, WAVE-LOG, AWAV-LOG, LINEAR or LOG-LINEAR; DC-FLAG 1 for log10).
    Wavelengths are in air if CTYPE1, AIRORVAC, VACUUM or the column's name says so, or the user.
    """
    parts = _from_table(path, hdus) or _from_images(path, hdus)
    if parts is None:
        problem = f"has no flux with wavelengths that could be found; it has {_listed(hdus)}"
        mend = "name the columns or extensions wave, flux and ivar, or give the image CRVAL1 and CDELT1"
        raise SpectrumError(str(path), problem, mend)
    found, units, air = parts
    values = {key: np.atleast_2d(array) if key in PIXELS else array for key, array in found.items()}
    flux = values["flux"]
    if flux.ndim > 2:
        problem = f"has flux of shape {flux.shape}, expected (wave,) or (n, wave)"
        raise SpectrumError(str(path), problem, "extract the spectra from the cube or the raw frame first")
    about, id_column = about_spectra(path, hdus, len(flux), declared.id_column)
    if len(flux) == 1:
        headers = _from_headers(hdus, declared.id_column)
        id_column = id_column if "id" in about or declared.id_column is None else declared.id_column
        about = headers | about
    values |= about
    if "dispersion" in values and "log" in values:
        # SDSS has the line-spread function in pixels of the logarithm.
        wave = 10.0 ** np.atleast_2d(values["log"]).astype(np.float64)
        values["lsf"] = values["dispersion"] * DEX_PER_PIXEL * np.log(10.0) * wave
    columns = {name: values[name] for name in WHOLE[2:] if name in values}
    if "zwarn" in columns and columns["zwarn"].dtype == bool:
        columns["zwarn"] = columns["zwarn"].astype(np.int64)
    known = (layout for table, layout in ABOUT.items() if table in hdus)
    layout = {"format": "SDSS spSpec" if is_spspec(hdus[0].header) else next(known, "FITS")}
    there: tuple[str, ...] = ()
    if "id" not in values:
        there = tuple(dict.fromkeys(name for hdu in hdus for name in columns_of(hdu)))
        if declared.id_column is not None:
            raise no_such_ids(str(path), declared.id_column, there)
    raw = RawSpectra(str(path), values, units, air, columns, layout, id_column=id_column or ID, there=there)
    return checked_spectra(raw, declared)


def about_spectra(
    path: Path, hdus: Any, count: int, id_column: str | None = None
) -> tuple[dict[str, np.ndarray], str | None]:
    """What belongs to each spectrum as a whole, and what the ids are called.

    It is looked for in the table that surveys keep beside the spectra, in that of the spectra themselves and,
    as long as there is no id, in any other with a row for each.
    """
    tables = [
        (hdu.name not in ABOUT, Columns(path, hdu))
        for hdu in hdus
        if is_table(hdu) and hdu.header["NAXIS2"] == count
    ]
    found: dict[str, np.ndarray] = {}
    named: str | None = None
    for is_other, table in sorted(tables, key=lambda pair: (pair[0], not _has_flux(pair[1]))):
        # Of a single spectrum any other table of one row could be about something else.
        if is_other and count == 1 and not (id_column or _has_flux(table)):
            continue
        plain = [name for name in table.forms if table.is_plain(name)]
        names = found_names(plain, {key: NAMES[key] for key in WHOLE})
        name = id_name(plain, id_column)
        names = {key: one for key, one in names.items() if key != "id"} | ({"id": name} if name else {})
        for key in names.keys() - found.keys():
            found[key] = table.values(names[key], is_id=key == "id")
            named = names[key] if key == "id" else named
        if "id" in found:
            break
    return found, named


def _has_flux(table: Columns) -> bool:
    """Whether a table holds the spectra themselves, a row each."""
    name = found_names(table.forms, {"flux": NAMES["flux"]}).get("flux")
    return name is not None and not table.is_plain(name)


def _from_table(path: Path, hdus: Any) -> _Parts | None:
    """The first binary table with flux and wavelengths."""
    for hdu in filter(is_table, hdus):
        table = Columns(path, hdu)
        found = found_names(table.forms, NAMES)
        if "flux" not in found or not set(WAVES) & set(found) or not hdu.header["NAXIS2"]:
            continue
        pixels = {key: name for key, name in found.items() if key in (*PIXELS, *WAVES)}
        values = {key: table.values(name) for key, name in pixels.items()}
        _check_lengths(path, hdu, {key: name for key, name in pixels.items() if table.is_variable(name)})
        units = {key: table.units.get(name, "") for key, name in pixels.items()}
        # A table whose flux column has no unit may have it in BUNIT.
        units["flux"] = units["flux"] or str(hdu.header.get("BUNIT", hdus[0].header.get("BUNIT", "")))
        return values, units, _air(hdus, hdu, "")
    return None


def _check_lengths(path: Path, hdu: Any, names: dict[str, str]) -> None:
    """Arrays of variable length that belong together must be equally long, row by row."""
    lengths = {key: [len(row) for row in hdu.data[name]] for key, name in names.items()}
    for key in lengths.keys() - {"flux"}:
        expected = lengths.get("flux", [])
        row = next(
            (row for row, pair in enumerate(zip(lengths[key], expected, strict=False)) if pair[0] != pair[1]),
            None,
        )
        if row is not None:
            problem = f"has {lengths[key][row]} values of {key} for {expected[row]} of flux"
            raise SpectrumError(f"{path}, row {row}", problem, "check how the file was made")


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
    values = {key: native(images[name].data) for key, name in found.items() if key in (*PIXELS, *WAVES)}
    units = {key: str(images[name].header.get("BUNIT", "")) for key, name in found.items()}
    parts = rows_of_image(path, flux_hdu, values["flux"])
    values |= parts
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
    step = header.get("CD1_1", header.get("CDELT1", header.get("COEFF1")))
    start = header.get("CRVAL1", header.get("COEFF0"))
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
    if header.get("DC-FLAG") == 1 or "COEFF1" in header or kind.startswith("LOG"):
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


def _from_headers(hdus: Any, id_key: str | None) -> dict[str, np.ndarray]:
    """Id and redshift of a single spectrum, and its class where the file is of SDSS."""
    headers = [hdu.header for hdu in hdus]
    keys = ID_KEYS if id_key is None else (id_key,)
    named = [header[key] for key in keys for header in headers if header.get(key) not in (None, "", True)]
    found = {"id": np.array(named[:1])} if named else {}
    if id_key is None:
        found |= sdss_header(hdus[0].header)
    numbers = [header.get(key) for key in REDSHIFT_KEYS for header in headers]
    redshifts = [z for z in numbers if isinstance(z, int | float) and not isinstance(z, bool)]
    return found | ({"redshift": np.array([float(redshifts[0])])} if redshifts else {})


def _listed(hdus: Any) -> str:
    """What the file has, for the message."""
    columns = [(hdu.name, ", ".join(columns_of(hdu)[:8])) for hdu in hdus]
    return "; ".join(f"{name} ({listed})" if listed else name for name, listed in columns)


def write_spectrum_fits(parts: Iterator[Spectra], partial: Path, rows: int) -> None:
    """Write spectra of one form to a FITS binary table, a row a spectrum with arrays in the cells."""
    from astropy.io import fits

    size = 0
    with (gzip.open if partial.suffix == ".gz" else open)(partial, "wb") as file:
        for hdu in map(_hdu, parts):
            if not size:
                hdu.header["NAXIS2"] = rows
                file.write((fits.PrimaryHDU().header.tostring() + hdu.header.tostring()).encode("ascii"))
            table = np.asarray(hdu.data)
            size += file.write(table.astype(table.dtype.newbyteorder(">")).tobytes())
        file.write(bytes(-size % FITS_BLOCK))


def _hdu(spectra: Spectra) -> Any:
    """Spectra as a table."""
    from astropy.io import fits

    pixels = spectra.wave_aa.shape[1]
    arrays = {
        "WAVE": (spectra.wave_aa, WAVE_UNIT),
        "FLUX": (spectra.flux_lambda, "10**-17 erg s-1 cm-2 Angstrom-1"),
        "IVAR": (spectra.ivar, "10**34 erg-2 s2 cm4 Angstrom2"),
    }
    if spectra.lsf_sigma_aa is not None:
        arrays["LSF_SIGMA"] = (spectra.lsf_sigma_aa, WAVE_UNIT)
    named = "TARGETID" if spectra.id_column == ID else spectra.id_column
    columns = [
        fits.Column(named, fits_format(named, spectra.ids, Path(spectra.name)), array=spectra.ids),
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
    return hdu
