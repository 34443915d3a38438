"""The model against the published network and the traditional methods, on galaxies it never trained on."""

import numpy as np

from benchmarks.results import Check, Result, Target
from benchmarks.settings import Settings, test_evaluation
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.scores.evaluate import OBSERVED, OBSERVED_IVAR, PUBLISHED, Evaluation
from nebulium.lines.scores.scores import PointScore, spearman_gain
from nebulium.metrics.probabilistic import Estimate

GAIN, MEAN_GAIN = Target(least=0.010), Target(least=0.013)
NOT_LARGER = Target(most=1.0)


def measure(settings: Settings) -> list[Result]:
    """Gains over the published network, and the scores of all methods."""
    evaluation = test_evaluation(settings, traditional=True)
    for name in ("spearman", "nmad", "predicted_against_observed"):
        evaluation.figures[name].savefig(settings.figures / f"{name}.png", dpi=150)
    return [_gains(evaluation), _all_methods(evaluation)]


def _gains(evaluation: Evaluation) -> Result:
    published, observed, with_ivar = (_by_line(evaluation, m) for m in (PUBLISHED, OBSERVED, OBSERVED_IVAR))
    gains = {method: _spearman_gains(evaluation, method) for method in (OBSERVED, OBSERVED_IVAR)}
    rows = []
    for line in LINES:
        nmad = published[line].nmad_uncentred.value
        ratio = observed[line].nmad_uncentred.value / nmad
        rows.append(
            [
                line,
                published[line].galaxies,
                published[line].spearman.value,
                Check(f"{line}: gain in Spearman's rho", gains[OBSERVED][line], GAIN),
                nmad,
                Check(f"{line}: uncentred NMAD over the published", ratio, NOT_LARGER),
                gains[OBSERVED_IVAR][line],
                with_ivar[line].nmad_uncentred.value / nmad,
            ]
        )
    mean, mean_with_ivar = (np.mean([gain.value for gain in each.values()]) for each in gains.values())
    check = Check("mean gain in Spearman's rho", mean, MEAN_GAIN)
    return Result(
        "lines/published",
        "Against the published network",
        f"{len(evaluation.galaxies):,} test galaxies of the DESI table, the same for both. The medians of "
        "`--observed` from the continuum alone are compared with the published network: Spearman's rho "
        f"should be higher by {GAIN.least} on each line and {MEAN_GAIN.least} on average, and the "
        "uncentred NMAD no larger. The last two columns use each row's inverse variances as well, which "
        "the network does not know. Errors are bootstrapped, for gains on the same draws of galaxies.",
        (
            "line", "galaxies", "ρ published", "gain", "NMAD published / Å", "NMAD ratio",
            "gain with ivar", "NMAD ratio with ivar",
        ),
        [*rows, ["mean", "", "", check, "", "", mean_with_ivar, ""]],
    )  # fmt: skip


def _all_methods(evaluation: Evaluation) -> Result:
    rows = []
    for method in dict.fromkeys(score.method for score in evaluation.points):
        rho = [score.spearman.value for score in _by_line(evaluation, method).values()]
        rows.append([method, np.mean(rho), *rho])
    return Result(
        "lines/methods",
        "All methods",
        "Spearman's rho of each method on the same test galaxies; the median of the training set has none. "
        "The traditional methods are fitted to the training part of the table, one regressor a line.",
        ("method", "mean", *LINES),
        rows,
    )


def _by_line(evaluation: Evaluation, method: str) -> dict[str, PointScore]:
    return {score.line: score for score in evaluation.points if score.method == method}


def _spearman_gains(evaluation: Evaluation, method: str) -> dict[str, Estimate]:
    predicted, rival = evaluation.predictions[method], evaluation.predictions[PUBLISHED]
    columns = zip(LINES, evaluation.galaxies.ew_aa.T, predicted.T, rival.T, strict=True)
    return {line: spearman_gain(ew, ours, theirs) for line, ew, ours, theirs in columns}
