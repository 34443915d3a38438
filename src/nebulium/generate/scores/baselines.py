"""Simpler ways to images of given properties, called as `nebulium.generate.sample_images` is."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.data.images.labelled import LabelledImages
from nebulium.generate.latent.noise import unstretched
from nebulium.generate.model import LatentImageModel
from nebulium.nn.mapping import map_galaxies

Conditions = Float[np.ndarray, "n condition"]
Images = Float[np.ndarray, "n side side band"]

BATCH = 64


def gaussian_images(model: LatentImageModel, conditions: Conditions, *, seed: int = 0) -> Images:
    """Images drawn by the Gaussian under the diffusion, with the noise of the survey."""
    key = jax.random.key(seed)

    def one(given: Array, number: Array) -> Array:
        first, second = jax.random.split(jax.random.fold_in(key, number))
        mean, variance = model.diffusion.gaussian.given(*model.known(given))
        coefficients = mean + jnp.sqrt(variance) * jax.random.normal(first, mean.shape)
        return model.with_noise(coefficients, second)

    numbers = np.arange(len(conditions), dtype=np.int32)
    return np.asarray(map_galaxies(one, conditions.astype(np.float32), numbers, batch=BATCH))


def nearest_images(model: LatentImageModel, conditions: Conditions, training: LabelledImages) -> Images:
    """Images of the training galaxies with the nearest properties, in scatters of the training.

    A property that either galaxy lacks counts as one scatter apart.
    """
    teachers = map_galaxies(model.known, training.labels["value"].astype(np.float32), batch=BATCH)
    values, known = jnp.asarray(teachers.conditions), jnp.asarray(teachers.known)

    def nearest(given: Array) -> Array:
        own = model.known(given)
        both = known * own.known[None, :]
        apart = jnp.where(both > 0, (values - own.conditions[None, :]) ** 2, own.known[None, :])
        return jnp.argmin(jnp.sum(apart, axis=1))

    rows = map_galaxies(nearest, conditions.astype(np.float32), batch=BATCH)
    stretch = model.form.preparation.stretch
    flux = lambda image: unstretched(image, stretch)  # noqa: E731
    return np.asarray(map_galaxies(flux, training.select(rows).images, batch=BATCH))
