"""Noise of images: the sky's from the depth of the survey, and the photon noise of the galaxies themselves.

Noise of neighbouring pixels is independent. In real mosaics that were resampled it is correlated, and smaller
in each pixel; what an aperture or a fit takes in is right here too.
"""

import numpy as np

from nebulium.errors import ImageError
from nebulium.mock.images.point_spread import noise_pixels
from nebulium.mock.instruments import Band, Instrument


def sky_sigma(instrument: Instrument, band: Band) -> float:
    """Standard deviation of one pixel of empty sky.

    The depth's fifth is the noise of as many pixels as its aperture holds, or as a fit of the point-spread
    function takes in.
    """
    if band.depth_aperture_arcsec is None:
        pixels = noise_pixels(instrument, band)
    else:
        pixels = np.pi * (0.5 * band.depth_aperture_arcsec / instrument.pixel_scale_arcsec) ** 2
    return float(_flux_error(band) / np.sqrt(pixels))


def flux_error_njy(instrument: Instrument) -> np.ndarray:
    """Error of the flux of a point source, from the depth of each band."""
    return np.array([_flux_error(band) / band.units_per_njy for band in instrument.bands])


def _flux_error(band: Band) -> float:
    return 0.2 * 10.0 ** (0.4 * (band.zero_point_ab - band.depth_5sigma_ab))


def noise_sigma(image: np.ndarray, instrument: Instrument) -> np.ndarray:
    """Standard deviation of each pixel: sky, and photons of the source."""
    n_bands = len(instrument.bands)
    if image.ndim != 3 or image.shape[-1] != n_bands:
        raise ImageError(
            "image",
            f"has shape {image.shape}; expected (row, column, {n_bands})",
            "put the bands last, all of them",
        )
    sky = np.array([sky_sigma(instrument, band) for band in instrument.bands])
    electrons = np.array([band.electrons_per_unit for band in instrument.bands])
    return np.sqrt(sky**2 + np.maximum(image, 0.0) / electrons)


def add_noise(image: np.ndarray, instrument: Instrument, rng: np.random.Generator) -> np.ndarray:
    """Image with noise.

    Photons of the source are drawn from a normal law: with those of the sky, few pixels have few.

    Parameters
    ----------
    image : array (row, column, band)
        Without noise, in the instrument's units.
    instrument : Instrument
        Gives the depth of each band.
    rng : numpy Generator
        Draws the noise.

    Returns
    -------
    array (row, column, band)

    Raises
    ------
    ImageError
        The image has another number of bands.

    Examples
    --------
    >>> from nebulium.mock.instruments import instrument
    >>> noisy = add_noise(np.zeros((64, 64, 3)), instrument("sdss"), np.random.default_rng(0))
    >>> bool(abs(noisy.mean()) < 0.002)
    True
    """
    return image + noise_sigma(image, instrument) * rng.standard_normal(image.shape)
