"""Galaxies as points of a space: where a model puts them, by their images or by their fluxes."""

from functools import partial

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Float32

from nebulium.data.batches import in_batches
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.prediction import RedshiftPrediction
from nebulium.photoz.fluxes.model import PhotometryModel
from nebulium.photoz.fluxes.predict import FluxPredictor
from nebulium.photoz.images.model import ImageRedshiftModel
from nebulium.photoz.images.predict import ImagePredictor, PreparedImages
from nebulium.photoz.predict import BATCH, predict_galaxies
from nebulium.verbs import Prediction
from nebulium.verbs.space import Points, Space

#: What the redshift head sees of an image: the latent vector and the fluxes in apertures, joined.
LATENT = Space("latent", "cosine")
#: Standardised magnitudes, colours and errors, in which the training domain measures as well.
FEATURES = Space("feature", "euclidean")
SPACES = (LATENT, FEATURES)


class ImageEmbedder(ImagePredictor):
    """Latent vectors of galaxies from their images."""

    predicts = "places of galaxies by their images"

    def __call__(self, chunk: PreparedImages) -> Prediction:
        """Embed prepared images."""
        ids, images = chunk
        predicted, vectors = in_batches(partial(_see, self.model), images, size=BATCH)
        densities = RedshiftDensities(self.model.grid, predicted.mass)
        return _embedded(ids, densities, predicted.in_domain, Points(vectors, LATENT))


class FluxEmbedder(FluxPredictor):
    """Standardised features of galaxies of a catalogue.

    They are what the networks of a `PhotometryModel` see, but for the flags of missing bands: asinh
    magnitudes, colours of neighbouring bands, and logarithms of errors; 0, the mean of the training galaxies,
    where a band is missing. What the last layers make of them differs from network to network of the
    ensemble, so that a mean of those would mean nothing.
    """

    predicts = "places of galaxies by their fluxes"

    def __call__(self, chunk: PhotometricGalaxies) -> Prediction:
        """Embed galaxies."""
        predicted = predict_galaxies(self.model, chunk)
        points = Points(measured_features(self.model, chunk), FEATURES)
        return _embedded(predicted.ids, predicted.densities, predicted.in_domain, points)


def measured_features(
    model: PhotometryModel, galaxies: PhotometricGalaxies, *, batch: int = BATCH
) -> Float32[np.ndarray, "n feature"]:
    """Standardised magnitudes, colours and errors of galaxies in memory."""
    return in_batches(partial(_standardised, model), galaxies.flux_njy, galaxies.flux_err_njy, size=batch)


def _embedded(
    ids: np.ndarray, densities: RedshiftDensities, in_domain: Bool[np.ndarray, " n"], points: Points
) -> Prediction:
    columns = {"redshift_median": densities.median().astype(np.float32), "in_domain": in_domain}
    return Prediction(ids, columns | points.columns(), detail=points)


@eqx.filter_jit
def _see(
    model: ImageRedshiftModel, images: Float[Array, "n height width band"]
) -> tuple[RedshiftPrediction, Float[Array, "n latent"]]:
    seen: tuple[RedshiftPrediction, Array] = jax.vmap(model.with_embedding)(images)
    return seen


@eqx.filter_jit
def _standardised(
    model: PhotometryModel, flux_njy: Float[Array, "n band"], flux_err_njy: Float[Array, "n band"]
) -> Float[Array, "n feature"]:
    return jax.vmap(model.features.standardised)(flux_njy, flux_err_njy)
