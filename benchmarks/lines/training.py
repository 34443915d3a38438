"""Time and memory of ``nebulium lines train`` on the whole DESI table."""

import tempfile
from pathlib import Path

from benchmarks.processes import cost_of
from benchmarks.results import CHECK_COLUMNS, Check, Result, Target
from benchmarks.settings import Settings, desi_path, desi_table


def measure(settings: Settings) -> list[Result]:
    """From the table to the saved model."""
    with tempfile.TemporaryDirectory(prefix="nebulium-training-") as folder:
        cost = cost_of("lines", "train", str(desi_path()), "--output", str(Path(folder) / "model"))
    checks = [
        Check("minutes", cost.seconds / 60, Target(most=10)),
        Check("peak memory / GB", cost.peak_bytes / 1e9, Target(most=4)),
    ]
    return [
        Result(
            "lines/training",
            "Training",
            f"`nebulium lines train` on the {len(desi_table()):,} galaxies of the DESI table, from the table "
            "to the saved model, in a process of its own.",
            CHECK_COLUMNS,
            [check.row for check in checks],
        )
    ]
