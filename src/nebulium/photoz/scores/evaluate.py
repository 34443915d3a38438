"""From data, models and true redshifts to scores and figures, of one method or of several side by side.

Which galaxies of given densities may be scored is for the caller to decide: those that no method was trained,
stopped or recalibrated on.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.errors import TableError
from nebulium.metrics.estimates import FEWEST
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.scores.calibration_figures import figures_of_methods
from nebulium.photoz.scores.held_out import predict_held_out
from nebulium.photoz.scores.scores import (
    METRICS,
    TARGET,
    baseline_columns,
    labelled_rows,
    magnitude_and_colour,
    redshift_columns,
)
from nebulium.verbs.evaluation import Evaluation, Scoring, evaluate_methods
from nebulium.verbs.held_out import TEST
from nebulium.verbs.predict import ID
from nebulium.verbs.score import Bootstrap, Values, all_galaxies, equal_samples

#: Samples along each quantity.
SAMPLES = 6


def evaluate_redshifts(
    densities: Mapping[str, RedshiftDensities],
    redshift: Values,
    *,
    ids: np.ndarray,
    id_column: str = ID,
    along: Mapping[str, tuple[Values, str]] | None = None,
    training_redshift: Values | None = None,
    point: str = "median",
    samples: int = SAMPLES,
    resamples: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Score the redshifts of methods on the same galaxies, and compare the first with each of the others.

    Parameters
    ----------
    densities : mapping of str to RedshiftDensities
        By method; the same galaxies in the same order.
    redshift : ndarray of shape (n,)
        True ones; galaxies where it is NaN are not scored.
    ids : ndarray of int or str of shape (n,)
        Each there once.
    id_column : str
        What they are called.
    along : mapping of str to tuple of ndarray of shape (n,) and str, optional
        Quantities to score the galaxies along, besides the redshift, and their names and units on the axes;
        NaN where missing.
    training_redshift : ndarray of shape (m,), optional
        Redshifts of other galaxies, whose distribution is the trivial baseline; that of the scored galaxies
        themselves if not given.
    point : str
        The redshift of a density: median, mode or mean.
    samples : int
        Samples of equally many galaxies along each quantity.
    resamples, seed : int
        Of the bootstrap that gives the errors.

    Returns
    -------
    Evaluation

    Raises
    ------
    TableError
        If no galaxy has a redshift, an id occurs twice, or lengths differ.

    Examples
    --------
    >>> from nebulium.photoz import RedshiftGrid
    >>> grid, draw = RedshiftGrid(3.0, 60), np.random.default_rng(0)
    >>> bins = draw.integers(10, 50, 300)
    >>> sure = RedshiftDensities(grid, np.eye(60, dtype=np.float32)[bins])
    >>> found = evaluate_redshifts({"sure": sure}, grid.centres[bins], ids=np.arange(300), resamples=2)
    >>> [(score.method, round(score["nmad"].value, 1)) for score in found.of_all()]
    [('distribution of the scored', 0.3), ('sure', 0.0)]
    """
    along = along or {}
    labelled = labelled_rows(densities, redshift, ids, {name: values for name, (values, _) in along.items()})
    true = redshift[labelled].astype(np.float64)
    chosen = {name: one.select(labelled) for name, one in densities.items()}
    methods = {name: {TARGET: redshift_columns(one, true, point=point)} for name, one in chosen.items()}
    baseline = baseline_columns(training_redshift, true, next(iter(densities.values())).grid, point=point)
    quantities = {name: values[labelled].astype(np.float64) for name, (values, _) in along.items()}
    quantities = {TARGET: true, **quantities}
    labels = {TARGET: "Spectroscopic redshift"} | {name: label for name, (_, label) in along.items()}
    along_each = (equal_samples(name, values, samples) for name, values in quantities.items())
    return evaluate_methods(
        methods,
        METRICS,
        ids=ids[labelled],
        figures=lambda scores: figures_of_methods(chosen, methods, scores, labels, ids[labelled], seed),
        id_column=id_column,
        baselines={name: {TARGET: columns} for name, columns in baseline.items()},
        samples=[all_galaxies(len(true)), *(part for parts in along_each for part in parts)],
        bootstrap=Bootstrap(resamples, seed),
        about={
            "methods": list(densities),
            "point": point,
            "galaxies_scored": len(true),
            "galaxies_without_redshift": len(redshift) - len(true),
        },
    )


def evaluate_file(
    data: str | Path,
    *,
    models: Sequence[str | Path],
    columns: Mapping[str, Any] | None = None,
    curves: str | Path | None = None,
    all_rows: bool = False,
    point: str = "median",
    resamples: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Score a model, or several on the same galaxies: the first is compared with each of the others.

    Parameters
    ----------
    data : str or Path
        Folder of a mock survey, or a table.
    models : sequence of str or Path
        Names of packaged models, or model folders.
    columns : mapping, optional
        Fields of `CatalogueLayout`, by name, in place of those that the model was trained with.
    curves : str or Path, optional
        Table of the transmission curves of the bands; known by the names of the bands if not given.
    all_rows : bool
        Score every galaxy with a redshift: right only if no model was trained on any. By default those in the
        test part of the split of each model.
    point : str
        The redshift of a density: median, mode or mean.
    resamples, seed : int
        Of the bootstrap that gives the errors, and of the galaxies shown.

    Returns
    -------
    Evaluation
        Also along the magnitude in the last band, and the colour of the two in the middle.

    Raises
    ------
    NebuliumError
        As in `nebulium.photoz.predict_file`, or there is no galaxy to score.

    Examples
    --------
    >>> evaluate_file("mock", models=["mine"])  # doctest: +SKIP
    """
    scoring = Scoring.of(data, models, None if all_rows else TEST, resamples, seed)
    found = predict_held_out(scoring, columns=columns, curves=curves)
    galaxies = found.galaxies
    if len(galaxies) < FEWEST:
        problem = f"has {len(galaxies)} galaxies to score, and it takes {FEWEST}"
        mend = "give more galaxies with redshifts; of those of a training, one in ten is for testing"
        raise TableError(galaxies.name, problem, mend)
    scored = evaluate_redshifts(
        found.densities,
        galaxies.redshift.astype(np.float64),
        ids=galaxies.ids,
        id_column=found.id_column,
        along=magnitude_and_colour(galaxies),
        training_redshift=found.training.redshift.astype(np.float64),
        point=point,
        resamples=resamples,
        seed=seed,
    )
    return scoring.completed(scored, len(galaxies), found.notes, found.rejects)
