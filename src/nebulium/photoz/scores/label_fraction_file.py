"""How redshifts fare with fewer labels: models trained with fractions of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.output import output_error
from nebulium.data.splits import Split
from nebulium.data.tables.table import Table
from nebulium.errors import NebuliumError, OutputError
from nebulium.metrics.evaluation import check_evaluation_place, evaluation_folder, markdown_table, written
from nebulium.metrics.score_records import plain_record, record_table
from nebulium.modelfile import describe_model
from nebulium.photoz.scores.calibration_figures import label_fraction_figure
from nebulium.photoz.scores.evaluation import HEADINGS
from nebulium.photoz.scores.galaxies import all_galaxies, score_galaxies
from nebulium.photoz.scores.held_out import predict_held_out
from nebulium.photoz.scores.scores import RedshiftScore, score_redshifts
from nebulium.photoz.training_file import method_of, train_file

FRACTIONS = (0.05, 0.1, 0.2, 0.5, 1.0)
#: Ending of the folder beside the output that keeps the models.
MODELS_ENDING = ".models"


@dataclass(frozen=True, eq=False)
class LabelFractions:
    """What the experiment found.

    Attributes
    ----------
    output : Path
        Folder of the table and the figure.
    models : Path
        Folder of the models.
    fractions : tuple of float
        Of the labels, a score each.
    labels : tuple of int
        Labelled galaxies trained on.
    scores : tuple of RedshiftScore
        Of all test galaxies, by method and fraction.
    """

    output: Path
    models: Path
    fractions: tuple[float, ...]
    labels: tuple[int, ...]
    scores: tuple[RedshiftScore, ...]


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
) -> LabelFractions:
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
        Told the model that is trained.

    Returns
    -------
    LabelFractions

    Raises
    ------
    NebuliumError
        As in `nebulium.photoz.training_file.train_file`.

    Examples
    --------
    >>> label_fraction_file("mock", "scores", methods=["pita"], fractions=[0.1, 1.0])  # doctest: +SKIP
    """
    output, own = Path(output), {method: _own_settings(method, settings or {}, methods) for method in methods}
    check_evaluation_place(output)
    splits = {fraction: Split(split_seed, label_fraction=fraction) for fraction in sorted(set(fractions))}
    models = output.with_name(output.name + MODELS_ENDING)
    _make_folder(models, resume)
    runs = [(method, fraction) for method in methods for fraction in splits]
    paths = [models / f"{method}-{100 * fraction:g}" for method, fraction in runs]
    for (method, fraction), path in zip(runs, paths, strict=True):
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
    found = predict_held_out(data, paths, columns=columns, curves=curves)
    redshift = found.galaxies.redshift.astype(np.float64)
    every = all_galaxies(len(redshift))
    scores = tuple(
        score_redshifts(
            method,
            score_galaxies(found.densities[path.name], redshift),
            every,
            resamples=resamples,
            seed=seed,
        )
        for (method, _), path in zip(runs, paths, strict=True)
    )
    labels = tuple(describe_model(path).config["split"]["galaxies"]["train"] for path in paths)
    result = LabelFractions(output, models, tuple(fraction for _, fraction in runs), labels, scores)
    _write(result, data)
    return result


def _own_settings(method: str, settings: Mapping[str, Any], methods: Sequence[str]) -> dict[str, Any]:
    """The settings that a method has; each must be one of some method."""
    names = {one: {entry.name for entry in fields(method_of(one).settings)} for one in methods}
    of_none = [name for name in settings if not any(name in known for known in names.values())]
    if of_none:
        problem = f"is no setting of {' or '.join(methods)}"
        raise NebuliumError(f"--{of_none[0].replace('_', '-')}", problem, "leave it out")
    return {name: value for name, value in settings.items() if name in names[method]}


def _make_folder(models: Path, resume: bool) -> None:
    if models.exists() and not resume:
        mend = "take its models with --resume (resume=True), or delete it"
        raise OutputError(str(models), "holds models of an earlier run", mend)
    try:
        models.mkdir(exist_ok=True)
    except OSError as error:
        raise output_error(models, error) from error


def _write(result: LabelFractions, data: str | Path) -> None:
    """One table and one figure."""
    scores, fractions = result.scores, np.array(result.fractions)
    of = {
        score.method: [row for row, one in enumerate(scores) if one.method == score.method]
        for score in scores
    }
    table = record_table(scores)
    first = {"label_fraction": fractions, "labels": np.array(result.labels)}
    table = Table({**first, **table.columns}, table.units, "label fractions")
    rows = [
        [
            score.method,
            f"{100 * fraction:g} %",
            f"{labels:,}",
            *(written(getattr(score, one)) for one in HEADINGS),
        ]
        for score, fraction, labels in zip(scores, result.fractions, result.labels, strict=True)
    ]
    document = {
        "about": {"data": str(data), "models": str(result.models), "galaxies_scored": scores[0].galaxies},
        "scores": [
            {"label_fraction": fraction, "labels": labels, **plain_record(score)}
            for score, fraction, labels in zip(scores, result.fractions, result.labels, strict=True)
        ],
    }
    figure = label_fraction_figure(
        {method: fractions[those].tolist() for method, those in of.items()},
        {method: [scores[row] for row in those] for method, those in of.items()},
    )
    with evaluation_folder(
        result.output,
        document=document,
        tables={"scores.ecsv": table},
        figures={"label_fraction": figure},
    ) as partial:
        headings = ["method", "labels used", "labels", *HEADINGS.values()]
        (partial / "scores.md").write_text(markdown_table(headings, rows), encoding="utf-8")
