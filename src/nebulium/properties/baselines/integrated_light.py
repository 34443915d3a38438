"""Magnitudes and colours of galaxies in an aperture: what there is to know without looking at the shape."""

import numpy as np
from jaxtyping import Float

Images = Float[np.ndarray, "_ height width band"]

#: A band fainter than this part of the brightest one counts as so faint: magnitudes stay finite.
FAINTEST = 1e-3


def magnitudes_of(images: Images, *, aperture: float = 1.0) -> Float[np.ndarray, "_ band"]:
    """Brightness of each image in each band.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, band)
        Linear in flux for magnitudes proper. Of stretched or display images they are the same sums, of what
        the image shows: good features, but no photometry.
    aperture : float
        Side of the central square that is summed over, in sides of the image. Of display images the centre
        alone tells more than the whole, whose sum is mostly of faint pixels.

    Returns
    -------
    ndarray of shape (n, band)
        -2.5 log10 of the sum over the pixels above the median of the border; without a zero point. NaN for
        an image without light.

    Examples
    --------
    >>> images = np.zeros((1, 8, 8, 2))
    >>> images[0, 3:5, 3:5] = [25.0, 2.5]
    >>> magnitudes_of(images).tolist(), magnitudes_of(images, aperture=0.25).tolist()
    ([[-5.0, -2.5]], [[-5.0, -2.5]])
    """
    images = np.asarray(images, np.float64)
    border = np.concatenate([images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]], axis=1)
    centre = images[:, *(_central(side, aperture) for side in images.shape[1:3])]
    light = np.sum(centre - np.median(border, axis=1)[:, None, None, :], axis=(1, 2))
    floor = FAINTEST * light.max(axis=1, keepdims=True)
    light = np.where(floor > 0, np.maximum(light, floor), np.nan)
    return -2.5 * np.log10(light)


def light_features(images: Images) -> Float[np.ndarray, "_ feature"]:
    """Magnitudes in each band of the whole image and of its central quarter."""
    return np.concatenate([magnitudes_of(images, aperture=side) for side in (1.0, 0.5)], axis=1)


def _central(side: int, aperture: float) -> slice:
    """The middle of a side, at least one pixel of it."""
    margin = min(round(side * (1.0 - aperture) / 2), (side - 1) // 2)
    return slice(margin, side - margin)


def colours_of(images: Images, *, aperture: float = 1.0) -> Float[np.ndarray, "_ colour"]:
    """Differences between the magnitudes of neighbouring bands.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, band)
    aperture : float
        Both as in `magnitudes_of`.

    Returns
    -------
    ndarray of shape (n, band - 1)
        Each band minus the next.

    Examples
    --------
    >>> images = np.zeros((1, 8, 8, 2))
    >>> images[0, 3:5, 3:5] = [25.0, 2.5]
    >>> colours_of(images).tolist()
    [[-2.5]]
    """
    magnitudes = magnitudes_of(images, aperture=aperture)
    return magnitudes[:, :-1] - magnitudes[:, 1:]
