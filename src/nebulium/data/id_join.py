"""Two tables brought together by their ids."""

import numpy as np
from jaxtyping import Int64

from nebulium.data.id_hash import hash_ids


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
