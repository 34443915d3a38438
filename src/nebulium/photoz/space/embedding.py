"""Galaxies as points of a space: where a model puts them, by their images or by their fluxes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Float32

from nebulium.data.batches import in_batches
from nebulium.data.tables.table import Table
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.prediction import RedshiftPrediction
from nebulium.photoz.fluxes.model import PhotometryModel
from nebulium.photoz.fluxes.predict import PredictionTask, usable_galaxies
from nebulium.photoz.images.model import ImageRedshiftModel
from nebulium.photoz.images.predict import BATCH, prepared_images
from nebulium.photoz.predict import ID, predict_galaxies

Distance = Literal["cosine", "euclidean"]


@dataclass(frozen=True)
class Space:
    """A space in which galaxies are compared.

    Attributes
    ----------
    prefix : str
        Of the columns of a point: ``latent`` for `latent_000`, `latent_001`, ...
    distance : str
        Cosine (1 minus the cosine of the angle) or Euclidean.
    """

    prefix: Literal["latent", "feature"]
    distance: Distance

    def columns(self, dimensions: int) -> list[str]:
        """Names of the columns of a point."""
        return [f"{self.prefix}_{place:03}" for place in range(dimensions)]


#: What the redshift head sees of an image: the latent vector and the fluxes in apertures, joined.
LATENT = Space("latent", "cosine")
#: Standardised magnitudes, colours and errors, in which the training domain measures as well.
FEATURES = Space("feature", "euclidean")
SPACES = (LATENT, FEATURES)


@dataclass(frozen=True, eq=False)
class EmbeddedGalaxies:
    """Points that stand for galaxies.

    Attributes
    ----------
    ids : ndarray of shape (n,)
    vectors : ndarray of float32 of shape (n, dimension)
    redshift_median : ndarray of shape (n,)
        Of the predicted densities.
    in_domain : ndarray of bool of shape (n,)
    space : Space
    """

    ids: np.ndarray
    vectors: Float32[np.ndarray, "n dimension"]
    redshift_median: Float[np.ndarray, " n"]
    in_domain: Bool[np.ndarray, " n"]
    space: Space

    def __len__(self) -> int:
        return len(self.ids)

    def as_table(self, name: str = "embeddings") -> Table:
        """The columns of a table of embeddings."""
        told = {"redshift_median": self.redshift_median.astype(np.float32), "in_domain": self.in_domain}
        # A column of a matrix lies scattered in memory, and Arrow takes only what lies together.
        across = np.ascontiguousarray(self.vectors.T)
        points = dict(zip(self.space.columns(len(across)), across, strict=True))
        return Table({ID: self.ids, **told, **points}, name=name)


def concatenate_embeddings(parts: Sequence[EmbeddedGalaxies]) -> EmbeddedGalaxies:
    """One after the other."""
    return EmbeddedGalaxies(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.redshift_median for part in parts]),
        np.concatenate([part.in_domain for part in parts]),
        parts[0].space,
    )


def embed_images(task: PredictionTask) -> Iterator[EmbeddedGalaxies]:
    """Latent vectors of galaxies from their images, in memory that does not grow with their number."""
    for ids, images in prepared_images(task):
        yield embed_prepared(task.model, ids, images)


def embed_prepared(
    model: ImageRedshiftModel,
    ids: np.ndarray,
    images: Float[np.ndarray, "n height width band"],
    *,
    batch: int = BATCH,
) -> EmbeddedGalaxies:
    """Latent vectors of prepared images in memory."""
    predicted, vectors = in_batches(partial(_see, model), images, size=batch)
    median = RedshiftDensities(model.grid, predicted.mass).median()
    return EmbeddedGalaxies(ids, vectors, median, predicted.in_domain, LATENT)


@eqx.filter_jit
def _see(
    model: ImageRedshiftModel, images: Float[Array, "n height width band"]
) -> tuple[RedshiftPrediction, Float[Array, "n latent"]]:
    seen: tuple[RedshiftPrediction, Array] = jax.vmap(model.with_embedding)(images)
    return seen


def embed_fluxes(task: PredictionTask) -> Iterator[EmbeddedGalaxies]:
    """Standardised features of galaxies of a catalogue, in memory that does not grow with their number.

    They are what the networks of a `PhotometryModel` see, but for the flags of missing bands: asinh
    magnitudes, colours of neighbouring bands, and logarithms of errors; 0, the mean of the training galaxies,
    where a band is missing. What the last layers make of them differs from network to network of the
    ensemble, so that a mean of those would mean nothing.
    """
    for galaxies in usable_galaxies(task):
        predicted = predict_galaxies(task.model, galaxies)
        vectors = measured_features(task.model, galaxies)
        yield EmbeddedGalaxies(
            predicted.ids, vectors, predicted.densities.median(), predicted.in_domain, FEATURES
        )


def measured_features(
    model: PhotometryModel, galaxies: PhotometricGalaxies, *, batch: int = BATCH
) -> Float32[np.ndarray, "n feature"]:
    """Standardised magnitudes, colours and errors of galaxies in memory."""
    return in_batches(partial(_standardised, model), galaxies.flux_njy, galaxies.flux_err_njy, size=batch)


@eqx.filter_jit
def _standardised(
    model: PhotometryModel, flux_njy: Float[Array, "n band"], flux_err_njy: Float[Array, "n band"]
) -> Float[Array, "n feature"]:
    return jax.vmap(model.features.standardised)(flux_njy, flux_err_njy)
