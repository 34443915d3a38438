"""Point-spread functions of the instruments, as GalSim profiles."""

from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import j0

from nebulium.errors import from_extra
from nebulium.mock.instruments import Airy, Band, Instrument, Moffat

FWHM_PER_SIGMA = float(2.0 * np.sqrt(2.0 * np.log(2.0)))
ARCSEC_PER_RADIAN = 648000.0 / np.pi
_FREQUENCIES = 400


def galsim_module() -> ModuleType:
    """GalSim, imported when it is first needed."""
    with from_extra("galsim", "mock"):
        import galsim
    return galsim


def point_spread(instrument: Instrument, band: Band) -> Any:
    """Light of a point source as the pixels see it, the pixel's own width included."""
    galsim = galsim_module()
    if isinstance(instrument.psf, Moffat):
        profile = galsim.Moffat(beta=instrument.psf.beta, fwhm=band.psf_fwhm_arcsec)
    else:
        profile = _diffraction_and_blur(galsim, instrument.psf, band)
    if instrument.width_holds_pixel:
        return profile
    return galsim.Convolve(profile, galsim.Pixel(instrument.pixel_scale_arcsec))


def _diffraction_and_blur(galsim: ModuleType, psf: Airy, band: Band) -> Any:
    airy = galsim.Airy(lam_over_diam=lam_over_diam_arcsec(psf, band), obscuration=psf.obscuration)
    blur = blur_sigma_arcsec(psf, band)
    return airy if blur == 0.0 else galsim.Convolve(airy, galsim.Gaussian(sigma=blur))


def lam_over_diam_arcsec(psf: Airy, band: Band) -> float:
    """Wavelength over the diameter of the mirror."""
    return band.pivot_aa * 1e-10 / psf.diameter_m * ARCSEC_PER_RADIAN


@lru_cache(maxsize=64)
def blur_sigma_arcsec(psf: Airy, band: Band) -> float:
    """Standard deviation of the Gaussian that widens the diffraction pattern to the width measured.

    It stands for the charge that strays between pixels, the jitter and the resampling of the mosaics.
    """
    galsim = galsim_module()
    lam_over_diam = lam_over_diam_arcsec(psf, band)
    airy = galsim.Airy(lam_over_diam=lam_over_diam, obscuration=psf.obscuration)
    k = np.linspace(0.0, 2.0 * np.pi / lam_over_diam, _FREQUENCIES)
    passed = k * np.array([airy.kValue(one, 0.0).real for one in k])
    above_half = j0(0.5 * band.psf_fwhm_arcsec * k) - 0.5

    def excess(sigma: float) -> float:
        """Brightness at the radius of the half width less half of that in the middle, in any unit."""
        return float(np.sum(passed * np.exp(-0.5 * (sigma * k) ** 2) * above_half))

    if excess(0.0) >= 0.0:
        return 0.0
    return float(brentq(excess, 0.0, band.psf_fwhm_arcsec / FWHM_PER_SIGMA))


@lru_cache(maxsize=64)
def noise_pixels(instrument: Instrument, band: Band) -> float:
    """Pixels whose sky noise a fit of the point-spread function takes in: 1 / sum of its squared pixels."""
    size = 2 * int(6.0 * band.psf_fwhm_arcsec / instrument.pixel_scale_arcsec) + 1
    image = point_spread(instrument, band).drawImage(
        nx=size, ny=size, scale=instrument.pixel_scale_arcsec, method="no_pixel"
    )
    return float(1.0 / np.sum(image.array.astype(np.float64) ** 2))
