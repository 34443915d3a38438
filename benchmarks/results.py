"""What a benchmark hands back: a table, checks of its targets, and the file that the documentation reads."""

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from nebulium.metrics.probabilistic import Estimate
from nebulium.metrics.two_sample import ClassifierAUC

#: Numbers that have an error.
WITH_ERROR = (Estimate, ClassifierAUC)


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
            return f"≥ {number(self.least, digits=4)}"
        return (
            f"≤ {number(self.most, digits=4)}"
            if math.isinf(self.least)
            else f"{self.least:g} to {self.most:g}"
        )

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
    measured : float, Estimate or ClassifierAUC
        The number.
    target : Target
        What it should be.
    form : str
        How the number is written, such as ".1e"; to three digits if not given.
    """

    quantity: str
    measured: float | Estimate | ClassifierAUC
    target: Target
    form: str = ""

    @property
    def value(self) -> float:
        """The number without its error."""
        return self.measured.value if isinstance(self.measured, WITH_ERROR) else float(self.measured)

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.target.met_by(self.value)

    def __str__(self) -> str:
        """The cell of a table."""
        number = format(self.value, self.form) if self.form else cell(self.measured)
        return f"{number} {'✓' if self.met else '✗'}"

    @property
    def row(self) -> "Row":
        """The row of a table that is nothing but checks; heads in `CHECK_COLUMNS`."""
        return [self.quantity, self, str(self.target)]

    def document(self) -> dict[str, Any]:
        """The check as JSON has it."""
        return {
            "quantity": self.quantity,
            "value": self.value if math.isfinite(self.value) else None,
            "error": self.measured.error if isinstance(self.measured, WITH_ERROR) else None,
            "target": str(self.target),
            "met": self.met,
        }


CHECK_COLUMNS = ("quantity", "measured", "target")
Cell: TypeAlias = "str | int | float | Estimate | ClassifierAUC | Check"
Row: TypeAlias = list[Cell]


@dataclass(frozen=True)
class Result:
    """One table of the documentation.

    Attributes
    ----------
    name : str
        Of the file, with the folder of its subject: "lines/speed".
    title, about : str
        Heading, and a paragraph on how it was measured.
    columns : sequence of str
        Heads of the columns.
    rows : sequence of sequence of Cell
        Numbers are written by `cell`; a check shows whether its target is met.
    further : sequence of Check
        Those that stand in no row.
    """

    name: str
    title: str
    about: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    further: Sequence[Check] = field(default=())

    @property
    def checks(self) -> list[Check]:
        """All numbers that have a target."""
        return [*(one for row in self.rows for one in row if isinstance(one, Check)), *self.further]

    @property
    def cells(self) -> list[list[str]]:
        """The rows as they are written."""
        return [[cell(one) for one in row] for row in self.rows]

    def write(self, folder: Path) -> Path:
        """Write the file that the documentation is made from."""
        path = folder / f"{self.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "title": self.title,
            "about": f"{self.about} Measured on {machine()}.",
            "columns": list(self.columns),
            "rows": self.cells,
            "checks": [check.document() for check in self.checks],
        }
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    def text(self) -> str:
        """The table and the checks for a terminal."""
        lines = [list(self.columns), *self.cells]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = ["  ".join(one.ljust(w) for one, w in zip(line, widths, strict=True)) for line in lines]
        missed = [f"MISSED {one.quantity}: {one} (target {one.target})" for one in self.checks if not one.met]
        return "\n".join([f"\n{self.title}", *table, *missed])


def cell(value: Cell) -> str:
    """A cell as it is written: counts in full, others to three digits or to those of their error."""
    if isinstance(value, str | Check):
        return str(value)
    if isinstance(value, WITH_ERROR):
        return number(value.value, value.error)
    return f"{value:,}" if isinstance(value, int) else number(float(value))


def number(value: float, error: float | None = None, digits: int = 3) -> str:
    """A number to so many significant digits, with its error where there is one."""
    if not math.isfinite(value):
        return "–"
    if error is None or not error > 0:
        return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"
    places = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{places}f} ± {error:.{places}f}"


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
