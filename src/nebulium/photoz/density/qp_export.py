"""Densities as a qp ensemble, which RAIL and the tools of Rubin read.

qp (https://github.com/LSSTDESC/qp) holds histograms on any bins, but takes their moments as if all were as
wide as the first one. So the bins of the file are equal in redshift: densities are summed up in them exactly.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Float, Float64

from nebulium.data.output import replace_on_success
from nebulium.errors import OutputError, from_extra
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid

#: By which qp knows the format; it takes .h5 for that of pandas.
ENDING = ".hdf5"
#: Most bytes of an id that is text.
ID_BYTES = 64
# Galaxies that are compressed together. Most bins of most densities are all but empty.
BLOCK = 256


class QpWriter:
    """Write densities chunk by chunk; the file appears when the block ends without an error.

    Parameters
    ----------
    path : str or Path
        Ends in .hdf5. ``qp.read`` gives an ensemble of histograms, whose ancillary table has
        the ids, and `zmode` and `zmedian` of the densities as they were.
    grid : RedshiftGrid
        Of the densities.
    id_column : str
        What the ids are called there.
    bins : int, optional
        Bins of the file, equal in redshift; as narrow as the narrowest of the grid by default, so that
        nothing is lost.

    Raises
    ------
    MissingExtraError
        qp is not installed.
    OutputError
        If the name has another ending, the file cannot be written, an id is longer than 64 bytes, or there
        was no galaxy.

    Examples
    --------
    >>> import tempfile
    >>> grid = RedshiftGrid(most=3.0, bins=4)
    >>> densities = RedshiftDensities(grid, np.eye(4, dtype=np.float32)[:2])
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     with QpWriter(f"{scratch}/pz.hdf5", grid) as writer:
    ...         writer.append(densities, np.array([7, 9]))
    ...         writer.append(densities, np.array([4, 5]))
    ...     read_qp(f"{scratch}/pz.hdf5").ancil["target_id"].tolist()
    [7, 9, 4, 5]
    """

    def __init__(
        self, path: str | Path, grid: RedshiftGrid, *, id_column: str = "target_id", bins: int | None = None
    ):
        self.path, self.grid, self.id_column = Path(path), grid, id_column
        self.rows = 0
        self._qp = _import_qp()
        self._edges = equal_bins(grid, bins)
        self._stack = ExitStack()
        if self.path.suffix != ENDING:
            problem = f"must end in {ENDING}: qp knows the format of a file by its ending"
            raise OutputError(str(path), problem, f"choose {self.path.stem}{ENDING}")

    def __enter__(self) -> "QpWriter":
        import h5py

        partial = self._stack.enter_context(replace_on_success(self.path))
        self._file = self._stack.enter_context(h5py.File(partial, "w"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self.rows == 0:
            error = OutputError(str(self.path), "would have no rows", "check the input and its rejects")
            self._stack.__exit__(type(error), error, None)
            raise error
        self._stack.__exit__(kind, error, trace)

    def append(self, densities: RedshiftDensities, ids: np.ndarray) -> None:
        """Add galaxies.

        Parameters
        ----------
        densities : RedshiftDensities
            Any number, on the grid of the writer.
        ids : ndarray of int or str of shape (n,)
            Of the same galaxies.

        Raises
        ------
        OutputError
            If an id is longer than 64 bytes.
        ValueError
            If there are not as many ids as densities, or the grid is another.
        """
        if len(ids) != len(densities) or densities.grid != self.grid:
            raise ValueError(f"{len(ids)} densities on {self.grid} expected, got {len(densities)}")
        plain = _plain_ids(ids, str(self.path))
        for rows, piece in densities.chunks():
            columns = {
                "data/pdfs": rebinned(piece, self._edges).astype(np.float32),
                f"ancil/{self.id_column}": plain[rows],
                "ancil/zmode": piece.mode(),
                "ancil/zmedian": piece.median(),
            }
            if self.rows == 0:
                self._start(columns)
            for name, values in columns.items():
                self._file[name].resize(self.rows + len(piece), axis=0)
                self._file[name][self.rows :] = values
            self.rows += len(piece)

    def _start(self, columns: Mapping[str, np.ndarray]) -> None:
        """What qp says of its histograms, and columns that can grow.

        The writer of qp must know beforehand how many galaxies there will be, and its ensembles wait for the
        garbage collector: here they would fill the memory.
        """
        first = self._qp.hist.create_ensemble(bins=self._edges, pdfs=columns["data/pdfs"][:1], norm=False)
        for name, values in first.build_tables()["meta"].items():
            self._file[f"meta/{name}"] = values
        for name, values in columns.items():
            wide = values.shape[1:]
            self._file.create_dataset(
                name, (0, *wide), values.dtype, maxshape=(None, *wide), chunks=(BLOCK, *wide),
                compression="gzip", compression_opts=1, shuffle=True,
            )  # fmt: skip


def read_qp(path: str | Path) -> Any:
    """Read an ensemble.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    qp.Ensemble

    Raises
    ------
    MissingExtraError
        qp is not installed.

    Examples
    --------
    >>> import tempfile
    >>> grid = RedshiftGrid(most=2.0, bins=4)
    >>> mass = RedshiftDensities(grid, np.full((3, 4), 0.25, np.float32))
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     with QpWriter(f"{scratch}/z.hdf5", grid) as writer:
    ...         writer.append(mass, np.arange(3))
    ...     int(read_qp(f"{scratch}/z.hdf5").npdf)
    3
    """
    return _import_qp().read(str(path))


def equal_bins(grid: RedshiftGrid, bins: int | None = None) -> Float64[np.ndarray, " edge"]:
    """Edges of bins that are equal in redshift."""
    # Rounded first: bins that fit exactly must not become one more for the last digit.
    count = bins or int(np.ceil(np.round(grid.most / grid.edges[1], 9)))
    return np.linspace(0.0, grid.most, max(count, 2) + 1)


def rebinned(densities: RedshiftDensities, edges: Float[np.ndarray, " edge"]) -> Float64[np.ndarray, "_ _"]:
    """Densities averaged in other bins."""
    # The last digits of a sum need not ascend.
    return np.maximum(np.diff(densities.cdf_on_grid(edges), axis=1), 0.0) / np.diff(edges)


def _import_qp() -> Any:
    with from_extra("qp-prob", "photoz"):
        import qp
    return qp


def _plain_ids(ids: np.ndarray, where: str) -> np.ndarray:
    """Ids as HDF5 holds them: text of one length in all chunks."""
    if ids.dtype.kind in "iu":
        return ids
    text = np.strings.encode(ids.astype(str), "utf-8")
    if text.dtype.itemsize > ID_BYTES:
        longest = max(text.tolist(), key=len).decode()
        problem = f"cannot hold the id {longest!r}: it is longer than {ID_BYTES} bytes"
        raise OutputError(where, problem, "give shorter ids")
    return text.astype(f"S{ID_BYTES}")
