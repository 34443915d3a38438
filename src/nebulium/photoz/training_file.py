"""From a mock survey or a catalogue to a trained model of redshifts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nebulium.data.splits import Split
from nebulium.photometry.dereddening import dust_notes
from nebulium.photometry.layout import CatalogueLayout
from nebulium.photoz.methods import method_of, settings_of
from nebulium.photoz.reading import Reading, counted_notes
from nebulium.photoz.training_galaxies import TrainingTask
from nebulium.verbs import TrainingRun, save_trained, training_run


def train_file(
    data: str | Path,
    output: str | Path,
    *,
    method: str,
    columns: Mapping[str, Any] | None = None,
    curves: str | Path | None = None,
    split: Split | None = None,
    settings: Mapping[str, Any] | None = None,
    recalibrate: bool = False,
    resume: bool = False,
    progress: bool = False,
) -> TrainingRun:
    """Train a model of redshifts.

    Parameters
    ----------
    data : str or Path
        Folder of a mock survey, or a table.
    output : str or Path
        Folder of the model; ``<output>.run`` beside it keeps losses and checkpoints, and galaxies set aside
        are listed in ``<output>.rejects.csv``.
    method : str
        One of `nebulium.photoz.methods.METHODS`.
    columns : mapping, optional
        What is told of the columns: fields of `CatalogueLayout`.
    curves : str or Path, optional
        Transmission curves: see `nebulium.photometry.curves.band_filters`.
    split : Split, optional
        Into training, validation and test galaxies, and the fraction of labels to use.
    settings : mapping, optional
        Settings of the method that are not left as they are.
    recalibrate : bool
        Set the densities right on the validation galaxies.
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
        The data, a setting or the output is at fault, or there are too few labels.

    Examples
    --------
    >>> train_file("mock", "mine", method="photometry")  # doctest: +SKIP
    """
    chosen, given = method_of(method), settings_of(method, settings or {})
    layout = CatalogueLayout(**(columns or {}))
    with training_run(output, resume=resume, progress=progress) as run:
        reading = Reading(Path(data), layout, curves, rejects=run.rejects, notes=run.notes)
        task = TrainingTask(reading, split or Split(), method, chosen, given, recalibrate, run)
        trained = chosen.train(task)
        run.notes.extend((*dust_notes(layout), *counted_notes(reading.counted)))
        return save_trained(run, trained)
