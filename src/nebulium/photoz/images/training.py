"""The methods that learn from images, from a task to a trained model."""

import math
import shutil
from dataclasses import asdict, replace

import equinox as eqx
import numpy as np

from nebulium.data.images.labelled import LabelledImages
from nebulium.photometry.dereddening import known_extinction
from nebulium.photoz.density.recalibration import FEWEST, measure_recalibration
from nebulium.photoz.images.galaxies import match_images, prepare_training
from nebulium.photoz.images.model import ImageRedshiftModel
from nebulium.photoz.images.recipe import RedshiftConfig, hyperparameters, train_on_store
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
    training, validation = prepare_training(
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
        hyperparameters=hyperparameters(training, config),
        settings={**asdict(config), "recalibrate": mended, "images": len(training)},
        split=replace(task.split, id_column=data.layout.id_column).as_dict(rows),
        preprocessing={**catalogue_preprocessing(data.layout), "unit": model.form.unit},
        domain=DOMAIN,
        results=tuple(results),
        notes=not_recalibrated(len(validation)) if task.recalibrate and not mended else (),
    )


def recalibrated_on(model: ImageRedshiftModel, validation: LabelledImages) -> ImageRedshiftModel:
    """The model with its densities set right on validation galaxies."""
    predicted = predict_arrays(model, validation.images.rows, validation.images)
    pits = predicted.densities.cdf(validation.labels["redshift"].astype(np.float64))
    recalibration = measure_recalibration(pits)
    return eqx.tree_at(lambda one: one.recalibration, model, recalibration)
