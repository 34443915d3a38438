"""Emission lines into many observed or synthetic spectra at once."""

from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.data.ids import hash_ids
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.lines.continuum.bins import Spectrum, line_windows, mask_lines
from nebulium.lines.continuum.features import PIXEL_MULTIPLE
from nebulium.lines.continuum.line_list import Continua, Continuum, OfLines, Widths
from nebulium.lines.injection.profiles import (
    FWHM_PER_SIGMA,
    LINE_CENTRES_AA,
    EmissionLines,
    emission_lines,
    line_spectrum,
)
from nebulium.lines.model import LineModel
from nebulium.lines.observed import completions
from nebulium.nn.mapping import map_galaxies
from nebulium.sed.cosmology import Scalar

# The continuum under a line is the mean within so many rest-frame AA of it, emission taken out: the value of
# one pixel would be noise.
CONTINUUM_HALF_WIDTH_AA = 20.0
BATCH = 64


@dataclass(frozen=True, eq=False)
class InjectedSpectra:
    """Spectra with lines, and the lines.

    Parameters
    ----------
    spectra : Spectra
        Those given, with lines; inverse variances as they were.
    lines : EmissionLines
        Arrays (n, 10); the flux is NaN, and nothing was added, where a line falls outside the spectrum or
        into a gap, or where noise makes the continuum negative.
    """

    spectra: Spectra
    lines: EmissionLines


def inject_lines(
    spectra: Spectra,
    ew_aa: Widths,
    *,
    velocity_dispersion_km_s: float = 80.0,
    resolving_power: float | None = None,
) -> InjectedSpectra:
    """Put lines of given equivalent widths into spectra, upon whatever is in them.

    Parameters
    ----------
    spectra : Spectra
        With redshifts.
    ew_aa : ndarray of shape (n, 10)
        Rest-frame equivalent widths in the order of `LINES`, AA, emission positive; NaN is missing.
    velocity_dispersion_km_s : float
        Sigma of the gas.
    resolving_power : float, optional
        Wavelength over the FWHM of the instrument's line-spread function. If not given, that of the file
        is taken, or none if it has none.

    Returns
    -------
    InjectedSpectra

    Examples
    --------
    >>> wave = np.arange(3600.0, 9800.0, 2.0, dtype=np.float32)[None]
    >>> ones = np.ones_like(wave)
    >>> injected = inject_lines(
    ...     Spectra(np.array([7]), wave, ones, ones, np.array([0.1])), np.full((1, 10), 10.0, np.float32))
    >>> round(float(np.sum(injected.spectra.flux_lambda - 1.0) * 2.0))
    110
    """
    pixels = spectra.wave_aa.shape[1]
    longer = spectra.padded(pixels + -pixels % PIXEL_MULTIPLE)
    lsf = _lsf_sigma_aa(longer, resolving_power)
    dispersion = jnp.asarray(velocity_dispersion_km_s, jnp.float32)
    parts = longer.wave_aa, longer.flux_lambda, longer.ivar, longer.redshift, lsf, ew_aa
    flux, lines = map_galaxies(
        eqx.Partial(_injected, dispersion), *(np.asarray(part, np.float32) for part in parts), batch=BATCH
    )
    metadata = {
        "lines_added": {
            "velocity_dispersion_km_s": velocity_dispersion_km_s,
            "resolving_power": resolving_power
            or ("of the file" if spectra.lsf_sigma_aa is not None else None),
        }
    }
    with_lines = replace(spectra, flux_lambda=flux[:, :pixels], metadata={**spectra.metadata, **metadata})
    return InjectedSpectra(with_lines, lines)


def sample_ews(
    model: LineModel,
    ids: np.ndarray,
    continuum_flux: Continua,
    redshift: Float[np.ndarray, " n"],
    *,
    seed: int,
) -> Widths:
    """One draw of the ten intrinsic equivalent widths for each galaxy.

    Parameters
    ----------
    model : LineModel
        Gives the distribution of the widths.
    ids : ndarray of int or str of shape (n,)
        The draw depends on the id and the seed, not on the order of the rows.
    continuum_flux : ndarray of shape (n, 12)
        NaN where a bin is missing: it is drawn with the lines, from galaxies of the training set.
    redshift : ndarray of shape (n,)
        Not used by a model without luminosity.
    seed : int
        Names the draw.

    Returns
    -------
    ndarray of float32 of shape (n, 10)
        AA, in the order of `LINES`.

    Examples
    --------
    >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
    >>> ones, zeros = np.ones((2, 12), np.float32), np.zeros(2, np.float32)
    >>> drawn = sample_ews(model, np.array([7, 8]), ones, zeros, seed=1)
    >>> again = sample_ews(model, np.array([8, 7]), ones, zeros, seed=1)
    >>> drawn.shape, bool(np.all(drawn == again[::-1]))
    ((2, 10), True)
    """
    hashes = hash_ids(ids, seed=f"sample {seed}")
    halves = np.stack([hashes >> np.uint64(32), hashes & np.uint64(0xFFFFFFFF)], axis=1).astype(np.uint32)
    draw = eqx.Partial(_drawn, model)
    widths: Widths = map_galaxies(draw, continuum_flux, redshift, halves, batch=BATCH)
    return widths


def _drawn(model: LineModel, flux: Continuum, redshift: Scalar, half: Array) -> OfLines:
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(0), half[0]), half[1])
    return sample_one(model, flux, redshift, key)


def sample_one(model: LineModel, continuum_flux: Continuum, redshift: Scalar, key: Key[Array, ""]) -> OfLines:
    """One draw of the ten equivalent widths of one galaxy, whether or not a bin is missing."""
    key_of_bins, key_of_lines = jax.random.split(key)
    filled = completions(model, continuum_flux, redshift)
    chosen = filled.continuum_flux[jax.random.categorical(key_of_bins, jnp.log(filled.weight))]
    complete = jnp.where(jnp.isnan(continuum_flux), chosen, continuum_flux)
    return model.density(complete, redshift).sample(key_of_lines, 1)[0]


def _injected(
    dispersion: Array, wave: Array, flux: Array, ivar: Array, redshift: Array, lsf: Array, ew_aa: Array
) -> tuple[Array, EmissionLines]:
    lines = _lines_on(wave, flux, ivar, redshift, ew_aa)
    added = line_spectrum(
        wave, lines.line_flux, redshift, velocity_dispersion_km_s=dispersion, lsf_sigma_aa=lsf
    )
    return flux + jnp.where(ivar > 0, added, 0.0), lines


def _lines_on(
    wave: Spectrum, flux: Spectrum, ivar: Spectrum, redshift: Scalar, ew_aa: OfLines
) -> EmissionLines:
    """Lines upon the mean continuum near each; on a grid too coarse for that, upon the value at the line."""
    windows = jnp.asarray(line_windows())
    continuum = jnp.where(ivar > 0, mask_lines(wave / (1.0 + redshift), flux, ivar, windows), jnp.nan)
    at_line = emission_lines(wave, continuum, ew_aa, redshift)
    near = emission_lines(wave, continuum, ew_aa, redshift, continuum_half_width_aa=CONTINUUM_HALF_WIDTH_AA)
    chosen = jax.tree.map(lambda a, b: jnp.where(jnp.isfinite(a), a, b), near, at_line)
    # A line in a gap wider than itself has a mean nearby, but no place in the spectrum; and noise can make a
    # continuum negative, where an equivalent width has no meaning.
    kept = _seen(wave, ivar, redshift) & (chosen.line_flux * ew_aa >= 0)
    return EmissionLines(
        ew_aa, jnp.where(kept, chosen.line_flux, jnp.nan), jnp.where(kept, chosen.log_luminosity, jnp.nan)
    )


def _seen(wave: Spectrum, ivar: Spectrum, redshift: Scalar) -> Array:
    """Whether the good pixels reach over each line's centre, with one of them beside it."""
    place, good = jnp.searchsorted(wave, jnp.asarray(LINE_CENTRES_AA) * (1.0 + redshift)), ivar > 0
    inside = (place > jnp.argmax(good)) & (place < wave.size - jnp.argmax(good[::-1]))
    right = jnp.clip(place, 1, wave.size - 1)
    return inside & (good[right] | good[right - 1])


def _lsf_sigma_aa(spectra: Spectra, resolving_power: float | None) -> Float[np.ndarray, "n wave"]:
    if resolving_power is not None:
        return spectra.wave_aa / np.float32(FWHM_PER_SIGMA * resolving_power)
    if spectra.lsf_sigma_aa is None:
        return np.zeros_like(spectra.wave_aa)
    return np.nan_to_num(spectra.lsf_sigma_aa, nan=0.0)
