"""The methods that learn from images, from a task to a trained model."""

import math

import numpy as np
from jaxtyping import Float

from nebulium.data.images.labelled import LabelledImages
from nebulium.photometry.dereddening import known_extinction
from nebulium.photoz.card import described
from nebulium.photoz.density.recalibration import with_recalibration
from nebulium.photoz.images.galaxies import match_images, prepare_training
from nebulium.photoz.images.model import ImageRedshiftModel
from nebulium.photoz.images.recipe import hyperparameters, train_on_store
from nebulium.photoz.predict import predict_arrays
from nebulium.photoz.training_galaxies import TrainingTask, can_recalibrate, labelled_rows, read_training
from nebulium.verbs import TrainedModel

DOMAIN = (
    "fluxes in apertures and a place in the latent space no further from those of labelled training galaxies "
    "than those of 99.7 % of the validation galaxies"
)


def train_images(task: TrainingTask) -> TrainedModel:
    """Train a model of redshifts on images."""
    config = task.settings
    data = read_training(task, most_redshift=config.grid_most or math.inf)
    extinction = known_extinction(data.layout, task.curves)
    matched = match_images(task.data, data.galaxies, extinction, task.counted)
    rows = labelled_rows(matched.galaxies, task.split)
    training, validation = prepare_training(
        matched, task.split, rows, task.run.scratch, task.run.rejects, size=config.size
    )
    model, results = train_on_store(training, validation, config=config, run=task.run)
    if mends := can_recalibrate(task, len(validation)):
        model = with_recalibration(model, _pit_values(model, validation))
    return described(
        task,
        model,
        layout=data.layout,
        rows=rows,
        hyperparameters=hyperparameters(training, config),
        domain=DOMAIN,
        recalibrated=mends,
        results=results,
        settings={"images": len(training)},
        preprocessing={"unit": model.form.unit},
    )


def _pit_values(model: ImageRedshiftModel, galaxies: LabelledImages) -> Float[np.ndarray, " n"]:
    """Where the true redshifts of n galaxies lie in their densities."""
    predicted = predict_arrays(model, galaxies.images.rows, galaxies.images)
    return predicted.densities.cdf(galaxies.labels["redshift"].astype(np.float64))
