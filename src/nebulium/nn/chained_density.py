"""The density of several numbers as a chain: each is a mixture of normal distributions given those before it.

By the product rule any density is such a chain, so that nothing but the width of the networks limits its form
(Larochelle & Murray 2011; Uria et al. 2013, arXiv:1306.0186). What the first number leaves of the others is
read off the same chain by putting it in, where it is known.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

Numbers = Float[Array, " number"]
Features = Float[Array, " feature"]
Seen = Float[Array, "number hidden"]

#: No normal distribution is narrower than this, nor wider: the numbers have a scatter of 1.
LEAST_SCATTER, MOST_SCATTER = 0.01, 5.0


class ChainedDensity(eqx.Module):
    """A network from features to the density of several numbers, one after the other.

    Parameters
    ----------
    features, numbers : int
        How many go in, and how many it says the density of.
    width, depth : int
        Of the hidden layers that all numbers share.
    hidden : int
        Of the hidden layers of each number.
    mixture : int
        Normal distributions of each number.
    dropout : float
        Share of the shared layers' values that is left out in training (Srivastava et al. 2014).
    key : key
    """

    layers: tuple[eqx.nn.Linear, ...]
    context: eqx.nn.Linear
    before: Float[Array, "number hidden number"]
    inner: Float[Array, "number hidden hidden"]
    inner_bias: Float[Array, "number hidden"]
    last: Float[Array, "number parameter hidden"]
    last_bias: Float[Array, "number parameter"]
    dropout: float = eqx.field(static=True)

    def __init__(
        self,
        features: int,
        numbers: int,
        *,
        width: int,
        depth: int,
        hidden: int,
        mixture: int,
        dropout: float,
        key: Key[Array, ""],
    ):
        before, inner, last, context, *keys = jax.random.split(key, depth + 4)
        sizes = [features] + [width] * depth
        self.layers = tuple(
            eqx.nn.Linear(size, width, key=one) for size, one in zip(sizes[:-1], keys, strict=True)
        )
        self.context = eqx.nn.Linear(width, numbers * hidden, key=context)
        self.before = 0.2 * jax.random.normal(before, (numbers, hidden, numbers))
        self.inner = jax.random.normal(inner, (numbers, hidden, hidden)) / np.float32(np.sqrt(hidden))
        self.inner_bias = jnp.zeros((numbers, hidden))
        scale = np.float32(0.3 / np.sqrt(hidden))
        self.last = scale * jax.random.normal(last, (numbers, 3 * mixture, hidden))
        # The distributions of a mixture start apart from each other.
        apart = jnp.linspace(-1.0, 1.0, mixture)
        self.last_bias = jnp.zeros((numbers, 3 * mixture)).at[:, mixture : 2 * mixture].set(apart[None, :])
        self.dropout = dropout

    def seen(self, features: Features, key: Key[Array, ""] | None = None) -> Seen:
        """What the features say to each number; some values are left out if a key is given."""
        hidden, kept = features, 1.0 - self.dropout
        keys = [None] * len(self.layers) if key is None else jax.random.split(key, len(self.layers))
        for layer, one in zip(self.layers, keys, strict=True):
            hidden = jax.nn.gelu(layer(hidden))
            if one is not None and self.dropout > 0:
                hidden = jnp.where(jax.random.bernoulli(one, kept, hidden.shape), hidden / kept, 0.0)
        return self.context(hidden).reshape(self.inner_bias.shape)

    def log_density(self, seen: Seen, numbers: Numbers) -> Numbers:
        """Logarithm of the density of each number given those before it; their sum is that of all."""
        earlier = jnp.tril(jnp.ones((len(numbers), len(numbers))), -1) * numbers[None, :]
        return jax.vmap(_log_density)(jax.vmap(_mixture)(self._stages, seen, earlier), numbers)

    def draw(
        self, seen: Seen, first: Float[Array, ""], known: Float[Array, ""], key: Key[Array, ""]
    ) -> Numbers:
        """A draw of all numbers; the first is as it is given where `known` is 1 and not 0."""

        # A scan, as so many stages one after the other would take a minute to compile.
        def step(numbers: Numbers, stage: tuple[Any, ...]) -> tuple[Numbers, None]:
            weights, own, place, one = stage
            drawn = _draw(_mixture(weights, own, numbers), one)
            drawn = jnp.where((place == 0) & (known > 0), first, drawn)
            return numbers.at[place].set(drawn), None

        count = len(seen)
        stages = (self._stages, seen, jnp.arange(count), jax.random.split(key, count))
        return jax.lax.scan(step, jnp.zeros(count), stages)[0]

    def propose(
        self, seen: Seen, wider: tuple[float, ...], which: Int[Array, ""], key: Key[Array, ""]
    ) -> tuple[Numbers, Float[Array, " width"]]:
        """A draw with all normal distributions wider by one of some factors, and its log density by each."""
        log_wider = jnp.log(jnp.asarray(wider, jnp.float32))

        def step(before: tuple[Numbers, Array], stage: tuple[Any, ...]) -> tuple[tuple[Numbers, Array], None]:
            (numbers, log_density), (weights, own, place, one) = before, stage
            log_weight, mean, log_scatter = _mixture(weights, own, numbers)
            drawn = _draw((log_weight, mean, log_scatter + log_wider[which]), one)
            added = [_log_density((log_weight, mean, log_scatter + each), drawn) for each in log_wider]
            return (numbers.at[place].set(drawn), log_density + jnp.stack(added)), None

        count = len(seen)
        stages = (self._stages, seen, jnp.arange(count), jax.random.split(key, count))
        return jax.lax.scan(step, (jnp.zeros(count), jnp.zeros(len(wider))), stages)[0]

    @property
    def _stages(self) -> tuple[Array, ...]:
        return self.before, self.inner, self.inner_bias, self.last, self.last_bias


_Mixture = tuple[Float[Array, " k"], Float[Array, " k"], Float[Array, " k"]]


def _mixture(stage: tuple[Array, ...], seen: Array, earlier: Numbers) -> _Mixture:
    """Logarithms of weights, means, and logarithms of scatters of a number given those before it."""
    before, inner, inner_bias, last, last_bias = stage
    hidden = jax.nn.gelu(seen + before @ earlier)
    hidden = hidden + jax.nn.gelu(inner @ hidden + inner_bias)
    weight, mean, spread = jnp.split(last @ hidden + last_bias, 3)
    low, high = np.log(LEAST_SCATTER), np.log(MOST_SCATTER)
    # Parameters of 0 make it as wide as 0.8.
    return jax.nn.log_softmax(weight), mean, low + (high - low) * jax.nn.sigmoid(spread + 0.9)


def _log_density(mixture: _Mixture, number: Float[Array, ""]) -> Float[Array, ""]:
    log_weight, mean, log_scatter = mixture
    off = (number - mean) * jnp.exp(-log_scatter)
    each = log_weight - 0.5 * off**2 - log_scatter - 0.5 * np.float32(np.log(2 * np.pi))
    return jax.scipy.special.logsumexp(each)


def _draw(mixture: _Mixture, key: Key[Array, ""]) -> Float[Array, ""]:
    log_weight, mean, log_scatter = mixture
    which, noise = jax.random.split(key)
    one = jax.random.categorical(which, log_weight)
    return mean[one] + jnp.exp(log_scatter[one]) * jax.random.normal(noise)
