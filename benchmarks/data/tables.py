"""A table of many rows read, checked and written, against an earlier version, and in flat memory."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.house.report import unpacked
from benchmarks.results import Check, Result, Target
from benchmarks.settings import REPOSITORY, Settings
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import TableWriter

SLOWER = Target(most=1.3)
FLAT = Target(most=1.1)
ROWS = 1_000_000
#: What a command does with a table: every id once, every column checked, all of it written again.
WORK = """
import json, resource, sys, time
from nebulium.data.ids import check_unique_ids
from nebulium.data.tables.reading import iter_table
from nebulium.data.tables.writer import TableWriter
source, output = sys.argv[1:]
start = time.perf_counter()
ids = {"target_id": "target_id"}
check_unique_ids(lambda: (chunk["target_id"] for chunk in iter_table(source, columns=ids)), where=source)
with TableWriter(output) as writer:
    for chunk in iter_table(source):
        writer.append(chunk)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": time.perf_counter() - start, "peak": peak}))
"""


def measure(settings: Settings) -> list[Result]:
    """The median time of this version over that of the earlier one, taking turns; and peaks of memory."""
    with (
        tempfile.TemporaryDirectory(prefix="nebulium-tables-") as scratch,
        unpacked(settings.tables_before) as old,
    ):
        folder = Path(scratch)
        trees = {settings.tables_before: old / "src", "now": REPOSITORY / "src"}
        for rows in (ROWS, 4 * ROWS):
            _write(folder / f"{rows}.parquet", rows)
        runs = {name: [] for name in trees}
        for _ in range(settings.repeats):
            for name, src in trees.items():
                runs[name].append(_cost(src, folder, ROWS))
        longer = _cost(trees["now"], folder, 4 * ROWS)
    seconds = {name: float(np.median([run["seconds"] for run in found])) for name, found in runs.items()}
    peak = float(np.median([run["peak"] for run in runs["now"]]))
    slower = Check("time over that before", seconds["now"] / seconds[settings.tables_before], SLOWER, ".2f")
    flat = Check(f"peak of {4 * ROWS:,} rows over that of {ROWS:,}", longer["peak"] / peak, FLAT, ".2f")
    return [
        Result(
            "data/tables",
            "Tables read, checked and written",
            f"{ROWS:,} rows of 14 columns from Parquet to Parquet, every id once and every column checked, "
            f"by this version and by commit {settings.tables_before} in turns, median of {settings.repeats}.",
            ("what", "before", "now", "ratio"),
            [
                ["seconds", round(seconds[settings.tables_before], 2), round(seconds["now"], 2), slower],
                ["peak memory / MiB, of four times the rows", "", round(longer["peak"] / 1024), flat],
            ],
        )
    ]


def _cost(src: Path, folder: Path, rows: int) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": str(src)}
    command = [sys.executable, "-c", WORK, str(folder / f"{rows}.parquet"), str(folder / "out.parquet")]
    return json.loads(subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE).stdout)


def _write(path: Path, rows: int) -> None:
    """Ids, redshifts and continua."""
    draw, at_once = np.random.default_rng(0), 100_000
    with TableWriter(path) as writer:
        for first in range(0, rows, at_once):
            columns = {"target_id": 10**15 + first + np.arange(at_once), "redshift": draw.random(at_once)}
            columns |= {f"continuum_flux_{place}": draw.lognormal(size=at_once) for place in range(12)}
            writer.append(Table(columns))
