"""Batches of one shape: which examples make each, and which of them are padding."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class Batches(eqx.Module):
    """Which examples make each batch, and which of them are padding.

    Attributes
    ----------
    indices : (steps, batch) int32
        Rows of the data.
    weights : (steps, batch) float32
        1, or 0 for padding.
    """

    indices: Int[Array, "steps batch"]
    weights: Float[Array, "steps batch"]

    def __len__(self) -> int:
        return self.indices.shape[0]


def make_batches(order: Int[Array, " n"], batch_size: int) -> Batches:
    """Cut an order of examples into batches of one shape."""
    steps = -(-order.size // batch_size)
    padding = (0, steps * batch_size - order.size)
    weights = jnp.pad(jnp.ones(order.shape, jnp.float32), padding)
    shape = (steps, batch_size)
    return Batches(jnp.pad(order, padding).reshape(shape), weights.reshape(shape))


def weighted_mean(losses: Float[Array, " batch"], weights: Float[Array, " batch"]) -> Float[Array, ""]:
    """Mean over the examples that are not padding."""
    return jnp.sum(jnp.where(weights > 0, losses, 0.0) * weights) / jnp.sum(weights)
