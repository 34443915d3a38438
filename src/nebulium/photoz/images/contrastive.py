"""Momentum contrast: two crops of one galaxy are alike, those of others are not.

He et al. 2020 (arXiv:1911.05722), with the loss InfoNCE of van den Oord et al. 2018 (arXiv:1807.03748). The
keys of a batch enter the queue after its loss is taken, so that no galaxy is its own counterexample.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class KeyQueue(eqx.Module):
    """Keys of the galaxies met last.

    Parameters
    ----------
    length : int
        Keys that it holds; a multiple of the batch, so that batches fit in without a seam.
    features : int

    Attributes
    ----------
    keys : (length, feature) float32
        Of unit length.
    filled : (length,) float32
        1 where there is a key, else 0.
    next : () int32
        Where the next batch goes.
    """

    keys: Float[Array, "length feature"]
    filled: Float[Array, " length"]
    next: Int[Array, ""]

    def __init__(self, length: int, features: int):
        self.keys = jnp.zeros((length, features), jnp.float32)
        self.filled = jnp.zeros(length, jnp.float32)
        self.next = jnp.zeros((), jnp.int32)

    def enqueued(self, keys: Float[Array, "batch feature"], weights: Float[Array, " batch"]) -> "KeyQueue":
        """The queue with a batch in place of the oldest; padding, of weight 0, leaves empty places."""
        length, batch = len(self.filled), len(weights)
        if length % batch:
            raise ValueError(f"expected a queue of a multiple of the batch of {batch}, found {length}")
        place = (self.next, jnp.zeros_like(self.next))
        new_keys = jax.lax.dynamic_update_slice(self.keys, keys, place)
        filled = jax.lax.dynamic_update_slice(self.filled, weights, place[:1])
        following = (self.next + batch) % length
        return eqx.tree_at(lambda q: (q.keys, q.filled, q.next), self, (new_keys, filled, following))


class Contrast(NamedTuple):
    """Loss of each galaxy and the share of galaxies whose other crop is the most alike of all keys.

    Attributes
    ----------
    loss : (batch,) float32
    found : (batch,) float32
        1 where it is, else 0.
    """

    loss: Float[Array, " batch"]
    found: Float[Array, " batch"]


def info_nce(
    queries: Float[Array, "batch feature"],
    keys: Float[Array, "batch feature"],
    queue: KeyQueue,
    *,
    temperature: float = 0.1,
) -> Contrast:
    """Loss of each query: small where its own key is more alike than those of other galaxies."""
    own = jnp.sum(queries * keys, axis=1)
    others = jnp.where(queue.filled[None, :] > 0, queries @ queue.keys.T, -jnp.inf)
    logits = jnp.concatenate([own[:, None], others], axis=1) / temperature
    loss = jax.nn.logsumexp(logits, axis=1) - logits[:, 0]
    return Contrast(loss, (own > jnp.max(others, axis=1)).astype(jnp.float32))
