"""What is computed once: tables in a folder next to that of the galaxies, and results in memory."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.output import output_error
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table, stem_of
from nebulium.data.tables.writer import write_table
from nebulium.errors import TableError

ENDING = "explore"


@dataclass(frozen=True)
class Cache:
    """The folder of a table's cache.

    Attributes
    ----------
    folder : Path
    notes : tuple of str
        Where the cache is, if it is not next to the table.
    """

    folder: Path
    notes: tuple[str, ...] = ()


def kept(most: int) -> Callable[[Callable[..., Any]], Any]:
    """Make a method keep its last results, so many of them, for as long as there is its object."""
    return lambda method: cached_property(lambda owner: lru_cache(maxsize=most)(partial(method, owner)))


def cache_folder(path: Path | None) -> Cache:
    """The folder next to a table or in a mock survey; in the user's cache if that cannot be written."""
    if path is None:
        return Cache(_made(_cache() / "example"))
    beside = path / ENDING if path.is_dir() else path.with_name(f"{stem_of(path)}.{ENDING}")
    try:
        beside.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=beside):
            return Cache(beside)
    except OSError as error:
        name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
        folder = _made(_cache() / name)
        return Cache(
            folder, (f"{beside} cannot be written ({error.strerror}): results are kept in {folder}.",)
        )


def cached_table(path: Path, about: Mapping[str, Any], make: Callable[[], Table]) -> Table:
    """A table from its file, if the file was made from the same input; else made, and written there."""
    if path.is_file():
        try:
            found = read_table(path)
        except TableError:  # a damaged file is made again
            pass
        else:
            if found.metadata.get("about") == about:
                return found
    table = make()
    table = replace(table, metadata={**table.metadata, "about": dict(about)})
    write_table(table, path)
    return table


def digest(*arrays: np.ndarray) -> str:
    """A fingerprint of arrays: another one for other numbers, types or shapes."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).view(np.uint8).data)
    return found.hexdigest()


def _cache() -> Path:
    """As the XDG base directory specification has it; a path there must be absolute."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "nebulium" / ENDING


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    return folder
