"""The density of images of galaxies given their properties, by diffusion of their pixels."""

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
    MOST_AXES,
    Coefficients,
    Conditions,
    Image,
    ImageModel,
)
from nebulium.generate.latent.noise import PixelNoise, unstretched
from nebulium.generate.latent.reader import OF_ALL
from nebulium.generate.pixels.base import frame_of
from nebulium.generate.pixels.diffusion import PixelDiffusion
from nebulium.generate.pixels.planes import Planes
from nebulium.generate.pixels.schedules import Diffusion
from nebulium.modelfile import register
from nebulium.nn.joint_mixture import log_density, parameter_count
from nebulium.nn.training_domain import TrainingDomain

Number = Float[Array, ""]

#: Levels of noise at which an image is looked at for its likelihood, each with a noise and its opposite: for
#: what is given, and to find out where a posterior is.
DRAWS, FIRST_DRAWS = 64, 16
#: Places of a property at which the likelihood is taken: over all galaxies, in their scatters, and then
#: once more about the posterior found so, within so many of its scatters.
PLACES, FARTHEST, ABOUT = 21, 4.5, 4.0


@register
class PixelImageModel(ImageModel):
    """A model of images given properties of the galaxies, any of which may be missing, by their pixels.

    A convolutional network takes noise off images, on top of a Gaussian of images. It is for a GPU.

    Parameters
    ----------
    conditions : sequence of str
        Names of the properties, those that are classes last.
    components : sequence of int
        In each block of the basis, along which the Gaussian varies.
    diffusion : {"edm", "ddpm"}
        That of Karras et al. 2022, or of Ho et al. 2020 and Smith et al. 2022.
    channels : sequence of int
        Of the stages of the network; each after the first halves the sides.
    depth : int
        Blocks of a stage.
    domain_references : int
        Galaxies that the training domain is measured by.
    pixel_scale_arcsec, psf_fwhm_arcsec : sequence of float, optional
        Of the training images, one a band, where known.
    classes : mapping of str to sequence of str, optional
        Of the properties that are classes, what these are called. In arrays of properties a class is its
        place among them.
    key : key, optional
        Of the first weights.
    bands, unit, size, stretch, binning : sequence of str, str, int, dict, int
        The images: see `nebulium.data.Preparation`.

    Attributes
    ----------
    condition_mean, condition_scale : (number,) float32
        Of the training galaxies, of the properties that are numbers.
    population : (parameter,) float32
        The density of properties of the training galaxies, a mixture.
    basis : Planes
    diffusion : PixelDiffusion
    noise : PixelNoise
        What the components leave out; images have it already.
    condition_domain, image_domain : TrainingDomain
        Where combinations of properties lie that the model learned from, and images.
    left_mean, left_scale : () float32
        Of the logarithm of the scatter that components leave out, over the training images.

    Examples
    --------
    >>> model = PixelImageModel(
    ...     conditions=["log_mstar"],
    ...     components=[4, 2, 2, 1],
    ...     diffusion="edm",
    ...     channels=[4, 8],
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
    population: Float[Array, " parameter"]
    basis: Planes
    diffusion: PixelDiffusion
    noise: PixelNoise
    condition_domain: TrainingDomain
    image_domain: TrainingDomain
    left_mean: Number
    left_scale: Number
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
        diffusion: Diffusion,
        channels: Sequence[int],
        depth: int,
        domain_references: int = DOMAIN_REFERENCES,
        pixel_scale_arcsec: Sequence[float] | None = None,
        psf_fwhm_arcsec: Sequence[float] | None = None,
        classes: Mapping[str, Sequence[str]] | None = None,
        key: Key[Array, ""] | None = None,
        **images: Any,
    ):
        self.form, self.conditions = ImageForm.of(**images), tuple(conditions)
        self.pixel_scale_arcsec = None if pixel_scale_arcsec is None else tuple(pixel_scale_arcsec)
        self.psf_fwhm_arcsec = None if psf_fwhm_arcsec is None else tuple(psf_fwhm_arcsec)
        self.kinds = ConditionKinds.of(self.conditions, classes)
        bands, number = len(self.form.bands), len(self.kinds.numbers)
        self.condition_mean, self.condition_scale = jnp.zeros(number), jnp.ones(number)
        self.population = jnp.zeros(parameter_count(OF_ALL, number, self.kinds.counts))
        columns = sum(self.kinds.columns)
        self.basis = Planes(side=self.form.preparation.side, bands=bands, components=components)
        self.diffusion = PixelDiffusion(
            diffusion,
            bands=bands,
            components=self.basis.size,
            conditions=columns,
            channels=tuple(channels),
            depth=depth,
            key=jax.random.key(0) if key is None else key,
        )
        self.noise = PixelNoise(bands)
        self.condition_domain = TrainingDomain(columns, domain_references)
        self.image_domain = TrainingDomain(min(MOST_AXES, self.basis.even) + 1, domain_references)
        self.left_mean, self.left_scale = jnp.zeros(()), jnp.ones(())

    def drawn(
        self,
        conditions: Conditions,
        key: Key[Array, ""],
        *,
        steps: int,
        guidance: Number | None = None,
        sampler: Sampler = "heun",
    ) -> Image:
        """An image of a galaxy with these properties, in the unit of the pixels, with noise."""
        given, frame = self.known(conditions), frame_of(self.basis)
        image = self.diffusion.sample(given, frame, steps, key, guidance, sampler)
        return unstretched(image, self.form.preparation.stretch)

    def in_frame(self, image: Image) -> Image:
        """A prepared image in the unit of the pixels, as it lies."""
        return unstretched(image, self.form.preparation.stretch)

    def coefficients(self, image: Image) -> Coefficients:
        """Of a prepared image."""
        return self.basis.coefficients(image)

    def rebuilt(self, coefficients: Coefficients) -> Image:
        """The image of coefficients, without further noise, in the unit of the pixels."""
        return unstretched(self.basis.image(coefficients), self.form.preparation.stretch)

    def bounds(
        self, image: Image, conditions: Float[Array, "way condition"], key: Key[Array, ""], *, draws: int
    ) -> Float[Array, "way draw"]:
        """Lower bounds by diffusion on log p(image given properties); see `ImageModel.bounds`."""
        given = jax.vmap(self.known)(conditions)
        return self.diffusion.log_densities(image, given, frame_of(self.basis), draws, key)

    def log_ratios(self, image: Image, conditions: Float[Array, "way condition"]) -> Float[Array, " way"]:
        """Log of p(image given properties) / p(image) by differences of the bound, with the same noise."""
        nothing = jnp.full((1, len(self.conditions)), jnp.nan)
        bounds = self._mean_bounds(image, jnp.concatenate([conditions, nothing]), DRAWS)
        return bounds[:-1] - bounds[-1]

    def posterior(self, image: Image, conditions: Conditions) -> Float[Array, "number place"]:
        """Densities of each number at the places of `GRID`; see `ImageModel.posterior`."""

        def of_one(place: Array) -> Float[Array, " place"]:
            def given(values: Float[Array, " some"]) -> Float[Array, "some condition"]:
                physical = self.condition_mean[place] + self.condition_scale[place] * values
                return jax.vmap(lambda value: conditions.at[place].set(value))(physical)

            def likelihoods(values: Float[Array, " some"], draws: int) -> Float[Array, " some"]:
                return self._mean_bounds(image, given(values), draws)

            first = jnp.linspace(-FARTHEST, FARTHEST, PLACES)
            log_prior = jax.vmap(self._prior)(given(jnp.asarray(GRID)))
            mean, scatter = _moments(_density(first, likelihoods(first, FIRST_DRAWS), log_prior))
            # A posterior that is narrower than the places are apart looks too narrow, or none.
            reach = ABOUT * jnp.maximum(scatter, 0.5 * (first[1] - first[0]))
            second = mean + jnp.linspace(-reach, reach, PLACES)
            return _density(second, likelihoods(second, DRAWS), log_prior)

        if not self.kinds.numbers:
            return jnp.zeros((0, len(GRID)))
        return jax.lax.map(of_one, jnp.arange(len(self.kinds.numbers)))

    def class_probabilities(self, image: Image, conditions: Conditions) -> list[Float[Array, " class"]]:
        """Probabilities of the classes of each property that is one; see `ImageModel.class_probabilities`."""
        found, first = [], len(self.kinds.numbers)
        for place, count in enumerate(self.kinds.counts, first):
            classes = jnp.arange(count, dtype=jnp.float32)
            ways = jax.vmap(lambda one, place=place: conditions.at[place].set(one))(classes)
            bounds = self._mean_bounds(image, ways, DRAWS)
            found.append(jax.nn.softmax(bounds + jax.vmap(self._prior)(ways)))
        return found

    def _prior(self, conditions: Conditions) -> Number:
        """Logarithm of the density of known properties among the training galaxies."""
        return log_density(self.population, *self.known(conditions), OF_ALL, self.kinds.counts)

    def _mean_bounds(
        self, image: Image, conditions: Float[Array, "way condition"], draws: int
    ) -> Float[Array, " way"]:
        """Bounds on log p(image given properties): of an image always the same."""
        # All galaxies see the same noise, so that what is said of one does not depend on the others.
        return jnp.mean(self.bounds(image, conditions, jax.random.key(0), draws=draws), axis=1)


def _density(
    places: Float[Array, " some"], likelihoods: Float[Array, " some"], log_prior: Float[Array, " place"]
) -> Float[Array, " place"]:
    """The density at the places of `GRID`, of likelihoods between which the logarithm goes straight."""
    grid = jnp.asarray(GRID)
    log = jnp.interp(grid, places, likelihoods) + log_prior
    log = jnp.where((grid >= places[0]) & (grid <= places[-1]), log, -jnp.inf)
    density = jnp.exp(log - jnp.max(log))
    return density / (jnp.sum(density) * (GRID[1] - GRID[0]))


def _moments(density: Float[Array, " place"]) -> tuple[Number, Number]:
    """Mean and scatter of a density at the places of `GRID`."""
    grid = jnp.asarray(GRID)
    share = density / jnp.sum(density)
    mean = jnp.sum(share * grid)
    return mean, jnp.sqrt(jnp.sum(share * (grid - mean) ** 2))
