"""Densities of the redshifts of many galaxies from their images, a chunk at a time."""

from collections.abc import Iterator
from functools import partial

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float

from nebulium.data.batches import in_batches
from nebulium.data.id_join import rows_of_ids
from nebulium.data.images.matching import match_to_model
from nebulium.data.images.opening import open_images
from nebulium.data.images.preparation import prepared_chunks
from nebulium.data.images.source import ImageSource
from nebulium.photometry.catalogue import open_photometry
from nebulium.photometry.dereddening import check_extinction, corrected, known_extinction
from nebulium.photometry.galaxies import concatenate_galaxies
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.prediction import RedshiftPrediction
from nebulium.photoz.fluxes.predict import PredictionTask, check_dereddened_alike
from nebulium.photoz.images.galaxies import check_fluxes, dereddened_images
from nebulium.photoz.images.model import ImageRedshiftModel
from nebulium.photoz.predict import PredictedRedshifts

#: Images that go through the network at a time; images that are read at a time.
BATCH, READ = 64, 1024


def predict_images(task: PredictionTask) -> Iterator[PredictedRedshifts]:
    """Predict galaxies from their images, in memory that does not grow with their number."""
    for ids, images in prepared_images(task):
        yield predict_prepared(task.model, ids, images)


def prepared_images(
    task: PredictionTask,
) -> Iterator[tuple[np.ndarray, Float[np.ndarray, "k height width band"]]]:
    """Images as the model takes them, so many at a time."""
    matched = match_to_model(open_images(task.data), task.model)
    task.notes.extend(matched.notes)
    check_fluxes(matched.source)
    source, good = _corrected(matched.source, task)
    wanted = good if task.ids is None else good & (rows_of_ids(source.ids, task.ids) >= 0)
    preparation = task.model.preparation
    yield from prepared_chunks(
        source,
        size=preparation.size,
        stretch=preparation.stretch,
        binning=preparation.binning,
        rejects=task.rejects,
        rows=np.flatnonzero(wanted),
        batch=READ,
    )


def predict_prepared(
    model: ImageRedshiftModel,
    ids: np.ndarray,
    images: Float[np.ndarray, "n height width band"],
    *,
    batch: int = BATCH,
) -> PredictedRedshifts:
    """Predict galaxies from prepared images in memory."""
    predicted = in_batches(partial(_predict, model), images, size=batch)
    return PredictedRedshifts(ids, RedshiftDensities(model.grid, predicted.mass), predicted.in_domain)


@eqx.filter_jit
def _predict(model: ImageRedshiftModel, images: Float[Array, "n height width band"]) -> RedshiftPrediction:
    prediction: RedshiftPrediction = jax.vmap(model)(images)
    return prediction


def _corrected(source: ImageSource, task: PredictionTask) -> tuple[ImageSource, Bool[np.ndarray, " n"]]:
    """Images corrected for Galactic extinction as those of the training were, and which can be."""
    learned = task.config["preprocessing"].get("dereddened")
    good = np.ones(len(source), bool)
    if learned is None and task.layout.ebv is None:
        return source, good
    catalogue = open_photometry(task.data, task.layout, with_redshifts=False)
    extinction = known_extinction(catalogue.layout, task.curves)
    check_extinction(extinction, (*catalogue.layout.names, *source.bands))
    chunks = list(catalogue.chunks(rejects=task.rejects, counted=task.counted))
    if not chunks:
        return source, ~good
    galaxies = concatenate_galaxies(chunks)
    check_dereddened_alike(corrected(galaxies, extinction), learned)
    if not extinction:
        return source, good
    place = rows_of_ids(source.ids, galaxies.ids)
    good = place >= 0
    if not np.all(good):
        task.counted["images of galaxies without an E(B-V) in the catalogue"] += int(np.sum(~good))
    return dereddened_images(source, np.flatnonzero(good), galaxies.select(place[good]), extinction), good
