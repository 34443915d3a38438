"""From the image of a galaxy to the density of its redshift."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from nebulium.modelfile import register
from nebulium.nn.convolution import Image
from nebulium.nn.encoders import Encoder, encode, make_encoder
from nebulium.nn.image_model import ImageModel
from nebulium.nn.training_domain import TrainingDomain
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.density.heads import REDSHIFT_HEADS, RedshiftHead
from nebulium.photoz.density.prediction import RedshiftPrediction
from nebulium.photoz.density.recalibration import Recalibration
from nebulium.photoz.images.apertures import aperture_features, count_apertures
from nebulium.photoz.images.crops import Crops

HIDDEN, LATENT, PROJECTED = 256, 128, 64

Latent = Float[Array, " latent"]


class RedshiftNetwork(eqx.Module):
    """An encoder, its latent space, and its heads: for the contrast, the colours, and the redshift.

    The layers are those of PITA but narrower (Khederlarian et al. 2026, arXiv:2602.10207), and the redshift
    is a density that also sees fluxes in apertures.

    Parameters
    ----------
    encoder, head : str
        Names: see `nebulium.nn.encoders.ENCODERS` and `nebulium.photoz.density.heads.REDSHIFT_HEADS`.
    grid : RedshiftGrid
    bands, colours : int
        Bands of the image; features that the colour head predicts.
    key : key
    """

    encoder: Encoder
    to_latent: eqx.nn.MLP
    projection: eqx.nn.MLP
    colour: eqx.nn.MLP
    trunk: eqx.nn.MLP
    head: RedshiftHead

    def __init__(
        self, encoder: str, head: str, *, grid: RedshiftGrid, bands: int, colours: int, key: Key[Array, ""]
    ):
        keys = iter(jax.random.split(key, 6))
        layers = lambda inputs, outputs, width, depth: eqx.nn.MLP(  # noqa: E731
            inputs, outputs, width, depth, jax.nn.gelu, key=next(keys)
        )
        self.encoder = make_encoder(encoder, bands, key=next(keys))
        self.to_latent = layers(self.encoder.width, LATENT, HIDDEN, 1)
        self.projection = layers(LATENT, PROJECTED, LATENT, 1)
        self.colour = layers(LATENT, colours, LATENT, 2)
        self.trunk = layers(LATENT + count_apertures(bands), LATENT, HIDDEN, 2)
        self.head = REDSHIFT_HEADS[head](LATENT, grid, key=next(keys))

    def latent(self, image: Image, *, in_half: bool = False) -> Latent:
        """The vector that stands for a standardised image."""
        return self.to_latent(encode(self.encoder, image, in_half=in_half))

    def projected(self, latent: Latent) -> Float[Array, " projected"]:
        """The vector that is compared between crops, of unit length."""
        vector = self.projection(latent)
        return vector * jax.lax.rsqrt(jnp.sum(vector**2) + 1e-12)

    def colours(self, latent: Latent) -> Float[Array, " colour"]:
        """Standardised colours and brightness."""
        return self.colour(latent)

    def for_head(self, latent: Latent, apertures: Float[Array, " aperture"]) -> Float[Array, " hidden"]:
        """The vector that the redshift head sees."""
        return jax.nn.gelu(self.trunk(jnp.concatenate([latent, apertures])))


@register
class ImageRedshiftModel(ImageModel):
    """A model of redshifts from images, for one galaxy: `pita`, `supervised` or `selfsupervised`.

    Parameters
    ----------
    view_size : int
        Pixels on a side that are cut out of the middle of a prepared image.
    encoder : str
        Name of the encoder: see `nebulium.nn.encoders.ENCODERS`.
    domain_references : int
        Galaxies that the training domain is measured by.
    most_shift_px : int
        Largest shift of the crops that it was trained on, along each axis.
    noise : float
        Added to the pixels of these crops, in units of the noise of the sky.
    head : str
        Name of the head: see `nebulium.photoz.density.heads.REDSHIFT_HEADS`.
    grid_most, grid_bins : float, int
        Highest redshift of the density, and the number of its bins.
    colours : int
        Features that the colour head predicts; as many as there are bands if not given.
    key : key, optional
        Of the first weights.
    bands, unit, size, stretch, binning : sequence of str, str, int, dict, int
        The images: names of their bands in order, unit of the pixels before the stretch, pixels on a side,
        and the rest of `nebulium.data.Preparation`; the stretch as a dict, the binning 1 if not given.

    Examples
    --------
    >>> model = ImageRedshiftModel(
    ...     bands=["F606W", "F814W"], unit="nJy", size=32, view_size=24,
    ...     stretch={"kind": "asinh", "softening": [1.0, 1.0]}, encoder="resnet-small", domain_references=8,
    ... )
    >>> prediction = model(jnp.zeros((32, 32, 2)))
    >>> prediction.mass.shape, round(float(prediction.mass.sum()), 4)
    ((300,), 1.0)
    """

    network: RedshiftNetwork
    domain: TrainingDomain
    recalibration: Recalibration
    crops: Crops = eqx.field(static=True)
    grid: RedshiftGrid = eqx.field(static=True)

    def __init__(
        self,
        *,
        view_size: int,
        encoder: str,
        domain_references: int,
        most_shift_px: int = 0,
        noise: float = 0.0,
        head: str = "binned",
        grid_most: float = 6.0,
        grid_bins: int = 300,
        colours: int | None = None,
        key: Key[Array, ""] | None = None,
        **images: Any,
    ):
        super().__init__(images, aperture_features, count_apertures)
        bands = len(self.form.bands)
        self.crops = Crops(view_size, most_shift_px, noise)
        self.grid = RedshiftGrid(grid_most, grid_bins)
        self.network = RedshiftNetwork(
            encoder,
            head,
            grid=self.grid,
            bands=bands,
            colours=colours or bands,
            key=jax.random.key(0) if key is None else key,
        )
        self.domain = TrainingDomain(LATENT + count_apertures(bands), domain_references)
        self.recalibration = Recalibration()

    def __call__(self, image: Image) -> RedshiftPrediction:
        """Density of the redshift of the galaxy of a prepared image (height, width, band)."""
        prediction, _ = self.with_embedding(image)
        return prediction

    def with_embedding(self, image: Image) -> tuple[RedshiftPrediction, Float[Array, " hidden"]]:
        """The density, and the vector that it follows from: the galaxy's place among others."""
        latent, apertures = self.seen(image)
        place = self.network.for_head(latent, apertures)
        mass = self.recalibration(jnp.exp(self.network.head(place)))
        return RedshiftPrediction(mass, self.domain.contains(domain_features(latent, apertures))), place

    def seen(self, image: Image) -> tuple[Latent, Float[Array, " aperture"]]:
        """The latent vector of a prepared image, and its standardised fluxes in apertures."""
        middle = self.crops.middle(image)
        return self.network.latent(self.standardisation.image(middle)), self.standardisation.features(middle)


def domain_features(latent: Latent, apertures: Float[Array, " aperture"]) -> Float[Array, " feature"]:
    """The vector by which galaxies are compared with those of the training set: fluxes, and a direction."""
    direction = latent * jax.lax.rsqrt(jnp.mean(latent**2) + 1e-12)
    return jnp.concatenate([direction, apertures])
