"""The synthetic galaxy of the slider, and its way through the map of the others.

Stars, dust, continuum and lines come from the differentiable chain of `nebulium.lines.chain`, compiled once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.errors import MissingExtraError, check_extra
from nebulium.explore.maps.embedding_file import GalaxyMap
from nebulium.explore.maps.features import colour_features, continuum_features
from nebulium.lines.chain import make_chain
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.demo.galaxies import LOG_APERTURE
from nebulium.lines.model import LineModel
from nebulium.lines.predict import WITH_LUMINOSITY
from nebulium.modelfile import load_model
from nebulium.sed import DelayedExponential, Galaxy, SalimDust, load_filters, load_ssp

#: 16, 50 and 84 per cent.
LEVELS = np.array([0.16, 0.5, 0.84], np.float32)
#: The slider: time of decline in Gyr, from a galaxy that has long stopped forming stars to one that goes on.
TAU_ENDS_GYR = (0.3, 20.0)
STEPS = 33
#: The galaxy: time since the onset of its star formation, mass in Msun, stellar metallicity.
AGE_GYR, LOG_MSTAR, LGMET, REDSHIFT = 10.0, 10.3, -1.8, 0.1
#: Its dust; the tilt of the attenuation curve is typical of galaxies.
AV_MAG, DUST_SLOPE = 0.3, -0.4
#: Features of the maps in which a continuum has a place.
FEATURES = {"continuum": continuum_features, "colours": colour_features}


@dataclass(frozen=True, eq=False)
class SyntheticGalaxy:
    """The light of one history.

    Attributes
    ----------
    tau_gyr : float
        Time from the onset of star formation to its peak, Gyr; then it declines.
    continuum : (12,) float32
        Through the fibre, in the model's bins, 1e-17 erg/s/cm2/AA.
    ew_aa : dict of str to tuple of float
        16, 50 and 84 % quantiles of the equivalent width of each line, AA.
    log_sfr : float
        log10 of the mean star-formation rate of the last 100 Myr, Msun/yr; -inf where no star formed.
    """

    tau_gyr: float
    continuum: Float[np.ndarray, "12"]
    ew_aa: dict[str, tuple[float, float, float]]
    log_sfr: float


@dataclass(frozen=True, eq=False)
class Synthetic:
    """A galaxy whose star formation declines as slowly as the slider is set.

    Parameters
    ----------
    galaxy_map : GalaxyMap, optional
        The map that it moves through; it has a place only in one of continua.
    model : str or Path
        Of the lines.
    """

    galaxy_map: GalaxyMap | None
    model: str | Path = WITH_LUMINOSITY
    _compiling: Lock = field(default_factory=Lock, repr=False)

    @property
    def lacks(self) -> str:
        """The package that is missing for it; empty if none is."""
        try:
            check_extra("sed")
        except MissingExtraError as error:
            return str(error)
        return ""

    def at(self, place: float) -> SyntheticGalaxy:
        """The galaxy at a place of the slider, 0 to 1."""
        # Two visitors who open the view at once wait for one compilation.
        with self._compiling:
            make = self._compiled
        return make(tau_of(place))

    def place(self, galaxy: SyntheticGalaxy) -> tuple[float, float] | None:
        """Where it lies in the map; None where it has no place."""
        x, y = self._places(galaxy.continuum[None])[0].tolist()
        return (x, y) if np.isfinite([x, y]).all() else None

    @property
    def is_ready(self) -> bool:
        """Whether it was asked before: compiling takes some seconds, for which nothing else shall wait."""
        return "_compiled" in vars(self)

    @cached_property
    def track(self) -> Float[np.ndarray, "step 2"]:
        """Its places as the slider moves from one end to the other."""
        made = [self.at(float(place)) for place in np.linspace(0.0, 1.0, STEPS)]
        return self._places(np.stack([galaxy.continuum for galaxy in made]))

    @cached_property
    def _compiled(self) -> Callable[[float], SyntheticGalaxy]:
        make = galaxy_maker(load_model(self.model, of=LineModel))
        make(TAU_ENDS_GYR[0])
        return make

    def _places(self, continuum: Float[np.ndarray, "k 12"]) -> Float[np.ndarray, "k 2"]:
        if self.galaxy_map is None or self.galaxy_map.features.kind not in FEATURES:
            return np.full((len(continuum), 2), np.nan, np.float32)
        features = FEATURES[self.galaxy_map.features.kind](continuum)
        return self.galaxy_map.placement.place(features)


def tau_of(place: float) -> float:
    """Time of decline at a place of the slider."""
    logs = np.log(TAU_ENDS_GYR)
    return round(float(np.exp(logs[0] + (logs[1] - logs[0]) * np.clip(place, 0.0, 1.0))), 6)


def galaxy_maker(model: LineModel) -> Callable[[float], SyntheticGalaxy]:
    """A function from the time of decline to the galaxy; compiled once, some milliseconds each."""
    check_extra("sed")
    chain = make_chain(load_ssp(), load_filters("sdss_r0"), model.median_ew)

    @jax.jit
    def light(tau_gyr: Array) -> tuple[Array, Array, Array]:
        galaxy = Galaxy(
            DelayedExponential(jnp.float32(AGE_GYR), tau_gyr),
            log_mstar=jnp.float32(LOG_MSTAR),
            redshift=jnp.float32(REDSHIFT),
            lgmet=jnp.float32(LGMET),
            dust=SalimDust(jnp.float32(AV_MAG), slope=jnp.float32(DUST_SLOPE)),
        )
        made = chain(galaxy, log_aperture=LOG_APERTURE)
        quantiles = model.density(made.continuum_flux, galaxy.redshift).quantile(jnp.asarray(LEVELS))
        return made.continuum_flux, quantiles, made.stars.rest.log_sfr

    def make(tau_gyr: float) -> SyntheticGalaxy:
        continuum, ew_aa, log_sfr = (np.asarray(part) for part in light(jnp.float32(tau_gyr)))
        widths = {
            line: (float(q16), float(q50), float(q84))
            for line, (q16, q50, q84) in zip(LINES, ew_aa.T, strict=True)
        }
        return SyntheticGalaxy(tau_gyr, continuum, widths, float(log_sfr))

    return make
