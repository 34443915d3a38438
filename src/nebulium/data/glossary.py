"""Names and units of columns: what each means, in which unit, and how units of files convert."""

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

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


Kind = Literal["id", "number", "flag", "text"]


@dataclass(frozen=True)
class Column:
    """One entry of the glossary.

    Parameters
    ----------
    name : str
        The name; ``N`` stands for a whole number, ``LINE`` for the name of an emission line, ``BAND``
        for that of a filter.
    unit : str
        As astropy spells it; empty if dimensionless.
    kind : {"id", "number", "flag", "text"}
        What the column holds: an id (whole number or text), numbers, true or false, or text.
    meaning : str
        One line.
    """

    name: str
    unit: str
    kind: Kind
    meaning: str

    def matches(self, name: str) -> bool:
        """Whether a column of this name is described by the entry."""
        return name == self.name or re.fullmatch(self._pattern(), name) is not None

    def _pattern(self) -> str:
        """The placeholders as regular expressions."""
        parts = re.split("_", self.name)
        return "_".join(_PLACEHOLDERS.get(part, re.escape(part)) for part in parts)


_PLACEHOLDERS = {"N": r"\d+", "LINE": r"[A-Z][A-Z0-9_]*", "BAND": r"\w+"}
_QUANTILES = {"q025": "2.5", "q16": "16", "q50": "50", "q84": "84", "q975": "97.5"}

#: Every column that nebulium reads or writes, the more specific names first.
COLUMNS: tuple[Column, ...] = (
    Column("target_id", "", "id", "identifier of the galaxy, unique in the table"),
    Column("object_id", "", "id", "target_id as text, as the Multimodal Universe has it"),
    Column("redshift", "", "number", "heliocentric redshift"),
    Column("redshift_spec", "", "number", "redshift of those that a spectroscopic survey would have"),
    Column("zwarn", "", "number", "warning bits of the redshift fit; 0 is good"),
    Column("ra", "deg", "number", "right ascension, ICRS"),
    Column("dec", "deg", "number", "declination, ICRS"),
    Column("ebv", "mag", "number", "Galactic reddening E(B-V)"),
    Column(
        "continuum_flux_N",
        FLUX_UNIT,
        "number",
        "mean observed-frame flux density over the rest-frame bin 3400 + 300 N to 3700 + 300 N Angstrom, "
        "emission lines masked",
    ),
    Column("coverage_N", "", "number", "fraction of the bin that good pixels cover"),
    Column(
        "log_luminosity", "", "number", "log10 of continuum_flux_9 (1 + z) (luminosity distance in Mpc)^2"
    ),
    Column("published_ew_LINE", "Angstrom", "number", "prediction of Khederlarian et al. (2024), rest frame"),
    Column(
        "ew_ivar_LINE",
        "1 / Angstrom2",
        "number",
        "inverse variance of the measured equivalent width; 0 is missing",
    ),
    *(
        Column(
            f"ew_LINE_{name}",
            "Angstrom",
            "number",
            f"{percent} % quantile of the predicted equivalent width, rest frame, emission positive",
        )
        for name, percent in _QUANTILES.items()
    ),
    Column("line_flux_LINE", "1e-17 erg / (s cm2)", "number", "observed-frame flux of the line"),
    Column("line_luminosity_LINE", "erg / s", "number", "luminosity of the line"),
    Column("ew_LINE", "Angstrom", "number", "measured equivalent width, rest frame, emission positive"),
    Column("in_domain", "", "flag", "whether the galaxy lies inside the training domain of the model"),
    Column("model", "", "text", "name of the model that predicted the row"),
    Column("n_missing_bins", "", "number", "continuum bins that were missing and were marginalised over"),
    Column("split", "", "text", "train, validation or test"),
    Column("selected", "", "flag", "whether the galaxy passes the limits of the survey"),
    Column("log_mstar", "", "number", "log10 of the surviving stellar mass in solar masses"),
    Column("log_mformed", "", "number", "log10 of all stellar mass ever formed in solar masses"),
    Column("log_sfr", "", "number", "log10 of the star-formation rate in solar masses a year"),
    Column("age_gyr", "Gyr", "number", "time since the onset of star formation"),
    Column("tau_gyr", "Gyr", "number", "e-folding time of the star-formation history"),
    Column("lgmet", "", "number", "log10 of the stellar metallicity, absolute mass fraction"),
    Column("oh12", "", "number", "gas-phase metallicity 12 + log10(O/H)"),
    Column("mag_ab_obs_BAND", "mag", "number", "AB magnitude as measured, with noise; NaN if not positive"),
    Column("mag_ab_err_BAND", "mag", "number", "standard error of mag_ab_obs_BAND"),
    Column("mag_ab_BAND", "mag", "number", "AB magnitude through the filter"),
    Column("flux_njy_obs_BAND", "nJy", "number", "flux density as measured, with noise"),
    Column("flux_njy_err_BAND", "nJy", "number", "standard error of flux_njy_obs_BAND"),
    Column("flux_njy_BAND", "nJy", "number", "flux density through the filter"),
    Column("av_mag", "mag", "number", "attenuation in the V band"),
    Column(
        "half_light_radius_kpc",
        "kpc",
        "number",
        "half-light radius of the galaxy along its major axis, in the band of the survey's limit",
    ),
    Column("bulge_share", "", "number", "share of the stellar mass in the bulge"),
    Column("bulge_re_kpc", "kpc", "number", "half-light radius of the bulge, major axis"),
    Column("bulge_sersic_n", "", "number", "Sersic index of the bulge"),
    Column("bulge_axis_ratio", "", "number", "minor over major axis of the bulge as seen"),
    Column("disc_re_kpc", "kpc", "number", "half-light radius of the old disc seen face on"),
    Column("cos_inclination", "", "number", "cosine of the inclination of the disc; 1 is face on"),
    Column("disc_thickness", "", "number", "scale height (sech2) of the disc over its scale length"),
    Column("position_angle_rad", "rad", "number", "angle of the major axis, from the x axis towards y"),
    Column("young_re_kpc", "kpc", "number", "half-light radius of the stars younger than 100 Myr"),
    Column("clump_share", "", "number", "share of the light of the young stars in clumps"),
    Column("n_clumps", "", "number", "number of clumps"),
    Column("clump_fwhm_kpc", "kpc", "number", "full width at half maximum of a clump"),
    Column("arm_contrast", "", "number", "share of the young light outside clumps in arms"),
    Column("n_arms", "", "number", "number of spiral arms"),
    Column("pitch_angle_rad", "rad", "number", "angle between a spiral arm and the circle through it"),
    Column("arm_phase_rad", "rad", "number", "phase of the spiral arms"),
    Column("pattern_seed", "", "number", "seed of the places of clumps and knots"),
    Column("n_neighbours", "", "number", "other galaxies put into the stamp"),
    Column("neighbour_id_N", "", "number", "target_id of the neighbour number N; NaN if there is none"),
    Column("neighbour_x_arcsec_N", "arcsec", "number", "its place right of the centre of the stamp"),
    Column("neighbour_y_arcsec_N", "arcsec", "number", "its place above the centre of the stamp"),
    Column("wave_aa", "Angstrom", "number", "observed-frame wavelength, vacuum"),
    Column("wave_rest_aa", "Angstrom", "number", "rest-frame wavelength, vacuum"),
    Column("flux_lambda", FLUX_UNIT, "number", "flux density per wavelength"),
    Column(
        "ivar", "1e34 s2 cm4 Angstrom2 / erg2", "number", "inverse variance of flux_lambda; 0 masks the pixel"
    ),
    Column("lsf_sigma_aa", "Angstrom", "number", "Gaussian sigma of the line-spread function"),
)


@cache
def lookup(name: str) -> Column | None:
    """The entry that describes a column.

    Parameters
    ----------
    name : str
        The name of a column, such as ``ew_HALPHA_q50``.

    Returns
    -------
    Column or None
        None if the name is not in the glossary.

    Examples
    --------
    >>> lookup("ew_ivar_HALPHA").unit, lookup("continuum_flux_11").kind, lookup("petal")
    ('1 / Angstrom2', 'number', None)
    """
    return next((column for column in COLUMNS if column.matches(name)), None)


def found_names(names: Iterable[str], known: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Our name -> that of a file: the first of those known that is there, letter case aside."""
    there = {name.lower(): name for name in names}
    first = {
        ours: next((there[name] for name in theirs if name in there), "") for ours, theirs in known.items()
    }
    return {ours: name for ours, name in first.items() if name}


def unit_of(name: str) -> str | None:
    """Unit in which nebulium holds a column."""
    column = lookup(name)
    return None if column is None else column.unit


def units_of(names: Iterable[str]) -> dict[str, str]:
    """Units of those columns that have one."""
    return {name: unit for name in names if (unit := unit_of(name))}


def about_column(name: str, units: Mapping[str, str]) -> dict[str, str]:
    """Unit and meaning of a column, for the metadata of its field."""
    entry = lookup(name)
    about = {"unit": units.get(name, ""), "description": entry.meaning if entry else ""}
    return {key: text for key, text in about.items() if text}
