"""What is wrong with one image, in words that can be counted; bad pixels filled."""

import numpy as np
from jaxtyping import Float, UInt8

from nebulium.data.images.sizes import border_pixels

Fluxes = Float[np.ndarray, "height width band"]

#: An image with a larger share of bad pixels in one of its bands is set aside.
MOST_BAD = 0.05


def checked_image(
    image: np.ndarray, bands: tuple[str, ...]
) -> UInt8[np.ndarray, "height width band"] | Fluxes | str:
    """An image that can be used, or why it cannot."""
    if image.ndim != 3 or image.shape[-1] != len(bands):
        return f"has shape {image.shape}, expected (height, width, {len(bands)})"
    if image.size == 0:
        return "has no pixels"
    if image.dtype.kind not in "biuf":
        return f"has pixels of type {image.dtype}"
    # What single precision cannot hold counts as bad.
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.any(image):
            return "is zero in all pixels"
        return image if image.dtype == np.uint8 else _checked_fluxes(image.astype(np.float32), bands)


def _checked_fluxes(fluxes: Fluxes, bands: tuple[str, ...]) -> Fluxes | str:
    """Numbers have more ways to be wrong than colours."""
    bad = ~np.isfinite(fluxes)
    shares = bad.mean(axis=(0, 1))
    if np.any(shares > MOST_BAD):
        worst = bands[int(np.argmax(shares))]
        return f"has more than {MOST_BAD:.0%} bad pixels (NaN, infinite or flagged) in band {worst}"
    empty = ~np.any(np.where(bad, 0, fluxes), axis=(0, 1))
    if np.any(empty):
        return f"is zero in all pixels of band {bands[int(np.argmax(empty))]}"
    return _filled(fluxes, bad) if np.any(bad) else fluxes


def _filled(fluxes: Fluxes, bad: np.ndarray) -> Fluxes:
    """Bad pixels with the median of the good ones of the border, or of the image if the border has none."""
    filled = np.where(bad, np.float32(np.nan), fluxes)
    for band in np.flatnonzero(bad.any(axis=(0, 1))):
        border = border_pixels(filled)[:, band]
        sky = border if np.isfinite(border).any() else filled[..., band]
        filled[bad[..., band], band] = np.nanmedian(sky)
    return filled
