"""FITS files opened with care: cut ones are noticed, and errors say what to do."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.files.damage import FAULTS, reading
from nebulium.errors import SpectrumError, TableError


@contextmanager
def opened_fits(path: Path, error: type[TableError] | type[SpectrumError]) -> Iterator[Any]:
    """Open a FITS file for reading."""
    from astropy.io import fits
    from astropy.io.fits.verify import VerifyError

    with warnings.catch_warnings(record=True) as warned, reading(path, "FITS", error, (*FAULTS, VerifyError)):
        warnings.simplefilter("always")
        # The file is ours to close: astropy leaves it open if it fails to read it.
        with path.open("rb") as file, fits.open(file, lazy_load_hdus=False) as hdus:
            _check_whole(path, hdus, [str(warning.message) for warning in warned])
            yield hdus


def _check_whole(path: Path, hdus: Any, warned: list[str]) -> None:
    """Astropy opens a cut file with no more than a warning."""
    for message in warned:
        if "Error validating header" in message:
            raise OSError("the header of an extension is cut or damaged")
    info = hdus[-1].fileinfo()
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    # To the end of the last block of 2880 bytes: a file cut in the padding was cut all the same.
    expected = info["datLoc"] + info["datSpan"]
    if not compressed and path.stat().st_size < expected:
        raise OSError(f"expected at least {expected} bytes, found {path.stat().st_size}")


def columns_of(hdu: Any) -> list[str]:
    """Names of the columns of an extension, if it is a table."""
    return list(getattr(getattr(hdu, "columns", None), "names", ()))


def native(values: Any) -> np.ndarray:
    """An array of a FITS file in the byte order of this machine, text without trailing blanks."""
    array = np.array(values)
    if array.dtype.kind in "SU":
        return np.char.strip(array.astype(np.str_))
    return array.astype(array.dtype.newbyteorder("="), copy=False)
