"""Make the mock survey and train the models that `benchmarks.photoz.mock` scores: `make bench-train`.

What is there already is kept, and a training that was interrupted is taken up again.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.settings import RUNS
from nebulium.data.splits import Split
from nebulium.mock.survey.making import make_survey
from nebulium.photoz.scores.label_fraction_file import FRACTIONS
from nebulium.photoz.training_file import train_file

FOLDER = RUNS / "photoz_mock"
SURVEY = "survey"
GALAXIES, SEED = 50_000, 2611
#: Images large enough that no rotation of the part that a network sees runs over their edges.
PIXELS = 72
#: Passes over the images, all of them.
CONTRAST_EPOCHS = 8
#: Passes over the labelled images alone by the fraction of labels, until validation galaxies gain no more: of
#: `supervised`, and those that end `pita`. Each training of `pita` takes half an hour on two cores.
LABELLED_EPOCHS = {1.0: (30, 12), 0.5: (40, 16), 0.2: (60, 24), 0.1: (80, 32), 0.05: (110, 40)}


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes
    ----------
    method : str
    label_fraction : float
    settings : mapping
        Of the method, where they are not left as they are.
    """

    method: str
    label_fraction: float = 1.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the model folder."""
        return f"{self.method}-{100 * self.label_fraction:g}"


def all_runs() -> list[Run]:
    """The trainings, the quick and the most wanted first."""
    runs = [Run("train-distribution"), Run("template")]
    runs += [Run("photometry", fraction) for fraction in sorted(FRACTIONS, reverse=True)]
    for fraction, (supervised, last) in LABELLED_EPOCHS.items():
        runs.append(Run("supervised", fraction, {"epochs": supervised}))
        runs.append(Run("pita", fraction, {"epochs": CONTRAST_EPOCHS, "labelled_epochs": last}))
    return [*runs, Run("selfsupervised", settings={"epochs": CONTRAST_EPOCHS})]


def survey_in(folder: Path) -> Path:
    """The mock survey, made if it is not there; left half made, it is finished."""
    survey = folder / SURVEY
    if not (survey / "catalogue.parquet").exists():
        resume = survey.exists()
        make_survey(
            "candels", survey, n=GALAXIES, seed=SEED, pixels=PIXELS, processes=2, shards=10, resume=resume
        )
    return survey


def main(arguments: list[str] | None = None) -> int:
    """Train what is not there yet."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.photoz.runs", description=__doc__)
    parser.add_argument("names", nargs="*", help="runs to make, such as pita-10; all if none is named")
    parser.add_argument("--runs", type=Path, default=FOLDER, help="folder of the survey and the models")
    chosen = parser.parse_args(arguments)
    survey = survey_in(chosen.runs)
    for run in all_runs():
        output = chosen.runs / run.name
        if output.exists() or (chosen.names and run.name not in chosen.names):
            continue
        start = time.perf_counter()
        train_file(
            survey,
            output,
            method=run.method,
            split=Split(label_fraction=run.label_fraction),
            settings=run.settings,
            recalibrate=run.method != "train-distribution",
            resume=True,
        )
        print(f"{run.name}: {time.perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
