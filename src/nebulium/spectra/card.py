"""What the folder of a model of spectra says of it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nebulium.spectra.continuum.training import MeasuredSpectra
from nebulium.spectra.model import SpectrumModel
from nebulium.training import FitResult
from nebulium.verbs import Card, TrainedModel

CITATION = (
    "the data set that the model was trained on; spectra from images: Wu & Peek 2020, arXiv:2009.12318; "
    "lines from continua: Khederlarian et al. 2024, MNRAS 531, 1454"
)
DOMAIN = "an image no further from those of training galaxies than those of 99.7 % of the validation galaxies"


def described(
    model: SpectrumModel,
    config: Any,
    results: Sequence[FitResult[Any]],
    *,
    hyperparameters: Mapping[str, Any],
    split: Mapping[str, Any],
    spectra: MeasuredSpectra,
) -> TrainedModel:
    """A trained model with what its folder says of it."""
    form, preparation = model.form, model.form.preparation
    waves = model.basis.wave_rest_aa
    low, high = np.quantile(spectra.redshift, [0.005, 0.995]).tolist()
    components, chi_square = model.basis.components.shape[1], float(np.median(spectra.chi_square))
    return TrainedModel(
        model,
        hyperparameters=hyperparameters,
        preprocessing=form.preprocessing(),
        units={"flux_lambda": "1e-17 erg/s/cm2/AA", "ew": "Angstrom"},
        training_domain={"in_domain": DOMAIN, "redshift": [low, high]},
        split=split,
        settings=dataclasses.asdict(config),
        citation=CITATION,
        card=Card(
            title="Spectra of galaxies from their images",
            summary=f"Draws rest-frame spectra from {waves[0]:.0f} to {waves[-1]:.0f} AA, with their lines, "
            f"of galaxies seen in {', '.join(form.bands)}; the redshift may be known, or not.",
            facts={
                "Images": f"{preparation.size} pixels on a side, pixels in {form.unit or 'unknown units'}",
                "Redshifts": f"{low:.3f} to {high:.3f}",
                "Continuum": f"{components} components; median reduced chi-square {chi_square:.2f}",
                "Lines": f"by `{config.lines}`, given the continuum, corrected by the image",
            },
            details="",
            learned_from="images and spectra",
        ),
        results=results,
    )
