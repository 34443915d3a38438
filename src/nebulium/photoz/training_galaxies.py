"""Labelled galaxies of a catalogue, ready to train on: corrected, and split by their ids."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.table import concatenate_rows
from nebulium.errors import TableError
from nebulium.photometry.catalogue import open_photometry
from nebulium.photometry.dereddening import corrected, known_extinction
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import CatalogueLayout
from nebulium.photoz.density.recalibration import FEWEST
from nebulium.verbs import Training

#: Fewest labelled galaxies that anything can be learned from, and judged by.
LEAST_TRAINING, LEAST_VALIDATION = 10, 2
#: Largest share of labels that may be exactly 0: where there are more, 0 stands for none, or for stars.
MOST_ZEROS = 0.01


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """What is to be trained on, and how.

    Attributes
    ----------
    data : Path
        Mock survey or catalogue.
    layout : CatalogueLayout
        What is told of its columns.
    curves : Path, optional
        Transmission curves: see `nebulium.photometry.curves.band_filters`.
    split : Split
        Its id column is that of the layout.
    method : str
    settings : dataclass
        Those of the method.
    recalibrate : bool
        Whether densities are set right on the validation galaxies.
    run : Training
        Fits networks, and takes notes and the galaxies that cannot be used.
    counted : Counter
        Counts what was taken as missing, or left out, by reason.
    """

    data: Path
    layout: CatalogueLayout
    curves: Path | None
    split: Split
    method: str
    settings: Any
    recalibrate: bool
    run: Training
    counted: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, eq=False)
class CorrectedGalaxies:
    """Galaxies of a catalogue as models see them.

    Attributes
    ----------
    galaxies : PhotometricGalaxies
        All of the catalogue that can be used, corrected for Galactic extinction where that was asked for.
    layout : CatalogueLayout
        As it was found, with the extinction of each band.
    """

    galaxies: PhotometricGalaxies
    layout: CatalogueLayout

    def rows(self, split: Split) -> dict[str, Int64[np.ndarray, " k"]]:
        """Rows of the labelled galaxies in each part of a split, enough of them to learn from."""
        return labelled_rows(self.galaxies, split)


def labelled_rows(galaxies: PhotometricGalaxies, split: Split) -> dict[str, Int64[np.ndarray, " k"]]:
    """Rows of the labelled galaxies in each part of a split, enough of them to learn from."""
    labelled = np.isfinite(galaxies.redshift)
    if not np.any(labelled):
        mend = (
            "name the column of redshifts: --redshift COLUMN; or choose the method template, which needs none"
        )
        raise TableError(galaxies.name, f"has no redshift for any of {len(galaxies):,} galaxies", mend)
    rows = split.rows(galaxies.ids, labelled)
    split.check_enough(rows, train=LEAST_TRAINING, validation=LEAST_VALIDATION, where=galaxies.name)
    return rows


def read_corrected(
    data: Path,
    layout: CatalogueLayout,
    curves: Path | None,
    *,
    rejects: Rejects,
    counted: Counter[str],
) -> CorrectedGalaxies:
    """Read a catalogue, and correct it for Galactic extinction where that is asked for."""
    catalogue = open_photometry(data, layout)
    extinction = known_extinction(catalogue.layout, curves)
    parts = [corrected(chunk, extinction) for chunk in catalogue.chunks(rejects=rejects, counted=counted)]
    if not parts:
        problem = f"has no galaxy that can be used ({rejects.summary()})"
        raise TableError(str(data), problem, "mend the rows")
    found = replace(catalogue.layout, extinction=tuple(extinction.items()))
    return CorrectedGalaxies(concatenate_rows(parts), found)


def read_training(task: TrainingTask, *, most_redshift: float) -> CorrectedGalaxies:
    """Read the galaxies of a training."""
    read = read_corrected(task.data, task.layout, task.curves, rejects=task.run.rejects, counted=task.counted)
    galaxies = read.galaxies
    left_out = {
        f"labels beyond redshift {most_redshift:g}, the highest of the grid": galaxies.redshift
        > most_redshift,
        "labels of galaxies without a flux in any band": np.isfinite(galaxies.redshift)
        & np.all(np.isnan(galaxies.flux_njy), axis=1),
    }
    redshift = galaxies.redshift.copy()
    for reason, bad in left_out.items():
        if np.any(bad):
            task.counted[reason] += int(np.sum(bad))
        redshift[bad] = np.nan
    labels = np.isfinite(galaxies.redshift)
    if np.any(labels) and not np.any(np.isfinite(redshift)):
        problem = f"has {int(labels.sum()):,} redshifts, none of which can be used"
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in task.counted.items())
        raise TableError(galaxies.name, f"{problem} ({reasons})", "mend the columns, or raise --max-redshift")
    zeros = int(np.sum(redshift == 0))
    if zeros > MOST_ZEROS * np.sum(np.isfinite(redshift)):
        column = read.layout.redshift_column
        problem = f"{zeros:,} redshifts in {column} are exactly 0, which no galaxy has"
        mend = f"say --missing={column}=0 if it stands for none, or take out the stars"
        raise TableError(galaxies.name, problem, mend)
    return CorrectedGalaxies(replace(galaxies, redshift=redshift), read.layout)


def can_recalibrate(task: TrainingTask, validation: int) -> bool:
    """Whether densities are set right on the validation galaxies; a note says so if they are too few."""
    if task.recalibrate and validation < FEWEST:
        few = f"there are {validation} galaxies to validate, and it takes {FEWEST}"
        task.run.notes.append(f"the densities are not recalibrated: {few}")
    return task.recalibrate and validation >= FEWEST
