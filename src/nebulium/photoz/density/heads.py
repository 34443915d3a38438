"""Heads that make p(z) out of a vector, with the loss that trains them.

Both work in ln(1 + z), in which the errors of photometric redshifts are alike, and answer with the logarithm
of the probability of each bin of a `RedshiftGrid`. For one galaxy; a label that is missing is NaN and teaches
nothing. A label with a known error teaches the density of the truth, not of the label.
"""

from collections.abc import Mapping
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from nebulium.photoz.density.grid import RedshiftGrid

Vector = Float[Array, " input"]
Scalar = Float[Array, ""]

COMPONENTS = 5
# Of the first weights, so that every galaxy starts with the same broad density.
_FIRST_SCALE = 0.1
# Narrowest kernel of a label, in bins: an exact label then lies in one bin alone.
_LEAST_KERNEL = 1e-3


class BinnedHead(eqx.Module):
    """A probability for each bin, any shape.

    Parameters
    ----------
    inputs : int
        Length of the vector.
    grid : RedshiftGrid
    key : key
    """

    linear: eqx.nn.Linear
    grid: RedshiftGrid = eqx.field(static=True)

    def __init__(self, inputs: int, grid: RedshiftGrid, *, key: Key[Array, ""]):
        self.linear = _first_linear(inputs, jnp.zeros(grid.bins, jnp.float32), key)
        self.grid = grid

    def __call__(self, vector: Vector) -> Float[Array, " bin"]:
        """Logarithm of the probability of each bin."""
        return jax.nn.log_softmax(self.linear(vector))

    def loss(self, vector: Vector, redshift: Scalar, redshift_err: Scalar) -> Scalar:
        """Negative logarithm of the density per unit ln(1 + z) at the label; 0 where it is missing."""
        present, place, sigma = _label_in_bins(self.grid, redshift, redshift_err)
        edges = jnp.arange(self.grid.bins + 1, dtype=jnp.float32)
        below = jax.scipy.stats.norm.cdf((edges - place) / jnp.maximum(sigma, _LEAST_KERNEL))
        share = jax.nn.logsumexp(self(vector), b=jnp.diff(below))
        return jnp.where(present, jnp.log(self.grid.width) - share, 0.0)


class MixtureHead(eqx.Module):
    """A sum of five normal distributions in ln(1 + z), cut off at the ends of the grid.

    Parameters
    ----------
    inputs : int
        Length of the vector.
    grid : RedshiftGrid
        No component is narrower than a bin.
    key : key
    """

    linear: eqx.nn.Linear
    grid: RedshiftGrid = eqx.field(static=True)

    def __init__(self, inputs: int, grid: RedshiftGrid, *, key: Key[Array, ""]):
        # Components that start alike would stay alike.
        centres = jnp.zeros((3, COMPONENTS), jnp.float32).at[1].set(jnp.linspace(-1.5, 0.5, COMPONENTS))
        self.linear = _first_linear(inputs, centres.ravel(), key)
        self.grid = grid

    def __call__(self, vector: Vector) -> Float[Array, " bin"]:
        """Logarithm of the probability of each bin."""
        return jax.nn.log_softmax(self._log_densities(vector))

    def loss(self, vector: Vector, redshift: Scalar, redshift_err: Scalar) -> Scalar:
        """Negative logarithm of the density per unit ln(1 + z) at the label; see `BinnedHead.loss`."""
        present, place, sigma = _label_in_bins(self.grid, redshift, redshift_err)
        log_weight, mean, width = self._components(vector)
        density = _log_mixture(place, log_weight, mean, jnp.sqrt(width**2 + sigma**2))
        whole = jax.nn.logsumexp(self._log_densities(vector))
        return jnp.where(present, jnp.log(self.grid.width) + whole - density, 0.0)

    def _log_densities(self, vector: Vector) -> Float[Array, " bin"]:
        """Per bin, at the middle of each: exact enough, as no component is narrower than a bin."""
        places = jnp.arange(self.grid.bins, dtype=jnp.float32) + 0.5
        return jax.vmap(_log_mixture, in_axes=(0, None, None, None))(places, *self._components(vector))

    def _components(self, vector: Vector) -> tuple[Array, Array, Array]:
        """Logarithm of the weight, centre and width of each component; the latter two in bins."""
        logit, centre, raw = self.linear(vector).reshape(3, COMPONENTS)
        bins = self.grid.bins
        return (
            jax.nn.log_softmax(logit),
            bins * jax.nn.sigmoid(centre),
            1.0 + 0.1 * bins * jax.nn.softplus(raw),
        )


RedshiftHead: TypeAlias = BinnedHead | MixtureHead

REDSHIFT_HEADS: Mapping[str, type[RedshiftHead]] = {"binned": BinnedHead, "mixture": MixtureHead}


def _first_linear(inputs: int, bias: Array, key: Key[Array, ""]) -> eqx.nn.Linear:
    linear = eqx.nn.Linear(inputs, bias.size, key=key)
    return eqx.tree_at(lambda one: (one.weight, one.bias), linear, (_FIRST_SCALE * linear.weight, bias))


def _label_in_bins(grid: RedshiftGrid, redshift: Scalar, redshift_err: Scalar) -> tuple[Array, Array, Array]:
    """Whether there is a label, its place on the grid and its error, counted in bins; never NaN."""
    present = jnp.isfinite(redshift)
    known = jnp.where(present, redshift, 0.0)
    sigma = jnp.where(jnp.isfinite(redshift_err), redshift_err, 0.0) / (1.0 + known) / grid.width
    return present, jnp.clip(jnp.log1p(known) / grid.width, 0.5, grid.bins - 0.5), sigma


def _log_mixture(place: Array, log_weight: Array, mean: Array, width: Array) -> Array:
    log_density = jax.scipy.stats.norm.logpdf(place, mean, width)
    return jax.nn.logsumexp(log_weight + log_density)
