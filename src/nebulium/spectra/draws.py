"""Spectra that are drawn: what they are made of, and how they look on any grid."""

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.lines.fixed_grid import bin_means
from nebulium.lines.injection.profiles import LINE_CENTRES_AA, line_spectrum, lsf_sigma_from_resolving_power
from nebulium.sed.cosmology import Scalar
from nebulium.spectra.continuum.basis import STEP, ContinuumBasis, Rest, Spectrum, resampled, rest_waves

#: Bands of the break at 4000 AA (Balogh et al. 1999, ApJ 527, 54).
BREAK_BLUE_AA, BREAK_RED_AA = (3850.0, 3950.0), (4000.0, 4100.0)
#: No bin of a continuum is fainter than this share of the flux in the window.
LEAST_SHARE = 1e-3


class SpectrumDraw(NamedTuple):
    """What a spectrum is made of.

    Attributes
    ----------
    coefficients : (component,) float32
        Of the continuum.
    log_flux : () float32
        Logarithm to base 10 of the continuum from 5400 to 5600 AA at rest, observed, 1e-17 erg/s/cm2/AA.
    redshift : () float32
    ew_aa : (10,) float32
        Rest-frame equivalent widths.
    """

    coefficients: Any
    log_flux: Any
    redshift: Any
    ew_aa: Any


def continuum_of(basis: ContinuumBasis, draw: SpectrumDraw) -> Rest:
    """The continuum on the grid of the components, 1e-17 erg/s/cm2/AA of the observed frame."""
    return 10.0**draw.log_flux * basis.continuum(draw.coefficients)


def bins_of(basis: ContinuumBasis, coefficients: Array) -> Float[Array, "12"]:
    """The continuum in the twelve bins of the models of lines, in units of the flux in the window."""
    matrix = jnp.asarray(_bin_matrix(basis.first, len(basis.mean)))
    return jnp.maximum(basis.continuum(coefficients) @ matrix, LEAST_SHARE)


@cache
def _bin_matrix(first: int, pixels: int) -> Float[np.ndarray, "rest 12"]:
    with jax.ensure_compile_time_eval():
        return np.asarray(bin_means(rest_waves(first, pixels)))


def render(
    basis: ContinuumBasis,
    draw: SpectrumDraw,
    wave_aa: Spectrum,
    *,
    at_rest: bool = False,
    normalised: bool = False,
    lines: bool = True,
    resolving_power: Float[Array, ""] | float | None = None,
    velocity_dispersion_km_s: Scalar | float = 80.0,
) -> Spectrum:
    """A drawn spectrum on a grid of wavelengths.

    Parameters
    ----------
    basis : ContinuumBasis
    draw : SpectrumDraw
        Of one galaxy.
    wave_aa : (wave,) float32
        In vacuum, AA, rising; observed frame, or rest frame if `at_rest`.
    at_rest, normalised : bool
        The spectrum in the rest frame (the same flux density, wavelengths over 1 + z); and divided by its
        continuum from 5400 to 5600 AA.
    lines : bool
        With emission lines.
    resolving_power : float, optional
        Wavelength over the full width at half maximum of the instrument: it widens lines and smooths the
        continuum, which is never sharper than the spectra that were learned from.
    velocity_dispersion_km_s : float
        Sigma of the gas.

    Returns
    -------
    (wave,) float32
        1e-17 erg/s/cm2/AA; NaN beyond the wavelengths that were learned.

    Examples
    --------
    >>> basis = ContinuumBasis(17681, 1571, 2)
    >>> draw = SpectrumDraw(jnp.zeros(2), jnp.array(1.0), jnp.array(0.1), jnp.zeros(10))
    >>> render(basis, draw, jnp.array([4000.0, 6000.0, 9000.0])).tolist()
    [10.0, 10.0, nan]
    """
    redshift = jnp.zeros(()) if at_rest else draw.redshift
    own = basis.continuum(draw.coefficients)
    if resolving_power is not None:
        own = _smoothed(own, resolving_power)
    own = own if normalised else 10.0**draw.log_flux * own
    (values, inside) = resampled(own[:, None], basis.first, wave_aa, redshift)
    found = values[:, 0]
    if lines:
        centres = jnp.asarray(LINE_CENTRES_AA)
        at_line, known = resampled(own[:, None], basis.first, centres, jnp.zeros(()))
        fluxes = jnp.where(known, draw.ew_aa * (1.0 + redshift) * at_line[:, 0], 0.0)
        lsf = jnp.zeros(())
        if resolving_power is not None:
            lsf = lsf_sigma_from_resolving_power(wave_aa, resolving_power)
        found += line_spectrum(
            wave_aa, fluxes, redshift, velocity_dispersion_km_s=velocity_dispersion_km_s, lsf_sigma_aa=lsf
        )
    return jnp.where(inside, found, jnp.nan)


def _smoothed(rest: Rest, resolving_power: Float[Array, ""] | float) -> Rest:
    """A spectrum seen at a resolving power: one width in velocity, thus in pixels."""
    sigma = 1.0 / (2.3548 * resolving_power * STEP)
    reach = 200
    offsets = jnp.arange(-reach, reach + 1, dtype=jnp.float32)
    kernel = jnp.exp(-0.5 * (offsets / jnp.maximum(sigma, 0.05)) ** 2)
    padded = jnp.pad(rest, reach, mode="edge")
    return jnp.convolve(padded, kernel / jnp.sum(kernel), mode="valid")


def break_4000(basis: ContinuumBasis, coefficients: Array) -> Scalar:
    """Dn4000: the ratio of the mean flux per hertz above the break to that below."""
    waves = basis.wave_rest_aa
    own = basis.continuum(coefficients) * waves**2

    def mean(band: tuple[float, float]) -> Scalar:
        inside = ((waves > band[0]) & (waves < band[1])).astype(np.float32)
        return jnp.sum(own * inside * waves) / jnp.sum(inside * waves)

    return mean(BREAK_RED_AA) / mean(BREAK_BLUE_AA)
