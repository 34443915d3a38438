"""What stands in for a missing bin of a continuum: the training galaxies that are alike in the others."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nebulium.lines.continuum.features import LUMINOSITY_BIN

# A missing bin is filled from this many reference galaxies, weighted by a Gaussian whose width is the
# distance to a nearer one.
COMPLETIONS = 32
BANDWIDTH_NEIGHBOUR = 8
# Two galaxies count as alike if their continua agree to 0.02 dex a bin and their luminosities to 0.3 dex.
LIKE_LOG_FLUX, LIKE_LOG_LUMINOSITY = 0.02, 0.3


class Completions(eqx.Module):
    """Continua that agree with the bins that were seen.

    Attributes
    ----------
    continuum_flux : (32, 12) float32
        In the unit of the input; the seen bins as they are.
    weight : (32,) float32
        Adds up to one.
    """

    continuum_flux: Float[Array, "32 12"]
    weight: Float[Array, "32"]


def complete_continuum(
    colours: Float[Array, "2048 11"],
    continuum_flux: Float[Array, "12"],
    log_luminosity: Float[Array, "2048"] | None = None,
    log_luminosity_of_unit_flux: Float[Array, ""] | None = None,
) -> Completions:
    """Fill the missing bins from the training galaxies that are most alike in the others."""
    seen = jnp.isfinite(continuum_flux)
    log_flux = jnp.where(seen, jnp.log10(jnp.where(seen, continuum_flux, 1.0)), 0.0)
    shape = jnp.pad(jnp.cumsum(colours, axis=1), ((0, 0), (1, 0)))
    counts = seen.astype(jnp.float32)
    share = counts / jnp.sum(counts)
    level = (log_flux[None, :] - shape) @ share
    misfit = jnp.where(seen[None, :], log_flux[None, :] - shape - level[:, None], 0.0)
    squares = jnp.sum((misfit / LIKE_LOG_FLUX) ** 2, axis=1)
    filled = jnp.where(seen[None, :], log_flux[None, :], shape + level[:, None])
    if log_luminosity is not None and log_luminosity_of_unit_flux is not None:
        own = filled[:, LUMINOSITY_BIN] + log_luminosity_of_unit_flux
        squares += ((own - log_luminosity) / LIKE_LOG_LUMINOSITY) ** 2
    nearest, index = jax.lax.top_k(-squares, COMPLETIONS)
    bandwidth = jnp.maximum(-nearest[BANDWIDTH_NEIGHBOUR], 1e-6)
    return Completions(10.0 ** filled[index], jax.nn.softmax(0.5 * nearest / bandwidth))
