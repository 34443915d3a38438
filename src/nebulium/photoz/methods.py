"""The methods by name, and how each is trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from nebulium.errors import NebuliumError
from nebulium.photoz.fluxes.recipe import PhotometryConfig
from nebulium.photoz.fluxes.training import (
    GridConfig,
    make_templates,
    take_distribution,
    train_on_photometry,
)
from nebulium.photoz.images.recipe import IMAGE_METHODS, RedshiftConfig
from nebulium.photoz.images.training import train_images
from nebulium.photoz.training_galaxies import TrainingTask
from nebulium.verbs import TrainedModel


@dataclass(frozen=True)
class Method:
    """One way to redshifts.

    Attributes
    ----------
    settings : type
        A dataclass: what can be set.
    train : callable of TrainingTask
    """

    settings: type
    train: Callable[[TrainingTask], TrainedModel]


METHODS: Mapping[str, Method] = {
    **dict.fromkeys(IMAGE_METHODS, Method(RedshiftConfig, train_images)),
    "photometry": Method(PhotometryConfig, train_on_photometry),
    "template": Method(GridConfig, make_templates),
    "train-distribution": Method(GridConfig, take_distribution),
}


def method_of(name: str) -> Method:
    """A method by its name."""
    if name not in METHODS:
        raise NebuliumError(f"method {name}", "is not known", f"choose {', '.join(METHODS)}")
    return METHODS[name]


def settings_of(name: str, given: Mapping[str, Any]) -> Any:
    """The settings of a method, from those that are given."""
    kind = method_of(name).settings
    known = {entry.name for entry in fields(kind)}
    for setting in given:
        if setting not in known:
            listed = ", ".join(entry.name for entry in fields(kind))
            problem = f"is no setting of the method {name}, which has {listed}"
            raise NebuliumError(f"--{setting.replace('_', '-')}", problem, "leave it out")
    return kind(**{**given, "method": name}) if "method" in known else kind(**given)
