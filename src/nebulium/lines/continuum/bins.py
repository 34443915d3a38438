"""The continuum in twelve bins, from any wavelength grid, for one galaxy."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

# Twelve bins of 300 AA (Khederlarian et al. 2024).
BIN_EDGES_AA: Float[np.ndarray, " edge"] = np.linspace(3400.0, 7000.0, 13, dtype=np.float32)
BIN_CENTRES_AA: Float[np.ndarray, " bin"] = 0.5 * (BIN_EDGES_AA[1:] + BIN_EDGES_AA[:-1])
# A bin covered less than this is missing. The mean over what is left stands for the whole bin: with a fifth
# missing at one end it is off by 1 % in the middle of cases and by 8 % at worst (templates of Bruzual &
# Charlot 2003, 0.1 to 14 Gyr; the bins with the CaII and G bands).
MIN_COVERAGE = 0.8
# A step so many times longer than both its neighbours is a hole in the data, not a long pixel.
GAP_FACTOR = 5.0


class ContinuumBins(NamedTuple):
    """Continuum of one galaxy in twelve bins.

    Parameters
    ----------
    continuum_flux : Array of shape (12,)
        Mean observed-frame flux density over each bin, in the unit of the spectrum; NaN where covered too
        little.
    coverage : Array of shape (12,)
        Fraction of each bin that good pixels cover, 0 to 1.
    """

    continuum_flux: Float[Array, " bin"]
    coverage: Float[Array, " bin"]


class _Pixels(NamedTuple):
    """A spectrum as pieces of straight line: level and slope at `wave`, valid between `low` and `high`."""

    wave: Float[Array, " wave"]
    low: Float[Array, " wave"]
    high: Float[Array, " wave"]
    level: Float[Array, " wave"]
    slope: Float[Array, " wave"]
    good: Bool[Array, " wave"]


def continuum_bins(
    wave_aa: Float[Array, " wave"],
    flux_lambda: Float[Array, " wave"],
    ivar: Float[Array, " wave"],
    redshift: Float[Array, ""],
    *,
    ivar_weighted: bool = False,
    min_coverage: float = MIN_COVERAGE,
) -> ContinuumBins:
    """Mean observed-frame flux density over the twelve rest-wavelength bins, for any wavelength grid.

    Each pixel is a piece of straight line that reaches half way to its neighbours, and a bin is the integral
    of these pieces over the bin, divided by the wavelength covered. Whole pixels count with their own value,
    so on a regular grid whose pixels end where the bins end this is the plain mean of the pixels, the
    published definition; the slope (the smaller of those to both neighbours, 0 at an extremum) matters
    only for pixels that a bin's edge cuts. A spectrum that is a straight line is integrated exactly on every
    grid, also one coarser than the bins.

    Parameters
    ----------
    wave_aa : Array of shape (wave,)
        Observed wavelength in vacuum, AA, ascending. A step five times longer than both its neighbours is a
        gap.
    flux_lambda : Array of shape (wave,)
        Flux density per AA, any unit; emission lines masked before, see `mask_lines`.
    ivar : Array of shape (wave,)
        Its inverse variance; 0 masks a pixel. Ones for a model.
    redshift : Array of shape ()
        Redshift; 0 for a rest-frame spectrum.
    ivar_weighted : bool
        Weight each pixel by its inverse variance: less noise, but a mean pulled to where the data are good.
    min_coverage : float
        A bin covered less than this fraction is NaN.

    Returns
    -------
    ContinuumBins
        Fluxes in the unit given, observed frame (no factor of 1 + z), and the covered fractions. All NaN and
        0 if the redshift is NaN.

    References
    ----------
    Khederlarian et al. 2024, MNRAS 531, 1454.

    Examples
    --------
    >>> wave = jnp.arange(3400.0, 7000.0) + 0.5
    >>> bins = continuum_bins(wave, wave, jnp.ones(3600), jnp.array(0.0))
    >>> bins.continuum_flux[:3].round(2).tolist()
    [3550.0, 3850.0, 4150.0]
    """
    pixels = _as_pixels(wave_aa / (1.0 + redshift), flux_lambda, ivar)
    low = jnp.clip(pixels.low[None], BIN_EDGES_AA[:-1, None], BIN_EDGES_AA[1:, None])
    high = jnp.clip(pixels.high[None], BIN_EDGES_AA[:-1, None], BIN_EDGES_AA[1:, None])
    usable = pixels.good & jnp.isfinite(pixels.low) & jnp.isfinite(pixels.high)
    overlap = jnp.where(usable[None], high - low, 0.0)
    offset = jnp.where(usable[None], 0.5 * (low + high) - pixels.wave[None], 0.0)
    value = pixels.level[None] + pixels.slope[None] * offset
    coverage = jnp.minimum(overlap.sum(axis=1) / np.diff(BIN_EDGES_AA), 1.0)
    weight = overlap * _relative(ivar, usable)[None] if ivar_weighted else overlap
    total = weight.sum(axis=1)
    covered = (coverage >= min_coverage) & (total > 0)
    # The division is safe on both branches, or the gradient of a missing bin would be NaN for all.
    mean = jnp.sum(weight * value, axis=1) / jnp.where(covered, total, 1.0)
    return ContinuumBins(jnp.where(covered, mean, jnp.nan), coverage)


def _relative(ivar: Float[Array, " wave"], usable: Bool[Array, " wave"]) -> Float[Array, " wave"]:
    """Weights of at most one, so that no unit of flux overflows float32."""
    kept = jnp.where(usable, ivar, 0.0)
    return kept / jnp.maximum(kept.max(), jnp.finfo(kept.dtype).tiny)


def _as_pixels(
    wave: Float[Array, " wave"], flux: Float[Array, " wave"], ivar: Float[Array, " wave"]
) -> _Pixels:
    """Pieces of straight line around the given wavelengths."""
    good = (ivar > 0) & jnp.isfinite(flux)
    level = jnp.where(good, flux, 0.0)
    steps = jnp.diff(wave)
    gap = _gaps(steps)
    # Next to a gap a pixel is as wide on that side as on the other.
    half_up = 0.5 * jnp.append(jnp.where(gap, _shifted(steps, 1), steps), steps[-1])
    half_down = 0.5 * jnp.append(steps[0], jnp.where(gap, _shifted(steps, -1), steps))
    slope = _limited_slopes(steps, level, good, gap, jnp.maximum(half_up, half_down))
    return _Pixels(wave, wave - half_down, wave + half_up, level, slope, good)


def _shifted(steps: Float[Array, " step"], by: int) -> Float[Array, " step"]:
    """The step before (by = 1) or after (by = -1) each step; 0 where there is none."""
    rolled = jnp.roll(steps, by)
    return rolled.at[0 if by == 1 else -1].set(0.0)


def _gaps(steps: Float[Array, " step"]) -> Bool[Array, " step"]:
    """Steps much longer than both their neighbours."""
    longest = jnp.maximum(_shifted(steps, 1), _shifted(steps, -1))
    return (longest > 0) & (steps > GAP_FACTOR * longest)


def _limited_slopes(
    steps: Float[Array, " step"],
    level: Float[Array, " wave"],
    good: Bool[Array, " wave"],
    gap: Bool[Array, " step"],
    half_width: Float[Array, " wave"],
) -> Float[Array, " wave"]:
    """Slope in each pixel: the gentler of those to its good neighbours, 0 where they disagree in sign."""
    known = good[1:] & good[:-1] & ~gap & (steps > 0)
    rise = jnp.where(known, jnp.diff(level) / jnp.where(known, steps, 1.0), 0.0)
    none = jnp.zeros(1, rise.dtype)
    before, after = jnp.concatenate([none, rise]), jnp.concatenate([rise, none])
    has_before = jnp.concatenate([jnp.zeros(1, bool), known])
    has_after = jnp.concatenate([known, jnp.zeros(1, bool)])
    gentler = jnp.where(jnp.abs(before) < jnp.abs(after), before, after)
    inner = jnp.where(before * after > 0, gentler, 0.0)
    slope = jnp.where(has_before & has_after, inner, before + after)
    # No piece may cross zero: a positive spectrum has positive bins.
    steepest = jnp.abs(level) / jnp.where(half_width > 0, half_width, 1.0)
    return jnp.clip(slope, -steepest, steepest)
