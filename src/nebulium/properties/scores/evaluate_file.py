"""From images, labels and a model to scores and figures, of the galaxies that the model never saw."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from nebulium.data.id_join import rows_of_ids
from nebulium.data.images.matching import open_for_model
from nebulium.data.images.source import ImageSource
from nebulium.data.missing import Missing
from nebulium.data.output import file_stem
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.table import Table, concatenate
from nebulium.errors import ImageError, TableError
from nebulium.modelfile import ModelFolder, describe_model, load_model
from nebulium.nn.image_model import model_images
from nebulium.properties.labels import ID, LabelledRows, join_labels, read_labels
from nebulium.properties.model import PropertyModel
from nebulium.properties.predict import predict_images
from nebulium.properties.scores.evaluate import CONTEXT, DISPLAY, evaluate_predictions
from nebulium.properties.scores.evaluation import Evaluation
from nebulium.properties.scores.galleries import as_pictures, gallery, gallery_rows


def evaluate_file(
    images: str | Path,
    labels: str | Path | None,
    *,
    model: str | Path,
    id_column: str | None = None,
    bands: Sequence[str] | None = None,
    missing: Missing = None,
    all_rows: bool = False,
    against: Sequence[str] = (),
    resamples: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Score a model on images and labels.

    Parameters
    ----------
    images : str or Path
        Pictures, cutouts, cubes or Parquet, as `open_images` opens them.
    labels : str or Path, optional
        A table with the ids and the targets; the columns beside the images if not given. Where they have
        `log_mstar`, `redshift` or `half_light_radius_kpc`, residuals are drawn against them.
    id_column : str, optional
        Column of the ids; `target_id` if not given.
    bands : sequence of str, optional
        Bands to use, in order; names for them where the files have none.
    missing : float, str, or sequence of str, optional
        Numbers that stand for a missing label: -9999 in every column, ``COLUMN=-1`` in one, or "none".
    model : str or Path
        Name of a packaged model, or a model folder.
    all_rows : bool
        Score every galaxy: right only for galaxies that the model never saw. By default those in the test
        part of the model's own split.
    against : sequence of str
        More columns of the labels to draw residuals against.
    resamples, seed : int
        Of the bootstrap that gives the errors, and of the galaxies shown.

    Returns
    -------
    Evaluation
        With a gallery of galaxies for each property.

    Raises
    ------
    NebuliumError
        As in `nebulium.properties.predict_file`, or there is no galaxy to score.

    Examples
    --------
    >>> evaluate_file("cutouts", "labels.ecsv", model="mine", id_column="objid")  # doctest: +SKIP
    """
    found, loaded = describe_model(model), load_model(model, of=PropertyModel)
    matched = open_for_model(images, loaded.form, bands=bands)
    source, targets, rejects = matched.source, loaded.targets, Rejects()
    beside = [*(name for name in CONTEXT if name not in targets), *against]
    table = read_labels(labels, source, targets, id_column=id_column, beside=beside, missing=missing)
    labelled = join_labels(source, table, targets, Rejects(), missing=missing)
    part = _part(labelled, found, all_rows)
    tables = list(predict_images(source, loaded, rejects=rejects, rows=labelled.rows[part]))
    if not tables:
        raise ImageError(str(images), f"has no image to score ({rejects.summary()})", "check the images")
    predictions = dataclasses.replace(concatenate(tables), name=found.name)
    known = table.select(labelled.label_rows[part])
    scored = evaluate_predictions(
        predictions, known, targets, method=found.name, against=against, resamples=resamples, seed=seed
    )
    about = {
        "model": found.name,
        "images": str(images),
        "part": "all" if all_rows else "test",
        "images_set_aside": rejects.summary(),
        "supposed": [
            *matched.notes(loaded.form.preparation.size, rejects),
            *_seen_notes(found),
        ],
    }
    shown = {
        f"{file_stem(target)}_gallery": _gallery(source, loaded, labelled, predictions, target, seed)
        for target in targets
    }
    return dataclasses.replace(scored, about={**scored.about, **about}, figures={**scored.figures, **shown})


def _seen_notes(found: ModelFolder) -> tuple[str, ...]:
    """A model without a test part cannot be scored on its own sample."""
    if Split.from_dict(found.config["split"]).fractions["train"] < 1.0:
        return ()
    count = found.config["split"]["galaxies"]["train"]
    return (f"the model was trained on every galaxy of its sample ({count:,}): a score on those is too good",)


def _part(labelled: LabelledRows, found: ModelFolder, all_rows: bool) -> np.ndarray:
    """Which of the labelled galaxies are scored."""
    if all_rows:
        return np.arange(len(labelled))
    part = np.flatnonzero(Split.from_dict(found.config["split"]).held_out(labelled.ids))
    if not len(part):
        problem = f"none of {len(labelled)} galaxies is in the test part of the model's split"
        mend = "give more galaxies, or score all (--all-rows) if the model never saw them"
        raise TableError(f"model {found.name}", problem, mend)
    return part


def _gallery(
    source: ImageSource,
    model: PropertyModel,
    labelled: LabelledRows,
    predictions: Table,
    target: str,
    seed: int,
) -> Figure:
    """Galaxies of low, high and any value, with what is predicted."""
    place = rows_of_ids(predictions[ID], labelled.ids)
    true = labelled.values[place, model.targets.index(target)].astype(np.float64)
    groups = gallery_rows(true, seed=seed)
    pictures = {kind: _pictures(source, model, labelled.rows[place[rows]]) for kind, rows in groups.items()}
    values = {name: predictions[target + name].astype(np.float64) for name in ("", "_sigma")}
    return gallery(
        pictures,
        {kind: true[rows] for kind, rows in groups.items()},
        {kind: values[""][rows] for kind, rows in groups.items()},
        sigma={kind: values["_sigma"][rows] for kind, rows in groups.items()},
        title=DISPLAY.get(target, target),
    )


def _pictures(source: ImageSource, model: PropertyModel, rows: np.ndarray) -> np.ndarray:
    """Images of galaxies that were predicted before."""
    chunks = [images for _, images in model_images(source, model, rejects=Rejects(), rows=rows)]
    side = model.form.preparation.side
    return as_pictures(
        np.concatenate([np.zeros((0, side, side, len(model.form.bands)), np.float32), *chunks])
    )
