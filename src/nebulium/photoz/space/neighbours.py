"""The nearest neighbours of galaxies in a space: exact, in memory that does not grow with the galaxies."""

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int, Int64

from nebulium.errors import TableError
from nebulium.nn.mapping import padded_batches
from nebulium.verbs.space import Distance

#: Galaxies compared with so many others at a time.
BATCH, PIECE = 16, 4096
NOBODY = -1

Points = Float[np.ndarray, "n dimension"]


class Neighbours(NamedTuple):
    """The nearest galaxies of some, the nearest first.

    Attributes
    ----------
    rows : (k, count) int64
        Of equally near ones the first comes first.
    distances : (k, count) float32
    """

    rows: Int64[np.ndarray, "k count"]
    distances: Float32[np.ndarray, "k count"]


def nearest(
    embeddings: Points,
    queries: Float[np.ndarray, "k dimension"],
    count: int,
    *,
    distance: Distance,
    own: Int[np.ndarray, " k"] | None = None,
) -> Neighbours:
    """The nearest of galaxies in memory.

    Parameters
    ----------
    embeddings : (n, dimension)
        Among which.
    queries : (k, dimension)
        Of which.
    count : int
        Neighbours of each.
    distance : str
        "cosine", 1 minus the cosine of the angle, or "euclidean".
    own : (k,) int, optional
        Rows of the queries among the embeddings, which are no neighbours of themselves; -1 for one that is
        not among them.

    Returns
    -------
    Neighbours

    Raises
    ------
    TableError
        A vector is not finite or, for the cosine, has no direction; or there are too few.

    Examples
    --------
    >>> points = np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 1.0]])
    >>> nearest(points, points[:1], 2, distance="cosine", own=np.array([0])).rows.tolist()
    [[1, 2]]
    >>> nearest(points, np.array([[0.9, 0.8]]), 1, distance="euclidean").rows.tolist()
    [[0]]
    """
    return nearest_in([embeddings], queries, count, distance=distance, own=own)


def nearest_in(
    chunks: Iterable[Float[np.ndarray, "_ dimension"]],
    queries: Float[np.ndarray, "k dimension"],
    count: int,
    *,
    distance: Distance,
    own: Int[np.ndarray, " k"] | None = None,
    where: str = "embeddings",
) -> Neighbours:
    """The nearest of galaxies that come in chunks, none of which is kept."""
    wanted = _comparable(queries, distance, f"{where}, asked for", 0)
    own = np.full(len(queries), NOBODY) if own is None else own
    squares = np.full((len(queries), count), np.inf, np.float32)
    rows = np.full((len(queries), count), NOBODY, np.int64)
    first = 0
    for chunk in chunks:
        points = _comparable(chunk, distance, where, first)
        for piece, size in padded_batches(len(points), PIECE):
            for batch, some in padded_batches(len(wanted), BATCH):
                itself = np.clip(own[batch] - first, NOBODY, PIECE).astype(np.int32)
                known = jnp.asarray(squares[batch])
                found, place = _nearer(known, points[piece], jnp.asarray(size), wanted[batch], itself, count)
                rows[batch[:some]] = _rows(rows[batch], np.asarray(place), first)[:some]
                squares[batch[:some]] = found[:some]
            first += size
    if np.any(np.isinf(squares)):
        problem = f"has {first:,} galaxies, too few for {count} neighbours of each"
        raise TableError(where, problem, "ask for fewer neighbours, or give more galaxies")
    return Neighbours(rows, 0.5 * squares if distance == "cosine" else np.sqrt(squares))


def _rows(known: np.ndarray, place: np.ndarray, first: int) -> Int64[np.ndarray, "batch count"]:
    """Rows over all chunks of those known so far and of those of a piece."""
    count = known.shape[1]
    kept = np.take_along_axis(known, np.minimum(place, count - 1), axis=1)
    return np.where(place < count, kept, first + place.astype(np.int64) - count)


@partial(jax.jit, static_argnames="count")
def _nearer(
    squares: Float32[Array, "batch count"],
    points: Float32[Array, "piece dimension"],
    size: Int[Array, ""],
    wanted: Float32[Array, "batch dimension"],
    itself: Int[Array, " batch"],
    count: int,
) -> tuple[Float32[Array, "batch count"], Int[Array, "batch count"]]:
    """The nearest of those found so far and of one more piece; places count from the first found so far."""
    # Differences and no matrix product: that would lose the digits in which near ones differ.
    apart = jnp.sum((wanted[:, None, :] - points[None, :, :]) ** 2, axis=-1)
    place = jnp.arange(len(points))[None, :]
    apart = jnp.where((place >= size) | (place == itself[:, None]), jnp.inf, apart)
    # Of equals top_k takes the first.
    found, where = jax.lax.top_k(-jnp.concatenate([squares, apart], axis=1), count)
    return -found, where


def _comparable(vectors: Points, distance: Distance, where: str, first: int) -> Float32[np.ndarray, "n d"]:
    """Vectors whose squared differences are the squares, or twice the cosine distances."""
    length = np.linalg.norm(vectors.astype(np.float64), axis=1)
    bad = ~np.isfinite(length) | ((length == 0) & (distance == "cosine"))
    if np.any(bad):
        row = int(np.argmax(bad))
        problem = "is not finite" if not np.isfinite(length[row]) else "is zero and has no direction"
        raise TableError(f"{where}, row {first + row}", f"its vector {problem}", "leave it out")
    scale = length[:, None] if distance == "cosine" else 1.0
    return (vectors / scale).astype(np.float32)
