"""Units as files declare them, and what they convert to."""

import re
import warnings

from astropy import units

from nebulium.errors import NebuliumError, TableError

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
MEND = "map the right column, or declare its unit with units={name: unit}"
MEND_PER_FREQUENCY = "convert it first: flux_lambda = flux_nu c / wave^2, with astropy.units.spectral_density"


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


def conversion_factor(
    declared: str,
    wanted: str,
    *,
    where: str,
    mend: str = MEND,
    error: type[NebuliumError] = TableError,
) -> float:
    """Number by which values in one unit are multiplied to be in another.

    Parameters
    ----------
    declared, wanted : str
        The file's unit and nebulium's.
    where : str
        File and column, for the message.
    mend : str
        What the user can do, for the message.
    error : type
        The error to raise.

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
    nebulium.errors.TableError: a.fits, column ew_HALPHA: has the unit 'Jy', which does not convert to
    'Angstrom'. To mend: map the right column, or declare its unit with units={name: unit}
    """
    if not wanted and declared.strip().lower().startswith(("dex", "log")):
        return 1.0
    try:
        unit = parse_unit(declared)
    except ValueError as fault:
        raise error(where, f"has the unit {declared!r}, which is not understood", mend) from fault
    aim = parse_unit(wanted)
    if not unit.is_equivalent(aim):
        per_frequency = unit.is_equivalent(units.Jy) and aim.is_equivalent(parse_unit(FLUX_UNIT))
        problem = f"has the unit {declared!r}, which does not convert to {wanted!r}"
        raise error(where, problem, MEND_PER_FREQUENCY if per_frequency else mend)
    # Through cgs the factor of nm to Angstrom comes out as 9.999999999999998, and of equal units not as 1.
    return float(f"{unit.to(aim):.14g}")
