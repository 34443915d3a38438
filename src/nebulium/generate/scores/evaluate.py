"""From images with known properties to all that says how good a model of images is."""

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nebulium.data.column_checks import Missing
from nebulium.data.images.opening import ImagePaths
from nebulium.data.output import as_paths
from nebulium.data.tables.table import Table
from nebulium.errors import ImageError, check_extra
from nebulium.generate.model import LatentImageModel
from nebulium.generate.scores import figures
from nebulium.generate.scores.drawn import draw_kinds, likeness_of
from nebulium.generate.scores.galaxies import LEAST_SCORED, KnownGalaxies, known_galaxies
from nebulium.generate.scores.posteriors import MODEL, PosteriorScores, fit_linear_gaussian, posterior_scores
from nebulium.generate.scores.ratios import own_and_another, own_wins
from nebulium.generate.scores.rivals import load_rival, rival_scores
from nebulium.verbs.evaluation import Evaluation, Methods, Scoring, evaluate_methods
from nebulium.verbs.held_out import TEST
from nebulium.verbs.predict import ID, named_model
from nebulium.verbs.score import DISTRIBUTION_METRICS, Bootstrap, Columns, Metric, average, to_estimate

#: Images that are drawn, at most.
DRAWN = 2000
METRICS: Mapping[str, Metric] = {
    "log_score": Metric(average, "log score / nats", ("log_density",), loss=np.negative, has_share=False),
    **{name: DISTRIBUTION_METRICS[name] for name in ("coverage_68", "coverage_95", "pit_ks")},
}
Rows = list[dict[str, Any]]


def evaluate_file(
    images: ImagePaths,
    *,
    model: str | Path,
    table: str | Path | None = None,
    rivals: Sequence[str | Path] | None = None,
    id_column: str | None = None,
    bands: Sequence[str] | None = None,
    missing: Missing = None,
    all_rows: bool = False,
    drawn: int = DRAWN,
    resamples: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Score a model of images on galaxies of known properties.

    Posteriors of each property, the others not known, are scored. Galaxies drawn at the properties of real
    ones are told from these, compared with them feature by feature, and with the training images. Beside the
    model stand a Gaussian of coefficients given properties, and training galaxies of the nearest properties.

    Parameters
    ----------
    images : str, Path or sequence of these
        As in `nebulium.data.open_images`.
    model : str or Path
        Name of a packaged model of images, or a model folder.
    table : str or Path, optional
        The properties, a row a galaxy, NaN where one is not known; the columns beside the images if not
        given.
    rivals : sequence of str or Path, optional
        Models of properties from images, with densities, whose posteriors are scored beside.
    id_column : str, optional
        Ids in the table; `target_id` if not given.
    bands : sequence of str, optional
        Which bands of the images, in which order; by default those of the model.
    missing : float, str, or sequence of str, optional
        Numbers that stand for a property that is not known.
    all_rows : bool
        Score every galaxy: right only if no model was trained on any. By default those in the test part of
        every model's own split; what is learned or sought among training images comes from its training part.
    drawn : int
        Images that are drawn, at the properties of as many galaxies; 250 at least.
    resamples, seed : int
        Of the bootstrap that gives the errors, and of the images drawn.

    Returns
    -------
    Evaluation
        Scores of posteriors by property and method, with the tables `told_apart`, `features`, `ratios` and,
        if training images are among the galaxies, `nearest_training_image`.

    Raises
    ------
    NebuliumError
        The images, the table or a model is at fault, or there are fewer than 250 galaxies to score.

    Examples
    --------
    >>> evaluate_file("mock", model="mine").write("scores")  # doctest: +SKIP
    """
    check_extra("bench")
    if drawn < LEAST_SCORED:
        problem = f"is {drawn}, expected {LEAST_SCORED} or more: fewer images cannot be told apart"
        raise ImageError("drawn", problem, "draw more")
    where = " ".join(map(str, as_paths(images)))
    scoring = Scoring.of(where, [model, *(rivals or ())], None if all_rows else TEST, resamples, seed)
    name, *others = scoring.models
    ours = named_model(model, of=LatentImageModel).model
    known_rivals = {other: load_rival(scoring.models[other].path) for other in others}
    reading: dict[str, Any] = {"id_column": id_column, "bands": bands}
    with tempfile.TemporaryDirectory() as scratch:
        galaxies = known_galaxies(
            images, ours, scoring, Path(scratch) / "images", table=table, missing=missing, **reading
        )
        posteriors = _posteriors(ours, name, galaxies)
        for other, rival in known_rivals.items():
            of = galaxies.ids, galaxies.conditions
            posteriors[other] = rival_scores(rival, ours, images, *of, bands=bands)
        kinds = draw_kinds(ours, name, galaxies, drawn, seed)
        likeness = likeness_of(ours, kinds, galaxies, scoring.bootstrap)
        ratios = own_and_another(ours, galaxies.test.images, galaxies.conditions, seed=seed)
    shown = {
        "calibration": figures.calibration_figure(ours.conditions, posteriors[name].pit),
        "ratios": figures.ratio_figure(*ratios),
        **likeness.figures,
    }
    scored = evaluate_methods(
        _columns(ours.conditions, posteriors, galaxies.conditions),
        METRICS,
        ids=galaxies.ids,
        id_column=id_column or ID,
        columns=("log_density", "pit"),
        method=name,
        bootstrap=scoring.bootstrap,
        figures=lambda scores: {"posteriors": figures.log_score_figure(scores), **shown},
        about={"images_drawn": kinds.count},
    )
    listed = Table({} if scored.galaxies is None else scored.galaxies.columns, {}, "galaxies")
    of_galaxies = dict(zip(("log_ratio", "log_ratio_of_another"), ratios, strict=True))
    scored = dataclasses.replace(
        scored,
        galaxies=dataclasses.replace(listed, columns={**listed.columns, **of_galaxies}),
        tables={**likeness.tables, "ratios": _ratio_rows(*ratios, scoring.bootstrap)},
    )
    return scoring.completed(scored, len(galaxies.test), galaxies.notes, galaxies.rejects)


def _posteriors(model: LatentImageModel, name: str, galaxies: KnownGalaxies) -> dict[str, PosteriorScores]:
    """Scores by method, the model under its name."""
    training, linear = galaxies.training, None
    if galaxies.with_training:
        linear = fit_linear_gaussian(model, training.images, training.labels["value"])
    found = posterior_scores(model, galaxies.test.images, galaxies.conditions, linear)
    return {name if method == MODEL else method: scores for method, scores in found.items()}


def _columns(
    names: Sequence[str],
    posteriors: Mapping[str, PosteriorScores],
    conditions: Float[np.ndarray, "n condition"],
) -> Methods:
    """What the metrics are measured on, by method and property."""

    def of(scores: PosteriorScores, place: int) -> Columns:
        log, pit = (values[:, place].astype(np.float64) for values in scores)
        off = 2 * np.abs(pit - 0.5)
        inside = {
            f"inside_{share}": np.where(np.isfinite(off), off < share / 100, np.nan) for share in (68, 95)
        }
        return {"true": conditions[:, place], "log_density": log, "pit": pit, **inside}

    return {
        method: {
            name: of(scores, place)
            for place, name in enumerate(names)
            if np.any(np.isfinite(scores.log_density[:, place]))
        }
        for method, scores in posteriors.items()
    }


def _ratio_rows(own: np.ndarray, another: np.ndarray, bootstrap: Bootstrap) -> Rows:
    """How own properties fare against those of another galaxy."""
    known = np.isfinite(own)
    measured = {
        "auroc": own_wins,
        "own_likelier": lambda own, another: float(np.mean(own > another)),
        "median_difference": lambda own, another: float(np.median(own - another)),
    }
    pair = own[known], another[known]
    found = {name: to_estimate(bootstrap(measure, *pair)) for name, measure in measured.items()}
    return [{"galaxies": int(known.sum()), **found}]
