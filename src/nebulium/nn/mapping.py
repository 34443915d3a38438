"""A model of one galaxy mapped over many."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import equinox as eqx
import jax
from jaxtyping import Array, PyTree

from nebulium.data.batches import in_batches

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
        that images may stay on disk.
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
def map_batch(function: Callable[..., PyTree], *arrays: Array) -> PyTree:
    """Call a function of one galaxy for all galaxies of a batch."""
    return jax.vmap(function)(*arrays)
