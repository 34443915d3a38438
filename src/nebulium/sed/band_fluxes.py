"""AB magnitudes of spectra and of emission lines, for detectors that count photons."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from nebulium.sed.cosmology import as_float
from nebulium.sed.filters import Filters
from nebulium.sed.piecewise import OnWaves, PiecewiseLinear
from nebulium.sed.spectrum import SPEED_OF_LIGHT_AA_S

AB_ZERO_NJY = 31.4  # -2.5 log10 f_nu - 48.60 in cgs, for nJy
_NJY_PER_FLUX_LAMBDA = 1e-17 * 1e32 / SPEED_OF_LIGHT_AA_S  # times AA^2


class Photometry(eqx.Module):
    """Brightness through filters.

    Parameters
    ----------
    mag_ab : array (band,)
        AB magnitude; NaN where the filter is not covered or the flux not positive.
    flux_njy : array (band,)
        Flux density, nJy; NaN where the filter is not covered.
    covered : array (band,) of bool
        Whether the spectrum spans the filter without a gap.
    """

    mag_ab: Float[Array, "*batch band"]
    flux_njy: Float[Array, "*batch band"]
    covered: Bool[Array, "*batch band"]


def photometry(wave_aa: OnWaves, flux_lambda: OnWaves, filters: Filters) -> Photometry:
    """Brightness of a spectrum through filters.

    The spectrum is integrated over each step of a filter, so that narrow lines count wherever they fall.

    Parameters
    ----------
    wave_aa : array (wave,)
        Observed wavelength, AA, increasing.
    flux_lambda : array (wave,)
        1e-17 erg/s/cm2/AA; NaN is a gap.
    filters : Filters

    Returns
    -------
    Photometry

    Examples
    --------
    >>> from nebulium.sed.filters import load_filters
    >>> wave = jnp.linspace(3000.0, 11000.0, 500)
    >>> photometry(wave, 1e17 * 0.1088 / wave**2, load_filters("sdss_r0")).mag_ab.round(2)
    Array([0.], dtype=float32)
    """
    wave_aa, flux_lambda = as_float(wave_aa), as_float(flux_lambda)
    covered = covers(wave_aa, flux_lambda, filters)
    return photometry_of_flux(mean_flux_njy(wave_aa, flux_lambda, filters), covered)


def mean_flux_njy(wave_aa: OnWaves, flux_lambda: OnWaves, filters: Filters) -> Float[Array, " band"]:
    """Mean of flux per hertz over each filter, weighted as a detector of photons does."""
    wave_aa, flux_lambda = as_float(wave_aa), as_float(flux_lambda)
    # Per hertz, not per Angstrom: the spectrum of hot stars then falls by a hundred to the red and not by
    # ten thousand, and differences of its running integral keep their digits.
    flux_njy = jnp.where(jnp.isnan(flux_lambda), 0.0, flux_lambda) * (_NJY_PER_FLUX_LAMBDA * wave_aa**2)
    integral = PiecewiseLinear(wave_aa, flux_njy).integral_to(filters.edges_aa.reshape(-1))
    return jnp.sum(filters.response * jnp.diff(integral.reshape(filters.edges_aa.shape), axis=-1), axis=-1)


def band_weights(
    wave_aa: Float[Array, " wave"], flux_lambda: Float[Array, " wave"], filters: Filters
) -> Float[Array, "band wave"]:
    """What each wavelength of a spectrum adds to its mean flux density through filters, nJy."""
    # Photometry is linear: its Jacobian stands for all spectra.
    per_flux = jax.jacrev(lambda flux: mean_flux_njy(wave_aa, flux, filters))(flux_lambda)
    return per_flux * flux_lambda[None, :]


def covers(wave_aa: OnWaves, flux_lambda: OnWaves, filters: Filters) -> Bool[Array, " band"]:
    """Whether a spectrum spans each filter without a gap."""
    wave_aa, flux_lambda = as_float(wave_aa), as_float(flux_lambda)
    low, high = filters.reach_aa[:, :1], filters.reach_aa[:, 1:]
    inside = (wave_aa[0] <= low[:, 0]) & (wave_aa[-1] >= high[:, 0])
    gaps = jnp.isnan(flux_lambda)[None, :] & (wave_aa[None, :] >= low) & (wave_aa[None, :] <= high)
    return inside & ~jnp.any(gaps, axis=-1)


def photometry_of_flux(flux_njy: Float[Array, " band"], covered: Bool[Array, " band"]) -> Photometry:
    """Magnitudes of flux densities, such as sums of those of a spectrum and of lines."""
    known = jnp.where(covered, flux_njy, jnp.nan)
    positive = known > 0
    # The inner `where` keeps the gradient finite where the magnitude is NaN.
    magnitude = AB_ZERO_NJY - 2.5 * jnp.log10(jnp.where(positive, flux_njy, 1.0))
    return Photometry(jnp.where(positive, magnitude, jnp.nan), known, covered)


def line_njy_per_flux(wave_aa: Float[Array, " line"], filters: Filters) -> Float[Array, "band line"]:
    """Mean flux density that a line of unit flux brings to each filter."""
    per_band = jax.vmap(_response_at, in_axes=(None, 0, 0))
    response = per_band(wave_aa, filters.edges_aa, filters.response)
    return response * (_NJY_PER_FLUX_LAMBDA * wave_aa**2)[None, :]


def _response_at(
    wave_aa: Float[Array, " line"], edges_aa: Float[Array, " edge"], response: Float[Array, " step"]
) -> Float[Array, " line"]:
    centres = 0.5 * (edges_aa[1:] + edges_aa[:-1])
    inside = (wave_aa >= edges_aa[0]) & (wave_aa <= edges_aa[-1])
    return jnp.where(inside, jnp.interp(wave_aa, centres, response), 0.0)
