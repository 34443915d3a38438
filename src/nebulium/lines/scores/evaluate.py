"""One call from a table of measured lines to the scores and the figures of a model.

Scored are the galaxies that the model never trained on, by the split that it carries. What is compared with
the measurements are predictions of measurements, noise and selection included: once with the noise typical of
the continuum, once with each row's own.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import ID
from nebulium.lines.model import LineModel
from nebulium.lines.predict import median_ews
from nebulium.lines.scores.baselines import Baseline, PcaLocalLinear, PcaNearestNeighbours, TrainingMedian
from nebulium.lines.scores.evaluation import Evaluation
from nebulium.lines.scores.figures import (
    bpt_diagram,
    coverage_against_flux,
    ew_distributions,
    pit_histograms,
    predicted_against_observed,
    score_table,
)
from nebulium.lines.scores.measured_galaxies import MeasuredGalaxies, measured_galaxies
from nebulium.lines.scores.populations import draw_intrinsic, draw_measurements, quantiles_of_measurements
from nebulium.lines.scores.scores import (
    LEVELS,
    CalibrationScore,
    PointScore,
    fifths,
    score_distribution,
    score_points,
)
from nebulium.metrics.probabilistic import pit_from_quantiles
from nebulium.modelfile import describe_model, load_model

__all__ = [
    "INTRINSIC",
    "LOCAL_LINEAR",
    "NEAREST_NEIGHBOURS",
    "OBSERVED",
    "OBSERVED_IVAR",
    "PUBLISHED",
    "TRAINING_MEDIAN",
    "Evaluation",
    "evaluate",
]

# Methods, as the tables name them.
TRAINING_MEDIAN = "training median"
NEAREST_NEIGHBOURS = "PCA + k-NN"
LOCAL_LINEAR = "PCA + local linear regression"
PUBLISHED = "published network"
INTRINSIC = "intrinsic"
OBSERVED = "observed"
OBSERVED_IVAR = "observed, with ivar"

FLUX_BIN = 9
MEDIAN = int(np.flatnonzero(np.isclose(LEVELS, 0.5))[0])
FITS: dict[str, Callable[..., Baseline]] = {
    TRAINING_MEDIAN: TrainingMedian.fit,
    NEAREST_NEIGHBOURS: PcaNearestNeighbours.fit,
    LOCAL_LINEAR: PcaLocalLinear.fit,
}


def evaluate(
    table: Table,
    *,
    model: str | Path = "desi-lines",
    split: str | None = "test",
    traditional: bool = False,
    resamples: int = 50,
    seed: int = 0,
) -> Evaluation:
    """Score a model on a table of measured lines."""
    found = describe_model(model)
    loaded = load_model(model, of=LineModel)
    rejects = Rejects()
    rows, training_rows = _rows(table, found.config["split"], split)
    galaxies = measured_galaxies(table, loaded, rejects, rows=rows)
    if len(galaxies) == 0:
        raise TableError(
            table.name,
            f"has no row to score: {len(rows)} of {len(table)} are in the part {split!r} of the model's "
            f"split; {rejects.summary()}",
            "give a larger table, another part, or all rows (split=None) if the model never saw them",
        )
    training = measured_galaxies(table, loaded, Rejects(), rows=training_rows)
    rivals = _rivals(galaxies, training, traditional)
    about = {
        "model": found.name,
        "table": table.name,
        "split": split,
        "rows_in_table": len(table),
        "galaxies_scored": len(galaxies),
        "rows_set_aside": rejects.summary(),
        "bootstrap_resamples": resamples,
        "seed": seed,
    }
    return _evaluation(loaded, galaxies, rivals, about, rejects, resamples=resamples, seed=seed)


def _rows(table: Table, record: Any, split: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Rows to score, and rows that the baselines may learn from."""
    if split is None:
        return np.arange(len(table)), np.arange(0)
    known = Split.from_dict(record)
    if split not in known.fractions:
        problem = f"cannot be divided: the model's split has the parts {list(known.fractions)}, not {split!r}"
        raise TableError(table.name, problem, "name one of its parts, or take all rows (split=None)")
    part = known.parts(table[known.id_column if known.id_column in table else ID])
    return np.flatnonzero(part == split), np.flatnonzero((part == "train") & (part != split))


def _rivals(
    galaxies: MeasuredGalaxies, training: MeasuredGalaxies, traditional: bool
) -> dict[str, Float[np.ndarray, "n 10"]]:
    """Predictions of the others, the silly one first."""
    rivals = {}
    if len(training):
        for name in FITS if traditional else (TRAINING_MEDIAN,):
            fitted = FITS[name](training.continuum_flux, training.redshift, training.ew_aa)
            rivals[name] = fitted.predict(galaxies.continuum_flux, galaxies.redshift)
    if galaxies.published_ew_aa is not None:
        rivals[PUBLISHED] = galaxies.published_ew_aa
    return rivals


def _evaluation(
    model: LineModel,
    galaxies: MeasuredGalaxies,
    rivals: dict[str, Float[np.ndarray, "n 10"]],
    about: Mapping[str, Any],
    rejects: Rejects,
    *,
    resamples: int,
    seed: int,
) -> Evaluation:
    """The scores of all methods, and the figures."""
    continua = galaxies.continuum_flux, galaxies.redshift
    quantiles = {OBSERVED: quantiles_of_measurements(model, *continua, None, LEVELS)}
    if np.isfinite(galaxies.sigma_aa).any():
        quantiles[OBSERVED_IVAR] = quantiles_of_measurements(model, *continua, galaxies.sigma_aa, LEVELS)
    medians = {
        **rivals,
        INTRINSIC: median_ews(model, *continua).astype(float),
        **{name: values[:, MEDIAN].astype(float) for name, values in quantiles.items()},
    }
    points = [
        score_points(name, galaxies.ew_aa, predicted, resamples=resamples, seed=seed)
        for name, predicted in medians.items()
    ]
    flux = galaxies.continuum_flux[:, FLUX_BIN].astype(float)
    calibration = [
        score_distribution(name, galaxies.ew_aa, values.astype(float), flux, resamples=resamples, seed=seed)
        for name, values in quantiles.items()
    ]
    figures = _figures(model, galaxies, points, calibration, quantiles, seed)
    return Evaluation(sum(points, ()), sum(calibration, ()), figures, about, galaxies, medians, rejects)


def _figures(
    model: LineModel,
    galaxies: MeasuredGalaxies,
    points: list[tuple[PointScore, ...]],
    calibration: list[tuple[CalibrationScore, ...]],
    quantiles: Mapping[str, np.ndarray],
    seed: int,
) -> dict[str, Figure]:
    """All figures, by name."""
    best = list(quantiles)[-1]
    predicted = quantiles[best].astype(float)
    populations = _populations(model, galaxies, seed)
    return {
        "spearman": score_table(_by_method(points, "spearman"), quantity="Spearman's ρ"),
        "nmad": score_table(_by_method(points, "nmad_uncentred"), quantity="Uncentred NMAD / Å"),
        "predicted_against_observed": predicted_against_observed(
            galaxies.ew_aa,
            quantiles[OBSERVED][:, MEDIAN].astype(float),
            title="Median, from the continuum alone",
        ),
        "ew_distributions": ew_distributions(galaxies.ew_aa, populations),
        "bpt": bpt_diagram({"observed": galaxies.ew_aa, **populations}),
        "pit": pit_histograms(_pits(galaxies.ew_aa, predicted), title=best),
        "coverage": _coverage_figure(galaxies, calibration[-1], best),
    }


def _populations(model: LineModel, galaxies: MeasuredGalaxies, seed: int) -> dict[str, np.ndarray]:
    """Medians, draws, and draws with noise and selection."""
    continua = galaxies.continuum_flux, galaxies.redshift
    populations = {
        "median": median_ews(model, *continua),
        "sample": draw_intrinsic(model, *continua, seed=seed),
    }
    if np.isfinite(galaxies.sigma_aa).any():
        drawn = draw_measurements(model, *continua, galaxies.lines, seed=seed)
        populations["sample + noise"] = drawn
    return {name: values.astype(float) for name, values in populations.items()}


def _pits(observed: Float[np.ndarray, "n 10"], quantiles: np.ndarray) -> dict[str, np.ndarray]:
    known = np.isfinite(observed) & np.isfinite(quantiles).all(axis=1)
    return {
        line: pit_from_quantiles(observed[rows, place], LEVELS, quantiles[rows, :, place])
        for place, (line, rows) in enumerate(zip(LINES, known.T, strict=True))
        if rows.any()
    }


def _coverage_figure(galaxies: MeasuredGalaxies, scores: tuple[CalibrationScore, ...], title: str) -> Figure:
    """Coverage of each line in the fifths by flux."""
    flux = galaxies.continuum_flux[:, FLUX_BIN].astype(float)
    place = fifths(flux)
    middle = np.array([np.median(flux[place == part]) for part in np.unique(place)])
    shares = {
        "68 %": [[share.value for share in score.coverage_68_by_fifth] for score in scores],
        "95 %": [[share.value for share in score.coverage_95_by_fifth] for score in scores],
    }
    arrays = {name: np.array(values)[:, np.unique(place)] for name, values in shares.items()}
    return coverage_against_flux(middle, arrays, {"68 %": 0.68, "95 %": 0.95}, title=title)


def _by_method(points: list[tuple[PointScore, ...]], metric: str) -> dict[str, np.ndarray]:
    return {
        scores[0].method: np.array([getattr(score, metric).value for score in scores]) for scores in points
    }
