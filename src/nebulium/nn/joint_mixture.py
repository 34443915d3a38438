"""A mixture of normal distributions of several numbers at once, of any of which there may be none."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nebulium.nn.small_matrices import whitened

Numbers: TypeAlias = Float[Array, " number"]
Parameters: TypeAlias = Float[Array, " parameter"]

# A component is no narrower than this, in the scatters of the numbers, and hardly wider than they are; with
# parameters of 0 it is as wide as 0.78 of them.
LEAST_SCATTER, _MOST_SCATTER, _START = 0.04, 3.0, 0.97


def parameter_count(components: int, numbers: int) -> int:
    """Parameters of a mixture: weights, means, and the triangles that make the covariances."""
    return components * (1 + numbers + numbers * (numbers + 1) // 2)


def log_density(
    parameters: Parameters, numbers: Numbers, known: Numbers, components: int
) -> Float[Array, ""]:
    """Logarithm of the density of those numbers whose `known` is 1, not 0, the others integrated out.

    The numbers are standardised; the density of none is 1.
    """
    weights, means, covariances = moments(parameters, numbers.size, components)
    there = known > 0
    both = known[:, None] * known[None, :]
    offset = jnp.where(there[None, :], numbers[None, :] - means, 0.0)

    def one(covariance: Array, offset: Numbers) -> Float[Array, ""]:
        white, half = whitened(both * covariance + jnp.diag(1.0 - known), offset[:, None])
        return -0.5 * jnp.sum(white**2) - half

    normal = jax.vmap(one)(covariances, offset) - 0.5 * jnp.log(2 * jnp.pi) * jnp.sum(known)
    return jax.scipy.special.logsumexp(jax.nn.log_softmax(weights) + normal)


def moments(
    parameters: Parameters, numbers: int, components: int
) -> tuple[Float[Array, " k"], Float[Array, "k number"], Float[Array, "k number number"]]:
    """Unnormalised log weights, means and covariances of the components."""
    by_component = parameters.reshape(components, -1)
    weights, means, rest = jnp.split(by_component, [1, 1 + numbers], axis=1)
    spread, below = jnp.split(rest, [numbers], axis=1)
    span = jnp.log(_MOST_SCATTER / LEAST_SCATTER)
    scatter = LEAST_SCATTER * jnp.exp(span * jax.nn.sigmoid(spread + _START))
    rows, columns = jnp.tril_indices(numbers, -1)
    root = jnp.broadcast_to(jnp.eye(numbers, dtype=jnp.float32)[None, :, :], (components, numbers, numbers))
    root = root.at[:, rows, columns].set(below) * scatter[:, :, None]
    return weights[:, 0], means, root @ jnp.swapaxes(root, 1, 2)
