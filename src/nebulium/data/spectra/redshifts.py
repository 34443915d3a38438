"""Redshifts from another file, joined to spectra by id."""

from pathlib import Path

import numpy as np

from nebulium.data.duplicates import check_unique_ids
from nebulium.data.files.fits import native, opened_fits
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
    """Read a Redrock file, or a table with the columns target_id and redshift."""
    path = Path(path)
    table = _read_redrock(path) if READABLE.get(ending_of(path) or "") == "fits" and path.exists() else None
    if table is None:
        names = {name: name for name in ("target_id", "redshift", "zwarn")}
        table = read_table(path, columns=names, optional=("zwarn",))
    ids = table["target_id"]
    check_unique_ids(lambda: [ids], where=str(path))
    return table


def join_redshifts(spectra: Spectra, table: Table) -> Spectra:
    """Give spectra the redshifts of a table, by id."""
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
