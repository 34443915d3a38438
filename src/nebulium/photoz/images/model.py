"""From the image of a galaxy to the density of its redshift."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from nebulium.data.images.preparation import Preparation
from nebulium.data.images.stretches import Stretch
from nebulium.modelfile import register
from nebulium.nn.convolution import Image
from nebulium.nn.encoders import Encoder, encode_in_half, make_encoder
from nebulium.nn.training_domain import TrainingDomain
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.density.heads import REDSHIFT_HEADS, RedshiftHead
from nebulium.photoz.density.prediction import RedshiftPrediction
from nebulium.photoz.density.recalibration import Recalibration
from nebulium.photoz.images.apertures import aperture_features, count_apertures
from nebulium.photoz.images.crops import Crops

HIDDEN, LATENT, PROJECTED = 256, 128, 64

Latent = Float[Array, " latent"]


class ImageStandards(eqx.Module):
    """Means and scatters of the training galaxies; measured, not trained.

    Attributes
    ----------
    band_mean, band_scale : (band,) float32
        Of the pixels, stretched.
    aperture_mean, aperture_scale : (aperture,) float32
        Of what `nebulium.photoz.images.apertures` measures.
    """

    band_mean: Float[Array, " band"]
    band_scale: Float[Array, " band"]
    aperture_mean: Float[Array, " aperture"]
    aperture_scale: Float[Array, " aperture"]

    def __init__(self, bands: int):
        self.band_mean, self.band_scale = jnp.zeros(bands), jnp.ones(bands)
        apertures = count_apertures(bands)
        self.aperture_mean, self.aperture_scale = jnp.zeros(apertures), jnp.ones(apertures)

    def image(self, image: Image) -> Image:
        """Standardised pixels."""
        return (image - self.band_mean[None, None, :]) / self.band_scale[None, None, :]

    def apertures(self, image: Image) -> Float[Array, " aperture"]:
        """Standardised fluxes in apertures."""
        return (aperture_features(image) - self.aperture_mean) / self.aperture_scale


class RedshiftNetwork(eqx.Module):
    """An encoder, its latent space, and what is asked of it: sameness, colours, the redshift.

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
        vector = encode_in_half(self.encoder, image) if in_half else self.encoder(image)
        return self.to_latent(vector)

    def projected(self, latent: Latent) -> Float[Array, " projected"]:
        """What is compared between views, of unit length."""
        vector = self.projection(latent)
        return vector * jax.lax.rsqrt(jnp.sum(vector**2) + 1e-12)

    def colours(self, latent: Latent) -> Float[Array, " colour"]:
        """Standardised colours and brightness."""
        return self.colour(latent)

    def for_head(self, latent: Latent, apertures: Float[Array, " aperture"]) -> Float[Array, " hidden"]:
        """What the redshift head sees."""
        return jax.nn.gelu(self.trunk(jnp.concatenate([latent, apertures])))


@register
class ImageRedshiftModel(eqx.Module):
    """A model of redshifts from images, for one galaxy: `pita`, `supervised` or `selfsupervised`.

    Parameters
    ----------
    bands : sequence of str
        Names of the bands of the images, in order.
    unit : str
        Of the pixels, before the stretch.
    size, binning, stretch
        See `nebulium.data.images.preparation.Preparation`; the stretch as a dict.
    view_size : int
        Pixels on a side that are cut out of the middle of a prepared image.
    most_shift_px, noise
        Of the views that it was trained on; see `nebulium.photoz.images.crops.Views`.
    encoder, head : str
        See `RedshiftNetwork`.
    grid_most, grid_bins
        See `nebulium.photoz.density.grid.RedshiftGrid`.
    colours : int
        Features that the colour head predicts.
    domain_references : int
        Galaxies that the training domain is measured by.
    key : key, optional
        Of the first weights.

    Examples
    --------
    >>> model = ImageRedshiftModel(
    ...     bands=["F606W", "F814W"], unit="nJy", size=32, view_size=24,
    ...     stretch={"kind": "asinh", "softening": [1.0, 1.0]}, encoder="resnet-small", domain_references=8,
    ... )
    >>> said = model(jnp.zeros((32, 32, 2)))
    >>> said.mass.shape, round(float(said.mass.sum()), 4)
    ((300,), 1.0)
    """

    network: RedshiftNetwork
    standards: ImageStandards
    domain: TrainingDomain
    recalibration: Recalibration
    bands: tuple[str, ...] = eqx.field(static=True)
    unit: str = eqx.field(static=True)
    preparation: Preparation = eqx.field(static=True)
    views: Crops = eqx.field(static=True)
    grid: RedshiftGrid = eqx.field(static=True)

    def __init__(
        self,
        *,
        bands: Any,
        unit: str,
        size: int,
        stretch: Any,
        view_size: int,
        encoder: str,
        domain_references: int,
        most_shift_px: int = 0,
        noise: float = 0.0,
        head: str = "binned",
        binning: int = 1,
        grid_most: float = 6.0,
        grid_bins: int = 300,
        colours: int | None = None,
        key: Key[Array, ""] | None = None,
    ):
        self.bands, self.unit = tuple(bands), unit
        self.preparation = Preparation(size, Stretch.from_dict(dict(stretch)), binning)
        self.views = Crops(view_size, most_shift_px, noise)
        self.grid = RedshiftGrid(grid_most, grid_bins)
        self.network = RedshiftNetwork(
            encoder,
            head,
            grid=self.grid,
            bands=len(self.bands),
            colours=colours or len(self.bands),
            key=jax.random.key(0) if key is None else key,
        )
        self.standards = ImageStandards(len(self.bands))
        self.domain = TrainingDomain(LATENT + count_apertures(len(self.bands)), domain_references)
        self.recalibration = Recalibration()

    def __call__(self, image: Image) -> RedshiftPrediction:
        """Density of the redshift of the galaxy of a prepared image (height, width, band)."""
        prediction, _ = self.with_embedding(image)
        return prediction

    def with_embedding(self, image: Image) -> tuple[RedshiftPrediction, Float[Array, " hidden"]]:
        """The density, and the vector that it follows from: the galaxy's place among others."""
        middle = self.views.middle(image)
        latent = self.network.latent(self.standards.image(middle))
        apertures = self.standards.apertures(middle)
        place = self.network.for_head(latent, apertures)
        mass = self.recalibration(jnp.exp(self.network.head(place)))
        return RedshiftPrediction(mass, self.contains(latent, apertures)), place

    def contains(self, latent: Latent, apertures: Float[Array, " aperture"]) -> Bool[Array, ""]:
        """Whether a galaxy lies inside the training domain: fluxes like theirs, seen alike."""
        return self.domain.contains(domain_features(latent, apertures))


def domain_features(latent: Latent, apertures: Float[Array, " aperture"]) -> Float[Array, " feature"]:
    """What tells whether a galaxy is like those of the training set."""
    direction = latent * jax.lax.rsqrt(jnp.mean(latent**2) + 1e-12)
    return jnp.concatenate([direction, apertures])
