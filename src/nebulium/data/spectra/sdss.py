"""Line fits that come with SDSS spectra (spec-PLATE-MJD-FIBER files)."""

from pathlib import Path

import numpy as np

from nebulium.data.files import native, opened_fits
from nebulium.data.ids import ids_from_text
from nebulium.data.spectra.fits import about_spectra
from nebulium.data.tables.table import Table
from nebulium.errors import SpectrumError, TableError

#: Our lines -> those of the pipeline; the two of the [O II] doublet are fitted apart and add up.
SPZLINE_NAMES = {
    "OII_DOUBLET": ("[O_II] 3725", "[O_II] 3727"),
    "HGAMMA": ("H_gamma",), "HBETA": ("H_beta",),
    "OIII_4959": ("[O_III] 4959",), "OIII_5007": ("[O_III] 5007",),
    "NII_6548": ("[N_II] 6548",), "HALPHA": ("H_alpha",), "NII_6584": ("[N_II] 6583",),
    "SII_6716": ("[S_II] 6716",), "SII_6731": ("[S_II] 6730",),
}  # fmt: skip


def read_sdss_lines(path: str | Path) -> Table:
    """Read the pipeline's line fits (SPZLINE) of an SDSS spec file, as a row of nebulium's table of lines.

    Parameters
    ----------
    path : str or Path
        The spec file.

    Returns
    -------
    Table
        One row: target_id, redshift, and ew_LINE and ew_ivar_LINE in the rest frame; NaN and 0 for a line
        that was not fitted.

    Raises
    ------
    TableError
        If the file has no SPZLINE extension.

    Examples
    --------
    >>> read_sdss_lines(__file__)
    Traceback (most recent call last):
    nebulium.errors.TableError: ...sdss.py: is truncated, damaged, or not FITS ... To mend: ...
    """
    path = Path(path)
    with opened_fits(path, TableError) as hdus:
        if "SPZLINE" not in hdus:
            problem = "has no extension SPZLINE with line fits"
            raise TableError(str(path), problem, "take the spec file, not spec-lite, of the archive")
        fits = {name: native(hdus["SPZLINE"].data[name]) for name in ("LINENAME", "LINEEW", "LINEEW_ERR")}
        if "SPECOBJ" in hdus and not len(hdus["SPECOBJ"].data):
            raise SpectrumError(str(path), "has an empty SPECOBJ extension", "download it again")
        about, _ = about_spectra(path, hdus, 1)
    redshift = about.get("redshift", np.array([np.nan])).astype(np.float64)
    ids = ids_from_text(about["id"]) if "id" in about else np.array([path.stem])
    columns = {"target_id": ids, "redshift": redshift}
    units: dict[str, str] = {}
    for line, names in SPZLINE_NAMES.items():
        width, ivar = _rest_width(fits, names, float(redshift[0]))
        columns |= {f"ew_{line}": np.array([width]), f"ew_ivar_{line}": np.array([ivar])}
        units |= {f"ew_{line}": "Angstrom", f"ew_ivar_{line}": "1 / Angstrom2"}
    return Table(columns, units, str(path))


def _rest_width(fits: dict[str, np.ndarray], names: tuple[str, ...], redshift: float) -> tuple[float, float]:
    """Rest-frame sum of observed equivalent widths, and its inverse variance; an error <= 0 is no fit."""
    rows = np.isin(fits["LINENAME"], names)
    errors = fits["LINEEW_ERR"][rows].astype(np.float64)
    if rows.sum() != len(names) or np.any(errors <= 0):
        return np.nan, 0.0
    width = float(fits["LINEEW"][rows].astype(np.float64).sum())
    return width / (1.0 + redshift), (1.0 + redshift) ** 2 / float(np.sum(errors**2))
