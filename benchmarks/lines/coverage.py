"""Do the intervals hold as many measurements as they say?"""

from benchmarks.results import Check, Result, Target, number
from benchmarks.settings import Settings, test_evaluation
from nebulium.lines.scores.evaluate import FIFTHS
from nebulium.lines.scores.populations import OBSERVED, OBSERVED_IVAR
from nebulium.lines.scores.scores import FLUX
from nebulium.verbs import Score

COVERS_68, COVERS_95 = Target(0.66, 0.70), Target(0.94, 0.96)
FIFTH_68, FIFTH_95 = Target(0.63, 0.73), Target(0.90, 1.00)


def measure(settings: Settings) -> list[Result]:
    """Coverage, PIT and CRPS with each row's noise; without it for comparison."""
    evaluation = test_evaluation(settings, traditional=False)
    for name in ("coverage", "pit"):
        evaluation.figures[name].savefig(settings.figures / f"{name}.png", dpi=150)
    of = {method: evaluation.of_all(method) for method in (OBSERVED_IVAR, OBSERVED)}
    fifths = [one for one in evaluation.scores if (one.method, one.sample.quantity) == (OBSERVED_IVAR, FLUX)]
    count = len(evaluation.galaxies)
    return [
        _by_line("lines/coverage", "Coverage, with each row's noise", of[OBSERVED_IVAR], count, checked=True),
        _by_fifth(fifths),
        _by_line(
            "lines/coverage_typical", "Coverage, with the typical noise", of[OBSERVED], count, checked=False
        ),
    ]


def _by_line(name: str, title: str, scores: list[Score], count: int, *, checked: bool) -> Result:
    rows = []
    for score in scores:
        covered = (
            Check(f"{score.target}: coverage of 68 %", score["coverage_68"], COVERS_68),
            Check(f"{score.target}: coverage of 95 %", score["coverage_95"], COVERS_95),
        )
        cells = covered if checked else (score["coverage_68"], score["coverage_95"])
        rows.append([score.target, score.n, *cells, number(score["pit_ks"].value, digits=2), score["crps"]])
    return Result(
        name,
        title,
        f"{count:,} test galaxies. Share of the measured equivalent widths inside the predicted intervals "
        f"(wanted: {COVERS_68} and {COVERS_95} with each row's noise), Kolmogorov-Smirnov distance of the "
        "probability integral transform from uniform, and continuous ranked probability score.",
        ("line", "galaxies", "in 68 %", "in 95 %", "PIT distance", "CRPS / Å"),
        rows,
    )


def _by_fifth(scores: list[Score]) -> Result:
    rows, checks = [], []
    for first in range(0, len(scores), FIFTHS):
        line = scores[first].target
        of_line = [
            (
                Check(f"{line}, fifth {fifth}: coverage of 68 %", one["coverage_68"], FIFTH_68, ".3g"),
                Check(f"{line}, fifth {fifth}: coverage of 95 %", one["coverage_95"], FIFTH_95, ".3g"),
            )
            for fifth, one in enumerate(scores[first : first + FIFTHS], start=1)
        ]
        checks += [check for pair in of_line for check in pair]
        rows.append([line, *(f"{of_68} / {of_95}" for of_68, of_95 in of_line)])
    return Result(
        "lines/coverage_by_flux",
        "Coverage against brightness",
        "The same, 68 % / 95 % intervals, in fifths of the galaxies by `continuum_flux_9`, faintest first; "
        "wanted within 5 points of the nominal.",
        ("line", "faintest", "second", "third", "fourth", "brightest"),
        rows,
        checks,
    )
