"""Images whose rows are the parts of one spectrum: of SDSS's spSpec files, of IRAF and others."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.errors import SpectrumError

#: Rows of the image of a spSpec file (SDSS DR1 to DR7), counted from 0; the second is without its continuum.
SPSPEC_ROWS = {"flux": 0, "error": 2, "mask": 3}
#: The bit of its mask that marks an emission line, which is no fault.
EMISSION_LINE_BIT = 1 << 30
#: What SPEC_CLN stands for.
SPEC_CLASSES = {0: "", 1: "STAR", 2: "GALAXY", 3: "QSO", 4: "QSO", 5: "SKY", 6: "STAR"}
#: Keywords that say what the rows of an image are: of IRAF's onedspec, of 6dF, of GAMA.
ROW_KEYS = ("BANDID", "ARRAY", "ROW")
#: What the words of these keywords mean, the more specific first.
ROW_WORDS = (
    ("ivar", r"invvar|ivar|inverse"), ("variance", r"^var"), ("error", r"sigma|err|noise|std"),
    ("mask", r"mask|quality|flag"), ("flux", r"^(object|spectrum|spec|flux|science)\b"),
)  # fmt: skip


def is_spspec(header: Mapping[str, Any]) -> bool:
    """Whether a header is that of SDSS's spSpec files."""
    return all(key in header for key in ("PLATEID", "MJD", "FIBERID")) and "SPEC_CLN" in header


def sdss_header(header: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Id, as in the name of the file, class and warning bits of a spSpec file; else nothing."""
    if not is_spspec(header):
        return {}
    plate, fibre = int(header["PLATEID"]), int(header["FIBERID"])
    found: dict[str, Any] = {
        "id": f"{int(header['MJD'])}-{plate:04d}-{fibre:03d}",
        "spectype": SPEC_CLASSES.get(header["SPEC_CLN"], ""),
    }
    if isinstance(header.get("Z_WARNIN"), int):
        found["zwarn"] = header["Z_WARNIN"]
    return {key: np.array([value]) for key, value in found.items()}


def rows_of_image(path: Path, hdu: Any, image: np.ndarray) -> dict[str, np.ndarray]:
    """Flux, noise and mask of an image whose header says that its rows are these; else nothing."""
    header = hdu.header
    if str(header.get("CTYPE1", "")).strip().upper() == "MULTISPE":
        problem = "is in IRAF's multispec format, whose wavelengths stand in the WAT keywords"
        mend = "write it with a linear grid first, with scopy or wspectext of IRAF"
        raise SpectrumError(str(path), problem, mend)
    if is_spspec(header) and image.ndim == 2 and len(image) > max(SPSPEC_ROWS.values()):
        parts = {key: image[row] for key, row in SPSPEC_ROWS.items()}
        return parts | {"mask": np.nan_to_num(parts["mask"]).astype(np.int64) & ~EMISSION_LINE_BIT}
    for key in ROW_KEYS:
        words = {place: str(header[f"{key}{place}"]) for place in range(1, 10) if f"{key}{place}" in header}
        if len(words) > 1 and image.ndim > 1 and len(image) == max(words):
            return _by_words(path, image, {place - 1: word for place, word in words.items()})
    return {}


def _by_words(path: Path, image: np.ndarray, words: Mapping[int, str]) -> dict[str, np.ndarray]:
    """The rows, or bands of one row each, by what the header calls them; the first of a kind counts."""
    found: dict[str, int] = {}
    for row, word in words.items():
        kind = next((kind for kind, look in ROW_WORDS if re.search(look, word.strip().lower())), None)
        if kind is not None:
            found.setdefault(kind, row)
    single = image.ndim == 2 or image.shape[1] == 1
    if "flux" not in found or not single:
        problem = f"is one image with the rows {', '.join(words.values())}"
        raise SpectrumError(str(path), problem, "write one spectrum a file, with columns wave, flux and ivar")
    return {kind: image[row].reshape(image.shape[-1]) for kind, row in found.items()}
