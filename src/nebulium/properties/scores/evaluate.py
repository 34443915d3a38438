"""From images, embeddings or tables of predictions, and labels, to scores and figures.

What is scored is a table with `target_id` and, for each property TARGET, the columns `TARGET` and, where
there are error bars, `TARGET_q16` and `TARGET_q84` or `TARGET_sigma`. Which galaxies of a table may be scored
is for the caller to decide; of a model, those that it was not trained on.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nebulium.data.column_checks import Missing
from nebulium.data.ids import check_unique_ids, rows_of_ids
from nebulium.data.images.opening import ImagePaths
from nebulium.data.output import as_paths, file_stem
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.errors import TableError, check_extra
from nebulium.properties.predict import PropertyPredictor
from nebulium.properties.scores.class_figures import class_figures
from nebulium.properties.scores.class_scores import (
    CLASS_METRICS,
    predicted_class_columns,
    predicted_classes,
    with_class_names,
)
from nebulium.properties.scores.figures import CONTEXT, MASS, property_figures
from nebulium.properties.scores.labelled_galaxies import LabelledGalaxies
from nebulium.properties.scores.mass_metallicity import has_masses, more_than_mass
from nebulium.properties.scores.scores import BESIDE, METRICS, Baselines, baseline_columns, predicted_columns
from nebulium.properties.seen.galaxies import Embeddings
from nebulium.verbs.evaluation import OF_GALAXIES, Evaluation, Scoring, evaluate_methods
from nebulium.verbs.held_out import TEST
from nebulium.verbs.labels.classes import probability_column
from nebulium.verbs.labels.joining import join_labels, label_values, read_labels
from nebulium.verbs.predict import ID, find_predictor
from nebulium.verbs.score import Bootstrap


def evaluate_predictions(
    predictions: Table,
    labels: Table,
    targets: Sequence[str],
    *,
    id_column: str = "target_id",
    method: str = "model",
    rivals: Mapping[str, Table] | None = None,
    baselines: Baselines | None = None,
    against: Sequence[str] = (),
    resamples: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Score predictions against labels and draw the figures.

    Parameters
    ----------
    predictions : Table
        With `target_id` and the columns of each property.
    labels : Table
        With the ids, each property under its name, and where known `log_mstar`, `redshift` and
        `half_light_radius_kpc`, against which residuals are drawn. A column PROPERTY_sigma or PROPERTY_err is
        the standard error of the labels, by which intervals are widened before labels are counted in them.
    targets : sequence of str
        The properties; one that the predictions give probabilities of, in columns PROPERTY_p_CLASS, is a
        class.
    id_column : str
        Name of the ids among the labels.
    method : str
        What made the predictions.
    rivals : mapping of str to Table
        Predictions of others, the same columns; scored on the galaxies that they share with the labels, and
        compared with the method on those that all three share.
    baselines : mapping of str to mapping of str to ndarray of shape (n,)
        By name and property what simpler methods predict of the labelled galaxies, the simplest first; the
        mean of the labels if not given.
    against : sequence of str
        More columns of the labels to draw residuals against.
    resamples, seed : int
        Of the bootstrap that gives the errors.

    Returns
    -------
    Evaluation

    Raises
    ------
    TableError
        If a column is missing, an id occurs twice, no galaxy has both, or a label is text.

    Examples
    --------
    >>> draw = np.random.default_rng(0).normal
    >>> labels = Table({"objid": np.arange(300), "oh12": draw(9.0, 0.2, 300)})
    >>> predicted = Table({"target_id": labels["objid"][::-1], "oh12": labels["oh12"][::-1] + 0.1})
    >>> found = evaluate_predictions(predicted, labels, ["oh12"], id_column="objid", resamples=2)
    >>> [(score.method, round(score["rmse"].value, 1)) for score in found.scores]
    [('mean of the scored', 0.2), ('model', 0.1)]
    >>> sorted(found.figures)
    ['oh12_predicted_against_true', 'oh12_residuals']
    """
    bootstrap, ids = Bootstrap(resamples, seed), labels[id_column]
    check_unique_ids(lambda: [ids], where=labels.name)
    tables = {
        name: _in_order_of(ids, table, targets, labels.name)
        for name, table in {method: predictions, **(rivals or {})}.items()
    }
    found = {target: predicted_classes(predictions, target) for target in targets}
    classes = {target: names for target, names in found.items() if names}
    methods = {
        name: {
            target: predicted_class_columns(table, labels, target, classes[target])
            if target in classes
            else predicted_columns(table, labels, target)
            for target in targets
        }
        for name, table in tables.items()
    }
    ours, ordered = methods[method], tables[method]
    masses = {
        target: more_than_mass(
            columns["true"], columns["predicted"], label_values(labels, MASS), ordered.columns.get(MASS),
            resamples=resamples, seed=seed,
        )
        for target, columns in ours.items()
        if target not in (MASS, *classes)
        and MASS in labels
        and has_masses(columns, label_values(labels, MASS))
    }  # fmt: skip
    scored = evaluate_methods(
        methods,
        {**(METRICS if len(classes) < len(targets) else {}), **(CLASS_METRICS if classes else {})},
        ids=ids,
        figures=lambda _: {
            f"{file_stem(target)}_{name}": figure
            for target, columns in ours.items()
            for name, figure in (
                class_figures(target, classes[target], columns)
                if target in classes
                else property_figures(labels, target, columns, masses.get(target), against)
            ).items()
        },
        columns=(*OF_GALAXIES, "most_probable", "confidence"),
        id_column=id_column,
        baselines=baseline_columns(ours, baselines, classes),
        method=method,
        bootstrap=bootstrap,
        about={
            "method": method,
            "predictions": predictions.name,
            "labels": labels.name,
            "predictions_without_label": int(len(predictions) - np.sum(ordered["there"])),
            "labels_without_prediction": int(np.sum(~ordered["there"])),
        },
    )
    record = {"more_than_mass": {target: found.record() for target, found in masses.items()}}
    galaxies = None if scored.galaxies is None else with_class_names(scored.galaxies, classes)
    return dataclasses.replace(scored, more=record, galaxies=galaxies)


def _in_order_of(ids: np.ndarray, table: Table, targets: Sequence[str], labels: str) -> Table:
    """Predictions in the order of labelled galaxies, NaN where there is none, and whether one is `there`."""
    check_unique_ids(lambda: [table[ID]], where=table.name)
    place = rows_of_ids(ids, table[ID])
    there = place >= 0
    if not np.any(there):
        problem = f"has no galaxy of {labels} among its {len(table)}"
        mend = "give the labels of these galaxies, and the column of their ids"
        raise TableError(table.name, problem, mend)
    wanted = [MASS]
    for target in targets:
        names = predicted_classes(table, target)
        of = [probability_column(target, name) for name in names]
        wanted += of or [target, *(target + part for part in BESIDE if target + part in table)]
    columns = {
        name: np.where(there, label_values(table, name)[place], np.nan)
        for name in dict.fromkeys(wanted)
        if name != MASS or name in table
    }
    return Table({**columns, "there": there}, {}, table.name)


def evaluate_file(
    images: ImagePaths | None,
    labels: str | Path | None,
    *,
    model: str | Path,
    embeddings: Embeddings | None = None,
    id_column: str | None = None,
    bands: Sequence[str] | None = None,
    missing: Missing = None,
    all_rows: bool = False,
    traditional: bool = False,
    against: Sequence[str] = (),
    resamples: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Score a model on images or embeddings, and labels.

    Parameters
    ----------
    images : str, Path, sequence of these, or None
        Pictures, cutouts, cubes or Parquet, as `open_images` opens them; None for a model that sees
        embeddings alone.
    labels : str or Path, optional
        A table with the ids and the targets; the columns beside the images or embeddings if not given. Where
        they have `log_mstar`, `redshift` or `half_light_radius_kpc`, residuals are drawn against them.
    id_column : str, optional
        Column of the ids; `target_id` if not given.
    bands : sequence of str, optional
        Bands to use, in order; names for them where the files have none.
    missing : float, str, or sequence of str, optional
        Numbers that stand for a missing label: -9999 in every column, ``COLUMN=-1`` in one, or "none".
    model : str or Path
        Name of a packaged model, or a model folder.
    embeddings : str, Path or EmbeddingTable, optional
        For a model that sees embeddings: their table.
    all_rows : bool
        Score every galaxy: right only if the model was trained on none. By default those in the test part of
        the model's own split.
    traditional : bool
        Also fit a random forest to the light, or the embeddings, of the training galaxies, and score it.
    against : sequence of str
        More columns of the labels to draw residuals against.
    resamples, seed : int
        Of the bootstrap that gives the errors, and of the galaxies shown.

    Returns
    -------
    Evaluation
        With the mean of the training galaxies and a regression on their integrated light, or on embeddings
        alone, where training galaxies are among them, and, of images, a gallery for each property.

    Raises
    ------
    NebuliumError
        As in `nebulium.properties.predict_file`, or there is no galaxy to score.

    Examples
    --------
    >>> evaluate_file("cutouts", "labels.ecsv", model="mine", id_column="objid")  # doctest: +SKIP
    """
    if traditional:
        check_extra("bench")
    predictor = find_predictor(model, of=PropertyPredictor)
    source = predictor.open_galaxies(images, bands=bands, embeddings=embeddings).source
    scored_path = str(source.path) if images is None else " ".join(map(str, as_paths(images)))
    scoring = Scoring.of(scored_path, [model], None if all_rows else TEST, resamples, seed)
    name, targets = next(iter(scoring.models)), (*predictor.model.targets, *dict(predictor.model.classes))
    beside = [*(column for column in CONTEXT if column not in targets), *against]
    table = read_labels(labels, source, targets, id_column=id_column, beside=beside, missing=missing)
    known = dict(predictor.model.classes)
    labelled = join_labels(source, table, targets, Rejects(), missing=missing, classes=known)
    own_ids = ID if predictor.model.form else source.id_column
    held = scoring.held_out(labelled.ids, id_column=id_column or own_ids)
    galaxies = LabelledGalaxies(predictor, images, embeddings, bands, labelled)
    opened, predicted, light = galaxies.predicted(held.rows)
    predictions = predicted.as_table(name=name)
    scored = evaluate_predictions(
        predictions,
        table.select(labelled.label_rows[held.rows]),
        targets,
        method=name,
        baselines=galaxies.baselines(held, predicted.ids, light, traditional),
        against=against,
        resamples=resamples,
        seed=seed,
    )
    shown = {
        f"{file_stem(one)}_gallery": galaxies.gallery(predictions, one, seed)
        for one in targets
        if predictor.model.form is not None
    }
    scored = dataclasses.replace(scored, figures={**scored.figures, **shown})
    return scoring.completed(scored, len(predictions), (*opened.notes, *held.notes), opened.rejects)
