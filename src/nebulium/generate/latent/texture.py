"""What components leave out of pictures: texture, as strong as each galaxy's own, in octaves of its waves.

Noise of pictures is no white noise in flux: it was resampled and compressed, and knots, arms and dust lanes
that no component holds stand with it. So its strength is measured, galaxy by galaxy, in each octave and at
each brightness, and becomes coefficients of the image, drawn with the others. Pictures are taken by the
square roots of their pixels, in which noise and texture depend little on brightness.
"""

from collections.abc import Iterable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

Image = Float[Array, "side side band"]
Octaves = Float[Array, "octave side side band"]
Strengths = Float[Array, "octave level"]
Coefficients = Float[Array, " strength"]

#: Places in brightness at which the strength of the texture is told, between these quantiles of the pixels.
LEVELS, RANGE = 5, (0.25, 0.995)
#: The longest waves, in a side: longer ones are left to the components.
LONGEST = 0.25
#: Pixels of the mean texture that stand beside those of a galaxy: some have no pixel of a level.
BESIDE = 8.0
#: Brightest value of a pixel of a picture, and what is added to it under the root: a step of its rounding.
WHITE, STEP = 255.0, 1.0
_LEAST, _LEAST_RANGE = 1e-9, 1e-3
#: Mean absolute value of a normal distribution of unit variance.
_MEAN_ABSOLUTE = np.float32(np.sqrt(2.0 / np.pi))


def rooted(pixels: Image) -> Image:
    """Square roots of the pixels of a picture."""
    return jnp.sqrt(jnp.maximum(pixels, 0.0) + STEP) - np.float32(np.sqrt(STEP))


def unrooted(roots: Image, binning: int) -> Image:
    """The inverse, for a picture whose pixels are means of so many squared whole numbers from 0 to 255."""
    roots = jnp.maximum(roots + np.float32(np.sqrt(STEP)), 0.0)
    return jnp.round(jnp.clip(roots**2 - STEP, 0.0, WHITE) * binning**2) / binning**2


def octave_count(side: int) -> int:
    """So many octaves lie between two pixels and the longest waves."""
    return max(1, round(np.log2(LONGEST * side)))


class Texture(eqx.Module):
    """Texture of a picture as coefficients, and texture of coefficients.

    Parameters
    ----------
    side, bands : int
        Of the images.

    Attributes
    ----------
    levels : (level,) float32
        Brightnesses, the mean of the bands, between which strengths are interpolated.
    mean : (octave, level) float32
        Mean absolute texture.
    mixes : (octave, level, band, band) float32
        What gives independent waves of unit strength the correlations of the bands, the strength of each, and
        the variance of what is left, which has wider tails than theirs.
    middles : (strength,) float32
        Means of the logarithms of strengths over the set.
    axes : (strength, strength) float32
        Orthonormal columns: directions in which these scatter independently, the widest first.
    spreads : (strength,) float32
        Standard deviations along them.
    """

    levels: Float[Array, " level"]
    mean: Strengths
    mixes: Float[Array, "octave level band band"]
    middles: Coefficients
    axes: Float[Array, "strength strength"]
    spreads: Coefficients
    side: int = eqx.field(static=True)

    def __init__(self, side: int, bands: int):
        octaves = octave_count(side)
        self.side, self.levels = side, jnp.arange(LEVELS, dtype=jnp.float32)
        self.mean = jnp.ones((octaves, LEVELS))
        self.mixes = jnp.tile(jnp.eye(bands), (octaves, LEVELS, 1, 1))
        self.middles, self.spreads = jnp.zeros(octaves * LEVELS), jnp.ones(octaves * LEVELS)
        self.axes = jnp.eye(octaves * LEVELS)

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return self.mean.size

    def coefficients(self, left: Image, clean: Image) -> Coefficients:
        """Of what components leave out of an image, and what they make of it."""
        strengths = jnp.log(self.strengths(left, clean)).ravel()
        return (strengths - self.middles) @ self.axes / self.spreads

    def strengths(self, left: Image, clean: Image) -> Strengths:
        """Mean absolute values in each octave at each level."""
        shares = self._shares(clean)
        sums = jnp.einsum("lij,oijb->olb", shares, jnp.abs(self._octaves(left)))
        counts = jnp.sum(shares, axis=(1, 2))[None, :]
        return (jnp.mean(sums, axis=-1) + BESIDE * self.mean) / (counts + BESIDE)

    def drawn(self, coefficients: Coefficients, clean: Image, key: Key[Array, ""]) -> Image:
        """Texture of these coefficients on what components make of the image."""
        told = self.middles + self.axes @ (coefficients * self.spreads)
        scatter = jnp.exp(told).reshape(self.mean.shape) / _MEAN_ABSOLUTE
        white = jax.random.normal(key, (len(self.mean), *clean.shape))
        unit = jnp.sqrt(jnp.mean(self._windows() ** 2, axis=(1, 2)))[:, None, None, None]
        waves = self._filtered(white) / unit
        shares = self._shares(clean)
        mixed = jnp.einsum("lij,olbc,oijc->oijb", shares, self.mixes, waves)
        # Logarithms are interpolated, as strengths are told by them.
        strong = jnp.exp(jnp.einsum("lij,ol->oij", shares, jnp.log(scatter)))
        return jnp.sum(strong[..., None] * mixed, axis=0)

    def moments(self, left: Image, clean: Image) -> tuple[Array, Array, Array]:
        """What texture is fitted to: pixels of each level, absolute values, products of bands."""
        shares, octaves = self._shares(clean), self._octaves(left)
        return (
            jnp.sum(shares, axis=(1, 2)),
            jnp.einsum("lij,oijb->olb", shares, jnp.abs(octaves)),
            jnp.einsum("lij,oijb,oijc->olbc", shares, octaves, octaves),
        )

    def _octaves(self, image: Image) -> Octaves:
        return self._filtered(jnp.broadcast_to(image, (len(self.mean), *image.shape)))

    def _filtered(self, images: Octaves) -> Octaves:
        """The part of each image in its octave."""
        windows = self._windows()[..., None].astype(jnp.complex64)
        waves = jnp.fft.fft2(images, axes=(1, 2)) * windows
        return jnp.real(jnp.fft.ifft2(waves, axes=(1, 2)))

    def _windows(self) -> Float[Array, "octave side side"]:
        """The share of each wave in each octave, the shortest first; together they are all of it."""
        cycles = np.fft.fftfreq(self.side)
        length = np.log2(0.5 / np.maximum(np.hypot(cycles[:, None], cycles[None, :]), 1.0 / self.side))
        places = np.arange(len(self.mean))[:, None, None]
        octave = np.clip(length, 0.0, len(self.mean) - 1)[None]
        return jnp.asarray(np.maximum(1.0 - np.abs(octave - places), 0.0), jnp.float32)

    def _shares(self, clean: Image) -> Float[Array, "level side side"]:
        """How much of each level a pixel has; together 1."""
        places = jnp.arange(LEVELS, dtype=jnp.float32)
        at = jnp.interp(jnp.mean(clean, axis=-1), self.levels, places)
        return jnp.maximum(1.0 - jnp.abs(at[None] - places[:, None, None]), 0.0)


def fit_texture(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Texture:
    """Texture of images (n, side, side, band) in chunks with what components make of them."""
    held = [(pixels - clean, clean) for pixels, clean in pairs]
    brightness = np.concatenate([clean.mean(axis=-1).ravel() for _, clean in held])
    low, high = np.quantile(brightness, RANGE)
    _, side, _, bands = held[0][0].shape
    texture = Texture(side, bands)
    levels = jnp.linspace(low, max(high, low + _LEAST_RANGE), LEVELS, dtype=jnp.float32)
    texture = eqx.tree_at(lambda one: one.levels, texture, levels)
    of_all = jax.jit(lambda *pair: [jnp.sum(one, axis=0) for one in jax.vmap(texture.moments)(*pair)])
    counts, sums, products = (sum(one) for one in zip(*(of_all(*pair) for pair in held), strict=True))
    mean = jnp.mean(sums, axis=-1) / jnp.maximum(counts, _LEAST)[None, :]
    # What is left has wider tails than a normal distribution: drawn texture has its variance.
    scatter = jnp.maximum(mean, _LEAST) / _MEAN_ABSOLUTE
    covariances = products / jnp.maximum(counts, _LEAST)[None, :, None, None]
    relative = covariances / scatter[:, :, None, None] ** 2
    mixes = jnp.linalg.cholesky(relative + 1e-6 * jnp.eye(bands)[None, None])
    return eqx.tree_at(lambda one: (one.mean, one.mixes), texture, (jnp.maximum(mean, _LEAST), mixes))


def with_spreads(texture: Texture, strengths: Float[np.ndarray, "n octave level"]) -> Texture:
    """The texture whose coefficients have mean 0 and unit variance over a set, and are independent there."""
    logs = np.log(strengths.reshape(len(strengths), -1).astype(np.float64))
    middles = logs.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(logs - middles, rowvar=False))
    spreads = np.sqrt(np.maximum(variances, _LEAST))
    found = (middles, axes[:, ::-1], spreads[::-1])
    where = lambda one: (one.middles, one.axes, one.spreads)  # noqa: E731
    return eqx.tree_at(where, texture, tuple(jnp.asarray(one, jnp.float32) for one in found))
