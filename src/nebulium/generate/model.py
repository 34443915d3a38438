"""The density of images of galaxies given their properties, in the space of the set's components."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from nebulium.data.images.preparation import ImageForm
from nebulium.generate.image_model import DOMAIN_REFERENCES, GRID, MOST_AXES, Conditions, Image, ImageModel
from nebulium.generate.latent.basis import Basis
from nebulium.generate.latent.diffusion import LatentDiffusion
from nebulium.generate.latent.noise import PixelNoise, stretched, unstretched
from nebulium.generate.latent.reader import Reader, log_posterior
from nebulium.modelfile import register
from nebulium.nn.training_domain import TrainingDomain

Coefficients = Float[Array, " component"]


@register
class LatentImageModel(ImageModel):
    """A model of images given properties of the galaxies, any of which may be missing.

    An image is a mean and principal components of the training set in its eight orientations, whose
    coefficients a diffusion draws, and noise in flux on what the components leave out.

    Parameters
    ----------
    conditions : sequence of str
        Names of the properties.
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
    bands, unit, size, stretch, binning : sequence of str, str, int, dict, int
        The images: see `nebulium.data.Preparation`.

    Attributes
    ----------
    condition_mean, condition_scale : (condition,) float32
        Of the training galaxies.
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

    Examples
    --------
    >>> model = LatentImageModel(
    ...     conditions=["log_mstar"],
    ...     components=[4, 2, 2, 1, 3],
    ...     width=16,
    ...     depth=1,
    ...     bands=["g", "r", "i"],
    ...     unit="nJy",
    ...     size=16,
    ...     stretch={"kind": "asinh", "softening": [1.0, 1.0, 1.0]},
    ... )
    >>> model.drawn(jnp.array([10.5]), jax.random.key(0), steps=4).shape
    (16, 16, 3)
    """

    condition_mean: Conditions
    condition_scale: Conditions
    basis: Basis
    diffusion: LatentDiffusion
    reader: Reader
    noise: PixelNoise
    condition_domain: TrainingDomain
    image_domain: TrainingDomain
    left_mean: Float[Array, ""]
    left_scale: Float[Array, ""]
    form: ImageForm = eqx.field(static=True)
    conditions: tuple[str, ...] = eqx.field(static=True)
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
        key: Key[Array, ""] | None = None,
        **images: Any,
    ):
        self.form, self.conditions = ImageForm.of(**images), tuple(conditions)
        self.pixel_scale_arcsec = None if pixel_scale_arcsec is None else tuple(pixel_scale_arcsec)
        self.psf_fwhm_arcsec = None if psf_fwhm_arcsec is None else tuple(psf_fwhm_arcsec)
        bands, number = len(self.form.bands), len(self.conditions)
        self.condition_mean, self.condition_scale = jnp.zeros(number), jnp.ones(number)
        self.basis = Basis(side=self.form.preparation.side, bands=bands, components=components)
        first, second = jax.random.split(jax.random.key(0) if key is None else key)
        of_network: dict[str, Any] = {"width": width, "depth": depth}
        even = self.basis.components[0]
        self.diffusion = LatentDiffusion(self.basis.size, number, even=even, **of_network, key=first)
        self.reader = Reader(self.basis.size, number, **of_network, key=second)
        self.noise = PixelNoise(bands)
        self.condition_domain = TrainingDomain(number, domain_references)
        self.image_domain = TrainingDomain(min(MOST_AXES, self.basis.components[0]) + 1, domain_references)
        self.left_mean, self.left_scale = jnp.zeros(()), jnp.ones(())

    def drawn(
        self,
        conditions: Conditions,
        key: Key[Array, ""],
        *,
        steps: int,
        guidance: Float[Array, ""] | None = None,
    ) -> Image:
        """An image of a galaxy with these properties, in the unit of the pixels, with noise."""
        coefficient_key, noise_key = jax.random.split(key)
        coefficients = self.diffusion.sample(self.known(conditions), steps, coefficient_key, guidance)
        return self.with_noise(coefficients, noise_key)

    def with_noise(self, coefficients: Coefficients, key: Key[Array, ""]) -> Image:
        """The image of coefficients, with noise on what these cannot hold."""
        stretch, clean = self.form.preparation.stretch, self.basis.image(coefficients)
        pixels = unstretched(clean, stretch)
        noisy = pixels + self.noise.scatter(pixels) * jax.random.normal(key, pixels.shape)
        left = stretched(noisy, stretch) - clean
        return unstretched(clean + left - self.basis.within(left), stretch)

    def log_ratios(self, image: Image, conditions: Float[Array, "way condition"]) -> Float[Array, " way"]:
        """Log of p(image given properties) / p(image) by Bayes' rule, for several sets of properties."""
        read = self.reader.read(self.basis.coefficients(image), self.basis)

        def one(conditions: Conditions) -> Float[Array, ""]:
            given = self.known(conditions)
            return log_posterior(read, *given) - self.reader.prior(*given)

        return jax.vmap(one)(conditions)

    def posterior(self, image: Image, conditions: Conditions) -> Float[Array, "condition place"]:
        """Densities of each property at the places of `GRID`, given the image and the others that are known.

        The prior is the density of properties of the training galaxies.
        """
        read, given = self.reader.read(self.basis.coefficients(image), self.basis), self.known(conditions)

        def of_one(place: Array) -> Float[Array, " place"]:
            own = jax.nn.one_hot(place, len(self.conditions), dtype=jnp.float32)
            known = jnp.maximum(given.known, own)
            at = lambda value: jnp.where(own > 0, value, given.conditions)  # noqa: E731
            log = jax.vmap(lambda value: log_posterior(read, at(value), known))(jnp.asarray(GRID))
            density = jnp.exp(log - jnp.max(log))
            return density / (jnp.sum(density) * (GRID[1] - GRID[0]))

        return jax.vmap(of_one)(jnp.arange(len(self.conditions)))

    def bounds(
        self, image: Image, conditions: Float[Array, "way condition"], key: Key[Array, ""], *, draws: int
    ) -> Float[Array, "way draw"]:
        """Lower bounds by diffusion on log p(image given properties), up to a constant; their mean counts.

        Of all properties NaN it is that on log p(image). Draws of different properties go together: the
        error of a difference is that of the mean of their differences.
        """
        coefficients = self.basis.coefficients(image)
        return self.diffusion.log_densities(coefficients, jax.vmap(self.known)(conditions), draws, key)
