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

_DATA_SET = "the data set that the model was trained on"
_PITA = f"Khederlarian et al. 2026, arXiv:2602.10207, and {_DATA_SET}"
#: What each method does, and what its users should cite.
ABOUT: Mapping[str, tuple[str, str]] = {
    "pita": ("Images, all of them: contrast of crops, colours, and the redshifts of the labelled", _PITA),
    "supervised": ("Images of labelled galaxies alone", _DATA_SET),
    "selfsupervised": ("Contrast of crops of all images, then redshifts in the latent space", _PITA),
    "photometry": ("An ensemble of networks on fluxes and their errors", _DATA_SET),
    "template": (
        "Template fitting: chi-square over templates of galaxies, and a prior of redshift and magnitude",
        "Benitez 2000, ApJ 536, 571; Brammer, van Dokkum & Coppi 2008, ApJ 686, 1503",
    ),
    "train-distribution": (
        "The distribution of the training redshifts, for any galaxy: what a method must beat",
        _DATA_SET,
    ),
}


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
) -> TrainedModel:
    """A trained model with what its folder says of it."""
    summary, citation = ABOUT[task.method]
    # Whoever gave E(B-V) for fluxes that are not corrected had them corrected.
    dereddened = True if layout.ebv is not None else layout.dereddened
    facts = {"Bands": f"{' '.join(layout.names)}. {_dust(dereddened)}"}
    if recalibrated:
        facts["Densities"] = (
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
        citation=citation,
        card=Card(
            f"Redshifts by the method {task.method}",
            f"{summary}.",
            facts,
            learned_from="galaxies with redshifts",
        ),
        results=results,
        further={"method": task.method},
    )


def _dust(dereddened: bool | None) -> str:
    if dereddened is None:
        return "Whether the fluxes were corrected for Galactic extinction is not known."
    return f"The fluxes were {'' if dereddened else 'not '}corrected for Galactic extinction."
