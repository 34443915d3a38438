"""The methods that learn from images, from a task to a trained model."""

import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import equinox as eqx
import numpy as np

from nebulium.photometry.dereddening import known_extinction
from nebulium.photoz.density.recalibration import FEWEST, measure_recalibration
from nebulium.photoz.images.galaxies import match_images, prepare_parts
from nebulium.photoz.images.model import ImageRedshiftModel
from nebulium.photoz.images.predict import READ
from nebulium.photoz.images.recipe import RedshiftConfig, train_on_store
from nebulium.photoz.images.rows import RedshiftImages
from nebulium.photoz.predict import predict_arrays
from nebulium.photoz.training_galaxies import TrainingTask, labelled_rows, read_training
from nebulium.photoz.training_result import (
    TrainingResult,
    catalogue_preprocessing,
    not_recalibrated,
    settings_of,
)

STORE = "images"
DOMAIN = (
    "fluxes in apertures and a place in the latent space no further from those of labelled training galaxies "
    "than those of 99.7 % of the validation galaxies"
)


def train_images(task: TrainingTask, method: str) -> TrainingResult:
    """Train a model of redshifts on images."""
    config = settings_of(RedshiftConfig, {**task.settings, "method": method}, method)
    data = read_training(task, most_redshift=config.grid_most or math.inf)
    extinction = known_extinction(data.layout, task.curves)
    matched = match_images(task.data, data.galaxies, extinction, task.counted)
    rows = labelled_rows(matched.galaxies, task.split)
    training, validation = prepare_parts(
        matched, task.split, rows, task.run / STORE, task.rejects, size=config.size
    )
    model, results = train_on_store(
        training, validation, config=config, run=task.run, resume=task.resume, progress=task.progress
    )
    mended = task.recalibrate and len(validation) >= FEWEST
    if mended:
        model = recalibrated_on(model, validation)
    shutil.rmtree(task.run / STORE, ignore_errors=True)
    return TrainingResult(
        model=model,
        hyperparameters=hyperparameters_of(model, config),
        settings={**asdict(config), "recalibrate": mended, "images": len(training)},
        split=replace(task.split, id_column=data.layout.id_column).as_dict(rows),
        preprocessing={**catalogue_preprocessing(data.layout), "unit": model.unit},
        domain=DOMAIN,
        results=tuple(results),
        notes=not_recalibrated(len(validation)) if task.recalibrate and not mended else (),
    )


def recalibrated_on(model: ImageRedshiftModel, validation: RedshiftImages) -> ImageRedshiftModel:
    """The model with its densities set right on validation galaxies."""
    pits = []
    for first in range(0, len(validation), READ):
        some = validation.select(np.arange(first, min(first + READ, len(validation))))
        predicted = predict_arrays(model, some.rows, some.store.take(some.rows))
        pits.append(predicted.densities.cdf(some.redshift.astype(np.float64)))
    recalibration = measure_recalibration(np.concatenate(pits))
    return eqx.tree_at(lambda one: one.recalibration, model, recalibration)


def hyperparameters_of(model: ImageRedshiftModel, config: RedshiftConfig) -> Mapping[str, Any]:
    """Keywords that build a model of the same shape."""
    return {
        "bands": list(model.bands),
        "unit": model.unit,
        "size": model.preparation.size,
        "binning": model.preparation.binning,
        "stretch": model.preparation.stretch.as_dict(),
        "view_size": model.views.size,
        "most_shift_px": model.views.most_shift_px,
        "noise": model.views.noise,
        "encoder": config.encoder,
        "head": config.head,
        "grid_most": model.grid.most,
        "grid_bins": model.grid.bins,
        "colours": len(model.bands),
        "domain_references": model.domain.reference.shape[0],
    }
