"""What a benchmark hands back: a table, checks of its targets, and the file that the documentation reads."""

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nebulium.metrics.probabilistic import Estimate


@dataclass(frozen=True)
class Target:
    """What a number should be.

    Attributes
    ----------
    least, most : float
        Bounds, both included.
    """

    least: float = -math.inf
    most: float = math.inf

    def __str__(self) -> str:
        if math.isinf(self.most):
            return f"≥ {self.least:.4g}"
        return f"≤ {self.most:.4g}" if math.isinf(self.least) else f"{self.least:g} to {self.most:g}"

    def met_by(self, value: float) -> bool:
        """Whether a number is what it should be; NaN is not."""
        return self.least <= value <= self.most


@dataclass(frozen=True)
class Check:
    """One number against its target.

    Attributes
    ----------
    quantity : str
        What was measured.
    value : float
        The number.
    target : Target
        What it should be.
    error : float, optional
        Its standard error, where it has one.
    """

    quantity: str
    value: float
    target: Target
    error: float | None = None

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.target.met_by(self.value)


@dataclass(frozen=True)
class Result:
    """One table of the documentation.

    Attributes
    ----------
    name : str
        Of the file.
    title, about : str
        Heading, and a paragraph on how it was measured.
    columns : sequence of str
        Heads of the columns.
    rows : sequence of sequence of str
        Cells.
    checks : sequence of Check
        The numbers that have a target.
    """

    name: str
    title: str
    about: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    checks: Sequence[Check] = field(default=())

    def write(self, folder: Path) -> Path:
        """Write the file that the documentation is made from."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        document = {
            "title": self.title,
            "about": f"{self.about} Measured on {machine()}.",
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "checks": [
                {
                    "quantity": check.quantity,
                    "value": check.value if math.isfinite(check.value) else None,
                    "error": check.error,
                    "target": str(check.target),
                    "met": check.met,
                }
                for check in self.checks
            ],
        }
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    def text(self) -> str:
        """The table and the checks for a terminal."""
        widths = [
            max(len(row[place]) for row in (self.columns, *self.rows)) for place in range(len(self.columns))
        ]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            for row in (self.columns, *self.rows)
        ]
        missed = [
            f"MISSED {check.quantity}: {check.value:.4g} (target {check.target})"
            for check in self.checks
            if not check.met
        ]
        return "\n".join([f"\n{self.title}", *lines, *missed])


def check_rows(checks: Sequence[Check]) -> list[list[str]]:
    """Rows of a table that is nothing but checks; heads in `CHECK_COLUMNS`."""
    return [
        [check.quantity, number(check.value, check.error), str(check.target), "yes" if check.met else "no"]
        for check in checks
    ]


CHECK_COLUMNS = ("quantity", "measured", "target", "met")


def number(value: float, error: float | None = None, digits: int = 3) -> str:
    """A number to so many significant digits, with its error where there is one."""
    if not math.isfinite(value):
        return "–"
    if error is None or not error > 0:
        return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"
    places = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{places}f} ± {error:.{places}f}"


def estimate(measured: Estimate) -> str:
    """An estimate as a cell."""
    return number(measured.value, measured.error)


def marked(cell: str, check: Check) -> str:
    """A cell that shows whether its target is met."""
    return f"{cell} {'✓' if check.met else '✗'}"


def machine() -> str:
    """The machine in a few words."""
    return f"{len(os.sched_getaffinity(0))} cores of {_processor()}, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
