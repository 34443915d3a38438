"""The nearest neighbours of galaxies in a table of embeddings, from file to file."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

from nebulium.data.ids import rows_of_ids
from nebulium.data.output import check_not_input
from nebulium.data.tables.reading import column_names, iter_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import TableError
from nebulium.photoz.space.embedding import SPACES
from nebulium.photoz.space.neighbours import Neighbours, nearest_in
from nebulium.verbs.predict import ID
from nebulium.verbs.space import Space

#: Columns that are written where they are there: of the galaxies and, with this prefix, of their neighbours.
REDSHIFTS, OF_NEIGHBOUR = ("redshift_spec", "redshift_median"), "neighbour_"


def neighbours_file(
    embeddings: str | Path, galaxies: Sequence[str], *, count: int = 10, output: str | Path | None = None
) -> Table:
    """Find the nearest neighbours of galaxies.

    Parameters
    ----------
    embeddings : str or Path
        As `nebulium.photoz.embed_file` writes it; columns may have been added. It is read in
        chunks, memory does not grow with its rows.
    galaxies : sequence of str
        Their ids in it.
    count : int
        Neighbours of each.
    output : str or Path, optional
        A table ending in .parquet, .fits, .ecsv or .csv.

    Returns
    -------
    Table
        A row a neighbour, the nearest first: the ids, called as there, `neighbour_id`, `rank` from 1, and
        `distance`: 1 minus the cosine of the angle for latent vectors, Euclidean for standardised features.
        Of `redshift_spec` and `redshift_median`, those that the embeddings have, of the galaxy and, with
        ``neighbour_`` before, of the neighbour.

    Raises
    ------
    TableError
        The file is no table of embeddings, has no galaxy of an id, or fewer galaxies than asked for.
    OutputError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> columns = {"target_id": np.arange(3), "feature_0": np.array([0.0, 1.0, 5.0], np.float32)}
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_table(Table(columns), f"{scratch}/embeddings.parquet")
    ...     found = neighbours_file(f"{scratch}/embeddings.parquet", ["2"], count=2)
    >>> found["neighbour_id"].tolist(), found["distance"].tolist()
    ([1, 0], [4.0, 5.0])
    """
    path = Path(embeddings)
    if output is not None:
        check_not_input(path, Path(output))
    space, columns = _space(path)
    rows = _rows_of(path, galaxies)
    vectors = _picked(path, rows, columns)
    queries = np.stack([vectors[column] for column in columns], axis=1)
    found = nearest_in(
        _vectors(path, columns), queries, count, distance=space.distance, own=rows, where=str(path)
    )
    table = _table(path, rows, found)
    if output is not None:
        about = {"input": str(path), "distance": space.distance, "nebulium": version("nebulium")}
        write_table(table, output, metadata=about | {"embeddings": vectors.metadata})
    return table


def _space(path: Path) -> tuple[Space, list[str]]:
    """The space that a table is of, by the names of its columns, and those of the vector."""
    names = column_names(path)
    for space in SPACES:
        columns = sorted(name for name in names if name.startswith(f"{space.prefix}_"))
        if columns:
            return space, columns
    problem = f"has no columns {' or '.join(f'{space.prefix}_000, ...' for space in SPACES)}"
    raise TableError(str(path), problem, "give a table that nebulium photoz embed wrote")


def _id_column(path: Path) -> str:
    """What the table calls its ids, which it begins with."""
    names = column_names(path)
    return ID if ID in names else names[0]


def _rows_of(path: Path, galaxies: Sequence[str]) -> Int64[np.ndarray, " k"]:
    """Where the galaxies stand in the table."""
    wanted, first = np.array(galaxies), 0
    rows = np.full(len(wanted), -1, np.int64)
    for chunk in iter_table(path, columns={ID: _id_column(path)}):
        place = rows_of_ids(wanted, chunk[ID])
        rows = np.where((rows < 0) & (place >= 0), first + place, rows)
        first += len(chunk)
    lacking = wanted[rows < 0]
    if len(lacking):
        raise TableError(str(path), f"has no galaxy {lacking[0]} among {first:,}", "check the ids")
    return rows


def _picked(path: Path, rows: Int64[np.ndarray, " _"], columns: Sequence[str]) -> Table:
    """Some columns of some rows, in the order asked for."""
    wanted, places = np.unique(rows, return_inverse=True)
    parts, first = [], 0
    for chunk in iter_table(path, columns={name: name for name in columns}):
        inside = wanted[(wanted >= first) & (wanted < first + len(chunk))] - first
        parts.append(chunk.select(inside))
        first += len(chunk)
    picked = {name: np.concatenate([part[name] for part in parts])[places] for name in columns}
    return Table(picked, {}, str(path), parts[0].metadata)


def _vectors(path: Path, columns: Sequence[str]) -> Iterator[Float[np.ndarray, "n dimension"]]:
    for chunk in iter_table(path, columns={name: name for name in columns}):
        yield np.stack([chunk[column] for column in columns], axis=1)


def _table(path: Path, rows: Int64[np.ndarray, " k"], found: Neighbours) -> Table:
    """Of the galaxies in these rows, and of what was found."""
    count = found.rows.shape[1]
    id_column = _id_column(path)
    names = [id_column, *(name for name in REDSHIFTS if name in column_names(path))]
    own, others = np.repeat(rows, count), found.rows.ravel()
    both = _picked(path, np.concatenate([own, others]), names)
    columns = {
        id_column: both[id_column][: len(own)],
        "neighbour_id": both[id_column][len(own) :],
        "rank": np.tile(np.arange(1, count + 1), len(rows)),
        "distance": found.distances.ravel(),
    }
    for name in names[1:]:
        columns |= {name: both[name][: len(own)], OF_NEIGHBOUR + name: both[name][len(own) :]}
    return Table(columns, {}, "neighbours")
