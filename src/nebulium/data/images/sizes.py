"""Images brought to one size: cut or padded about the centre, or binned; never resampled."""

import numpy as np
from jaxtyping import Float, Num

from nebulium.errors import ImageError


def border_pixels(image: Num[np.ndarray, "height width band"], width: int = 1) -> Num[np.ndarray, "n band"]:
    """The pixels along the edges, which in a cutout of one galaxy show mostly sky."""
    inside = np.zeros(image.shape[:2], bool)
    inside[width:-width, width:-width] = True
    return image[~inside]


def fit_size(image: Num[np.ndarray, "height width band"], size: int) -> Num[np.ndarray, "{size} {size} band"]:
    """Cut or pad an image about its centre.

    A side that is too long is cut, one that is too short is padded with the median of the border, band by
    band. What is padded and then cut back is as it was.
    """
    if size < 1:
        raise ImageError("size", f"expected a number of pixels from 1 up, found {size}", "choose another")
    height, width, bands = image.shape
    if (height, width) == (size, size):
        return image
    (source_rows, rows), (source_columns, columns) = _overlap(height, size), _overlap(width, size)
    part = image[source_rows, source_columns]
    if part.shape[:2] == (size, size):
        return part
    fitted = np.empty((size, size, bands), image.dtype)
    # One value a band, the same in all pixels; that of whole numbers may lie between two of them.
    median = np.median(border_pixels(image), axis=0)
    fitted[:] = np.rint(median) if image.dtype.kind in "iu" else median
    fitted[rows, columns] = part
    return fitted


def binned(
    images: Num[np.ndarray, "n height width band"], factor: int
) -> Float[np.ndarray, "n rows columns band"]:
    """Means of blocks of pixels: the same galaxies at a coarser scale, with less noise a pixel."""
    n, height, width, bands = images.shape
    if factor < 1 or height % factor or width % factor:
        problem = f"{factor} does not divide images of {height} x {width} pixels"
        raise ImageError("binning", problem, "choose a factor that divides the size")
    blocks = images.reshape(n, height // factor, factor, width // factor, factor, bands)
    return blocks.mean(axis=(2, 4), dtype=np.float32)


def _overlap(length: int, size: int) -> tuple[slice, slice]:
    """Where the part that is kept lies in an image of one length, and in one of the size wanted."""
    kept = min(length, size)
    source, target = (length - kept) // 2, (size - kept) // 2
    return slice(source, source + kept), slice(target, target + kept)
