"""Principal components of rest-frame continua, and where a spectrum on any grid lies along them.

Wavelengths are even in their logarithm, in vacuum. A continuum is its flux in a window without lines times
(mean + components @ coefficients), so that coefficients know nothing of how bright a galaxy is.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from nebulium.lines.continuum.bins import SPEED_OF_LIGHT_KM_S
from nebulium.lines.injection.line_grid import COMPONENT_WAVES_AA
from nebulium.modelfile import register
from nebulium.sed.cosmology import Scalar

Spectrum = Float[Array, " wave"]
Rest = Float[Array, " rest"]
Coefficients = Float[Array, " component"]

#: Of the logarithm of the wavelength from pixel to pixel: 138 km/s, two pixels of SDSS.
STEP = 4.6e-4
#: Where continua are 1: between the lines, and far from the break.
WINDOW_AA = (5400.0, 5600.0)
#: Light so near to one of the ten lines is left out: four times the dispersion of gas in most galaxies.
NEAR_LINE_KM_S = 350.0
_TINY = 1e-30


class Projection(NamedTuple):
    """Where a spectrum lies along the components.

    Attributes
    ----------
    coefficients : (component,) float32
    flux : () float32
        In the window, in the unit of the spectrum.
    chi_square : () float32
        Reduced.
    pixels : () float32
        Good pixels away from lines.
    """

    coefficients: Coefficients
    flux: Scalar
    chi_square: Scalar
    pixels: Scalar


@register
class ContinuumBasis(eqx.Module):
    """Mean and principal components of the continua of a set of galaxies.

    Parameters
    ----------
    first, pixels : int
        Wavelengths are exp(STEP (first + place)), in AA.
    components : int
    key : key, optional
        Not used: all is fitted.

    Attributes
    ----------
    mean : (rest,) float32
    components : (rest, component) float32
    scatter : (component,) float32
        Of the coefficients of the galaxies; their mean is 0.

    Examples
    --------
    >>> basis = ContinuumBasis(*grid_of(3400.0, 7000.0), 10)
    >>> basis.wave_rest_aa[[0, -1]].round().tolist()
    [3400.0, 7003.0]
    """

    mean: Rest
    components: Float[Array, "rest component"]
    scatter: Coefficients
    first: int = eqx.field(static=True)

    def __init__(self, first: int, pixels: int, components: int, *, key: Key[Array, ""] | None = None):
        self.first = first
        self.mean, self.components = jnp.ones(pixels), jnp.zeros((pixels, components))
        self.scatter = jnp.ones(components)

    @property
    def wave_rest_aa(self) -> Float[np.ndarray, " rest"]:
        """Wavelengths, AA."""
        return rest_waves(self.first, len(self.mean))

    def continuum(self, coefficients: Coefficients) -> Rest:
        """The continuum of a galaxy whose flux in the window is 1."""
        return self.mean + self.components @ coefficients

    def at(self, wave_aa: Spectrum, redshift: Scalar) -> tuple[Float[Array, "wave _"], Bool[Array, " wave"]]:
        """Mean and components at observed wavelengths, and whether these lie within the basis."""
        return resampled(jnp.column_stack([self.mean, self.components]), self.first, wave_aa, redshift)

    def project(self, wave_aa: Spectrum, flux: Spectrum, ivar: Spectrum, redshift: Scalar) -> Projection:
        """Coefficients of a spectrum on any grid, by its inverse variances and the scatter of galaxies.

        Where a spectrum says nothing of a component, its coefficient is 0.
        """
        design, inside = self.at(wave_aa, redshift)
        weight = jnp.where(inside & away_from_lines(wave_aa / (1.0 + redshift)), ivar, 0.0)
        weight = jnp.where(jnp.isfinite(flux), weight, 0.0)
        flux = jnp.where(weight > 0, flux, 0.0)
        mean = design[:, 0]
        level = jnp.sum(weight * flux * mean) / jnp.maximum(jnp.sum(weight * mean**2), _TINY)
        scale = jnp.where(level > 0, level, 1.0)
        # In units of the spectrum's own level, so that single precision holds the products.
        relative, weight = flux / scale, weight * scale**2
        prior = jnp.concatenate([jnp.zeros(1), 1.0 / self.scatter**2])
        normal = (design.T * weight[None, :]) @ design
        size = jnp.sqrt(jnp.diagonal(normal) + prior + _TINY)
        matrix = (normal + jnp.diag(prior)) / (size[:, None] * size[None, :])
        right = design.T @ (weight * relative)
        found = jnp.linalg.solve(matrix + 1e-6 * jnp.eye(len(size)), right / size) / size
        left = jnp.sum(weight * (relative - design @ found) ** 2)
        pixels = jnp.sum((weight > 0).astype(jnp.float32))
        free = jnp.maximum(pixels - len(found), 1.0)
        first = jnp.where(found[0] > 0, found[0], jnp.nan)
        return Projection(found[1:] / first, first * scale, left / free, pixels)


def rest_waves(first: int, pixels: int) -> Float[np.ndarray, " rest"]:
    """Wavelengths of a grid, AA."""
    return np.exp(STEP * (first + np.arange(pixels))).astype(np.float32)


def grid_of(lowest_aa: float, highest_aa: float) -> tuple[int, int]:
    """The first pixel and the number of pixels that reach from one wavelength to another."""
    first = int(np.floor(np.log(lowest_aa) / STEP))
    return first, int(np.ceil(np.log(highest_aa) / STEP)) - first + 1


def places(wave_aa: Spectrum, redshift: Scalar, first: int) -> Spectrum:
    """Places of observed wavelengths on a rest grid, in pixels."""
    # Two logarithms, each of a number near 1: single precision holds their sum to a hundredth of a pixel.
    origin = float(np.exp(STEP * first))
    return (jnp.log(wave_aa / origin) - jnp.log1p(redshift)) / STEP


def resampled(
    columns: Float[Array, "rest _"], first: int, wave_aa: Spectrum, redshift: Scalar
) -> tuple[Float[Array, "wave _"], Bool[Array, " wave"]]:
    """Columns on a rest grid at observed wavelengths, by straight lines; those at the ends beyond them."""
    last = len(columns) - 1
    at = places(wave_aa, redshift, first)
    inside = (at >= 0) & (at <= last)
    at = jnp.clip(at, 0.0, last)
    below = jnp.minimum(at.astype(jnp.int32), last - 1)
    share = (at - below.astype(jnp.float32))[:, None]
    return (1.0 - share) * columns[below] + share * columns[below + 1], inside


def away_from_lines(wave_rest_aa: Spectrum) -> Bool[Array, " wave"]:
    """Whether no line of the ten is near."""
    reach = NEAR_LINE_KM_S / SPEED_OF_LIGHT_KM_S
    near = jnp.abs(wave_rest_aa[:, None] / jnp.asarray(COMPONENT_WAVES_AA)[None, :] - 1.0) < reach
    return ~jnp.any(near, axis=1)


@eqx.filter_jit
def project_batch(
    basis: ContinuumBasis, wave_aa: Array, flux: Array, ivar: Array, redshift: Array
) -> Projection:
    """Many spectra."""
    return jax.vmap(basis.project)(wave_aa, flux, ivar, redshift)
