"""From a file of continua and measured lines to a trained model."""

from pathlib import Path

from nebulium.data.column_checks import Missing
from nebulium.data.splits import Split
from nebulium.data.tables.reading import ColumnMapping, Units
from nebulium.lines.input import checked_mapping
from nebulium.lines.measured_galaxies import read_measured, usable_rows
from nebulium.lines.recipe import LinesConfig, train_on_table
from nebulium.verbs import TrainingRun, save_trained, training_run
from nebulium.verbs.predict import ID


def train_file(
    source: str | Path,
    output: str | Path,
    *,
    config: LinesConfig | None = None,
    columns: ColumnMapping | None = None,
    id_column: str | None = None,
    missing: Missing = None,
    units: Units = None,
    emission_negative: bool = False,
    keep_flagged: bool = False,
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
    missing : float, sequence of float, or mapping of str to these, optional
        Numbers that stand for a missing value.
    units : mapping of str to str, or sequence of str, optional
        nebulium's name -> the unit of the file's values, in place of what the file declares.
    emission_negative : bool
        In the file equivalent widths of emission are negative: they are turned.
    keep_flagged : bool
        Learn from failed redshifts, stars and quasars too, by the columns `zwarn` and `spectype`; they are
        set aside otherwise.
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
        table = read_measured(
            source,
            columns=columns,
            id_column=id_column,
            missing=missing,
            units=units,
            emission_negative=emission_negative,
        )
        usable = usable_rows(
            table, run.rejects, with_luminosity=config.with_luminosity, keep_flagged=keep_flagged
        )
        split = Split(config.split_seed, id_column=named)
        return save_trained(run, train_on_table(usable, usable[ID], split, config, run))
