"""The density of images of galaxies given their properties, in the space of the set's components."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from nebulium.data.images.preparation import ImageForm
from nebulium.generate.conditions import ConditionKinds
from nebulium.generate.drawing.samplers import Sampler
from nebulium.generate.image_model import (
    DOMAIN_REFERENCES,
    GRID,
    LEAST_LEFT,
    MOST_AXES,
    Coefficients,
    Conditions,
    Image,
    ImageModel,
)
from nebulium.generate.latent.basis import Basis
from nebulium.generate.latent.diffusion import LatentDiffusion
from nebulium.generate.latent.frame import at_random, framed
from nebulium.generate.latent.neighbours import Neighbours, without_neighbours
from nebulium.generate.latent.noise import PixelNoise, unstretched
from nebulium.generate.latent.reader import OF_GALAXY, Reader, log_posterior
from nebulium.generate.latent.texture import Texture, rooted, unrooted
from nebulium.generate.latent.typicality import DRAWS, LEVELS, Typical, Typicality
from nebulium.modelfile import register
from nebulium.nn.classes import split_by_target
from nebulium.nn.joint_mixture import draws, joined
from nebulium.nn.training_domain import TrainingDomain


@register
class LatentImageModel(ImageModel):
    """A model of images given properties of the galaxies, any of which may be missing.

    An image, turned to its major axis, is a brightness in each band and principal components of the training
    set, whose coefficients a diffusion draws, and noise in flux on what the components leave out.

    Parameters
    ----------
    conditions : sequence of str
        Names of the properties, those that are classes last.
    components : sequence of int
        In each block of the basis.
    width, depth : int
        Of the denoising network.
    domain_references : int
        Galaxies that the training domain is measured by.
    key : key, optional
        Of the first weights.
    pixel_scale_arcsec, psf_fwhm_arcsec : sequence of float, optional
        Of the training images, one a band, where known.
    classes : mapping of str to sequence of str, optional
        Of the properties that are classes, what these are called. In arrays of properties a class is its
        place among them.
    typicality_references : int
        Images held back that others are ranked among; 0 for a model that ranks none.
    textured : bool
        Of pictures: what components leave out is texture and not noise in flux.
    bands, unit, size, stretch, binning : sequence of str, str, int, dict, int
        The images: see `nebulium.data.Preparation`.

    Attributes
    ----------
    condition_mean, condition_scale : (number,) float32
        Of the training galaxies, of the properties that are numbers.
    sky : (band,) float32
        Scatter of the sky, in the unit of the pixels; of pictures, of their roots.
    basis : Basis
    diffusion : LatentDiffusion
    reader : Reader
        Properties given the coefficients of an image.
    noise : PixelNoise
    condition_domain, image_domain : TrainingDomain
        Where combinations of properties lie that the model learned from, and images: by their first
        coefficients, and by what the components leave out.
    left_mean, left_scale : () float32
        Of the logarithm of the scatter that components leave out, over the training images.
    typicality : Typicality, optional
    texture : Texture, optional
        Its coefficients come before those of the basis.
    neighbours : Neighbours, optional
        Other objects in pictures, of which coefficients tell nothing.

    Examples
    --------
    >>> model = LatentImageModel(
    ...     conditions=["log_mstar"],
    ...     components=[4, 2, 2, 1],
    ...     width=16,
    ...     depth=1,
    ...     bands=["g", "r", "i"],
    ...     unit="nJy",
    ...     size=16,
    ...     stretch={"kind": "asinh", "softening": [1.0, 1.0, 1.0]},
    ... )
    >>> eqx.filter_jit(model.drawn)(jnp.array([10.5]), jax.random.key(0), steps=4).shape
    (16, 16, 3)
    """

    condition_mean: Float[Array, " number"]
    condition_scale: Float[Array, " number"]
    sky: Float[Array, " band"]
    basis: Basis
    diffusion: LatentDiffusion
    reader: Reader
    noise: PixelNoise
    condition_domain: TrainingDomain
    image_domain: TrainingDomain
    left_mean: Float[Array, ""]
    left_scale: Float[Array, ""]
    typicality: Typicality | None
    texture: Texture | None
    neighbours: Neighbours | None
    form: ImageForm = eqx.field(static=True)
    conditions: tuple[str, ...] = eqx.field(static=True)
    kinds: ConditionKinds = eqx.field(static=True)
    pixel_scale_arcsec: tuple[float, ...] | None = eqx.field(static=True)
    psf_fwhm_arcsec: tuple[float, ...] | None = eqx.field(static=True)

    def __init__(
        self,
        *,
        conditions: Sequence[str],
        components: Sequence[int],
        width: int,
        depth: int,
        domain_references: int = DOMAIN_REFERENCES,
        pixel_scale_arcsec: Sequence[float] | None = None,
        psf_fwhm_arcsec: Sequence[float] | None = None,
        classes: Mapping[str, Sequence[str]] | None = None,
        typicality_references: int = 0,
        textured: bool = False,
        key: Key[Array, ""] | None = None,
        **images: Any,
    ):
        self.form, self.conditions = ImageForm.of(**images), tuple(conditions)
        self.pixel_scale_arcsec = None if pixel_scale_arcsec is None else tuple(pixel_scale_arcsec)
        self.psf_fwhm_arcsec = None if psf_fwhm_arcsec is None else tuple(psf_fwhm_arcsec)
        self.kinds = ConditionKinds.of(self.conditions, classes)
        bands, number = len(self.form.bands), len(self.kinds.numbers)
        self.condition_mean, self.condition_scale = jnp.zeros(number), jnp.ones(number)
        columns, counts = sum(self.kinds.columns), self.kinds.counts
        self.basis = Basis(side=self.form.preparation.side, bands=bands, components=components)
        self.sky = jnp.ones(bands)
        first, second = jax.random.split(jax.random.key(0) if key is None else key)
        of_network: dict[str, Any] = {"width": width, "depth": depth}
        self.texture = Texture(self.form.preparation.side, bands) if textured else None
        self.neighbours = Neighbours(bands) if textured else None
        size, even = (self.of_texture + number for number in (self.basis.size, self.basis.even))
        self.diffusion = LatentDiffusion(size, columns, even=even, **of_network, key=first)
        self.reader = Reader(size, columns, classes=counts, **of_network, key=second)
        self.noise = PixelNoise(bands)
        self.condition_domain = TrainingDomain(columns, domain_references)
        self.image_domain = TrainingDomain(min(MOST_AXES, self.basis.even) + 1, domain_references)
        self.left_mean, self.left_scale = jnp.zeros(()), jnp.ones(())
        ranked = typicality_references
        self.typicality = Typicality(LEVELS + 2 * bands, ranked) if ranked else None

    def drawn(
        self,
        conditions: Conditions,
        key: Key[Array, ""],
        *,
        steps: int,
        guidance: Float[Array, ""] | None = None,
        sampler: Sampler = "heun",
    ) -> Image:
        """An image of a galaxy with these properties, in the unit of the pixels, with noise."""
        coefficient_key, noise_key = jax.random.split(key)
        given = self.known(conditions)
        coefficients = self.diffusion.sample(given, steps, coefficient_key, guidance, sampler)
        return self.with_noise(coefficients, noise_key)

    @property
    def of_texture(self) -> int:
        """So many of the coefficients, the first, tell of texture."""
        return 0 if self.texture is None else self.texture.size

    def with_noise(self, coefficients: Coefficients, key: Key[Array, ""]) -> Image:
        """The image of coefficients, with noise or texture that these cannot hold, turned at random."""
        noise_key, turn_key = jax.random.split(key)
        clean, sky = self.rebuilt(coefficients), self.sky[None, None, :]
        if self.texture is not None and self.neighbours is not None:
            # Turned first: noise of a picture lies along its rows and columns.
            clean = at_random(clean, turn_key)
            texture_key, neighbour_key = jax.random.split(noise_key)
            texture = self.texture.drawn(coefficients[: self.of_texture], clean, texture_key)
            others = self.texture.levels[0] + self.neighbours.drawn(len(clean), neighbour_key)
            return unrooted(jnp.maximum(clean, others) + texture, self.form.preparation.binning)
        noise = self.noise.scatter(clean) * jax.random.normal(noise_key, clean.shape) / sky
        return at_random(clean + self.basis.beyond(noise, coefficients) * sky, turn_key)

    def in_frame(self, image: Image) -> Image:
        """A prepared image in the unit of the pixels, turned to its major axis.

        Of a picture these are roots, and neighbours are taken away.
        """
        sky, pixels = self.sky[None, None, :], unstretched(image, self.form.preparation.stretch)
        pixels = pixels if self.texture is None else without_neighbours(rooted(pixels))
        return framed(pixels / sky) * sky

    def coefficients(self, image: Image) -> Coefficients:
        """Of a prepared image."""
        pixels = self.in_frame(image)
        of_basis = self.basis.coefficients(pixels / self.sky[None, None, :])
        if self.texture is None:
            return of_basis
        clean = self.rebuilt(of_basis)
        return jnp.concatenate([self.texture.coefficients(pixels - clean, clean), of_basis])

    def rebuilt(self, coefficients: Coefficients) -> Image:
        """The image of coefficients, or of those of the basis alone, in its frame, without noise or texture.

        It is in the unit of the pixels, or of their roots.
        """
        return self.basis.image(coefficients[-self.basis.size :]) * self.sky[None, None, :]

    def log_ratios(self, image: Image, conditions: Float[Array, "way condition"]) -> Float[Array, " way"]:
        """Log of p(image given properties) / p(image) by Bayes' rule, for several sets of properties."""
        read = self.reader.read(self.coefficients(image), self.basis)

        def one(conditions: Conditions) -> Float[Array, ""]:
            given = self.known(conditions)
            return log_posterior(read, *given, self.kinds.counts) - self.reader.prior(*given)

        return jax.vmap(one)(conditions)

    def posterior(self, image: Image, conditions: Conditions) -> Float[Array, "number place"]:
        """Densities of each number at the places of `GRID`, given the image and the others that are known.

        The prior is the density of properties of the training galaxies.
        """
        read, given = self.reader.read(self.coefficients(image), self.basis), self.known(conditions)
        columns, counts = len(given.known), self.kinds.counts

        def of_one(place: Array) -> Float[Array, " place"]:
            own = jax.nn.one_hot(place, columns, dtype=jnp.float32)
            known = jnp.maximum(given.known, own)
            at = lambda value: jnp.where(own > 0, value, given.conditions)  # noqa: E731
            log = jax.vmap(lambda value: log_posterior(read, at(value), known, counts))(jnp.asarray(GRID))
            density = jnp.exp(log - jnp.max(log))
            return density / (jnp.sum(density) * (GRID[1] - GRID[0]))

        return jax.vmap(of_one)(jnp.arange(len(self.condition_mean)))

    def class_probabilities(self, image: Image, conditions: Conditions) -> list[Float[Array, " class"]]:
        """Probabilities of the classes of each property that is one, given the image and what else is known.

        The prior is as in `posterior`.
        """
        read = self.reader.read(self.coefficients(image), self.basis)
        found, first = [], len(self.condition_mean)
        for place, count in enumerate(self.kinds.counts, first):

            def one(chosen: Array, place: int = place) -> Float[Array, ""]:
                given = self.known(conditions.at[place].set(chosen))
                return log_posterior(read, *given, self.kinds.counts)

            found.append(jax.nn.softmax(jax.vmap(one)(jnp.arange(count, dtype=jnp.float32))))
        return found

    def draws(
        self, image: Image, conditions: Conditions, n: int, key: Key[Array, ""]
    ) -> Float[Array, "n column"]:
        """Draws of all properties given the image and those that are known, as `known` has them.

        They come from the mixture of the posterior itself, without a chain.
        """
        read, given = self.reader.read(self.coefficients(image), self.basis), self.known(conditions)
        mixture = joined(read, OF_GALAXY)
        return draws(mixture, *given, len(read) * OF_GALAXY, n, key, self.kinds.counts)

    def in_units(self, columns: Float[Array, "n column"]) -> Float[Array, "n condition"]:
        """The inverse of `known`: properties in their own units, and places of classes."""
        numbers = len(self.condition_mean)
        values = [self.condition_mean[None, :] + self.condition_scale[None, :] * columns[:, :numbers]]
        for part in split_by_target(columns[:, numbers:], self.kinds.counts):
            values.append(jnp.argmax(part, axis=1)[:, None].astype(jnp.float32))
        return jnp.concatenate(values, axis=1)

    def bounds(
        self, image: Image, conditions: Float[Array, "way condition"], key: Key[Array, ""], *, draws: int
    ) -> Float[Array, "way draw"]:
        """Lower bounds by diffusion on log p(image given properties), up to a constant; their mean counts.

        Of all properties NaN it is that on log p(image). Draws of different properties go together: the
        error of a difference is that of the mean of their differences.
        """
        coefficients = self.coefficients(image)
        return self.diffusion.log_densities(coefficients, jax.vmap(self.known)(conditions), draws, key)

    def unusual(self, image: Image) -> Float[Array, " statistic"]:
        """What typicality is judged by: nats that noise costs at each level, and each band's light and rest.

        The noise is the same for all images. Light is the brightness; of the rest, which components leave, it
        is the logarithm of the chi-square of a pixel.
        """
        nothing = jnp.full((1, len(self.conditions)), jnp.nan, jnp.float32)
        costs = -self.bounds(image, nothing, jax.random.key(0), draws=LEVELS * DRAWS)
        pixels, clean = self.in_frame(image), self.rebuilt(self.coefficients(image))
        light = self.basis.brightness(pixels / self.sky[None, None, :])
        left = (pixels - clean) / self.noise.scatter(clean)
        chi_square = jnp.log(jnp.mean(left**2, axis=(0, 1)) + LEAST_LEFT)
        return jnp.concatenate([jnp.mean(costs.reshape(LEVELS, DRAWS), axis=1), light, chi_square])

    def typical(self, image: Image) -> Typical:
        """How often images like those of the training are as unusual as this one, to either side."""
        if self.typicality is None:
            raise ValueError("the model ranks no images: train it anew")
        return self.typicality.of(self.unusual(image))
