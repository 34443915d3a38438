"""The ten emission lines: names, wavelengths, components, fixed ratios.

The names and their order are those of the DESI table (and of FastSpecFit, in capitals), so
that columns `ew_LINE` line up with arrays `(n, 10)` everywhere in the library.

Wavelengths are vacuum rest wavelengths in Angstrom: Ritz values of the NIST Atomic Spectra
Database, rounded to 0.01 AA or better; for the Balmer lines, blends of fine-structure
components, the customary means. A name such as `OIII_5007` keeps the air wavelength by which the line is
known.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Array, Float

# The continuum of a galaxy in twelve bins, and one number for each line; the same of many galaxies.
Continuum = Float[Array, "12"]
OfLines = Float[Array, "10"]
Continua = Float[np.ndarray, "n 12"]
Widths = Float[np.ndarray, "n 10"]


@dataclass(frozen=True)
class Component:
    """One Gaussian of a line.

    Parameters
    ----------
    wave_rest_aa : float
        Vacuum rest wavelength, AA.
    flux_fraction : float
        Its share of the line's flux where nothing better is known; shares of a line sum to one.
    """

    wave_rest_aa: float
    flux_fraction: float


# Flux of [OII] 3729 over 3727 where nothing better is known: 1.3, between the low-density limit
# of about 1.45 and the 1.2 to 1.4 of most galaxies, whose electron densities are tens to two hundred per
# cm3 (Sanders et al. 2016, ApJ 816, 23).
OII_3729_OVER_3727 = 1.3


def _single(wave_rest_aa: float) -> tuple[Component, ...]:
    return (Component(wave_rest_aa, 1.0),)


COMPONENTS: dict[str, tuple[Component, ...]] = {
    "OII_DOUBLET": (
        Component(3727.092, 1.0 / (1.0 + OII_3729_OVER_3727)),
        Component(3729.875, OII_3729_OVER_3727 / (1.0 + OII_3729_OVER_3727)),
    ),
    "HGAMMA": _single(4341.68),
    "HBETA": _single(4862.68),
    "OIII_4959": _single(4960.295),
    "OIII_5007": _single(5008.240),
    "NII_6548": _single(6549.85),
    "HALPHA": _single(6564.61),
    "NII_6584": _single(6585.27),
    "SII_6716": _single(6718.29),
    "SII_6731": _single(6732.67),
}

LINES: tuple[str, ...] = tuple(COMPONENTS)

# Mean of a line's components, weighted by flux: where its continuum is taken.
LINE_WAVES_AA: dict[str, float] = {
    line: sum(part.wave_rest_aa * part.flux_fraction for part in parts) for line, parts in COMPONENTS.items()
}

DISPLAY_NAMES: dict[str, str] = {
    "OII_DOUBLET": "[O II] 3727, 3729",
    "HGAMMA": "Hγ",
    "HBETA": "Hβ",
    "OIII_4959": "[O III] 4959",
    "OIII_5007": "[O III] 5007",
    "NII_6548": "[N II] 6548",
    "HALPHA": "Hα",
    "NII_6584": "[N II] 6584",
    "SII_6716": "[S II] 6716",
    "SII_6731": "[S II] 6731",
}

# Weaker line -> (stronger line, flux of the stronger over flux of the weaker). Both lines of a pair
# leave the same upper level, so the ratio is a constant of the atom: 2.98 for [OIII] and 3.05 for
# [NII] (Storey & Zeippen 2000, MNRAS 312, 813). Fits tie the pair at nearby values (2.94 is older theory for
# [NII]). The ratio of equivalent widths is the flux ratio times the continuum at the weaker line over that
# at the stronger. In the DESI table it is 3.06 and 2.97 (medians where the stronger line has S/N > 30).
TIED: dict[str, tuple[str, float]] = {"OIII_4959": ("OIII_5007", 2.98), "NII_6548": ("NII_6584", 3.05)}


def line_columns(**values: Any) -> dict[str, Any]:
    """Columns KIND_LINE of arrays (n, 10) by kind, line after line."""
    return {
        f"{kind}_{line}": array[:, place]
        for place, line in enumerate(LINES)
        for kind, array in values.items()
    }


def line_index(line: str) -> int:
    """Place of a line along the axis of ten."""
    if line not in COMPONENTS:
        raise KeyError(f"{line!r} is not one of the lines {', '.join(LINES)}")
    return LINES.index(line)
