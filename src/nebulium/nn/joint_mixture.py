"""A mixture of normal distributions of several numbers and of classes, of any of which there may be none.

Each component has means, covariances, and probabilities of the classes: within a component classes and
numbers are independent. Classes come after the numbers, a column each that is 1 or 0.
"""

from collections.abc import Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from nebulium.nn.classes import normalised, split_by_target
from nebulium.nn.small_matrices import inverse_of_known, whitened

Numbers: TypeAlias = Float[Array, " number"]
Parameters: TypeAlias = Float[Array, " parameter"]

# A component is no narrower than this, in the scatters of the numbers, and hardly wider than they are; with
# parameters of 0 it is as wide as 0.78 of them.
LEAST_SCATTER, _MOST_SCATTER, _START = 0.04, 3.0, 0.97


def parameter_count(components: int, numbers: int, classes: Sequence[int] = ()) -> int:
    """Parameters of a mixture: weights, means, the triangles that make the covariances, logits of classes."""
    return components * (1 + numbers + numbers * (numbers + 1) // 2 + sum(classes))


def log_density(
    parameters: Parameters, values: Numbers, known: Numbers, components: int, classes: Sequence[int] = ()
) -> Float[Array, ""]:
    """Logarithm of the density of those values whose `known` is 1, not 0, the others integrated out.

    Numbers are standardised; the density of none is 1. `classes` is how many there are of each kind.
    """
    return jax.scipy.special.logsumexp(_by_component(parameters, values, known, components, classes))


def _by_component(
    parameters: Parameters, values: Numbers, known: Numbers, components: int, classes: Sequence[int]
) -> Float[Array, " k"]:
    """The same of each component, with its weight."""
    numbers = values.size - sum(classes)
    log = jax.nn.log_softmax(parameters.reshape(components, -1)[:, 0])
    if numbers:
        _, means, covariances = moments(parameters, numbers, components, classes)
        there = known[:numbers]
        both = there[:, None] * there[None, :]
        offset = jnp.where(there[None, :] > 0, values[None, :numbers] - means, 0.0)

        def one(covariance: Array, offset: Numbers) -> Float[Array, ""]:
            white, half = whitened(both * covariance + jnp.diag(1.0 - there), offset[:, None])
            return -0.5 * jnp.sum(white**2) - half

        log += jax.vmap(one)(covariances, offset) - 0.5 * jnp.log(2 * jnp.pi) * jnp.sum(there)
    if classes:
        chosen = values[numbers:] * known[numbers:]
        log += log_probabilities(parameters, components, classes) @ chosen
    return log


def draws(
    parameters: Parameters,
    values: Numbers,
    known: Numbers,
    components: int,
    n: int,
    key: Key[Array, ""],
    classes: Sequence[int] = (),
) -> Float[Array, "n value"]:
    """Draws of all values, given those whose `known` is 1, not 0: these are as they are."""
    numbers = values.size - sum(classes)
    which_key, number_key, class_key = jax.random.split(key, 3)
    log = _by_component(parameters, values, known, components, classes)
    which = jax.random.categorical(which_key, log, shape=(n,))
    drawn = []
    if numbers:
        _, means, roots = _roots(parameters, numbers, components, classes)
        covariances = roots @ jnp.swapaxes(roots, 1, 2)
        inverses = jax.vmap(inverse_of_known, in_axes=(0, None))(covariances, known[:numbers])
        noise = jax.random.normal(number_key, (n, numbers))
        free = means[which] + jnp.einsum("nij,nj->ni", roots[which], noise)
        # A draw of all, moved by what the known ones are off: a draw given these (Matheron's rule).
        off = values[None, :numbers] - free
        drawn.append(free + jnp.einsum("nij,nj->ni", (covariances @ inverses)[which], off))
    if classes:
        logits = split_by_target(log_probabilities(parameters, components, classes)[which], classes)
        keys = jax.random.split(class_key, len(classes))
        chosen = [jax.random.categorical(key, one) for key, one in zip(keys, logits, strict=True)]
        drawn += [jax.nn.one_hot(at, of, dtype=jnp.float32) for at, of in zip(chosen, classes, strict=True)]
    return jnp.where(known[None, :] > 0, values[None, :], jnp.concatenate(drawn, axis=1))


def joined(mixtures: Float[Array, "mixture _"], components: int) -> Parameters:
    """One mixture of several that count alike."""
    by_component = mixtures.reshape(len(mixtures), components, -1)
    weights = jax.nn.log_softmax(by_component[..., 0], axis=1)
    return by_component.at[..., 0].set(weights).ravel()


def moments(
    parameters: Parameters, numbers: int, components: int, classes: Sequence[int] = ()
) -> tuple[Float[Array, " k"], Float[Array, "k number"], Float[Array, "k number number"]]:
    """Unnormalised log weights, means and covariances of the components."""
    weights, means, roots = _roots(parameters, numbers, components, classes)
    return weights, means, roots @ jnp.swapaxes(roots, 1, 2)


def _roots(
    parameters: Parameters, numbers: int, components: int, classes: Sequence[int]
) -> tuple[Float[Array, " k"], Float[Array, "k number"], Float[Array, "k number number"]]:
    """The same with roots of the covariances."""
    by_component = parameters.reshape(components, -1)
    by_component = by_component[:, : by_component.shape[1] - sum(classes)]
    weights, means, rest = jnp.split(by_component, [1, 1 + numbers], axis=1)
    spread, below = jnp.split(rest, [numbers], axis=1)
    span = jnp.log(_MOST_SCATTER / LEAST_SCATTER)
    scatter = LEAST_SCATTER * jnp.exp(span * jax.nn.sigmoid(spread + _START))
    rows, columns = jnp.tril_indices(numbers, -1)
    root = jnp.broadcast_to(jnp.eye(numbers, dtype=jnp.float32)[None, :, :], (components, numbers, numbers))
    return weights[:, 0], means, root.at[:, rows, columns].set(below) * scatter[:, :, None]


def log_probabilities(
    parameters: Parameters, components: int, classes: Sequence[int]
) -> Float[Array, "k class"]:
    """Logarithms of the probabilities of the classes in each component, one kind after the other."""
    logits = parameters.reshape(components, -1)[:, -sum(classes) :]
    return jax.vmap(lambda one: normalised(one, classes))(logits)
