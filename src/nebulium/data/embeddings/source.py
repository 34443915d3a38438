"""A table of embeddings that stays on disk, read in pieces."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Shaped

from nebulium.data.column_checks import ColumnPlace, checked_column
from nebulium.data.embeddings.columns import EmbeddingForm, EmbeddingTable, chosen_columns, other_width
from nebulium.data.ids import check_unique_ids
from nebulium.data.tables.reading import ID_NAMES, ROW, open_table
from nebulium.data.tables.table import TableSource, missing_column
from nebulium.errors import TableError

#: Numbers that are read at a time, and rows at most.
READ, MOST_ROWS = 1 << 22, 1 << 14
#: Rows among which one is looked for that tells the width.
ROWS_ASKED = 1024
#: What is said of a galaxy whose embedding cannot be used.
NOT_FINITE = "has an embedding with numbers that are NaN or infinite"
NAME_ARRAYS = "name the column of the embedding: --embedding-columns COLUMN (columns=)"
NAME_IDS = "name the column of ids: --embedding-id COLUMN (EmbeddingTable(..., id_column=))"


@dataclass(frozen=True, eq=False)
class EmbeddingChunk:
    """Some rows of a table of embeddings.

    Attributes
    ----------
    rows : ndarray of int64 of shape (k,)
        Of the table.
    ids : ndarray of shape (k,)
    vectors : ndarray of float32 of shape (k, width)
    """

    rows: np.ndarray
    ids: np.ndarray
    vectors: Float32[np.ndarray, "k width"]

    @property
    def finite(self) -> Bool[np.ndarray, " k"]:
        """Which can be used."""
        return np.all(np.isfinite(self.vectors), axis=1)


@dataclass(frozen=True, eq=False)
class EmbeddingSource:
    """A set of embeddings that stays on disk.

    Attributes
    ----------
    path : Path
    table : TableSource
    form : EmbeddingForm
        Its columns and width.
    """

    path: Path
    table: TableSource
    form: EmbeddingForm

    @property
    def id_column(self) -> str:
        """What the table calls its ids."""
        return self.form.id_column

    @cached_property
    def ids(self) -> np.ndarray:
        """Of all rows, each once."""
        return np.concatenate(list(self._ids()))

    def check_unique(self) -> None:
        """Refuse an id that stands there twice; memory holds 8 bytes a row meanwhile."""
        check_unique_ids(self._ids, where=str(self.path), mend=f"keep one row of each id, or {NAME_IDS}")

    def chunks(self) -> Iterator[EmbeddingChunk]:
        """Read all rows, so many at a time that memory does not grow with the table."""
        first, size = 0, max(1, min(MOST_ROWS, READ // self.form.width))
        columns = self.form.columns
        for raw in self.table.chunks(list(dict.fromkeys((*columns, *self._read_for_ids))), size):
            ids = self._ids_of(raw, first)
            parts = [self._numbers(raw[column], column, first, len(ids)) for column in columns]
            vectors = np.concatenate(parts, axis=1)
            yield EmbeddingChunk(np.arange(first, first + len(ids)), ids, vectors)
            first += len(ids)

    @property
    def _read_for_ids(self) -> tuple[str, ...]:
        """The column of ids; any other where the ids are the numbers of the rows."""
        return (self.id_column if self.id_column in self.table.columns else self.table.all_columns[0],)

    def _ids(self) -> Iterator[np.ndarray]:
        first = 0
        for raw in self.table.chunks(self._read_for_ids, MOST_ROWS):
            yield self._ids_of(raw, first)
            first += len(raw[self._read_for_ids[0]])

    def _ids_of(self, raw: dict[str, np.ndarray], first: int) -> np.ndarray:
        if self.id_column not in self.table.columns:
            return first + np.arange(len(raw[self._read_for_ids[0]]), dtype=np.int64)
        place = ColumnPlace(self.table.name, self.id_column, first)
        return checked_column(raw[self.id_column], ID_NAMES[0], place)

    def _numbers(
        self, values: Shaped[np.ndarray, "k ..."], column: str, first: int, n: int
    ) -> Float32[np.ndarray, "k part"]:
        """A column in single precision, (k, 1) or (k, width); NaN where it is masked or there is no array."""
        where = f"{self.table.name}, column {column}"
        if values.dtype.kind not in "iuf":
            found = f"{values.flat[0]!r} in row {first}"[:60]
            raise TableError(
                where, f"expected numbers of an embedding, found {found}", "leave it out of the pattern"
            )
        if isinstance(values, np.ma.MaskedArray):
            values = np.ma.filled(values.astype(np.float64), np.nan)
        width = self.form.width if len(self.form.columns) == 1 else 1
        if values.size == 0:
            return np.full((n, width), np.nan, np.float32)
        if values.ndim > 2 or values.size != n * width:
            shape = " x ".join(map(str, values.shape[1:]))
            problem = f"has {shape} numbers in row {first}, expected {width} as in the first rows"
            raise TableError(where, problem, "give every galaxy one vector of the same length")
        with np.errstate(over="ignore"):
            return values.reshape(n, width).astype(np.float32)


def open_embeddings(
    table: EmbeddingTable, *, learned: EmbeddingForm | None = None, ids: Sequence[str] = ()
) -> EmbeddingSource:
    """Open a table of embeddings, in the form that a model learned from if it is given.

    `ids` are names by which its ids may go, before those that ids usually have.
    """
    path = Path(table.path)
    remembered = [] if learned is None else [learned.id_column]
    names = list(dict.fromkeys([*remembered, *ids, *ID_NAMES]))
    given = [table.id_column] if table.id_column not in (None, ROW) else []
    exact = [table.columns] if table.columns is not None and not set("*?[") & set(table.columns) else []
    try:
        source = open_table(path, [*given, *exact] or None, given or names)
    except TableError:
        # The whole table, so that the message says which of its columns could be meant.
        source = open_table(path, None, given or names)
    id_column = _id_column(source, table.id_column, names)
    columns, pattern = chosen_columns(source, table.columns, learned, ids=id_column)
    form = EmbeddingForm(columns, _width(source, columns), pattern, id_column)
    if learned is not None and form.width != learned.width:
        raise other_width(source.name, form.width, learned)
    return EmbeddingSource(path, source, form)


def _id_column(source: TableSource, given: str | None, names: Sequence[str]) -> str:
    if given is not None:
        if given != ROW and given not in source.columns:
            error = missing_column(source.name, given, source.columns)
            raise TableError(error.where, error.problem, NAME_IDS)
        return given
    found = next((name for name in names if name in source.columns), None)
    if found is None:
        problem = f"has no column of ids called {' or '.join(names)}"
        raise TableError(source.name, problem, NAME_IDS)
    return found


def _width(source: TableSource, columns: Sequence[str]) -> int:
    """Numbers of a galaxy."""
    column, chunks = columns[0], source.chunks(columns[:1], ROWS_ASKED)
    first = next(chunks, None)
    if first is None or not len(first[column]):
        raise TableError(source.name, "has no rows", "check how it was made")
    if len(columns) > 1:
        return len(columns)
    where = f"{source.name}, column {column}"
    shapes = (raw[column].shape[1:] for raw in chain([first], chunks))
    # Rows without an array have none of its numbers.
    shape = next((shape for shape in shapes if shape != (0,)), (0,))
    if len(shape) > 1:
        problem = f"holds arrays of {' x '.join(map(str, shape))}, expected a vector a galaxy"
        raise TableError(where, problem, "average or flatten them first")
    if shape < (2,):
        raise TableError(where, "holds no array of several numbers", NAME_ARRAYS)
    return int(shape[0])
