"""Examples that are read when they are needed, so that a training set may be larger than memory."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeAlias, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from nebulium.training.batches import Batches
from nebulium.training.run_folder import fingerprint

# Of the rows read at a time: long enough to keep the disk and the compiled loop busy. Two such chunks are
# held, and a third is read.
CHUNK_BYTES = 2**26
# Number of the step, examples, weights of the examples.
Step: TypeAlias = tuple[Int[Array, ""], PyTree, Float[np.ndarray, " batch"]]
# So many rows stand for all when a run is resumed: reading all would take as long as an epoch.
ROWS_OF_FINGERPRINT = 16


@runtime_checkable
class RowSource(Protocol):
    """Rows by number: what `nebulium.training.fit_loop` reads instead of arrays.

    ``take`` is called from another thread, one call at a time.

    Examples
    --------
    >>> class Squares:
    ...     def __len__(self):
    ...         return 10
    ...     def take(self, rows):
    ...         return {"x": rows.astype(np.float32), "y": rows.astype(np.float32) ** 2}
    >>> isinstance(Squares(), RowSource)
    True
    """

    def __len__(self) -> int:
        """How many rows there are."""
        ...

    def take(self, rows: Int[np.ndarray, " k"]) -> PyTree:
        """Read rows, in the order asked for.

        Parameters
        ----------
        rows : (k,) int
            Row numbers; one may come twice.

        Returns
        -------
        pytree of ndarray (k, ...)
            Arrays that the source does not write to again.
        """
        ...


class ArrayRows:
    """Arrays in memory as a source of rows.

    For networks of images, which train faster so: see `nebulium.training.epoch`.

    Parameters
    ----------
    arrays : pytree of ndarray (n, ...)
        The examples.

    Examples
    --------
    >>> rows = ArrayRows({"x": np.arange(5.0)})
    >>> len(rows), rows.take(np.array([3, 1]))
    (5, {'x': array([3., 1.])})
    """

    def __init__(self, arrays: PyTree):
        self._arrays = jax.tree.map(np.asarray, arrays)
        self._length = count_examples(self._arrays)

    def __len__(self) -> int:
        return self._length

    def take(self, rows: Int[np.ndarray, " k"]) -> PyTree:
        """Copy rows, in the order asked for."""
        return jax.tree.map(lambda array: array[rows], self._arrays)


def is_row_source(data: PyTree | RowSource) -> bool:
    """Whether examples are read when needed; False for a pytree of arrays."""
    # An array has a length and a method of this name, too.
    return isinstance(data, RowSource) and not eqx.is_array_like(data)


def count_examples(data: PyTree | RowSource) -> int:
    """How many examples there are: the length of the first axis, which all arrays must share."""
    shapes = [(len(data),)] if is_row_source(data) else [np.shape(leaf) for leaf in jax.tree.leaves(data)]
    lengths = {shape[:1] for shape in shapes}
    if len(lengths) != 1 or lengths & {(), (0,)}:
        raise ValueError(f"expected arrays of one common length of at least 1, found {sorted(lengths)}")
    return lengths.pop()[0]


def read_chunks(source: RowSource, batches: Batches) -> Iterator[list[Step]]:
    """The batches of an epoch with their examples; while a chunk of them is used, the next is read."""
    rows, weights = np.asarray(batches.indices), np.asarray(batches.weights)
    length = _steps_of_chunk(source, rows)
    firsts = range(0, len(rows), length)
    chunks = _read_ahead(source, [rows[first : first + length] for first in firsts])
    for first, read in zip(firsts, chunks, strict=True):
        yield [
            (jnp.asarray(step, jnp.int32), _batch_of(read, step - first, rows.shape[1]), weights[step])
            for step in range(first, min(first + length, len(rows)))
        ]


def fingerprint_data(data: PyTree | RowSource) -> str:
    """Hash that tells one training set from another when a run is resumed."""
    if not is_row_source(data):
        return fingerprint(data)
    n = count_examples(data)
    rows = np.unique(np.linspace(0, n - 1, ROWS_OF_FINGERPRINT).astype(np.int64))
    return f"{n} rows, {fingerprint(jax.tree.map(jnp.asarray, data.take(rows)))}"


def _steps_of_chunk(source: RowSource, rows: Int[np.ndarray, "steps batch"]) -> int:
    """Batches read at a time, so that chunks are of about equal length."""
    one = source.take(rows[0, :1])
    bytes_of_batch = rows.shape[1] * sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(one))
    chunks = -(-len(rows) * bytes_of_batch // CHUNK_BYTES)
    return -(-len(rows) // min(max(chunks, 1), len(rows)))


def _read_ahead(source: RowSource, parts: list[np.ndarray]) -> Iterator[PyTree]:
    """The rows of each part; while one is used, the next is read."""
    with ThreadPoolExecutor(1, thread_name_prefix="rows") as reader:
        pending = reader.submit(source.take, parts[0].reshape(-1))
        for after in parts[1:]:
            read = pending.result()
            pending = reader.submit(source.take, after.reshape(-1))
            yield read
        yield pending.result()


def _batch_of(read: PyTree, place: int, size: int) -> PyTree:
    return jax.tree.map(lambda array: array[place * size : (place + 1) * size], read)
