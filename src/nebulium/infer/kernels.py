"""A proposal that follows draws already weighted: normal kernels about some of them (Cappe et al. 2004).

Kernels are as wide as half of the scatter of the draws. Where the weights hang on few draws they are raised
to a power below 1 first, so that forty draws or more count: the kernels then reach beyond what was found.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int, Key

from nebulium.sed.cosmology import Scalar

Numbers = Float[Array, "draw number"]

CENTRES = 96
WIDTH = 0.5
LEAST_EFFECTIVE = 40.0
_HALVINGS = 20
# In the numbers that a network says the density of, which have a scatter of about 1.
_LEAST_SCATTER = 1e-3


class Kernels(eqx.Module):
    """Normal laws of one covariance, of equal weight.

    Parameters
    ----------
    white : array (centre, number)
        Centres, whitened.
    root : array (number, number)
        Cholesky root of the covariance.
    half_log_determinant : scalar
    """

    white: Float[Array, "centre number"]
    root: Float[Array, "number number"]
    half_log_determinant: Scalar

    def draw(self, count: int, key: Key[Array, ""]) -> Numbers:
        """Draws, about each centre in turn."""
        centres, dimensions = self.white.shape
        about = self.white[jnp.arange(count) % centres]
        return (about + jax.random.normal(key, (count, dimensions))) @ self.root.T

    def log_density(self, numbers: Numbers) -> Float[Array, " draw"]:
        """Logarithm of the density of draws."""
        centres, dimensions = self.white.shape
        white = jax.scipy.linalg.solve_triangular(self.root, numbers.T, lower=True).T
        squares = jnp.sum(white**2, axis=1)[:, None] + jnp.sum(self.white**2, axis=1)[None, :]
        squares = jnp.maximum(squares - 2.0 * white @ self.white.T, 0.0)
        constant = np.float32(np.log(centres) + 0.5 * dimensions * np.log(2.0 * np.pi))
        return logsumexp(-0.5 * squares, axis=1) - constant - self.half_log_determinant


def kernels_about(numbers: Numbers, log_weight: Float[Array, " draw"], offset: Scalar) -> Kernels:
    """Kernels about draws, as many about each as its weight asks for; the offset lies between 0 and 1."""
    log_weight = _flattened(log_weight)
    weight = jnp.exp(log_weight)
    mean = weight @ numbers
    off = numbers - mean[None, :]
    covariance = (weight[:, None] * off).T @ off
    least = jnp.diag(jnp.full(numbers.shape[1], _LEAST_SCATTER**2, numbers.dtype))
    root = WIDTH * jnp.linalg.cholesky(covariance + least)
    teeth = (jnp.arange(CENTRES, dtype=jnp.float32) + offset) / CENTRES
    rows: Int[Array, " centre"] = jnp.searchsorted(jnp.cumsum(weight), teeth)
    centres = numbers[jnp.clip(rows, 0, len(numbers) - 1)]
    white = jax.scipy.linalg.solve_triangular(root, centres.T, lower=True).T
    return Kernels(white, root, jnp.sum(jnp.log(jnp.diagonal(root))))


def _flattened(log_weight: Float[Array, " draw"]) -> Float[Array, " draw"]:
    """Weights that sum to 1, raised to the largest power up to 1 at which enough draws count."""
    finite = jnp.where(jnp.isfinite(log_weight), log_weight, -jnp.inf)
    shifted = jnp.maximum(finite - jnp.max(finite), -1e4)

    def effective(power: Scalar) -> Scalar:
        log = power * shifted
        return jnp.exp(2.0 * logsumexp(log) - logsumexp(2.0 * log))

    def halve(_: Array, ends: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
        low, high = ends
        middle = 0.5 * (low + high)
        enough = effective(middle) >= LEAST_EFFECTIVE
        return jnp.where(enough, middle, low), jnp.where(enough, high, middle)

    low, _ = jax.lax.fori_loop(0, _HALVINGS, halve, (jnp.zeros(()), jnp.ones(())))
    power = jnp.where(effective(jnp.ones(())) >= LEAST_EFFECTIVE, 1.0, low)
    log = power * shifted
    return log - logsumexp(log)
