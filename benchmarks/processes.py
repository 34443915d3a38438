"""Time and peak memory of a command."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

# A process counts the memory of the one that started it as its own peak, so a small one stands in between.
MEASURE = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
seconds = time.perf_counter() - start
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
print(json.dumps({"code": code, "seconds": seconds, "peak_bytes": peak}))
"""
NEBULIUM = (sys.executable, "-c", "from nebulium.cli import main; main()")


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Attributes
    ----------
    seconds : float
        Wall time.
    peak_bytes : int
        Largest resident memory.
    """

    seconds: float
    peak_bytes: int


def cost_of(*arguments: str) -> Cost:
    """Run a command of nebulium in a process of its own."""
    return cost_of_command(*NEBULIUM, *arguments)


def cost_of_command(*command: str) -> Cost:
    """Run any command in a process of its own."""
    measured = answer_of(MEASURE, *command)
    if measured["code"] != 0:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {measured['code']}")
    return Cost(measured["seconds"], measured["peak_bytes"])


def answer_of(script: str, *arguments: str) -> Any:
    """What a script prints as JSON, run by Python in a process of its own."""
    command = [sys.executable, "-c", script, *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
