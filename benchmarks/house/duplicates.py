"""Pieces of code that stand twice, as pylint finds them."""

import re
import subprocess
import sys
from pathlib import Path

LEAST_LINES = 6


def duplicates_between(rooms: set[str], package: Path) -> list[tuple[str, ...]]:
    """Files of two or more rooms that share at least six lines, imports, comments and docstrings apart."""
    options = ("-d", str(LEAST_LINES), "--ignore-comments", "--ignore-docstrings", "--ignore-imports")
    files = sorted(str(path.relative_to(package)) for path in package.rglob("*.py"))
    command = (sys.executable, "-c", "from pylint import run_symilar; run_symilar()", *options, *files)
    done = subprocess.run(command, cwd=package, check=True, capture_output=True, text=True)
    groups = (re.findall(r"^==(.+\.py):\[", part, re.MULTILINE) for part in done.stdout.split("\n\n"))
    return [tuple(group) for group in groups if len(rooms & {Path(file).parts[0] for file in group}) > 1]
