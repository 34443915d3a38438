"""Means and scatters of the training galaxies, by which pixels, profiles and labels are standardised."""

from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.data.batches import padded_batches
from nebulium.data.images.store import ImageStore
from nebulium.nn.convolution import Image
from nebulium.nn.densities import Targets
from nebulium.properties.profiles import count_profile_features, profile_features

#: So many images set them.
MOST_IMAGES = 4096
_CHUNK = 256


class Standards(eqx.Module):
    """Means and scatters of the training galaxies; measured, not trained.

    Attributes
    ----------
    band_mean, band_scale : (band,) float32
        Of the pixels, stretched.
    profile_mean, profile_scale : (profile,) float32
        Of the profiles, see `nebulium.properties.profiles`.
    target_mean, target_scale : (target,) float32
        Of the labels.
    """

    band_mean: Float[Array, " band"]
    band_scale: Float[Array, " band"]
    profile_mean: Float[Array, " profile"]
    profile_scale: Float[Array, " profile"]
    target_mean: Targets
    target_scale: Targets

    def __init__(self, bands: int, targets: int):
        profiles = count_profile_features(bands)
        self.band_mean, self.band_scale = jnp.zeros(bands), jnp.ones(bands)
        self.profile_mean, self.profile_scale = jnp.zeros(profiles), jnp.ones(profiles)
        self.target_mean, self.target_scale = jnp.zeros(targets), jnp.ones(targets)

    def image(self, image: Image) -> Image:
        """Standardised pixels."""
        return (image - self.band_mean[None, None, :]) / self.band_scale[None, None, :]

    def profiles(self, image: Image) -> Float[Array, " profile"]:
        """Standardised profiles."""
        return (profile_features(image) - self.profile_mean) / self.profile_scale


def measure_standards(store: ImageStore, rows: np.ndarray, values: np.ndarray) -> Standards:
    """Measure them on training galaxies."""
    sample = rows[:: -(-len(rows) // MOST_IMAGES)]
    sums, squares, profiles, pixels = 0.0, 0.0, [], 0
    for images, of_images in _with_profiles(store, sample):
        sums = sums + images.sum(axis=(0, 1, 2), dtype=np.float64)
        squares = squares + (images.astype(np.float64) ** 2).sum(axis=(0, 1, 2))
        pixels += images[..., 0].size
        profiles.append(of_images)
    mean = sums / pixels
    scale = np.sqrt(np.maximum(squares / pixels - mean**2, 1e-12))
    every = np.concatenate(profiles)
    measured = (
        mean,
        scale,
        every.mean(axis=0),
        np.maximum(every.std(axis=0), 1e-3),
        np.nanmean(values, axis=0),
        np.nanstd(values, axis=0),
    )
    leaves = lambda s: (  # noqa: E731
        s.band_mean, s.band_scale, s.profile_mean, s.profile_scale, s.target_mean, s.target_scale
    )  # fmt: skip
    standards = Standards(len(store.bands), values.shape[1])
    return eqx.tree_at(leaves, standards, tuple(jnp.asarray(value, jnp.float32) for value in measured))


def standard_profiles(standards: Standards, store: ImageStore, rows: np.ndarray) -> np.ndarray:
    """Standardised profiles of galaxies."""
    every = np.concatenate([profiles for _, profiles in _with_profiles(store, rows)])
    return (every - np.asarray(standards.profile_mean)) / np.asarray(standards.profile_scale)


def _with_profiles(store: ImageStore, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images and their profiles, as many at a time as memory should hold."""
    for chosen, count in padded_batches(len(rows), _CHUNK):
        images = store.take(rows[chosen])
        yield images[:count], np.asarray(_all_profiles(jnp.asarray(images)))[:count]


@eqx.filter_jit
def _all_profiles(images: Array) -> Array:
    return jax.vmap(profile_features)(images)
