"""Does a model draw its training images again: distances of drawn and of other images to the nearest."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.data.images.stretches import Stretch
from nebulium.generate.latent.noise import stretched, unstretched
from nebulium.generate.model import LatentImageModel
from nebulium.generate.scores.features import image_features
from nebulium.nn.mapping import map_galaxies, padded_batches
from nebulium.training.augmentation import orientations

Distances = Float[np.ndarray, " n"]

BATCH, TRAINING_BATCH = 64, 512
#: Pixels on a side to which images are averaged: smaller ones hold more light than noise.
MOST_SIDE = 32


class Nearest(NamedTuple):
    """Distances to the nearest training image, image by image.

    Attributes
    ----------
    pixels : ndarray of shape (n,)
        Root mean square of the difference of the pixels, stretched and averaged, in the best of eight
        orientations.
    features : ndarray of shape (n,)
        Root mean square of the differences of the features, in their scatters over the training images.
    """

    pixels: Distances
    features: Distances


class TrainingImages(NamedTuple):
    """What is known of the training images: small, and as features, with their means and scatters.

    Attributes
    ----------
    small : ndarray of shape (m, value), float32
    features : ndarray of shape (m, feature), float32
        Standardised.
    mean, scale : ndarray of shape (feature,)
    """

    small: Float[np.ndarray, "m value"]
    features: Float[np.ndarray, "m feature"]
    mean: Float[np.ndarray, " feature"]
    scale: Float[np.ndarray, " feature"]


def training_images(model: LatentImageModel, prepared: object) -> TrainingImages:
    """Measure prepared training images."""
    small, features = map_galaxies(eqx.Partial(_seen, model.form.preparation.stretch), prepared, batch=BATCH)
    mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    return TrainingImages(small, (features - mean) / scale, mean, scale)


def nearest_training_image(
    model: LatentImageModel, flux: Float[np.ndarray, "n side side band"], training: TrainingImages
) -> Nearest:
    """Distances of images in flux to the training images."""
    ways, features = map_galaxies(
        eqx.Partial(_seen_all_ways, model.form.preparation.stretch), flux, batch=BATCH
    )
    standard = (features - training.mean) / training.scale
    return Nearest(_nearest(ways, training.small), _nearest(standard[:, None, :], training.features))


def _seen(stretch: Stretch, image: Array) -> tuple[Array, Array]:
    """A prepared image, small, and its features."""
    return _small(image).ravel(), image_features(unstretched(image, stretch))


def _seen_all_ways(stretch: Stretch, image: Array) -> tuple[Array, Array]:
    """An image in flux, small, in all its orientations, and its features."""
    turned = orientations(_small(stretched(image, stretch)))
    return turned.reshape(len(turned), -1), image_features(image)


def _small(image: Array) -> Array:
    """An image averaged over blocks, to a size that divides its own."""
    side, _, bands = image.shape
    block = next(one for one in range(-(-side // MOST_SIDE), side + 1) if side % one == 0)
    return jnp.mean(image.reshape(side // block, block, side // block, block, bands), axis=(1, 3))


def _nearest(ways: Float[np.ndarray, "n way value"], training: Float[np.ndarray, "m value"]) -> Distances:
    """Root mean square difference to the nearest training row, of the way that is nearest."""
    n, _, values = ways.shape
    own = jnp.asarray(ways.reshape(-1, values))
    least = jnp.full(len(own), jnp.inf)
    for rows, _ in padded_batches(len(training), TRAINING_BATCH):
        least = _lower(least, own, jnp.asarray(training[rows]))
    return np.sqrt(np.maximum(np.asarray(least).reshape(n, -1).min(axis=1), 0.0) / values)


@eqx.filter_jit
def _lower(
    least: Float[Array, " n"], own: Float[Array, "n value"], others: Float[Array, "m value"]
) -> Float[Array, " n"]:
    """The least squared distances so far, or to some more rows."""
    # Centred, so that squares of large numbers do not cancel.
    centre = jnp.mean(others, axis=0, keepdims=True)
    own, others = own - centre, others - centre
    squares = jnp.sum(own**2, axis=1)[:, None] + jnp.sum(others**2, axis=1)[None, :]
    return jnp.minimum(least, jnp.min(squares - 2.0 * (own @ others.T), axis=1))
