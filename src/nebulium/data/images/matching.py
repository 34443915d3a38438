"""Images brought into the form that a model was made for, or refused."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from nebulium.data.images.preparation import Preparation
from nebulium.data.images.source import ImageSource, with_bands
from nebulium.errors import ImageError


@runtime_checkable
class ImageModel(Protocol):
    """A model that knows which images it was made for.

    Attributes
    ----------
    bands : tuple of str
        In order.
    unit : str
        Of the pixels that it learned from.
    preparation : Preparation
    """

    bands: tuple[str, ...]
    unit: str
    preparation: Preparation


@dataclass(frozen=True)
class MatchedImages:
    """Images as a model takes them, and what had to be supposed.

    Parameters
    ----------
    source : ImageSource
        With the bands of the model, in its order.
    notes : tuple of str
        What the files do not say and was taken for granted, for the user to check.
    """

    source: ImageSource
    notes: tuple[str, ...] = ()


def match_to_model(source: ImageSource, model: ImageModel) -> MatchedImages:
    """Bring the bands of images into the order of a model, and refuse images that it was not made for."""
    where, notes = str(source.path), []
    matched = source if source.bands == model.bands else _matched(source, model)
    if set(matched.bands) - set(source.bands):
        notes.append(
            f"the images do not name their bands: taken to be {', '.join(matched.bands)}, in this order"
        )
    model.preparation.stretch.check(matched.unit, matched.bands, where)
    if matched.unit != model.unit and matched.unit and model.unit:
        problem = f"has pixels in {matched.unit}, the model learned from pixels in {model.unit}"
        raise ImageError(where, problem, "convert the images, or train a model on such images")
    if matched.unit != model.unit and model.unit:
        notes.append(f"the images do not name the unit of their pixels: taken to be {model.unit}")
    return MatchedImages(matched, tuple(notes))


def _matched(source: ImageSource, model: ImageModel) -> ImageSource:
    """The bands of a model; who lacks one should read what the model takes."""
    try:
        return with_bands(source, model.bands)
    except ImageError as error:
        found, taken = ", ".join(source.bands), ", ".join(model.bands)
        problem = f"has the bands {found}, the model takes {taken}"
        mend = "give images with these bands, or train a model on such images"
        raise ImageError(str(source.path), problem, mend) from error
