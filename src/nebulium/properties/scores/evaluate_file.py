"""From images, labels and a model to scores and figures, of galaxies that the model was not trained on."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from nebulium.data.ids import rows_of_ids
from nebulium.data.images.matching import open_for_model
from nebulium.data.missing import Missing
from nebulium.data.output import file_stem
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table, concatenate
from nebulium.errors import ImageError
from nebulium.metrics.estimates import FEWEST
from nebulium.properties.baselines.baselines import BASELINES
from nebulium.properties.baselines.integrated_light import light_features
from nebulium.properties.labels import ID, LabelledRows, join_labels, read_labels
from nebulium.properties.predict import PreparedImages, PropertyPredictor
from nebulium.properties.scores.evaluate import CONTEXT, DISPLAY, Baselines, evaluate_predictions
from nebulium.properties.scores.galleries import as_pictures, gallery, gallery_rows
from nebulium.verbs.evaluation import Evaluation, describe_run, named_models
from nebulium.verbs.held_out import TEST, HeldOut, held_out_galaxies
from nebulium.verbs.predictor import Opened, find_predictor
from nebulium.verbs.score import Bootstrap

TRAINING_MEAN, RIDGE, FOREST = "training mean", "ridge on integrated light", "forest on integrated light"
#: Galaxies that the baselines learn from at most: their images are read for it.
MOST_TEACHERS = 4000


def evaluate_file(
    images: str | Path,
    labels: str | Path | None,
    *,
    model: str | Path,
    id_column: str | None = None,
    bands: Sequence[str] | None = None,
    missing: Missing = None,
    all_rows: bool = False,
    traditional: bool = False,
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
        Score every galaxy: right only if the model was trained on none. By default those in the test part of
        the model's own split.
    traditional : bool
        Also fit a random forest to the light of the training galaxies, and score it.
    against : sequence of str
        More columns of the labels to draw residuals against.
    resamples, seed : int
        Of the bootstrap that gives the errors, and of the galaxies shown.

    Returns
    -------
    Evaluation
        With the mean of the training galaxies and a regression on their integrated light, where training
        galaxies are among the images, and a gallery of galaxies for each property.

    Raises
    ------
    NebuliumError
        As in `nebulium.properties.predict_file`, or there is no galaxy to score.

    Examples
    --------
    >>> evaluate_file("cutouts", "labels.ecsv", model="mine", id_column="objid")  # doctest: +SKIP
    """
    models, predictor = named_models([model]), find_predictor(model, of=PropertyPredictor)
    name, part, targets = next(iter(models)), None if all_rows else TEST, predictor.model.targets
    source = open_for_model(images, predictor.model.form, bands=bands).source
    beside = [*(column for column in CONTEXT if column not in targets), *against]
    table = read_labels(labels, source, targets, id_column=id_column, beside=beside, missing=missing)
    labelled = join_labels(source, table, targets, Rejects(), missing=missing)
    held = held_out_galaxies(
        labelled.ids, list(models.values()), where=str(images), part=part, id_column=id_column or ID
    )
    galaxies = _Galaxies(predictor, Path(images), bands, labelled)
    opened = galaxies.open(held.rows)
    seen = [(predictor(chunk).as_table(), light_features(chunk[1])) for chunk in opened.chunks]
    if not seen:
        problem = f"has no image to score ({opened.rejects.summary()})"
        raise ImageError(str(images), problem, "check the images")
    predictions, light = concatenate([one for one, _ in seen]), np.concatenate([one for _, one in seen])
    scored = evaluate_predictions(
        dataclasses.replace(predictions, name=name),
        table.select(labelled.label_rows[held.rows]),
        targets,
        method=name,
        baselines=galaxies.baselines(held, predictions[ID], light, traditional),
        against=against,
        resamples=resamples,
        seed=seed,
    )
    shown = {f"{file_stem(one)}_gallery": galaxies.gallery(predictions, one, seed) for one in targets}
    run = describe_run(images, models, part, len(predictions), Bootstrap(resamples, seed))
    return dataclasses.replace(
        scored,
        about={**scored.about, **run},
        figures={**scored.figures, **shown},
        notes=(*opened.notes, *held.notes),
        rejects=opened.rejects,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Galaxies:
    """Galaxies with labels, whose images are read as a model takes them."""

    predictor: PropertyPredictor
    images: Path
    bands: Sequence[str] | None
    labelled: LabelledRows

    def open(self, rows: np.ndarray) -> Opened[PreparedImages]:
        """The images of some of them."""
        return self.predictor.open(self.images, bands=self.bands, ids=self.labelled.ids[rows])

    def baselines(
        self, held: HeldOut, ids: np.ndarray, light: Float[np.ndarray, "k feature"], traditional: bool
    ) -> Baselines | None:
        """What simpler methods learn from the training galaxies, if these are enough, about the scored."""
        training = held.training
        if len(training) > MOST_TEACHERS:
            training = np.sort(np.random.default_rng(0).choice(training, MOST_TEACHERS, replace=False))
        seen = [(ids, light_features(images)) for ids, images in self.open(training).chunks]
        if not seen:
            return None
        their_ids, their_light = (np.concatenate(parts) for parts in zip(*seen, strict=True))
        values = self._values(their_ids)
        if np.any(np.isfinite(values).sum(axis=0) < FEWEST):
            return None
        names = {TRAINING_MEAN: "mean", RIDGE: "ridge"} | ({FOREST: "random forest"} if traditional else {})
        place = rows_of_ids(self.labelled.ids[held.rows], ids)
        return {
            name: {
                target: BASELINES[kind](their_light, column).predict(light)[place]
                for target, column in zip(self.labelled.targets, values.T, strict=True)
            }
            for name, kind in names.items()
        }

    def gallery(self, predictions: Table, target: str, seed: int) -> Figure:
        """Galaxies of low, high and any value, with what is predicted."""
        ids = predictions[ID]
        true = self._values(ids)[:, self.labelled.targets.index(target)]
        groups = gallery_rows(true, seed=seed)
        predicted, sigma = (predictions[target + part].astype(np.float64) for part in ("", "_sigma"))
        return gallery(
            {kind: self._pictures(ids[rows]) for kind, rows in groups.items()},
            {kind: true[rows] for kind, rows in groups.items()},
            {kind: predicted[rows] for kind, rows in groups.items()},
            sigma={kind: sigma[rows] for kind, rows in groups.items()},
            title=DISPLAY.get(target, target),
        )

    def _values(self, ids: np.ndarray) -> Float[np.ndarray, "k target"]:
        """The labels of some galaxies."""
        return self.labelled.values[rows_of_ids(ids, self.labelled.ids)].astype(np.float64)

    def _pictures(self, ids: np.ndarray) -> np.ndarray:
        """Images of galaxies that were predicted before, in this order."""
        if not len(ids):
            return np.zeros((0, 1, 1, 3))
        chunks = list(self.open(rows_of_ids(ids, self.labelled.ids)).chunks)
        found, images = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
        return as_pictures(images[rows_of_ids(ids, found)])
