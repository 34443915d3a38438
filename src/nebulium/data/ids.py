"""Ids of galaxies: hashed the same for ever, found among others, and refused where they stand twice."""

import hashlib
import re
from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Int64

from nebulium.errors import TableError


def hash_ids(ids: np.ndarray, *, seed: str = "") -> np.ndarray:
    """A 64-bit hash of each id.

    Whole numbers go through the finaliser of SplitMix64 (Steele, Lea & Flood 2014, OOPSLA), with an offset
    that depends on the seed; it is a bijection, so different numbers never share a hash. Text goes through
    BLAKE2b, but text that spells a whole number of 64 bits is hashed as that number: the id 7 and the id
    "7" are one galaxy.

    Parameters
    ----------
    ids : array of int or str of shape (n,)
        The ids.
    seed : str
        Another seed gives independent hashes.

    Returns
    -------
    ndarray of uint64 of shape (n,)
        The hashes.

    Raises
    ------
    TypeError
        If the ids are neither whole numbers nor text.

    Examples
    --------
    >>> bool(np.all(hash_ids(np.array([7, -1])) == hash_ids(np.array(["7", "-1"]))))
    True
    """
    ids = np.asarray(ids)
    if ids.dtype.kind in "iu":
        # Two's complement: -1 becomes 2**64 - 1.
        return _mix(ids.astype(np.uint64, casting="unsafe"), seed)
    if ids.dtype.kind == "U" or all(isinstance(identifier, str) for identifier in ids.tolist()):
        # Text to 64 bits one by one, then all together through the same finaliser as numbers.
        return _mix(np.fromiter(map(_code, ids.tolist()), np.uint64, count=len(ids)), seed)
    raise TypeError(f"ids must be whole numbers or text, got {ids.dtype}")


def _code(text: str) -> int:
    """The number that a text spells, if no other text spells it; else its BLAKE2b digest."""
    if len(text) <= 20 and text.lstrip("-").isdecimal() and text.isascii():
        number = int(text)
        if str(number) == text and -(2**63) <= number < 2**64:
            return number % 2**64
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _mix(codes: np.ndarray, seed: str) -> np.ndarray:
    """The finaliser of SplitMix64, in place of a loop of digests: a hundred times faster."""
    offset = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest(), "big")
    mixed = codes + np.uint64(offset)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def rows_of_ids(ids: np.ndarray, among: np.ndarray) -> Int64[np.ndarray, " n"]:
    """Where each id stands among others.

    The id 7 and the id "7" are one galaxy: one of the tables may hold its ids as text.

    Parameters
    ----------
    ids : array of int or str of shape (n,)
        The ids to look for.
    among : array of int or str of shape (m,)
        The ids to look in, each there once; there may be none.

    Returns
    -------
    ndarray of int64 of shape (n,)
        Rows of `among`; -1 where the id is absent.

    Raises
    ------
    TypeError
        If ids are neither whole numbers nor text.

    Examples
    --------
    >>> rows_of_ids(np.array([7, 8, 9]), np.array(["9", "7"])).tolist()
    [1, -1, 0]
    """
    if not len(among):
        return np.full(len(ids), -1, np.int64)
    wanted, known = hash_ids(ids), hash_ids(among)
    order = np.argsort(known)
    rows = order[np.minimum(np.searchsorted(known, wanted, sorter=order), len(order) - 1)]
    return np.where(known[rows] == wanted, rows, -1).astype(np.int64)


def ids_from_text(ids: np.ndarray) -> np.ndarray:
    """Ids as int64, if every one of them is a whole number that fits."""
    if ids.dtype.kind == "i":
        return ids.astype(np.int64)
    texts = np.char.strip(ids.astype(np.str_))
    try:
        numbers = texts.astype(np.int64)
    except (ValueError, OverflowError):
        return texts
    # The text 007 is no number: it would not come back as it was.
    return numbers if np.array_equal(numbers.astype(np.str_), texts) else texts


#: A number that is not whole as it is written: a program has made floats of the ids.
_FLOAT = re.compile(r"[-+]?\d*\.?\d+([eE][-+]?\d+)?|[-+]?\d+\.")


def ids_as_written(texts: np.ndarray) -> np.ndarray:
    """Ids from a file of text: whole numbers where all are, floats where a program made such of them."""
    ids = ids_from_text(np.asarray(texts, np.str_))
    written = [text for text in ids.tolist() if text] if ids.dtype.kind == "U" else []
    if not any("." in text or "e" in text.lower() for text in written):
        return ids
    return ids.astype(np.float64) if all(map(_FLOAT.fullmatch, written)) and len(written) == len(ids) else ids


def ids_or_places(found: np.ndarray | None, n: int) -> np.ndarray:
    """Ids as a file has them, numbers if they all are; rows of a file without ids go by their place."""
    return np.arange(n, dtype=np.int64) if found is None else ids_from_text(found)


#: A generator function of chunks of ids; called again for a second pass.
IdChunks = Callable[[], Iterable[np.ndarray]]


#: Ids that a message names, and rows for each.
IDS_NAMED, ROWS_NAMED = 3, 3


def find_duplicates(chunks: IdChunks) -> dict[int | str, list[int]]:
    """Find ids that occur more than once in a table too long for memory, and their first rows.

    Whole numbers are held as they are and text as 64-bit hashes, 8 bytes a row, and sorted in place. Where
    two are equal, a second pass over the ids names the rows, and compares the texts themselves, so that two
    texts of one hash (odds of 3 in a million for 1e7 rows) are no duplicate.
    """
    keys = np.concatenate([_keys(ids) for ids in chunks()] or [np.zeros(0, np.uint64)])
    keys.sort()
    repeated = np.unique(keys[1:][keys[1:] == keys[:-1]])
    del keys
    return _named(chunks, repeated) if len(repeated) else {}


def check_unique_ids(
    chunks: IdChunks, *, where: str, mend: str = "keep one row of each id, or map another id column"
) -> None:
    """Refuse a table in which an id occurs more than once."""
    found = find_duplicates(chunks)
    if found:
        listed = "; ".join(f"{identifier} in rows {_listed(rows)}" for identifier, rows in found.items())
        raise TableError(where, f"expected every id once, found {listed}", mend)


def _keys(ids: np.ndarray) -> np.ndarray:
    """A whole number is its own key."""
    return ids.astype(np.uint64) if ids.dtype.kind in "iu" else hash_ids(ids)


def _named(chunks: IdChunks, repeated: np.ndarray) -> dict[int | str, list[int]]:
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
        if sum(len(rows) > 1 for rows in rows_of.values()) >= IDS_NAMED:
            break
    found = [(identifier, rows) for identifier, rows in rows_of.items() if len(rows) > 1]
    return dict(found[:IDS_NAMED])


def _listed(rows: list[int]) -> str:
    """Such as "1, 5 and 8"."""
    return f"{', '.join(map(str, rows[:-1]))} and {rows[-1]}"
