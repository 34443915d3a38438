"""Images as a mean and principal components of the set in its eight orientations.

The covariance of a set that holds each image in all eight orientations commutes with turning and mirroring,
so that it falls into five blocks: even or odd in rows and columns, alike or opposite when transposed, and one
of pairs that turn into each other. Components are found block by block, and stored by an eighth of their
pixels.
"""

from collections.abc import Iterable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Bool, Float

from nebulium.nn.mapping import map_galaxies

Image = Float[Array, "side side band"]
Coefficients = Float[Array, " component"]
Blocks = tuple[Float[Array, "..."], ...]

#: Blocks whose components a transposition leaves alone or changes in sign, and the one of pairs.
BLOCKS = 5
#: Images that are split at a time.
BATCH = 128
#: Values of the largest block, whose covariance is held in memory and diagonalised.
MOST_VALUES = 8192
_LEAST_TAIL, _LEAST_VARIANCE = 0.05, 1e-9
_HALF = np.float32(np.sqrt(0.5))


def _folds(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels of a quadrant that stand for themselves and their mirror image."""
    return np.triu_indices(side // 2)


def split(image: Image) -> Blocks:
    """An image as its five blocks, without loss: (values, band), of pairs (2, values, band).

    Even in rows and columns and alike, then opposite, when transposed; odd in both, alike, opposite; odd in
    columns or in rows.
    """
    half = image.shape[0] // 2
    upper, lower = image[:half][::-1], image[half:]
    rows = _HALF * (lower + upper), _HALF * (lower - upper)
    columns = [(part[:, :half][:, ::-1], part[:, half:]) for part in rows]
    (even, even_odd), (odd_even, odd) = (
        (_HALF * (right + left), _HALF * (right - left)) for left, right in columns
    )
    pairs = jnp.stack([even_odd, jnp.swapaxes(odd_even, 0, 1)]).reshape(2, half * half, -1)
    return (*_folded(even), *_folded(odd), pairs)


def join(blocks: Sequence[Array], side: int) -> Image:
    """The inverse of `split`."""
    half = side // 2
    even, odd = _unfolded(blocks[0], blocks[1], half), _unfolded(blocks[2], blocks[3], half)
    even_odd, transposed = blocks[4].reshape(2, half, half, -1)
    odd_even = jnp.swapaxes(transposed, 0, 1)
    rows = [
        _HALF * jnp.concatenate([(first - second)[:, ::-1], first + second], axis=1)
        for first, second in ((even, even_odd), (odd_even, odd))
    ]
    return _HALF * jnp.concatenate([(rows[0] - rows[1])[::-1], rows[0] + rows[1]], axis=0)


def _folded(field: Float[Array, "half half band"]) -> tuple[Array, Array]:
    """What of a quadrant is alike when transposed, and what is opposite."""
    i, j = _folds(2 * len(field))
    above, below = field[i, j], field[j, i]
    weight = jnp.asarray(np.where(i == j, 0.5, _HALF).astype(np.float32))[:, None]
    off = np.flatnonzero(i != j)
    return weight * (above + below), _HALF * (above - below)[off]


def _unfolded(alike: Array, opposite: Array, half: int) -> Float[Array, "half half band"]:
    """The inverse of `_folded`."""
    i, j = _folds(2 * half)
    off = i != j
    place = np.zeros((half, half), int)
    place[i, j] = place[j, i] = np.arange(len(i))
    weight = np.where(np.eye(half, dtype=bool), 1.0, _HALF).astype(np.float32)
    sign = (np.triu(np.ones((half, half)), 1) - np.tril(np.ones((half, half)), -1)).astype(np.float32) * _HALF
    place_off = np.zeros((half, half), int)
    place_off[i[off], j[off]] = place_off[j[off], i[off]] = np.arange(int(off.sum()))
    return (
        jnp.asarray(weight)[:, :, None] * alike[place] + jnp.asarray(sign)[:, :, None] * opposite[place_off]
    )


class Basis(eqx.Module):
    """A mean image and components, from which an image is a sum of whitened coefficients.

    Parameters
    ----------
    side, bands : int
        Of the images; the side even.
    components : sequence of int
        In each of the blocks of `split`; of the last, pairs.

    Attributes
    ----------
    mean : (values, band) float32
        The first block of the mean image; the others are zero.
    vectors : five of (component, values * band) float16
        Orthonormal rows.
    scales : five of (component,) float32
        Standard deviations along the components.
    tails : five of (component,) float32
        Where, in these, amplitudes begin to be held back: bright galaxies are many times as bright as most.
    centres, spreads : five of (component,) float32
        Means and standard deviations of amplitudes that are held back.
    ends : five of (component,) float32
        The largest of their absolute values: images have no larger ones.
    """

    mean: Float[Array, "values band"]
    vectors: Blocks
    scales: Blocks
    tails: Blocks
    centres: Blocks
    spreads: Blocks
    ends: Blocks
    side: int = eqx.field(static=True)
    components: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, *, side: int, bands: int, components: Sequence[int]):
        lengths = block_lengths(side)
        self.side, self.components = side, tuple(components)
        self.mean = jnp.zeros((lengths[0], bands))
        sizes = zip(self.components, lengths, strict=True)
        self.vectors = tuple(jnp.zeros((n, length * bands), jnp.float16) for n, length in sizes)
        self.scales = self.tails = self.spreads = tuple(jnp.ones(n) for n in self.components)
        self.ends = tuple(jnp.full(n, jnp.inf) for n in self.components)
        self.centres = tuple(jnp.zeros(n) for n in self.components)

    @property
    def size(self) -> int:
        """Number of coefficients; a pair has two."""
        return sum(self.components) + self.components[-1]

    @property
    def all_scales(self) -> Float[np.ndarray, " component"]:
        """Standard deviations of all coefficients."""
        return np.concatenate([np.asarray(one) for one in (*self.scales, self.scales[-1])])

    @property
    def every_scale(self) -> Coefficients:
        """The same, inside a compiled function."""
        return _joined(self.scales)

    @property
    def planes(self) -> Float[Array, "component side side band"]:
        """The components as images: orthonormal."""
        single = jnp.diag(1.0 / self.every_scale)
        return jax.vmap(lambda one: join(self._across(one), self.side))(single)

    @property
    def mean_image(self) -> Image:
        """The stretched mean image."""
        rest = [jnp.zeros_like(block) for block in self._across(jnp.zeros(self.size))[1:]]
        return join([self.mean, *rest], self.side)

    def coefficients(self, image: Image) -> Coefficients:
        """Coefficients of a stretched image: of mean 0 and unit variance over the set."""
        tails, centres, spreads = map(_joined, (self.tails, self.centres, self.spreads))
        return (jnp.arcsinh(self.amplitudes(image) / tails) - centres) / spreads

    def amplitudes(self, image: Image) -> Coefficients:
        """Amplitudes of a stretched image along the components, in their standard deviations."""
        first, *rest = split(image)
        return self._along([first - self.mean, *rest])

    def image(self, coefficients: Coefficients) -> Image:
        """The stretched image of coefficients."""
        tails, centres, spreads, ends = map(_joined, (self.tails, self.centres, self.spreads, self.ends))
        held = jnp.clip(centres + spreads * coefficients, -ends, ends)
        first, *rest = self._across(tails * jnp.sinh(held))
        return join([first + self.mean, *rest], self.side)

    def within(self, image: Image) -> Image:
        """The part of an image, such as its noise, that components can hold."""
        return join(self._across(self._along(split(image))), self.side)

    def _along(self, blocks: Sequence[Array]) -> Coefficients:
        parts = [
            (block.reshape(-1, vectors.shape[1]) @ vectors.astype(jnp.float32).T) / scales[None, :]
            for block, vectors, scales in zip(blocks, self.vectors, self.scales, strict=True)
        ]
        return jnp.concatenate([part.ravel() for part in parts])

    def _across(self, amplitudes: Coefficients) -> list[Array]:
        """The inverse: the blocks of the components' sum."""
        bands, start, blocks = self.mean.shape[1], 0, []
        for place, (vectors, scales) in enumerate(zip(self.vectors, self.scales, strict=True)):
            copies = 2 if place == BLOCKS - 1 else 1
            part = amplitudes[start : start + copies * len(scales)].reshape(copies, -1)
            start += part.size
            values = (part * scales[None, :]) @ vectors.astype(jnp.float32)
            blocks.append(values.reshape(*((2,) if copies == 2 else ()), -1, bands))
        return blocks

    def oriented(self, coefficients: Coefficients, way: Bool[Array, " 3"]) -> Coefficients:
        """Coefficients of the image transposed, rows mirrored, columns mirrored, each if asked for."""
        alike_even, opposite_even, alike_odd, opposite_odd, pairs = self.components
        signs, at = jnp.where(way, -1.0, 1.0).astype(jnp.float32), np.cumsum(self.components)[:-1]
        even, even_opposite, odd, odd_opposite, rest = jnp.split(coefficients, at)
        first, second = rest.reshape(2, pairs)
        first, second = jnp.where(way[0], second, first), jnp.where(way[0], first, second)
        both = signs[1] * signs[2]
        parts = [even, signs[0] * even_opposite, both * odd, both * signs[0] * odd_opposite]
        return jnp.concatenate([*parts, signs[2] * first, signs[1] * second])


def _joined(blocks: Blocks) -> Coefficients:
    """Values of all coefficients from those of the blocks: both of a pair have the same."""
    return jnp.concatenate([*blocks, blocks[-1]])


def with_tails(basis: Basis, amplitudes: Float[np.ndarray, "n component"]) -> Basis:
    """The basis that holds back amplitudes beyond the bulk of those given, and standardises them."""
    pairs, at = basis.components[-1], np.cumsum(basis.components)[:-1]
    single = [*np.split(amplitudes[:, : len(amplitudes[0]) - pairs], at, axis=1)]
    single[-1] = np.concatenate([single[-1], amplitudes[:, -pairs:]]) if pairs else single[-1]
    # Half of a normal distribution lies within 0.6745 of its standard deviation.
    tails = [np.maximum(np.median(np.abs(one), axis=0) / 0.6745, _LEAST_TAIL) for one in single]
    held = [np.arcsinh(one / tail) for one, tail in zip(single, tails, strict=True)]
    # Only components that are the same in all orientations have a mean.
    centres = [one.mean(axis=0) * (place == 0) for place, one in enumerate(held)]
    spreads = [np.sqrt(np.mean((o - c) ** 2, axis=0)) for o, c in zip(held, centres, strict=True)]
    ends = [np.abs(one).max(axis=0) for one in held]
    measured = tuple(
        tuple(jnp.asarray(one, jnp.float32) for one in part) for part in (tails, centres, spreads, ends)
    )
    return eqx.tree_at(lambda b: (b.tails, b.centres, b.spreads, b.ends), basis, measured)


def block_lengths(side: int) -> tuple[int, ...]:
    """Values of each block of an image, a band."""
    half = side // 2
    alike, opposite = half * (half + 1) // 2, half * (half - 1) // 2
    return (alike, opposite, alike, opposite, half * half)


def fit_basis(chunks: Iterable[np.ndarray], components: int) -> Basis:
    """Basis of a set of stretched images, with the components that hold most of its variance.

    Pairs count for two. The chunks, arrays (n, side, side, band), are gone through once.
    """
    moments: list[np.ndarray] = []
    total, number, shape = np.zeros(0), 0, (0, 0, 0)
    for chunk in chunks:
        shape = chunk.shape[1:]
        blocks = [np.asarray(block, np.float64) for block in map_galaxies(split, chunk, batch=BATCH)]
        rows = [block.reshape(-1, block.shape[-2] * block.shape[-1]) for block in blocks]
        if not moments:
            total = np.zeros(rows[0].shape[1])
            moments = [np.zeros((row.shape[1],) * 2) for row in rows]
        total += rows[0].sum(axis=0)
        number += len(chunk)
        for moment, row in zip(moments, rows, strict=True):
            moment += row.T @ row / (2 if row is rows[-1] else 1)
    mean = total / number
    moments[0] -= number * np.outer(mean, mean)
    return _leading(mean, [moment / number for moment in moments], shape, components)


def _leading(
    mean: np.ndarray, covariances: Sequence[np.ndarray], shape: tuple[int, ...], components: int
) -> Basis:
    """The components of largest variance over all blocks."""
    found = [_eigen(one, min(components, len(one))) for one in covariances]
    variances = [values for values, _ in found]
    ranked = np.sort(np.concatenate([*variances, variances[-1]]))[::-1]
    # A set of few images, or of padded ones, has fewer components than asked for.
    least = max(ranked[min(components, len(ranked)) - 1], _LEAST_VARIANCE * ranked[0])
    counts = [int(np.sum(values >= least)) for values in variances]
    empty = Basis(side=shape[0], bands=shape[2], components=counts)
    kept = zip(found, counts, strict=True)
    fitted = [(np.sqrt(values[:n]), vectors[:n]) for (values, vectors), n in kept]
    scales, vectors = zip(*fitted, strict=True)
    arrays = (
        jnp.asarray(mean.reshape(-1, shape[2]), jnp.float32),
        tuple(jnp.asarray(one, jnp.float16) for one in vectors),
        tuple(jnp.asarray(one, jnp.float32) for one in scales),
    )
    return eqx.tree_at(lambda basis: (basis.mean, basis.vectors, basis.scales), empty, arrays)


def _eigen(covariance: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest variances, falling, and their components as rows."""
    n = len(covariance)
    values, vectors = scipy.linalg.eigh(covariance, subset_by_index=[n - most, n - 1])
    return values[::-1], vectors.T[::-1]
