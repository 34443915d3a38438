"""Properties of a galaxy that photometry tells of, their interim prior, and its history of star formation.

The interim prior is broad and says nothing of any population: each property is even over a range. What
galaxies are like comes in later, as weights of draws; so the prior must be known, and cover them all.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Float, Int

from nebulium.sed.cosmology import Scalar
from nebulium.sed.sfh import Exponential
from nebulium.sed.spectrum import RECENT_GYR

Theta = Float[Array, " parameter"]

#: log10 of the surviving mass, Msun; log10 of the mean star-formation rate of the last 100 Myr over the mass
#: ever formed, 1/yr; time since the onset of star formation over the age of the Universe; A_V, mag; log10 of
#: the mass fraction of metals in the stars.
PARAMETERS = ("log_mstar", "log_sfr_formed", "onset_share", "av_mag", "lgmet")
MASS, RATE, ONSET, DUST, METALS = range(len(PARAMETERS))
#: What is told of a galaxy: log10 of mass, Msun, of the star-formation rate of the last 100 Myr, Msun/yr, and
#: of that rate over mass, 1/yr; time since the onset, Gyr; A_V, mag; log10 of the mass fraction of metals.
PROPERTIES = ("log_mstar", "log_sfr", "log_ssfr", "age_gyr", "av_mag", "lgmet")
#: Ends of the interim prior. Faster than 10^-8.5 a year no history of this form can be, over long times; the
#: metals are those of the packaged templates.
RANGES = ((5.0, 13.5), (-14.0, -8.5), (0.02, 1.0), (0.0, 3.0), (-3.5, -1.3))
#: Scatter of the metals of the stars of one galaxy, dex.
LGMET_SCATTER = 0.2
# Of age over tau, whose range holds all rates of the prior.
_MOST_RATIO, _HALVINGS, _LEAST_RATIO = 60.0, 24, 1e-2


class Prior(eqx.Module):
    """Each property even over a range, independent of the others.

    Parameters
    ----------
    low, high : array (parameter,)
        Ends of the ranges, in the order of `PARAMETERS`.

    Examples
    --------
    >>> prior = interim_prior()
    >>> prior.at(jnp.zeros(5)).tolist()[3], bool(prior.holds(prior.low - 1.0))
    (1.5, False)
    """

    low: Theta
    high: Theta

    def at(self, scores: Theta) -> Theta:
        """The properties at normal scores: their law under the prior is normal, of mean 0 and scatter 1."""
        return self.low + (self.high - self.low) * ndtr(scores)

    def scores(self, theta: Theta) -> Theta:
        """Normal scores of properties; infinite at and beyond the ends."""
        return ndtri(jnp.clip((theta - self.low) / (self.high - self.low), 0.0, 1.0))

    def holds(self, theta: Theta) -> Array:
        """Whether all properties lie within their ranges."""
        return jnp.all((theta >= self.low) & (theta <= self.high))


def interim_prior() -> Prior:
    """The prior that models are trained with."""
    low, high = np.array(RANGES, np.float32).T
    return Prior(jnp.asarray(low), jnp.asarray(high))


def properties_of(theta: Theta, log_mformed: Scalar, t_obs_gyr: Scalar) -> Float[Array, " property"]:
    """What is told of a galaxy, in the order of `PROPERTIES`."""
    log_sfr = log_mformed + theta[RATE]
    age_gyr = theta[ONSET] * t_obs_gyr
    return jnp.stack([theta[MASS], log_sfr, log_sfr - theta[MASS], age_gyr, theta[DUST], theta[METALS]])


def history_of(theta: Theta, t_obs_gyr: Scalar) -> Exponential:
    """History of star formation: exponential, falling or rising, with its rate of the last 100 Myr.

    Parameters
    ----------
    theta : array (parameter,)
        Properties, of which the rate and the onset are used.
    t_obs_gyr : scalar
        Age of the Universe, Gyr.
    """
    age = theta[ONSET] * t_obs_gyr
    recent = jnp.minimum(RECENT_GYR / age, 1.0)
    wanted = jnp.log(10.0 ** (theta[RATE] + np.float32(9.0 + np.log10(RECENT_GYR))))
    # A galaxy younger than 100 Myr has formed all its stars in them.
    wanted = jnp.minimum(wanted, -1e-3)

    def halve(_: Int[Array, ""], ends: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
        low, high = ends
        middle = 0.5 * (low + high)
        too_much = _log_recent_share(middle, recent) > wanted
        return jnp.where(too_much, middle, low), jnp.where(too_much, high, middle)

    ends = -10.0 / recent, jnp.full_like(age, _MOST_RATIO)
    low, high = jax.lax.fori_loop(0, _HALVINGS, halve, jax.lax.stop_gradient(ends))
    ratio = jax.lax.stop_gradient(_not_zero(0.5 * (low + high)))
    # One step of Newton's gives the derivatives, which halving has not.
    slope = jax.lax.stop_gradient(jax.grad(_log_recent_share)(ratio, recent))
    ratio = ratio - (_log_recent_share(ratio, recent) - wanted) / slope
    return Exponential(age, age / _not_zero(ratio))


def _log_recent_share(ratio: Scalar, recent: Scalar) -> Scalar:
    """Logarithm of the share of the mass that formed recently, given age over tau."""
    ratio = _not_zero(ratio)
    size = jnp.abs(ratio)
    fallen = jnp.where(ratio > 0, -(1.0 - recent) * ratio, 0.0)
    return fallen + jnp.log(-jnp.expm1(-size * recent)) - jnp.log(-jnp.expm1(-size))


def _not_zero(ratio: Scalar) -> Scalar:
    """A constant rate as one that falls by a per cent."""
    return jnp.where(jnp.abs(ratio) < _LEAST_RATIO, _LEAST_RATIO, ratio)
