"""The explorer page as a process of its own, and the tables that it is opened on."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.processes import NEBULIUM
from benchmarks.settings import desi_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import FLUX_COLUMNS

ID = "target_id"
COLUMNS = ("redshift", *FLUX_COLUMNS, *(f"ew_{line}" for line in LINES))
#: Factors between a mock galaxy and the one that it is drawn from scatter by so much.
SCATTER = 0.05


@dataclass(frozen=True)
class Server:
    """A page that is served.

    Attributes
    ----------
    address : str
    seconds : float
        From the command to the address.
    process : int
        Its number.
    """

    address: str
    seconds: float
    process: int

    def memory_bytes(self) -> int:
        """What it has in memory now."""
        lines = Path(f"/proc/{self.process}/status").read_text(encoding="utf-8").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@contextmanager
def serving(table: Path) -> Iterator[Server]:
    """``nebulium explore`` of a table, on any port that is free."""
    start = time.perf_counter()
    command = (*NEBULIUM, "explore", str(table), "--port", "0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield Server(_address(process), time.perf_counter() - start, process.pid)
        finally:
            process.terminate()
        if process.wait() != 0:
            raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}")


def _address(process: subprocess.Popen[str]) -> str:
    for line in process.stdout or ():
        if line.startswith("http://"):
            return line.split()[0]
    raise RuntimeError("the explorer page ended before it was there")


def write_desi(path: Path, most: int | None) -> int:
    """The DESI table, or its first rows, where a folder may stand beside it; how many rows."""
    source = desi_table()
    rows = np.arange(len(source))[:most]
    _write({name: source[name][rows] for name in (ID, *COLUMNS)}, path)
    return len(rows)


def write_mock(path: Path, desi: int, count: int) -> None:
    """So many rows of the DESI table, and galaxies drawn from them with scatter, `count` together."""
    source, rng = desi_table(), np.random.default_rng(0)
    rows = rng.integers(0, desi, max(0, count - desi))
    columns = {ID: np.concatenate([source[ID][:desi], source[ID].max() + 1 + np.arange(len(rows))])}
    for name in COLUMNS:
        values = source[name]
        drawn = values[rows] * rng.lognormal(0.0, SCATTER, len(rows))
        columns[name] = np.concatenate([values[:desi], drawn.astype(values.dtype)])
    _write(columns, path)


def _write(columns: dict[str, np.ndarray], path: Path) -> None:
    units = {name: unit for name, unit in desi_table().units.items() if name in columns}
    write_table(Table(columns, units), path)
