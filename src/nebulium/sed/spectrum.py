"""From stars to spectra: composite populations, and how they look from afar."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from astropy import constants
from astropy import units as u
from jaxtyping import Array, Float

from nebulium.sed import dsps_adapter
from nebulium.sed.cosmology import DEFAULT_COSMOLOGY, Cosmology, age_gyr, as_float, observing_distance_mpc
from nebulium.sed.dust import AbstractDust, NoDust
from nebulium.sed.sfh import AbstractHistory, age_weights, mass_fraction_since
from nebulium.sed.ssp import SSPGrid

SPEED_OF_LIGHT_AA_S = float(constants.c.to_value("AA/s"))
RECENT_GYR = 0.1  # star-formation rates are means over this time
# Lsun/Hz over 4 pi Mpc^2 times c, in 1e-17 erg/s/cm2/AA times AA^2. As one number it fits float32.
_LSUN_AT_MPC = float((1.0 * u.Lsun / (4.0 * np.pi * u.Mpc**2)).to_value("erg / (s cm2)"))
_FLUX_SCALE = 1e17 * SPEED_OF_LIGHT_AA_S * _LSUN_AT_MPC


class Galaxy(eqx.Module):
    """What a synthetic galaxy is made of.

    Leaves are scalars; for many galaxies give arrays (n,) and `jax.vmap` the function that takes a galaxy.

    Parameters
    ----------
    history : AbstractHistory
        Shape of its star-formation history.
    log_mstar : scalar
        log10 of the surviving stellar mass in Msun, as catalogues have it;
        `RestSpectrum.log_mformed` tells the mass formed.
    redshift : scalar
        0 stands for rest frame at ten parsecs, so that magnitudes are absolute.
    lgmet : scalar, optional
        log10 of the mass fraction of metals in the stars, absolute: -1.7 is solar.
    lgmet_scatter : scalar, optional
        Scatter of the same in dex.
    dust : AbstractDust, optional

    Examples
    --------
    >>> from nebulium.sed.sfh import DelayedExponential
    >>> galaxy = Galaxy(DelayedExponential(age_gyr=8.0, tau_gyr=2.0), log_mstar=10.5, redshift=0.1)
    >>> float(galaxy.log_mstar)
    10.5
    """

    history: AbstractHistory
    log_mstar: Float[Array, "*batch"] = eqx.field(converter=as_float)
    redshift: Float[Array, "*batch"] = eqx.field(converter=as_float)
    lgmet: Float[Array, "*batch"] = eqx.field(converter=as_float, default=-1.7)
    lgmet_scatter: Float[Array, "*batch"] = eqx.field(converter=as_float, default=0.2)
    dust: AbstractDust = eqx.field(default_factory=NoDust)


class RestSpectrum(eqx.Module):
    """Spectrum of a galaxy's stars at rest, behind their dust.

    Parameters
    ----------
    wave_rest_aa : array (wave,)
        Rest wavelength, AA.
    lum_lsun_hz : array (wave,)
        Luminosity density, Lsun/Hz.
    log_mstar : scalar
        log10 surviving mass, Msun.
    log_mformed : scalar
        log10 of all mass ever formed, Msun.
    log_sfr : scalar
        log10 of the mean SFR over the last 100 Myr, Msun/yr; -inf where no star formed.
    """

    wave_rest_aa: Float[Array, "*batch wave"]
    lum_lsun_hz: Float[Array, "*batch wave"]
    log_mstar: Float[Array, "*batch"]
    log_mformed: Float[Array, "*batch"]
    log_sfr: Float[Array, "*batch"]


class RestSpectraOfParts(eqx.Module):
    """Spectra of the parts of a galaxy at rest, behind its dust.

    Parameters
    ----------
    lum_lsun_hz : array (part, wave)
        Luminosity density on the wavelengths of the templates, Lsun/Hz.
    log_mformed : scalar
        log10 of all mass ever formed in all parts, Msun.
    """

    lum_lsun_hz: Float[Array, "*batch part wave"]
    log_mformed: Float[Array, "*batch"]


class ObservedSpectrum(eqx.Module):
    """Spectrum as it arrives.

    Parameters
    ----------
    wave_aa : array (wave,)
        Observed wavelength, AA.
    flux_lambda : array (wave,)
        1e-17 erg/s/cm2/AA.
    """

    wave_aa: Float[Array, "*batch wave"]
    flux_lambda: Float[Array, "*batch wave"]


def rest_spectrum(galaxy: Galaxy, ssp: SSPGrid, cosmology: Cosmology = DEFAULT_COSMOLOGY) -> RestSpectrum:
    """Add up the templates of one galaxy's stars and dim them by its dust.

    Parameters
    ----------
    galaxy : Galaxy
    ssp : SSPGrid
    cosmology : Cosmology, optional
        Gives the age of the Universe at the galaxy's redshift.

    Returns
    -------
    RestSpectrum

    Examples
    --------
    >>> from nebulium.sed.sfh import Exponential
    >>> from nebulium.sed.ssp import load_ssp
    >>> spectrum = rest_spectrum(Galaxy(Exponential(8.0, 1.0), log_mstar=10.0, redshift=0.1), load_ssp())
    >>> round(float(spectrum.log_mformed), 2)
    10.23
    """
    t_obs = age_gyr(galaxy.redshift, cosmology)
    parts = rest_spectra_of_parts(galaxy, age_weights(galaxy.history, ssp.lg_age_gyr, t_obs)[None], ssp)
    recent = mass_fraction_since(galaxy.history, jnp.full(1, RECENT_GYR, t_obs.dtype), t_obs)[0]
    return RestSpectrum(
        wave_rest_aa=ssp.wave_aa,
        lum_lsun_hz=parts.lum_lsun_hz[0],
        log_mstar=galaxy.log_mstar,
        log_mformed=parts.log_mformed,
        log_sfr=parts.log_mformed + jnp.log10(recent / (RECENT_GYR * 1e9)),
    )


def rest_spectra_of_parts(
    galaxy: Galaxy, formed_share: Float[Array, "part age"], ssp: SSPGrid
) -> RestSpectraOfParts:
    """Spectra of the parts of one galaxy, such as bulge and disc, that differ in the ages of their stars.

    All parts have the galaxy's metallicity and dust, so that they add up to the galaxy's own spectrum
    whatever the parts.
    """
    by_metal = dsps_adapter.metallicity_weights(galaxy.lgmet, galaxy.lgmet_scatter, ssp.lgmet)
    log_mformed = log_mass_formed(galaxy.log_mstar, formed_share.sum(axis=0), ssp.lg_age_gyr)
    # One product of matrices over a batch: some ten times faster than to weigh each template and sum.
    weights = (by_metal[None, :, None] * formed_share[:, None, :]).reshape(formed_share.shape[0], -1)
    per_mass = weights @ ssp.flux.reshape(weights.shape[1], -1).astype(weights.dtype)
    dimming_dex = -0.4 * galaxy.dust.attenuation_mag(ssp.wave_aa)
    return RestSpectraOfParts(per_mass * 10.0 ** (log_mformed + dimming_dex)[None, :], log_mformed)


def log_mass_formed(
    log_mstar: Float[Array, ""], formed_share: Float[Array, " age"], lg_age_gyr: Float[Array, " age"]
) -> Float[Array, ""]:
    """log10 of all mass ever formed, Msun, of which `log_mstar` survives."""
    return log_mstar - jnp.log10(jnp.sum(formed_share * dsps_adapter.surviving_fraction(lg_age_gyr)))


def observe(
    wave_rest_aa: Float[Array | np.ndarray, " wave"],
    lum_lsun_hz: Float[Array | np.ndarray, " wave"],
    redshift: Float[Array, ""] | float,
    cosmology: Cosmology = DEFAULT_COSMOLOGY,
) -> ObservedSpectrum:
    """Redshift and dim a rest-frame spectrum, one's own from DSPS or that of `rest_spectrum`.

    Parameters
    ----------
    wave_rest_aa : array (wave,)
        Rest wavelength, AA.
    lum_lsun_hz : array (wave,)
        Luminosity density, Lsun/Hz, as DSPS gives it.
    redshift : scalar
        0 puts the source at ten parsecs.
    cosmology : Cosmology, optional

    Returns
    -------
    ObservedSpectrum

    Examples
    --------
    >>> wave, lum = jnp.array([5000.0, 6000.0]), jnp.array([1e-4, 1e-4])
    >>> observe(wave, lum, redshift=0.1).wave_aa
    Array([5500., 6600.], dtype=float32)
    """
    wave_rest_aa, lum_lsun_hz = as_float(wave_rest_aa), as_float(lum_lsun_hz)
    z = as_float(redshift)
    wave_aa = wave_rest_aa * (1.0 + z)
    return ObservedSpectrum(wave_aa, lum_lsun_hz * dilution(z, cosmology) / wave_aa**2)


def dilution(redshift: Float[Array, ""], cosmology: Cosmology) -> Float[Array, ""]:
    """Flux in 1e-17 erg/s/cm2/AA, times the square of the observed wavelength in AA, of one Lsun/Hz."""
    distance = observing_distance_mpc(redshift, cosmology)
    return (1.0 + redshift) * _FLUX_SCALE / distance / distance
