"""Images of known properties, prepared as a model takes them: those to score, and those it learned from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nebulium.data.column_checks import Missing
from nebulium.data.images.labelled import LabelledImages, prepare_parts
from nebulium.data.images.matching import open_for_model
from nebulium.data.images.opening import ImagePaths
from nebulium.data.rejects import Rejects
from nebulium.errors import TableError
from nebulium.generate.model import LatentImageModel
from nebulium.generate.predict import ScorePredictor, check_instrument
from nebulium.verbs.evaluation import Scoring
from nebulium.verbs.held_out import TEST
from nebulium.verbs.labels.joining import join_labels, read_labels
from nebulium.verbs.predict import ID

#: Fewer galaxies than this are told apart by no classifier, whatever they are.
LEAST_SCORED = 250
#: Training galaxies from which a Gaussian is fitted, and images are sought, at least.
LEAST_TRAINING = 500


@dataclass(frozen=True, eq=False)
class KnownGalaxies:
    """Prepared images of known properties.

    Attributes
    ----------
    test, training : LabelledImages
        With `value`, (n, condition), NaN where a property is not known. There may be no training images.
    rejects : Rejects
        Galaxies that could not be used.
    notes : tuple of str
        What was supposed, and what makes the scores less than they seem.
    """

    test: LabelledImages
    training: LabelledImages
    rejects: Rejects
    notes: tuple[str, ...]

    @property
    def ids(self) -> np.ndarray:
        """Of the galaxies that are scored."""
        return self.test.images.store.ids[self.test.images.rows]

    @property
    def conditions(self) -> Float[np.ndarray, "n condition"]:
        """What is known of the galaxies that are scored."""
        return np.asarray(self.test.labels["value"])

    @property
    def with_training(self) -> bool:
        """Whether there are enough training images to learn from and to look into."""
        return len(self.training) >= LEAST_TRAINING


def known_galaxies(
    images: ImagePaths,
    model: LatentImageModel,
    scoring: Scoring,
    scratch: Path,
    *,
    table: str | Path | None,
    id_column: str | None,
    bands: Sequence[str] | None,
    missing: Missing,
) -> KnownGalaxies:
    """Read the images of the part that is scored, and of the training part, into a folder."""
    matched, rejects = open_for_model(images, model.form, bands=bands), Rejects()
    check_instrument(matched.source, model)
    names = model.conditions
    found = read_labels(
        table, matched.source, names, id_column=id_column, missing=missing, naming=ScorePredictor.naming
    )
    labelled = join_labels(matched.source, found, names, rejects, missing=missing, classes={}, learned=False)
    held = scoring.held_out(labelled.ids, id_column=id_column or ID)
    part = np.full(len(labelled), "", dtype="<U8")
    part[held.training], part[held.rows] = "train", TEST
    parts = prepare_parts(
        matched.source,
        labelled.rows,
        part,
        {"value": labelled.values},
        scratch,
        preparation=model.form.preparation,
        rejects=rejects,
    )
    test, training = parts[TEST], parts["train"]
    if len(test) < LEAST_SCORED:
        problem = (
            f"has {len(test):,} galaxies to score, of {len(labelled):,} with properties; "
            f"{LEAST_SCORED} are needed to tell drawn from real ones"
        )
        mend = "give more galaxies, or score all (--all-rows, all_rows=True) if no model was trained on them"
        raise TableError(scoring.data, problem, mend)
    notes = (*matched.notes(model.form.preparation.size, rejects), *labelled.notes(), *held.notes)
    if len(training) < LEAST_TRAINING:
        less = (
            f"{len(training):,} training galaxies are among them, fewer than {LEAST_TRAINING}: no Gaussian "
            "of properties and coefficients is fitted, and no nearest training images are sought"
        )
        notes = (*notes, less)
    return KnownGalaxies(test, training, rejects, notes)
