"""How likely the measured fluxes of a galaxy are, given its light: in flux, so that none need be positive."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from jaxtyping import Array, Bool, Float

from nebulium.infer.light import BandLight
from nebulium.nn.small_matrices import whitened
from nebulium.sed.cosmology import Scalar

_HALF_LOG_TWO_PI = np.float32(0.5 * np.log(2.0 * np.pi))


class MeasuredFluxes(NamedTuple):
    """The photometry of one galaxy, or of many in arrays (n, band).

    Parameters
    ----------
    flux_njy, flux_err_njy : array (band,)
        nJy; NaN where a band was not observed.
    is_limit : array (band,) of bool
        Where the flux is an upper limit, and the error that of the measurement which did not see the galaxy.
    redshift : scalar
    """

    flux_njy: Float[Array, "*n band"]
    flux_err_njy: Float[Array, "*n band"]
    is_limit: Bool[Array, "*n band"]
    redshift: Float[Array, "*n"]


class Agreement(NamedTuple):
    """How measured fluxes agree with a light.

    Parameters
    ----------
    log_likelihood : scalar
        Natural logarithm of the density per nJy^bands.
    chi_square : scalar
        Of the bands that are measured, with the errors of the model among the errors.
    """

    log_likelihood: Scalar
    chi_square: Scalar


def agreement(light: BandLight, measured: MeasuredFluxes, model_error: Float[Array, " band"]) -> Agreement:
    """Compare a light with fluxes.

    Parameters
    ----------
    light : BandLight
    measured : MeasuredFluxes
    model_error : array (band,)
        Error of the model in each band, as a fraction of its flux.

    Returns
    -------
    Agreement
        The lines are integrated out, as a normal law with the covariance of the light. A band that is not
        observed says nothing. A limit says how likely a flux below it is, its lines apart from others.
    """
    known = jnp.isfinite(measured.flux_njy)
    exact, limited = known & ~measured.is_limit, known & measured.is_limit
    # Put numbers in the place of NaN first: a derivative of what is not chosen would be NaN.
    flux = jnp.where(known, measured.flux_njy, light.mean)
    error = jnp.where(known, measured.flux_err_njy, 1.0)
    sigma = jnp.sqrt(error**2 + (model_error * light.mean) ** 2)
    off = jnp.where(known, (flux - light.mean) / sigma, 0.0)
    factor = light.factor / sigma[:, None]
    of_exact = jnp.where(exact[:, None], factor, 0.0)
    covariance = jnp.eye(len(sigma), dtype=sigma.dtype) + of_exact @ of_exact.T
    white, half = whitened(covariance, jnp.where(exact, off, 0.0)[:, None])
    chi_square = jnp.sum(white**2)
    normal = -0.5 * chi_square - half - jnp.sum(jnp.where(exact, jnp.log(sigma) + _HALF_LOG_TWO_PI, 0.0))
    below = log_ndtr(off / jnp.sqrt(1.0 + jnp.sum(factor**2, axis=1)))
    return Agreement(normal + jnp.sum(jnp.where(limited, below, 0.0)), chi_square)


def draw_measured(
    light_njy: Float[Array, " band"],
    flux_err_njy: Float[Array, " band"],
    model_error: Float[Array, " band"],
    key: Array,
) -> Float[Array, " band"]:
    """Fluxes as they are measured, nJy: with noise, and with the error that the model has."""
    sigma = jnp.sqrt(flux_err_njy**2 + (model_error * light_njy) ** 2)
    return light_njy + sigma * jax.random.normal(key, light_njy.shape)
