"""What the training of a method leaves, before it is saved."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import equinox as eqx

from nebulium.errors import NebuliumError
from nebulium.photometry.layout import CatalogueLayout
from nebulium.photoz.density.recalibration import FEWEST
from nebulium.training import FitResult

Settings = TypeVar("Settings")


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained model, and what its folder says of it.

    Attributes
    ----------
    model : equinox.Module
    hyperparameters : mapping
        Keywords of its constructor.
    settings : mapping
        It was trained with.
    split : mapping
        Seed, fractions and sizes of the parts.
    preprocessing : mapping
        Bands, and what is done to the data first.
    domain : str
        What `in_domain` stands for.
    results : tuple of FitResult
        Of its networks, if it has any.
    notes : tuple of str
        What the user should know.
    """

    model: eqx.Module
    hyperparameters: Mapping[str, Any]
    settings: Mapping[str, Any]
    split: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    domain: str
    results: tuple[FitResult[Any], ...] = ()
    notes: tuple[str, ...] = ()


def settings_of(kind: type[Settings], given: Mapping[str, Any], method: str) -> Settings:
    """The settings of a method, from those that are given."""
    known = [entry.name for entry in fields(kind)]  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            problem = f"is no setting of the method {method}, which has {', '.join(known)}"
            raise NebuliumError(f"--{name.replace('_', '-')}", problem, "leave it out")
    return kind(**given)


def not_recalibrated(validation: int) -> tuple[str, ...]:
    """What to tell who asked for a recalibration that there are too few galaxies for."""
    few = f"there are {validation} galaxies to validate, and it takes {FEWEST}"
    return (f"the densities are not recalibrated: {few}",)


def catalogue_preprocessing(layout: CatalogueLayout) -> dict[str, Any]:
    """What is done to a catalogue before a model sees it, for config.json."""
    # Whoever gave E(B-V) for fluxes that are not corrected had them corrected.
    dereddened = True if layout.ebv is not None else layout.dereddened
    return {"bands": list(layout.names), "catalogue": layout.as_dict(), "dereddened": dereddened}
