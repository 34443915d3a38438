"""From spectra to what the models see: twelve continuum bins, their colours, a luminosity."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.data.glossary import FLUX_UNIT
from nebulium.data.spectra.spectrum_set import Spectra, prolonged
from nebulium.data.tables.table import Table
from nebulium.lines.continuum.bins import (
    HALF_WIDTH_KM_S,
    MIN_COVERAGE,
    ContinuumBins,
    continuum_bins,
    line_windows,
    mask_lines,
)
from nebulium.nn.mapping import in_batches
from nebulium.sed.cosmology import luminosity_distance_mpc

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


# Spectra of nearly the same length share one compiled function.
PIXEL_MULTIPLE = 512


def features_from_spectra(
    spectra: Spectra,
    *,
    half_width_km_s: float | None = HALF_WIDTH_KM_S,
    ivar_weighted: bool = False,
    min_coverage: float = MIN_COVERAGE,
    batch_size: int = 64,
) -> Table:
    """Continuum features of many spectra, as the table that the models read.

    Parameters
    ----------
    spectra : Spectra
        Observed spectra with redshifts; a row without one gets NaN.
    half_width_km_s : float, optional
        Half width of the windows in which emission is taken out, km/s; None if the spectra hold no lines.
    ivar_weighted : bool
        Weight each pixel by its inverse variance: less noise, but a mean pulled to where the data are good.
    min_coverage : float
        A bin covered less than this fraction is NaN.
    batch_size : int
        Spectra that go through the compiled function at once; the last batch is padded.

    Returns
    -------
    Table
        `target_id`, `redshift`, `continuum_flux_0` to `_11` and `coverage_0` to `_11`, in the same order; the
        settings stand in its metadata beside those of the spectra.

    Examples
    --------
    >>> wave = np.arange(3600.0, 9800.0, 4.0, dtype=np.float32)[None]
    >>> spectra = Spectra(ids=np.array([7]), wave_aa=wave, flux_lambda=np.ones_like(wave),
    ...                   ivar=np.ones_like(wave), redshift=np.array([0.1]))
    >>> table = features_from_spectra(spectra)
    >>> int(table["target_id"][0]), round(float(table["continuum_flux_3"][0]), 3)
    (7, 1.0)
    """
    windows = np.zeros((0, 2), np.float32) if half_width_km_s is None else line_windows(half_width_km_s)
    extra = -spectra.wave_aa.shape[1] % PIXEL_MULTIPLE

    def features(*rows: Array) -> ContinuumBins:
        return _batch_features(_padded(*rows, extra=extra), windows, ivar_weighted, min_coverage)

    parts = spectra.wave_aa, spectra.flux_lambda, spectra.ivar, np.asarray(spectra.redshift, np.float32)
    bins = in_batches(features, *parts, size=batch_size)
    settings = {
        "line_window_half_width_km_s": half_width_km_s,
        "ivar_weighted": ivar_weighted,
        "min_coverage": min_coverage,
    }
    return _features_table(spectra, bins.continuum_flux, bins.coverage, settings)


@eqx.filter_jit
def _batch_features(
    batch: tuple[Array, Array, Array, Array],
    windows: Float[Array | np.ndarray, "window 2"],
    ivar_weighted: bool,
    min_coverage: float,
) -> ContinuumBins:
    """The one place where galaxies become a batch."""

    def one(wave: Array, flux: Array, ivar: Array, redshift: Array) -> ContinuumBins:
        return continuum_features(
            wave, flux, ivar, redshift, windows, ivar_weighted=ivar_weighted, min_coverage=min_coverage
        )

    return jax.vmap(one)(*batch)


def _padded(
    wave: Array, flux: Array, ivar: Array, redshift: Array, *, extra: int
) -> tuple[Array, Array, Array, Array]:
    """Pixels up to a multiple of 512, without weight."""
    pad = ((0, 0), (0, extra))
    longer = jnp.asarray(prolonged(np.asarray(wave), extra))
    return longer, jnp.pad(flux, pad), jnp.pad(ivar, pad), redshift


def _features_table(
    spectra: Spectra, flux: np.ndarray, coverage: np.ndarray, settings: dict[str, Any]
) -> Table:
    """Columns, their units, and how they were made."""
    columns = {"target_id": spectra.ids, "redshift": spectra.redshift}
    columns |= {f"continuum_flux_{place}": values for place, values in enumerate(flux.T)}
    columns |= {f"coverage_{place}": values for place, values in enumerate(coverage.T)}
    units = {f"continuum_flux_{place}": FLUX_UNIT for place in range(len(flux.T))}
    return Table(columns, units, spectra.name, {**spectra.metadata, **settings})
