"""Gaussians of coefficients given conditions: in closed form, and with a network on top.

Both serve any pattern of missing conditions.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.nn.small_matrices import inverse_of_known

Coefficients = Float[Array, " component"]
Conditions = Float[Array, " condition"]

# A condition cannot explain all of a coefficient: each has noise.
_LEAST_VARIANCE = 1e-4
#: Width of the hidden layers of the network.
WIDTH = 128
# Largest change of the logarithm of a variance.
_MOST_STRETCH = 5.0
# Added to the covariance of conditions, some of which may follow from others.
_RIDGE = 1e-3


class ConditionalGaussian(eqx.Module):
    """What conditions say of coefficients, were everything Gaussian.

    Parameters
    ----------
    components, conditions : int
        How many there are of each.

    Attributes
    ----------
    cross : (component, condition) float32
        Covariances of coefficients and conditions, both of zero mean and unit variance.
    covariance : (condition, condition) float32
    """

    cross: Float[Array, "component condition"]
    covariance: Float[Array, "condition condition"]

    def __init__(self, components: int, conditions: int):
        self.cross, self.covariance = jnp.zeros((components, conditions)), jnp.eye(conditions)

    def given(self, conditions: Conditions, known: Conditions) -> tuple[Coefficients, Coefficients]:
        """Means and variances of the coefficients, given those conditions whose `known` is 1, not 0."""
        gain = self.cross @ inverse_of_known(self.covariance, known)
        explained = jnp.sum(gain * self.cross * known[None, :], axis=1)
        return gain @ jnp.where(known > 0, conditions, 0.0), jnp.maximum(1.0 - explained, _LEAST_VARIANCE)


class LearnedGaussian(eqx.Module):
    """The same with means that bend, and variances that differ from galaxy to galaxy.

    Parameters
    ----------
    components, conditions, even : int
        How many there are, and how many of the components, the first, are the same in all orientations: the
        means of the others are 0.
    key : key

    Attributes
    ----------
    closed : ConditionalGaussian
    layers : tuple of equinox.nn.Linear
        Of the network, which at first says nothing.
    """

    closed: ConditionalGaussian
    layers: tuple[eqx.nn.Linear, ...]
    even: int = eqx.field(static=True)

    def __init__(self, components: int, conditions: int, even: int, *, key: Key[Array, ""]):
        keys = jax.random.split(key, 3)
        self.closed, self.even = ConditionalGaussian(components, conditions), even
        last = eqx.nn.Linear(WIDTH, even + components, key=keys[2])
        self.layers = (
            eqx.nn.Linear(2 * conditions, WIDTH, key=keys[0]),
            eqx.nn.Linear(WIDTH, WIDTH, key=keys[1]),
            jax.tree.map(jnp.zeros_like, last),
        )

    def given(self, conditions: Conditions, known: Conditions) -> tuple[Coefficients, Coefficients]:
        """Means and variances of the coefficients, given those conditions whose `known` is 1, not 0."""
        mean, variance = self.closed.given(conditions, known)
        hidden = jnp.concatenate([jnp.where(known > 0, conditions, 0.0), known])
        for layer in self.layers[:-1]:
            hidden = jax.nn.gelu(layer(hidden))
        moved, stretched = jnp.split(self.layers[-1](hidden), [self.even])
        mean = mean.at[: self.even].add(moved)
        return mean, variance * jnp.exp(_MOST_STRETCH * jnp.tanh(stretched / _MOST_STRETCH))

    def loss(self, coefficients: Coefficients, conditions: Conditions, known: Conditions) -> Float[Array, ""]:
        """Negative logarithm of the density of coefficients, up to a constant."""
        mean, variance = self.given(conditions, known)
        return 0.5 * jnp.sum((coefficients - mean) ** 2 / variance + jnp.log(variance))


def fit_gaussian(
    coefficients: Float[np.ndarray, "n component"], conditions: Float[np.ndarray, "n condition"], even: int
) -> ConditionalGaussian:
    """The Gaussian of a set mirrored in all ways; NaN stands for a missing condition.

    Of the coefficients only the first ones, `even`, are the same in all
    orientations: conditions say nothing of the mean of the others.
    """
    known = np.isfinite(conditions).astype(np.float64)
    values = np.where(known > 0, conditions, 0.0).astype(np.float64)
    pairs = np.maximum(known.T @ known, 1.0)
    empty = ConditionalGaussian(coefficients.shape[1], conditions.shape[1])
    cross = np.zeros(empty.cross.shape)
    cross[:even] = coefficients[:, :even].T.astype(np.float64) @ values / np.maximum(known.sum(axis=0), 1.0)
    covariance = _positive(values.T @ values / pairs)
    found = (jnp.asarray(cross, jnp.float32), jnp.asarray(covariance, jnp.float32))
    return eqx.tree_at(lambda gaussian: (gaussian.cross, gaussian.covariance), empty, found)


def _positive(covariance: np.ndarray) -> np.ndarray:
    """Covariances found pair by pair need not be those of anything: negative variances are lifted."""
    values, axes = np.linalg.eigh(covariance)
    return (axes * np.maximum(values, _RIDGE)[None, :]) @ axes.T
