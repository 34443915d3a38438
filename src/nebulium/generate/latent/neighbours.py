"""Neighbours and stars in pictures: taken away before components are found, drawn as a layer of their own.

Galaxies look much the same turned by half about their middle; what is far brighter than its counterpart there
belongs to another object. Where neighbours lie says nothing of the galaxy, and components that hold them hold
little else. Pictures are the square roots of their pixels here, as in `nebulium.generate.latent.texture`.
"""

from collections.abc import Iterable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from nebulium.data.images.stretches import MAD_TO_SIGMA
from nebulium.nn.mapping import map_galaxies

Image = Float[Array, "side side band"]
Band = Float[Array, "side side"]

#: A pixel belongs to a neighbour if it is brighter than the brightest near its counterpart by a factor, and
#: by so much, and so many scatters of the sky, more.
FACTOR, MORE, SCATTERS = 1.25, 1.5, 5.0
#: Pixels on a side of what is near, and of what goes with a pixel of a neighbour.
NEAR, ALONG = 3, 5
#: Quantiles by which distributions are kept; the most neighbours in a picture, and the fewest to learn from.
QUANTILES, MOST, ENOUGH = 64, 16, 100
#: Parts of the neighbours, by their light, that have a width each, and its limits in pixels.
PARTS, WIDTHS = 4, (0.5, 3.0)
_LEAST = 0.2


def without_neighbours(roots: Image) -> Image:
    """The picture, in which pixels of neighbours are no brighter than their counterparts."""
    counterparts = roots[::-1, ::-1]
    light, other = jnp.mean(roots, axis=-1), jnp.mean(counterparts, axis=-1)
    # Of a difference of two pixels of one scatter.
    scatter = np.float32(MAD_TO_SIGMA / np.sqrt(2.0)) * jnp.median(jnp.abs(light - other))
    foreign = light > FACTOR * _largest(other, NEAR) + jnp.maximum(SCATTERS * scatter, MORE)
    along = _largest(foreign.astype(jnp.float32), ALONG) > 0
    return jnp.where(along[:, :, None], jnp.minimum(roots, counterparts), roots)


def _largest(values: Band, width: int) -> Band:
    """The largest value in a square about each pixel."""
    return jax.lax.reduce_window(values, np.float32(-np.inf), jax.lax.max, (width, width), (1, 1), "SAME")


class Neighbours(eqx.Module):
    """How many neighbours pictures have, how bright and wide they are, and of what colours.

    Parameters
    ----------
    bands : int

    Attributes
    ----------
    counts : (quantile,) float32
        Of neighbours in a picture.
    lights, widths : (quantile,) float32
        Highest pixel, the mean of the bands, and scatter of the profile, a Gaussian, in pixels, of neighbours
        as bright.
    colour : (band,) float32
        Mean of the logarithm of each band's highest pixel over that of all.
    mix : (band, band) float32
        What gives independent numbers the covariance of these.
    """

    counts: Float[Array, " quantile"]
    lights: Float[Array, " quantile"]
    widths: Float[Array, " quantile"]
    colour: Float[Array, " band"]
    mix: Float[Array, "band band"]

    def __init__(self, bands: int):
        self.counts, self.lights, self.widths = jnp.zeros(QUANTILES), jnp.ones(QUANTILES), jnp.ones(QUANTILES)
        self.colour, self.mix = jnp.zeros(bands), jnp.eye(bands)

    def drawn(self, side: int, key: Key[Array, ""]) -> Image:
        """A picture of neighbours alone, anywhere in it."""
        count_key, kind_key, place_key, colour_key = jax.random.split(key, 4)
        count = jax.random.choice(count_key, self.counts)
        there = (jnp.arange(MOST, dtype=jnp.float32) < count).astype(jnp.float32)
        kind = jax.random.randint(kind_key, (MOST,), 0, QUANTILES)
        places = jax.random.uniform(place_key, (MOST, 2), minval=-0.5, maxval=side - 0.5)
        normal = jax.random.normal(colour_key, (MOST, len(self.colour)))
        peaks = jnp.exp(self.colour[None, :] + normal @ self.mix.T) * (self.lights[kind] * there)[:, None]
        offsets = jnp.arange(side, dtype=jnp.float32)[None, None, :] - places[:, :, None]
        profiles = jnp.exp(-0.5 * (offsets / self.widths[kind][:, None, None]) ** 2)
        rows, columns = profiles[:, 0], profiles[:, 1]
        return jnp.max(rows[:, :, None, None] * columns[:, None, :, None] * peaks[:, None, None, :], axis=0)


def fit_neighbours(chunks: Iterable[np.ndarray]) -> Neighbours:
    """Neighbours as they are in pictures (n, side, side, band), roots of their pixels."""
    found = [map_galaxies(lambda roots: (_taken(roots), _peaks(_taken(roots))), chunk) for chunk in chunks]
    taken, peaks = (np.concatenate(part) for part in zip(*found, strict=True))
    bands, counts = taken.shape[-1], peaks.sum(axis=(1, 2))
    empty = Neighbours(bands)
    if counts.sum() < ENOUGH:
        return empty
    at, light = (np.arange(QUANTILES) + 0.5) / QUANTILES, taken.mean(axis=-1)
    colours = np.log(np.maximum(taken[peaks], _LEAST) / light[peaks][:, None]).astype(np.float64)
    covariance = np.cov(colours, rowvar=False).reshape(bands, bands)
    # By how much the profile has fallen a pixel further on.
    beside = np.mean([np.roll(light, shift, axis)[peaks] for shift in (-1, 1) for axis in (1, 2)], axis=0)
    ranked = np.array_split(np.argsort(light[peaks]), PARTS)
    fallen = [np.clip(np.median((beside / light[peaks])[part]), 0.01, 0.99) for part in ranked]
    widths = np.clip(np.sqrt(-0.5 / np.log(fallen)), *WIDTHS)
    arrays = (
        np.quantile(np.minimum(counts, MOST), at, method="nearest"),
        np.quantile(light[peaks], at),
        np.interp(at, (np.arange(PARTS) + 0.5) / PARTS, widths),
        colours.mean(axis=0),
        np.linalg.cholesky(covariance + 1e-6 * np.eye(bands)),
    )
    where = lambda one: (one.counts, one.lights, one.widths, one.colour, one.mix)  # noqa: E731
    return eqx.tree_at(where, empty, tuple(jnp.asarray(one, jnp.float32) for one in arrays))


def _taken(roots: Image) -> Image:
    return roots - without_neighbours(roots)


def _peaks(taken: Image) -> Bool[Array, "side side"]:
    """The highest pixel of each neighbour."""
    light = jnp.mean(taken, axis=-1)
    return (light >= _largest(light, ALONG)) & (light > MORE)
