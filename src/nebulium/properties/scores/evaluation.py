"""The outcome of an evaluation, and how it is written down."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nebulium.metrics.evaluation import evaluation_folder, markdown_table, written
from nebulium.metrics.probabilistic import Estimate
from nebulium.metrics.score_records import plain_record, record_table
from nebulium.properties.scores.mass_metallicity import MassComparison
from nebulium.properties.scores.scores import PropertyScore


@dataclass(frozen=True)
class Gain:
    """By how much one method is better than another on the same galaxies.

    Attributes
    ----------
    target, method, rival : str
        Which.
    rmse_gain : Estimate
        Root mean square residual of the rival minus that of the method, from a paired bootstrap.
    """

    target: str
    method: str
    rival: str
    rmse_gain: Estimate


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores and figures of predicted properties.

    Attributes
    ----------
    scores : tuple of PropertyScore
        For each property, the method and its rivals.
    gains : tuple of Gain
        Of the method over each rival.
    masses : mapping of str to MassComparison
        By property, where masses are known: what is predicted beyond the mass.
    figures : mapping of str to Figure
        By name.
    about : mapping
        What was compared with what; goes into JSON.
    """

    scores: tuple[PropertyScore, ...]
    gains: tuple[Gain, ...]
    masses: Mapping[str, MassComparison]
    figures: Mapping[str, Figure]
    about: Mapping[str, Any]

    def write(self, folder: str | Path) -> Path:
        """Write scores.json, scores.ecsv, scores.md, and the figures as PNG."""
        tables = {"scores.ecsv": record_table(self.scores)}
        with evaluation_folder(
            folder, document=self.document(), tables=tables, figures=self.figures
        ) as partial:
            (partial / "scores.md").write_text(self.markdown(), encoding="utf-8")
        return Path(folder)

    def document(self) -> dict[str, Any]:
        """All numbers, as JSON has them."""
        return {
            "about": dict(self.about),
            "scores": [plain_record(score) for score in self.scores],
            "gains": [plain_record(gain) for gain in self.gains],
            "more_than_mass": {target: plain_record(found) for target, found in self.masses.items()},
        }

    def markdown(self) -> str:
        """The scores as a table to read."""
        shown = [
            [score.target, score.method, f"{score.galaxies:,}", *(written(one) for one in _estimates(score))]
            for score in self.scores
        ]
        gained = [[gain.target, gain.method, gain.rival, written(gain.rmse_gain)] for gain in self.gains]
        parts = [markdown_table(_headings(), shown)]
        if gained:
            parts.append(markdown_table(["property", "method", "better than", "RMSE less by"], gained))
        return "\n".join(parts)


HEADINGS: Mapping[str, str] = {
    "target": "property",
    "method": "method",
    "galaxies": "galaxies",
    "rmse": "RMSE",
    "nmad": "NMAD",
    "bias_mean": "mean bias",
    "bias_median": "median bias",
    "spearman": "Spearman's ρ",
    "coverage_68": "68 % coverage",
    "half_width_68": "half-width of 68 %",
    "pit_ks": "PIT K-S",
}


def _headings() -> list[str]:
    return list(HEADINGS.values())


def _estimates(score: PropertyScore) -> list[Estimate]:
    """The scores of one method, in the order of the headings."""
    values = {entry.name: getattr(score, entry.name) for entry in dataclasses.fields(score)}
    return [values[name] for name in HEADINGS if isinstance(values[name], Estimate)]
