"""From tables of predictions and of labels to scores and figures.

Independent of any model: what is scored is a table with `target_id` and, for each property TARGET, the
columns `TARGET` and, where there are error bars, `TARGET_q16` and `TARGET_q84` or `TARGET_sigma`. Which
galaxies may be scored is for the caller to decide: those that the model was not trained on.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.figure import Figure

from nebulium.data.ids import check_unique_ids, rows_of_ids
from nebulium.data.output import file_stem
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.properties.labels import label_sigma
from nebulium.properties.scores.figures import calibration_figure, predicted_against_true, residuals_against
from nebulium.properties.scores.mass_figures import mass_metallicity_figure, more_than_mass_figure
from nebulium.properties.scores.mass_metallicity import FEWEST, more_than_mass
from nebulium.properties.scores.scores import METRICS, Intervals, property_columns
from nebulium.verbs.evaluation import Evaluation, galaxy_table, score_methods
from nebulium.verbs.score import Bootstrap, Columns, Score

Values = Float[np.ndarray, " _"]
#: What baselines predict of labelled galaxies, by name and property.
Baselines = Mapping[str, Mapping[str, Values]]

SCORED_MEAN = "mean of the scored"

MASS = "log_mstar"
#: What residuals are drawn against where the labels have it, with its name on the axis.
CONTEXT: Mapping[str, str] = {
    MASS: "log M★ / M☉",
    "redshift": "Redshift",
    "half_light_radius_kpc": "Half-light radius / kpc",
}
#: Units of errors and residuals.
UNITS: Mapping[str, str] = {"oh12": "dex", "oh_p50": "dex", MASS: "dex", "log_sfr": "dex"}
#: Names of properties on the axes, with their units; others stand as their columns are called.
DISPLAY: Mapping[str, str] = {
    "oh12": "12 + log(O/H)",
    "oh_p50": "12 + log(O/H)",
    MASS: "log M★ / M☉",
    "log_sfr": "log SFR / (M☉/yr)",
    "redshift": "Redshift",
}


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
        The properties.
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
    bootstrap, ids = Bootstrap(resamples, seed), _ids(labels, id_column)
    tables = {method: predictions, **(rivals or {})}
    places = {name: _places(ids, table, labels.name) for name, table in tables.items()}
    methods = {
        name: {target: _columns(table, labels, target, places[name]) for target in targets}
        for name, table in tables.items()
    }
    ours, place = methods[method], places[method]
    every = {**_baseline_columns(ours, baselines), **methods}
    scores, comparison = score_methods(every, METRICS, method=method, bootstrap=bootstrap)
    by_image = _optional(predictions, MASS, place)
    masses = {
        target: more_than_mass(
            columns["true"], columns["predicted"], _numbers(labels, MASS), by_image, resamples=resamples,
            seed=seed,
        )
        for target, columns in ours.items()
        if _has_masses(labels, target, columns)
    }  # fmt: skip
    figures = {
        f"{file_stem(target)}_{name}": figure
        for target, columns in ours.items()
        for name, figure in _figures(labels, target, columns, masses.get(target), against).items()
    }
    about = {
        "method": method,
        "predictions": predictions.name,
        "labels": labels.name,
        "predictions_without_label": int(len(predictions) - np.sum(place >= 0)),
        "labels_without_prediction": int(np.sum(place < 0)),
        "bootstrap_resamples": resamples,
        "seed": seed,
    }
    return Evaluation(
        scores,
        comparison,
        METRICS,
        figures,
        galaxies=galaxy_table(ids, methods, id_column=id_column),
        about=about,
        more={"more_than_mass": {target: found.record() for target, found in masses.items()}},
    )


def _baseline_columns(
    ours: Mapping[str, Columns], baselines: Baselines | None
) -> dict[str, dict[str, Columns]]:
    """Predictions of the baselines for the galaxies that the method predicts."""
    if baselines is None:
        known = {
            target: columns["true"][np.isfinite(columns["true"] + columns["predicted"])]
            for target, columns in ours.items()
        }
        baselines = {
            SCORED_MEAN: {
                target: np.full(len(ours[target]["true"]), np.mean(values) if len(values) else np.nan)
                for target, values in known.items()
            }
        }
    return {
        name: {
            target: property_columns(
                ours[target]["true"], np.where(np.isfinite(ours[target]["predicted"]), values, np.nan)
            )
            for target, values in of.items()
        }
        for name, of in baselines.items()
    }


def _ids(table: Table, column: str) -> np.ndarray:
    """The ids of a table, each of which must stand there once."""
    ids = table[column]
    check_unique_ids(lambda: [ids], where=table.name)
    return ids


def _places(ids: np.ndarray, table: Table, labels: str) -> Integer[np.ndarray, " n"]:
    """Row of each labelled galaxy among the predictions; -1 where there is none."""
    predicted = _ids(table, "target_id")
    place = rows_of_ids(ids, predicted)
    if not np.any(place >= 0):
        raise TableError(
            table.name,
            f"has no galaxy of {labels} among its {len(predicted)}",
            "give the labels of these galaxies, and the column of their ids",
        )
    return place


def _numbers(table: Table, column: str) -> Values:
    """A column in double precision."""
    values = table[column]
    if values.dtype.kind not in "fiub":
        raise TableError(
            f"{table.name}, column {column}", f"holds {values.dtype}, not numbers", "choose another column"
        )
    return values.astype(np.float64)


def _optional(table: Table, column: str, place: Integer[np.ndarray, " n"]) -> Values | None:
    """A column in the order of the labels, if the table has it."""
    if column not in table:
        return None
    return np.where(place >= 0, _numbers(table, column)[place], np.nan)


def _columns(table: Table, labels: Table, target: str, place: Integer[np.ndarray, " n"]) -> Columns:
    """Predictions of one property by one method, in the order of the labels; NaN where there is none."""
    true, noise = _numbers(labels, target), np.nan_to_num(label_sigma(labels, target))
    predicted = np.where(place >= 0, _numbers(table, target)[place], np.nan)
    low, high, sigma = (_optional(table, f"{target}_{part}", place) for part in ("q16", "q84", "sigma"))
    if low is not None and high is not None:
        intervals = Intervals(low, high)
    elif sigma is not None:
        intervals = Intervals.of_sigma(predicted, sigma)
    else:
        return property_columns(true, predicted)
    intervals = intervals.of_labels(predicted, noise)
    return {**property_columns(true, predicted, intervals), "q16": intervals.q16, "q84": intervals.q84}


def _has_masses(labels: Table, target: str, columns: Columns) -> bool:
    """Whether there are galaxies enough with a mass, and the property is another one."""
    if target == MASS or MASS not in labels:
        return False
    there = np.isfinite(columns["true"] + columns["predicted"] + _numbers(labels, MASS))
    return int(there.sum()) >= FEWEST


def _figures(
    labels: Table, target: str, columns: Columns, masses: Score | None, against: Sequence[str]
) -> dict[str, Figure]:
    """The figures of one property, by name."""
    name, unit = DISPLAY.get(target, target), UNITS.get(target, "")
    true, predicted = columns["true"], columns["predicted"]
    known = [column for column in CONTEXT if column in labels]
    others = {f"True {name}": true} | {
        CONTEXT.get(column, column): _numbers(labels, column)
        for column in [*known, *against]
        if column != target
    }
    figures = {
        "predicted_against_true": predicted_against_true(true, predicted, label=name),
        "residuals": residuals_against(true, predicted, others, label=name),
    }
    if "q16" in columns:
        intervals = Intervals(columns["q16"], columns["q84"])
        figures["calibration"] = calibration_figure(true, predicted, intervals, label=name)
    if masses is not None:
        triple = _numbers(labels, MASS), true, predicted
        figures["relation_with_mass"] = mass_metallicity_figure(*triple, label=name)
        figures["more_than_mass"] = more_than_mass_figure(*triple, masses, unit=unit)
    return figures
