"""Diffusion of coefficients: noise put on, taken off, and how likely that makes them.

Noise is the same for all coefficients, in units of the weakest of them, which are noise themselves: so
coarse features come out first, as in an image, and the last level lies below the noise of the survey.
Preconditioning follows Karras et al. 2022 (arXiv:2206.00364), with a Gaussian that knows the conditions in
place of one variance for all.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.generate.drawing.samplers import Sampler, denoised, guided
from nebulium.generate.latent.denoiser import Denoiser
from nebulium.generate.latent.gaussian import LearnedGaussian

Vector = Float[Array, " _"]
Number = Float[Array, ""]

#: Lowest level of noise, in units of the weakest coefficients, which hold little but the noise of the survey.
LOWEST = 0.2
#: Highest level, in units of the strongest coefficient.
HIGHEST = 3.0
#: So many of the weakest coefficients set the unit.
WEAKEST = 20


class Known(NamedTuple):
    """Conditions, standardised, and which of them are known: 1, or 0 where the condition is 0 too."""

    conditions: Vector
    known: Vector


class LatentDiffusion(eqx.Module):
    """A density of coefficients given any of the conditions.

    Parameters
    ----------
    components, conditions, even : int
        How many there are, and how many of the components are the same in all orientations.
    width, depth : int
        Of the denoiser.
    key : key

    Attributes
    ----------
    scale : (component,) float32
        Standard deviations of the coefficients in units of the weakest.
    gaussian : LearnedGaussian
    denoiser : Denoiser
    """

    scale: Float[Array, " component"]
    gaussian: LearnedGaussian
    denoiser: Denoiser

    def __init__(
        self, components: int, conditions: int, *, even: int, width: int, depth: int, key: Key[Array, ""]
    ):
        first, second = jax.random.split(key)
        self.scale = jnp.ones(components)
        self.gaussian = LearnedGaussian(components, conditions, even, key=first)
        self.denoiser = Denoiser(components, conditions, width=width, depth=depth, key=second)

    @property
    def log_levels(self) -> tuple[Number, Number]:
        """Natural logarithms of the lowest and the highest level of noise."""
        return jnp.log(jnp.asarray(LOWEST, jnp.float32)), jnp.log(HIGHEST * jnp.max(self.scale))

    def _denoised(
        self, noisy: Vector, log_level: Number, given: Known, base: tuple[Vector, Vector]
    ) -> Vector:
        """Expected coefficients, in units of the weakest, under noise of a level, on a Gaussian base."""
        mean, variance = base
        noise = jnp.exp(2.0 * log_level)
        offset, total = noisy - mean, variance + noise
        told = self.denoiser(offset * jax.lax.rsqrt(total), log_level, *given)
        return mean + variance / total * offset + jnp.sqrt(variance * noise / total) * told

    def _base(self, given: Known) -> tuple[Vector, Vector]:
        """Means and variances by the Gaussian."""
        mean, variance = self.gaussian.given(*given)
        return mean * self.scale, variance * self.scale**2

    def loss(self, coefficients: Vector, given: Known, log_level: Number, key: Key[Array, ""]) -> Number:
        """Nats that noise of one level costs, for the whole range of levels were all like it.

        Its mean over levels, drawn evenly in their logarithm, bounds the negative logarithm of the density
        up to a constant (Kingma et al. 2021, arXiv:2107.00630, equation 17).
        """
        clean = coefficients * self.scale
        noise = jax.random.normal(key, clean.shape)
        return self._cost(clean, noise, given, log_level, self._base(given))

    def hidden(self, log_level: Number) -> Number:
        """The share of the coefficients' information that noise of a level hides, were all Gaussian.

        Few coefficients, but those that a galaxy is known by, are hidden by strong noise alone.
        """
        nothing = jnp.zeros(self.gaussian.closed.cross.shape[1])
        _, left = self.gaussian.closed.given(nothing, jnp.ones_like(nothing))
        variance = left * self.scale**2
        return jnp.mean(variance / (variance + jnp.exp(2.0 * log_level)))

    def _cost(
        self, clean: Vector, noise: Vector, given: Known, log_level: Number, base: tuple[Vector, Vector]
    ) -> Number:
        lowest, highest = self.log_levels
        level = jnp.exp(log_level)
        left = (self._denoised(clean + level * noise, log_level, given, base) - clean) / level
        return (highest - lowest) * jnp.sum(left**2)

    def log_densities(
        self, coefficients: Vector, given: Known, draws: int, key: Key[Array, ""]
    ) -> Float[Array, "way draw"]:
        """Bounds on the logarithm of the density, up to a constant, given each of several conditions.

        Levels are stratified, each noise comes with its opposite, and all conditions see the same of both:
        the mean over draws is the estimate, and that of a difference is much better known.
        """
        clean = coefficients * self.scale
        level_key, noise_key = jax.random.split(key)
        lowest, highest = self.log_levels
        levels = lowest + (highest - lowest) * stratified(level_key, draws)
        bases = jax.vmap(self._base)(given)

        def one(log_level: Number, key: Key[Array, ""]) -> Float[Array, " way"]:
            noise = jax.random.normal(key, clean.shape)

            def cost(given: Known, base: tuple[Vector, Vector]) -> Number:
                both = [self._cost(clean, sign * noise, given, log_level, base) for sign in (1.0, -1.0)]
                return -0.5 * (both[0] + both[1])

            return jax.vmap(cost)(given, bases)

        return jax.vmap(one, out_axes=1)(levels, jax.random.split(noise_key, draws))

    def sample(
        self,
        given: Known,
        steps: int,
        key: Key[Array, ""],
        guidance: Number | None = None,
        sampler: Sampler = "heun",
    ) -> Vector:
        """Draw coefficients, levels even in logarithm; see `nebulium.generate.drawing.samplers`.

        Guidance above 1 draws what is more typical of the conditions than galaxies are (Ho and Salimans
        2022, arXiv:2207.12598).
        """
        lowest, highest = self.log_levels
        mean, variance = base = self._base(given)
        first, others = jax.random.split(key)
        start = mean + jnp.sqrt(variance + jnp.exp(2.0 * highest)) * jax.random.normal(first, mean.shape)
        nothing = Known(jnp.zeros_like(given.conditions), jnp.zeros_like(given.known))
        base_of_nothing = self._base(nothing)

        denoise = guided(
            lambda noisy, log_level: self._denoised(noisy, log_level, given, base),
            lambda noisy, log_level: self._denoised(noisy, log_level, nothing, base_of_nothing),
            guidance,
        )
        levels = jnp.linspace(highest, lowest, steps)
        # The weakest coefficients lose LOWEST squared of their variance with the last noise.
        return denoised(sampler, denoise, start, levels, others) / self.scale


def stratified(key: Key[Array, ""], n: int) -> Float[Array, " draw"]:
    """Numbers between 0 and 1, one in each of n equal parts, rising."""
    return (jnp.arange(n, dtype=jnp.float32) + jax.random.uniform(key, (n,))) / n


def coefficient_scale(scales: Float[np.ndarray, " component"]) -> Float[np.ndarray, " component"]:
    """Standard deviations in units of the weakest coefficients."""
    return (scales / np.median(np.sort(scales)[:WEAKEST])).astype(np.float32)
