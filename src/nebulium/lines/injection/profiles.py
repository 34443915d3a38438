"""Emission lines put into spectra: equivalent widths to fluxes, fluxes to pixels.

Rules, everywhere in this module:

- Line flux = rest-frame equivalent width x (1 + z) x observed continuum at the line.
- Wavelengths are in vacuum. The spectrum given is the continuum: it has no emission lines of its own.
- A missing equivalent width (NaN or infinite) adds nothing; a negative one takes flux away, as an absorption
  line of that width does. A line outside the spectrum, or in a gap (NaN), adds nothing either, and its flux
  is NaN.
- Pixels end half way between the wavelengths given; a hole in the data is a run of NaN, not a jump. Each
  receives the part of the line that falls into it, so that flux is conserved on any grid, also where a pixel
  is wider than the line.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf
from jaxtyping import Array, Float

from nebulium.lines.continuum.bins import SPEED_OF_LIGHT_KM_S, Spectrum
from nebulium.lines.continuum.line_list import (
    COMPONENTS,
    LINE_WAVES_AA,
    LINES,
    OII_3729_OVER_3727,
    OfLines,
    line_index,
)
from nebulium.lines.injection.line_grid import COMPONENT_WAVES_AA, pixel_edges
from nebulium.sed.cosmology import DEFAULT_COSMOLOGY, Cosmology, Scalar, as_float, observing_distance_mpc

FWHM_PER_SIGMA = 2.354820045
NARROWEST_AA = 1e-3  # a line without width is given this sigma, far below any pixel
# log10 of 4 pi Mpc^2 in cm2, times 1e-17.
_LOG_AREA = float(np.log10(4.0 * np.pi) + 2.0 * np.log10(3.0856775814913673e24) - 17.0)

LINE_CENTRES_AA: Float[np.ndarray, " line"] = np.array([LINE_WAVES_AA[line] for line in LINES], np.float32)
_COMPONENT_LINE = np.array([i for i, line in enumerate(LINES) for _ in COMPONENTS[line]])


class Line(eqx.Module):
    """One line of one galaxy.

    Parameters
    ----------
    name : str
    ew_aa : scalar
        Rest-frame equivalent width, AA, emission positive.
    line_flux : scalar
        Observed flux, 1e-17 erg/s/cm2.
    log_luminosity : scalar
        log10 of the luminosity in erg/s (which float32 cannot hold itself).
    """

    name: str = eqx.field(static=True)
    ew_aa: Float[Array, "*batch"]
    line_flux: Float[Array, "*batch"]
    log_luminosity: Float[Array, "*batch"]


class EmissionLines(eqx.Module):
    """The ten lines of a galaxy, in the order of `LINES`.

    Parameters
    ----------
    ew_aa : array (10,)
        Rest-frame equivalent width, AA, emission positive; NaN where missing.
    line_flux : array (10,)
        Observed flux, 1e-17 erg/s/cm2; NaN where missing.
    log_luminosity : array (10,)
        log10 of the luminosity in erg/s; NaN where missing or not positive.

    Examples
    --------
    >>> wave = jnp.linspace(3500.0, 8000.0, 900)
    >>> lines = emission_lines(wave, jnp.ones(900), jnp.full(10, 10.0), 0.1)
    >>> round(float(lines["HALPHA"].line_flux), 2)
    11.0
    """

    ew_aa: Float[Array, "*batch 10"]
    line_flux: Float[Array, "*batch 10"]
    log_luminosity: Float[Array, "*batch 10"]

    def __getitem__(self, name: str) -> Line:
        """Line by its name, such as "OIII_5007"."""
        i = line_index(name)
        return Line(name, self.ew_aa[..., i], self.line_flux[..., i], self.log_luminosity[..., i])


def emission_lines(
    wave_aa: Float[Array | np.ndarray, " wave"],
    flux_lambda: Float[Array | np.ndarray, " wave"],
    ew_aa: Float[Array | np.ndarray, "10"],
    redshift: Scalar | float,
    *,
    continuum_half_width_aa: float = 0.0,
    cosmology: Cosmology = DEFAULT_COSMOLOGY,
) -> EmissionLines:
    """Fluxes and luminosities of lines of given equivalent widths upon a continuum.

    Parameters
    ----------
    wave_aa : array (wave,)
        Observed wavelength in vacuum, AA, increasing.
    flux_lambda : array (wave,)
        Continuum, 1e-17 erg/s/cm2/AA; NaN is a gap.
    ew_aa : array (10,)
        Rest-frame equivalent widths in the order of `LINES`, emission positive; NaN is missing.
    redshift : scalar
        At 0 luminosities are those of a source at ten parsecs.
    continuum_half_width_aa : float, optional
        Take the continuum as the mean within so many rest-frame AA of the line (20 suits noisy
        spectra); 0 takes the spectrum's own value at the line, interpolated.
    cosmology : Cosmology, optional
        Gives the distance.

    Returns
    -------
    EmissionLines

    Examples
    --------
    >>> wave = jnp.linspace(3500.0, 8000.0, 900)
    >>> lines = emission_lines(wave, jnp.ones(900), jnp.full(10, 10.0), 0.1)
    >>> round(float(lines["HALPHA"].log_luminosity), 2)
    39.45
    """
    wave_aa, flux_lambda, ew_aa = as_float(wave_aa), as_float(flux_lambda), as_float(ew_aa)
    z = as_float(redshift)
    if continuum_half_width_aa > 0:
        continuum = _mean_near_lines(wave_aa, flux_lambda, z, continuum_half_width_aa)
    else:
        continuum = jnp.interp(LINE_CENTRES_AA * (1.0 + z), wave_aa, flux_lambda, left=jnp.nan, right=jnp.nan)
    return lines_on_continuum(continuum, ew_aa, z, cosmology)


def lines_on_continuum(
    continuum_at_lines: OfLines, ew_aa: OfLines, redshift: Scalar, cosmology: Cosmology = DEFAULT_COSMOLOGY
) -> EmissionLines:
    """Fluxes and luminosities where the continuum at each line is known."""
    known = jnp.isfinite(ew_aa) & jnp.isfinite(continuum_at_lines)
    # Zeros stand in for what is missing, or its NaN would reach every gradient.
    ew, continuum = jnp.where(known, ew_aa, 0.0), jnp.where(known, continuum_at_lines, 0.0)
    flux = ew * (1.0 + redshift) * continuum
    distance = observing_distance_mpc(redshift, cosmology)
    positive = known & (flux > 0)
    log_luminosity = jnp.log10(jnp.where(positive, flux, 1.0)) + 2.0 * jnp.log10(distance) + _LOG_AREA
    return EmissionLines(ew_aa, jnp.where(known, flux, jnp.nan), jnp.where(positive, log_luminosity, jnp.nan))


def add_lines(
    wave_aa: Float[Array | np.ndarray, " wave"],
    flux_lambda: Float[Array | np.ndarray, " wave"],
    ew_aa: Float[Array | np.ndarray, "10"],
    redshift: Scalar | float,
    *,
    velocity_dispersion_km_s: Scalar | float = 80.0,
    lsf_sigma_aa: Float[Array | np.ndarray, "..."] | float = 0.0,
    oii_ratio: Scalar | float = OII_3729_OVER_3727,
    continuum_half_width_aa: float = 0.0,
) -> Spectrum:
    """Put lines of given equivalent widths into a spectrum.

    Parameters
    ----------
    wave_aa : array (wave,)
        Observed wavelength in vacuum, AA, increasing; spacing as it comes.
    flux_lambda : array (wave,)
        Continuum, 1e-17 erg/s/cm2/AA; NaN is a gap and stays one.
    ew_aa : array (10,)
        Rest-frame equivalent widths in the order of `LINES`, emission positive; NaN is missing.
    redshift : scalar
        Of the galaxy.
    velocity_dispersion_km_s : scalar, optional
        Sigma of the gas.
    lsf_sigma_aa : scalar or array (wave,), optional
        Sigma of the instrument's line-spread function, observed AA; see `lsf_sigma_from_resolving_power`.
    oii_ratio : scalar, optional
        Flux of [OII] 3729 over 3727: 1.3, from about 1.45 at low density to 0.35 at high.
    continuum_half_width_aa : float, optional
        Take the continuum as the mean within so many rest-frame AA of the line; 0 takes the spectrum's
        own value at the line.

    Returns
    -------
    array (wave,), 1e-17 erg/s/cm2/AA

    Examples
    --------
    >>> wave = jnp.arange(3600.0, 9800.0, 0.8)
    >>> with_lines = add_lines(wave, jnp.ones(wave.size), jnp.full(10, 5.0), 0.1)
    >>> round(float(jnp.sum(with_lines - 1.0) * 0.8))
    55
    """
    wave_aa, flux_lambda = as_float(wave_aa), as_float(flux_lambda)
    lines = emission_lines(
        wave_aa, flux_lambda, ew_aa, redshift, continuum_half_width_aa=continuum_half_width_aa
    )
    return flux_lambda + line_spectrum(
        wave_aa,
        lines.line_flux,
        redshift,
        velocity_dispersion_km_s=velocity_dispersion_km_s,
        lsf_sigma_aa=lsf_sigma_aa,
        oii_ratio=oii_ratio,
    )


def line_spectrum(
    wave_aa: Float[Array | np.ndarray, " wave"],
    line_flux: Float[Array | np.ndarray, "10"],
    redshift: Scalar | float,
    *,
    velocity_dispersion_km_s: Scalar | float = 80.0,
    lsf_sigma_aa: Float[Array | np.ndarray, "..."] | float = 0.0,
    oii_ratio: Scalar | float = OII_3729_OVER_3727,
) -> Spectrum:
    """Flux density of lines alone, averaged over each pixel.

    Parameters
    ----------
    wave_aa : array (wave,)
        Wavelengths in vacuum, AA, observed frame.
    redshift : scalar
        Redshift of the galaxy.
    velocity_dispersion_km_s : scalar, optional
        Sigma of the gas.
    lsf_sigma_aa : scalar or array (wave,), optional
        Sigma of the instrument's line-spread function, observed AA.
    oii_ratio : scalar, optional
        Flux of [OII] 3729 over 3727: 1.3, from about 1.45 at low density to 0.35 at high.
    line_flux : array (10,)
        1e-17 erg/s/cm2; NaN adds nothing.
    redshift : scalar
        Of the galaxy.
    velocity_dispersion_km_s : scalar, optional
        Sigma of the gas.
    lsf_sigma_aa : scalar or array (wave,), optional
        Sigma of the instrument's line-spread function, observed AA.
    oii_ratio : scalar, optional
        Flux of [OII] 3729 over 3727.

    Returns
    -------
    array (wave,), 1e-17 erg/s/cm2/AA

    Examples
    --------
    >>> wave = jnp.array([3000.0, 4000.0, 5000.0, 6000.0, 7000.0, 8000.0])
    >>> line_spectrum(wave, jnp.zeros(10).at[6].set(500.0), 0.0)
    Array([0. , 0. , 0. , 0. , 0.5, 0. ], dtype=float32)
    """
    wave_aa, line_flux = as_float(wave_aa), as_float(line_flux)
    centres = jnp.asarray(COMPONENT_WAVES_AA) * (1.0 + as_float(redshift))
    sigma = _observed_sigma_aa(centres, wave_aa, as_float(velocity_dispersion_km_s), as_float(lsf_sigma_aa))
    edges = pixel_edges(wave_aa)
    below = 0.5 * erf((edges[None, :] - centres[:, None]) / (jnp.sqrt(2.0) * sigma[:, None]))
    per_pixel = component_fluxes(line_flux, oii_ratio) @ jnp.diff(below, axis=-1)
    return per_pixel / jnp.diff(edges)


def component_fluxes(
    line_flux: OfLines, oii_ratio: Scalar | float = OII_3729_OVER_3727
) -> Float[Array, " component"]:
    """Flux of each Gaussian: ten lines make eleven, for [OII] is two."""
    ratio = as_float(oii_ratio).astype(line_flux.dtype)
    doublet = jnp.stack([1.0 / (1.0 + ratio), ratio / (1.0 + ratio)])
    shares = jnp.concatenate([doublet, jnp.ones(len(_COMPONENT_LINE) - 2, line_flux.dtype)])
    return shares * jnp.where(jnp.isfinite(line_flux), line_flux, 0.0)[_COMPONENT_LINE]


def lsf_sigma_from_resolving_power(
    wave_aa: Float[Array, "..."], resolving_power: Float[Array, "..."] | float
) -> Float[Array, "..."]:
    """Sigma of the line-spread function of an instrument of given resolving power, wave / FWHM."""
    return wave_aa / (FWHM_PER_SIGMA * resolving_power)


def _observed_sigma_aa(
    centres: Float[Array, " component"],
    wave_aa: Spectrum,
    velocity_dispersion_km_s: Scalar,
    lsf_sigma_aa: Float[Array, "..."],
) -> Float[Array, " component"]:
    instrument = jnp.interp(centres, wave_aa, lsf_sigma_aa) if lsf_sigma_aa.ndim else lsf_sigma_aa
    gas = centres * (velocity_dispersion_km_s / SPEED_OF_LIGHT_KM_S)
    return jnp.sqrt(gas**2 + instrument**2 + NARROWEST_AA**2)


def _mean_near_lines(
    wave_aa: Spectrum, flux_lambda: Spectrum, redshift: Scalar, half_width_aa: float
) -> OfLines:
    """Mean of the good pixels near each line; NaN where there is none."""
    centres = LINE_CENTRES_AA * (1.0 + redshift)
    near = jnp.abs(wave_aa[None, :] - centres[:, None]) <= half_width_aa * (1.0 + redshift)
    good = near & jnp.isfinite(flux_lambda)[None, :]
    width = jnp.where(good, jnp.diff(pixel_edges(wave_aa))[None, :], 0.0)
    total = width.sum(axis=-1)
    summed = jnp.sum(width * jnp.where(good, flux_lambda[None, :], 0.0), axis=-1)
    return jnp.where(total > 0, summed / jnp.where(total > 0, total, 1.0), jnp.nan)
