"""What an image says of the properties: their joint density, read off the coefficients.

With the density of images it makes one joint density of images and properties, so that by Bayes' rule
p(image given properties) / p(image) = p(properties given image) / p(properties), without Monte-Carlo noise.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.generate.latent.basis import WAYS, Basis
from nebulium.nn.joint_mixture import log_density, parameter_count

Vector = Float[Array, " _"]
Number = Float[Array, ""]

#: Normal distributions in the mixture of a galaxy, and in that of all galaxies.
OF_GALAXY, OF_ALL = 4, 16


class Reader(eqx.Module):
    """A network from coefficients to a density of conditions, and the density of those of all galaxies.

    Parameters
    ----------
    components, conditions : int
        Lengths of the two vectors.
    classes : sequence of int
        How many classes there are of each kind; the last of the conditions are these, a column each.
    width, depth : int
        Of the hidden layers.
    key : key
    """

    layers: tuple[eqx.nn.Linear, ...]
    last: eqx.nn.Linear
    of_all: Vector
    classes: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        components: int,
        conditions: int,
        *,
        classes: Sequence[int] = (),
        width: int,
        depth: int,
        key: Key[Array, ""],
    ):
        self.classes = tuple(classes)
        numbers = conditions - sum(self.classes)
        all_key, last_key, *keys = jax.random.split(key, depth + 2)
        sizes = [components] + [width] * depth
        self.layers = tuple(
            eqx.nn.Linear(before, width, key=key) for before, key in zip(sizes[:-1], keys, strict=True)
        )
        self.last = eqx.nn.Linear(width, parameter_count(OF_GALAXY, numbers, self.classes), key=last_key)
        self.of_all = jax.random.normal(all_key, (parameter_count(OF_ALL, numbers, self.classes),))

    def parameters(self, coefficients: Vector) -> Vector:
        """The mixture of conditions of a galaxy, as it lies."""
        hidden = coefficients
        for layer in self.layers:
            hidden = jax.nn.gelu(layer(hidden))
        return self.last(hidden)

    def prior(self, conditions: Vector, known: Vector) -> Number:
        """Logarithm of the density of known conditions among the training galaxies."""
        return log_density(self.of_all, conditions, known, OF_ALL, self.classes)

    def loss(self, coefficients: Vector, conditions: Vector, known: Vector) -> Number:
        """Negative logarithms of the densities of known conditions, given the image and not."""
        read = log_density(self.parameters(coefficients), conditions, known, OF_GALAXY, self.classes)
        return -(read + self.prior(conditions, known))

    def read(self, coefficients: Vector, basis: Basis) -> Float[Array, "4 parameter"]:
        """The mixtures of a galaxy mirrored in all ways."""
        turned = jax.vmap(lambda way: basis.oriented(coefficients, way))(jnp.asarray(WAYS))
        return jax.vmap(self.parameters)(turned)


def log_posterior(
    read: Float[Array, "4 parameter"], conditions: Vector, known: Vector, classes: Sequence[int] = ()
) -> Number:
    """Logarithm of the density of known conditions given the image, by all its orientations."""
    ways = jax.vmap(lambda one: log_density(one, conditions, known, OF_GALAXY, classes))(read)
    return jax.scipy.special.logsumexp(ways) - jnp.log(jnp.asarray(len(WAYS), jnp.float32))


def starting_mixture(values: Float[np.ndarray, "n condition"], classes: Sequence[int]) -> Vector:
    """A mixture for all galaxies before it is fitted: normal distributions about some of them."""
    numbers = values.shape[1] - sum(classes)
    start = np.zeros((OF_ALL, parameter_count(1, numbers, classes)), np.float32)
    start[:, 1 : 1 + numbers] = values[np.arange(OF_ALL) * len(values) // OF_ALL, :numbers]
    if classes:
        start[:, -sum(classes) :] = np.log(values[:, numbers:].sum(axis=0) + 1.0)
    return jnp.asarray(start.ravel())
