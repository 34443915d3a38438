"""Units as files declare them, and what they convert to."""

import re
import warnings

from astropy import units

from nebulium.errors import TableError

#: Spellings met in survey files that astropy's parsers do not know.
SPELLINGS = (
    (r"(?i:\bang(strom)?s?\b)|\u00c5|\u212b", "Angstrom"),
    # The symbol of the ampere, which no table of galaxies holds.
    (r"\bA\b", "Angstrom"),
    (r"(?i:\bflam\b)", "erg / (s cm2 Angstrom)"),
    (r"\bnanomaggy\b|\bnanomaggies\b", "nmgy"),
    (r"(?<=[A-Za-z])\^", "**"),
)
FLUX_UNIT = "1e-17 erg / (s cm2 Angstrom)"
WAVE_UNIT = "Angstrom"


def parse_unit(text: str) -> units.UnitBase:
    """Read a unit in any of the spellings that tables and spectra use."""
    spelt = text.strip()
    for pattern, replacement in SPELLINGS:
        spelt = re.sub(pattern, replacement, spelt)
    for form in ("generic", "fits", "vounit", "cds"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", units.UnitsWarning)
                return units.Unit(spelt, format=form)
        except (ValueError, TypeError, KeyError):
            continue
    raise ValueError(f"{text!r} is not a unit that astropy knows")


def conversion_factor(declared: str, wanted: str, *, where: str) -> float:
    """Number by which values in one unit are multiplied to be in another.

    Parameters
    ----------
    declared, wanted : str
        The file's unit and nebulium's.
    where : str
        File and column, for the message.

    Returns
    -------
    float
        The factor; exactly 1 for equal units.

    Raises
    ------
    TableError
        If the declared unit is unknown or of another dimension.

    Examples
    --------
    >>> conversion_factor("nm", "Angstrom", where="a.fits, column ew_HALPHA")
    10.0
    >>> conversion_factor("Jy", "Angstrom", where="a.fits, column ew_HALPHA")
    Traceback (most recent call last):
    nebulium.errors.TableError: a.fits, column ew_HALPHA: is declared in 'Jy', which does not convert to
    'Angstrom'. To mend: map the right column, or declare its unit with units={name: unit}
    """
    if not wanted and declared.strip().lower().startswith(("dex", "log")):
        return 1.0
    mend = "map the right column, or declare its unit with units={name: unit}"
    try:
        unit = parse_unit(declared)
    except ValueError as error:
        raise TableError(where, f"has the unit {declared!r}, which is not understood", mend) from error
    try:
        factor = float(unit.to(parse_unit(wanted)))
    except units.UnitConversionError as error:
        problem = f"is declared in {declared!r}, which does not convert to {wanted!r}"
        raise TableError(where, problem, mend) from error
    # Through cgs the factor of nm to Angstrom comes out as 9.999999999999998, and of equal units not as 1.
    return float(f"{factor:.14g}")
