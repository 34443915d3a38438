"""Physical properties of the galaxies of a mock universe, before any light is made."""

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.sed import dsps_adapter
from nebulium.sed.cosmology import DEFAULT_COSMOLOGY, Cosmology, Scalar, age_gyr, as_float
from nebulium.sed.sfh import Exponential, age_weights
from nebulium.sed.spectrum import RECENT_GYR
from nebulium.sed.ssp import load_ssp

_LOG10_E = 0.4342944819


class GalaxyProperties(eqx.Module):
    """Physical properties of one galaxy, or of many in arrays (n,).

    Parameters
    ----------
    redshift : scalar
        Cosmological redshift.
    log_mstar : scalar
        log10 of the surviving stellar mass in Msun.
    age_gyr : scalar
        Time since the onset of star formation, Gyr.
    tau_gyr : scalar
        Time of decline of the exponential history, Gyr.
    av_mag : scalar
        Attenuation of the stars in the V band as seen, the inclination included, mag.
    oh12 : scalar
        Gas-phase metallicity 12 + log10(O/H).
    lgmet : scalar
        log10 of the mass fraction of metals in the stars, absolute.

    Examples
    --------
    >>> galaxy = GalaxyProperties(0.1, 10.0, 8.0, 4.0, 0.3, 8.7, -1.8)
    >>> round(float(galaxy.log_sfr()), 2)
    -0.18
    """

    redshift: Float[Array, "*n"] = eqx.field(converter=as_float)
    log_mstar: Float[Array, "*n"] = eqx.field(converter=as_float)
    age_gyr: Float[Array, "*n"] = eqx.field(converter=as_float)
    tau_gyr: Float[Array, "*n"] = eqx.field(converter=as_float)
    av_mag: Float[Array, "*n"] = eqx.field(converter=as_float)
    oh12: Float[Array, "*n"] = eqx.field(converter=as_float)
    lgmet: Float[Array, "*n"] = eqx.field(converter=as_float)

    def history(self) -> Exponential:
        """Star-formation history.

        Returns
        -------
        Exponential
        """
        return Exponential(self.age_gyr, self.tau_gyr)

    def log_sfr(self, cosmology: Cosmology = DEFAULT_COSMOLOGY) -> Scalar:
        """log10 of the mean star-formation rate over the last 100 Myr, Msun/yr; for one galaxy.

        The same as that of `nebulium.sed.rest_spectrum` where that is finite; for the most quiescent, where
        float32 has nothing left, the logarithm goes on falling.

        Parameters
        ----------
        cosmology : Cosmology, optional
            Gives the age of the Universe.

        Returns
        -------
        scalar
        """
        return self.log_mstar + log_specific_sfr(self.history(), age_gyr(self.redshift, cosmology))


def log_specific_sfr(history: Exponential, t_obs_gyr: Scalar) -> Scalar:
    """log10 of the mean star-formation rate over the last 100 Myr over the surviving mass, 1/yr."""
    return log_recent_rate(history, t_obs_gyr) - jnp.log10(surviving_share(history, t_obs_gyr))


def log_recent_rate(history: Exponential, t_obs_gyr: Scalar) -> Scalar:
    """log10 of the mean star-formation rate over the last 100 Myr over the mass formed, 1/yr."""
    age = jnp.minimum(history.age_gyr, t_obs_gyr)
    recent = jnp.minimum(RECENT_GYR, age)
    # In logarithms, as the rate itself underflows where the age is many times tau.
    log_share = (
        (recent - age) / history.tau_gyr
        + jnp.log(-jnp.expm1(-recent / history.tau_gyr))
        - jnp.log(-jnp.expm1(-age / history.tau_gyr))
    )
    return _LOG10_E * log_share - np.float32(np.log10(RECENT_GYR * 1e9))


def surviving_share(history: Exponential, t_obs_gyr: Scalar) -> Scalar:
    """Share of the mass formed still in stars and remnants, as `nebulium.sed.rest_spectrum` has it."""
    lg_age_gyr = jnp.asarray(_template_ages())
    weights = age_weights(history, lg_age_gyr, t_obs_gyr)
    return jnp.sum(weights * dsps_adapter.surviving_fraction(lg_age_gyr))


@cache
def _template_ages() -> np.ndarray:
    """log10 age in Gyr of the packaged templates."""
    # The first call may come while somebody's function is traced.
    with jax.ensure_compile_time_eval():
        return np.asarray(load_ssp().lg_age_gyr)
