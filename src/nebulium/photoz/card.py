"""What the folder of a model of redshifts says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import equinox as eqx
import numpy as np

from nebulium.photometry.layout import CatalogueLayout
from nebulium.photoz.training_galaxies import TrainingTask
from nebulium.training import FitResult
from nebulium.verbs import Card, TrainedModel


def described(
    task: TrainingTask,
    model: eqx.Module,
    *,
    layout: CatalogueLayout,
    rows: Mapping[str, np.ndarray],
    hyperparameters: Mapping[str, Any],
    domain: str,
    recalibrated: bool,
    results: Sequence[FitResult[Any]] = (),
    settings: Mapping[str, Any] | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    facts: Mapping[str, str] | None = None,
) -> TrainedModel:
    """A trained model with what its folder says of it."""
    # Whoever gave E(B-V) for fluxes that are not corrected had them corrected.
    dereddened = True if layout.ebv is not None else layout.dereddened
    told = {"Bands": f"{' '.join(layout.names)}. {_dust(dereddened)}", **(facts or {})}
    if recalibrated:
        told["Densities"] = (
            "they were recalibrated on the validation galaxies, and hold for galaxies like these."
        )
    return TrainedModel(
        model,
        hyperparameters=hyperparameters,
        preprocessing={
            "bands": list(layout.names),
            "catalogue": layout.as_dict(),
            "dereddened": dereddened,
            **(preprocessing or {}),
        },
        units={"redshift": "", "flux_njy": "nJy"},
        training_domain={"in_domain": domain},
        split=replace(task.split, id_column=layout.id_column).as_dict(rows),
        settings={**asdict(task.settings), "recalibrate": recalibrated, **(settings or {})},
        citation=task.method.citation,
        card=Card(
            f"Redshifts by the method {task.name}",
            f"{task.method.does}.",
            told,
            learned_from="galaxies with redshifts",
        ),
        results=results,
        further={"method": task.name},
    )


def _dust(dereddened: bool | None) -> str:
    if dereddened is None:
        return "Whether the fluxes were corrected for Galactic extinction is not known."
    return f"The fluxes were {'' if dereddened else 'not '}corrected for Galactic extinction."
