"""Colour images as SkyServer shows them, and cutouts scaled to the size of the galaxy."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from nebulium.data.images.stretches import lupton_rgb
from nebulium.errors import ImageError
from nebulium.mock.images.noise import add_noise
from nebulium.mock.images.noiseless import Neighbour, noiseless_image
from nebulium.mock.instruments import Instrument, instrument
from nebulium.mock.structure import Structure

# SkyServer keeps its frames as JPEGs; this quality gives the sky the grain that it has there.
FRAME_JPEG_QUALITY = 75

CUTOUT_PIXELS = 128
# 2 R90 / 0.396 in arcsec: Wu & Boada 2019, MNRAS 484, 4683, asked SkyServer for 128 pixels of so many arcsec.
CUTOUT_FIELD_R90 = 2.0 / 0.396

PETROSIAN_RATIO = 0.2  # of the local to the mean surface brightness: Blanton et al. 2001, AJ 121, 2358
PETROSIAN_APERTURE = 2.0  # in Petrosian radii, the same
_ANNULUS = (0.8, 1.25)


@dataclass(frozen=True)
class PetrosianRadii:
    """Petrosian radius of a galaxy, and the radii of parts of its Petrosian flux.

    Parameters
    ----------
    radius_arcsec : float
        Where the mean surface brightness of the annulus from 0.8 to 1.25 radii is a fifth of that within.
    r50_arcsec, r90_arcsec : float
        Radii of 50 and 90 per cent of the flux within two Petrosian radii.
    flux : float
        The flux within two Petrosian radii, in units of the image.
    """

    radius_arcsec: float
    r50_arcsec: float
    r90_arcsec: float
    flux: float


def petrosian_radii(image: np.ndarray, pixel_scale_arcsec: float) -> PetrosianRadii:
    """Petrosian radii of the galaxy in the middle of an image of one band.

    Blanton et al. 2001, AJ 121, 2358, with SDSS's ratio of 0.2 and aperture of two Petrosian radii.

    Parameters
    ----------
    image : array (row, column)
        Without noise, or with little.
    pixel_scale_arcsec : float
        Side of a pixel, arcsec.

    Returns
    -------
    PetrosianRadii

    Raises
    ------
    ImageError
        The image ends before the surface brightness has fallen to the ratio.

    Examples
    --------
    >>> y, x = np.mgrid[:201, :201] - 100.0
    >>> radii = petrosian_radii(np.exp(-np.hypot(x, y) / 8.0), pixel_scale_arcsec=0.5)
    >>> round(radii.radius_arcsec / 4.0, 1)  # in scale lengths
    3.5
    """
    radius, growth = _curve_of_growth(image)
    inner, outer = _ANNULUS
    probes = np.geomspace(1.0, radius[-1] / outer, 400)
    flux_in = np.interp(probes, radius, growth)
    annulus = np.interp(outer * probes, radius, growth) - np.interp(inner * probes, radius, growth)
    ratio = annulus / (outer**2 - inner**2) / np.where(flux_in > 0, flux_in, np.inf)
    below = np.flatnonzero(ratio < PETROSIAN_RATIO)
    if below.size == 0 or below[0] == 0:
        raise ImageError(
            "image", "has no Petrosian radius within it", "give a larger image of one bright galaxy"
        )
    pair = [below[0], below[0] - 1]
    petrosian = float(np.interp(PETROSIAN_RATIO, ratio[pair], probes[pair]))
    flux = float(np.interp(PETROSIAN_APERTURE * petrosian, radius, growth))
    r50, r90 = (float(np.interp(part * flux, growth, radius)) for part in (0.5, 0.9))
    return PetrosianRadii(
        petrosian * pixel_scale_arcsec, r50 * pixel_scale_arcsec, r90 * pixel_scale_arcsec, flux
    )


def _curve_of_growth(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Radii in pixels, and the flux within them."""
    rows, columns = (np.arange(size) - 0.5 * (size - 1) for size in image.shape)
    distance = np.hypot(rows[:, None], columns[None, :]).ravel()
    order = np.argsort(distance, kind="stable")
    inside = distance[order] <= 0.5 * min(image.shape)
    area = np.arange(1, order.size + 1)[inside]
    # The radius of a circle of as many pixels: right on average where single pixels are coarse.
    return np.concatenate([[0.0], np.sqrt(area / np.pi)]), np.concatenate(
        [[0.0], np.cumsum(image.ravel()[order][inside])]
    )


def petrosian_cutout(
    structure: Structure,
    flux_njy: np.ndarray,
    redshift: float,
    rng: np.random.Generator,
    neighbours: Sequence[Neighbour] = (),
) -> np.ndarray:
    """Colour cutout of a galaxy in SDSS, 128 pixels across about five Petrosian R90.

    Made as those of Wu & Boada 2019 (MNRAS 484, 4683) were: SkyServer's colour image of the frame with its
    noise, brought to the scale asked for. R90 is that of the r band.

    Parameters
    ----------
    structure : Structure
        Of one galaxy.
    flux_njy : array (component, 3)
        In g, r and i.
    redshift : float
        Above 0.
    rng : numpy Generator
        For the noise.
    neighbours : sequence of Neighbour, optional
        Other galaxies in the image.

    Returns
    -------
    array (128, 128, 3), uint8

    Raises
    ------
    ImageError
        The galaxy cannot be drawn.

    Examples
    --------
    >>> import jax
    >>> from nebulium.mock.populations.properties import GalaxyProperties
    >>> from nebulium.mock.structure import draw_structure
    >>> structure = draw_structure(GalaxyProperties(0.1, 10.0, 8.0, 4.0, 0.3, 8.7, -1.8), jax.random.key(0))
    >>> petrosian_cutout(structure, np.full((3, 3), 5e4), 0.1, np.random.default_rng(0)).shape
    (128, 128, 3)
    """
    sdss = instrument("sdss")
    radii = galaxy_radii(structure, flux_njy, redshift, sdss, band=1)
    field_arcsec = CUTOUT_FIELD_R90 * radii.r90_arcsec
    pixels = int(np.ceil(field_arcsec / sdss.pixel_scale_arcsec)) + 8
    frame = noiseless_image(structure, flux_njy, redshift, sdss, pixels, neighbours)
    colours = _through_jpeg(lupton_rgb(add_noise(frame, sdss, rng)))
    return _resampled(colours, field_arcsec / sdss.pixel_scale_arcsec, CUTOUT_PIXELS)


def galaxy_radii(
    structure: Structure, flux_njy: np.ndarray, redshift: float, instrument: Instrument, band: int
) -> PetrosianRadii:
    """Petrosian radii of a galaxy as an instrument sees it without noise, in an image as large as needed."""
    pixels = 128
    while True:
        image = noiseless_image(structure, flux_njy, redshift, instrument, pixels)[..., band]
        try:
            radii = petrosian_radii(image, instrument.pixel_scale_arcsec)
        except ImageError:
            radii = None
        enough = (
            radii and PETROSIAN_APERTURE * radii.radius_arcsec < 0.5 * pixels * instrument.pixel_scale_arcsec
        )
        if radii and (enough or pixels >= 1024):
            return radii
        pixels *= 2


def _through_jpeg(colours: np.ndarray) -> np.ndarray:
    """A colour image after compression as JPEG."""
    file = io.BytesIO()
    Image.fromarray(colours).save(file, "JPEG", quality=FRAME_JPEG_QUALITY)
    return np.asarray(Image.open(file))


def _resampled(colours: np.ndarray, across: float, pixels: int) -> np.ndarray:
    """The middle `across` pixels of a colour image as `pixels`, as SkyServer does.

    It keeps copies of each frame reduced by powers of two, takes the coarsest that is fine enough, and
    interpolates.
    """
    reduction = max(0, int(np.floor(np.log2(across / pixels) + 0.5)))
    block = 2**reduction
    height = colours.shape[0] // block * block
    start = (colours.shape[0] - height) // 2
    middle = 0.5 * (colours.shape[0] - 1) - start
    blocks = colours[start : start + height, start : start + height].astype(np.float64)
    blocks = blocks.reshape(height // block, block, height // block, block, 3).mean(axis=(1, 3))
    places = (middle + (np.arange(pixels) - 0.5 * (pixels - 1)) * across / pixels - 0.5 * (block - 1)) / block
    grid = np.meshgrid(places, places, indexing="ij")
    channels = [ndimage.map_coordinates(blocks[..., c], grid, order=1, mode="nearest") for c in range(3)]
    return np.round(np.clip(np.stack(channels, axis=-1), 0.0, 255.0)).astype(np.uint8)
