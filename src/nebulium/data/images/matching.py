"""Images brought into the form that a model was made for, or refused."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32

from nebulium.data.images.opening import ImagePaths, open_images
from nebulium.data.images.preparation import ImageForm
from nebulium.data.images.source import ImageSource, with_bands, with_change
from nebulium.data.rejects import Rejects
from nebulium.errors import ImageError


@dataclass(frozen=True, eq=False)
class MatchedImages:
    """Images as a model takes them, which remember their shorter sides once they are read.

    Attributes
    ----------
    source : ImageSource
        With the bands of the model, in its order.
    supposed : tuple of str
        What the files do not say and was taken for granted, for the user to check.
    sides : ndarray of int32 of shape (n,)
        Pixels, by row of the source; 0 where it was not read yet, or could not be.
    """

    source: ImageSource
    supposed: tuple[str, ...]
    sides: Int32[np.ndarray, " n"]

    def notes(self, size: int, rejects: Rejects) -> tuple[str, ...]:
        """What was taken for granted, and how many images were smaller than the size of a model."""
        used = self.sides.copy()
        used[rejects.rows()] = 0
        used = used[used > 0]
        small = used[used < size]
        if not len(small):
            return self.supposed
        least, most = small.min(), small.max()
        sides = f"{least}" if least == most else f"{least} to {most}"
        padded = (
            f"{len(small):,} of {len(used):,} images were padded from {sides} to {size} pixels: what is "
            "measured on them is measured on another field than on images of that size"
        )
        return (*self.supposed, padded)


def open_for_model(
    path: ImagePaths, form: ImageForm | None, *, bands: Sequence[str] | None = None
) -> MatchedImages:
    """Open a set of images in the form that a model takes, or as they are if there is no model yet."""
    return match_to_model(open_images(path, bands=bands), form)


def match_to_model(source: ImageSource, form: ImageForm | None) -> MatchedImages:
    """Bring the bands of images into the order of a model, and refuse images that it was not made for."""
    matched, supposed = (source, ()) if form is None else _matched(source, form)
    sides = np.zeros(len(matched), np.int32)

    def measured(image: np.ndarray, row: int) -> np.ndarray:
        sides[row] = min(image.shape[:2])
        return image

    return MatchedImages(with_change(matched, measured), supposed, sides)


def _matched(source: ImageSource, form: ImageForm) -> tuple[ImageSource, tuple[str, ...]]:
    where, supposed = str(source.path), []
    matched = source if source.bands == form.bands else _with_bands_of(source, form)
    if set(matched.bands) - set(source.bands):
        names = ", ".join(matched.bands)
        supposed.append(f"the images do not name their bands: taken to be {names}, in this order")
    form.preparation.stretch.check(matched.unit, matched.bands, where)
    if matched.unit != form.unit and matched.unit and form.unit:
        problem = f"has pixels in {matched.unit}, the model learned from pixels in {form.unit}"
        raise ImageError(where, problem, "convert the images, or train a model on such images")
    if matched.unit != form.unit and form.unit:
        supposed.append(f"the images do not name the unit of their pixels: taken to be {form.unit}")
    return matched, tuple(supposed)


def _with_bands_of(source: ImageSource, form: ImageForm) -> ImageSource:
    """The bands of a model; who lacks one should read what the model takes."""
    try:
        return with_bands(source, form.bands)
    except ImageError as error:
        found, taken = ", ".join(source.bands), ", ".join(form.bands)
        problem = f"has the bands {found}, the model takes {taken}"
        mend = "give images with these bands, or train a model on such images"
        raise ImageError(str(source.path), problem, mend) from error
