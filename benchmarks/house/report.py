"""The size and the order of the tree, beside those of an older commit."""

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.house import walk
from benchmarks.house.code import Source, body_lengths, definitions, lines_of_code, read_sources
from benchmarks.house.duplicates import duplicates_between
from benchmarks.house.imports import circles
from benchmarks.results import Cell, Check, Result, Target
from benchmarks.settings import REPOSITORY, Settings, data_folder

SUBJECTS = ("lines", "photoz", "properties")
ROOMS = {*SUBJECTS, "mock", "explore"}
#: Files in which a subject does what `nebulium.verbs` does for all.
PLUMBING = (
    "predict", "predictor", "predict_file", "prediction_file", "train_file", "training_file", "card",
    "evaluate", "evaluate_file", "evaluation",
)  # fmt: skip
COADD = ("coadd-4-80613-thru20210324.fits", "redrock-4-80613-thru20210324.fits")
TARGETS = {
    "lines of src": Target(most=46_000),
    "lines of code of src": Target(most=23_000),
    "lines of code of src and benchmarks": Target(most=27_798),
    "median function of src, lines of code": Target(most=6),
    "longest function of src, lines of code": Target(most=60),
    "Python files in the fullest folder": Target(most=16),
    "circles of imports": Target(most=0),
    "duplicates of six lines between two subjects": Target(most=0),
    "lines of code of predict, train, card and evaluate in lines, photoz and properties": Target(most=900),
    "files that one coadd passes in `lines predict`": Target(most=30),
}


def measure(settings: Settings) -> Iterator[Result]:
    """Count the tree as it is and as it was."""
    after = count(REPOSITORY)
    before = count_commit(settings.house_before)
    yield Result(
        name="house/size",
        title="The house",
        about="A line of code is one that is not blank, comment or docstring. Commands of typer, which their "
        f"options make long, are left out of the functions. Compared is commit {settings.house_before}.",
        columns=("what", f"at {settings.house_before}", "now", "target"),
        rows=[[name, f"{before[name]:,g}", *_now(name, value)] for name, value in after.items()],
    )


def _now(name: str, value: float) -> tuple[Cell, str]:
    """The number of today, as a check where there is a target, and the target."""
    target = TARGETS.get(name)
    return (Check(name, value, target, ",g"), str(target)) if target else (f"{value:,g}", "")


def count_commit(commit: str) -> dict[str, float]:
    """The counts of a commit of this repository."""
    with unpacked(commit) as folder:
        return count(folder)


@contextmanager
def unpacked(commit: str) -> Iterator[Path]:
    """A folder with the files of a commit."""
    archive = subprocess.run(
        ["git", "archive", commit], cwd=REPOSITORY, check=True, capture_output=True
    ).stdout
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        yield Path(folder)


def count(root: Path) -> dict[str, float]:
    """All counts of a checkout, by what they are."""
    package = root / "src" / "nebulium"
    src, benchmarks = read_sources(package), read_sources(root / "benchmarks")
    pages = read_sources(package, "*.pyi")
    bodies = body_lengths(src)
    return {
        "lines of src": sum(source.lines for source in [*src, *pages]),
        "lines of code of src": lines_of_code([*src, *pages]),
        "lines of code of benchmarks": lines_of_code(benchmarks),
        "lines of code of src and benchmarks": lines_of_code([*src, *pages, *benchmarks]),
        "functions, methods and classes of src": definitions(src),
        "median function of src, lines of code": median(bodies),
        "longest function of src, lines of code": max(bodies),
        "Python files in the fullest folder": _fullest(root),
        "circles of imports": len(circles({_module(s.path, package.parent): s for s in src})),
        "duplicates of six lines between two subjects": len(duplicates_between(ROOMS, package)),
        "lines of code of predict, train, card and evaluate in lines, photoz and properties": lines_of_code(
            plumbing(src, package)
        ),
        "files that one coadd passes in `lines predict`": len(files_passed(root)),
    }


def _fullest(root: Path) -> int:
    folders = [path.parent for name in ("src", "tests", "benchmarks") for path in (root / name).rglob("*.py")]
    return max(map(folders.count, folders))


def _module(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def plumbing(sources: Iterable[Source], package: Path) -> list[Source]:
    """The files in which the subjects predict, train, write cards and evaluate."""
    return [
        source
        for source in sources
        if source.path.relative_to(package).parts[0] in SUBJECTS and source.path.stem in PLUMBING
    ]


def files_passed(root: Path) -> Sequence[str]:
    """The files of a checkout's package whose functions run while lines are predicted for one coadd."""
    coadd, redshifts = (data_folder() / "desi" / "spectra" / name for name in COADD)
    with tempfile.TemporaryDirectory() as folder:
        arguments = (
            "lines",
            "predict",
            coadd,
            "--redshifts",
            redshifts,
            "--output",
            f"{folder}/lines.parquet",
        )
        command = (sys.executable, walk.__file__, root / "src", *arguments)
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    # The command tells of its progress there too.
    return [word for word in done.stderr.split() if word.endswith(".py")]
