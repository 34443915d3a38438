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
    # The unit of SDSS and of the Legacy Surveys is one of flux: AB magnitude 22.5.
    (r"(?i:\b(?:nano_?magg(?:y|ies)|nmgys?|nanomgys?))(?![A-Za-z])", "nMgyAB"),
    (r"(?i:\b(?:magg(?:y|ies)|mgys?))(?![A-Za-z])", "MgyAB"),
    (r"(?i:\bmicro-?(jy|jansky)\b)|\bujy\b", "uJy"),
    (r"(?i:\bnano-?(jy|jansky)\b)|\bnjy\b", "nJy"),
    (r"(?i:\bmilli-?(jy|jansky)\b)|\bmjy\b", "mJy"),
    (r"\bjy\b|(?i:\bjansky\b)", "Jy"),
    (r"\bergs\b", "erg"),
    (r"(?i:\bmicrons?\b|\bmu_?m\b)", "um"),
    (r"(?<=[A-Za-z])\^", "**"),
)
#: The flux of AB magnitude 0 (Oke & Gunn 1983, ApJ 266, 713), and its billionth, of which surveys count. The
#: maggy of astropy is no flux: it leaves open which zero point is meant.
MAGGIES = (units.def_unit("MgyAB", 3631.0 * units.Jy), units.def_unit("nMgyAB", 3631.0 * units.nJy))
#: Spellings of a unit that says that a column holds AB magnitudes.
AB_MAGNITUDES = ("ab", "abmag", "ab mag", "ab_mag", "mag(ab)", "mag (ab)", "mag_ab", "ab magnitude", "magab")
#: A square in brackets, or 1 over it, with a number before it.
SQUARE = re.compile(r"\s*(?:([0-9.eE+]+)\s*(/)?)?\s*\((.+)\)\s*(?:\*\*|\^)?\s*\(?\s*(-?2)\s*\)?\s*$")
FLUX_UNIT = "1e-17 erg / (s cm2 Angstrom)"
WAVE_UNIT = "Angstrom"
#: The column that says which of many files a row came from.
FILE = "file"
#: A flux below this in units of 1e-17 erg/s/cm2/Angstrom is more likely one in erg/s/cm2/Angstrom.
FAINTEST = 1e-9
SPEED_OF_LIGHT_AA_S = 2.99792458e18
MEND = "map the right column, or say its unit: --unit NAME=UNIT (in Python units={...})"
MEND_PER_FREQUENCY = "convert it first: flux_lambda = flux_nu c / wave^2, with astropy.units.spectral_density"


@cache
def parse_unit(text: str) -> units.UnitBase:
    """Read a unit in any of the spellings that tables and spectra use, also the square of one in brackets."""
    square = SQUARE.match(text)
    if square is not None:
        number, over, inner, power = square.groups()
        return units.Unit(float(number or 1) * parse_unit(inner) ** (int(power) * (-1 if over else 1)))
    spelt = text.strip()
    for pattern, replacement in SPELLINGS:
        spelt = re.sub(pattern, replacement, spelt)
    for form in ("generic", "fits", "vounit", "cds"):
        try:
            with warnings.catch_warnings(), units.add_enabled_units(MAGGIES):
                warnings.simplefilter("ignore", units.UnitsWarning)
                unit = units.Unit(spelt, format=form)
            # A magnitude would be taken for the flux of magnitude 1.
            if isinstance(unit, units.UnitBase):
                return unit
        except (ValueError, TypeError, KeyError):
            continue
    raise ValueError(f"{text!r} is not a unit that astropy knows")


def conversion_factor(
    declared: str, wanted: str, *, where: str, mend: str = MEND, error: type[NebuliumError] = TableError
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
    'Angstrom'. To mend: map the right column, or say its unit: --unit NAME=UNIT (in Python units={...})
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
    meaning : str
        One line.
    unit : str
        As astropy spells it; empty if dimensionless.
    kind : {"id", "number", "flag", "text"}
        What the column holds: an id (whole number or text), numbers, true or false, or text.
    plausible : tuple of float, optional
        Between which the median of the sizes of its numbers lies, in whatever survey.
    suspected : str
        The unit in which they often come, where it does not.
    """

    name: str
    meaning: str
    unit: str = ""
    kind: Kind = "number"
    plausible: tuple[float, float] | None = None
    suspected: str = ""

    def matches(self, name: str) -> bool:
        """Whether a column of this name is described by the entry."""
        parts = (_PLACEHOLDERS.get(part, re.escape(part)) for part in self.name.split("_"))
        return name == self.name or re.fullmatch("_".join(parts), name) is not None


_PLACEHOLDERS = {"N": r"\d+", "LINE": r"[A-Z][A-Z0-9_]*", "BAND": r"\w+"}
_QUANTILES = {"q025": "2.5", "q16": "16", "q50": "50", "q84": "84", "q975": "97.5"}
_LINE_RATIOS = {
    "o32": "[O III] 5007 / [O II] 3727, 3729 (without 4959), a proxy of the ionisation parameter",
    "r23": "([O II] 3727, 3729 + [O III] 4959, 5007) / H beta",
    "o3n2": "([O III] 5007 / H beta) / ([N II] 6584 / H alpha)",
    "n2": "[N II] 6584 / H alpha",
    "s2": "[S II] 6716, 6731 / H alpha",
}

#: Every column that nebulium reads or writes, the more specific names first.
COLUMNS: tuple[Column, ...] = (
    Column("target_id", "identifier of the galaxy, unique in the table", kind="id"),
    Column("object_id", "target_id as text, as the Multimodal Universe has it", kind="id"),
    Column("redshift", "heliocentric redshift", plausible=(0.0, 5.0), suspected="percent"),
    Column("redshift_spec", "redshift of those that a spectroscopic survey would have"),
    Column("zwarn", "warning bits of the redshift fit; 0 is good"),
    Column("spectype", "class of the spectrum: GALAXY, QSO, STAR", kind="text"),
    Column(FILE, "file that the galaxy is from", kind="text"),
    Column("ra", "right ascension, ICRS", "deg"),
    Column("dec", "declination, ICRS", "deg"),
    Column("ebv", "Galactic reddening E(B-V)", "mag"),
    Column(
        "continuum_flux_N",
        "mean observed-frame flux density over the rest-frame bin 3400 + 300 N to 3700 + 300 N Angstrom, "
        "emission lines masked",
        FLUX_UNIT,
        plausible=(FAINTEST, 1e9),
        suspected="'erg/(s cm2 Angstrom)'",
    ),
    Column("coverage_N", "fraction of the bin that good pixels cover"),
    Column("log_luminosity", "log10 of continuum_flux_9 (1 + z) (luminosity distance in Mpc)^2"),
    Column("published_ew_LINE", "prediction of Khederlarian et al. (2024), rest frame", "Angstrom"),
    Column(
        "ew_ivar_LINE", "inverse variance of the measured equivalent width; 0 is missing", "1 / Angstrom2"
    ),
    *(
        Column(
            f"ew_LINE_{name}",
            f"{percent} % quantile of the predicted equivalent width, rest frame, emission positive",
            "Angstrom",
        )
        for name, percent in _QUANTILES.items()
    ),
    Column("line_flux_LINE", "observed-frame flux of the line", "1e-17 erg / (s cm2)"),
    Column("line_luminosity_LINE", "luminosity of the line", "erg / s"),
    Column("ew_LINE", "measured equivalent width, rest frame, emission positive", "Angstrom"),
    *(
        Column(f"log_{name}{ending}", f"log10 of {ratio}, {how}; NaN where a line is not positive")
        for name, ratio in _LINE_RATIOS.items()
        for ending, how in (("_attenuated", "of fluxes behind dust"), ("", "of fluxes without dust"))
    ),
    Column("bpt_class", "what excites the gas, by the BPT diagram", kind="text"),
    Column("in_domain", "whether the galaxy lies inside the training domain of the model", kind="flag"),
    Column("reliable", "whether enough draws count for the posterior to be believed", kind="flag"),
    Column("effective_draws", "how many equal draws the weighted draws of a posterior are worth"),
    Column("k_hat", "shape of the tail of the weights of draws; above 0.7 they are not to be believed"),
    Column("log_evidence", "natural logarithm of the density of the fluxes under the prior"),
    Column("chi_square", "of the fluxes, for the draw of a posterior that fits best"),
    Column("model", "name of the model that predicted the row", kind="text"),
    Column("n_missing_bins", "continuum bins that were missing and were marginalised over"),
    Column("split", "train, validation or test", kind="text"),
    Column("selected", "whether the galaxy passes the limits of the survey", kind="flag"),
    Column("log_mstar", "log10 of the surviving stellar mass in solar masses", plausible=(1.0, 20.0)),
    Column("log_mformed", "log10 of all stellar mass ever formed in solar masses", plausible=(1.0, 20.0)),
    Column("log_sfr", "log10 of the star-formation rate in solar masses a year", plausible=(0.0, 10.0)),
    Column("log_ssfr", "log10 of the star-formation rate over the stellar mass, 1/yr"),
    Column(
        "age_gyr", "time since the onset of star formation", "Gyr", plausible=(0.0, 100.0), suspected="yr"
    ),
    Column(
        "tau_gyr",
        "e-folding time of the star-formation history",
        "Gyr",
        plausible=(0.0, 100.0),
        suspected="yr",
    ),
    Column("lgmet", "log10 of the stellar metallicity, absolute mass fraction"),
    Column("oh12", "gas-phase metallicity 12 + log10(O/H)", plausible=(5.0, 11.0)),
    Column("mag_ab_obs_BAND", "AB magnitude as measured, with noise; NaN if not positive", "mag"),
    Column("mag_ab_err_BAND", "standard error of mag_ab_obs_BAND", "mag"),
    Column("mag_ab_BAND", "AB magnitude through the filter", "mag"),
    Column("flux_njy_obs_BAND", "flux density as measured, with noise", "nJy"),
    Column("flux_njy_err_BAND", "standard error of flux_njy_obs_BAND", "nJy"),
    Column("flux_njy_BAND", "flux density through the filter", "nJy"),
    Column("av_mag", "attenuation in the V band", "mag"),
    Column(
        "half_light_radius_kpc",
        "half-light radius of the galaxy along its major axis, in the band of the survey's limit",
        "kpc",
    ),
    Column("bulge_share", "share of the stellar mass in the bulge"),
    Column("bulge_re_kpc", "half-light radius of the bulge, major axis", "kpc"),
    Column("bulge_sersic_n", "Sersic index of the bulge"),
    Column("bulge_axis_ratio", "minor over major axis of the bulge as seen"),
    Column("disc_re_kpc", "half-light radius of the old disc seen face on", "kpc"),
    Column("cos_inclination", "cosine of the inclination of the disc; 1 is face on"),
    Column("disc_thickness", "scale height (sech2) of the disc over its scale length"),
    Column("position_angle_rad", "angle of the major axis, from the x axis towards y", "rad"),
    Column("young_re_kpc", "half-light radius of the stars younger than 100 Myr", "kpc"),
    Column("clump_share", "share of the light of the young stars in clumps"),
    Column("n_clumps", "number of clumps"),
    Column("clump_fwhm_kpc", "full width at half maximum of a clump", "kpc"),
    Column("arm_contrast", "share of the young light outside clumps in arms"),
    Column("n_arms", "number of spiral arms"),
    Column("pitch_angle_rad", "angle between a spiral arm and the circle through it", "rad"),
    Column("arm_phase_rad", "phase of the spiral arms", "rad"),
    Column("pattern_seed", "seed of the places of clumps and knots"),
    Column("n_neighbours", "other galaxies put into the stamp"),
    Column("neighbour_id_N", "target_id of the neighbour number N; NaN if there is none"),
    Column("neighbour_x_arcsec_N", "its place right of the centre of the stamp", "arcsec"),
    Column("neighbour_y_arcsec_N", "its place above the centre of the stamp", "arcsec"),
    Column("wave_aa", "observed-frame wavelength, vacuum", "Angstrom"),
    Column("wave_rest_aa", "rest-frame wavelength, vacuum", "Angstrom"),
    Column("flux_lambda", "flux density per wavelength", FLUX_UNIT),
    Column("ivar", "inverse variance of flux_lambda; 0 masks the pixel", "1e34 s2 cm4 Angstrom2 / erg2"),
    Column("fibre_fraction", "light of the galaxy in its spectrum over all of it, relative to a star's"),
    Column("median_sn_per_pixel", "median signal to noise of the pixels of the spectrum"),
    Column("lsf_sigma_aa", "Gaussian sigma of the line-spread function", "Angstrom"),
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


def family_of(name: str) -> str:
    """The name under which the glossary has a column, as ``ew_LINE``."""
    column = lookup(name)
    return name if column is None else column.name


def units_of(names: Iterable[str]) -> dict[str, str]:
    """Units of those columns that have one."""
    return {name: unit for name in names if (unit := unit_of(name))}


def about_column(name: str, units: Mapping[str, str]) -> dict[str, str]:
    """Unit and meaning of a column, for the metadata of its field."""
    entry = lookup(name)
    about = {"unit": units.get(name, ""), "description": entry.meaning if entry else ""}
    return {key: text for key, text in about.items() if text}
