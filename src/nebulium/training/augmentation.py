"""Images of a galaxy that are the same galaxy: turned, mirrored, moved by a few pixels, noisier.

For one galaxy and its own random key; `augment` does all of it for a batch.
"""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

Image = Float[Array, "height width band"]
# Transposed, rows mirrored, columns mirrored: three choices make the eight orientations.
WAYS = np.array(list(product((False, True), repeat=3)))


def orientations(image: Image) -> Float[Array, "8 height width band"]:
    """The eight ways to lay a square image: four turns, each as it is and mirrored. No pixel is resampled.

    Parameters
    ----------
    image : (size, size, band) float32
        Square.

    Returns
    -------
    (8, size, size, band) float32
        The image itself first.

    Raises
    ------
    ValueError
        If the image is not square.

    Examples
    --------
    >>> orientations(jnp.arange(4.0).reshape(2, 2, 1))[:, 0, 0, 0].tolist()
    [0.0, 1.0, 2.0, 3.0, 0.0, 2.0, 1.0, 3.0]
    """
    return jax.vmap(lambda way: _oriented(image, way))(jnp.asarray(WAYS))


def random_orientation(image: Image, key: Key[Array, ""]) -> Image:
    """One of the eight orientations of a square image, each as likely.

    Parameters
    ----------
    image : (size, size, band) float32
        Square.
    key : key
        Random key.

    Returns
    -------
    (size, size, band) float32

    Raises
    ------
    ValueError
        If the image is not square.

    Examples
    --------
    >>> random_orientation(jnp.zeros((8, 8, 3)), jax.random.key(0)).shape
    (8, 8, 3)
    """
    return _oriented(image, jax.random.bernoulli(key, shape=(3,)))


def random_shift(image: Image, key: Key[Array, ""], most_px: int) -> Image:
    """Move an image by whole pixels, up and down and sideways; the edge is repeated where it came from.

    Parameters
    ----------
    image : (height, width, band) float32
        Any size.
    key : key
        Random key.
    most_px : int
        Largest shift along each axis, pixels; all shifts up to it are as likely.

    Returns
    -------
    (height, width, band) float32

    Examples
    --------
    >>> image = jnp.arange(16.0).reshape(4, 4, 1)
    >>> bool(jnp.array_equal(random_shift(image, jax.random.key(0), 0), image))
    True
    """
    padded = jnp.pad(image, ((most_px, most_px), (most_px, most_px), (0, 0)), mode="edge")
    row, column = jax.random.randint(key, (2,), 0, 2 * most_px + 1)
    return jax.lax.dynamic_slice(padded, (row, column, jnp.zeros_like(row)), image.shape)


def random_noise(image: Image, key: Key[Array, ""], sigma: float | Float[Array, " band"]) -> Image:
    """Add independent normal noise to each pixel.

    Parameters
    ----------
    image : (height, width, band) float32
        Any size.
    key : key
        Random key.
    sigma : float or (band,) float32
        Standard deviation, in the unit of the image as it is (after its stretch, if it has one).

    Returns
    -------
    (height, width, band) float32

    Examples
    --------
    >>> noisy = random_noise(jnp.zeros((64, 64, 2)), jax.random.key(0), jnp.array([0.0, 3.0]))
    >>> noisy.std(axis=(0, 1)).round().tolist()
    [0.0, 3.0]
    """
    per_band = jnp.broadcast_to(jnp.asarray(sigma, image.dtype), image.shape[-1:])
    # Drawn as one long row, which compiles four times as fast as an image.
    noise = jax.random.normal(key, (image.size,), image.dtype).reshape(image.shape)
    return image + per_band[None, None, :] * noise


def augment(
    images: Float[Array, "n size size band"],
    key: Key[Array, ""],
    *,
    most_shift_px: int = 0,
    noise_sigma: float | Float[Array, " band"] = 0.0,
) -> Float[Array, "n size size band"]:
    """A random orientation, and on request a shift and noise, of each image of a batch.

    Parameters
    ----------
    images : (n, size, size, band) float32
        Square.
    key : key
        Split into one for each galaxy.
    most_shift_px : int
        Pixels by which an image is shifted at most, either way on either axis.
    noise_sigma : float or (band,) float32
        Standard deviation of the noise, in the unit of the images.

    Returns
    -------
    (n, size, size, band) float32

    Raises
    ------
    ValueError
        If the images are not square.

    Examples
    --------
    >>> augment(jnp.zeros((5, 8, 8, 3)), jax.random.key(0), most_shift_px=1).shape
    (5, 8, 8, 3)
    """
    noisy = not (isinstance(noise_sigma, float) and noise_sigma == 0.0)

    def one(image: Image, own_key: Key[Array, ""]) -> Image:
        orientation_key, shift_key, noise_key = jax.random.split(own_key, 3)
        image = random_orientation(image, orientation_key)
        if most_shift_px:
            image = random_shift(image, shift_key, most_shift_px)
        return random_noise(image, noise_key, noise_sigma) if noisy else image

    return jax.vmap(one)(images, jax.random.split(key, images.shape[0]))


def _oriented(image: Image, way: Bool[Array, "3"]) -> Image:
    """The orientation that one row of `WAYS` stands for."""
    if image.shape[0] != image.shape[1]:
        raise ValueError(f"expected a square image, got {image.shape[0]} by {image.shape[1]} pixels")
    image = jnp.where(way[0], image.swapaxes(0, 1), image)
    image = jnp.where(way[1], image[::-1], image)
    return jnp.where(way[2], image[:, ::-1], image)
