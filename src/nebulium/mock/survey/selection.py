"""Galaxies as a survey measures them, before any image: photometric noise, limits, spectroscopic labels."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from nebulium.mock.images.noise import flux_error_njy
from nebulium.mock.instruments import Instrument
from nebulium.sed.band_fluxes import AB_ZERO_NJY

Scalar = Float[Array, ""]
#: Zero points and models of the PSF limit the photometry of bright galaxies, mag.
FLOOR_MAG = 0.01
MAG_PER_LN = float(2.5 / np.log(10.0))


class MeasuredPhotometry(eqx.Module):
    """Total fluxes as a survey measures them.

    Parameters
    ----------
    flux_njy, flux_err_njy : array (band,)
        Flux density with noise, which may be negative, and its standard error, nJy.
    mag_ab, mag_err : array (band,)
        The same in AB magnitudes; NaN where the flux is not positive.
    """

    flux_njy: Float[Array, "*n band"]
    flux_err_njy: Float[Array, "*n band"]
    mag_ab: Float[Array, "*n band"]
    mag_err: Float[Array, "*n band"]


class PhotometricNoise(eqx.Module):
    """Errors of total fluxes, from the depth of a survey.

    A point source at the depth has five sigma. A galaxy of half-light radius r covers more sky: its error
    is larger by sqrt(1 + (2 r / FWHM)^2), the growth of the radius of a matched Gaussian aperture.
    One per cent of the flux is added in quadrature.

    Parameters
    ----------
    point_source_njy : array (band,)
        Standard error of the flux of a point source, nJy.
    psf_fwhm_arcsec : array (band,)
    """

    point_source_njy: Float[Array, " band"]
    psf_fwhm_arcsec: Float[Array, " band"]

    def __call__(
        self, flux_njy: Float[Array, " band"], radius_arcsec: Scalar, key: Key[Array, ""]
    ) -> MeasuredPhotometry:
        """Measure the fluxes of one galaxy."""
        growth = jnp.sqrt(1.0 + (2.0 * radius_arcsec / self.psf_fwhm_arcsec) ** 2)
        error = jnp.hypot(self.point_source_njy * growth, FLOOR_MAG / MAG_PER_LN * flux_njy)
        measured = flux_njy + error * jax.random.normal(key, flux_njy.shape, flux_njy.dtype)
        positive = jnp.where(measured > 0, measured, jnp.nan)
        return MeasuredPhotometry(
            measured, error, AB_ZERO_NJY - 2.5 * jnp.log10(positive), MAG_PER_LN * error / positive
        )


def photometric_noise(instrument: Instrument) -> PhotometricNoise:
    """Noise of the photometry through an instrument's bands."""
    fwhm = np.array([band.psf_fwhm_arcsec for band in instrument.bands])
    return PhotometricNoise(
        jnp.asarray(flux_error_njy(instrument), jnp.float32), jnp.asarray(fwhm, jnp.float32)
    )


@dataclass(frozen=True)
class MagnitudeLimit:
    """The magnitude down to which a survey goes.

    Parameters
    ----------
    band : str
        Name of the band of the survey's instrument.
    faintest_mag_ab : float
        Limit in measured total AB magnitude.
    """

    band: str
    faintest_mag_ab: float

    def passes(self, mag_ab: Float[Array, "*n"]) -> Bool[Array, "*n"]:
        """Whether magnitudes pass; a galaxy without one does not."""
        return mag_ab < self.faintest_mag_ab


@dataclass(frozen=True)
class SpectroscopicSample:
    """Which galaxies have a spectroscopic redshift: the bright ones, and those that form stars.

    The probability is ``most * sigmoid((midpoint - mag) / width + favour * (log sSFR + 9.5))``, with log sSFR
    held between -12 and -8: targets are chosen by magnitude, and a redshift succeeds more easily where there
    are emission lines. A parametric likeness of such samples, not a model of any one of them.

    Parameters
    ----------
    most : float
        Success among the bright, 0 to 1.
    midpoint_mag_ab, width_mag : float
        Where and how fast it falls, in the band of the magnitude limit.
    favour : float
        Logits a dex of specific star-formation rate.
    error : float
        Standard deviation of (redshift measured - true) / (1 + true).
    """

    most: float
    midpoint_mag_ab: float
    width_mag: float
    favour: float
    error: float

    def probability(self, mag_ab: Float[Array, "*n"], log_ssfr: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """Probability of a spectroscopic redshift."""
        logit = (self.midpoint_mag_ab - mag_ab) / self.width_mag
        logit = logit + self.favour * (jnp.clip(log_ssfr, -12.0, -8.0) + 9.5)
        return jnp.where(jnp.isnan(mag_ab), 0.0, self.most * jax.nn.sigmoid(logit))

    def redshift(self, redshift: Scalar, mag_ab: Scalar, log_ssfr: Scalar, key: Key[Array, ""]) -> Scalar:
        """Spectroscopic redshift of one galaxy."""
        for_chance, for_error = jax.random.split(key)
        has = jax.random.uniform(for_chance) < self.probability(mag_ab, log_ssfr)
        measured = redshift + self.error * (1.0 + redshift) * jax.random.normal(for_error)
        return jnp.where(has, measured, jnp.nan)
