"""Evaluations: models scored on labelled galaxies that they were not trained on, and written down."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nebulium.data.output import check_place, replace_on_success
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import TableError
from nebulium.metrics.probabilistic import Estimate
from nebulium.modelfile import ModelFolder, describe_model
from nebulium.verbs.card import markdown_table
from nebulium.verbs.comparison import Comparison, compare_methods
from nebulium.verbs.held_out import TEST, HeldOut, held_out_galaxies
from nebulium.verbs.predict import ID
from nebulium.verbs.score import ALL, Bootstrap, Columns, Metric, Sample, Score, all_galaxies, score_method

#: In each folder of an evaluation.
SCORES = "scores.json"
#: What is listed of each galaxy, where a method says it.
OF_GALAXIES = ("predicted", "pit", "crps", "odds")
#: The columns of each method, by target.
Methods = Mapping[str, Mapping[str, Columns]]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of methods on the same galaxies, and all that is written with them.

    Parameters
    ----------
    scores : tuple of Score
        Target by target, sample by sample, method by method; the trivial baseline is the first method.
    comparison : tuple of Comparison
        Of one method with each of the others.
    metrics : mapping of str to Metric
        What was measured.
    figures : mapping of str to Figure
        By name.
    galaxies : Table, optional
        Galaxy by galaxy what is true and what was predicted.
    about : mapping
        What was compared with what.
    notes : tuple of str
        What was supposed of the data, and what makes the scores less than they seem.
    rejects : Rejects
        Galaxies that could not be used, with their reasons.
    columns : mapping of str to sequence
        More columns of the table of scores, which come first.
    more : mapping
        More entries of ``scores.json``.
    tables : mapping of str to sequence of mapping
        What else was measured, by name: rows with the same columns, numbers or estimates.

    Examples
    --------
    >>> from nebulium.metrics import rmse
    >>> columns = {"true": np.arange(50.0), "predicted": np.arange(50.0) + 2}
    >>> metrics = {"rmse": Metric(rmse, "RMSE")}
    >>> found = Evaluation((score_method("shifted", columns, metrics, target="z"),), (), metrics, {})
    >>> print(found.markdown())
    | target | sample | method | galaxies | RMSE |
    | --- | --- | --- | --- | --- |
    | z | all | shifted | 50 | 2.0000 ± 0.0000 |
    """

    scores: tuple[Score, ...]
    comparison: tuple[Comparison, ...]
    metrics: Mapping[str, Metric]
    figures: Mapping[str, Figure]
    galaxies: Table | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    rejects: Rejects = field(default_factory=Rejects)
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    def of_all(self, method: str | None = None) -> list[Score]:
        """The scores of all galaxies, target by target, of one method or of each."""
        return [one for one in self.scores if one.sample.quantity == ALL and method in (None, one.method)]

    def write(self, folder: str | Path) -> Path:
        """Write the scores as JSON, ECSV and Markdown, the comparison, the galaxies, figures and rejects.

        Parameters
        ----------
        folder : str or Path
            Replaced whole if it is there and from an evaluation.

        Returns
        -------
        Path
            The folder, with ``scores.json``, ``scores.ecsv``, ``scores.md``, the figures as PNG and, where
            there are any, ``comparison.ecsv``, ``galaxies.parquet``, ``scores.rejects.csv`` and further
            tables as ECSV.

        Raises
        ------
        OutputError
            If the folder is of another kind or cannot be written.
        """
        tables = {"scores.ecsv": self._table(self._rows())}
        tables |= {f"{name}.ecsv": self._table(rows) for name, rows in self.tables.items()}
        if self.comparison:
            tables["comparison.ecsv"] = self._table([one.record() for one in self.comparison])
        if self.galaxies is not None:
            tables["galaxies.parquet"] = self.galaxies
        with evaluation_folder(folder, self.document(), tables, self.figures) as partial:
            (partial / "scores.md").write_text(self.markdown(), encoding="utf-8")
            ids = ID if self.galaxies is None else next(iter(self.galaxies.columns))
            self.rejects.write(partial / "scores.ecsv", id_column=ids)
        return Path(folder)

    def document(self) -> dict[str, Any]:
        """All numbers, as JSON has them."""
        return {
            "about": plain({**self.about, "set_aside": self.rejects.summary()}),
            "notes": list(self.notes),
            "scores": plain(self._rows()),
            "comparison": plain([one.record() for one in self.comparison]),
            **plain(self.more),
            **plain(self.tables),
        }

    def markdown(self) -> str:
        """The scores of all samples and the comparison on all galaxies, as tables to read."""
        names = {name: metric.heading for name, metric in self.metrics.items()}
        rows = [
            [*(str(cell) for cell in more), one.target, one.sample.name, one.method, f"{one.n:,}",
             *(_cell(one, name) for name in names)]
            for one, *more in zip(self.scores, *self.columns.values(), strict=True)
        ]  # fmt: skip
        headings = [*self.columns, "target", "sample", "method", "galaxies", *names.values()]
        parts = [markdown_table(headings, rows)]
        compared = [
            [one.target, one.method, one.rival, names[one.metric], _written(one.difference),
             _written(one.reduction, 100.0, 1)]
            for one in self.comparison
            if one.sample.quantity == ALL
        ]  # fmt: skip
        if compared:
            headings = ["target", "method", "better than", "metric", "less by", "less by / %"]
            parts.append(markdown_table(headings, compared))
        for table in self.tables.values():
            cells = [[_text(cell) for cell in row.values()] for row in table]
            parts.append(markdown_table([*table[0]], cells))
        return "\n".join(parts)

    def _rows(self) -> list[dict[str, Any]]:
        """The scores as rows, with the further columns first."""
        return [
            {**{name: values[row] for name, values in self.columns.items()}, **one.record()}
            for row, one in enumerate(self.scores)
        ]

    def _table(self, rows: Sequence[Mapping[str, Any]]) -> Table:
        """Rows as a table; an estimate becomes a value and its error."""
        flat = [_cells(row) for row in rows]
        names = dict.fromkeys(name for row in flat for name in row)
        columns = {name: np.array([row.get(name, math.nan) for row in flat]) for name in names}
        known = {name: metric.unit for name, metric in self.metrics.items() if metric.unit}
        units = {
            column: known[name] for column in columns if (name := column.removesuffix("_error")) in known
        }
        return Table(columns, units, "scores")


def score_methods(
    methods: Methods,
    metrics: Mapping[str, Metric],
    *,
    method: str | None = None,
    samples: Sequence[Sample] | None = None,
    bootstrap: Bootstrap | None = None,
) -> tuple[tuple[Score, ...], tuple[Comparison, ...]]:
    """Score methods on the same galaxies, and compare one of them with each of the others.

    Parameters
    ----------
    methods : mapping of str to mapping of str to mapping of str to ndarray of shape (n,)
        By method and target the columns that `score_method` takes; the trivial baseline first.
    metrics : mapping of str to Metric
        By name.
    method : str, optional
        The one that is compared; the first if not given.
    samples : sequence of Sample, optional
        The galaxies that are scored together; all if not given.
    bootstrap : Bootstrap, optional
        Gives the errors; 200 draws if not given.

    Returns
    -------
    scores : tuple of Score
    comparison : tuple of Comparison

    Raises
    ------
    ValueError
        If methods are given for different galaxies.

    Examples
    --------
    >>> from nebulium.metrics import rmse
    >>> true, metrics = np.arange(50.0), {"rmse": Metric(rmse, "RMSE", loss=abs)}
    >>> predicted = {"mean": np.full(50, 24.5), "network": true + 1}
    >>> methods = {name: {"z": {"true": true, "predicted": values}} for name, values in predicted.items()}
    >>> scores, comparison = score_methods(methods, metrics, method="network")
    >>> [round(one["rmse"].value, 2) for one in scores], comparison[0].rival
    ([14.43, 1.0], 'mean')
    """
    bootstrap, scores, comparison = bootstrap or Bootstrap(), list[Score](), list[Comparison]()
    for target in dict.fromkeys(target for columns in methods.values() for target in columns):
        known = {name: columns[target] for name, columns in methods.items() if target in columns}
        count = len(next(iter(known.values()))["true"])
        for sample in samples or [all_galaxies(count)]:
            shared: dict[str, Any] = {"target": target, "sample": sample, "bootstrap": bootstrap}
            scores += [score_method(name, columns, metrics, **shared) for name, columns in known.items()]
            comparison += compare_methods(known, metrics, method=method, **shared)
    return tuple(scores), tuple(comparison)


def evaluate_methods(
    methods: Methods,
    metrics: Mapping[str, Metric],
    *,
    ids: np.ndarray,
    figures: Callable[[tuple[Score, ...]], Mapping[str, Figure]],
    id_column: str = ID,
    columns: Sequence[str] = OF_GALAXIES,
    baselines: Methods | None = None,
    method: str | None = None,
    samples: Sequence[Sample] | None = None,
    more: tuple[Score, ...] = (),
    bootstrap: Bootstrap | None = None,
    about: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Score methods on the same galaxies, list these, and draw the figures.

    Parameters
    ----------
    methods, metrics, samples, bootstrap
        As in `score_methods`.
    ids : ndarray of int or str of shape (n,)
        The galaxies.
    figures : callable
        Draws the figures, by name, once the scores are known.
    id_column : str
        What the ids are called.
    columns : sequence of str
        What is listed of each galaxy.
    baselines : mapping, optional
        More methods, whose predictions are not listed; the trivial one first.
    method : str, optional
        The one that is compared with the others; the first of the methods if not given.
    more : tuple of Score
        Scores of other samples, which come after.
    about : mapping, optional
        What was compared with what.

    Returns
    -------
    Evaluation

    Examples
    --------
    >>> from nebulium.metrics import rmse
    >>> true, metrics = np.arange(50.0), {"rmse": Metric(rmse, "RMSE")}
    >>> methods = {"network": {"z": {"true": true, "predicted": true + 1}}}
    >>> found = evaluate_methods(methods, metrics, ids=np.arange(50), figures=lambda scores: {})
    >>> list(found.galaxies.columns), found.about["bootstrap_resamples"]
    (['target_id', 'z', 'network_z_predicted'], 200)
    """
    bootstrap, method = bootstrap or Bootstrap(), method or next(iter(methods))
    every = {**(baselines or {}), **methods}
    scores, comparison = score_methods(every, metrics, method=method, samples=samples, bootstrap=bootstrap)
    return Evaluation(
        (*scores, *more),
        comparison,
        metrics,
        figures((*scores, *more)),
        galaxies=galaxy_table(ids, methods, id_column=id_column, columns=columns),
        about={**(about or {}), "bootstrap_resamples": bootstrap.resamples, "seed": bootstrap.seed},
    )


def galaxy_table(
    ids: np.ndarray, methods: Methods, *, id_column: str = ID, columns: Sequence[str] = OF_GALAXIES
) -> Table:
    """Galaxy by galaxy, what is true of each target and, as METHOD_TARGET_COLUMN, what each method gives."""
    table = {id_column: ids}
    for method, targets in methods.items():
        for target, known in targets.items():
            table.setdefault(target, known["true"])
            table |= {f"{method}_{target}_{name}": known[name] for name in columns if name in known}
    return Table(table, {}, "galaxies")


@dataclass(frozen=True, eq=False)
class Scoring:
    """Models that are scored on the galaxies of one data set, and how.

    Attributes
    ----------
    data : str
        Where the galaxies are from.
    models : mapping of str to ModelFolder
        By name.
    part : str, optional
        Of the split of each model; None for all galaxies.
    bootstrap : Bootstrap
        Gives the errors.
    """

    data: str
    models: Mapping[str, ModelFolder]
    part: str | None = TEST
    bootstrap: Bootstrap = field(default_factory=Bootstrap)

    @classmethod
    def of(
        cls, data: object, models: Sequence[str | Path], part: str | None, resamples: int, seed: int
    ) -> "Scoring":
        """Of models by name or folder."""
        return cls(str(data), named_models(models), part, Bootstrap(resamples, seed))

    def held_out(self, ids: np.ndarray, **known: Any) -> HeldOut:
        """The galaxies that may be scored; see `held_out_galaxies`."""
        told = {"where": self.data, **known}
        return held_out_galaxies(ids, list(self.models.values()), part=self.part, **told)

    def completed(
        self, scored: Evaluation, galaxies: int, notes: Sequence[str], rejects: Rejects
    ) -> Evaluation:
        """An evaluation that tells what was scored by what, and what was met."""
        about = {
            **scored.about,
            "data": self.data,
            "models": {name: str(folder.path) for name, folder in self.models.items()},
            "part": self.part or ALL,
            "galaxies_scored": galaxies,
            "bootstrap_resamples": self.bootstrap.resamples,
            "seed": self.bootstrap.seed,
            "nebulium": version("nebulium"),
        }
        return dataclasses.replace(scored, about=about, notes=tuple(notes), rejects=rejects)


def named_models(models: Sequence[str | Path]) -> dict[str, ModelFolder]:
    """Models by the names of their folders, or by their paths where two folders have one name."""
    folders = [describe_model(model) for model in models]
    paths = [folder.path.resolve() for folder in folders]
    for path, model in zip(paths, models, strict=True):
        if paths.count(path) > 1:
            raise TableError(f"model {model}", "is given twice", "give each model once")
    names = [folder.name for folder in folders]
    return {
        name if names.count(name) == 1 else str(model): folder
        for name, model, folder in zip(names, models, folders, strict=True)
    }


def check_evaluation_place(folder: str | Path) -> None:
    """Refuse a folder that is no evaluation: it would be lost."""
    check_place(folder, folder_with=SCORES)


@contextmanager
def evaluation_folder(
    folder: str | Path,
    document: Mapping[str, Any],
    tables: Mapping[str, Table],
    figures: Mapping[str, Figure],
) -> Iterator[Path]:
    """Write scores.json, the tables and the figures into a folder that appears whole or not at all."""
    with replace_on_success(folder, folder_with=SCORES) as partial:
        partial.mkdir()
        text = json.dumps(document, indent=1, allow_nan=False)
        (partial / SCORES).write_text(text + "\n", encoding="utf-8")
        for name, table in tables.items():
            write_table(table, partial / name)
        for name, figure in figures.items():
            figure.savefig(partial / f"{name}.png", dpi=150)
        yield partial


def plain(value: Any) -> Any:
    """What JSON can hold of a value: a number that is not finite becomes null."""
    if isinstance(value, Estimate):
        return {"value": plain(value.value), "error": plain(value.error)}
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row in which an estimate is a value and its error."""
    cells: dict[str, Any] = {}
    for name, value in row.items():
        estimated = isinstance(value, Estimate)
        cells |= {name: value.value, f"{name}_error": value.error} if estimated else {name: value}
    return cells


def _text(value: Any) -> str:
    """A cell of a further table, to read."""
    if isinstance(value, Estimate):
        return _written(value)
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value


def _cell(one: Score, metric: str) -> str:
    limit = f" (limit {one.pit_ks_limit:.4f})" if metric == "pit_ks" else ""
    return _written(one.estimates[metric]) + limit if metric in one.estimates else "–"


def _written(estimate: Estimate, factor: float = 1.0, digits: int = 4) -> str:
    """A number with its error, to read."""
    if not np.isfinite(estimate.value):
        return "–"
    return f"{factor * estimate.value:.{digits}f} ± {factor * estimate.error:.{digits}f}"
