"""Splits by a hash of the id: the same galaxy is always on the same side, whatever table it comes in."""

from collections.abc import Mapping, Sequence

import numpy as np

from nebulium.data.id_hash import hash_ids

#: Fractions of the galaxies in each part, in the order in which the unit interval is cut.
FRACTIONS: Mapping[str, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}


def split_by_id(
    ids: Sequence[object] | np.ndarray,
    *,
    seed: str = "nebulium",
    fractions: Mapping[str, float] = FRACTIONS,
) -> np.ndarray:
    """Assign each id to a part of the split by a hash of the id alone.

    Parameters
    ----------
    ids : array of shape (n,)
        Identifiers, integers or strings. The integer 7 and the string "7" fall on the same side.
    seed : str
        Names the split; another name gives an independent one.
    fractions : mapping of name to fraction
        Must add up to one.

    Returns
    -------
    ndarray of str, shape (n,)
        The name of the part of each id.

    Raises
    ------
    ValueError
        If the fractions are negative or do not add up to one.

    Examples
    --------
    >>> split_by_id([39627646512693250, 39627646512693251, 39627646512693252]).tolist()
    ['train', 'train', 'train']
    """
    values = np.array(list(fractions.values()), dtype=float)
    if np.any(values < 0) or not np.isclose(values.sum(), 1.0):
        raise ValueError(f"split fractions must be positive and add up to 1, got {dict(fractions)}")
    # The upper 53 bits of the hash are a number in [0, 1) that a float holds exactly.
    position = (hash_ids(np.asarray(ids), seed=seed) >> np.uint64(11)) / 2.0**53
    part = np.searchsorted(np.cumsum(values)[:-1], position, side="right")
    return np.array(list(fractions))[part]
