"""Ids that stand in a table twice, found in a stream with at most 16 bytes of memory a row."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from nebulium.data.id_hash import hash_ids
from nebulium.errors import TableError

#: A generator function of chunks of ids; called again for a second pass.
IdChunks = Callable[[], Iterable[np.ndarray]]


#: Rows that a message names for one id.
ROWS_NAMED = 3


@dataclass(frozen=True)
class Duplicate:
    """An id that occurs more than once.

    Parameters
    ----------
    target_id : int or str
        The id.
    rows : tuple of int
        The first rows where it stands, counted from 0.
    """

    target_id: int | str
    rows: tuple[int, ...]


def find_duplicates(chunks: IdChunks, *, rows: int | None = None, most: int = 3) -> list[Duplicate]:
    """Find ids that occur more than once in a table too long for memory.

    Whole numbers are held as they are and text as 64-bit hashes, 8 bytes a row, and sorted in place. Where
    two are equal, a second pass over the ids names the rows, and compares the texts themselves, so that two
    texts of one hash (odds of 3 in a million for 1e7 rows) are no duplicate.
    """
    keys = _gathered(chunks, rows)
    keys.sort()
    repeated = np.unique(keys[1:][keys[1:] == keys[:-1]])
    del keys
    return _named(chunks, repeated, most) if len(repeated) else []


def check_unique_ids(chunks: IdChunks, *, where: str, rows: int | None = None) -> None:
    """Refuse a table in which an id occurs more than once."""
    found = find_duplicates(chunks, rows=rows)
    if found:
        listed = "; ".join(f"{one.target_id} in rows {_listed(one.rows)}" for one in found)
        mend = "keep one row of each id, or map another id column"
        raise TableError(where, f"expected every id once, found {listed}", mend)


def _gathered(chunks: IdChunks, rows: int | None) -> np.ndarray:
    """All keys in one array."""
    if rows is None:
        return np.concatenate([_keys(ids) for ids in chunks()] or [np.zeros(0, np.uint64)])
    keys = np.empty(rows, np.uint64)
    first = 0
    for ids in chunks():
        keys[first : first + len(ids)] = _keys(ids)
        first += len(ids)
    return keys[:first]


def _keys(ids: np.ndarray) -> np.ndarray:
    """A whole number is its own key."""
    return ids.astype(np.uint64) if ids.dtype.kind in "iu" else hash_ids(ids)


def _named(chunks: IdChunks, repeated: np.ndarray, most: int) -> list[Duplicate]:
    """Second pass: the rows of the keys that repeat, by the id itself."""
    rows_of: dict[int | str, list[int]] = {}
    first = 0
    for ids in chunks():
        keys = _keys(ids)
        places = np.minimum(np.searchsorted(repeated, keys), len(repeated) - 1)
        for row in np.flatnonzero(repeated[places] == keys).tolist():
            rows_of.setdefault(ids[row].item(), []).append(first + row)
        rows_of = {identifier: rows[:ROWS_NAMED] for identifier, rows in rows_of.items()}
        first += len(ids)
        if sum(len(rows) > 1 for rows in rows_of.values()) >= most:
            break
    found = [Duplicate(identifier, tuple(rows)) for identifier, rows in rows_of.items() if len(rows) > 1]
    return found[:most]


def _listed(rows: tuple[int, ...]) -> str:
    """Such as "1, 5 and 8"."""
    return f"{', '.join(map(str, rows[:-1]))} and {rows[-1]}"
