"""What models say of galaxies with known redshifts that none of them was trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.id_join import rows_of_ids
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.errors import TableError
from nebulium.modelfile import ModelFolder, describe_model
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.predict import RedshiftPredictor, counted_notes
from nebulium.photoz.training_galaxies import read_corrected
from nebulium.verbs import find_predictor, predict_all


@dataclass(frozen=True, eq=False)
class HeldOutGalaxies:
    """Galaxies with redshifts, and what each model says of them.

    Attributes
    ----------
    galaxies : PhotometricGalaxies
    densities : mapping of str to RedshiftDensities
        By the name of the model; in the order of the galaxies.
    rejects : Rejects
        Galaxies set aside.
    notes : tuple of str
        What was supposed of the data, and what was not used.
    """

    galaxies: PhotometricGalaxies
    densities: Mapping[str, RedshiftDensities]
    rejects: Rejects
    notes: tuple[str, ...]


def predict_held_out(
    data: str | Path,
    models: Sequence[str | Path],
    *,
    columns: Mapping[str, Any] | None = None,
    curves: str | Path | None = None,
    all_rows: bool = False,
) -> HeldOutGalaxies:
    """Predict the galaxies that have a redshift and that no model was trained on."""
    folders = [describe_model(model) for model in models]
    predictors = dict(
        zip(
            _names(folders, models),
            [find_predictor(model, of=RedshiftPredictor) for model in models],
            strict=True,
        )
    )
    reading = next(iter(predictors.values())).reading(data, columns=columns, curves=curves)
    galaxies = read_corrected(
        reading.source, reading.layout, reading.curves, rejects=reading.rejects, counted=reading.counted
    ).galaxies
    galaxies = galaxies.select(_chosen(galaxies, folders, all_rows))
    predicted = {
        name: predict_all(one, one.open(data, columns=columns, curves=curves, ids=galaxies.ids))
        for name, one in predictors.items()
    }
    rows = {name: rows_of_ids(galaxies.ids, one.ids) for name, one in predicted.items()}
    by_all = np.all([those >= 0 for those in rows.values()], axis=0)
    if not np.any(by_all):
        raise TableError(str(data), "has no galaxy that all models can predict", "check the data")
    densities = {name: one.detail.select(rows[name][by_all]) for name, one in predicted.items()}
    scored = galaxies.select(by_all)
    notes = (*reading.notes, *counted_notes(reading.counted), *_beyond(scored, densities))
    if not all_rows:
        notes += _other_ids(reading.layout.id_column, folders)
    return HeldOutGalaxies(scored, densities, reading.rejects, notes)


def _beyond(galaxies: PhotometricGalaxies, densities: Mapping[str, RedshiftDensities]) -> tuple[str, ...]:
    """Redshifts that a model cannot say."""
    beyond = {name: int(np.sum(galaxies.redshift > one.grid.most)) for name, one in densities.items()}
    return tuple(
        f"{number:,} redshifts are beyond {densities[name].grid.most:g}, the highest that {name} knows: "
        "scored as they are"
        for name, number in beyond.items()
        if number
    )


def _other_ids(column: str, folders: Sequence[ModelFolder]) -> tuple[str, ...]:
    """Who was trained on is told by the ids alone."""
    return tuple(
        f"the ids are those of {column}, and {folder.name} was trained with those of {trained}: if they "
        "differ, galaxies that it was trained on are scored"
        for folder in folders
        if (trained := folder.config["split"].get("id_column", column)) != column
    )


def _names(folders: Sequence[ModelFolder], models: Sequence[str | Path]) -> list[str]:
    """Of the folders; their paths where two folders have one name."""
    paths = [folder.path.resolve() for folder in folders]
    for path, model in zip(paths, models, strict=True):
        if paths.count(path) > 1:
            raise TableError(f"model {model}", "is given twice", "give each model once")
    names = [folder.name for folder in folders]
    return [name if names.count(name) == 1 else str(path) for name, path in zip(names, models, strict=True)]


def _chosen(galaxies: PhotometricGalaxies, folders: Sequence[ModelFolder], all_rows: bool) -> np.ndarray:
    """Rows of the galaxies that are scored."""
    labelled = np.isfinite(galaxies.redshift)
    if not np.any(labelled):
        problem = f"has no redshift for any of {len(galaxies):,} galaxies"
        raise TableError(galaxies.name, problem, "name the column of redshifts: --redshift COLUMN")
    if all_rows:
        return np.flatnonzero(labelled)
    held_out = [Split.from_dict(folder.config["split"]).held_out(galaxies.ids) for folder in folders]
    chosen = np.flatnonzero(labelled & np.all(held_out, axis=0))
    if not len(chosen):
        problem = f"has {int(labelled.sum()):,} galaxies with redshifts, none in the test part of every model"
        mend = "give more galaxies, or score all (--all-rows) if no model ever saw them"
        raise TableError(galaxies.name, problem, mend)
    return chosen
