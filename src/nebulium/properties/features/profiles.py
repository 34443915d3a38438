"""Radial profiles of brightness, texture and colour: what a small sample can be learnt from.

The field of a cutout is taken as scaled to the galaxy, so that rings are fractions of half its side.
"""

from functools import cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from nebulium.nn.convolution import Image

# Borders of the rings, in halves of the side; narrower where galaxies are bright.
RING_EDGES = np.array([0, 2, 4, 6, 8, 11, 14, 18, 22, 27, 32, 38, 44, 50, 57, 64]) / 64.0
# Floors, in stretched units, below which scatter and colour are those of the stretch itself: a level of an
# eight-bit image is 0.004.
LEAST_SCATTER, LEAST_BRIGHTNESS = 0.003, 0.02


def profile_features(image: Image) -> Float[Array, " feature"]:
    """Mean, logarithm of the scatter, and colours, in 15 rings about the middle.

    The colour of two neighbouring bands is the difference of their means over the sum, which stays bounded
    where there is only sky.
    """
    rings = jnp.asarray(ring_weights(image.shape[0], image.shape[1]))
    pixels = image.reshape(-1, image.shape[-1])
    mean = rings @ pixels
    # About the mean of each ring: a difference of squares would leave the rounding of single precision, and
    # with it another scatter on each processor, where a ring is flat.
    variance = jnp.sum(rings[:, :, None] * (pixels[None] - mean[:, None]) ** 2, axis=1)
    scatter = jnp.log(jnp.sqrt(jnp.maximum(variance, 1e-12)) + LEAST_SCATTER)
    blue, red = mean[:, :-1], mean[:, 1:]
    colour = (red - blue) / (jnp.abs(red) + jnp.abs(blue) + 2.0 * LEAST_BRIGHTNESS)
    return jnp.concatenate([mean.ravel(), scatter.ravel(), colour.ravel()])


def radial_order(bands: int, parts: int) -> tuple[Int[np.ndarray, " feature"], tuple[int, ...]]:
    """Places of the features of `profile_features` from the middle outwards, and the length of each part."""
    rings = np.array_split(np.arange(len(RING_EDGES) - 1), parts)
    widths = (bands, bands, bands - 1)
    starts = np.cumsum([0, *(width * (len(RING_EDGES) - 1) for width in widths)])
    of_ring = [
        np.concatenate(
            [start + ring * width + np.arange(width) for start, width in zip(starts, widths, strict=False)]
        )
        for ring in range(len(RING_EDGES) - 1)
    ]
    order = [np.concatenate([of_ring[ring] for ring in part]) for part in rings]
    return np.concatenate(order), tuple(map(len, order))


@cache
def ring_weights(height: int, width: int) -> Float[np.ndarray, "ring pixel"]:
    """Rows that average over the pixels of each ring."""
    rows, columns = (np.arange(side) - 0.5 * (side - 1) for side in (height, width))
    radius = np.hypot(rows[:, None], columns[None, :]).ravel() / (0.5 * min(height, width))
    inside = (radius >= RING_EDGES[:-1, None]) & (radius < RING_EDGES[1:, None])
    from_middle = np.abs(radius - 0.5 * (RING_EDGES[:-1] + RING_EDGES[1:])[:, None])
    nearest = from_middle <= from_middle.min(axis=1, keepdims=True) + 1e-9
    inside = np.where(inside.any(axis=1, keepdims=True), inside, nearest)
    return (inside / inside.sum(axis=1, keepdims=True)).astype(np.float32)
