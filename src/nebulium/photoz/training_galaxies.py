"""Labelled galaxies of a catalogue, ready to train on: corrected, and split by their ids."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int64

from nebulium.data.splits import Split
from nebulium.errors import TableError
from nebulium.metrics.estimates import FEWEST as FEWEST_TO_SCORE
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import CatalogueLayout
from nebulium.photoz.density.recalibration import FEWEST
from nebulium.photoz.reading import Reading
from nebulium.verbs import TrainedModel, Training

#: Fewest labelled galaxies that anything can be learned from, and judged by.
LEAST_TRAINING, LEAST_VALIDATION = 10, 2
#: With fewer test galaxies the user is warned.
FEW_TO_SCORE = 100


@dataclass(frozen=True)
class Method:
    """One way to redshifts.

    Attributes
    ----------
    settings : type
        A dataclass: what can be set.
    train : callable of TrainingTask
    does : str
        What it does, in a line.
    citation : str
        What its users should cite.
    """

    settings: type
    train: Callable[["TrainingTask"], TrainedModel]
    does: str
    citation: str = "the data set that the model was trained on"


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """What is to be trained on, and how.

    Attributes
    ----------
    reading : Reading
        The mock survey or catalogue; it takes the galaxies that cannot be used, and counts.
    split : Split
        Its id column is that of the layout.
    name : str
        Of the method.
    method : Method
    settings : dataclass
        Those of the method.
    recalibrate : bool
        Whether densities are set right on the validation galaxies.
    run : Training
        Fits networks, and takes notes.
    """

    reading: Reading
    split: Split
    name: str
    method: Method
    settings: Any
    recalibrate: bool
    run: Training


def labelled_rows(galaxies: PhotometricGalaxies, task: TrainingTask) -> dict[str, Int64[np.ndarray, " k"]]:
    """Rows of the labelled galaxies in each part of a split, enough of them to learn from."""
    split = task.split
    labelled = np.isfinite(galaxies.redshift)
    if not np.any(labelled):
        mend = (
            "name the column of redshifts: --redshift COLUMN; or choose the method template, which needs none"
        )
        raise TableError(galaxies.name, f"has no redshift for any of {len(galaxies):,} galaxies", mend)
    rows = split.rows(galaxies.ids, labelled)
    split.check_enough(rows, train=LEAST_TRAINING, validation=LEAST_VALIDATION, where=galaxies.name)
    if len(rows["test"]) < FEW_TO_SCORE:
        task.run.warn(_few_to_score(len(rows["test"])))
    return rows


def _few_to_score(test: int) -> str:
    """What scores of so few test galaxies will be worth."""
    left = f"{test} galaxies with redshifts are left for testing"
    if test < FEWEST_TO_SCORE:
        return f"{left}: too few for any score, it takes {FEWEST_TO_SCORE}; score on a catalogue of its own"
    # Of Gaussian residuals; of a share of outliers near 5 %.
    scatter, outliers = 1.17 / math.sqrt(test), math.sqrt(0.05 * 0.95 / test)
    return f"{left}: their scores will be known to {scatter:.0%} (scatter) and {outliers:.0%} (outliers) only"


def read_training(task: TrainingTask, *, most_redshift: float) -> tuple[PhotometricGalaxies, CatalogueLayout]:
    """Read the galaxies of a training, and the layout of their catalogue as it was found."""
    galaxies, layout = task.reading.corrected()
    counted = task.reading.counted
    left_out = {
        f"labels beyond redshift {most_redshift:g}, the highest of the grid": galaxies.redshift
        > most_redshift,
        "labels of galaxies without a flux in any band": np.isfinite(galaxies.redshift)
        & np.all(np.isnan(galaxies.flux_njy), axis=1),
    }
    redshift = galaxies.redshift.copy()
    for reason, bad in left_out.items():
        if np.any(bad):
            counted[reason] += int(np.sum(bad))
        redshift[bad] = np.nan
    labels = np.isfinite(galaxies.redshift)
    if np.any(labels) and not np.any(np.isfinite(redshift)):
        problem = f"has {int(labels.sum()):,} redshifts, none of which can be used"
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in counted.items())
        raise TableError(galaxies.name, f"{problem} ({reasons})", "mend the columns, or raise --max-redshift")
    return replace(galaxies, redshift=redshift), layout


def can_recalibrate(task: TrainingTask, validation: int) -> bool:
    """Whether densities are set right on the validation galaxies; a note says so if they are too few."""
    if task.recalibrate and validation < FEWEST:
        few = f"there are {validation} galaxies to validate, and it takes {FEWEST}"
        task.run.notes.append(f"the densities are not recalibrated: {few}")
    return task.recalibrate and validation >= FEWEST
