"""Star-formation histories.

A history is a shape; the mass is given apart. What a history must tell is how much of its mass formed
within a lookback time, in closed form where there is one: age bins of the templates are differences of that,
exact also for the youngest stars of the oldest galaxy in float32, and smooth in every parameter.
"""

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import ndtr
from jaxtyping import Array, Float

from nebulium.sed.cosmology import Scalar, as_float
from nebulium.sed.piecewise import PiecewiseLinear

Lookbacks = Float[Array, " time"]


class AbstractHistory(eqx.Module):
    """The shape of a star-formation history."""

    @abstractmethod
    def mass_since(self, lookback_gyr: Lookbacks, t_obs_gyr: Scalar) -> Lookbacks:
        """Mass formed within each lookback time before `t_obs_gyr`, in any one unit.

        Parameters
        ----------
        lookback_gyr : array (time,)
            Gyr before the observation: above 0, and not above `t_obs_gyr`.
        t_obs_gyr : scalar
            Age of the Universe at the observation, Gyr.

        Returns
        -------
        array (time,)
        """


class Exponential(AbstractHistory):
    """SFR falling as exp(-t / tau) since its onset.

    Parameters
    ----------
    age_gyr : scalar
        Time since the onset, Gyr; at most the age of the Universe counts.
    tau_gyr : scalar
        Time of decline, Gyr.

    Examples
    --------
    >>> Exponential(age_gyr=5.0, tau_gyr=10.0).mass_since(jnp.array([5.0, 9.0]), jnp.array(12.0)).round(1)
    Array([0.4, 0.4], dtype=float32)
    """

    age_gyr: Float[Array, "*batch"] = eqx.field(converter=as_float)
    tau_gyr: Float[Array, "*batch"] = eqx.field(converter=as_float)

    def mass_since(self, lookback_gyr: Lookbacks, t_obs_gyr: Scalar) -> Lookbacks:
        """Mass formed within each lookback time, over SFR at the onset times tau."""
        age = jnp.minimum(self.age_gyr, t_obs_gyr)
        lookback = jnp.minimum(lookback_gyr, age)
        return -jnp.exp(-(age - lookback) / self.tau_gyr) * jnp.expm1(-lookback / self.tau_gyr)


class DelayedExponential(AbstractHistory):
    """SFR as t exp(-t / tau) since its onset: a rise, a peak at tau, a decline.

    Parameters
    ----------
    age_gyr : scalar
        Time since the onset, Gyr; at most the age of the Universe counts.
    tau_gyr : scalar
        Time from the onset to the peak, Gyr.

    Examples
    --------
    >>> history = DelayedExponential(age_gyr=8.0, tau_gyr=2.0)
    >>> history.mass_since(jnp.array([0.1, 8.0]), jnp.array(12.0)).round(3)
    Array([0.00..., 0.90...], dtype=float32)
    """

    age_gyr: Float[Array, "*batch"] = eqx.field(converter=as_float)
    tau_gyr: Float[Array, "*batch"] = eqx.field(converter=as_float)

    def mass_since(self, lookback_gyr: Lookbacks, t_obs_gyr: Scalar) -> Lookbacks:
        """Mass formed within each lookback time, in units of the whole if it were to go on for ever."""
        age = jnp.minimum(self.age_gyr, t_obs_gyr) / self.tau_gyr
        lookback = jnp.minimum(lookback_gyr / self.tau_gyr, age)
        # As a difference of antiderivatives this would lose the youngest stars to rounding.
        since = -jnp.expm1(-lookback)
        return jnp.exp(-(age - lookback)) * (age * since + (since - lookback))


class Lognormal(AbstractHistory):
    """SFR lognormal in cosmic time (Gladders et al. 2013, ApJ 770, 64).

    Parameters
    ----------
    t_peak_gyr : scalar
        Age of the Universe when the SFR peaks, Gyr.
    width : scalar
        Standard deviation of ln t.

    Examples
    --------
    >>> Lognormal(t_peak_gyr=3.0, width=0.5).mass_since(jnp.array([9.0, 12.0]), jnp.array(12.0)).round(1)
    Array([0.7, 1. ], dtype=float32)
    """

    t_peak_gyr: Float[Array, "*batch"] = eqx.field(converter=as_float)
    width: Float[Array, "*batch"] = eqx.field(converter=as_float)

    def mass_since(self, lookback_gyr: Lookbacks, t_obs_gyr: Scalar) -> Lookbacks:
        """Mass formed within each lookback time, in units of the whole if it were to go on for ever."""
        # exp(-(ln t - m)^2 / 2 w^2) / t peaks at ln t = m - w^2.
        now = (jnp.log(t_obs_gyr / self.t_peak_gyr) - self.width**2) / self.width
        # Short of the Big Bang by a hair, where the logarithm is finite and no star has formed.
        back = -jnp.log1p(-jnp.minimum(lookback_gyr / t_obs_gyr, 1.0 - 1e-6)) / self.width
        middle, near = now - 0.5 * back, back < 0.05
        density = jnp.exp(-0.5 * middle**2) / jnp.sqrt(2.0 * jnp.pi)
        # Over a short interval the difference of two integrals is rounding error; a series is not.
        series = density * back * (1.0 + (middle**2 - 1.0) * back**2 / 24.0)
        return jnp.where(near, series, ndtr(now) - ndtr(now - back))


class Burst(AbstractHistory):
    """Stars formed together, lognormally about one lookback time.

    Parameters
    ----------
    age_gyr : scalar
        Median age of the stars, Gyr.
    width_dex : scalar, optional
        Standard deviation of log10 age.

    Examples
    --------
    >>> Burst(age_gyr=0.1).mass_since(jnp.array([0.1, 1.0]), jnp.array(12.0)).round(2)
    Array([0.5, 1. ], dtype=float32)
    """

    age_gyr: Float[Array, "*batch"] = eqx.field(converter=as_float)
    width_dex: Float[Array, "*batch"] = eqx.field(converter=as_float, default=0.1)

    def mass_since(self, lookback_gyr: Lookbacks, t_obs_gyr: Scalar) -> Lookbacks:
        """Share of the mass formed within each lookback time."""
        return ndtr(jnp.log10(lookback_gyr / self.age_gyr) / self.width_dex)


class Tabulated(AbstractHistory):
    """A table of one's own, linear between its times; before the first SFR is 0, after the last it stays.

    Parameters
    ----------
    t_gyr : array (time,)
        Age of the Universe, Gyr, increasing.
    sfr : array (time,)
        SFR at those times in any unit, not negative.

    Examples
    --------
    >>> history = Tabulated(t_gyr=jnp.array([1.0, 6.0, 12.0]), sfr=jnp.array([0.0, 2.0, 2.0]))
    >>> history.mass_since(jnp.array([6.0, 12.0]), jnp.array(12.0))
    Array([12., 17.], dtype=float32)
    """

    t_gyr: Float[Array, "*batch table"] = eqx.field(converter=as_float)
    sfr: Float[Array, "*batch table"] = eqx.field(converter=as_float)

    def mass_since(self, lookback_gyr: Lookbacks, t_obs_gyr: Scalar) -> Lookbacks:
        """Integral of the table over each lookback time."""
        now = jnp.interp(t_obs_gyr, self.t_gyr, self.sfr)
        times = jnp.minimum(self.t_gyr, t_obs_gyr)
        # Nodes after the observation fold onto it and enclose no mass.
        sfr = jnp.where(self.t_gyr < t_obs_gyr, self.sfr, now)
        x = jnp.concatenate([jnp.zeros(1, times.dtype), (t_obs_gyr - times)[::-1]])
        return PiecewiseLinear(x, jnp.concatenate([now[None], sfr[::-1]])).integral_to(lookback_gyr)


class TwoComponents(AbstractHistory):
    """Two histories with their shares of the mass formed, such as a burst upon a long decline.

    Parameters
    ----------
    first, second : AbstractHistory
    second_share : scalar
        Share of the mass formed in the second, 0 to 1.

    Examples
    --------
    >>> history = TwoComponents(Exponential(10.0, 1.0), Burst(0.01), second_share=0.02)
    >>> history.mass_since(jnp.array([0.1, 12.0]), jnp.array(12.0)).round(3)
    Array([0.02, 1.  ], dtype=float32)
    """

    first: AbstractHistory
    second: AbstractHistory
    second_share: Float[Array, "*batch"] = eqx.field(converter=as_float)

    def mass_since(self, lookback_gyr: Lookbacks, t_obs_gyr: Scalar) -> Lookbacks:
        """Share of the mass formed within each lookback time."""
        first, second = (
            part.mass_since(lookback_gyr, t_obs_gyr) / part.mass_since(t_obs_gyr[None], t_obs_gyr)
            for part in (self.first, self.second)
        )
        return (1.0 - self.second_share) * first + self.second_share * second


def mass_fraction_since(history: AbstractHistory, lookback_gyr: Lookbacks, t_obs_gyr: Scalar) -> Lookbacks:
    """Share of the mass formed until `t_obs_gyr` that formed within each lookback time."""
    times = jnp.append(jnp.minimum(lookback_gyr, t_obs_gyr), t_obs_gyr)
    masses = history.mass_since(times, t_obs_gyr)
    return masses[:-1] / masses[-1]


def age_weights(
    history: AbstractHistory, lg_age_gyr: Float[Array, " age"], t_obs_gyr: Scalar
) -> Float[Array, " age"]:
    """Share of the mass formed that each template age stands for.

    Bins end half way between the logarithms of the ages; the first begins at age 0, the last has no end.
    """
    edges = 10.0 ** (0.5 * (lg_age_gyr[1:] + lg_age_gyr[:-1]))
    below = mass_fraction_since(history, edges, t_obs_gyr)
    ends = jnp.array([0.0, 1.0], below.dtype)
    return jnp.diff(jnp.concatenate([ends[:1], below, ends[1:]]))
