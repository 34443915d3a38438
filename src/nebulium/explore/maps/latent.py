"""Features of a map by its kind; latent vectors of a model are computed once and kept."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from nebulium.data.batches import in_batches
from nebulium.data.id_join import rows_of_ids
from nebulium.data.images.matching import match_to_model
from nebulium.data.images.opening import open_images
from nebulium.data.output import file_stem
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.errors import ModelFileError, TableError
from nebulium.explore.maps.embedding import Progress
from nebulium.explore.maps.features import (
    FEWEST_BANDS,
    Kind,
    MapFeatures,
    continuum_map_features,
    latent_map_features,
    photometric_map_features,
)
from nebulium.explore.sample.cache import cached_table, digest, weights_of
from nebulium.explore.sample.galaxies import Galaxies
from nebulium.modelfile import ModelFolder, describe_model, load_model
from nebulium.photoz.fluxes.predict import PredictionTask
from nebulium.photoz.methods import METHODS
from nebulium.properties.model import PropertyModel
from nebulium.properties.predict import BATCH, model_images

LATENT = "latent_{:03}"


def usual_kind(galaxies: Galaxies) -> Kind:
    """The map to draw when none is asked for: of the continuum, and without one of the photometry."""
    if galaxies.continuum is not None:
        return "continuum"
    if len(galaxies.bands) >= FEWEST_BANDS:
        return "photometry"
    problem = f"has neither continuum_flux_0 to _11 nor fluxes flux_njy_BAND of {FEWEST_BANDS} bands"
    mend = "give a table with them, or a model with a latent space of its galaxies: --embedding latent"
    raise TableError(galaxies.name, problem, mend)


def map_features(
    galaxies: Galaxies,
    kind: Kind,
    *,
    folder: Path,
    model: str | Path | None = None,
    progress: Progress | None = None,
) -> MapFeatures:
    """Features of galaxies for a map of one kind."""
    if kind == "photometry":
        return photometric_map_features(galaxies)
    if kind != "latent":
        return continuum_map_features(galaxies, kind)
    if model is None:
        mend = "name a model of redshifts or properties: --model"
        raise ModelFileError("--embedding latent", "needs a model, whose latent space is drawn", mend)
    found = describe_model(model)
    about = {
        "model": found.name,
        "weights_sha256": weights_of(found),
        "galaxies": digest(galaxies.ids, *galaxies.values.values()),
    }
    path = folder / f"latent-{file_stem(found.name)}.parquet"
    table = cached_table(path, about, lambda: _computed(galaxies, found, progress))
    vectors = np.stack(list(table.columns.values()), axis=1).astype(np.float32)
    return latent_map_features(vectors, found.name)


def _computed(galaxies: Galaxies, found: ModelFolder, progress: Progress | None) -> Table:
    """Latent vectors, a row a galaxy; NaN where the model cannot see it."""
    if galaxies.path is None:
        mend = "give a mock survey or a table, or choose another map: --embedding continuum"
        raise TableError(galaxies.name, "has nothing that a model with a latent space could see", mend)
    across, done = None, 0
    for ids, vectors in _embedded(galaxies, galaxies.path, found):
        if across is None:
            across = np.full((vectors.shape[1], len(galaxies)), np.nan, np.float32)
        rows = rows_of_ids(ids, galaxies.ids)
        across[:, rows[rows >= 0]] = vectors[rows >= 0].T
        done += len(ids)
        if progress is not None:
            progress("computing latent vectors", done / len(galaxies))
    if across is None:
        raise TableError(galaxies.name, f"has no galaxy that {found.name} can see", "check its images")
    return Table({LATENT.format(place): column for place, column in enumerate(across)}, name=galaxies.name)


def _embedded(
    galaxies: Galaxies, path: Path, found: ModelFolder
) -> Iterator[tuple[np.ndarray, Float[np.ndarray, "k latent"]]]:
    """Ids and vectors, a chunk at a time."""
    loaded = load_model(found.path)
    method = METHODS.get(str(found.config.get("method")))
    if isinstance(loaded, PropertyModel):
        source = match_to_model(open_images(path), loaded).source
        for ids, images in model_images(source, loaded, rejects=Rejects()):
            yield ids, in_batches(partial(_embed, loaded), images, size=BATCH)
    elif method is not None and method.embed is not None:
        told = {} if galaxies.id_column is None else {"id_column": galaxies.id_column}
        for part in method.embed(PredictionTask(path, loaded, found.config, told)):
            length = np.linalg.norm(part.vectors, axis=1, keepdims=True)
            # Between vectors of unit length the distance orders as the cosine does.
            cosine = part.space.distance == "cosine"
            yield part.ids, part.vectors / np.maximum(length, 1e-12) if cosine else part.vectors
    else:
        mend = "name a model of redshifts or properties, or choose another map: --embedding continuum"
        raise ModelFileError(f"model {found.name}", "has no latent space of galaxies", mend)


@eqx.filter_jit
def _embed(model: Any, images: Float[Array, "k height width band"]) -> Float[Array, "k latent"]:
    return jax.vmap(model.embedding)(images)
