"""The outcome of an evaluation of redshifts, and how it is written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nebulium.data.tables.table import Table
from nebulium.metrics.evaluation import evaluation_folder, markdown_table, written
from nebulium.metrics.probabilistic import Estimate
from nebulium.metrics.score_records import plain_record, record_table
from nebulium.photoz.scores.comparison import RedshiftComparison
from nebulium.photoz.scores.scores import RedshiftScore

#: Metrics with their names in the tables.
HEADINGS: Mapping[str, str] = {
    "bias_mean": "mean bias",
    "nmad": "NMAD",
    "outliers_015": "outliers > 0.15",
    "bias_median": "median bias",
    "sigma_iqr": "σ(IQR)",
    "outliers_rail": "outliers (RAIL)",
    "rms": "RMS",
    "coverage_68": "68 % coverage",
    "coverage_95": "95 % coverage",
    "pit_ks": "PIT K-S",
    "crps": "CRPS",
    "cde_loss": "CDE loss",
    "odds": "mean odds",
}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores and figures of predicted redshifts.

    Attributes
    ----------
    scores : tuple of RedshiftScore
        Of all galaxies first, then along magnitude, redshift and colour where known; for each sample the
        methods in order.
    gains : tuple of RedshiftComparison
        Of the first method over each other one.
    figures : mapping of str to Figure
        By name.
    galaxies : Table
        Each galaxy: id, true redshift, and what each method says of it.
    about : mapping
        What was compared with what; goes into JSON.
    """

    scores: tuple[RedshiftScore, ...]
    gains: tuple[RedshiftComparison, ...]
    figures: Mapping[str, Figure]
    galaxies: Table
    about: Mapping[str, Any]

    def write(self, folder: str | Path) -> Path:
        """Write scores.json, scores.ecsv, scores.md, galaxies.parquet, gains.ecsv and the figures as PNG."""
        tables = {"scores.ecsv": record_table(self.scores), "galaxies.parquet": self.galaxies}
        if self.gains:
            tables["gains.ecsv"] = record_table(self.gains)
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
        }

    def markdown(self) -> str:
        """The scores of all galaxies and of the samples, and the gains on all galaxies, as tables to read."""
        rows = [
            [_sample(score), score.method, f"{score.galaxies:,}", *_cells(score)] for score in self.scores
        ]
        headings = ["sample", "method", "galaxies", *HEADINGS.values()]
        parts = [markdown_table(headings, rows)]
        gained = [gain for gain in self.gains if gain.quantity == "all"]
        if gained:
            parts.append(_gain_table(gained))
        return "\n".join(parts)


def _sample(score: RedshiftScore) -> str:
    return (
        score.quantity if score.low != score.low else f"{score.quantity} {score.low:.2f} – {score.high:.2f}"
    )


def _cells(score: RedshiftScore) -> list[str]:
    """The metrics of one score."""
    cells = {name: written(getattr(score, name)) for name in HEADINGS}
    cells["pit_ks"] += f" (limit {score.pit_ks_limit:.4f})"
    return list(cells.values())


def _gain_table(gains: Sequence[RedshiftComparison]) -> str:
    """The gains on all galaxies."""
    rows = [
        [gain.method, gain.rival, HEADINGS[gain.metric], written(gain.difference), _percent(gain.reduction)]
        for gain in gains
    ]
    return markdown_table(["method", "better than", "metric", "less by", "less by / %"], rows)


def _percent(share: Estimate) -> str:
    return (
        written(share) if share.value != share.value else f"{100 * share.value:.1f} ± {100 * share.error:.1f}"
    )
