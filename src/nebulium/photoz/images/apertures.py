"""Fluxes in circular apertures about the middle of an image: photometry that a network need not learn.

Stacked convolutions with normalised channels see shapes and gradients well and total fluxes badly; redshifts
hang on the ratios of fluxes to a few per cent. So these stand beside the encoder of an image.
"""

from functools import cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.nn.convolution import Image

#: Radii of the apertures, in halves of the side of the image.
RADII = np.array([0.06, 0.10, 0.15, 0.22, 0.32, 0.46, 0.66, 1.0])


def count_apertures(bands: int) -> int:
    """Length of the vector of `aperture_features`."""
    return len(RADII) * (2 * bands - 1)


def aperture_features(image: Image) -> Float[Array, " feature"]:
    """Arcsinh of the flux over its noise in each aperture and band, and the colours of neighbouring bands.

    Linear where there is only noise and logarithmic where there is light (Lupton et al. 1999, AJ 118, 1406),
    so that colours are differences. They stand by themselves, as brightness spreads a hundred times wider
    than the colours that tell redshifts apart.
    """
    inside, noise = (jnp.asarray(values) for values in _apertures(image.shape[0], image.shape[1]))
    flux = inside @ jnp.sinh(image.reshape(-1, image.shape[-1]))
    brightness = jnp.arcsinh(flux / noise[:, None])
    return jnp.concatenate([brightness.ravel(), jnp.diff(brightness, axis=1).ravel()])


@cache
def _apertures(height: int, width: int) -> tuple[Float[np.ndarray, "aperture pixel"], np.ndarray]:
    """Which pixels each aperture sums, the smallest at least the middle four, and the noise of the sums."""
    rows, columns = (np.arange(side) - 0.5 * (side - 1) for side in (height, width))
    radius = np.hypot(rows[:, None], columns[None, :]).ravel()
    inside = radius <= np.maximum(RADII[:, None] * 0.5 * min(height, width), 0.75)
    return inside.astype(np.float32), np.sqrt(inside.sum(axis=1)).astype(np.float32)
