"""Weights of draws: exact posteriors from a proposal that is nearly right, and whether to believe them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from nebulium.sed.cosmology import Scalar

#: Largest share of the weights, and times the root of their number, that the tail is fitted to.
_TAIL_SHARE, _TAIL_ROOT = 0.2, 3.0


class Weights(NamedTuple):
    """Weights of the draws of one galaxy.

    Parameters
    ----------
    log_weight : array (draw,)
        Natural logarithms; the weights sum to 1.
    log_evidence : scalar
        Logarithm of the mean of the weights before.
    effective : scalar
        How many equal draws they are worth (Kish): 1 over the sum of their squares.
    k_hat : scalar
        Shape of the tail of the weights (Vehtari et al. 2024, JMLR 25, 72): above 0.7 means over them
        converge too slowly to be believed.
    """

    log_weight: Float[Array, " draw"]
    log_evidence: Scalar
    effective: Scalar
    k_hat: Scalar


def weigh(log_target: Float[Array, " draw"], log_proposal: Float[Array, " draw"]) -> Weights:
    """Weights of draws of a proposal under a target, whose density need not be normalised."""
    raw = log_target - log_proposal
    raw = jnp.where(jnp.isfinite(raw), raw, -jnp.inf)
    total = logsumexp(raw)
    log_weight = jnp.where(jnp.isfinite(total), raw - total, -jnp.inf)
    effective = jnp.exp(-logsumexp(2.0 * log_weight))
    effective = jnp.where(jnp.isfinite(total), effective, 0.0)
    log_evidence = total - np.float32(np.log(len(raw)))
    return Weights(log_weight, log_evidence, effective, pareto_shape(log_weight))


def pareto_shape(log_weight: Float[Array, " draw"]) -> Scalar:
    """Shape of a generalised Pareto law of the largest weights.

    By Zhang & Stephens (2009, Technometrics 51, 316), with the weak prior about 0.5 of Vehtari et al. (2024).
    """
    draws = len(log_weight)
    tail = int(min(_TAIL_SHARE * draws, _TAIL_ROOT * np.sqrt(draws)))
    largest = jax.lax.top_k(log_weight, tail + 1)[0][::-1]
    threshold = jnp.exp(largest[0] - largest[-1])
    beyond = jnp.exp(largest[1:] - largest[-1]) - threshold
    beyond = jnp.maximum(beyond, jnp.finfo(beyond.dtype).tiny)
    count = 30 + int(np.sqrt(tail))
    places = np.sqrt(count / (np.arange(1, count + 1) - 0.5)).astype(np.float32)
    quarter = beyond[int(tail / 4 + 0.5) - 1]
    rate = 1.0 / beyond[-1] + (1.0 - places) / (3.0 * quarter)
    shape = jnp.mean(jnp.log1p(-rate[:, None] * beyond[None, :]), axis=1)
    profile = tail * (jnp.log(-rate / shape) - shape - 1.0)
    best = jnp.sum(rate * jax.nn.softmax(profile))
    found = jnp.mean(jnp.log1p(-best * beyond))
    found = (found * tail + 5.0) / (tail + 10.0)
    return jnp.where(jnp.isfinite(found), found, jnp.inf)


def resampled(weights: Weights, count: int, offset: Scalar) -> Array:
    """Rows of so many equal draws, by one comb over the weights; the offset lies between 0 and 1."""
    cumulative = jnp.cumsum(jnp.exp(weights.log_weight))
    teeth = (jnp.arange(count, dtype=jnp.float32) + offset) / count
    return jnp.clip(jnp.searchsorted(cumulative / cumulative[-1], teeth), 0, len(cumulative) - 1)


def weighted_quantiles(
    values: Float[Array, " draw"], weights: Weights, levels: Float[Array, " level"]
) -> Float[Array, " level"]:
    """Quantiles of weighted draws, half of each draw's weight on either side of it."""
    order = jnp.argsort(values)
    weight = jnp.exp(weights.log_weight)[order]
    middle = jnp.cumsum(weight) - 0.5 * weight
    return jnp.interp(levels, middle, values[order])
