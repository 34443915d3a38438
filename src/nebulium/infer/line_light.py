"""What lines add to the light, given the continuum: a mean and a covariance in place of draws.

A model of lines says the law of ten equivalent widths. What enters a likelihood of fluxes are its first two
moments; a small network, trained on the law itself, gives them a hundred times faster than draws would.
"""

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from scipy.special import ndtri
from scipy.stats.qmc import Sobol

from nebulium.lines.continuum.bins import BIN_EDGES_AA
from nebulium.lines.continuum.features import colours
from nebulium.lines.continuum.line_list import OfLines
from nebulium.lines.injection.profiles import LINE_CENTRES_AA
from nebulium.lines.model import LineModel
from nebulium.sed.cosmology import Scalar

N_COLOURS, N_LINES = 11, 10
#: Normal numbers that stand for the scatter of ten lines: two are that of all together, and of hard light.
RANK = 5
WIDTH, DEPTH = 64, 2
#: Standardised colours are clipped here.
BOUND = 6.0
#: Draws that moments are measured by: evenly spread ones, as a few strong lines make much of the mean.
DRAWS = 256
#: The bin of the continuum that each line lies in.
BIN_OF_LINE = np.searchsorted(BIN_EDGES_AA, LINE_CENTRES_AA) - 1


class LineLight(eqx.Module):
    """A network from the colours of a continuum to mean and scatter of its lines.

    Attributes
    ----------
    colour_mean, colour_scale : (11,) float32
    log_mean : (10,) float32
        Logarithm of the mean equivalent widths, AA, of typical galaxies.
    network : equinox.nn.MLP
    """

    colour_mean: Float[Array, " colour"]
    colour_scale: Float[Array, " colour"]
    log_mean: OfLines
    network: eqx.nn.MLP

    def __init__(self, *, key: Key[Array, ""]):
        self.colour_mean, self.colour_scale = jnp.zeros(N_COLOURS), jnp.ones(N_COLOURS)
        self.log_mean = jnp.zeros(N_LINES)
        outputs = N_LINES * (1 + RANK)
        self.network = eqx.nn.MLP(N_COLOURS, outputs, WIDTH, DEPTH, activation=jax.nn.gelu, key=key)

    def moments(self, colour: Float[Array, " colour"]) -> tuple[OfLines, Float[Array, "10 rank"]]:
        """Logarithm of the mean width, AA of the continuum of its bin, and factors of the scatter over it."""
        standard = (colour - self.colour_mean) / self.colour_scale
        output = self.network(jnp.clip(standard, -BOUND, BOUND))
        return self.log_mean + output[:N_LINES], output[N_LINES:].reshape(N_LINES, RANK)

    def line_flux(
        self, bins: Float[Array, "12"], redshift: Scalar
    ) -> tuple[OfLines, Float[Array, "10 rank"]]:
        """Mean line fluxes, 1e-17 erg/s/cm2, upon an observed continuum, and factors of their scatter."""
        log_width, factor = self.moments(colours(bins))
        mean = jnp.exp(log_width) * bins[BIN_OF_LINE] * (1.0 + redshift)
        return mean, mean[:, None] * factor


class LineMoments(eqx.Module):
    """Moments of the lines upon some continua, which a network learns.

    Parameters
    ----------
    colour : array (n, 11)
    log_mean : array (n, 10)
    covariance : array (n, 10, 10)
        Of line fluxes over their means.
    """

    colour: Float[Array, "*n colour"]
    log_mean: Float[Array, "*n 10"]
    covariance: Float[Array, "*n 10 10"]


def measure_moments(
    model: LineModel, bins: Float[Array, "12"], at_lines: OfLines, redshift: Scalar
) -> LineMoments:
    """Moments of the lines upon one continuum, by draws that are the same for all."""
    density = model.density(bins, redshift)
    root = jnp.linalg.cholesky(density.correlation)
    ew_aa = jax.vmap(density.at_scores)(jnp.asarray(_even_scores()) @ root.T)
    mean = jnp.mean(ew_aa, axis=0)
    off = ew_aa / mean[None, :] - 1.0
    log_mean = jnp.log(mean * at_lines / bins[BIN_OF_LINE])
    return LineMoments(colours(bins), log_mean, off.T @ off / len(off))


@cache
def _even_scores() -> Float[np.ndarray, "draw 10"]:
    """Normal numbers that fill their space evenly (Sobol', scrambled)."""
    return ndtri(Sobol(N_LINES, seed=0).random(DRAWS)).astype(np.float32)


def moment_loss(light: LineLight, galaxies: LineMoments, key: Array | None) -> Float[Array, " batch"]:
    """How far the moments of each galaxy are off."""

    def one(galaxy: LineMoments) -> Scalar:
        log_mean, factor = light.moments(galaxy.colour)
        scatter = jnp.sqrt(jnp.diagonal(galaxy.covariance))
        off = (factor @ factor.T - galaxy.covariance) / (0.1 + scatter[:, None] * scatter[None, :])
        return 4.0 * jnp.mean((log_mean - galaxy.log_mean) ** 2) + jnp.mean(off**2)

    return jax.vmap(one)(galaxies)


def untrained(moments: LineMoments, key: Key[Array, ""]) -> LineLight:
    """A network with the statistics of its training galaxies."""
    light = LineLight(key=key)
    found = (
        moments.colour.mean(axis=0),
        np.maximum(moments.colour.std(axis=0), 1e-3),
        moments.log_mean.mean(axis=0),
    )
    return eqx.tree_at(
        lambda one: (one.colour_mean, one.colour_scale, one.log_mean), light, tuple(map(jnp.asarray, found))
    )
