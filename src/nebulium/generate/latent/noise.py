"""The noise that components leave out: white in flux, of sky and photons, as the set itself shows it."""

from collections.abc import Iterable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from jaxtyping import Array, Float

from nebulium.data.images.stretches import Stretch

Image = Float[Array, "side side band"]

#: Bins of brightness in which the scatter is measured, each with as many pixels.
BINS = 24


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


def fit_noise(chunks: Iterable[tuple[np.ndarray, np.ndarray]], share: float) -> PixelNoise:
    """Noise of pixels (n, side, side, band), from chunks of them with what components make of them.

    Components have taken the `share` of the noise with them.
    """
    pairs = list(chunks)
    modelled = np.concatenate([model.reshape(-1, model.shape[-1]) for _, model in pairs])
    left = np.concatenate([(pixels - model).reshape(-1, model.shape[-1]) for pixels, model in pairs])
    fits = [_fit_band(one, rest) for one, rest in zip(modelled.T, left.T, strict=True)]
    sky, photons = np.array(fits, np.float32).T / np.float32(1.0 - share)
    values = (jnp.asarray(sky), jnp.asarray(photons))
    empty = PixelNoise(len(fits))
    return eqx.tree_at(lambda noise: (noise.sky_variance, noise.photon_variance), empty, values)


def _fit_band(modelled: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Variance at brightness zero, and its rise with brightness; neither is negative."""
    bins = np.array_split(np.argsort(modelled), BINS)
    bright = np.array([max(float(np.mean(modelled[rows])), 0.0) for rows in bins])
    variance = np.array([float(np.mean(left[rows].astype(np.float64) ** 2)) for rows in bins])
    # The scatter of a variance goes with the variance itself.
    weight = 1.0 / np.maximum(variance, 1e-30)
    columns = np.stack([np.ones(BINS), bright], axis=1)
    return scipy.optimize.nnls(columns * weight[:, None], variance * weight)[0]
