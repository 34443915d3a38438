"""Emission lines taken out of a spectrum, so that what is left is continuum.

The method is that of Khederlarian et al. (2024, MNRAS 531, 1454): inside a window around each
line the spectrum becomes a straight line between the window's edges, unless that would raise its mean (then
the window holds absorption, which stays). Their window widths are not published; ours are stated here.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.lines.continuum.line_list import COMPONENTS

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
    wave_rest_aa: Float[Array, " wave"],
    flux: Float[Array, " wave"],
    ivar: Float[Array, " wave"],
    windows: Float[Array | np.ndarray, "window 2"],
) -> Float[Array, " wave"]:
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
    straight = _straight(wave_rest_aa, blue, red)
    counted = inside & good[None]
    excess = jnp.sum(jnp.where(counted, clean[None] - straight, 0.0), axis=1)
    replace = inside & (excess > 0)[:, None]
    return jnp.where(replace.any(axis=0), jnp.sum(jnp.where(replace, straight, 0.0), axis=0), flux)


def _straight(
    wave_aa: Float[Array, " wave"],
    blue: Float[Array, "window 2"],
    red: Float[Array, "window 2"],
) -> Float[Array, "window wave"]:
    """Straight lines through two points each, (wavelength, level); NaN where a point is missing."""
    slope = (red[:, 1] - blue[:, 1]) / (red[:, 0] - blue[:, 0])
    return blue[:, 1:] + slope[:, None] * (wave_aa[None] - blue[:, :1])


def _edge_level(
    wave_aa: Float[Array, " wave"],
    flux: Float[Array, " wave"],
    good: Array,
    edge_aa: Float[Array, ""],
    side: int,
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
