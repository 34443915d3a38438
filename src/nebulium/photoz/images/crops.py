"""Random crops of one galaxy: mirrored, turned by any angle, moved, cropped, noisier.

As PITA augments (Khederlarian et al. 2026, arXiv:2602.10207), but for the draw: here each galaxy has its own,
there a whole batch shares one.
"""

from dataclasses import dataclass
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from nebulium.nn.convolution import Image, normal_numbers

Scalar = Float[Array, ""]

Crop: TypeAlias = Float[Array, "size size band"]


@dataclass(frozen=True)
class Crops:
    """How galaxies are varied in training.

    Parameters
    ----------
    size : int
        Pixels on a side of what is cut out of the middle.
    most_shift_px : int
        Largest shift along each axis, whole pixels.
    noise : float
        Added to each pixel, in units of the noise of the sky.
    """

    size: int
    most_shift_px: int = 4
    noise: float = 1.0

    def middle(self, image: Image) -> Crop:
        """The middle of an image, as it lies: predictions are made from it."""
        top, left = ((side - self.size) // 2 for side in image.shape[:2])
        return image[top : top + self.size, left : left + self.size]

    def random(self, image: Image, key: Key[Array, ""]) -> Crop:
        """A random crop: the galaxy as it might have been observed as well."""
        mirror_key, angle_key, shift_key, noise_key = jax.random.split(key, 4)
        sign = jnp.where(jax.random.bernoulli(mirror_key), -1.0, 1.0)
        angle = jax.random.uniform(angle_key, minval=-jnp.pi, maxval=jnp.pi)
        most = self.most_shift_px
        shift = jax.random.randint(shift_key, (2,), -most, most + 1).astype(jnp.float32)
        return self.noisier(_turned(image, sign, angle, shift, self.size), noise_key)

    def noisier(self, crop: Crop, key: Key[Array, ""]) -> Crop:
        """A crop with more noise of the sky."""
        # In the linear flux: noise of some sigma within an arcsinh would not be normal.
        noise = self.noise * normal_numbers(key, *crop.shape)
        return _arcsinh(_sinh(crop) + noise) if self.noise else crop


# Written out, as an error of 1e-7 of the noise of the sky does not count. JAX's own are as exact near 0 by
# branches, for which the compiler turns the image and draws the noise several times over.
def _sinh(values: Crop) -> Crop:
    exponential = jnp.exp(values)
    return 0.5 * (exponential - 1.0 / exponential)


def _arcsinh(values: Crop) -> Crop:
    size = jnp.abs(values)
    return jnp.sign(values) * jnp.log(size + jnp.sqrt(size**2 + 1.0))


def _turned(image: Image, sign: Scalar, angle: Scalar, shift: Float[Array, "2"], size: int) -> Crop:
    """A square about the shifted middle, mirrored and turned, between pixels by the four nearest."""
    along = jnp.asarray(np.arange(size) - (size - 1) / 2, jnp.float32)
    down, right = along[:, None], sign * along[None, :]
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    height, width, bands = image.shape
    row = (height - 1) / 2 + shift[0] + cosine * down - sine * right
    column = (width - 1) / 2 + shift[1] + sine * down + cosine * right
    first_row, first_column = jnp.floor(row), jnp.floor(column)
    below, beside = (row - first_row)[..., None], (column - first_column)[..., None]
    flat = image.reshape(-1, bands)

    def pixels(down: int, right: int) -> Crop:
        rows = _mirrored(first_row.astype(jnp.int32) + down, height)
        columns = _mirrored(first_column.astype(jnp.int32) + right, width)
        return flat[rows * width + columns]

    upper = pixels(0, 0) * (1.0 - beside) + pixels(0, 1) * beside
    lower = pixels(1, 0) * (1.0 - beside) + pixels(1, 1) * beside
    return upper * (1.0 - below) + lower * below


def _mirrored(place: Int[Array, "size size"], length: int) -> Int[Array, "size size"]:
    """Places beyond a border, mirrored there."""
    place = jnp.abs(place)
    return jnp.clip(jnp.where(place >= length, 2 * (length - 1) - place, place), 0, length - 1)
