"""Absorption by hydrogen between the galaxies: the mean transmission of Inoue et al. (2014)."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.sed.cosmology import Scalar, as_float
from nebulium.sed.ssp import SSPGrid

LYMAN_LIMIT_AA = 911.8
# Lines of the Lyman series, n = 2 to 40 (Inoue et al. 2014, Table 2): wavelength in AA, A_LAF,1, A_DLA,1.
# The other three columns of the table are these times a constant, so that the depth is continuous.
LYMAN_SERIES: Float[np.ndarray, "line 3"] = np.array(
    [
        [1215.67, 1.690e-02, 1.617e-04],
        [1025.72, 4.692e-03, 1.545e-04],
        [972.537, 2.239e-03, 1.498e-04],
        [949.743, 1.319e-03, 1.460e-04],
        [937.803, 8.707e-04, 1.429e-04],
        [930.748, 6.178e-04, 1.402e-04],
        [926.226, 4.609e-04, 1.377e-04],
        [923.150, 3.569e-04, 1.355e-04],
        [920.963, 2.843e-04, 1.335e-04],
        [919.352, 2.318e-04, 1.316e-04],
        [918.129, 1.923e-04, 1.298e-04],
        [917.181, 1.622e-04, 1.281e-04],
        [916.429, 1.385e-04, 1.265e-04],
        [915.824, 1.196e-04, 1.250e-04],
        [915.329, 1.043e-04, 1.236e-04],
        [914.919, 9.174e-05, 1.222e-04],
        [914.576, 8.128e-05, 1.209e-04],
        [914.286, 7.251e-05, 1.197e-04],
        [914.039, 6.505e-05, 1.185e-04],
        [913.826, 5.868e-05, 1.173e-04],
        [913.641, 5.319e-05, 1.162e-04],
        [913.480, 4.843e-05, 1.151e-04],
        [913.339, 4.427e-05, 1.140e-04],
        [913.215, 4.063e-05, 1.130e-04],
        [913.104, 3.738e-05, 1.120e-04],
        [913.006, 3.454e-05, 1.110e-04],
        [912.918, 3.199e-05, 1.101e-04],
        [912.839, 2.971e-05, 1.091e-04],
        [912.768, 2.766e-05, 1.082e-04],
        [912.703, 2.582e-05, 1.073e-04],
        [912.645, 2.415e-05, 1.065e-04],
        [912.592, 2.263e-05, 1.056e-04],
        [912.543, 2.126e-05, 1.048e-04],
        [912.499, 2.000e-05, 1.040e-04],
        [912.458, 1.885e-05, 1.032e-04],
        [912.420, 1.779e-05, 1.024e-04],
        [912.385, 1.682e-05, 1.017e-04],
        [912.353, 1.593e-05, 1.009e-04],
        [912.324, 1.510e-05, 1.002e-04],
    ]
)
LYMAN_ALPHA_AA = float(LYMAN_SERIES[0, 0])
# Steps of the transmission that a grid of templates, 20 AA wide, must know.
STEPS_AA = (LYMAN_LIMIT_AA, *(float(wave) for wave in LYMAN_SERIES[4::-1, 0]))
STEP_WIDTH = 1e-4  # of a step, relative to its wavelength
# Depth of a line over its coefficient, from each ratio of observed to rest wavelength on:
# factor x ratio^power, as (ratio, power, factor).
_FOREST_LINES = ((1.0, 1.2, 1.0), (2.2, 3.7, 2.2**-2.5), (5.7, 5.5, 2.2**-2.5 * 5.7**-1.8))
_DAMPED_LINES = ((1.0, 2.0, 1.0), (3.0, 3.0, 1.0 / 3.0))
Waves = Float[Array, " wave"]
Values = Float[Array, "..."]


def igm_transmission(wave_aa: Float[Array | np.ndarray, " wave"], redshift: Scalar | float) -> Waves:
    """Mean transmission of the intergalactic medium to a source, averaged over lines of sight.

    Lyman series and Lyman continuum of the Lyman-alpha forest and of damped systems (Inoue et al. 2014,
    MNRAS 442, 1805, equations 21, 22 and 25 to 29 with Table 2). Below the Lyman limit observed, 911.8 AA,
    where the Milky Way lets nothing through, the continuum absorption is that at the limit.

    The formulae are written as differences of antiderivatives, which makes them continuous, and with the
    fourth digit that public implementations give to their coefficients; they differ from the printed ones
    by rounding, at most 0.004 in transmission.

    Parameters
    ----------
    wave_aa : array (wave,)
        Observed wavelength, AA, above 0.
    redshift : scalar
        Of the source, not negative. At 0 the transmission is 1.

    Returns
    -------
    array (wave,), 0 to 1

    Examples
    --------
    >>> igm_transmission(jnp.array([3500.0, 4500.0, 4900.0]), 3.0).round(2)
    Array([0.42, 0.74, 1.  ], dtype=float32)
    """
    wave_aa, redshift = as_float(wave_aa), as_float(redshift)
    line, forest, damped = LYMAN_SERIES.T
    depth = _continuum_depth(wave_aa, redshift)
    depth += _series_depth(wave_aa, redshift, line, forest, _FOREST_LINES)
    depth += _series_depth(wave_aa, redshift, line, damped, _DAMPED_LINES)
    return jnp.exp(-depth)


def resolve_lyman_steps(ssp: SSPGrid) -> SSPGrid:
    """Add two wavelengths to templates at each of the strongest steps of the transmission.

    Transmission times a template of coarse steps is linear between its wavelengths, so that a step would be
    smeared over 20 AA and a band that cuts it be off by some per cent. The steps are those of the first five
    Lyman lines and of the Lyman limit; fluxes are interpolated.

    Parameters
    ----------
    ssp : SSPGrid

    Returns
    -------
    SSPGrid

    Examples
    --------
    >>> from nebulium.sed.ssp import load_ssp
    >>> resolve_lyman_steps(load_ssp()).flux.shape
    (6, 197, 854)
    """
    wave = np.asarray(ssp.wave_aa, np.float64)
    ends = np.outer(STEPS_AA, [1.0 - 0.5 * STEP_WIDTH, 1.0 + 0.5 * STEP_WIDTH]).ravel()
    inside = ends[(ends > wave[0]) & (ends < wave[-1])]
    finer = np.union1d(wave, inside)
    left = np.clip(np.searchsorted(wave, finer, side="right") - 1, 0, wave.size - 2)
    share = ((finer - wave[left]) / (wave[left + 1] - wave[left])).astype(np.float32)
    flux = np.asarray(ssp.flux)
    flux = (1.0 - share) * flux[..., left] + share * flux[..., left + 1]
    return SSPGrid(ssp.lgmet, ssp.lg_age_gyr, jnp.asarray(finer, ssp.wave_aa.dtype), jnp.asarray(flux))


def _series_depth(
    wave_aa: Waves,
    redshift: Scalar,
    line_aa: Float[np.ndarray, " line"],
    coefficient: Float[np.ndarray, " line"],
    pieces: tuple[tuple[float, float, float], ...],
) -> Waves:
    """Optical depth in the lines of the Lyman series (equations 21 and 22)."""
    ends = (*(start for start, _, _ in pieces[1:]), np.inf)
    depth = jnp.zeros_like(wave_aa)
    for (start, power, factor), end in zip(pieces, ends, strict=True):
        # A line absorbs at the redshift wave / line - 1, and absorbers lie between here and the source.
        farthest = jnp.minimum(1.0 + redshift, end)
        absorbs = (wave_aa[:, None] > start * line_aa[None, :].astype(wave_aa.dtype)) & (
            wave_aa[:, None] <= farthest * line_aa[None, :].astype(wave_aa.dtype)
        )
        # Powers of each wavelength and of each line, not of each of their ratios.
        per_line = jnp.asarray(factor * coefficient * (LYMAN_ALPHA_AA / line_aa) ** power, wave_aa.dtype)
        depth += (wave_aa / LYMAN_ALPHA_AA) ** power * (absorbs.astype(wave_aa.dtype) @ per_line)
    return depth


def _continuum_depth(wave_aa: Waves, redshift: Scalar) -> Waves:
    """Optical depth beyond the Lyman limit (equations 25 to 29)."""
    source = 1.0 + redshift
    nearest = jnp.minimum(jnp.maximum(wave_aa / LYMAN_LIMIT_AA, 1.0), source)
    forest = nearest**2.1 * (_forest_integral(source) - _forest_integral(nearest))
    few, many = _damped_integrals(source), _damped_integrals(nearest)
    damped = (few[0] - many[0]) - nearest**-0.3 * (few[1] - many[1])
    return jnp.maximum(forest + damped, 0.0)


def _forest_integral(scale: Values) -> Values:
    """Opacity of the forest up to 1 + z, for light at the limit today."""
    near, middle = -0.3248 * scale**-0.9, 2.545e-2 * scale**1.6 - 0.2496
    return jnp.where(scale < 2.2, near, jnp.where(scale < 5.7, middle, 5.221e-4 * scale**3.4 - 3.140e-2))


def _damped_integrals(scale: Values) -> tuple[Values, Values]:
    """The same of damped systems: all that block, and the share that lets harder light through."""
    near = scale < 3.0
    all_of_them = jnp.where(near, 0.2113 * scale**2, 0.6340 + 4.696e-2 * scale**3)
    return all_of_them, jnp.where(near, 7.661e-2 * scale**2.3, 0.2905 + 1.779e-2 * scale**3.3)
