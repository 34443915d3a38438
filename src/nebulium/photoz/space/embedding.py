"""Galaxies as points of a space: where a model puts them, by their images or by their fluxes."""

import numpy as np
from jaxtyping import Bool, Float32

from nebulium.nn.mapping import BATCH, map_galaxies
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.fluxes.model import PhotometryModel
from nebulium.photoz.fluxes.predict import FluxPredictor
from nebulium.photoz.images.predict import ImagePredictor, PreparedImages
from nebulium.photoz.predict import predict_galaxies
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
        predicted, vectors = map_galaxies(self.model.with_embedding, images)
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
    fluxes = galaxies.flux_njy, galaxies.flux_err_njy
    features: Float32[np.ndarray, "n feature"] = map_galaxies(
        model.features.standardised, *fluxes, batch=batch
    )
    return features


def _embedded(
    ids: np.ndarray, densities: RedshiftDensities, in_domain: Bool[np.ndarray, " n"], points: Points
) -> Prediction:
    columns = {"redshift_median": densities.median().astype(np.float32), "in_domain": in_domain}
    return Prediction(ids, columns | points.columns(), detail=points)
