"""A mixture of normal distributions of many numbers, of which the first may be known.

Each component has the root of its inverse covariance, written as differences from what the numbers before say
of the next: densities of all numbers, or of those after the first, and draws cost no decomposition.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

Numbers = Float[Array, " number"]
Parameters = Float[Array, " parameter"]

#: A component is no narrower than this, and no wider, in each number given those before it, in scatters.
LEAST_SCATTER, MOST_SCATTER = 0.01, 5.0


class Components(NamedTuple):
    """The components of a mixture.

    Attributes
    ----------
    log_weight : (k,) float32
    mean : (k, number) float32
    log_scatter : (k, number) float32
        Of each number given those before it.
    below : (k, number, number) float32
        What the offsets of the numbers before take from each: strictly lower triangles.
    """

    log_weight: Float[Array, " k"]
    mean: Float[Array, "k number"]
    log_scatter: Float[Array, "k number"]
    below: Float[Array, "k number number"]


def parameter_count(components: int, numbers: int) -> int:
    """Parameters of a mixture."""
    return components * (1 + 2 * numbers + numbers * (numbers - 1) // 2)


def components_of(parameters: Parameters, components: int, numbers: int) -> Components:
    """Parameters, a network's output, as a mixture."""
    rows = parameters.reshape(components, -1)
    weight, mean, spread, rest = jnp.split(rows, [1, 1 + numbers, 1 + 2 * numbers], axis=1)
    low, high = jnp.log(LEAST_SCATTER), jnp.log(MOST_SCATTER)
    # Parameters of 0 make it as wide as 0.6.
    log_scatter = low + (high - low) * jax.nn.sigmoid(spread + 0.9)
    at = jnp.tril_indices(numbers, -1)
    below = jnp.zeros((components, numbers, numbers)).at[:, at[0], at[1]].set(rest)
    return Components(jax.nn.log_softmax(weight[:, 0]), mean, log_scatter, below)


def log_density(mixture: Components, values: Numbers, told: Float[Array, ""]) -> Float[Array, ""]:
    """Logarithm of the density of all numbers or, where `told` is 1 and not 0, of those after the first."""
    offset = values[None, :] - mixture.mean
    left = offset - jnp.einsum("kij,kj->ki", mixture.below, offset)
    each = (
        -0.5 * (left * jnp.exp(-mixture.log_scatter)) ** 2 - mixture.log_scatter - 0.5 * jnp.log(2 * jnp.pi)
    )
    first = jax.scipy.special.logsumexp(mixture.log_weight + each[:, 0])
    return jax.scipy.special.logsumexp(mixture.log_weight + jnp.sum(each, axis=1)) - told * first


def draw(
    mixture: Components, first: Float[Array, ""], told: Float[Array, ""], key: Key[Array, ""]
) -> Numbers:
    """A draw of all numbers, the first as it is where `told` is 1 and not 0."""
    which_key, noise_key = jax.random.split(key)
    apart = (first - mixture.mean[:, 0]) * jnp.exp(-mixture.log_scatter[:, 0])
    seen = told * (-0.5 * apart**2 - mixture.log_scatter[:, 0])
    which = jax.random.categorical(which_key, mixture.log_weight + seen)
    mean, scatter, below = mixture.mean[which], jnp.exp(mixture.log_scatter[which]), mixture.below[which]
    noise = scatter * jax.random.normal(noise_key, mean.shape)
    offsets = [jnp.where(told > 0, first - mean[0], noise[0])]
    for place in range(1, len(mean)):
        offsets.append(noise[place] + below[place, :place] @ jnp.stack(offsets))
    return mean + jnp.stack(offsets)
