"""Galaxies as points of a space: where a model puts them, by their images or by their fluxes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nebulium import verbs
from nebulium.data.images.preparation import PreparedImages
from nebulium.nn.mapping import map_galaxies
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.prediction import PredictedRedshifts
from nebulium.photoz.predict import FluxPredictor, ImagePredictor, RedshiftPredictor, predict_galaxies
from nebulium.verbs import Prediction, PredictionRun, find_predictor
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
        predicted, vectors = map_galaxies(self.model.with_embedding, chunk.images)
        densities = RedshiftDensities(self.model.grid, predicted.mass)
        redshifts = PredictedRedshifts(chunk.ids, densities, predicted.in_domain)
        embedded = _embedded(redshifts, Points(vectors, LATENT))
        return replace(embedded, columns=embedded.columns | chunk.beside)


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
        vectors = map_galaxies(self.model.features.standardised, chunk.flux_njy, chunk.flux_err_njy)
        return _embedded(predicted, Points(vectors, FEATURES))


def _embedded(predicted: PredictedRedshifts, points: Points) -> Prediction:
    median = predicted.densities.median().astype(np.float32)
    columns = {"redshift_median": median, "in_domain": predicted.in_domain}
    return Prediction(predicted.ids, columns | points.columns(), detail=points)


def embed_file(
    data: str | Path,
    output: str | Path,
    *,
    model: str | Path,
    columns: Mapping[str, Any] | None = None,
    curves: str | Path | None = None,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Write where a model puts the galaxies of a catalogue: a row a galaxy.

    Parameters
    ----------
    data : str or Path
        Folder of a mock survey, or a table.
    output : str or Path
        A table ending in .parquet, .fits, .ecsv or .csv, with the ids, `redshift_median`, `in_domain` and, of
        a model of images, the vector that its redshift head sees, `latent_000` to `latent_127`; of a model of
        fluxes the standardised magnitudes, colours and errors that its networks see, `feature_000` and so on.
        Galaxies that cannot be used are listed, with the reason, beside it in ``<stem>.rejects.csv``.
    model : str or Path
        Name of a packaged model, or a model folder.
    columns : mapping, optional
        What is told of the columns: fields of `nebulium.photometry.CatalogueLayout`; those of the catalogue
        that the model was trained on, if not given.
    curves : str or Path, optional
        Transmission curves: see `nebulium.photometry.band_filters`.
    progress : callable of int, optional
        Gets the number of galaxies embedded so far, after each chunk.

    Returns
    -------
    PredictionRun

    Raises
    ------
    NebuliumError
        The data, the model or the output is at fault, the data do not suit the model, no galaxy can be
        used, or the model has no space of galaxies.

    Examples
    --------
    >>> embed_file("survey", "embeddings.parquet", model="desi-lines")
    Traceback (most recent call last):
    nebulium.errors.ModelFileError: model desi-lines: is of class LineModel, which puts galaxies into no ...
    """
    return verbs.predict_file(
        data,
        output,
        model=find_predictor(model, verb="embed", of=RedshiftPredictor),
        options={"columns": columns, "curves": curves},
        progress=progress,
    )
