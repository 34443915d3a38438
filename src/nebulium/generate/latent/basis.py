"""Images of galaxies in the frame of their major axis, as brightnesses and principal components.

A set that holds each image mirrored in rows and columns, too, has a covariance that falls into four blocks,
even or odd in each. Components are found block by block, and stored by a quarter of their pixels. They are
those of images that are divided by the colour of the galaxy and by the root of its brightness: so bright and
faint galaxies, blue and red ones, share their shapes, and brightness and colours are numbers of their own.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.optimize
from jaxtyping import Array, Bool, Float

from nebulium.data.images.stretches import MAD_TO_SIGMA
from nebulium.nn.mapping import map_galaxies

Image = Float[Array, "side side band"]
Coefficients = Float[Array, " component"]
Amplitudes = Float[Array, " amplitude"]
Brightness = Float[Array, " band"]
Blocks = tuple[Float[Array, "..."], ...]
#: A basis of whichever kind, with a mean, vectors by block, and scales.
Components = TypeVar("Components", bound=eqx.Module)

#: Even in rows and columns; odd in columns; odd in rows; odd in both.
BLOCKS = 4
#: All ways to mirror an image: rows, columns.
WAYS = np.array([[False, False], [True, False], [False, True], [True, True]])
#: Images that are split at a time.
BATCH = 128
#: Values of a block, whose covariance is held in memory and diagonalised.
MOST_VALUES = 8192
#: Brightness, in scatters of its noise, above which it is told by its logarithm.
SOFTENING = 20.0
#: Where amplitudes may begin to be held back, in the scatter of their bulk: no nearer than their distribution
#: asks for. Of what is held back in vain, as noise is, a small error becomes a large amplitude.
TAILS = (64.0, 16.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25)
#: The least of them for components that, in a galaxy of `TYPICAL` times `SOFTENING`, hold mostly noise, and
#: for others.
LEAST_TAILS, TYPICAL = (4.0, 2.0), 10.0
#: Bins of brightness in which the scatter of amplitudes is measured.
BINS = 16
#: Central 99 % over 68 % of a distribution that is left as it is; of a normal one 2.59.
MOST_TAIL = 2.75
_LEAST_TAIL, _LEAST_VARIANCE, _ROUNDING = 0.05, 1e-9, 1e-5
_HALF = np.float32(np.sqrt(0.5))


def split(image: Image) -> Blocks:
    """An image as its four blocks, without loss: each (values, band)."""
    half = image.shape[0] // 2
    upper, lower = image[:half][::-1], image[half:]
    rows = _HALF * (lower + upper), _HALF * (lower - upper)
    columns = [(part[:, :half][:, ::-1], part[:, half:]) for part in rows]
    parts = [_HALF * (right + sign * left) for left, right in columns for sign in (1, -1)]
    return tuple(part.reshape(half * half, -1) for part in parts)


def join(blocks: Sequence[Array]) -> Image:
    """The inverse of `split`."""
    half = round(blocks[0].shape[0] ** 0.5)
    parts = [block.reshape(half, half, -1) for block in blocks]
    rows = [
        _HALF * jnp.concatenate([(even - odd)[:, ::-1], even + odd], axis=1)
        for even, odd in (parts[:2], parts[2:])
    ]
    return _HALF * jnp.concatenate([(rows[0] - rows[1])[::-1], rows[0] + rows[1]], axis=0)


def along(vectors: Blocks, blocks: Sequence[Array]) -> Amplitudes:
    """Amplitudes of the blocks of an image along components."""
    pairs = zip(blocks, vectors, strict=True)
    return jnp.concatenate([one.astype(jnp.float32) @ block.ravel() for block, one in pairs])


def across(vectors: Blocks, amplitudes: Amplitudes, bands: int) -> list[Array]:
    """The inverse: the blocks of the sum of components."""
    parts = jnp.split(amplitudes, np.cumsum([len(one) for one in vectors])[:-1])
    pairs = zip(parts, vectors, strict=True)
    return [(part @ one.astype(jnp.float32)).reshape(-1, bands) for part, one in pairs]


class Basis(eqx.Module):
    """What makes an image, in scatters of the sky, of brightnesses and whitened coefficients.

    Parameters
    ----------
    side, bands : int
        Of the images; the side even.
    components : sequence of int
        In each of the blocks of `split`.

    Attributes
    ----------
    template : (side, side) float32
        The light of a mean galaxy, of unit length: an image's product with it is the brightness.
    mean : (values, band) float32
        The first block of the mean image; the others are zero.
    vectors : four of (amplitude, values * band) float16
        Orthonormal rows.
    scales : (amplitude,) float32
        Standard deviations along the components.
    of_shape, of_noise : (amplitude,) float32
        The variance along a component that shapes of galaxies have, and that of their noise, both for a
        galaxy of brightness `SOFTENING`: the first rises with brightness, the second falls.
    tails : (amplitude,) float32
        Where, in the root of the sum of these, amplitudes begin to be held back: some galaxies are very
        unlike most.
    ends : (amplitude,) float32
        The largest of their absolute values, held back: images have no larger ones.
    centres, spreads : (component,) float32
        Means and standard deviations of brightnesses, and of amplitudes that are held back.
    axes : four of (component, component) float32
        Orthonormal columns: directions, among the coefficients of a block, in which galaxies of the same
        properties scatter independently of one another.
    middles, strengths : (component,) float32
        Means and standard deviations along these, in which brightness counts as much as the strongest
        component.
    """

    template: Float[Array, "side side"]
    mean: Float[Array, "values band"]
    vectors: Blocks
    scales: Amplitudes
    of_shape: Amplitudes
    of_noise: Amplitudes
    tails: Amplitudes
    ends: Amplitudes
    centres: Coefficients
    spreads: Coefficients
    axes: Blocks
    middles: Coefficients
    strengths: Coefficients
    components: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, *, side: int, bands: int, components: Sequence[int]):
        self.components, values, number = tuple(components), (side // 2) ** 2, sum(components)
        self.template = jnp.zeros((side, side))
        self.mean = jnp.zeros((values, bands))
        self.vectors = tuple(jnp.zeros((n, values * bands), jnp.float16) for n in self.components)
        self.scales = self.of_shape = self.tails = jnp.ones(number)
        self.of_noise = jnp.zeros(number)
        self.ends = jnp.full(number, jnp.inf)
        self.centres = self.middles = jnp.zeros(bands + number)
        self.spreads = self.strengths = jnp.ones(bands + number)
        self.axes = tuple(jnp.eye(n) for n in self.sizes)

    @property
    def bands(self) -> int:
        """Number of bands, each of which has a brightness."""
        return int(self.mean.shape[1])

    @property
    def size(self) -> int:
        """Number of coefficients, those of brightness first."""
        return self.bands + sum(self.components)

    @property
    def even(self) -> int:
        """So many of the coefficients, the first, are the same in all orientations."""
        return self.bands + self.components[0]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Coefficients in each block; those of brightness belong to the first."""
        return (self.even, *self.components[1:])

    def coefficients(self, image: Image) -> Coefficients:
        """Coefficients of an image in its frame: of mean 0 and unit variance over the set."""
        weighted = self.weighted(self.held(*self.amplitudes(image)))
        return (self._turned(weighted, back=False) - self.middles) / self.strengths

    def weighted(self, held: Coefficients) -> Coefficients:
        """Brightnesses and amplitudes as they count in an image."""
        return (held - self.centres) / self.spreads * self._weights

    def _unheld(self, coefficients: Coefficients) -> tuple[Array, Array]:
        """Brightness, and amplitudes that are held back, of coefficients."""
        weighted = self._turned(self.middles + self.strengths * coefficients, back=True)
        told, held = jnp.split(self.centres + self.spreads * weighted / self._weights, [self.bands])
        return _untold(told), held

    def _turned(self, weighted: Coefficients, *, back: bool) -> Coefficients:
        parts = jnp.split(weighted, np.cumsum(self.sizes)[:-1])
        pairs = zip(parts, self.axes, strict=True)
        return jnp.concatenate([axes @ part if back else part @ axes for part, axes in pairs])

    def amplitudes(self, image: Image) -> tuple[Brightness, Amplitudes]:
        """Brightness of an image, and amplitudes along the components."""
        brightness = self.brightness(image)
        first, *rest = split(self.shape(image, brightness))
        return brightness, along(self.vectors, [first - self.mean, *rest])

    def held(self, brightness: Brightness, amplitudes: Amplitudes) -> Coefficients:
        """Brightness by its logarithms, and amplitudes that are held back."""
        held = jnp.arcsinh(amplitudes / (self._spread(brightness) * self.tails))
        return jnp.concatenate([_told(brightness), held])

    def _spread(self, brightness: Brightness) -> Amplitudes:
        """Standard deviations along the components in galaxies of a brightness."""
        relative = _soft(brightness)[self.bands // 2] / SOFTENING
        return jnp.sqrt(self.of_shape * relative + self.of_noise / relative)

    @property
    def _weights(self) -> Coefficients:
        """How much of an image each coefficient changes: brightness as much as the strongest component."""
        return jnp.concatenate([jnp.tile(jnp.max(self.scales), self.bands), self.scales])

    def image(self, coefficients: Coefficients) -> Image:
        """The image of coefficients, in its frame."""
        brightness, held = self._unheld(coefficients)
        amplitudes = self.tails * jnp.sinh(jnp.clip(held, -self.ends, self.ends)) * self._spread(brightness)
        first, *rest = across(self.vectors, amplitudes, self.bands)
        shape = join([first + self.mean, *rest])
        return shape * _divisor(brightness) + brightness[None, None, :] * self.template[:, :, None]

    def brightness(self, image: Image) -> Brightness:
        """The product of each band with the template."""
        return jnp.einsum("ijb,ij->b", image, self.template)

    def shape(self, image: Image, brightness: Brightness) -> Image:
        """What of an image is not brightness, as components are made for."""
        return (image - brightness[None, None, :] * self.template[:, :, None]) / _divisor(brightness)

    def beyond(self, noise: Image, coefficients: Coefficients) -> Image:
        """The part of the noise of an image with these coefficients that none of them can hold."""
        brightness, _ = self._unheld(coefficients)
        own = self.brightness(noise)
        noise = noise - own[None, None, :] * self.template[:, :, None]
        divisor = _divisor(brightness)
        within = join(across(self.vectors, along(self.vectors, split(noise / divisor)), self.bands))
        return noise - within * divisor

    def shares(self) -> Image:
        """The share of the variance of each pixel's noise that components hold, were it the same in all."""
        squares = [
            jnp.sum(one.astype(jnp.float32) ** 2, axis=0).reshape(self.mean.shape) for one in self.vectors
        ]
        quarter = 0.25 * jnp.sum(jnp.stack(squares), axis=0)
        mirrored = join([2.0 * quarter, *[jnp.zeros_like(quarter)] * (BLOCKS - 1)])
        return mirrored + self.template[:, :, None] ** 2

    def oriented(self, coefficients: Coefficients, way: Bool[Array, " 2"]) -> Coefficients:
        """Coefficients of the image with rows mirrored, columns mirrored, each if asked for.

        What comes before those of the basis is the same in all orientations.
        """
        rows, columns = jnp.where(way, -1.0, 1.0).astype(jnp.float32)
        one = jnp.ones((), jnp.float32)
        signs = [jnp.tile(one, len(coefficients) - self.size + self.even)]
        for sign, number in zip((columns, rows, rows * columns), self.components[1:], strict=True):
            signs.append(jnp.tile(sign, number))
        return coefficients * jnp.concatenate(signs)


def _told(brightness: Brightness) -> Brightness:
    """The brightness of the middle band and differences of neighbouring bands, in natural logarithms."""
    logs, middle = jnp.arcsinh(brightness / SOFTENING), len(brightness) // 2
    return jnp.concatenate([logs[middle : middle + 1], jnp.diff(logs)])


def _untold(told: Brightness) -> Brightness:
    """The inverse."""
    middle = len(told) // 2
    sums = jnp.concatenate([jnp.zeros(1), jnp.cumsum(told[1:])])
    return SOFTENING * jnp.sinh(told[0] + sums - sums[middle])


def _soft(brightness: Brightness) -> Brightness:
    """Brightness, above zero."""
    return jnp.sqrt(brightness**2 + SOFTENING**2)


def _divisor(brightness: Brightness) -> Float[Array, "1 1 band"]:
    """What makes galaxies of all colours and brightnesses alike, and no noise large."""
    soft = _soft(brightness)
    return (soft * jax.lax.rsqrt(soft[len(soft) // 2]))[None, None, :]


def fit_basis(images: Callable[[], Iterable[np.ndarray]], conditions: np.ndarray, components: int) -> Basis:
    """Basis of a set of images in their frames, with the components that hold most of its variance.

    The images come in arrays (n, side, side, band), anew with each call, in scatters of the sky; with them
    the properties of the galaxies, standardised, 0 where they are missing.
    """
    template, shape = _template(images())
    empty = Basis(side=shape[0], bands=shape[2], components=(0,) * BLOCKS)
    empty = eqx.tree_at(lambda basis: basis.template, empty, jnp.asarray(template))
    blocks = (map_galaxies(eqx.Partial(_shape_blocks, empty), chunk, batch=BATCH) for chunk in images())
    basis = fit_components(Basis, blocks, shape, components)
    basis = eqx.tree_at(lambda one: one.template, basis, empty.template)
    found = [map_galaxies(basis.amplitudes, chunk, batch=BATCH) for chunk in images()]
    brightness, amplitudes = (np.concatenate(one) for one in zip(*found, strict=True))
    basis = _with_spreads(basis, brightness, amplitudes)
    held = map_galaxies(basis.held, brightness, amplitudes, batch=BATCH)
    basis = _with_tails(basis, held)
    weighted = map_galaxies(eqx.Partial(_held_and_weighted, basis), brightness, amplitudes, batch=BATCH)
    return with_axes(basis, weighted, conditions)


def _shape_blocks(basis: Basis, image: Image) -> Blocks:
    """The blocks of what of an image is not brightness."""
    return split(basis.shape(image, basis.brightness(image)))


def _held_and_weighted(basis: Basis, brightness: Brightness, amplitudes: Amplitudes) -> Coefficients:
    """Brightnesses and amplitudes, held back, as they count in an image."""
    return basis.weighted(basis.held(brightness, amplitudes))


def _template(chunks: Iterable[np.ndarray]) -> tuple[np.ndarray, tuple[int, ...]]:
    """The mean of all images and bands, each of unit length, as a round profile; and the images' shape."""
    total, number = np.zeros(()), 0
    for chunk in chunks:
        lengths = np.sqrt(np.sum(chunk.astype(np.float64) ** 2, axis=(1, 2), keepdims=True))
        total = total + np.sum(chunk / np.maximum(lengths, 1e-30), axis=(0, 3))
        shape, number = chunk.shape[1:], number + len(chunk)
    at = np.arange(shape[0]) - 0.5 * (shape[0] - 1)
    ring = np.hypot(at[:, None], at[None, :]).astype(int).ravel()
    profile = np.bincount(ring, total.ravel()) / np.maximum(np.bincount(ring), 1)
    template = np.maximum(profile, 0.0)[ring].reshape(shape[:2]) + 1e-12
    return (template / np.sqrt(np.sum(template**2))).astype(np.float32), shape


def _with_spreads(basis: Basis, brightness: np.ndarray, amplitudes: np.ndarray) -> Basis:
    """The basis that knows how far amplitudes scatter in galaxies of each brightness."""
    relative = np.hypot(brightness[:, basis.bands // 2], SOFTENING) / SOFTENING
    bins = np.array_split(np.argsort(relative), BINS)
    middle = np.array([relative[rows].mean() for rows in bins])
    offsets = amplitudes - np.median(amplitudes, axis=0) * (
        np.arange(amplitudes.shape[1]) < basis.components[0]
    )
    squares = np.stack([np.median(np.abs(offsets[rows]), axis=0) ** 2 for rows in bins]) * MAD_TO_SIGMA**2
    columns = np.stack([middle, 1.0 / middle], axis=1)
    squares = np.maximum(squares, _LEAST_VARIANCE * np.max(squares))
    fits = [scipy.optimize.nnls(columns / one[:, None], np.ones(len(bins)))[0] for one in squares.T]
    measured = tuple(jnp.asarray(one, jnp.float32) for one in np.array(fits).T)
    return eqx.tree_at(lambda one: (one.of_shape, one.of_noise), basis, measured)


def _with_tails(basis: Basis, held: np.ndarray) -> Basis:
    """The basis that holds back amplitudes beyond the bulk of those given, and standardises them."""
    bands = basis.bands
    amplitudes = np.sinh(held[:, bands:])
    # Half of a normal distribution lies within 0.6745 of its standard deviation.
    bulk = np.maximum(np.median(np.abs(amplitudes), axis=0) / 0.6745, _LEAST_TAIL)
    tails = bulk * TAILS[0]
    for tail in TAILS[1:]:
        tails = np.where(_wide(np.arcsinh(amplitudes / tails)), bulk * tail, tails)
    mostly_noise = basis.of_noise > basis.of_shape * TYPICAL**2
    tails = np.maximum(tails, bulk * np.where(mostly_noise, *LEAST_TAILS))
    held = np.column_stack([held[:, :bands], np.arcsinh(amplitudes / tails)])
    # Only what is the same in all orientations has a mean.
    centres = held.mean(axis=0) * (np.arange(held.shape[1]) < basis.even)
    spreads = np.sqrt(np.mean((held - centres) ** 2, axis=0))
    # Bands without light have one brightness.
    spreads = np.maximum(spreads, np.where(np.arange(len(spreads)) < bands, 1e-3, 1e-9))
    measured = (tails, np.abs(held[:, bands:]).max(axis=0), centres, spreads)
    where = lambda one: (one.tails, one.ends, one.centres, one.spreads)  # noqa: E731
    return eqx.tree_at(where, basis, tuple(jnp.asarray(one, jnp.float32) for one in measured))


def with_axes(basis: Basis, weighted: np.ndarray, conditions: np.ndarray) -> Basis:
    """The basis whose coefficients scatter independently in galaxies of the same properties.

    The properties, standardised, are 0 where they are missing.
    """
    i, j = np.triu_indices(conditions.shape[1])
    columns = np.column_stack([np.ones(len(conditions)), conditions, conditions[:, i] * conditions[:, j]])
    axes = []
    for place, part in enumerate(np.split(weighted, np.cumsum(basis.sizes)[:-1], axis=1)):
        # Properties say nothing of what changes its sign in a mirror.
        said = columns @ np.linalg.lstsq(columns, part, rcond=None)[0] if place == 0 else 0.0
        _, found = np.linalg.eigh((part - said).T @ (part - said) / len(part))
        axes.append(jnp.asarray(found[:, ::-1], jnp.float32))
    basis = eqx.tree_at(lambda one: one.axes, basis, tuple(axes))
    turned = map_galaxies(eqx.Partial(basis._turned, back=False), weighted, batch=BATCH)
    middles = turned.mean(axis=0) * (np.arange(turned.shape[1]) < basis.even)
    strengths = np.sqrt(np.mean((turned - middles) ** 2, axis=0))
    measured = (jnp.asarray(middles, jnp.float32), jnp.asarray(strengths, jnp.float32))
    return eqx.tree_at(lambda one: (one.middles, one.strengths), basis, measured)


def _wide(values: Float[np.ndarray, "n component"]) -> Bool[np.ndarray, " component"]:
    """Whether distributions have wider tails than normal ones, by their central 99 % over their 68 %."""
    low, left, right, high = np.quantile(values, [0.005, 0.16, 0.84, 0.995], axis=0)
    return high - low > MOST_TAIL * (right - left)


def fit_components(
    kind: Callable[..., Components], chunks: Iterable[Blocks], shape: Sequence[int], components: int
) -> Components:
    """Basis of the components of largest variance over all blocks, of images (side, side, band) in chunks."""
    length, number = (shape[0] // 2) ** 2 * shape[2], 0
    total, moments = np.zeros(length), [np.zeros((length, length)) for _ in range(BLOCKS)]
    for chunk in chunks:
        rows = [np.reshape(block, (len(block), -1)) for block in chunk]
        total += rows[0].sum(axis=0, dtype=np.float64)
        number += len(rows[0])
        for moment, row in zip(moments, rows, strict=True):
            moment += row.T @ row
    mean = total / number
    moments[0] -= number * np.outer(mean, mean)
    found = [_eigen(moment / number, min(components, length)) for moment in moments]
    ranked = np.sort(np.concatenate([values for values, _ in found]))[::-1]
    # A set of few images, or of padded ones, has fewer components than asked for.
    least = max(ranked[min(components, len(ranked)) - 1], _LEAST_VARIANCE * ranked[0])
    # Two that are mirror images of each other have the same variance, but for rounding: none goes alone.
    counts = [int(np.sum(values >= (1.0 - _ROUNDING) * least)) for values, _ in found]
    kept = [(values[:n], vectors[:n]) for (values, vectors), n in zip(found, counts, strict=True)]
    arrays = (
        jnp.asarray(mean.reshape(-1, shape[2]), jnp.float32),
        tuple(jnp.asarray(vectors, jnp.float16) for _, vectors in kept),
        jnp.asarray(np.sqrt(np.concatenate([values for values, _ in kept])), jnp.float32),
    )
    empty = kind(side=shape[0], bands=shape[2], components=counts)
    return eqx.tree_at(lambda basis: (basis.mean, basis.vectors, basis.scales), empty, arrays)


def _eigen(covariance: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest variances, falling, and their components as rows."""
    n = len(covariance)
    values, vectors = scipy.linalg.eigh(covariance, subset_by_index=[n - most, n - 1])
    return values[::-1], vectors.T[::-1]
