"""Features of a map by its kind; latent vectors of a model are computed once and kept."""

from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.output import file_stem
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
from nebulium.explore.sample.cache import cached_table, digest
from nebulium.explore.sample.galaxies import Galaxies
from nebulium.explore.sample.predictions import open_galaxies, predicted_rows
from nebulium.verbs import Predictor, find_predictor

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
    predictor: Predictor[Any] = find_predictor(model, verb="embed")
    named = predictor.models[0]
    about = {
        "model": named.name,
        "weights_sha256": named.fingerprint,
        "galaxies": digest(galaxies.ids, *galaxies.values.values()),
    }
    path = folder / f"latent-{file_stem(named.name)}.parquet"
    table = cached_table(path, about, lambda: _embedded(galaxies, predictor, progress))
    vectors = np.stack(list(table.columns.values()), axis=1).astype(np.float32)
    return latent_map_features(vectors, named.name)


def _embedded(galaxies: Galaxies, predictor: Predictor[Any], progress: Progress | None) -> Table:
    """Points in the space of a model, a row a galaxy; NaN where the model cannot see it."""
    opened, across = open_galaxies(galaxies, predictor), np.zeros((0, len(galaxies)), np.float32)
    doing = "computing latent vectors"
    for _, prediction, rows in predicted_rows(galaxies, predictor, opened, doing, progress):
        points, known = prediction.detail, rows >= 0
        if not len(across):
            across = np.full((points.vectors.shape[1], len(galaxies)), np.nan, np.float32)
        across[:, rows[known]] = points.mapped()[known].T
    return Table({LATENT.format(place): column for place, column in enumerate(across)}, name=galaxies.name)
