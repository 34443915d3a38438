"""From a file of continua and measured lines to a trained model."""

from pathlib import Path

import numpy as np

from nebulium.data.ids import check_unique_ids
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import (
    EW_COLUMNS,
    FLUX_COLUMNS,
    ID,
    IVAR_COLUMNS,
    Columns,
    checked_mapping,
    galaxy_rows,
)
from nebulium.lines.recipe import LinesConfig, train_on_table
from nebulium.verbs import TrainingRun, save_trained, training_run

PUBLISHED_COLUMNS = tuple(f"published_ew_{line}" for line in LINES)


def train_file(
    source: str | Path,
    output: str | Path,
    *,
    config: LinesConfig | None = None,
    columns: Columns | None = None,
    id_column: str | None = None,
    resume: bool = False,
    progress: bool = False,
) -> TrainingRun:
    """Train a model on a file of continua and measured lines.

    Parameters
    ----------
    source : str or Path
        Table with an id, `redshift`, `continuum_flux_0` to `_11`, `ew_LINE` and `ew_ivar_LINE`.
    output : str or Path
        Folder of the model; rows set aside are listed beside it in ``<name>.rejects.csv``.
    config : LinesConfig, optional
        Settings.
    columns : mapping of str to str, str, or sequence of str, optional
        Column mapping, as `column_mapping` reads it.
    id_column : str, optional
        Column of the ids; `target_id` if not given.
    resume : bool
        Take up an interrupted training.
    progress : bool
        Show a progress bar.

    Returns
    -------
    TrainingRun

    Raises
    ------
    NebuliumError
        The file, its columns or the output is at fault, or too few rows are left.

    Examples
    --------
    >>> train_file("galaxies.parquet", "mine", id_column="TARGETID")  # doctest: +SKIP
    """
    config, named = config or LinesConfig(), checked_mapping(columns, id_column).get(ID, ID)
    with training_run(output, resume=resume, progress=progress) as run:
        table = read_measured(source, columns=columns, id_column=id_column)
        usable = usable_rows(table, run.rejects, with_luminosity=config.with_luminosity)
        split = Split(config.split_seed, id_column=named)
        return save_trained(run, train_on_table(usable, usable[ID], split, config, run))


def read_measured(
    path: str | Path,
    *,
    columns: Columns | None = None,
    id_column: str | None = None,
    need_ivar: bool = True,
) -> Table:
    """Read a table of continua and measured lines, every id once."""
    given = checked_mapping(columns, id_column)
    names = (ID, "redshift", *FLUX_COLUMNS, *EW_COLUMNS, *IVAR_COLUMNS, *PUBLISHED_COLUMNS)
    optional = PUBLISHED_COLUMNS if need_ivar else (*IVAR_COLUMNS, *PUBLISHED_COLUMNS)
    table = read_table(
        path,
        columns={name: given.get(name, name) for name in names},
        optional=[name for name in optional if name not in given],
    )
    check_unique_ids(lambda: [table[ID]], where=str(path))
    return table


def usable_rows(table: Table, rejects: Rejects, *, with_luminosity: bool) -> Table:
    """Rows that a model can learn from; the others are set aside."""
    rows = galaxy_rows(table, rejects, needs_luminosity=with_luminosity)
    faults = [("a bin is missing", np.isnan(rows.continuum_flux).any(axis=1))]
    faults += [(f"{name} is infinite", np.isinf(table[name][rows.places])) for name in EW_COLUMNS]
    places = rows.places[rejects.set_aside(faults, rows.ids, rows=rows.places)]
    if not len(places):
        problem = f"has no row to learn from ({rejects.summary()})"
        raise TableError(table.name, problem, "check the columns and their units")
    return table.select(places)
