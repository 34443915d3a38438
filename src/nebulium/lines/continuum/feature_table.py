"""Continuum features of many spectra, as the table that the models read."""

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.data.batches import padded_batches
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.tables.table import Table
from nebulium.data.units import FLUX_UNIT
from nebulium.lines.continuum.bins import BIN_CENTRES_AA, MIN_COVERAGE, ContinuumBins
from nebulium.lines.continuum.features import continuum_features
from nebulium.lines.continuum.masks import HALF_WIDTH_KM_S, line_windows

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
    batches = [
        _batch_features(batch, windows, ivar_weighted, min_coverage) for batch in _padded(spectra, batch_size)
    ]
    nothing = np.zeros((0, BIN_CENTRES_AA.size), np.float32)
    flux, coverage = (
        np.concatenate([nothing, *(np.asarray(batch[part]) for batch in batches)])[: len(spectra)]
        for part in (0, 1)
    )
    settings = {
        "line_window_half_width_km_s": half_width_km_s,
        "ivar_weighted": ivar_weighted,
        "min_coverage": min_coverage,
    }
    return _features_table(spectra, flux, coverage, settings)


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


def _padded(spectra: Spectra, batch_size: int) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Batches of equal shape: the last is filled up with its own last row, pixels up to a multiple of 512."""
    extra = -spectra.wave_aa.shape[1] % PIXEL_MULTIPLE
    for rows, _ in padded_batches(len(spectra), batch_size):
        zeros = np.zeros((batch_size, extra), np.float32)
        yield (
            jnp.asarray(_prolonged(spectra.wave_aa[rows], extra)),
            jnp.asarray(np.hstack([spectra.flux_lambda[rows], zeros]), jnp.float32),
            jnp.asarray(np.hstack([spectra.ivar[rows], zeros]), jnp.float32),
            jnp.asarray(spectra.redshift[rows], jnp.float32),
        )


def _prolonged(wave_aa: Float[np.ndarray, "n wave"], extra: int) -> Float[np.ndarray, "n pixel"]:
    """Wavelengths that go on rising by the last step, so that the last pixel keeps its width."""
    last = wave_aa[:, -1:]
    step = last - wave_aa[:, -2:-1]
    return np.hstack([wave_aa, last + step * np.arange(1, extra + 1)]).astype(np.float32)


def _features_table(
    spectra: Spectra, flux: np.ndarray, coverage: np.ndarray, settings: dict[str, Any]
) -> Table:
    """Columns, their units, and how they were made."""
    columns = {"target_id": spectra.ids, "redshift": spectra.redshift}
    columns |= {f"continuum_flux_{place}": values for place, values in enumerate(flux.T)}
    columns |= {f"coverage_{place}": values for place, values in enumerate(coverage.T)}
    units = {f"continuum_flux_{place}": FLUX_UNIT for place in range(len(flux.T))}
    return Table(columns, units, spectra.name, {**spectra.metadata, **settings})
