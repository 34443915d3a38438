"""Heads that make a distribution of each target out of a vector, with the loss that trains them.

All targets are in standardised units, and independent given the vector. A label that is missing is NaN and
teaches nothing; a label with a known error teaches the distribution of the truth, not of the label.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

Targets: TypeAlias = Float[Array, " target"]

#: Probabilities of the quantiles that `QuantileHead` learns.
LEVELS = np.array([0.025, 0.16, 0.5, 0.84, 0.975], np.float32)
COMPONENTS = 3
# Narrowest standard deviation, in those of the labels: a network may not become certain.
LEAST_SIGMA = 0.02
_HALVINGS = 30


class Interval(eqx.Module):
    """Median and central 68 % of each target.

    Attributes
    ----------
    median, q16, q84 : (..., target) float32
        Of the same unit as the targets.
    """

    median: Float[Array, "*batch target"]
    q16: Float[Array, "*batch target"]
    q84: Float[Array, "*batch target"]

    @property
    def sigma(self) -> Float[Array, "*batch target"]:
        """Half of the central 68 %."""
        return 0.5 * (self.q84 - self.q16)


class _Head(eqx.Module):
    """A small linear map to the parameters: at first the same distribution for every input, of all labels."""

    linear: eqx.nn.Linear
    targets: int = eqx.field(static=True)

    def __init__(self, inputs: int, targets: int, parameters: int, key: Key[Array, ""]):
        linear = eqx.nn.Linear(inputs, parameters * targets, key=key)
        start = (0.1 * linear.weight, jnp.zeros(parameters * targets, jnp.float32))
        self.linear = eqx.tree_at(lambda one: (one.weight, one.bias), linear, start)
        self.targets = targets


class GaussianHead(_Head):
    """A normal distribution, its width a function of the input.

    Parameters
    ----------
    inputs, targets : int
    key : key

    Examples
    --------
    >>> head = GaussianHead(8, 2, key=jax.random.key(0))
    >>> loss = head.loss(jnp.ones(8), jnp.array([0.3, jnp.nan]), jnp.zeros(2))
    >>> (loss != 0).tolist()
    [True, False]
    """

    def __init__(self, inputs: int, targets: int, *, key: Key[Array, ""]):
        super().__init__(inputs, targets, 2, key)

    def loss(self, vector: Float[Array, " input"], label: Targets, label_sigma: Targets) -> Targets:
        """Negative log-likelihood of each label, without constants; 0 where it is missing."""
        mean, sigma = self._moments(vector)
        variance = sigma**2 + label_sigma**2
        return _of_present(label, lambda y: 0.5 * ((y - mean) ** 2 / variance + jnp.log(variance)))

    def interval(self, vector: Float[Array, " input"]) -> Interval:
        """Median and central 68 %."""
        mean, sigma = self._moments(vector)
        return Interval(mean, mean - sigma, mean + sigma)

    def _moments(self, vector: Float[Array, " input"]) -> tuple[Targets, Targets]:
        mean, raw = jnp.split(self.linear(vector), 2)
        return mean, LEAST_SIGMA + jax.nn.softplus(raw + 0.5)


class MixtureHead(_Head):
    """A sum of three normal distributions, for targets of two minds.

    Parameters
    ----------
    inputs, targets : int
    key : key

    Examples
    --------
    >>> head = MixtureHead(8, 2, key=jax.random.key(0))
    >>> interval = head.interval(jnp.ones(8))
    >>> bool(jnp.all((interval.q16 < interval.median) & (interval.median < interval.q84)))
    True
    """

    def __init__(self, inputs: int, targets: int, *, key: Key[Array, ""]):
        super().__init__(inputs, targets, 3 * COMPONENTS, key)
        # Components that start alike would stay alike.
        centres = jnp.zeros((3, COMPONENTS, targets)).at[1].add(jnp.linspace(-0.5, 0.5, COMPONENTS)[:, None])
        self.linear = eqx.tree_at(lambda one: one.bias, self.linear, centres.ravel())

    def loss(self, vector: Float[Array, " input"], label: Targets, label_sigma: Targets) -> Targets:
        """Negative log-likelihood of each label, without constants; 0 where it is missing."""
        log_weight, mean, sigma = self._components(vector)
        variance = sigma**2 + label_sigma[None, :] ** 2

        def of(y: Targets) -> Targets:
            log_density = -0.5 * ((y[None, :] - mean) ** 2 / variance + jnp.log(variance))
            return -jax.nn.logsumexp(log_weight + log_density, axis=0)

        return _of_present(label, of)

    def interval(self, vector: Float[Array, " input"]) -> Interval:
        """Median and central 68 %, by halving the range that the components span."""
        log_weight, mean, sigma = self._components(vector)
        quantile = lambda level: _mixture_quantile(level, jnp.exp(log_weight), mean, sigma)  # noqa: E731
        return Interval(quantile(0.5), quantile(0.16), quantile(0.84))

    def _components(self, vector: Float[Array, " input"]) -> tuple[Array, Array, Array]:
        logit, mean, raw = self.linear(vector).reshape(3, COMPONENTS, self.targets)
        return jax.nn.log_softmax(logit, axis=0), mean, LEAST_SIGMA + jax.nn.softplus(raw)


class QuantileHead(_Head):
    """Quantiles by the pinball loss (Koenker & Bassett 1978), in order by construction.

    The errors of the labels do not enter: quantiles are those of the labels.

    Parameters
    ----------
    inputs, targets : int
    key : key

    Examples
    --------
    >>> head = QuantileHead(8, 2, key=jax.random.key(0))
    >>> head.quantiles(jnp.ones(8)).shape
    (5, 2)
    """

    def __init__(self, inputs: int, targets: int, *, key: Key[Array, ""]):
        super().__init__(inputs, targets, len(LEVELS), key)

    def loss(self, vector: Float[Array, " input"], label: Targets, label_sigma: Targets) -> Targets:
        """Sum of the pinball losses of the five quantiles; 0 where the label is missing."""
        quantiles, levels = self.quantiles(vector), jnp.asarray(LEVELS)[:, None]

        def of(y: Targets) -> Targets:
            above = y[None, :] - quantiles
            return jnp.sum(jnp.maximum(levels * above, (levels - 1.0) * above), axis=0)

        return _of_present(label, of)

    def quantiles(self, vector: Float[Array, " input"]) -> Float[Array, "5 target"]:
        """The quantiles at `LEVELS`."""
        raw = self.linear(vector).reshape(len(LEVELS), self.targets)
        gaps = jax.nn.softplus(raw + 0.5)
        upper, lower = jnp.cumsum(gaps[3:], axis=0), -jnp.cumsum(gaps[:2][::-1], axis=0)[::-1]
        return raw[2:3] + jnp.concatenate([lower, jnp.zeros((1, self.targets)), upper])

    def interval(self, vector: Float[Array, " input"]) -> Interval:
        """Median and central 68 %."""
        _, q16, median, q84, _ = self.quantiles(vector)
        return Interval(median, q16, q84)


Head: TypeAlias = GaussianHead | MixtureHead | QuantileHead

#: Heads whose loss is the negative logarithm of a density.
WITH_DENSITY = ("gaussian", "mixture")

HEADS: Mapping[str, type[Head]] = {
    "gaussian": GaussianHead,
    "mixture": MixtureHead,
    "quantiles": QuantileHead,
}


def log_density(head: Head, vector: Float[Array, " input"], label: Targets) -> Targets:
    """Logarithm of the density that a head `WITH_DENSITY` gives each label; NaN where it is missing."""
    log = -head.loss(vector, label, jnp.zeros_like(label)) - 0.5 * jnp.log(2.0 * jnp.pi)
    return jnp.where(jnp.isfinite(label), log, jnp.nan)


def _of_present(label: Targets, loss: Callable[[Targets], Targets]) -> Targets:
    """The loss where there is a label; the inner replacement keeps NaN out of the gradient."""
    present = jnp.isfinite(label)
    return jnp.where(present, loss(jnp.where(present, label, 0.0)), 0.0)


def _mixture_quantile(level: float, weight: Array, mean: Array, sigma: Array) -> Targets:
    low, high = jnp.min(mean - 6.0 * sigma, axis=0), jnp.max(mean + 6.0 * sigma, axis=0)

    def halve(_: Array | int, ends: tuple[Targets, Targets]) -> tuple[Targets, Targets]:
        low, high = ends
        middle = 0.5 * (low + high)
        below = jnp.sum(weight * jax.scipy.stats.norm.cdf((middle[None, :] - mean) / sigma), axis=0) < level
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    low, high = jax.lax.fori_loop(0, _HALVINGS, halve, jax.lax.stop_gradient((low, high)))
    found = jax.lax.stop_gradient(0.5 * (low + high))
    # A step of Newton's method hardly moves the value, and gives it the gradient of the implicit function.
    scaled = (found[None, :] - mean) / sigma
    below = jnp.sum(weight * jax.scipy.stats.norm.cdf(scaled), axis=0)
    density = jnp.sum(weight * jax.scipy.stats.norm.pdf(scaled) / sigma, axis=0)
    return found - (below - level) / jax.lax.stop_gradient(density)
