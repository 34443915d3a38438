"""Many rows through one compiled function: every batch has the same shape, the last one too."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

#: An array, or anything with a length that gives an array when it is indexed with rows.
Rows: TypeAlias = Any
#: Galaxies that go through a model at a time.
BATCH = 64


def map_galaxies(function: Callable[..., PyTree], *arrays: Rows, batch: int = BATCH) -> PyTree:
    """Call a function of one galaxy for many galaxies, in batches of one size.

    The function is compiled once, however many galaxies there are: the last batch is filled up with its own
    last galaxy. Memory of the device holds one batch.

    Parameters
    ----------
    function : callable
        Of the arrays of one galaxy: a model, one of its methods, or any function that `jax.vmap` takes.
    *arrays : array (n, ...)
        A row a galaxy; anything with a length that gives an array when it is indexed with rows will do, so
        that images may stay on disk. None stays None.
    batch : int
        Galaxies at a time.

    Returns
    -------
    pytree of ndarray (n, ...)
        What the function returns, a row a galaxy.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> map_galaxies(lambda flux: (jnp.sum(flux), flux[0]), np.arange(6.0).reshape(3, 2), batch=2)
    (array([1., 5., 9.], dtype=float32), array([0., 2., 4.], dtype=float32))
    """
    return in_batches(partial(map_batch, function), *arrays, size=batch)


@eqx.filter_jit
def map_batch(function: Callable[..., PyTree], *arrays: Array | None) -> PyTree:
    """Call a function of one galaxy for all galaxies of a batch."""
    return jax.vmap(function)(*arrays)


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
