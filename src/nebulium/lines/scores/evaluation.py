"""The outcome of an evaluation, and how it is written down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from nebulium.data.rejects import Rejects
from nebulium.lines.scores.measured_galaxies import MeasuredGalaxies
from nebulium.lines.scores.scores import CalibrationScore, PointScore
from nebulium.metrics.evaluation import evaluation_folder
from nebulium.metrics.score_records import plain_record, record_table

IN_ANGSTROM = dict.fromkeys(("nmad_uncentred", "nmad", "bias_median", "crps"), "Angstrom")


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
        """Write scores.json, scores.ecsv, calibration.ecsv, the figures and, where there are any, rejects."""
        document = {
            "about": dict(self.about),
            "points": [plain_record(score) for score in self.points],
            "calibration": [plain_record(score) for score in self.calibration],
        }
        tables = {
            "scores.ecsv": record_table(self.points, IN_ANGSTROM),
            "calibration.ecsv": record_table(self.calibration, IN_ANGSTROM),
        }
        with evaluation_folder(folder, document=document, tables=tables, figures=self.figures) as partial:
            self.rejects.write(partial / "scores.ecsv")
        return Path(folder)
