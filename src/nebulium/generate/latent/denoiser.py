"""The network that removes noise from coefficients, told what is known of the galaxy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

Vector = Float[Array, " _"]

#: Width of the vector that tells the level of noise and the conditions.
TOLD = 64
#: Waves by which a level of noise is told, over its natural logarithm.
FREQUENCIES = tuple((2.0 ** np.linspace(-2.0, 2.5, 10)).tolist())
_FIRST_SCALE = 0.3


class ToldBlock(eqx.Module):
    """A residual block of two layers, scaled and shifted by what it is told (Perez et al. 2018).

    Parameters
    ----------
    width : int
    key : key
    """

    told: eqx.nn.Linear
    layers: tuple[eqx.nn.Linear, eqx.nn.Linear]

    def __init__(self, width: int, *, key: Key[Array, ""]):
        first, second, third = jax.random.split(key, 3)
        self.told = eqx.nn.Linear(TOLD, 2 * width, key=first)
        last = eqx.nn.Linear(width, width, key=third)
        last = eqx.tree_at(lambda layer: layer.weight, last, _FIRST_SCALE * last.weight)
        self.layers = (eqx.nn.Linear(width, width, key=second), last)

    def __call__(self, hidden: Vector, told: Vector) -> Vector:
        """The hidden vector with the block's share added."""
        scale, shift = jnp.split(self.told(told), 2)
        inner = jax.nn.gelu(self.layers[0](normalised(hidden) * (1.0 + scale) + shift))
        return hidden + self.layers[1](inner)


class Denoiser(eqx.Module):
    """A residual network on coefficients.

    Parameters
    ----------
    components, conditions : int
        Lengths of the two vectors.
    width, depth : int
        Of the hidden layers, and blocks.
    key : key
    """

    first: eqx.nn.Linear
    telling: tuple[eqx.nn.Linear, eqx.nn.Linear]
    blocks: tuple[ToldBlock, ...]
    last: eqx.nn.Linear

    def __init__(self, components: int, conditions: int, *, width: int, depth: int, key: Key[Array, ""]):
        one, two, three, four, *keys = jax.random.split(key, depth + 4)
        self.first = eqx.nn.Linear(components, width, key=one)
        self.telling = (
            eqx.nn.Linear(told_count(conditions), TOLD, key=two),
            eqx.nn.Linear(TOLD, TOLD, key=three),
        )
        self.blocks = tuple(ToldBlock(width, key=key) for key in keys)
        # At first the network says nothing, and the Gaussian under it everything.
        last = eqx.nn.Linear(width, 2 * components, key=four)
        self.last = jax.tree.map(jnp.zeros_like, last)

    def __call__(
        self, coefficients: Vector, log_level: Float[Array, ""], conditions: Vector, known: Vector
    ) -> Vector:
        """A vector of unit variance that tells what the noise hides; conditions that are not known are 0."""
        told = told_numbers(log_level, conditions, known)
        told = jax.nn.silu(self.telling[1](jax.nn.silu(self.telling[0](told))))
        hidden = self.first(coefficients)
        for block in self.blocks:
            hidden = block(hidden, told)
        # Noise is a larger part of faint galaxies than of bright ones: how much of each coefficient to
        # believe depends on the others.
        added, gain = jnp.split(self.last(normalised(hidden)), 2)
        return added + gain * coefficients


def told_numbers(log_level: Float[Array, ""], conditions: Vector, known: Vector) -> Vector:
    """What a network is told of the noise and the galaxy, as numbers of order one."""
    waves = jnp.asarray(FREQUENCIES, jnp.float32) * log_level
    return jnp.concatenate([jnp.sin(waves), jnp.cos(waves), conditions, known])


def told_count(conditions: int) -> int:
    """How many numbers these are."""
    return 2 * len(FREQUENCIES) + 2 * conditions


def normalised(vector: Vector) -> Vector:
    """A vector of zero mean and unit variance."""
    centred = vector - jnp.mean(vector)
    return centred * jax.lax.rsqrt(jnp.mean(centred**2) + 1e-5)
