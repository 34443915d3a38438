"""Redshifts of the galaxies of a mock survey or a catalogue, from file to file."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from nebulium.data.output_checks import check_not_input, write_rejects
from nebulium.data.rejects import Rejects
from nebulium.data.tables.writer import TableWriter
from nebulium.errors import ModelFileError, TableError
from nebulium.modelfile import ModelFolder, describe_model, load_model
from nebulium.photometry.dereddening import dust_notes
from nebulium.photoz.density.qp_export import QpWriter
from nebulium.photoz.fluxes.predict import PredictionTask
from nebulium.photoz.methods import METHODS, Method
from nebulium.photoz.predict import PredictedRedshifts
from nebulium.photoz.space.embedding import EmbeddedGalaxies
from nebulium.photoz.training_file import counted_notes

Part = TypeVar("Part", PredictedRedshifts, EmbeddedGalaxies)


@dataclass(frozen=True)
class PredictionRun:
    """What a run wrote.

    Parameters
    ----------
    output : Path
        The table.
    pdf : Path, optional
        The densities.
    rows : int
        Galaxies predicted.
    out_of_domain : int
        How many are flagged.
    notes : tuple of str
        What was taken as missing.
    rejects : Rejects
        Galaxies set aside.
    rejects_path : Path, optional
        Where they are listed; None if there are none.
    """

    output: Path
    pdf: Path | None
    rows: int
    out_of_domain: int
    notes: tuple[str, ...]
    rejects: Rejects
    rejects_path: Path | None


def predict_file(
    data: str | Path,
    output: str | Path,
    *,
    model: str | Path,
    pdf: str | Path | None = None,
    columns: Mapping[str, Any] | None = None,
    curves: str | Path | None = None,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Predict the redshifts of all galaxies of a catalogue.

    Parameters
    ----------
    data : str or Path
        Folder of a mock survey, or a table.
    output : str or Path
        A table ending in .parquet, .fits or .ecsv. Galaxies that cannot be predicted are listed, with the
        reason, beside it in ``<stem>.rejects.csv``. All appear whole or not at all.
    model : str or Path
        Name of a packaged model, or a model folder.
    pdf : str or Path, optional
        Densities as a qp ensemble, a file ending in .hdf5.
    columns : mapping, optional
        What is told of the columns: fields of `nebulium.photometry.layout.CatalogueLayout`; those of
        the catalogue that the model was trained on, if not given.
    curves : str or Path, optional
        Transmission curves: see `nebulium.photometry.curves.band_filters`.
    progress : callable of int, optional
        Told the number of galaxies done after each chunk.

    Returns
    -------
    PredictionRun

    Raises
    ------
    NebuliumError
        The data, the model or the output is at fault, the data do not suit the model, or no galaxy can be
        predicted.

    Examples
    --------
    See ``nebulium photoz predict --help`` and the guide in the documentation.
    """
    data, output = Path(data), Path(output)
    pdf = None if pdf is None else Path(pdf)
    for written in (output, *([pdf] if pdf else [])):
        check_not_input(data, written)
    found, method = find_model(model)
    loaded = load_model(model)
    task = PredictionTask(data, loaded, found.config, columns or {}, None if curves is None else Path(curves))
    with ExitStack() as stack:
        writer = stack.enter_context(TableWriter(output, metadata=provenance(data, found)))
        densities = None if pdf is None else stack.enter_context(QpWriter(pdf, loaded.grid))

        def write(predicted: PredictedRedshifts) -> None:
            writer.append(predicted.as_table(str(data)))
            if densities is not None:
                densities.append(predicted.densities, predicted.ids)

        rows, outside = write_all(method.predict(task), write, task, progress)
    listed = write_rejects(task.rejects, output)
    return PredictionRun(output, pdf, rows, outside, notes_of(task), task.rejects, listed)


def write_all(
    parts: Iterable[Part],
    write: Callable[[Part], None],
    task: PredictionTask,
    progress: Callable[[int], Any] | None,
) -> tuple[int, int]:
    """Write what a model says of galaxies, chunk by chunk."""
    rows, outside = 0, 0
    for part in parts:
        write(part)
        rows += len(part)
        outside += int(np.sum(~part.in_domain))
        if progress is not None:
            progress(rows)
    if not rows:
        raise none_predicted(task)
    return rows, outside


def provenance(data: Path, found: ModelFolder) -> dict[str, str]:
    """What a table of predictions says of itself."""
    return {
        "input": str(data),
        "model": found.name,
        "method": found.config["method"],
        "weights_sha256": found.config.get("weights_sha256", "unknown"),
        "citation": found.config["citation"],
        "nebulium": version("nebulium"),
    }


def notes_of(task: PredictionTask) -> tuple[str, ...]:
    """What was supposed of the data, and what was taken as missing."""
    notes = (*dust_notes(task.layout), *task.notes, *counted_notes(task.counted))
    learned = task.config["preprocessing"].get("dereddened")
    if learned is None and task.layout.dereddened is not None:
        what = "the model was not told whether the fluxes that it learned from are corrected for Galactic"
        return (f"{what} extinction: see that these are alike", *notes)
    return notes


def none_predicted(task: PredictionTask) -> TableError:
    """The error for data of which no galaxy can be predicted."""
    problem = f"has no galaxy that can be predicted ({task.rejects.summary()})"
    return TableError(str(task.data), problem, "mend the rows")


def find_model(name_or_path: str | Path) -> tuple[ModelFolder, Method]:
    """A model of redshifts, and the method that it goes by."""
    found = describe_model(name_or_path)
    method = METHODS.get(str(found.config.get("method")))
    if method is None:
        mend = "give a folder that nebulium photoz train wrote"
        raise ModelFileError(f"model {found.name}", "is no model of redshifts", mend)
    return found, method
