"""Steps of the chain on a rest-frame grid that never changes, prepared once and not for each galaxy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf
from jaxtyping import Array, Float, Int

from nebulium.lines.continuum.bins import BIN_EDGES_AA, SPEED_OF_LIGHT_KM_S
from nebulium.lines.injection.line_grid import COMPONENT_WAVES_AA, pixel_edges
from nebulium.lines.injection.profiles import NARROWEST_AA, component_fluxes
from nebulium.sed.piecewise import PiecewiseLinear

Scalar = Float[Array, ""]
REACH_KM_S = 1200.0  # of the fine pixels around each line: four times a broad velocity dispersion


class Interpolation(eqx.Module):
    """Linear interpolation between two grids that do not change, without a search.

    Parameters
    ----------
    left : array (point,)
        The node before each point.
    share : array (point,)
        How far each point is from there to the next node.
    """

    left: Int[Array, " point"]
    share: Float[Array, " point"]

    def __call__(self, values: Float[Array, " wave"]) -> Float[Array, " point"]:
        """Values at the points."""
        return (1.0 - self.share) * values[self.left] + self.share * values[self.left + 1]


class LineWindows(eqx.Module):
    """The pixels of a grid at rest that each line can reach: the error function is needed nowhere else.

    Parameters
    ----------
    pixels : array (component, window)
        Place of each pixel in the grid.
    edges_aa : array (component, window + 1)
        Their ends, rest-frame AA.
    n_pixels : int
        Of the whole grid.
    """

    pixels: Int[Array, "component window"]
    edges_aa: Float[Array, "component edge"]
    n_pixels: int = eqx.field(static=True)

    def spectrum(
        self, line_flux: Float[Array, "10"], redshift: Scalar, velocity_dispersion_km_s: Scalar
    ) -> Float[Array, " fine"]:
        """Flux density of the lines over the whole grid, as `line_spectrum` gives it."""
        sigma = COMPONENT_WAVES_AA * (velocity_dispersion_km_s / SPEED_OF_LIGHT_KM_S) + NARROWEST_AA
        offset = (self.edges_aa - COMPONENT_WAVES_AA[:, None]) / (jnp.sqrt(2.0) * sigma[:, None])
        share = 0.5 * jnp.diff(erf(offset)) / (jnp.diff(self.edges_aa) * (1.0 + redshift))
        density = component_fluxes(line_flux)[:, None] * share
        return jnp.zeros(self.n_pixels, density.dtype).at[self.pixels].add(density)


def interpolation(source: np.ndarray, target: np.ndarray) -> Interpolation:
    """Prepare the interpolation from one grid to another."""
    left = np.clip(np.searchsorted(source, target, side="right") - 1, 0, source.size - 2)
    share = (target - source[left]) / (source[left + 1] - source[left])
    return Interpolation(jnp.asarray(left), jnp.asarray(share, jnp.float32))


def windows_of_lines(wave_rest_aa: np.ndarray) -> LineWindows:
    """Find the pixels within 1200 km/s of each line."""
    edges = np.asarray(pixel_edges(jnp.asarray(wave_rest_aa)))
    reach = COMPONENT_WAVES_AA * (REACH_KM_S / SPEED_OF_LIGHT_KM_S)
    first = np.searchsorted(edges, COMPONENT_WAVES_AA - reach) - 1
    width = int((np.searchsorted(edges, COMPONENT_WAVES_AA + reach) - first).max())
    start = np.clip(first, 0, wave_rest_aa.size - width)[:, None]
    pixels, ends = start + np.arange(width), start + np.arange(width + 1)
    return LineWindows(jnp.asarray(pixels), jnp.asarray(edges[ends]), wave_rest_aa.size)


def bin_means(wave_rest_aa: np.ndarray) -> Float[Array, "wave 12"]:
    """Matrix that takes a spectrum on a fixed grid to its means in the twelve bins.

    For a grid without gaps it gives what `continuum_bins` does, to the order of the grid, but is linear:
    one product for a batch.
    """
    grid, edges = jnp.asarray(wave_rest_aa), jnp.asarray(BIN_EDGES_AA)

    def means(flux: Float[Array, " wave"]) -> Float[Array, "12"]:
        return jnp.diff(PiecewiseLinear(grid, flux).integral_to(edges)) / jnp.diff(edges)

    # The means are linear in the flux, so that their Jacobian anywhere is the matrix.
    return jax.jacrev(means)(jnp.zeros_like(grid)).T
