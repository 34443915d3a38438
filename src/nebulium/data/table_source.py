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
    """The ending that tells the format, ``.fits.gz`` as one.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    str or None
        In lower case; None if no format goes by it.

    Examples
    --------
    >>> ending_of(Path("fastspec.v1.FITS.gz")), ending_of(Path("notes.txt"))
    ('.fits.gz', None)
    """
    name = path.name.lower()
    return next((ending for ending in sorted(READABLE, key=len, reverse=True) if name.endswith(ending)), None)


def stem_of(path: Path) -> str:
    """The file's name without the ending that tells its format.

    Parameters
    ----------
    path : Path
        A file or a folder.

    Returns
    -------
    str
        The name; a folder such as ``run.1`` keeps its dot.

    Examples
    --------
    >>> stem_of(Path("out/lines.fits.gz")), stem_of(Path("runs/run.1"))
    ('lines', 'run.1')
    """
    ending = ending_of(path)
    return path.name[: -len(ending)] if ending else path.name


def in_memory(columns: Mapping[str, np.ndarray]) -> Chunks:
    """Chunks of a table that is read whole, for formats that cannot be read in pieces.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n,)
        All of it.

    Returns
    -------
    callable
        As `TableSource.chunks`.

    Examples
    --------
    >>> chunks = in_memory({"redshift": np.array([0.1, 0.2, 0.3])})
    >>> [chunk["redshift"].tolist() for chunk in chunks(["redshift"], 2)]
    [[0.1, 0.2], [0.3]]
    """

    def chunks(names: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        total = len(next(iter(columns.values()), ()))
        for first in range(0, total, rows):
            yield {name: columns[name][first : first + rows] for name in names}

    return chunks


def open_table(path: Path, wanted: Sequence[str] | None) -> TableSource:
    """Open a table by the ending of its name.

    Parameters
    ----------
    path : Path
        The file.
    wanted : sequence of str, optional
        The file's names of the columns that will be asked for; they tell which extension of a FITS file, or
        which group of an HDF5 file, is meant.

    Returns
    -------
    TableSource
        Nothing but names and units has been read, where the format allows it.

    Raises
    ------
    TableError
        If the file is not there, its ending is unknown, or it is damaged.

    Examples
    --------
    >>> open_table(Path("galaxies.txt"), None)
    Traceback (most recent call last):
    nebulium.errors.TableError: galaxies.txt: is not there. To mend: check the path
    """
    if not path.exists():
        raise TableError(str(path), "is not there", "check the path")
    ending = ending_of(path)
    if ending is None or path.is_dir():
        found = "is a folder" if path.is_dir() else f"has an unknown ending {path.suffix!r}"
        raise TableError(str(path), f"{found}, expected a file ending in {', '.join(READABLE)}", "convert it")
    if path.stat().st_size == 0:
        raise TableError(str(path), "is an empty file (0 bytes)", "make or download it again")
    return _opener(READABLE[ending])(path, wanted)


def _opener(form: str) -> Callable[[Path, Sequence[str] | None], TableSource]:
    """The reader of a format, imported when it is needed."""
    if form == "parquet":
        from nebulium.data.arrow_tables import open_parquet as opener
    elif form == "csv":
        from nebulium.data.arrow_tables import open_csv as opener
    elif form == "fits":
        from nebulium.data.fits_tables import open_fits_table as opener
    elif form == "ecsv":
        from nebulium.data.ecsv_tables import open_ecsv as opener
    else:
        from nebulium.data.hdf5_tables import open_hdf5_table as opener
    return opener
