"""Numbers that an image is seen by: rings of light and colour, and the shape of the galaxy."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from nebulium.data.images.stretches import Stretch
from nebulium.generate.latent.noise import unstretched
from nebulium.generate.scores.features import MORPHOLOGY, image_features
from nebulium.nn.convolution import Image
from nebulium.properties.features.profiles import ring_weights

Features = Float[Array, " feature"]

#: Rings whose colours are measured, from the middle outwards.
COLOUR_RINGS = 8
#: Of the mean of a ring, in scatters of the sky: below it brightness counts as it is, above by its logarithm.
SOFTENING = 0.3
#: Colours are those of no less than this, in scatters of the sky.
LEAST_LIGHT = 0.2


def feature_count(bands: int) -> int:
    """How many numbers there are."""
    rings = ring_weights(8, 8).shape[0]
    return rings * bands + COLOUR_RINGS * (bands - 1) + len(MORPHOLOGY) + 2 * (bands - 1)


def measure_image(image: Image, stretch: Stretch) -> tuple[Features, Float[Array, ""]]:
    """The numbers of a prepared image, and the logarithm of its light in the middle band, in its own unit."""
    flux = unstretched(image, stretch)
    height, width, bands = flux.shape
    sky = jnp.asarray(stretch.softening or (1.0,) * bands, jnp.float32)
    inside = jnp.asarray(ring_weights(height, width))
    rings = inside @ (flux / sky[None, None, :]).reshape(-1, bands)
    light = jnp.log(jnp.maximum(rings[:COLOUR_RINGS], LEAST_LIGHT))
    shape = image_features(flux)[: len(MORPHOLOGY) + 2 * (bands - 1)]
    found = [jnp.arcsinh(rings / SOFTENING).ravel(), (light[:, :-1] - light[:, 1:]).ravel(), shape]
    # All rings within half the side, weighted by their areas.
    areas = jnp.sum(inside > 0, axis=1).astype(jnp.float32)
    middle = jnp.sum(rings[:, bands // 2] * areas)
    total = sky[bands // 2] * jnp.maximum(middle, jnp.sqrt(jnp.sum(areas)))
    return jnp.concatenate(found), jnp.log10(total)
