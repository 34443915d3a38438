"""Predictions for galaxies with known redshifts that no model was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.ids import rows_of_ids
from nebulium.data.rejects import Rejects
from nebulium.errors import TableError
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.predict import RedshiftPredictor
from nebulium.photoz.reading import counted_notes
from nebulium.verbs import find_predictor, predict_all
from nebulium.verbs.evaluation import Scoring


@dataclass(frozen=True, eq=False)
class HeldOutGalaxies:
    """Galaxies with redshifts, and the prediction of each model for them.

    Attributes
    ----------
    galaxies : PhotometricGalaxies
    densities : mapping of str to RedshiftDensities
        By the name of the model; in the order of the galaxies.
    training : PhotometricGalaxies
        Others, from whose redshifts every model has learned.
    id_column : str
        What the ids are called in the data.
    rejects : Rejects
        Galaxies set aside.
    notes : tuple of str
        What was supposed of the data, and what was not used.
    """

    galaxies: PhotometricGalaxies
    densities: Mapping[str, RedshiftDensities]
    training: PhotometricGalaxies
    id_column: str
    rejects: Rejects
    notes: tuple[str, ...]


def predict_held_out(
    scoring: Scoring, *, columns: Mapping[str, Any] | None = None, curves: str | Path | None = None
) -> HeldOutGalaxies:
    """Predict the galaxies that have a redshift and that no model was trained on."""
    told: dict[str, Any] = {"columns": columns, "curves": curves}
    predictors = {
        name: find_predictor(folder.path, of=RedshiftPredictor) for name, folder in scoring.models.items()
    }
    reading = next(iter(predictors.values())).reading(scoring.data, **told)
    every, _ = reading.corrected()
    labelled = np.isfinite(every.redshift)
    if not np.any(labelled):
        problem = f"has no redshift for any of {len(every):,} galaxies"
        raise TableError(every.name, problem, "name the column of redshifts: --redshift COLUMN")
    id_column = reading.layout.id_column
    held = scoring.held_out(every.ids, where=every.name, labelled=labelled, id_column=id_column)
    galaxies = every.select(held.rows)
    predicted = {
        name: predict_all(one, one.open(scoring.data, ids=galaxies.ids, **told))
        for name, one in predictors.items()
    }
    rows = {name: rows_of_ids(galaxies.ids, one.ids) for name, one in predicted.items()}
    by_all = np.all([those >= 0 for those in rows.values()], axis=0)
    if not np.any(by_all):
        raise TableError(scoring.data, "has no galaxy that all models can predict", "check the data")
    densities = {name: one.detail.select(rows[name][by_all]) for name, one in predicted.items()}
    scored = galaxies.select(by_all)
    notes = (*reading.notes, *counted_notes(reading.counted), *_beyond(scored, densities), *held.notes)
    return HeldOutGalaxies(scored, densities, every.select(held.training), id_column, reading.rejects, notes)


def _beyond(galaxies: PhotometricGalaxies, densities: Mapping[str, RedshiftDensities]) -> tuple[str, ...]:
    """Redshifts that a model cannot predict."""
    beyond = {name: int(np.sum(galaxies.redshift > one.grid.most)) for name, one in densities.items()}
    return tuple(
        f"{number:,} redshifts are beyond {densities[name].grid.most:g}, the highest that {name} knows: "
        "scored as they are"
        for name, number in beyond.items()
        if number
    )
