"""Principal components of whole spectra at rest, lines and all."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Spectrum = Float[Array, " wave"]
Values = Float[Array, " component"]


class Pairs(NamedTuple):
    """Images of galaxies with their spectra.

    Attributes
    ----------
    images : (n, side, side, band) float32
        Prepared, square.
    spectra : (n, wave) float32
        At rest, in units of the continuum, on one grid.
    """

    images: Float[np.ndarray, "n side side band"]
    spectra: Float[np.ndarray, "n wave"]


class SpectrumComponents(eqx.Module):
    """Mean and principal components of a set of spectra.

    Attributes
    ----------
    mean : (wave,) float32
    axes : (component, wave) float32
    scale : (component,) float32
        Standard deviations along the axes.
    """

    mean: Spectrum
    axes: Float[Array, "component wave"]
    scale: Values

    def __init__(self, spectra: Float[np.ndarray, "n wave"], count: int):
        mean = spectra.mean(axis=0, dtype=np.float64)
        offset = spectra - mean
        variance, axes = np.linalg.eigh(offset.T @ offset / len(spectra))
        strongest = np.argsort(variance)[::-1][:count]
        self.mean, self.axes = jnp.asarray(mean, jnp.float32), jnp.asarray(axes.T[strongest], jnp.float32)
        self.scale = jnp.asarray(np.sqrt(np.maximum(variance[strongest], 1e-12)), jnp.float32)

    def __call__(self, spectrum: Spectrum) -> Values:
        """Components of a spectrum, of unit variance."""
        return self.axes @ (spectrum - self.mean) / self.scale

    def spectrum(self, values: Values) -> Spectrum:
        """The spectrum that has such components."""
        return self.mean + (values * self.scale) @ self.axes
