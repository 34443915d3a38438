"""What all models of images have in common, whatever they make of the pixels."""

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from equinox import AbstractVar
from jaxtyping import Array, Bool, Float, Key

from nebulium.data.images.preparation import ImageForm
from nebulium.generate.conditions import ConditionKinds
from nebulium.generate.drawing.samplers import Sampler
from nebulium.generate.latent.basis import Basis
from nebulium.generate.latent.diffusion import Known
from nebulium.generate.latent.noise import PixelNoise, stretched
from nebulium.generate.pixels.planes import Planes
from nebulium.nn.training_domain import NEIGHBOUR, TrainingDomain

Image = Float[Array, "side side band"]
Conditions = Float[Array, " condition"]
Coefficients = Float[Array, " component"]

DOMAIN_REFERENCES = 2048
#: Coefficients, the same in all orientations, by which images are told apart from those of the training.
MOST_AXES = 12
#: Added to what components leave out of an image, whose logarithm is taken.
LEAST_LEFT = 1e-4
#: Places, in scatters of the training galaxies, at which the density of a property is taken.
GRID = np.linspace(-8.0, 8.0, 641).astype(np.float32)


class ImageModel(eqx.Module):
    """A model of images given properties of the galaxies, any of which may be missing.

    Attributes
    ----------
    condition_mean, condition_scale : (number,) float32
        Of the training galaxies, of the properties that are numbers.
    basis : Basis or Planes
    noise : PixelNoise
    condition_domain, image_domain : TrainingDomain
        Where combinations of properties lie that the model learned from, and images: by their first
        coefficients, and by what the components leave out.
    left_mean, left_scale : () float32
        Of the logarithm of the scatter that components leave out, over the training images.
    """

    condition_mean: AbstractVar[Float[Array, " number"]]
    condition_scale: AbstractVar[Float[Array, " number"]]
    basis: AbstractVar[Basis | Planes]
    noise: AbstractVar[PixelNoise]
    condition_domain: AbstractVar[TrainingDomain]
    image_domain: AbstractVar[TrainingDomain]
    left_mean: AbstractVar[Float[Array, ""]]
    left_scale: AbstractVar[Float[Array, ""]]
    form: AbstractVar[ImageForm]
    conditions: AbstractVar[tuple[str, ...]]
    kinds: AbstractVar[ConditionKinds]
    pixel_scale_arcsec: AbstractVar[tuple[float, ...] | None]
    psf_fwhm_arcsec: AbstractVar[tuple[float, ...] | None]

    @abstractmethod
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

    @abstractmethod
    def in_frame(self, image: Image) -> Image:
        """A prepared image in the unit of the pixels, as the components see it."""

    @abstractmethod
    def coefficients(self, image: Image) -> Coefficients:
        """Of a prepared image."""

    @abstractmethod
    def rebuilt(self, coefficients: Coefficients) -> Image:
        """The image of coefficients in its frame, without further noise, in the unit of the pixels."""

    @abstractmethod
    def log_ratios(self, image: Image, conditions: Float[Array, "way condition"]) -> Float[Array, " way"]:
        """Log of p(image given properties) / p(image), for several sets of properties."""

    @abstractmethod
    def posterior(self, image: Image, conditions: Conditions) -> Float[Array, "number place"]:
        """Densities of each number at the places of `GRID`, given the image and the others that are known.

        The prior is the density of properties of the training galaxies.
        """

    @abstractmethod
    def class_probabilities(self, image: Image, conditions: Conditions) -> list[Float[Array, " class"]]:
        """Probabilities of the classes of each property that is one, given the image and what else is known.

        The prior is as in `posterior`.
        """

    @abstractmethod
    def bounds(
        self, image: Image, conditions: Float[Array, "way condition"], key: Key[Array, ""], *, draws: int
    ) -> Float[Array, "way draw"]:
        """Lower bounds by diffusion on log p(image given properties), up to a constant; their mean counts.

        Of all properties NaN it is that on log p(image). Draws of different properties go together: the
        error of a difference is that of the mean of their differences.
        """

    def known(self, conditions: Conditions) -> Known:
        """Properties in their own units, NaN where not known, as the diffusion is told them.

        A class becomes a column for each of its kind, 1 or 0.
        """
        number, places = jnp.split(conditions, [len(self.condition_mean)])
        there = jnp.isfinite(number)
        standard = (jnp.where(there, number, self.condition_mean) - self.condition_mean) / (
            self.condition_scale
        )
        values, known = [standard], [there.astype(jnp.float32)]
        for place, count in zip(places, self.kinds.counts, strict=True):
            values.append((jnp.arange(count, dtype=jnp.float32) == place).astype(jnp.float32))
            known.append(jnp.broadcast_to(jnp.isfinite(place).astype(jnp.float32), (count,)))
        return Known(jnp.concatenate(values), jnp.concatenate(known))

    def in_domain(self, conditions: Conditions) -> Bool[Array, ""]:
        """Whether such galaxies were among those of the training; properties may be missing."""
        given, domain = self.known(conditions), self.condition_domain
        # What is missing cannot be unlike that of any galaxy: it has no part in the distance. Classes are
        # alike or not, and make no numbers nearer.
        apart = (domain.reference - given.conditions[None, :]) * given.known[None, :]
        numbers = len(self.condition_mean)
        share = max(numbers, 1) / jnp.maximum(jnp.sum(given.known[:numbers]), 1.0)
        squares = share * jnp.mean(apart**2, axis=1)
        return jnp.sum(squares <= domain.most_distance**2) >= NEIGHBOUR

    def image_axes(self, image: Image) -> Float[Array, " axis"]:
        """Where an image lies among those of the training, in scatters of these."""
        coefficients = self.coefficients(image)
        stretch = self.form.preparation.stretch
        both = self.in_frame(image), self.rebuilt(coefficients)
        left = jnp.log(jnp.std(jnp.subtract(*(stretched(one, stretch) for one in both))) + LEAST_LEFT)
        first = coefficients[-self.basis.size :][: min(MOST_AXES, self.basis.even)]
        return jnp.append(first, (left - self.left_mean) / self.left_scale)
