"""The continuum of a galaxy in twelve bins, from any wavelength grid, and emission lines taken out of it."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from nebulium.lines.continuum.line_list import COMPONENTS

Scalar = Float[Array, ""]
Spectrum = Float[Array, " wave"]

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

    wave: Spectrum
    low: Spectrum
    high: Spectrum
    level: Spectrum
    slope: Spectrum
    good: Bool[Array, " wave"]


def continuum_bins(
    wave_aa: Spectrum,
    flux_lambda: Spectrum,
    ivar: Spectrum,
    redshift: Scalar,
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


def _relative(ivar: Spectrum, usable: Bool[Array, " wave"]) -> Spectrum:
    """Weights of at most one, so that no unit of flux overflows float32."""
    kept = jnp.where(usable, ivar, 0.0)
    return kept / jnp.maximum(kept.max(), jnp.finfo(kept.dtype).tiny)


def _as_pixels(wave: Spectrum, flux: Spectrum, ivar: Spectrum) -> _Pixels:
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
    level: Spectrum,
    good: Bool[Array, " wave"],
    gap: Bool[Array, " step"],
    half_width: Spectrum,
) -> Spectrum:
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


# Emission is taken out as by Khederlarian et al. (2024, MNRAS 531, 1454): inside a window around each line
# the spectrum becomes a straight line between the window's edges, unless that would raise its mean (then the
# window holds absorption, which stays). Their window widths are not published; ours are stated here.
SPEED_OF_LIGHT_KM_S = 299_792.458

# Half width of a window: three times the dispersion of the gas of a massive galaxy (300 km/s), which is
# 11 AA at [OII] and 20 AA at Halpha, and wider than the resolution of DESI and SDSS everywhere.
HALF_WIDTH_KM_S = 900.0

# Other lines strong enough to move a 300 AA bin of a star-forming galaxy by a few parts in a thousand,
# vacuum AA (NIST). HeI 5877 is left in: its window would end inside the NaD absorption (5892, 5898), and a
# straight line down into that costs more than the line adds.
OTHER_LINES_AA: dict[str, float] = {
    "NeIII_3869": 3869.86,
    "HZETA": 3890.15,
    "NeIII_3967_HEPSILON": 3970.0,
    "HDELTA": 4102.89,
    "OIII_4363": 4364.44,
    "OI_6300": 6302.05,
    "OI_6364": 6365.54,
}

# The level at each edge of a window is the median of the pixels this far outside of it; on a grid
# coarser than that, the nearest pixel.
EDGE_AA = 10.0
# So many pixels outside an edge are looked at: enough for EDGE_AA on a 0.8 AA grid with some masked.
EDGE_PIXELS = 24


def line_windows(half_width_km_s: float = HALF_WIDTH_KM_S) -> Float[np.ndarray, "window 2"]:
    """Windows that hold the emission lines between 3400 and 7000 AA; those that overlap are joined."""
    if not half_width_km_s > 0:
        raise ValueError(f"half_width_km_s must be positive, got {half_width_km_s}")
    waves = [part.wave_rest_aa for parts in COMPONENTS.values() for part in parts]
    waves = sorted([*waves, *OTHER_LINES_AA.values()])
    reach = half_width_km_s / SPEED_OF_LIGHT_KM_S
    return np.array(_joined([(wave * (1 - reach), wave * (1 + reach)) for wave in waves]), np.float32)


def _joined(windows: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Ascending windows, each merged with the one before where they overlap."""
    joined = [windows[0]]
    for low, high in windows[1:]:
        if low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined


def mask_lines(
    wave_rest_aa: Spectrum, flux: Spectrum, ivar: Spectrum, windows: Float[Array | np.ndarray, "window 2"]
) -> Spectrum:
    """Replace the emission inside each window by a straight line.

    A window changes only if the straight line lies below the spectrum on average, so that absorption stays,
    and only if there are good pixels on both sides. Noise has a price: without any line the lower of spectrum
    and straight line is chosen, which lowers the mean of the window by about 0.4 of its error.

    Parameters
    ----------
    wave_rest_aa : Array of shape (wave,)
        Rest wavelength in vacuum, AA, ascending.
    flux : Array of shape (wave,)
        Flux density per AA, any unit.
    ivar : Array of shape (wave,)
        Its inverse variance; 0 masks a pixel, which is neither used nor counted.
    windows : Array of shape (window, 2)
        First and last rest wavelength of each window, AA, disjoint: see `line_windows`.

    Returns
    -------
    Array of shape (wave,)
        Flux density without the emission.

    References
    ----------
    Khederlarian et al. 2024, MNRAS 531, 1454.

    Examples
    --------
    >>> wave = jnp.arange(6400.0, 6800.0)
    >>> line = 5 * jnp.exp(-0.5 * ((wave - 6564.61) / 3) ** 2)
    >>> bool(jnp.allclose(mask_lines(wave, 1 + line, jnp.ones(400), line_windows()), 1.0, atol=1e-3))
    True
    >>> trough = mask_lines(wave, 1 - 0.1 * line, jnp.ones(400), line_windows())
    >>> bool(jnp.allclose(trough, 1 - 0.1 * line))
    True
    """
    good = (ivar > 0) & jnp.isfinite(flux)
    clean = jnp.where(good, flux, 0.0)
    windows = jnp.asarray(windows, wave_rest_aa.dtype)
    inside = (wave_rest_aa[None] >= windows[:, :1]) & (wave_rest_aa[None] <= windows[:, 1:])
    blue = jax.vmap(lambda edge: _edge_level(wave_rest_aa, clean, good, edge, -1))(windows[:, 0])
    red = jax.vmap(lambda edge: _edge_level(wave_rest_aa, clean, good, edge, +1))(windows[:, 1])
    # Straight lines through two points each, (wavelength, level); NaN where a point is missing.
    slope = (red[:, 1:] - blue[:, 1:]) / (red[:, :1] - blue[:, :1])
    straight = blue[:, 1:] + slope * (wave_rest_aa[None] - blue[:, :1])
    counted = inside & good[None]
    excess = jnp.sum(jnp.where(counted, clean[None] - straight, 0.0), axis=1)
    replace = inside & (excess > 0)[:, None]
    return jnp.where(replace.any(axis=0), jnp.sum(jnp.where(replace, straight, 0.0), axis=0), flux)


def _edge_level(
    wave_aa: Spectrum, flux: Spectrum, good: Array, edge_aa: Scalar, side: int
) -> Float[Array, "2"]:
    """Mean wavelength and median flux of the good pixels just outside a window; NaN if there are none."""
    first = jnp.searchsorted(wave_aa, edge_aa, side="left" if side < 0 else "right")
    places = first + side * jnp.arange(EDGE_PIXELS) - (1 if side < 0 else 0)
    exists = (places >= 0) & (places < wave_aa.size)
    places = jnp.clip(places, 0, wave_aa.size - 1)
    usable = exists & good[places]
    distance = jnp.where(usable, jnp.abs(wave_aa[places] - edge_aa), jnp.inf)
    used = usable & (distance <= jnp.maximum(EDGE_AA, distance.min()))
    level = jnp.nanmedian(jnp.where(used, flux[places], jnp.nan))
    return jnp.stack([jnp.nanmean(jnp.where(used, wave_aa[places], jnp.nan)), level])
