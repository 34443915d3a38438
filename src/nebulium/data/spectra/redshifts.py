"""Redshifts from another file, joined to spectra by id."""

from pathlib import Path

import numpy as np

from nebulium.data.duplicates import check_unique_ids
from nebulium.data.fits_files import native, opened_fits
from nebulium.data.id_join import rows_of_ids
from nebulium.data.spectra.checks import with_redshift
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.source import READABLE, ending_of
from nebulium.data.tables.table import Table
from nebulium.errors import SpectrumError, TableError

#: Extensions in which Redrock keeps its best redshifts, by age of the pipeline.
REDROCK_EXTENSIONS = ("REDSHIFTS", "ZBEST")


def read_redshifts(path: str | Path) -> Table:
    """Read a Redrock file, or a table with the columns target_id and redshift.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Table
        target_id, redshift, and zwarn where there is one.

    Raises
    ------
    TableError
        If it cannot be read, or an id stands in it twice.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data.tables.reading import write_table
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     table = Table({"target_id": np.array([7]), "redshift": np.array([0.1])})
    ...     write_table(table, f"{scratch}/z.ecsv")
    ...     read_redshifts(f"{scratch}/z.ecsv")["redshift"].tolist()
    [0.1]
    """
    path = Path(path)
    table = _read_redrock(path) if READABLE.get(ending_of(path) or "") == "fits" and path.exists() else None
    if table is None:
        names = {name: name for name in ("target_id", "redshift", "zwarn")}
        table = read_table(path, columns=names, optional=("zwarn",))
    ids = table["target_id"]
    check_unique_ids(lambda: [ids], where=str(path))
    return table


def join_redshifts(spectra: Spectra, table: Table) -> Spectra:
    """Give spectra the redshifts of a table, by id.

    Parameters
    ----------
    spectra : Spectra
        Those without.
    table : Table
        With target_id, redshift and perhaps zwarn; every id once.

    Returns
    -------
    Spectra
        With redshift NaN where the table lacks the id; zwarn among the columns.

    Raises
    ------
    SpectrumError
        If not one id is in the table.

    Examples
    --------
    >>> wave = np.linspace(4000, 5000, 6, dtype=np.float32).reshape(2, 3)
    >>> spectra = Spectra(np.array([7, 8]), wave, wave, wave, np.full(2, np.nan))
    >>> table = Table({"target_id": np.array(["8", "9"]), "redshift": np.array([0.1, 0.2])})
    >>> join_redshifts(spectra, table).redshift.tolist()
    [nan, 0.1]
    """
    rows = rows_of_ids(spectra.ids, table["target_id"])
    found = rows >= 0
    if not np.any(found):
        problem = (
            f"has none of the ids of {spectra.name} ({', '.join(map(str, spectra.ids[:3].tolist()))} ...)"
        )
        raise SpectrumError(table.name, problem, "give the redshifts that belong to these spectra")
    redshift = np.where(found, table["redshift"][rows], np.nan)
    more = {}
    if "zwarn" in table:
        more["zwarn"] = np.where(found, table["zwarn"][rows].astype(np.float64), np.nan)
    joined = with_redshift(spectra, redshift, **more)
    joined.metadata["redshifts"] = table.name
    return joined


def _read_redrock(path: Path) -> Table | None:
    """The best redshifts; None if the file is not one of Redrock."""
    with opened_fits(path, TableError) as hdus:
        name = next((extension for extension in REDROCK_EXTENSIONS if extension in hdus), None)
        if name is None:
            return None
        data = hdus[name].data
        columns = {
            ours: native(data[theirs])
            for ours, theirs in (("target_id", "TARGETID"), ("redshift", "Z"), ("zwarn", "ZWARN"))
        }
        return Table(columns, {}, str(path))
