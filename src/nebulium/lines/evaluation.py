"""The outcome of an evaluation, and how it is written down."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from nebulium.data.output import replace_on_success
from nebulium.data.rejects import Rejects
from nebulium.data.table import Table
from nebulium.data.tables import write_table
from nebulium.lines.measured_galaxies import MeasuredGalaxies
from nebulium.lines.scores import CalibrationScore, PointScore
from nebulium.metrics.probabilistic import Estimate

IN_ANGSTROM = ("nmad_uncentred", "nmad", "bias_median", "crps")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores and figures of one model on one table.

    Attributes
    ----------
    points : tuple of PointScore
        For each method, the lines in the order of `LINES`.
    calibration : tuple of CalibrationScore
        The same of the predicted distributions.
    figures : mapping of str to Figure
        By name.
    about : mapping
        The model, the rows, the split.
    galaxies : MeasuredGalaxies
        What was scored.
    predictions : mapping of str to ndarray of shape (n, 10)
        What each method said of them, AA.
    rejects : Rejects
        Rows that could not be used, with their reasons.
    """

    points: tuple[PointScore, ...]
    calibration: tuple[CalibrationScore, ...]
    figures: Mapping[str, Figure]
    about: Mapping[str, Any]
    galaxies: MeasuredGalaxies
    predictions: Mapping[str, Float[np.ndarray, "n 10"]]
    rejects: Rejects = field(default_factory=Rejects)

    def write(self, folder: str | Path) -> Path:
        """Write scores.json, scores.ecsv, calibration.ecsv, the figures and, where there are any, rejects.

        Parameters
        ----------
        folder : str or Path
            Replaced whole if it is there.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        folder = Path(folder)
        document = {
            "about": dict(self.about),
            "points": [_plain(score) for score in self.points],
            "calibration": [_plain(score) for score in self.calibration],
        }
        with replace_on_success(folder) as partial:
            partial.mkdir()
            text = json.dumps(document, indent=1, allow_nan=False)
            (partial / "scores.json").write_text(text + "\n", encoding="utf-8")
            write_table(_as_table(self.points), partial / "scores.ecsv")
            write_table(_as_table(self.calibration), partial / "calibration.ecsv")
            for name, figure in self.figures.items():
                figure.savefig(partial / f"{name}.png", dpi=150)
            self.rejects.write(partial / "scores.ecsv")
        return folder


def _plain(score: PointScore | CalibrationScore) -> dict[str, Any]:
    """What JSON can hold: an estimate as value and error, nothing for what is not known."""

    def plain(value: Any) -> Any:
        if isinstance(value, Estimate):
            return {"value": plain(value.value), "error": plain(value.error)}
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return {entry.name: plain(getattr(score, entry.name)) for entry in dataclasses.fields(score)}


def _as_table(scores: tuple[PointScore, ...] | tuple[CalibrationScore, ...]) -> Table:
    """A row for each method and line, a column for each score and one for its error."""
    columns: dict[str, list[Any]] = {}
    for score in scores:
        for entry in dataclasses.fields(score):
            for name, value in _cells(entry.name, getattr(score, entry.name)):
                columns.setdefault(name, []).append(value)
    units = {name: "Angstrom" for name in columns if name.removesuffix("_error") in IN_ANGSTROM}
    return Table({name: np.array(values) for name, values in columns.items()}, units, "scores")


def _cells(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Estimate):
        return [(name, value.value), (f"{name}_error", value.error)]
    if isinstance(value, tuple):
        return [cell for part, item in enumerate(value, start=1) for cell in _cells(f"{name}_{part}", item)]
    return [(name, value)]
