"""A scattering transform: what wavelets of all scales and directions find in an image, and in each other.

Mallat 2012, Commun. Pure Appl. Math. 65, 1331; Bruna & Mallat 2013, arXiv:1203.1513; Cheng et al. 2020,
arXiv:2006.08561, for fields in astronomy. Nothing in it is learned, so that a few hundred labels can teach a
linear law on it.
"""

from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from nebulium.nn.convolution import Image

#: Largest side that is transformed: larger images are averaged in blocks.
MOST_PIXELS = 64
DIRECTIONS, MOST_SCALES = 8, 4
#: Rings in which what the wavelets find is averaged: middle and width of a Gaussian, in halves of the side.
WINDOWS = ((0.0, 0.12), (0.25, 0.12), (0.5, 0.12), (0.78, 0.14))
#: The second order is averaged in the inner ones: outside there is hardly more than noise.
INNER = 3
#: Terms of the dependence on direction that are kept, the mean among them.
TERMS = 4
# A wavelet's central frequency, width and elongation (Bruna & Mallat 2013, Section 2).
_FREQUENCY, _WIDTH, _SLANT = 0.75 * np.pi, 0.8, 0.5
# Floors, in units of the stretched image, below which there is only noise.
_LEAST, _LEAST_SECOND = 2e-4, 1e-4

# From this scale on maps are smooth enough for every other pixel.
_SMOOTH = 2

Spectra = Complex[Array, "*some row column"]


def scattering_features(image: Image) -> Float[Array, " feature"]:
    """Logarithms of what wavelets find, in rings about the middle.

    First order: light and colour (the first band minus the last) at each scale, its mean over the directions
    and its dependence on them. Second order: of the light, wavelets of larger scales on the first order, by
    the angle between the two. Turned by a right angle or mirrored, an image has the same features.
    """
    binned = _binned(image)
    side = binned.shape[0]
    spectra = jnp.fft.fft2(jnp.stack([jnp.mean(binned, axis=-1), binned[..., 0] - binned[..., -1]]))
    first = [_found(spectra, scale, side) for scale in range(_count_scales(side))]
    averaged = jnp.stack([_averaged(maps, side) for maps in first], axis=1)
    by_direction = jnp.abs(jnp.fft.rfft(averaged, axis=2))[:, :, :TERMS] / DIRECTIONS
    mean, rest = by_direction[:, :, :1], by_direction[:, :, 1:]
    features = [jnp.log(mean + _LEAST).ravel(), (rest / (mean + _LEAST)).ravel()]
    for scale, maps in enumerate(first[:-1]):
        light = jnp.fft.fft2(maps[0])
        level = jnp.log(jnp.mean(averaged[0, scale, :, :INNER], axis=0) + _LEAST)
        for larger in range(scale + 1, len(first)):
            second = _averaged(_found(light, larger, side), side)[:, :, :INNER]
            features.append((jnp.log(_by_angle(second) + _LEAST_SECOND) - level[None]).ravel())
    return jnp.concatenate(features)


def _by_angle(second: Float[Array, "first second window"]) -> Float[Array, "angle window"]:
    """The mean over pairs of directions with the same angle between them, either way round."""
    turned = jnp.mean(jnp.stack([jnp.roll(second[one], -one, axis=0) for one in range(DIRECTIONS)]), axis=0)
    angles = np.arange(DIRECTIONS // 2 + 1)
    return 0.5 * (turned[angles] + turned[-angles % DIRECTIONS])


def _found(spectra: Spectra, scale: int, side: int) -> Float[Array, "*some direction y x"]:
    """Absolute values of maps convolved with the wavelets of a scale, (..., direction, side, side)."""
    if scale >= _SMOOTH and spectra.shape[-1] == side and side % 4 == 0:
        spectra = _inner(spectra) / 4.0
    wavelets = _wavelets(side)[scale]
    matched = wavelets if spectra.shape[-1] == side else _inner(wavelets)
    return jnp.abs(jnp.fft.ifft2(jnp.einsum("...yx,kyx->...kyx", spectra, jnp.asarray(matched))))


def _inner(spectra: Any) -> Any:
    """The lower half of the frequencies: a map of every other pixel."""
    side = spectra.shape[-1]
    kept = np.r_[0 : side // 4, side - side // 4 : side]
    return spectra[..., kept[:, None], kept[None, :]]


def _averaged(maps: Float[Array, "*some row column"], side: int) -> Float[Array, "*some window"]:
    """Means in the rings."""
    return jnp.einsum("...yx,wyx->...w", maps, jnp.asarray(_windows(side, side // maps.shape[-1])))


def _binned(image: Image) -> Float[Array, "side side band"]:
    """The inner square, averaged in blocks so that no side is too long."""
    factor = -(-min(image.shape[:2]) // MOST_PIXELS)
    side = min(image.shape[:2]) // factor
    top, left = ((length - side * factor) // 2 for length in image.shape[:2])
    square = image[top : top + side * factor, left : left + side * factor]
    return jnp.mean(square.reshape(side, factor, side, factor, -1), axis=(1, 3))


def _count_scales(side: int) -> int:
    return max(1, min(MOST_SCALES, int(np.log2(side)) - 2))


@cache
def _wavelets(side: int) -> Complex[np.ndarray, "scale direction side side"]:
    """Fourier transforms of Morlet wavelets: a Gaussian off the middle, less what would see the mean."""
    frequency = 2 * np.pi * np.fft.fftfreq(side)
    along, across = np.meshgrid(frequency, frequency)
    angles = np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    made = [
        [_wavelet(along, across, scale, angle) for angle in angles] for scale in range(_count_scales(side))
    ]
    return np.array(made, np.complex64)


def _wavelet(along: np.ndarray, across: np.ndarray, scale: int, angle: float) -> np.ndarray:
    u, v = np.cos(angle) * along + np.sin(angle) * across, np.cos(angle) * across - np.sin(angle) * along
    width, middle = _WIDTH * 2**scale, _FREQUENCY / 2**scale
    gaussian = lambda at: np.exp(-0.5 * width**2 * ((u - at) ** 2 + (v / _SLANT) ** 2))  # noqa: E731
    return gaussian(middle) - gaussian(0.0) * np.exp(-0.5 * (width * middle) ** 2)


@cache
def _windows(side: int, step: int) -> Float[np.ndarray, "window some some"]:
    """Weights of the pixels in each ring, of every pixel or every other one."""
    place = np.arange(0, side, step) - 0.5 * (side - 1)
    radius = np.hypot(place[:, None], place[None, :]) / (0.5 * side)
    rings = np.stack([np.exp(-0.5 * ((radius - middle) / width) ** 2) for middle, width in WINDOWS])
    return (rings / rings.sum(axis=(1, 2), keepdims=True)).astype(np.float32)
