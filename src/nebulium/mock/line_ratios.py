"""Ratios of line fluxes that tell the state of the gas, as it is and behind its dust."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from nebulium.lines.continuum.line_list import line_index
from nebulium.lines.injection.profiles import LINE_CENTRES_AA
from nebulium.mock.populations.relations import STARS_OVER_GAS
from nebulium.sed.dust import CalzettiDust

Values = Float[np.ndarray, " n"]
OfGalaxies = Float[np.ndarray, "n 10"]
#: Each ratio as a product of sums of lines: those above the bar, then those below it.
RATIOS: dict[str, tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]] = {
    "log_o32": ((("OIII_5007",),), (("OII_DOUBLET",),)),
    "log_r23": ((("OII_DOUBLET", "OIII_4959", "OIII_5007"),), (("HBETA",),)),
    "log_o3n2": ((("OIII_5007",), ("HALPHA",)), (("HBETA",), ("NII_6584",))),
    "log_n2": ((("NII_6584",),), (("HALPHA",),)),
    "log_s2": ((("SII_6716", "SII_6731"),), (("HALPHA",),)),
}


def line_ratio_columns(line_flux: OfGalaxies, av_mag: Values) -> dict[str, Values]:
    """The ratios without dust and, as `NAME_attenuated`, behind it; NaN where a line is not positive."""
    emitted = line_flux * 10.0 ** (0.4 * gas_attenuation_mag(av_mag))
    columns = {name: _log_ratio(emitted, *lines) for name, lines in RATIOS.items()}
    return columns | {f"{name}_attenuated": _log_ratio(line_flux, *lines) for name, lines in RATIOS.items()}


def gas_attenuation_mag(av_mag: Values) -> OfGalaxies:
    """Attenuation of the ten lines of galaxies whose stars have that in V.

    Curve and colour excess, 1 / 0.44 of that of the stars, of Calzetti et al. (2000, ApJ 533, 682): the
    relation by which the population `sdss` has its dust from that of H alpha.
    """
    per_av = CalzettiDust(jnp.float32(1.0 / STARS_OVER_GAS)).attenuation_mag(jnp.asarray(LINE_CENTRES_AA))
    return np.asarray(av_mag)[:, None] * np.asarray(per_av)[None, :]


def _log_ratio(
    flux: OfGalaxies, above: tuple[tuple[str, ...], ...], below: tuple[tuple[str, ...], ...]
) -> Values:
    logs = [_log_sum(flux, lines) for lines in above] + [-_log_sum(flux, lines) for lines in below]
    return np.sum(logs, axis=0)


def _log_sum(flux: OfGalaxies, lines: tuple[str, ...]) -> Values:
    some = flux[:, [line_index(line) for line in lines]]
    known = np.all(some > 0, axis=1)
    return np.log10(np.where(known, some.sum(axis=1), np.nan))
