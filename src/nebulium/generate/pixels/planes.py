"""Principal components of stretched images in all eight orientations: a plane among the pixels.

They are found block by block, as those of `nebulium.generate.latent.basis`, but linear, and of images as
they lie.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.generate.latent.basis import BATCH, BLOCKS, Blocks, across, along, fit_components, join, split
from nebulium.nn.mapping import map_galaxies

Image = Float[Array, "side side band"]
Coefficients = Float[Array, " component"]


class Planes(eqx.Module):
    """Orthonormal components of images, and how far images scatter along them.

    Parameters
    ----------
    side, bands : int
        Of the images; the side even.
    components : sequence of int
        In each of the blocks of `split`.

    Attributes
    ----------
    mean : (values, band) float32
        The first block of the mean image; the others are zero.
    vectors : four of (component, values * band) float16
        Orthonormal rows.
    scales : (component,) float32
        Standard deviations along the components.
    """

    mean: Float[Array, "values band"]
    vectors: Blocks
    scales: Coefficients
    components: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, *, side: int, bands: int, components: Sequence[int]):
        self.components, values = tuple(components), (side // 2) ** 2
        self.mean = jnp.zeros((values, bands))
        self.vectors = tuple(jnp.zeros((n, values * bands), jnp.float16) for n in self.components)
        self.scales = jnp.ones(sum(self.components))

    @property
    def size(self) -> int:
        """Number of components."""
        return sum(self.components)

    @property
    def even(self) -> int:
        """So many of the components, the first, are the same in all mirrors of rows and columns."""
        return self.components[0]

    @property
    def mean_image(self) -> Image:
        """Of the images in all orientations."""
        return join([self.mean, *[jnp.zeros_like(self.mean)] * (BLOCKS - 1)])

    def coefficients(self, image: Image) -> Coefficients:
        """Places of an image along the components, in standard deviations."""
        return self._along(image - self.mean_image) / self.scales

    def image(self, coefficients: Coefficients) -> Image:
        """The image at these places."""
        return self.mean_image + self._across(coefficients * self.scales)

    def within(self, offset: Image) -> Image:
        """The part of an offset from the mean that components hold."""
        return self._across(self._along(offset))

    def every(self) -> Float[Array, "component side side band"]:
        """The components as images."""
        return jax.vmap(self._across)(jnp.eye(self.size))

    def shares(self) -> Image:
        """The share of the variance of each pixel's noise that components hold, were it the same in all."""
        return jnp.sum(self.every() ** 2, axis=0)

    def _along(self, offset: Image) -> Coefficients:
        return along(self.vectors, split(offset))

    def _across(self, amplitudes: Coefficients) -> Image:
        return join(across(self.vectors, amplitudes, self.mean.shape[1]))


def fit_planes(images: Callable[[], Iterable[np.ndarray]], components: int) -> Planes:
    """The components that hold most of the variance of images (n, side, side, band), in arrays of these."""

    def turned() -> Iterator[np.ndarray]:
        # Blocks are the same in all mirrors; with those on the diagonal all orientations are alike.
        for chunk in images():
            yield chunk
            yield np.swapaxes(chunk, 1, 2)

    blocks = (map_galaxies(split, chunk, batch=BATCH) for chunk in turned())
    return fit_components(Planes, blocks, next(iter(images())).shape[1:], components)
