"""Galaxies turned to their major axis: the angle of a galaxy on the sky says nothing of its physics.

Images are turned by three shears (Unser et al. 1995, IEEE Trans. Image Processing 4, 1371), each of which
moves rows or columns by a phase of their Fourier transform. What leaves at one side comes back at the other,
so that nothing is lost: the length of an image stays, white noise stays white.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

Image = Float[Array, "side side band"]
Number = Float[Array, ""]

#: Of the weight by which the angle is measured, in sides: a Gaussian.
APERTURE = 0.125
#: Pixels over which images are smoothed first, lest noise sets the angle.
SMOOTHING = 1.5


def position_angle(image: Image) -> Number:
    """Angle of the major axis from the second axis of the array to the first, within 90 degrees, in radians.

    It is that of the second moments of the sum of the bands, about the middle of the image.
    """
    at = _places(image)
    near = jnp.exp(-0.5 * ((at[:, None] - at[None, :]) / SMOOTHING) ** 2)
    near = near / jnp.sum(near, axis=1, keepdims=True)
    weight = jnp.exp(-0.5 * (at[:, None] ** 2 + at[None, :] ** 2) / (APERTURE * len(image)) ** 2)
    light = jnp.maximum(near @ jnp.sum(image, axis=-1) @ near.T, 0.0) * weight
    along = jnp.sum(light * at[None, :] ** 2) - jnp.sum(light * at[:, None] ** 2)
    across = jnp.sum(light * at[:, None] * at[None, :])
    return 0.5 * jnp.arctan2(2.0 * across, along)


def framed(image: Image) -> Image:
    """The image with the major axis along its rows."""
    angle = position_angle(image)
    steep = jnp.abs(angle) > 0.25 * np.pi
    image = jnp.where(steep, jnp.swapaxes(image, 0, 1), image)
    # Mirrored on the diagonal, an angle is as far from the other axis.
    mirrored = jnp.sign(angle) * 0.5 * np.pi - angle
    return turned(image, -jnp.where(steep, mirrored, angle))


def at_random(image: Image, key: Key[Array, ""]) -> Image:
    """The image with its major axis in any direction."""
    angle_key, mirror_key = jax.random.split(key)
    angle = jax.random.uniform(angle_key, minval=-0.25 * np.pi, maxval=0.25 * np.pi)
    image = turned(image, angle)
    return jnp.where(jax.random.bernoulli(mirror_key), jnp.swapaxes(image, 0, 1), image)


def turned(image: Image, angle: Number) -> Image:
    """The image turned from the second axis of the array to the first, by at most 45 degrees."""
    along, across = -jnp.tan(0.5 * angle), jnp.sin(angle)
    image = _sheared(image, along)
    image = jnp.swapaxes(_sheared(jnp.swapaxes(image, 0, 1), across), 0, 1)
    return _sheared(image, along)


def _sheared(image: Image, amount: Number) -> Image:
    """Each row moved by so much of its distance from the middle."""
    cycles = jnp.asarray(np.fft.rfftfreq(len(image)).astype(np.float32))
    phase = -2.0 * np.pi * cycles[None, :] * (amount * _places(image))[:, None]
    # The fastest wave cannot be moved by a part of a pixel: it stays, so that nothing is lost.
    phase = phase.at[:, -1].set(0.0)
    waves = jnp.fft.rfft(image, axis=1) * jax.lax.complex(jnp.cos(phase), jnp.sin(phase))[:, :, None]
    return jnp.fft.irfft(waves, n=len(image), axis=1)


def _places(image: Image) -> Float[Array, " side"]:
    """Rows or columns, from the middle."""
    return jnp.arange(len(image), dtype=jnp.float32) - 0.5 * (len(image) - 1)
