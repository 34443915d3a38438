"""Predictions from file to file, in memory that does not grow with the rows."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.duplicates import check_unique_ids
from nebulium.data.output_checks import check_not_input, write_rejects
from nebulium.data.rejects import Rejects
from nebulium.data.tables.reading import ROWS_PER_CHUNK
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import TableWriter
from nebulium.errors import TableError
from nebulium.lines.model import LineModel
from nebulium.lines.model_choice import choose_models
from nebulium.lines.predict import LinePredictor
from nebulium.lines.prediction_input import ID, Columns, LineInput, open_input
from nebulium.modelfile import describe_model


@dataclass(frozen=True)
class PredictionRun:
    """What a run wrote.

    Parameters
    ----------
    output : Path
        The table.
    rows : int
        Galaxies predicted.
    rows_of_model : dict of str to int
        How many by each model.
    out_of_domain : int
        How many are flagged.
    rejects : Rejects
        Rows set aside.
    rejects_path : Path, optional
        Where they are listed; None if there are none.
    """

    output: Path
    rows: int
    rows_of_model: dict[str, int]
    out_of_domain: int
    rejects: Rejects
    rejects_path: Path | None


def predict_file(
    source: str | Path,
    output: str | Path,
    *,
    model: LineModel | str | Path | None = None,
    observed: bool = False,
    columns: Columns | None = None,
    id_column: str | None = None,
    redshifts: str | Path | float | None = None,
    ebv: str | float | None = None,
    rows_per_chunk: int = ROWS_PER_CHUNK,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Predict the ten emission lines of all galaxies in a file.

    Parameters
    ----------
    source : str or Path
        A table with the twelve continuum bins, or spectra: see `open_input`.
    output : str or Path
        A table ending in .parquet, .fits or .ecsv. Rows that cannot be predicted are listed, with the
        reason, beside it in ``<stem>.rejects.csv``. Both appear whole or not at all.
    model, observed
        As in `predict_table`.
    columns, id_column, redshifts, ebv, rows_per_chunk
        As in `open_input`.
    progress : callable of int, optional
        Told the number of rows done after each chunk.

    Returns
    -------
    PredictionRun

    Raises
    ------
    NebuliumError
        The input, the model or the output is at fault, an id occurs twice, or no row can be predicted.

    Examples
    --------
    >>> import jax, tempfile
    >>> from nebulium.data.tables.reading import read_table, write_table
    >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     bins = {f"continuum_flux_{place}": np.ones(2, np.float32) for place in range(12)}
    ...     write_table(Table({"target_id": np.array([7, 8]), **bins}), f"{scratch}/bins.parquet")
    ...     run = predict_file(f"{scratch}/bins.parquet", f"{scratch}/lines.ecsv", model=model)
    ...     read_table(f"{scratch}/lines.ecsv")["target_id"].tolist(), run.rows
    ([7, 8], 2)
    """
    output = Path(output)
    check_not_input(Path(source), output)
    predictor = LinePredictor(choose_models(model), observed)
    opened = open_input(
        source,
        columns=columns,
        id_column=id_column,
        redshifts=redshifts,
        ebv=ebv,
        rows_per_chunk=rows_per_chunk,
    )
    metadata = _metadata(opened, predictor, model)
    with TableWriter(output, metadata=metadata) as writer:
        check_unique_ids(opened.ids, where=opened.name)
        tally = _write_chunks(opened, predictor, writer, progress)
        if not tally.rows:
            problem = f"has no row that can be predicted ({opened.rejects.summary()})"
            raise TableError(opened.name, problem, "check the columns and their units")
    rejects_path = write_rejects(opened.rejects, output)
    return PredictionRun(
        output, tally.rows, dict(tally.by_model), tally.outside, opened.rejects, rejects_path
    )


class _Tally:
    """Counts of what was written."""

    def __init__(self) -> None:
        self.rows, self.outside = 0, 0
        self.by_model: Counter[str] = Counter()

    def add(self, table: Table) -> None:
        self.rows += len(table)
        self.outside += int(np.sum(~table["in_domain"]))
        names, counts = np.unique(table["model"], return_counts=True)
        self.by_model.update(dict(zip(names.tolist(), counts.tolist(), strict=True)))


def _write_chunks(
    opened: LineInput,
    predictor: LinePredictor,
    writer: TableWriter,
    progress: Callable[[int], Any] | None,
) -> _Tally:
    tally, first = _Tally(), 0
    for chunk in opened.chunks():
        numbers = first + np.arange(len(chunk)) if opened.row_numbers is None else opened.row_numbers
        predicted = predictor(chunk, opened.rejects, row_numbers=numbers)
        if len(predicted):
            writer.append(_with_id_name(predicted, opened.id_name))
            tally.add(predicted)
        first += len(chunk)
        if progress is not None:
            progress(first)
    return tally


def _with_id_name(table: Table, id_name: str) -> Table:
    """The ids under the name that the input gives them."""
    renamed = {id_name if name == ID else name: values for name, values in table.columns.items()}
    return Table(renamed, table.units, table.name, table.metadata)


def _metadata(opened: LineInput, predictor: LinePredictor, model: object) -> dict[str, Any]:
    """What the output says of itself."""
    return {
        **opened.metadata,
        "input": opened.name,
        "distribution": "observed" if predictor.observed else "intrinsic",
        "models": {named.name: _fingerprint(named.name, model) for named in predictor.choice.models},
        "nebulium": version("nebulium"),
    }


def _fingerprint(name: str, model: object) -> str:
    """Checksum of the weights, for a model that is a folder."""
    if isinstance(model, LineModel):
        return "in memory"
    folder = describe_model(name if model is None else str(model))
    return str(folder.config.get("weights_sha256", "unknown"))
