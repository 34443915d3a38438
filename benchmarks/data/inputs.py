"""Astronomers' files in many spellings, formats and dtypes: the tests of the kinds with more inputs each."""

import ast
import os
import subprocess
import sys
import time

from benchmarks.results import Check, Result, Target
from benchmarks.settings import REPOSITORY, Settings

NONE = Target(most=0)
INPUTS = 2_000
#: The variable with which the tests of kinds are told how many inputs to try.
VARIABLE = "NEBULIUM_INPUTS"


def measure(settings: Settings) -> list[Result]:
    """Inputs that were read wrong, or ended in another way than an error that says what to do."""
    files = [
        path for path in sorted((REPOSITORY / "tests").rglob("test_*.py")) if VARIABLE in path.read_text()
    ]
    rows = [row for path in files for row in _tried(path.relative_to(REPOSITORY).as_posix())]
    return [
        Result(
            "data/inputs",
            "Files of many kinds",
            f"{INPUTS:,} inputs of each kind, drawn by hypothesis: read right, or refused with a mend.",
            ("kind", "seconds", "wrong"),
            rows,
        )
    ]


def _tried(path: str) -> list[list[object]]:
    """Each test of a file that hypothesis draws for."""
    functions = [
        one for one in ast.parse((REPOSITORY / path).read_text()).body if isinstance(one, ast.FunctionDef)
    ]
    drawn = [one.name for one in functions if "given(" in " ".join(map(ast.unparse, one.decorator_list))]
    return [_row(path, name) for name in drawn]


def _row(path: str, name: str) -> list[object]:
    start = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{path}::{name}"]
    ended = subprocess.run(command, cwd=REPOSITORY, env={**os.environ, VARIABLE: str(INPUTS)}, check=False)
    kind = name.removeprefix("test_").replace("_", " ")
    return [kind, round(time.perf_counter() - start), Check(kind, int(ended.returncode != 0), NONE)]
