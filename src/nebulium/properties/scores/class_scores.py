"""What is known of each galaxy about a predicted class, and the metrics of it."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.metrics.classes import balanced_accuracy, expected_calibration_error, roc_auc
from nebulium.verbs.labels.classes import Classes, class_places, probability_column
from nebulium.verbs.labels.joining import label_values
from nebulium.verbs.score import Columns, Metric, Values, average, smaller

Probability = Float[np.ndarray, "n class"]

CLASS_METRICS: Mapping[str, Metric] = {
    "accuracy": Metric(average, "accuracy", ("right",), loss=np.negative, has_share=False),
    "balanced_accuracy": Metric(
        balanced_accuracy, "balanced accuracy", ("true", "right"), loss=np.negative, has_share=False
    ),
    "roc_auc": Metric(roc_auc, "ROC AUC", ("true", "score"), loss=np.negative, has_share=False),
    "log_loss": Metric(average, "log loss / nat", ("log_loss",), loss=smaller),
    "calibration_error": Metric(expected_calibration_error, "calibration error", ("right", "confidence")),
}
#: What a log loss takes for an impossible class that is true.
LEAST_PROBABILITY = 1e-6


def class_columns(true: Values, probability: Probability) -> Columns:
    """What the metrics are measured on.

    Parameters
    ----------
    true : ndarray of shape (n,)
        Place of the true class; NaN where missing.
    probability : ndarray of shape (n, class)
        Of each class; NaN where there is no prediction.

    Returns
    -------
    mapping of str to ndarray of shape (n,)
        "true", "most_probable" (its place), "right" (1 or 0), "confidence" (the probability of the most
        probable class), "log_loss" and, of two classes, "score" (the probability of the second).

    Examples
    --------
    >>> columns = class_columns(np.array([0.0, 1.0]), np.array([[0.8, 0.2], [0.6, 0.4]]))
    >>> columns["right"].tolist(), columns["confidence"].tolist()
    ([1.0, 0.0], [0.8, 0.6])
    """
    predicted = np.isfinite(probability).all(axis=1)
    known = np.isfinite(true) & predicted
    place = np.where(known, true, 0.0).astype(int)
    filled = np.where(predicted[:, None], probability, 1.0)
    best = np.argmax(filled, axis=1)
    said = {"most_probable": best.astype(float), "confidence": filled.max(axis=1)}
    scored = {
        "right": (best == place).astype(float),
        "log_loss": -np.log(np.maximum(filled[np.arange(len(place)), place], LEAST_PROBABILITY)),
    }
    if probability.shape[1] == 2:
        said["score"] = filled[:, 1]
    return {
        "true": true,
        **{name: np.where(predicted, values, np.nan) for name, values in said.items()},
        **{name: np.where(known, values, np.nan) for name, values in scored.items()},
    }


def predicted_classes(table: Table, target: str) -> tuple[str, ...]:
    """The classes of a target that predictions give probabilities of; empty where it is a number."""
    start = probability_column(target, "")
    return tuple(column.removeprefix(start) for column in table.columns if column.startswith(start))


def predicted_class_columns(ordered: Table, labels: Table, target: str, names: Sequence[str]) -> Columns:
    """Predictions of one class by one method, in the order of the labels; NaN where there is none."""
    wanted = [probability_column(target, name) for name in names]
    lacking = [column for column in wanted if column not in ordered]
    if lacking:
        mend = f"give a probability of each of the classes {', '.join(names)}"
        raise TableError(ordered.name, f"has no column '{lacking[0]}'", mend)
    probability = np.stack([label_values(ordered, column) for column in wanted], axis=1)
    return class_columns(_true_places(labels, target, names), probability)


def class_frequencies(ours: Columns, count: int) -> Probability:
    """How frequent each class is among the galaxies scored, as a prediction of each."""
    known = np.isfinite(ours["true"] + ours["right"])
    found = np.bincount(ours["true"][known].astype(int), minlength=count).astype(float)
    return np.broadcast_to(found / max(found.sum(), 1.0), (len(known), count))


def with_class_names(galaxies: Table, classes: Classes) -> Table:
    """A table of galaxies in which a class is called by its name; empty where it is missing."""
    columns = dict(galaxies.columns)
    for target, names in classes.items():
        for column in columns:
            if column == target or column.endswith(f"_{target}_most_probable"):
                place = np.where(np.isfinite(columns[column]), columns[column], len(names)).astype(int)
                columns[column] = np.array([*names, ""])[place]
    return Table(columns, galaxies.units, galaxies.name)


def _true_places(labels: Table, target: str, names: Sequence[str]) -> Values:
    """Places of the true classes; a class that is never predicted is an error."""
    places = class_places(labels, target, names)
    if np.any(np.isinf(places)):
        row = int(np.argmax(np.isinf(places)))
        problem = f"expected one of {', '.join(names)}, found {labels[target][row]} in row {row}"
        raise TableError(f"{labels.name}, column {target}", problem, "leave such galaxies out")
    return places
