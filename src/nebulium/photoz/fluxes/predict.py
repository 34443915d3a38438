"""Predictions for the galaxies of a catalogue, a chunk at a time."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.id_join import rows_of_ids
from nebulium.data.rejects import Rejects
from nebulium.errors import TableError
from nebulium.photometry.catalogue import open_photometry
from nebulium.photometry.dereddening import check_extinction, corrected, known_extinction
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import CatalogueLayout, changed_layout, layout_from
from nebulium.photoz.predict import PredictedRedshifts, predict_galaxies

#: Galaxies of a chunk: their densities are a few arrays of 20 MB.
ROWS_PER_CHUNK = 8192


@dataclass(frozen=True, eq=False)
class PredictionTask:
    """What is to be predicted, by which model.

    Attributes
    ----------
    data : Path
        Mock survey or catalogue.
    model : equinox.Module
    config : mapping
        Its config.json.
    told : mapping of str to object
        What is told of the columns: fields of `CatalogueLayout`.
    curves : Path, optional
        Transmission curves: see `nebulium.photometry.curves.band_filters`.
    ids : ndarray, optional
        The galaxies wanted; all if not given.
    rejects : Rejects
        Takes the galaxies that cannot be used.
    counted : Counter
        Counts what was taken as missing, by reason.
    notes : list of str
        Takes what was supposed of the data.
    """

    data: Path
    model: Any
    config: Mapping[str, Any]
    told: Mapping[str, Any]
    curves: Path | None = None
    ids: np.ndarray | None = None
    rejects: Rejects = field(default_factory=Rejects)
    counted: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def layout(self) -> CatalogueLayout:
        """That of the catalogue the model was trained on, and what is told now."""
        return changed_layout(recorded_layout(self.config), self.told)


def recorded_layout(config: Mapping[str, Any]) -> CatalogueLayout | None:
    """The layout of the catalogue that a model was trained on."""
    document = config["preprocessing"].get("catalogue")
    return None if document is None else layout_from(document)


def predict_catalogue(task: PredictionTask) -> Iterator[PredictedRedshifts]:
    """Predict the galaxies of a catalogue, in memory that does not grow with their number."""
    for galaxies in usable_galaxies(task):
        yield predict_galaxies(task.model, galaxies)


def usable_galaxies(task: PredictionTask) -> Iterator[PhotometricGalaxies]:
    """Galaxies as the model takes them, so many at a time."""
    catalogue = open_photometry(task.data, task.layout, with_redshifts=False)
    extinction = known_extinction(catalogue.layout, task.curves)
    check_extinction(extinction, catalogue.layout.names)
    chunks = catalogue.chunks(rejects=task.rejects, counted=task.counted, rows_per_chunk=ROWS_PER_CHUNK)
    for chunk in chunks:
        galaxies = corrected(chunk, extinction).in_bands(task.model.bands)
        check_dereddened_alike(galaxies, task.config["preprocessing"].get("dereddened"))
        if task.ids is not None:
            galaxies = galaxies.select(rows_of_ids(galaxies.ids, task.ids) >= 0)
        if len(galaxies):
            yield galaxies


def check_dereddened_alike(galaxies: PhotometricGalaxies, learned: bool | None) -> None:
    """Refuse galaxies with Galactic dust for a model that learned without it, and the reverse."""
    told = galaxies.dereddened
    if learned is None or told == learned or (told is None and not learned):
        return
    if told is None:
        problem = "does not say whether it is corrected for Galactic extinction"
    else:
        problem = f"is {'' if told else 'not '}corrected for Galactic extinction"
    are = "are" if learned else "are not"
    mend = (
        "say --dereddened, or --not-dereddened with --ebv"
        if learned
        else "give fluxes that are not corrected, or train a model on fluxes that are"
    )
    raise TableError(galaxies.name, f"{problem}, and the galaxies that the model learned from {are}", mend)
