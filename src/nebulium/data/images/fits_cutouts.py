"""Cutouts in FITS, a file a galaxy: a cube, or an extension a band."""

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.files import native, opened_fits
from nebulium.data.images.mmu import Images
from nebulium.data.images.parquet import zero_points
from nebulium.data.images.pictures import ids_of_files
from nebulium.data.images.source import ImageSource, some_readable
from nebulium.errors import TableError

ENDINGS = (".fits.gz", ".fit.gz", ".fits.fz", ".fits", ".fit")
#: Extensions that go with the light, and are not light.
NOT_LIGHT = (
    "IVAR",
    "INVVAR",
    "VAR",
    "VARIANCE",
    "ERR",
    "ERROR",
    "SIGMA",
    "WEIGHT",
    "WHT",
    "MASK",
    "DQ",
    "PSF",
)
ZERO_POINTS = ("MAGZERO", "MAGZPT", "ZEROPT", "ZEROPNT", "ZPT")


def open_fits_cutouts(path: Path, files: Sequence[Path]) -> ImageSource:
    """Open a folder of FITS cutouts.

    The images of a file are its first cube (band, height, width), or all its extensions of two axes but those
    named IVAR, MASK, WEIGHT and the like. Bands are named by BAND or FILTER (of a cube BANDS, such as "grz"
    or "g,r,z", or BAND0, BAND1, ...), else by the name of the extension, else by number.
    """
    first = _typical(path, files)
    return ImageSource(
        path=path,
        ids=ids_of_files(path, [file.as_posix() for file in files], ENDINGS),
        opened=lambda: nullcontext(lambda rows: [_pixels(_read(files[row]), first) for row in rows]),
        **first.about,
    )


def write_cutout(images: Images, row: int, unit: str, path: Path) -> None:
    """Write one of some images: an extension a band, with what is known of it, and IVAR with all bands."""
    from astropy.io import fits

    points = zero_points(unit, images.bands)
    hdus: list[fits.PrimaryHDU | fits.ImageHDU] = [fits.PrimaryHDU()]
    for place, band in enumerate(images.bands):
        light = fits.ImageHDU(np.where(images.bad[row], np.nan, images.flux[row])[..., place], name=band)
        # The name of an extension is in capitals.
        light.header["BAND"] = band
        known = {
            "PIXSCALE": (images.pixel_scale_arcsec[row, place], "arcsec"),
            "PSF_FWHM": (images.psf_fwhm_arcsec[row, place], "arcsec"),
            "MAGZERO": (points[place] if points else np.nan, "AB magnitude of 1"),
        }
        for name, (value, comment) in known.items():
            if np.isfinite(value):
                light.header[name] = (float(value), comment)
        if unit:
            light.header["BUNIT"] = unit
        hdus.append(light)
    hdus.append(fits.ImageHDU(np.moveaxis(images.ivar[row], -1, 0), name="IVAR"))
    fits.HDUList(hdus).writeto(path)


@dataclass(frozen=True)
class _Cutout:
    """What a file holds: an image, and what it says of it, as `ImageSource` has it."""

    pixels: np.ndarray
    about: Mapping[str, Any]

    @property
    def bands(self) -> tuple[str, ...]:
        return self.about["bands"]


def _typical(path: Path, files: Sequence[Path]) -> _Cutout:
    """One with the bands that most of the first files have."""
    found: list[_Cutout] = some_readable(path, "cutout", [file.name for file in files], map(_read, files))
    counts = Counter(tuple(sorted(cutout.bands)) for cutout in found)
    return max(found, key=lambda cutout: counts[tuple(sorted(cutout.bands))])


def _pixels(cutout: _Cutout | str, first: _Cutout) -> np.ndarray | str:
    """The bands in the order of the first file."""
    if isinstance(cutout, str):
        return cutout
    if sorted(cutout.bands) != sorted(first.bands):
        return f"has the bands {', '.join(cutout.bands)}, expected {', '.join(first.bands)}"
    unit, expected = cutout.about["unit"], first.about["unit"]
    if unit != expected:
        return f"is in {unit or 'no unit'}, the first in {expected or 'no unit'}"
    return cutout.pixels[..., [cutout.bands.index(band) for band in first.bands]]


def _read(file: Path) -> _Cutout | str:
    """A file, or what is wrong with it."""
    try:
        with opened_fits(file, TableError) as hdus:
            return _cutout(_light(hdus))
    except TableError:
        return "is truncated or damaged"


def _light(hdus: Any) -> list[Any]:
    """The extensions that hold the image: the first cube, or those of two axes."""
    images = [hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) in (2, 3)]
    images = [hdu for hdu in images if hdu.name.upper() not in NOT_LIGHT]
    cubes = [hdu for hdu in images if len(hdu.shape) == 3]
    return cubes[:1] or images


def _cutout(hdus: Sequence[Any]) -> _Cutout | str:
    """One record of the extensions of a file."""
    if not hdus:
        return "holds no image"
    if len({hdu.shape[-2:] for hdu in hdus}) > 1:
        return "has bands of different sizes"
    planes = [native(hdu.data).astype(np.float32) for hdu in hdus]
    pixels = np.moveaxis(planes[0] if planes[0].ndim == 3 else np.stack(planes), 0, -1)
    headers = [hdu.header for hdu in hdus]
    n = pixels.shape[-1]
    names = _names_of_cube(headers[0], n) if planes[0].ndim == 3 else [_name(hdu) for hdu in hdus]
    named = len(set(names)) == n and all(names)
    about = {
        "bands": tuple(names) if named else tuple(map(str, range(n))),
        "bands_named": named,
        "unit": str(headers[0].get("BUNIT", "")).strip(),
        "pixel_scale_arcsec": _each([_pixel_scale(header) for header in headers], n),
        "psf_fwhm_arcsec": _each([_number(header, "PSF_FWHM") for header in headers], n),
        "zero_point_ab": _each([_number(header, *ZERO_POINTS) for header in headers], n),
    }
    return _Cutout(pixels, about)


def _name(hdu: Any) -> str:
    """Of one band."""
    # Not hdu.name, which astropy puts into capitals: g and G are two bands.
    names = (str(hdu.header.get(key, "")).strip() for key in ("BAND", "FILTER", "EXTNAME"))
    return next((name for name in names if name), "")


def _names_of_cube(header: Any, n: int) -> list[str]:
    """Such as BANDS = 'grz' or 'g,r,z', or BAND0, BAND1, ..."""
    text = str(header.get("BANDS", header.get("BAND", header.get("FILTER", "")))).strip()
    parts = [part for part in re.split(r"[,;\s]+", text) if part]
    if len(parts) == n:
        return parts
    if len(text) == n:
        return list(text)
    return [str(header.get(f"BAND{band}", "")).strip() for band in range(n)]


def _pixel_scale(header: Any) -> float | None:
    """Arcsec, the geometric mean of both axes."""
    from astropy.wcs import WCS, FITSFixedWarning
    from astropy.wcs.utils import proj_plane_pixel_area

    if "CTYPE1" not in header:
        return _number(header, "PIXSCALE")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        try:
            celestial = WCS(header, naxis=2)
            return float(np.sqrt(proj_plane_pixel_area(celestial)) * 3600.0)
        except (ValueError, TypeError, KeyError, MemoryError):
            return _number(header, "PIXSCALE")


def _number(header: Any, *keys: str) -> float | None:
    """The first of some entries that is a positive number."""
    found = (header[key] for key in keys if key in header)
    return next((float(value) for value in found if isinstance(value, int | float) and value > 0), None)


def _each(values: Sequence[float | None], n: int) -> tuple[float, ...] | None:
    """One a band; of a cube there is one for all."""
    known = [value for value in values if value is not None]
    return None if len(known) < len(values) else tuple(np.broadcast_to(known, (n,)).tolist())
