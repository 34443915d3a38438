"""The model against the published network and the traditional methods, on galaxies it was not trained on."""

import numpy as np

from benchmarks.results import Check, Result, Target
from benchmarks.settings import Settings, test_evaluation
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.scores.baselines import PUBLISHED
from nebulium.lines.scores.populations import OBSERVED, OBSERVED_IVAR
from nebulium.lines.scores.scores import METRICS
from nebulium.metrics.probabilistic import Estimate
from nebulium.verbs import Bootstrap, Evaluation, Score, compare_methods

DIFFERENCE, MEAN_DIFFERENCE = Target(least=0.010), Target(least=0.013)
NOT_LARGER = Target(most=1.0)


def measure(settings: Settings) -> list[Result]:
    """Differences from the published network, and the scores of all methods."""
    evaluation = test_evaluation(settings, traditional=True)
    for name in ("spearman", "nmad", "predicted_against_observed"):
        evaluation.figures[name].savefig(settings.figures / f"{name}.png", dpi=150)
    return [_against_published(evaluation), _all_methods(evaluation)]


def _against_published(evaluation: Evaluation) -> Result:
    published, observed, with_ivar = (_by_line(evaluation, m) for m in (PUBLISHED, OBSERVED, OBSERVED_IVAR))
    differences = {method: _differences(evaluation, method) for method in (OBSERVED, OBSERVED_IVAR)}
    rows = []
    for line in LINES:
        nmad = published[line]["nmad_uncentred"].value
        ratio = observed[line]["nmad_uncentred"].value / nmad
        rows.append(
            [
                line,
                published[line].n,
                published[line]["spearman"].value,
                Check(f"{line}: difference in Spearman's rho", differences[OBSERVED][line], DIFFERENCE),
                nmad,
                Check(f"{line}: uncentred NMAD over the published", ratio, NOT_LARGER),
                differences[OBSERVED_IVAR][line],
                with_ivar[line]["nmad_uncentred"].value / nmad,
            ]
        )
    mean, mean_with_ivar = (np.mean([one.value for one in each.values()]) for each in differences.values())
    check = Check("mean difference in Spearman's rho", mean, MEAN_DIFFERENCE)
    return Result(
        "lines/published",
        "Against the published network",
        f"{len(evaluation.galaxies):,} test galaxies of the DESI table, the same for both. The medians of "
        "`--observed` from the continuum alone are compared with the published network: Spearman's rho "
        f"should be higher by {DIFFERENCE.least} on each line and {MEAN_DIFFERENCE.least} on average, and "
        "the uncentred NMAD no larger. The last two columns use each row's inverse variances as well, which "
        "the network does not know. Errors are bootstrapped, for differences on the same draws of galaxies.",
        (
            "line", "galaxies", "ρ published", "difference", "NMAD published / Å", "NMAD ratio",
            "difference with ivar", "NMAD ratio with ivar",
        ),
        [*rows, ["mean", "", "", check, "", "", mean_with_ivar, ""]],
    )  # fmt: skip


def _all_methods(evaluation: Evaluation) -> Result:
    rows = []
    for method in dict.fromkeys(score.method for score in evaluation.of_all()):
        rho = [score["spearman"].value for score in _by_line(evaluation, method).values()]
        rows.append([method, np.mean(rho), *rho])
    return Result(
        "lines/methods",
        "All methods",
        "Spearman's rho of each method on the same test galaxies; the median of the training set has none. "
        "The traditional methods are fitted to the training part of the table, one regressor a line.",
        ("method", "mean", *LINES),
        rows,
    )


def _by_line(evaluation: Evaluation, method: str) -> dict[str, Score]:
    return {score.target.removeprefix("ew_"): score for score in evaluation.of_all(method)}


def _differences(evaluation: Evaluation, method: str) -> dict[str, Estimate]:
    """Spearman's rho of a method above that of the published network, line by line."""
    galaxies, differences = evaluation.galaxies, {}
    for line in LINES:
        columns = {
            name: {"true": galaxies[f"ew_{line}"], "predicted": galaxies[f"{name}_ew_{line}_predicted"]}
            for name in (method, PUBLISHED)
        }
        rho = {"spearman": METRICS["spearman"]}
        (found,) = compare_methods(columns, rho, bootstrap=Bootstrap(resamples=50))
        differences[line] = found.difference
    return differences
