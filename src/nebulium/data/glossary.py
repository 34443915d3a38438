"""The one glossary of column names: what each means, its unit, and whether it holds numbers or ids."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from nebulium.data.units import FLUX_UNIT

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
        """Whether a column of this name is described by the entry.

        Parameters
        ----------
        name : str
            The name of a column.

        Returns
        -------
        bool
            True if it is.

        Examples
        --------
        >>> lookup("ew_LINE_q50").matches("ew_OIII_5007_q50")
        True
        """
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
    Column("redshift", "", "number", "heliocentric redshift"),
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
    Column("in_domain", "", "flag", "whether the continuum lies inside the training domain of the model"),
    Column("model", "", "text", "name of the model that predicted the row"),
    Column("n_missing_bins", "", "number", "continuum bins that were missing and were marginalised over"),
    Column("split", "", "text", "train, validation or test"),
    Column("log_mstar", "", "number", "log10 of the surviving stellar mass in solar masses"),
    Column("log_sfr", "", "number", "log10 of the star-formation rate in solar masses a year"),
    Column("lgmet", "", "number", "log10 of the stellar metallicity, absolute mass fraction"),
    Column("oh12", "", "number", "gas-phase metallicity 12 + log10(O/H)"),
    Column("mag_ab_BAND", "mag", "number", "AB magnitude through the filter"),
    Column("flux_njy_BAND", "nJy", "number", "flux density through the filter"),
    Column("av_mag", "mag", "number", "attenuation in the V band"),
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


def unit_of(name: str) -> str | None:
    """Unit in which nebulium holds a column.

    Parameters
    ----------
    name : str
        The name of a column.

    Returns
    -------
    str or None
        Empty if dimensionless, None if the name is not in the glossary.

    Examples
    --------
    >>> unit_of("ew_OII_DOUBLET_q16"), unit_of("redshift")
    ('Angstrom', '')
    """
    column = lookup(name)
    return None if column is None else column.unit
