"""From densities and true redshifts to scores and figures, of one method or of several side by side.

Independent of any model. Which galaxies may be scored is for the caller to say: those that no method was
trained, stopped or recalibrated on.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from nebulium.data.duplicates import check_unique_ids
from nebulium.data.output import file_stem
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.scores.calibration_figures import calibration_figure, scores_against
from nebulium.photoz.scores.comparison import compare_methods
from nebulium.photoz.scores.evaluation import Evaluation
from nebulium.photoz.scores.figures import (
    density_panels,
    predicted_against_spectroscopic,
    redshift_distribution,
)
from nebulium.photoz.scores.galaxies import (
    ScoredGalaxies,
    all_galaxies,
    equal_samples,
    score_galaxies,
)
from nebulium.photoz.scores.scores import RedshiftScore, score_redshifts

__all__ = ["Evaluation", "compare_redshifts", "evaluate_redshifts"]

Values = Float[np.ndarray, " _"]

#: Samples along each quantity, and galaxies whose densities are drawn.
SAMPLES, DRAWN = 6, 8


def evaluate_redshifts(
    densities: RedshiftDensities,
    redshift: Values,
    *,
    ids: np.ndarray,
    mag: Values | None = None,
    colour: Values | None = None,
    mag_label: str = "Magnitude / AB mag",
    colour_label: str = "Colour / AB mag",
    method: str = "model",
    point: str = "median",
    samples: int = SAMPLES,
    resamples: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Score the redshifts of one method and draw the figures.

    Parameters
    ----------
    densities : RedshiftDensities
        Of the galaxies.
    redshift : ndarray of shape (n,)
        True ones; galaxies where it is NaN are not scored.
    ids : ndarray of int or str of shape (n,)
        Each there once.
    mag, colour : ndarray of shape (n,), optional
        What to score the galaxies along, besides the redshift; NaN where missing.
    mag_label, colour_label : str
        Their names and units on the axes.
    method : str
        What made the densities.
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
    >>> from nebulium.photoz.density.grid import RedshiftGrid
    >>> grid, draw = RedshiftGrid(3.0, 60), np.random.default_rng(0)
    >>> bins = draw.integers(10, 50, 300)
    >>> sure = RedshiftDensities(grid, np.eye(60, dtype=np.float32)[bins])
    >>> found = evaluate_redshifts(sure, grid.centres[bins] + 0.01, ids=np.arange(300), resamples=2)
    >>> round(found.scores[0].bias_mean.value, 3), sorted(found.figures)[:2]
    (-0.005, ['calibration', 'densities'])
    """
    return compare_redshifts(
        {method: densities},
        redshift,
        ids=ids,
        mag=mag,
        colour=colour,
        mag_label=mag_label,
        colour_label=colour_label,
        point=point,
        samples=samples,
        resamples=resamples,
        seed=seed,
    )


def compare_redshifts(
    densities: Mapping[str, RedshiftDensities],
    redshift: Values,
    *,
    ids: np.ndarray,
    mag: Values | None = None,
    colour: Values | None = None,
    mag_label: str = "Magnitude / AB mag",
    colour_label: str = "Colour / AB mag",
    point: str = "median",
    samples: int = SAMPLES,
    resamples: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Score several methods on the same galaxies, and the first against each of the others.

    Parameters
    ----------
    densities : mapping of str to RedshiftDensities
        By method; the same galaxies in the same order.
    redshift : ndarray of shape (n,)
        True ones; galaxies where it is NaN are not scored.
    ids : ndarray of int or str of shape (n,)
        Each there once.
    mag, colour : ndarray of shape (n,), optional
        What to score the galaxies along, besides the redshift; NaN where missing.
    mag_label, colour_label : str
        Their names and units on the axes.
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
        As in `evaluate_redshifts`.

    Examples
    --------
    >>> from nebulium.photoz.density.grid import RedshiftGrid
    >>> grid, draw = RedshiftGrid(3.0, 60), np.random.default_rng(0)
    >>> bins = draw.integers(10, 50, 300)
    >>> sure = {d: RedshiftDensities(grid, np.eye(60, dtype=np.float32)[bins + int(d)]) for d in "01"}
    >>> found = compare_redshifts(sure, grid.centres[bins], ids=np.arange(300), resamples=2)
    >>> found.gains[0].rival, found.gains[0].difference.value > 0.01
    ('1', True)
    """
    labelled = _labelled(densities, redshift, ids, {"mag": mag, "colour": colour})
    true = redshift[labelled].astype(np.float64)
    along = {"redshift": (true, "Spectroscopic redshift")}
    if mag is not None:
        along["mag"] = (mag[labelled].astype(np.float64), mag_label)
    if colour is not None:
        along["colour"] = (colour[labelled].astype(np.float64), colour_label)
    chosen = {name: one.select(labelled) for name, one in densities.items()}
    galaxies = {name: score_galaxies(one, true, point=point) for name, one in chosen.items()}
    parts = [all_galaxies(len(true))]
    parts += [part for name, (values, _) in along.items() for part in equal_samples(name, values, samples)]
    draws = {"resamples": resamples, "seed": seed}
    scores = tuple(
        score_redshifts(name, those, part, **draws) for part in parts for name, those in galaxies.items()
    )
    gains = compare_methods(galaxies, parts, **draws)
    labels = {name: label for name, (_, label) in along.items()}
    figures = _figures(chosen, galaxies, scores, labels, ids[labelled], seed)
    about = {
        "methods": list(densities),
        "point": point,
        "galaxies_scored": len(true),
        "galaxies_without_redshift": len(redshift) - len(true),
        "bootstrap_resamples": resamples,
        "seed": seed,
    }
    return Evaluation(scores, gains, figures, _table(ids[labelled], galaxies), about)


def _labelled(
    densities: Mapping[str, RedshiftDensities],
    redshift: Values,
    ids: np.ndarray,
    columns: Mapping[str, Values | None],
) -> np.ndarray:
    """Galaxies with a redshift, once everything is known to be of the same galaxies."""
    lengths = {name: len(one) for name, one in densities.items()} | {"redshift": len(redshift)}
    lengths |= {name: len(values) for name, values in columns.items() if values is not None}
    if set(lengths.values()) != {len(ids)}:
        problem = f"of {len(ids)} galaxies expected, got {lengths}"
        raise TableError("redshifts to evaluate", problem, "give the same galaxies in the same order")
    check_unique_ids(lambda: [ids], where="redshifts to evaluate")
    labelled = np.flatnonzero(np.isfinite(redshift))
    if not len(labelled):
        raise TableError(
            "redshifts to evaluate",
            f"have no true redshift among {len(ids)} galaxies",
            "give galaxies with spectroscopic redshifts",
        )
    return labelled


def _table(ids: np.ndarray, galaxies: Mapping[str, ScoredGalaxies]) -> Table:
    """What each method says of each galaxy."""
    first = next(iter(galaxies.values()))
    columns = {"target_id": ids, "redshift": first.redshift}
    for name, those in galaxies.items():
        start = f"{name}_" if len(galaxies) > 1 else ""
        columns |= {
            f"{start}redshift_predicted": those.point,
            f"{start}pit": those.pit,
            f"{start}crps": those.crps,
            f"{start}odds": those.odds,
        }
    return Table(columns, {}, "galaxies")


def _figures(
    densities: Mapping[str, RedshiftDensities],
    galaxies: Mapping[str, ScoredGalaxies],
    scores: tuple[RedshiftScore, ...],
    labels: Mapping[str, str],
    ids: np.ndarray,
    seed: int,
) -> dict[str, Figure]:
    """All figures, by name; those of single methods bear their names where there are several."""
    true = next(iter(galaxies.values())).redshift
    figures = {
        "calibration": calibration_figure({name: those.pit for name, those in galaxies.items()}),
        "redshift_distribution": redshift_distribution(true, densities),
    }
    for quantity, label in labels.items():
        along = [score for score in scores if score.quantity == quantity]
        figures[f"scores_against_{quantity}"] = scores_against(along, label)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(true))[:DRAWN])
    names = [str(one) for one in ids[drawn]]
    for method, those in galaxies.items():
        ending, title = (f"_{file_stem(method)}", method) if len(galaxies) > 1 else ("", "")
        figures[f"predicted_against_spectroscopic{ending}"] = predicted_against_spectroscopic(
            true, those.point, title=title
        )
        figures[f"densities{ending}"] = density_panels(
            densities[method].select(drawn), true[drawn], names=names, title=title
        )
    return figures
