"""Diffusion of pixels: noise put on, taken off, and how likely that makes an image.

Preconditioning follows Karras et al. 2022 (arXiv:2206.00364), with a Gaussian of images in place of one
variance for all pixels: the network sees an image of unit variance along every axis, and gives what the
Gaussian does not know, of unit variance too.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from nebulium.generate.drawing.samplers import Sampler, denoised, guided
from nebulium.generate.latent.denoiser import told_count, told_numbers
from nebulium.generate.latent.diffusion import HIGHEST, LOWEST, Known, stratified
from nebulium.generate.pixels.base import Base, Frame, PixelGaussian
from nebulium.generate.pixels.schedules import SCHEDULES, Diffusion, Schedule, linear_log_levels
from nebulium.generate.pixels.unet import UNet
from nebulium.nn.convolution import normal_numbers
from nebulium.nn.encoders import halved

Image = Float[Array, "side side band"]
Number = Float[Array, ""]


class PixelDiffusion(eqx.Module):
    """A density of stretched images given any of the conditions.

    Parameters
    ----------
    name : {"edm", "ddpm"}
        See `nebulium.generate.pixels.schedules`.
    bands, components, conditions : int
        How many there are.
    channels : sequence of int
        Of the stages of the network.
    depth : int
        Blocks of a stage.
    key : key

    Attributes
    ----------
    gaussian : PixelGaussian
    network : UNet
    """

    gaussian: PixelGaussian
    network: UNet
    name: Diffusion = eqx.field(static=True)

    def __init__(
        self,
        name: Diffusion,
        *,
        bands: int,
        components: int,
        conditions: int,
        channels: tuple[int, ...],
        depth: int,
        key: Key[Array, ""],
    ):
        self.gaussian = PixelGaussian(components, conditions)
        self.network = UNet(bands, told_count(conditions), channels=channels, depth=depth, key=key)
        self.name = name

    @property
    def schedule(self) -> Schedule:
        """Levels of noise and what they cost."""
        return SCHEDULES[self.name]

    def ends(self, frame: Frame) -> tuple[Number, Number]:
        """Natural logarithms of the lowest and the highest level: below the noise, above all galaxies."""
        lowest = jnp.log(LOWEST) + 0.5 * jnp.log(self.gaussian.left_variance)
        if self.name == "ddpm":
            return lowest, lowest + jnp.asarray(linear_log_levels()[-1])
        return lowest, jnp.log(HIGHEST * jnp.max(frame.scales))

    def clean(
        self, noisy: Image, log_level: Number, given: Known, base: Base, *, in_half: bool = False
    ) -> Image:
        """The expected image, under noise of a level, on a Gaussian base."""
        noise, offset = jnp.exp(2.0 * log_level), noisy - base.mean
        white = base.scaled(offset, lambda variance: jax.lax.rsqrt(variance + noise))
        numbers = told_numbers(log_level - 0.5 * jnp.log(base.left), *given)
        network, *seen = halved((self.network, white, numbers)) if in_half else (self.network, white, numbers)
        told = network(*seen).astype(jnp.float32)
        return (
            base.mean
            + base.scaled(offset, lambda variance: variance / (variance + noise))
            + base.scaled(told, lambda variance: jnp.sqrt(variance * noise / (variance + noise)))
        )

    def error(
        self,
        image: Image,
        noise: Image,
        log_level: Number,
        given: Known,
        base: Base,
        *,
        in_half: bool = False,
    ) -> Image:
        """By how much the noise of an image is mistaken, in its scatter."""
        level = jnp.exp(log_level)
        return (self.clean(image + level * noise, log_level, given, base, in_half=in_half) - image) / level

    def log_densities(
        self, image: Image, given: Known, frame: Frame, draws: int, key: Key[Array, ""]
    ) -> Float[Array, "way draw"]:
        """Bounds on the logarithm of the density, up to a constant, given each of several conditions.

        Kingma et al. 2021 (arXiv:2107.00630, equation 17). Levels are stratified, each noise comes with its
        opposite, and all conditions see the same of both.
        """
        level_key, noise_key = jax.random.split(key)
        lowest, highest = self.ends(frame)
        shares = stratified(level_key, draws)

        def one(now: tuple[Number, Key[Array, ""]]) -> Float[Array, " way"]:
            log_level, key = lowest + (highest - lowest) * now[0], now[1]
            noise = normal_numbers(key, *image.shape)

            def bound(known: Known) -> Number:
                base = self.gaussian.given(frame, known)

                def square(sign: Number) -> Number:
                    return jnp.sum(self.error(image, sign * noise, log_level, known, base) ** 2)

                return -0.5 * (highest - lowest) * jnp.sum(jax.lax.map(square, jnp.array([1.0, -1.0])))

            # One after the other: an image in the network takes a thousand times its own memory.
            return jax.lax.map(bound, given)

        return jax.lax.map(one, (shares, jax.random.split(noise_key, draws))).T

    def sample(
        self,
        given: Known,
        frame: Frame,
        steps: int,
        key: Key[Array, ""],
        guidance: Number | None = None,
        sampler: Sampler = "heun",
    ) -> Image:
        """Draw a stretched image; guidance above 1 draws what is more typical than galaxies are."""
        lowest, highest = self.ends(frame)
        nothing = Known(jnp.zeros_like(given.conditions), jnp.zeros_like(given.known))
        base, free_base = (self.gaussian.given(frame, known) for known in (given, nothing))
        start_key, key = jax.random.split(key)
        noise = normal_numbers(start_key, *base.mean.shape)
        start = base.mean + base.scaled(noise, lambda v: jnp.sqrt(v + jnp.exp(2.0 * highest)))

        denoise = guided(
            lambda noisy, log_level: self.clean(noisy, log_level, given, base),
            lambda noisy, log_level: self.clean(noisy, log_level, nothing, free_base),
            guidance,
        )
        levels = self.schedule.drawing(steps, lowest, highest)
        return denoised(sampler, denoise, start, levels, key)
