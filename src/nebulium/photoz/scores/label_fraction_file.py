"""How redshifts fare with fewer labels: models trained with fractions of them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.splits import Split
from nebulium.photoz.methods import own_settings
from nebulium.photoz.scores.calibration_figures import label_fraction_figure
from nebulium.photoz.scores.held_out import predict_held_out
from nebulium.photoz.scores.scores import METRICS, TARGET, baseline_columns, redshift_columns
from nebulium.photoz.training_file import train_file
from nebulium.training.run_folder import make_or_take
from nebulium.verbs.evaluation import Evaluation, Scoring, check_evaluation_place
from nebulium.verbs.held_out import TEST
from nebulium.verbs.score import score_method

FRACTIONS = (0.05, 0.1, 0.2, 0.5, 1.0)
#: Ending of the folder beside the output that keeps the models.
MODELS_ENDING = ".models"


def label_fraction_file(
    data: str | Path,
    output: str | Path,
    *,
    methods: Sequence[str],
    fractions: Sequence[float] = FRACTIONS,
    columns: Mapping[str, Any] | None = None,
    curves: str | Path | None = None,
    split_seed: str = "nebulium",
    settings: Mapping[str, Any] | None = None,
    recalibrate: bool = False,
    resamples: int = 200,
    seed: int = 0,
    resume: bool = False,
    progress: Callable[[str], Any] | None = None,
) -> Evaluation:
    """Train methods with fractions of the labels, and score all on the same test galaxies.

    Parameters
    ----------
    data : str or Path
        Folder of a mock survey, or a table.
    output : str or Path
        Folder of the table and the figure, replaced if it is there and from such a run; the models stay in
        ``<output>.models``.
    methods : sequence of str
    fractions : sequence of float
        The labels of a smaller one are among those of a larger one.
    columns : mapping, optional
        What is known of the columns: fields of `CatalogueLayout`.
    curves : str or Path, optional
        Table of the transmission curves of the bands; known by the names of the bands if not given.
    recalibrate : bool
        Set the densities right on the validation galaxies.
    settings : mapping, optional
        Of the methods; one that a method does not have counts for the others.
    split_seed : str
        Names the split.
    resamples, seed : int
        Of the bootstrap that gives the errors.
    resume : bool
        Take the models that are there already, and train the others.
    progress : callable of str, optional
        Called with the name of each model before it is trained.

    Returns
    -------
    Evaluation
        A score a model, with the columns `label_fraction` and `labels`, the number of labelled galaxies that
        were trained on.

    Raises
    ------
    NebuliumError
        As in `nebulium.photoz.training_file.train_file`.

    Examples
    --------
    >>> label_fraction_file("mock", "scores", methods=["pita"], fractions=[0.1, 1.0])  # doctest: +SKIP
    """
    output, own = Path(output), {method: own_settings(method, settings or {}, methods) for method in methods}
    check_evaluation_place(output)
    splits = {fraction: Split(split_seed, label_fraction=fraction) for fraction in sorted(set(fractions))}
    models = output.with_name(output.name + MODELS_ENDING)
    mend = "take its models with --resume (resume=True), or delete it"
    make_or_take(models, resume=resume, holds="holds models of an earlier run", mend=mend)
    runs = {
        models / f"{method}-{100 * fraction:g}": (method, fraction)
        for method in methods
        for fraction in splits
    }
    for path, (method, fraction) in runs.items():
        if path.exists():
            continue
        if progress is not None:
            progress(path.name)
        train_file(
            data,
            path,
            method=method,
            columns=columns,
            curves=curves,
            split=splits[fraction],
            settings=own[method],
            recalibrate=recalibrate,
            resume=resume,
        )
    scoring = Scoring.of(data, list(runs), TEST, resamples, seed)
    result = _evaluated(scoring, runs, columns, curves)
    result.write(output)
    return result


def _evaluated(
    scoring: Scoring,
    runs: Mapping[Path, tuple[str, float]],
    columns: Mapping[str, Any] | None,
    curves: str | Path | None,
) -> Evaluation:
    """All models on the same galaxies; the baseline learns from the labels of the smallest fraction."""
    found = predict_held_out(scoring, columns=columns, curves=curves)
    redshift = found.galaxies.redshift.astype(np.float64)
    grid = next(iter(found.densities.values())).grid
    baseline = baseline_columns(found.training.redshift.astype(np.float64), redshift, grid)
    known = [
        *baseline.items(),
        *((runs[path][0], redshift_columns(found.densities[path.name], redshift)) for path in runs),
    ]
    scores = tuple(
        score_method(method, those, METRICS, target=TARGET, bootstrap=scoring.bootstrap)
        for method, those in known
    )
    labels = [folder.config["split"]["galaxies"]["train"] for folder in scoring.models.values()]
    shares = [fraction for _, fraction in runs.values()]
    figure = label_fraction_figure(
        {method: [share for name, share in runs.values() if name == method] for method, _ in runs.values()},
        {method: [one for one in scores if one.method == method] for method, _ in runs.values()},
    )
    columns = {"label_fraction": shares, "labels": labels}
    columns = {name: [*values[: len(baseline)], *values] for name, values in columns.items()}
    scored = Evaluation(scores, (), METRICS, {"label_fraction": figure}, columns=columns)
    return scoring.completed(scored, len(redshift), found.notes, found.rejects)
