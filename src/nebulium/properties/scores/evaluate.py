"""From tables of predictions and of labels to scores and figures.

Independent of any model: what is scored is a table with `target_id` and, for each property TARGET, the
columns `TARGET` and, where there are error bars, `TARGET_q16` and `TARGET_q84` or `TARGET_sigma`. Which
galaxies may be scored is for the caller to say: those that the model never trained on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.figure import Figure

from nebulium.data.duplicates import check_unique_ids
from nebulium.data.id_join import rows_of_ids
from nebulium.data.output import file_stem
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.properties.labels import label_sigma
from nebulium.properties.scores.evaluation import Evaluation, Gain
from nebulium.properties.scores.figures import calibration_figure, predicted_against_true, residuals_against
from nebulium.properties.scores.mass_figures import mass_metallicity_figure, more_than_mass_figure
from nebulium.properties.scores.mass_metallicity import FEWEST, MassComparison, more_than_mass
from nebulium.properties.scores.scores import Intervals, PropertyScore, rmse_gain, score_property

__all__ = ["Evaluation", "evaluate_predictions"]

Values = Float[np.ndarray, " _"]

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


@dataclass(frozen=True, eq=False)
class _Said:
    """What one method says of one property, in the order of the labels; NaN where it says nothing."""

    predicted: Values
    intervals: Intervals | None


def evaluate_predictions(
    predictions: Table,
    labels: Table,
    targets: Sequence[str],
    *,
    id_column: str = "target_id",
    method: str = "model",
    rivals: Mapping[str, Table] | None = None,
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
    >>> said = Table({"target_id": labels["objid"][::-1], "oh12": labels["oh12"][::-1] + 0.1})
    >>> found = evaluate_predictions(said, labels, ["oh12"], id_column="objid", resamples=2)
    >>> round(found.scores[0].rmse.value, 3), sorted(found.figures)
    (0.1, ['oh12_predicted_against_true', 'oh12_residuals'])
    """
    draws = {"resamples": resamples, "seed": seed}
    ids = _ids(labels, id_column)
    methods = {method: predictions, **(rivals or {})}
    places = {name: _places(ids, table, labels.name) for name, table in methods.items()}
    scores: list[PropertyScore] = []
    gains: list[Gain] = []
    masses: dict[str, MassComparison] = {}
    figures: dict[str, Figure] = {}
    for target in targets:
        true = _numbers(labels, target)
        noise = np.nan_to_num(label_sigma(labels, target))
        said = {name: _said(table, target, places[name], noise) for name, table in methods.items()}
        scores += [
            score_property(name, target, true, one.predicted, one.intervals, **draws)
            for name, one in said.items()
        ]
        gains += _gains(target, true, said, **draws)
        if _has_masses(labels, target, true, said[method]):
            mass, by_image = _numbers(labels, MASS), _optional(predictions, MASS, places[method])
            masses[target] = more_than_mass(true, said[method].predicted, mass, by_image, **draws)
        drawn = _figures(labels, target, true, said[method], masses.get(target), against)
        figures |= {f"{file_stem(target)}_{name}": figure for name, figure in drawn.items()}
    about = {
        "method": method,
        "predictions": predictions.name,
        "labels": labels.name,
        "predictions_without_label": int(len(predictions) - np.sum(places[method] >= 0)),
        "labels_without_prediction": int(np.sum(places[method] < 0)),
        "bootstrap_resamples": resamples,
        "seed": seed,
    }
    return Evaluation(tuple(scores), tuple(gains), masses, figures, about)


def _ids(table: Table, column: str) -> np.ndarray:
    """The ids of a table, each of which must stand there once."""
    ids = table[column]
    check_unique_ids(lambda: [ids], where=table.name)
    return ids


def _places(ids: np.ndarray, table: Table, labels: str) -> Integer[np.ndarray, " n"]:
    """Row of each labelled galaxy among the predictions; -1 where there is none."""
    said = _ids(table, "target_id")
    place = rows_of_ids(ids, said)
    if not np.any(place >= 0):
        raise TableError(
            table.name,
            f"has no galaxy of {labels} among its {len(said)}",
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


def _said(table: Table, target: str, place: Integer[np.ndarray, " n"], noise: Values) -> _Said:
    predicted = np.where(place >= 0, _numbers(table, target)[place], np.nan)
    low, high, sigma = (_optional(table, f"{target}_{part}", place) for part in ("q16", "q84", "sigma"))
    intervals = None if sigma is None else Intervals.of_sigma(predicted, sigma)
    if low is not None and high is not None:
        intervals = Intervals(low, high)
    return _Said(predicted, None if intervals is None else intervals.of_labels(predicted, noise))


def _gains(target: str, true: Values, said: Mapping[str, _Said], *, resamples: int, seed: int) -> list[Gain]:
    """Of the first method over each of the others."""
    (method, ours), *others = said.items()
    return [
        Gain(
            target,
            method,
            rival,
            rmse_gain(true, ours.predicted, theirs.predicted, resamples=resamples, seed=seed),
        )
        for rival, theirs in others
    ]


def _has_masses(labels: Table, target: str, true: Values, said: _Said) -> bool:
    """Whether there are galaxies enough with a mass, and the property is another one."""
    if target == MASS or MASS not in labels:
        return False
    there = np.isfinite(true) & np.isfinite(said.predicted) & np.isfinite(_numbers(labels, MASS))
    return int(there.sum()) >= FEWEST


def _figures(
    labels: Table,
    target: str,
    true: Values,
    said: _Said,
    masses: MassComparison | None,
    against: Sequence[str],
) -> dict[str, Figure]:
    """The figures of one property, by name."""
    name, unit = DISPLAY.get(target, target), UNITS.get(target, "")
    known = [column for column in CONTEXT if column in labels]
    others = {f"True {name}": true} | {
        CONTEXT.get(column, column): _numbers(labels, column)
        for column in [*known, *against]
        if column != target
    }
    figures = {
        "predicted_against_true": predicted_against_true(true, said.predicted, label=name),
        "residuals": residuals_against(true, said.predicted, others, label=name),
    }
    if said.intervals is not None:
        figures["calibration"] = calibration_figure(true, said.predicted, said.intervals, label=name)
    if masses is not None:
        triple = _numbers(labels, MASS), true, said.predicted
        figures["relation_with_mass"] = mass_metallicity_figure(*triple, label=name)
        figures["more_than_mass"] = more_than_mass_figure(*triple, masses, unit=unit)
    return figures
