"""The noise that components leave out: white in flux, of sky and photons, as the set itself shows it."""

from collections.abc import Iterable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from jaxtyping import Array, Float

from nebulium.data.images.stretches import MAD_TO_SIGMA, Stretch

Image = Float[Array, "side side band"]

#: Bins of brightness in which the scatter is measured, and the share of the pixels in the brightest.
BINS, LEAST_SHARE = 24, 1e-3


class PixelNoise(eqx.Module):
    """Variance of a pixel as a function of its brightness.

    Parameters
    ----------
    bands : int

    Attributes
    ----------
    sky_variance : (band,) float32
        In the square of the unit of the pixels.
    photon_variance : (band,) float32
        For a pixel of brightness 1.
    """

    sky_variance: Float[Array, " band"]
    photon_variance: Float[Array, " band"]

    def __init__(self, bands: int):
        self.sky_variance, self.photon_variance = jnp.ones(bands), jnp.zeros(bands)

    def scatter(self, pixels: Image) -> Image:
        """Standard deviations."""
        bright = jnp.maximum(pixels, 0.0) * self.photon_variance[None, None, :]
        return jnp.sqrt(self.sky_variance[None, None, :] + bright)


def stretched(pixels: Image, stretch: Stretch) -> Image:
    """Pixels as `Stretch.apply` makes them, inside a compiled function."""
    if stretch.kind == "asinh":
        return jnp.arcsinh(pixels / _softening(stretch))
    return pixels / 255.0 if stretch.kind == "display" else pixels


def unstretched(values: Image, stretch: Stretch) -> Image:
    """The inverse of `stretched`."""
    if stretch.kind == "asinh":
        return jnp.sinh(values) * _softening(stretch)
    return values * 255.0 if stretch.kind == "display" else values


def _softening(stretch: Stretch) -> Image:
    return jnp.asarray(stretch.softening, jnp.float32)[None, None, :]


def fit_noise(
    chunks: Iterable[tuple[np.ndarray, np.ndarray]], held: Float[np.ndarray, "side side band"]
) -> PixelNoise:
    """Noise of pixels (n, side, side, band), from chunks of them with what components make of them.

    Components have taken the share `held` of the variance of each pixel with them.
    """
    pairs = list(chunks)
    modelled = np.concatenate([model.reshape(-1, model.shape[-1]) for _, model in pairs])
    left = [(pixels - model) / np.sqrt(1.0 - held) for pixels, model in pairs]
    rest = np.concatenate([one.reshape(-1, one.shape[-1]) for one in left])
    fits = np.array([_fit_band(*of_band) for of_band in zip(modelled.T, rest.T, strict=True)], np.float32)
    empty = PixelNoise(len(fits))
    where = lambda noise: (noise.sky_variance, noise.photon_variance)  # noqa: E731
    return eqx.tree_at(where, empty, tuple(map(jnp.asarray, fits.T)))


def _fit_band(modelled: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Variance at brightness zero, and its rise with brightness; neither is negative.

    Medians: what components miss of a few galaxies is no noise.
    """
    order = np.argsort(modelled)[::-1]
    # Few pixels are bright: each bin holds a larger share of them than the next.
    ends = np.unique((len(order) * np.geomspace(LEAST_SHARE, 1.0, BINS)).astype(int))
    bins = [rows for rows in np.split(order, ends[:-1]) if len(rows)]
    bright = np.array([max(float(np.mean(modelled[rows])), 0.0) for rows in bins])
    variance = np.array([(MAD_TO_SIGMA * float(np.median(np.abs(left[rows])))) ** 2 for rows in bins])
    # The scatter of a variance goes with the variance itself.
    weight = np.sqrt([len(rows) for rows in bins]) / np.maximum(variance, 1e-30)
    columns = np.stack([np.ones(len(bins)), bright], axis=1)
    return scipy.optimize.nnls(columns * weight[:, None], variance * weight)[0]
