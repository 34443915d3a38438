"""How the outcome of an evaluation is written down: one folder, the same for every subject."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nebulium.data.output import check_place, replace_on_success
from nebulium.data.tables.reading import write_table
from nebulium.data.tables.table import Table
from nebulium.metrics.probabilistic import Estimate

#: In each folder of an evaluation.
SCORES = "scores.json"


def check_evaluation_place(folder: str | Path) -> None:
    """Refuse a folder that is no evaluation: it would be lost.

    Parameters
    ----------
    folder : str or Path
        Where `evaluation_folder` is to write.

    Raises
    ------
    OutputError

    Examples
    --------
    >>> check_evaluation_place("scores")
    """
    check_place(folder, folder_with=SCORES)


@contextmanager
def evaluation_folder(
    folder: str | Path,
    *,
    document: Mapping[str, Any],
    tables: Mapping[str, Table],
    figures: Mapping[str, Figure],
) -> Iterator[Path]:
    """Write scores.json, the tables and the figures into a folder that appears whole or not at all.

    Parameters
    ----------
    folder : str or Path
        Replaced whole if it is there, and an evaluation.
    document : mapping
        All numbers, as JSON has them: goes into scores.json.
    tables : mapping of str to Table
        By name of the file, whose ending is its format.
    figures : mapping of str to Figure
        By name; written as PNG.

    Yields
    ------
    Path
        Where to write whatever else belongs into the folder.

    Raises
    ------
    OutputError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     with evaluation_folder(f"{scratch}/a", document={"rmse": 0.1}, tables={}, figures={}) as partial:
    ...         _ = (partial / "scores.md").write_text("RMSE 0.1")
    ...     sorted(path.name for path in Path(f"{scratch}/a").iterdir())
    ['scores.json', 'scores.md']
    """
    with replace_on_success(folder, folder_with=SCORES) as partial:
        partial.mkdir()
        text = json.dumps(document, indent=1, allow_nan=False)
        (partial / SCORES).write_text(text + "\n", encoding="utf-8")
        for name, table in tables.items():
            write_table(table, partial / name)
        for name, figure in figures.items():
            figure.savefig(partial / f"{name}.png", dpi=150)
        yield partial


def written(estimate: Estimate) -> str:
    """A number with its error, to read.

    Parameters
    ----------
    estimate : Estimate

    Returns
    -------
    str
        A dash where the number is not known.

    Examples
    --------
    >>> written(Estimate(0.0851, 0.00049)), written(Estimate(float("nan"), 0.1))
    ('0.0851 ± 0.0005', '–')
    """
    if not np.isfinite(estimate.value):
        return "–"
    return f"{estimate.value:.4f} ± {estimate.error:.4f}"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown.

    Parameters
    ----------
    headings : sequence of str
    rows : sequence of sequence of str

    Returns
    -------
    str

    Examples
    --------
    >>> print(markdown_table(["method", "RMSE"], [["mean", "0.2"]]), end="")
    | method | RMSE |
    | --- | --- |
    | mean | 0.2 |
    """
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
