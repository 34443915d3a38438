"""Galaxies that a model of images draws of the properties that a visitor sets."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np

from nebulium.explore.draw.stamps import png_address
from nebulium.generate.drawing.colours import colour_pictures
from nebulium.generate.drawing.figure_files import ENDS, training_quantiles
from nebulium.generate.drawing.sample_file import drawing, drawn_images
from nebulium.generate.image_model import ImageModel
from nebulium.verbs.predict import NamedModel

#: Galaxies that are shown at a time, each with noise of its own, which stays as the sliders move.
SHOWN = 6
#: Galaxies have numbers below this one.
MOST_NUMBER = 2**30


@dataclass(frozen=True)
class Slider:
    """A property that can be set.

    Attributes
    ----------
    name, unit : str
    step : float
        A power of ten, by which some hundred values can be set.
    low, middle, high : float
        Where 2, 50 and 98 % of the training galaxies lie below it, to a step.
    classes : tuple of str
        Names of the places of a property that is a class.
    """

    name: str
    unit: str
    step: float
    low: float
    middle: float
    high: float
    classes: tuple[str, ...] = ()

    @classmethod
    def over(cls, name: str, unit: str, ends: Sequence[float], classes: Sequence[str] = ()) -> "Slider":
        """A slider from three values of a property, or over all classes."""
        if classes:
            return cls(name, unit, 1.0, 0.0, 0.0, len(classes) - 1.0, tuple(classes))
        power = int(np.floor(np.log10(max(ends[2] - ends[0], 1e-6) / 50.0)))
        low, middle, high = (round(float(value), -power) for value in ends)
        return cls(name, unit, 10.0**power, low, middle, high)

    def said(self, value: float | None) -> str:
        """What it stands at, in words."""
        if value is None:
            return "any"
        return self.classes[round(value)] if self.classes else f"{value:.4g}"


@dataclass(frozen=True)
class Drawn:
    """Galaxies as a page shows them.

    Attributes
    ----------
    pictures : tuple of str
        Addresses for the browser.
    in_domain : bool
        Whether the training had galaxies with such properties.
    """

    pictures: tuple[str, ...]
    in_domain: bool


@dataclass(frozen=True, eq=False)
class DrawnGalaxies:
    """A model of images, and the sliders of its properties.

    Parameters
    ----------
    found : NamedModel
    """

    found: NamedModel

    @property
    def model(self) -> ImageModel:
        """The model itself."""
        model: ImageModel = self.found.model
        return model

    @cached_property
    def sliders(self) -> tuple[Slider, ...]:
        """One a property, in the order of the model."""
        units, shares = self.found.config.get("units", {}), np.array([ENDS[0], 0.5, ENDS[1]])
        classes = dict(self.model.kinds.classes)
        return tuple(
            Slider.over(
                name,
                units.get(name, ""),
                training_quantiles(self.model, name, shares).tolist(),
                classes.get(name, ()),
            )
            for name in self.model.conditions
        )

    def draw(self, values: Sequence[float | None], batch: int = 0) -> Drawn:
        """Galaxies with these properties, None for any; those of another batch have other noise."""
        conditions = np.array([np.nan if value is None else value for value in values], np.float32)
        numbers = len(self.model.kinds.numbers)
        # Whatever a browser sends, a class is one of its places.
        conditions[numbers:] = np.round(conditions[numbers:])
        shown = batch * SHOWN % MOST_NUMBER + np.arange(SHOWN)
        flux = drawn_images(self.model, np.tile(conditions, (SHOWN, 1)), shown, **drawing())
        inside = bool(self.model.in_domain(jnp.asarray(conditions)))
        return Drawn(tuple(map(png_address, colour_pictures(self.model, flux))), inside)
