"""A head that makes probabilities of classes out of a vector, with the loss that trains it."""

from collections.abc import Sequence
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.nn.densities import Targets

AnyArray = TypeVar("AnyArray", Array, np.ndarray)

#: Probabilities of all classes, those of one target after those of another.
Probabilities = Float[Array, " class"]


class ClassHead(eqx.Module):
    """Probabilities of the classes of each target, independent given the vector.

    Parameters
    ----------
    inputs : int
        Length of the vector.
    counts : sequence of int
        Number of classes of each target, at least two.
    key : key

    Examples
    --------
    >>> head = ClassHead(8, [4, 2], key=jax.random.key(0))
    >>> jnp.exp(head.log_probabilities(jnp.zeros(8))).tolist()
    [0.25, 0.25, 0.25, 0.25, 0.5, 0.5]
    >>> loss = head.loss(jnp.ones(8), jnp.array([3.0, jnp.nan]), [[1.0] * 4, [1.0] * 2])
    >>> (loss > 0).tolist()
    [True, False]
    """

    linear: eqx.nn.Linear
    counts: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, inputs: int, counts: Sequence[int], *, key: Key[Array, ""]):
        self.counts = tuple(counts)
        linear = eqx.nn.Linear(inputs, sum(counts), key=key)
        start = (0.1 * linear.weight, jnp.zeros(sum(counts), jnp.float32))
        self.linear = eqx.tree_at(lambda one: (one.weight, one.bias), linear, start)

    def log_probabilities(self, vector: Float[Array, " input"]) -> Probabilities:
        """Logarithms of the probabilities."""
        return normalised(self.linear(vector), self.counts)

    def loss(
        self, vector: Float[Array, " input"], label: Targets, weights: Sequence[Sequence[float]]
    ) -> Targets:
        """Minus the log-probability of the true class, a number from 0 on, times its weight.

        It is 0 where the label is missing. There are weights for the classes of each target.
        """
        present = jnp.isfinite(label)
        true = jnp.where(present, label, 0.0).astype(jnp.int32)
        parts = split_by_target(self.log_probabilities(vector), self.counts)
        picked = [
            jnp.asarray(weight, jnp.float32)[place] * part[place]
            for part, place, weight in zip(parts, true, weights, strict=True)
        ]
        return jnp.where(present, -jnp.stack(picked), 0.0)


def normalised(logits: Probabilities, counts: Sequence[int]) -> Probabilities:
    """Log-probabilities: those of each target's classes add up to one."""
    return jnp.concatenate([jax.nn.log_softmax(part) for part in split_by_target(logits, counts)])


def split_by_target(values: AnyArray, counts: Sequence[int]) -> list[AnyArray]:
    """What stands one after another in the last axis, target by target."""
    ends = [sum(counts[: place + 1]) for place in range(len(counts))]
    return [values[..., end - count : end] for end, count in zip(ends, counts, strict=True)]
