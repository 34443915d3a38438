"""From a spectrum to what the models see: twelve continuum bins, their colours, a luminosity.

Everything is written for one galaxy; `nebulium.lines.continuum.feature_table` batches it.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.lines.continuum.bins import (
    BIN_CENTRES_AA,
    BIN_EDGES_AA,
    MIN_COVERAGE,
    ContinuumBins,
    continuum_bins,
)
from nebulium.lines.continuum.masks import line_windows, mask_lines
from nebulium.sed.cosmology import luminosity_distance_mpc

__all__ = [
    "BIN_CENTRES_AA",
    "BIN_EDGES_AA",
    "LUMINOSITY_BIN",
    "MIN_COVERAGE",
    "ContinuumBins",
    "bins_against_window",
    "colours",
    "continuum_bins",
    "continuum_features",
    "line_windows",
    "log_luminosity",
    "mask_lines",
]

# The bin of the luminosity feature: 6100 to 6400 AA.
LUMINOSITY_BIN = 9


def continuum_features(
    wave_aa: Float[Array, " wave"],
    flux_lambda: Float[Array, " wave"],
    ivar: Float[Array, " wave"],
    redshift: Float[Array, ""],
    windows: Float[Array | np.ndarray, "window 2"] | None = None,
    *,
    ivar_weighted: bool = False,
    min_coverage: float = MIN_COVERAGE,
) -> ContinuumBins:
    """Take the emission lines out of a spectrum, then average it in the twelve bins."""
    windows = line_windows() if windows is None else windows
    continuum = mask_lines(wave_aa / (1.0 + redshift), flux_lambda, ivar, windows)
    return continuum_bins(
        wave_aa, continuum, ivar, redshift, ivar_weighted=ivar_weighted, min_coverage=min_coverage
    )


def colours(continuum_flux: Float[Array, "12"]) -> Float[Array, "11"]:
    """Logarithm of the ratio of each bin to the one before it.

    Parameters
    ----------
    continuum_flux : Array of shape (12,)
        Flux density per AA in the bins, any unit.

    Returns
    -------
    Array of shape (11,)
        log10(f[j + 1] / f[j]), in dex (no factor of 2.5); NaN next to a bin that is missing or not positive.

    Examples
    --------
    >>> colours(10.0 ** jnp.arange(12.0)).round(3).tolist()[:2]
    [1.0, 1.0]
    """
    positive = continuum_flux > 0
    logs = jnp.where(positive, jnp.log10(jnp.where(positive, continuum_flux, 1.0)), jnp.nan)
    return jnp.diff(logs)


def log_luminosity(continuum_flux: Float[Array, "12"], redshift: Float[Array, ""]) -> Float[Array, ""]:
    """Logarithm of the luminosity in the bin from 6100 to 6400 AA, in the published unit.

    Parameters
    ----------
    continuum_flux : Array of shape (12,)
        Observed-frame flux density in the bins, 1e-17 erg/s/cm2/AA.
    redshift : Array of shape ()
        Redshift.

    Returns
    -------
    Array of shape ()
        log10(f (1 + z) D_L^2), D_L in Mpc for H0 = 70 km/s/Mpc, Om0 = 0.3, flat; add 33.08 for
        erg/s/AA. NaN at redshift 0, where it means nothing.

    References
    ----------
    Khederlarian et al. 2024, MNRAS 531, 1454.

    Examples
    --------
    >>> round(float(log_luminosity(jnp.full(12, 10.0), jnp.array(0.15))), 2)
    6.77
    """
    flux = continuum_flux[LUMINOSITY_BIN]
    known = (flux > 0) & (redshift > 0)
    away = jnp.where(known, redshift, 1.0)
    distance = luminosity_distance_mpc(away)
    value = jnp.log10(jnp.where(known, flux, 1.0)) + jnp.log10(1.0 + away) + 2.0 * jnp.log10(distance)
    return jnp.where(known, value, jnp.nan)


def bins_against_window(
    wave_aa: Float[Array, " wave"],
    flux_lambda: Float[Array, " wave"],
    ivar: Float[Array, " wave"],
    redshift: Float[Array, ""],
    half_widths_km_s: Sequence[float] = (300.0, 600.0, 900.0, 1200.0, 1500.0),
) -> Float[Array, "width 12"]:
    """What the choice of window does to the bins of one galaxy."""
    default = continuum_features(wave_aa, flux_lambda, ivar, redshift)
    changed = [
        continuum_features(wave_aa, flux_lambda, ivar, redshift, line_windows(width))
        for width in half_widths_km_s
    ]
    return jnp.stack([bins.continuum_flux / default.continuum_flux for bins in changed])
