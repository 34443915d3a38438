"""A table of any format opened by the ending of its name."""

from collections.abc import Sequence
from pathlib import Path

from nebulium.data.tables.arrow import open_csv, open_parquet
from nebulium.data.tables.ecsv import open_ecsv
from nebulium.data.tables.fits import open_fits
from nebulium.data.tables.hdf5 import open_hdf5
from nebulium.data.tables.table import READABLE, TableSource, ending_of
from nebulium.errors import TableError

#: Who opens a format.
OPENERS = {"parquet": open_parquet, "csv": open_csv, "fits": open_fits, "ecsv": open_ecsv, "hdf5": open_hdf5}


def open_table(path: Path, wanted: Sequence[str] | None) -> TableSource:
    """Open a table by the ending of its name."""
    if not path.exists():
        raise TableError(str(path), "is not there", "check the path")
    ending = ending_of(path)
    if ending is None or path.is_dir():
        found = "is a folder" if path.is_dir() else f"has an unknown ending {path.suffix!r}"
        raise TableError(str(path), f"{found}, expected a file ending in {', '.join(READABLE)}", "convert it")
    if path.stat().st_size == 0:
        raise TableError(str(path), "is an empty file (0 bytes)", "make or download it again")
    return OPENERS[READABLE[ending]](path, wanted)
