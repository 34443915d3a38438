"""A page of colour images."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from nebulium.data.images.stretches import SDSS_SCALES, lupton_rgb
from nebulium.metrics.figure_style import FULL_WIDTH, SMALL, TEXT
from nebulium.mock.images.noise import sky_sigma
from nebulium.mock.instruments import Instrument

COLUMNS = 8
# Space above and between images, in units of their width, and for the title.
CAPTION, GAP, TITLE_INCHES = 0.17, 0.02, 0.22
# SDSS's sky in i, nanomaggies, that the stretch of its colour images is made for.
SDSS_SKY = 0.042
#: Brightness in units of that of SDSS's images: less where galaxies are bright for the survey.
BRIGHTNESS = {"legacy": 0.2, "ps1": 0.5, "candels": 2.0, "roman": 2.0}
#: Of the faint ones, so that the noise does not swallow them and the bright keep their colours.
SOFTENING = 3.0


def stamp_colours(image: Float[np.ndarray, "height width band"], instrument: Instrument) -> np.ndarray:
    """Colour image of one stamp: of SDSS as SkyServer makes it, of others in a like manner.

    Their first, middle and last band become blue, green and red, weighted by 1 / wavelength, which makes the
    galaxies of SDSS white on average, in units of the noise of the reddest (Lupton et al. 2004, PASP 116,
    133).

    Parameters
    ----------
    image : ndarray of shape (height, width, band)
        In the units of the instrument.
    instrument : Instrument
        Gives the bands and the depth.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8

    Examples
    --------
    >>> from nebulium.mock.instruments import instrument
    >>> stamp_colours(np.ones((16, 16, 5)), instrument("ps1")).shape
    (16, 16, 3)
    """
    if instrument.name == "sdss":
        return lupton_rgb(image)
    last = len(instrument.bands) - 1
    chosen = [0, last // 2, last]
    bands = [instrument.bands[place] for place in chosen]
    flux_njy = image[..., chosen] / np.array([band.units_per_njy for band in bands])
    sky_njy = sky_sigma(instrument, bands[-1]) / bands[-1].units_per_njy
    brightness = BRIGHTNESS.get(instrument.name, 1.0)
    blue, green, red = (SDSS_SCALES[0] * bands[-1].pivot_aa / band.pivot_aa for band in bands)
    softening = max(1.0, SOFTENING * (brightness > 1.0))
    return lupton_rgb(brightness * SDSS_SKY / sky_njy * flux_njy, (red, green, blue), softening=softening)


def stamp_page(
    images: Float[np.ndarray, "n height width band"],
    instrument: Instrument,
    captions: Sequence[str],
    *,
    title: str,
) -> Figure:
    """Colour images in rows of eight, the first one at the upper left.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, band)
        In the units of the instrument.
    instrument : Instrument
        Gives the bands and the depth.
    captions : sequence of str
        One an image.
    title : str
        Above the page.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from nebulium.mock.instruments import instrument
    >>> page = stamp_page(np.ones((3, 16, 16, 3)), instrument("sdss"), ["a", "b", "c"], title="three")
    >>> [text.get_text() for text in page.axes[0].texts]
    ['a', 'b', 'c']
    """
    columns = min(COLUMNS, len(captions))
    rows = -(-len(captions) // columns)
    height, width = images.shape[1:3]
    # One picture and not many panels: a page takes a second and not ten.
    top, right = round(CAPTION * width), max(1, round(GAP * width))
    page = np.full((rows * (height + top), columns * (width + right), 3), 255, np.uint8)
    figure = Figure(figsize=(FULL_WIDTH, FULL_WIDTH * page.shape[0] / page.shape[1] + TITLE_INCHES))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0 - TITLE_INCHES / figure.get_figheight()))
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(place, columns)
        y, x = row * (height + top) + top, column * (width + right)
        # The first row of an image is its lowest.
        page[y : y + height, x : x + width] = stamp_colours(image, instrument)[::-1]
        axes.text(x + 0.5 * width, y - 0.15 * top, caption, fontsize=SMALL, ha="center", va="bottom")
    axes.imshow(page, interpolation="nearest", aspect="auto")
    axes.axis("off")
    arcsec = width * instrument.pixel_scale_arcsec
    figure.suptitle(f"{title} (each {arcsec:.3g}″ across)", fontsize=TEXT + 1, y=0.995)
    return figure
