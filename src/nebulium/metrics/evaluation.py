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
    """Refuse a folder that is no evaluation: it would be lost."""
    check_place(folder, folder_with=SCORES)


@contextmanager
def evaluation_folder(
    folder: str | Path,
    *,
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


def written(estimate: Estimate) -> str:
    """A number with its error, to read."""
    if not np.isfinite(estimate.value):
        return "–"
    return f"{estimate.value:.4f} ± {estimate.error:.4f}"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
