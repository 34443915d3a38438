"""Grids of wavelength fine enough for emission lines, and the ends of their pixels."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.lines.continuum.bins import SPEED_OF_LIGHT_KM_S
from nebulium.lines.continuum.line_list import COMPONENTS, LINES

# Vacuum rest wavelength of each Gaussian: the ten lines are eleven, for [OII] is two.
COMPONENT_WAVES_AA: Float[np.ndarray, " component"] = np.array(
    [part.wave_rest_aa for line in LINES for part in COMPONENTS[line]], np.float32
)


def pixel_edges(wave_aa: Float[Array, " wave"]) -> Float[Array, " edge"]:
    """Ends of pixels, half way between their centres."""
    between = 0.5 * (wave_aa[1:] + wave_aa[:-1])
    first, last = 1.5 * wave_aa[:1] - 0.5 * wave_aa[1:2], 1.5 * wave_aa[-1:] - 0.5 * wave_aa[-2:-1]
    return jnp.concatenate([first, between, last])


def line_grid(
    wave_rest_aa: Float[np.ndarray | Array, " wave"], *, reach_km_s: float = 1200.0, step_km_s: float = 60.0
) -> Float[np.ndarray, " fine"]:
    """Add points around each line to a grid too coarse to show lines, such as that of the templates.

    The size of the result depends on the arguments alone: make the grid once, outside of what is jitted.
    """
    coarse = np.asarray(wave_rest_aa, np.float64)
    steps = np.arange(-np.ceil(reach_km_s / step_km_s), np.ceil(reach_km_s / step_km_s) + 1)
    around = COMPONENT_WAVES_AA.astype(np.float64)[:, None] * (1.0 + steps * step_km_s / SPEED_OF_LIGHT_KM_S)
    fine = np.sort(around[(around > coarse[0]) & (around < coarse[-1])])
    nearest = coarse[np.clip(np.searchsorted(coarse, fine), 1, coarse.size - 1) + np.array([[-1], [0]])]
    least = step_km_s / SPEED_OF_LIGHT_KM_S / 3.0
    fine = fine[np.all(np.abs(nearest - fine) > least * fine, axis=0)]
    return np.sort(np.concatenate([coarse, _spaced(fine, least)])).astype(np.float32)


def _spaced(wave: np.ndarray, least: float) -> np.ndarray:
    """Drop points that follow the one before by less than a fraction `least`."""
    kept: list[float] = []
    for point in wave:
        if not kept or point - kept[-1] > least * point:
            kept.append(point)
    return np.array(kept)
