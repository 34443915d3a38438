"""Peak memory of ``nebulium lines predict`` against the length of its input."""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.processes import Cost, cost_of
from benchmarks.results import Check, Result, Target
from benchmarks.settings import Settings, desi_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import TableWriter
from nebulium.lines.input import FLUX_COLUMNS

BYTES_OF_AN_ID = 16
# Allocators keep a little more on a longer run; a table in memory would show as a factor of tens.
FLAT = Target(most=1.10)
ROWS_AT_ONCE = 50_000


def measure(settings: Settings) -> list[Result]:
    """Peak memory at each length, ids apart, over that at the shortest."""
    costs = {}
    for rows in settings.memory_rows:
        with tempfile.TemporaryDirectory(prefix="nebulium-memory-") as folder:
            costs[rows] = _cost(Path(folder), rows, settings.model)
    shortest = min(costs)
    base = _without_ids(costs[shortest], shortest)
    rows = []
    for count, cost in costs.items():
        ratio = _without_ids(cost, count) / base
        check = Check(f"{count:,} rows: peak over that of {shortest:,}", ratio, FLAT, ".2f")
        ids = BYTES_OF_AN_ID * count / 2**20
        rows.append([count, round(cost.peak_bytes / 2**20), round(ids), check, round(cost.seconds)])
    return [
        Result(
            "lines/memory",
            "Memory of predictions",
            "Largest resident memory of `nebulium lines predict` from Parquet to Parquet in a process of its "
            "own, on continua of the DESI table under new ids. Less 16 bytes a row, kept to find duplicate "
            f"ids, it should not grow: {FLAT} of the shortest table's.",
            ("rows", "peak / MiB", "of which ids / MiB", "the rest over the shortest's", "seconds"),
            rows,
        )
    ]


def _without_ids(cost: Cost, rows: int) -> float:
    return cost.peak_bytes - BYTES_OF_AN_ID * rows


def _cost(folder: Path, rows: int, model: str) -> Cost:
    table, output = folder / "continua.parquet", folder / "lines.parquet"
    _write_continua(table, rows)
    return cost_of("lines", "predict", str(table), "--output", str(output), "--model", model)


def _write_continua(path: Path, rows: int) -> None:
    """The continua of the DESI table over and over, never more than a few in memory."""
    source = desi_table()
    names = ("redshift", *FLUX_COLUMNS)
    good = np.flatnonzero(np.all([source[name] > 0 for name in names], axis=0))
    with TableWriter(path, metadata={}) as writer:
        for first in range(0, rows, ROWS_AT_ONCE):
            ids = np.arange(first, min(first + ROWS_AT_ONCE, rows), dtype=np.int64)
            columns = {name: source[name][good[ids % good.size]].astype(np.float32) for name in names}
            writer.append(Table({"target_id": ids, **columns}, source.units))
