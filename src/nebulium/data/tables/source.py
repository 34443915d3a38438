"""One way to read tables of any format: names and units first, then chunks of the columns asked for."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.errors import TableError

#: Format by ending; what is written is also read.
READABLE = {
    ".parquet": "parquet", ".pq": "parquet",
    ".fits": "fits", ".fit": "fits", ".fits.gz": "fits", ".fit.gz": "fits",
    ".ecsv": "ecsv", ".csv": "csv",
    ".hdf5": "hdf5", ".h5": "hdf5", ".hdf": "hdf5",
}  # fmt: skip
WRITABLE = ("parquet", "fits", "ecsv")

Chunks = Callable[[Sequence[str], int], Iterator[dict[str, np.ndarray]]]


@dataclass(frozen=True)
class TableSource:
    """An open table: what it holds, and how to get at it in pieces.

    Parameters
    ----------
    name : str
        The file, for messages.
    columns : tuple of str
        Names of its columns, as the file has them.
    chunks : callable of (names, rows_per_chunk) to iterator of dict
        Reads only the columns named, so many rows at a time.
    units : mapping of str to str
        As the file declares them.
    metadata : mapping
        What nebulium wrote there.
    """

    name: str
    columns: tuple[str, ...]
    chunks: Chunks
    units: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        twice = [column for column, count in Counter(self.columns).items() if count > 1]
        if twice:
            raise TableError(self.name, f"has more than one column named {twice[0]!r}", "rename one of them")


def ending_of(path: Path) -> str | None:
    """The ending that tells the format, ``.fits.gz`` as one."""
    name = path.name.lower()
    return next((ending for ending in sorted(READABLE, key=len, reverse=True) if name.endswith(ending)), None)


def stem_of(path: Path) -> str:
    """The file's name without the ending that tells its format."""
    ending = ending_of(path)
    return path.name[: -len(ending)] if ending else path.name


def in_memory(columns: Mapping[str, np.ndarray]) -> Chunks:
    """Chunks of a table that is read whole, for formats that cannot be read in pieces."""

    def chunks(names: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        total = len(next(iter(columns.values()), ()))
        for first in range(0, total, rows):
            yield {name: columns[name][first : first + rows] for name in names}

    return chunks
