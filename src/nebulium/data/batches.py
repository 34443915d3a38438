"""Many rows through one compiled function: every batch has the same shape, the last one too."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def padded_batches(n: int, size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Rows of each batch, the last batch filled up with its last row so that nothing compiles again."""
    for first in range(0, n, size):
        yield np.minimum(np.arange(first, first + size), n - 1), min(size, n - first)


def in_batches(function: Callable[..., Any], *rows: Any, size: int) -> Any:
    """Call a batched function on many rows, always with as many at a time, so that it compiles once.

    Parameters
    ----------
    function : callable
        Of pytrees of arrays (size, ...); returns a pytree of arrays (size, ...).
    *rows : pytree of arrays (n, ...)
        Its arguments; the last batch is filled up with the last row.
    size : int
        Rows of a batch.

    Returns
    -------
    pytree of ndarray (n, ...)
        Its results; without any row, arrays of shape (0, ...).

    Examples
    --------
    >>> in_batches(lambda x: 2 * x, np.arange(5), size=2).tolist()
    [0, 2, 4, 6, 8]
    """
    n = len(jax.tree.leaves(rows)[0])
    parts = []
    for chosen, count in padded_batches(n, size) if n else [(np.zeros(0, int), 0)]:
        batch = jax.tree.map(lambda leaf, at=chosen: jnp.asarray(leaf[at]), rows)
        parts.append(jax.tree.map(lambda leaf, end=count: np.asarray(leaf)[:end], function(*batch)))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
