"""From densities and true redshifts to scores and figures, of one method or of several side by side.

Independent of any model. Which galaxies may be scored is for the caller to decide: those that no method was
trained, stopped or recalibrated on.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from nebulium.data.ids import check_unique_ids
from nebulium.data.output import file_stem
from nebulium.errors import TableError
from nebulium.metrics.estimates import FEWEST
from nebulium.photoz.baselines import fit_train_distribution
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.scores.calibration_figures import calibration_figure, scores_against
from nebulium.photoz.scores.figures import (
    density_panels,
    predicted_against_spectroscopic,
    redshift_distribution,
)
from nebulium.photoz.scores.scores import METRICS, redshift_columns
from nebulium.verbs.evaluation import Evaluation, Methods, galaxy_table, score_methods
from nebulium.verbs.score import Bootstrap, Columns, Score, all_galaxies, equal_samples

Values = Float[np.ndarray, " _"]

TARGET = "redshift"
#: Samples along each quantity, and galaxies whose densities are drawn.
SAMPLES, DRAWN = 6, 8
#: The trivial baseline, by whose redshifts it knows.
TRAINING_DISTRIBUTION, SCORED_DISTRIBUTION = "training distribution", "distribution of the scored"


def evaluate_redshifts(
    densities: Mapping[str, RedshiftDensities],
    redshift: Values,
    *,
    ids: np.ndarray,
    id_column: str = "target_id",
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
    >>> grid, draw = RedshiftGrid(3.0, 60), np.random.default_rng(0)
    >>> bins = draw.integers(10, 50, 300)
    >>> sure = RedshiftDensities(grid, np.eye(60, dtype=np.float32)[bins])
    >>> found = evaluate_redshifts({"sure": sure}, grid.centres[bins], ids=np.arange(300), resamples=2)
    >>> [(score.method, round(score["nmad"].value, 1)) for score in found.of_all()]
    [('distribution of the scored', 0.3), ('sure', 0.0)]
    """
    along, bootstrap = along or {}, Bootstrap(resamples, seed)
    labelled = _labelled(densities, redshift, ids, {name: values for name, (values, _) in along.items()})
    true, ids = redshift[labelled].astype(np.float64), ids[labelled]
    quantities = {TARGET: (true, "Spectroscopic redshift")} | {
        name: (values[labelled].astype(np.float64), label) for name, (values, label) in along.items()
    }
    chosen = {name: one.select(labelled) for name, one in densities.items()}
    methods = {name: {TARGET: redshift_columns(one, true, point=point)} for name, one in chosen.items()}
    baseline = baseline_columns(training_redshift, true, next(iter(densities.values())).grid, point=point)
    scores, comparison = score_methods(
        {name: {TARGET: columns} for name, columns in baseline.items()} | methods,
        METRICS,
        method=next(iter(methods)),
        samples=[
            all_galaxies(len(true)),
            *(
                part
                for name, (values, _) in quantities.items()
                for part in equal_samples(name, values, samples)
            ),
        ],
        bootstrap=bootstrap,
    )
    labels = {name: label for name, (_, label) in quantities.items()}
    return Evaluation(
        scores,
        comparison,
        METRICS,
        _figures(chosen, methods, scores, labels, ids, seed),
        galaxies=galaxy_table(ids, methods, id_column=id_column),
        about={
            "methods": list(densities),
            "point": point,
            "galaxies_scored": len(true),
            "galaxies_without_redshift": len(redshift) - len(true),
            "bootstrap_resamples": resamples,
            "seed": seed,
        },
    )


def _labelled(
    densities: Mapping[str, RedshiftDensities],
    redshift: Values,
    ids: np.ndarray,
    columns: Mapping[str, Values],
) -> np.ndarray:
    """Galaxies with a redshift, once everything is known to be of the same galaxies."""
    lengths = {name: len(one) for name, one in densities.items()} | {TARGET: len(redshift)}
    lengths |= {name: len(values) for name, values in columns.items()}
    if set(lengths.values()) != {len(ids)}:
        problem = f"of {len(ids)} galaxies expected, got {lengths}"
        raise TableError("redshifts to evaluate", problem, "give the same galaxies in the same order")
    check_unique_ids(lambda: [ids], where="redshifts to evaluate")
    labelled = np.flatnonzero(np.isfinite(redshift))
    if not len(labelled):
        problem = f"have no true redshift among {len(ids)} galaxies"
        raise TableError("redshifts to evaluate", problem, "give galaxies with spectroscopic redshifts")
    return labelled


def baseline_columns(
    training: Values | None, true: Values, grid: RedshiftGrid, *, point: str = "median"
) -> dict[str, Columns]:
    """One distribution for all galaxies, by its name; none where there are too few redshifts for one."""
    for name, known in {TRAINING_DISTRIBUTION: training, SCORED_DISTRIBUTION: true}.items():
        if known is not None and np.sum((known >= 0) & (known <= grid.most)) >= FEWEST:
            mass = np.asarray(fit_train_distribution(known, grid, bands=()).mass)
            densities = RedshiftDensities(grid, np.tile(mass, (len(true), 1)))
            return {name: redshift_columns(densities, true, point=point)}
    return {}


def _figures(
    densities: Mapping[str, RedshiftDensities],
    methods: Methods,
    scores: tuple[Score, ...],
    labels: Mapping[str, str],
    ids: np.ndarray,
    seed: int,
) -> dict[str, Figure]:
    """All figures, by name; those of single methods bear their names where there are several."""
    columns = {name: of[TARGET] for name, of in methods.items()}
    true = next(iter(columns.values()))["true"]
    figures = {
        "calibration": calibration_figure({name: those["pit"] for name, those in columns.items()}),
        "redshift_distribution": redshift_distribution(true, densities),
    }
    for quantity, label in labels.items():
        along = [one for one in scores if one.sample.quantity == quantity and one.method in columns]
        figures[f"scores_against_{quantity}"] = scores_against(along, label)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(true))[:DRAWN])
    names = [str(one) for one in ids[drawn]]
    for method, those in columns.items():
        ending, title = (f"_{file_stem(method)}", method) if len(columns) > 1 else ("", "")
        figures[f"predicted_against_spectroscopic{ending}"] = predicted_against_spectroscopic(
            true, those["predicted"], title=title
        )
        figures[f"densities{ending}"] = density_panels(
            densities[method].select(drawn), true[drawn], names=names, title=title
        )
    return figures
