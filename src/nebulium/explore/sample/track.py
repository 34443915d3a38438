"""One synthetic galaxy whose star formation is changed by hand, and its way through the map.

Stars, dust, continuum and lines come from the differentiable chain of `nebulium.lines.chain`, compiled once.
"""

from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.errors import MissingExtraError
from nebulium.lines.chain import make_chain
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.demo.galaxies import LOG_APERTURE
from nebulium.lines.model import LineModel
from nebulium.sed import (
    Burst,
    DelayedExponential,
    Galaxy,
    SalimDust,
    TwoComponents,
    load_filters,
    load_ssp,
)

#: Packages of the extra `sed` that the chain needs.
PACKAGES = {"dsps": "dsps", "sedpy": "astro-sedpy"}
#: 16, 50 and 84 per cent.
LEVELS = np.array([0.16, 0.5, 0.84], np.float32)
#: The slider: time of decline in Gyr, from a galaxy that has long stopped forming stars to one that goes on.
TAU_ENDS_GYR = (0.3, 20.0)
STEPS = 33
#: Stars so young make the burst.
BURST_AGE_GYR, BURST_WIDTH_DEX = 0.02, 0.15
#: Tilt of the attenuation curve, typical of galaxies.
DUST_SLOPE = -0.4


@dataclass(frozen=True)
class History:
    """The properties of the synthetic galaxy.

    Attributes
    ----------
    tau_gyr : float
        Time from the onset of star formation to its peak, Gyr; then it declines.
    age_gyr : float
        Time since the onset, Gyr; at most the age of the Universe counts.
    burst_share : float
        Share of the mass that formed in a burst 20 Myr ago.
    av_mag : float
        Attenuation in V.
    lgmet : float
        log10 of the stellar metallicity, absolute.
    log_mstar : float
        log10 of the stellar mass, Msun.
    redshift : float
    """

    tau_gyr: float = 3.0
    age_gyr: float = 10.0
    burst_share: float = 0.0
    av_mag: float = 0.3
    lgmet: float = -1.8
    log_mstar: float = 10.3
    redshift: float = 0.1


@dataclass(frozen=True, eq=False)
class SyntheticGalaxy:
    """The light of one history.

    Attributes
    ----------
    history : History
    continuum : (12,) float32
        Through the fibre, in the model's bins, 1e-17 erg/s/cm2/AA.
    ew_aa : dict of str to tuple of float
        16, 50 and 84 % quantiles of the equivalent width of each line, AA.
    log_sfr : float
        log10 of the mean star-formation rate of the last 100 Myr, Msun/yr; -inf where no star formed.
    """

    history: History
    continuum: Float[np.ndarray, "12"]
    ew_aa: dict[str, tuple[float, float, float]]
    log_sfr: float


def tau_of(place: float) -> float:
    """Time of decline at a place of the slider."""
    logs = np.log(TAU_ENDS_GYR)
    return round(float(np.exp(logs[0] + (logs[1] - logs[0]) * np.clip(place, 0.0, 1.0))), 6)


class SyntheticGalaxies:
    """Makes synthetic galaxies; compiled once, some milliseconds each.

    Parameters
    ----------
    model : LineModel
        Predicts the lines.
    """

    def __init__(self, model: LineModel):
        missing = missing_extra()
        if missing is not None:
            raise missing
        chain = make_chain(load_ssp(), load_filters("sdss_r0"), model.median_ew)

        def light(values: dict[str, Array]) -> tuple[Array, Array, Array]:
            galaxy = _galaxy(values)
            made = chain(galaxy, log_aperture=LOG_APERTURE)
            quantiles = model.density(made.continuum_flux, galaxy.redshift).quantile(jnp.asarray(LEVELS))
            return made.continuum_flux, quantiles, made.stars.rest.log_sfr

        self._light = jax.jit(light)

    def __call__(self, history: History) -> SyntheticGalaxy:
        """One galaxy."""
        return _as_galaxy(history, *(np.asarray(part) for part in self._light(_values(history))))


def slider_histories(history: History, steps: int = STEPS) -> list[History]:
    """Those of evenly spaced places of the slider."""
    return [replace(history, tau_gyr=tau_of(float(place))) for place in np.linspace(0.0, 1.0, steps)]


def missing_extra() -> MissingExtraError | None:
    """The error that names the first package of the extra that is not installed; None if all are."""
    lacking = [name for module, name in PACKAGES.items() if find_spec(module) is None]
    return MissingExtraError(lacking[0], "sed") if lacking else None


def _values(history: History) -> dict[str, Array]:
    return {name: jnp.asarray(value, jnp.float32) for name, value in asdict(history).items()}


def _galaxy(values: dict[str, Array]) -> Galaxy:
    stars = TwoComponents(
        DelayedExponential(values["age_gyr"], values["tau_gyr"]),
        Burst(jnp.float32(BURST_AGE_GYR), jnp.float32(BURST_WIDTH_DEX)),
        values["burst_share"],
    )
    return Galaxy(
        stars,
        log_mstar=values["log_mstar"],
        redshift=values["redshift"],
        lgmet=values["lgmet"],
        dust=SalimDust(values["av_mag"], slope=jnp.float32(DUST_SLOPE)),
    )


def _as_galaxy(history: History, continuum: np.ndarray, ew_aa: np.ndarray, log_sfr: Any) -> SyntheticGalaxy:
    widths = {
        line: (float(q16), float(q50), float(q84))
        for line, (q16, q50, q84) in zip(LINES, ew_aa.T, strict=True)
    }
    return SyntheticGalaxy(history, continuum, widths, float(log_sfr))
