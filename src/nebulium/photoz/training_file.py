"""From a mock survey or a catalogue to a trained model of redshifts."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nebulium.data.output import check_free
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.errors import NebuliumError
from nebulium.modelfile import save_model
from nebulium.photometry.dereddening import dust_notes
from nebulium.photometry.layout import CatalogueLayout
from nebulium.photoz.card import model_card, model_config
from nebulium.photoz.methods import METHODS, Method
from nebulium.photoz.predict import counted_notes
from nebulium.photoz.training_galaxies import TrainingTask
from nebulium.training.run_folder import RUN_ENDING, take_run_folder


@dataclass(frozen=True)
class TrainingRun:
    """What a training left.

    Parameters
    ----------
    model : Path
        The model folder.
    galaxies : mapping of str to int
        Labelled galaxies in each part of the split.
    notes : tuple of str
        What was taken as missing, or left out.
    rejects : Rejects
        Galaxies set aside.
    rejects_path : Path, optional
        Where they are listed; None if there are none.
    """

    model: Path
    galaxies: Mapping[str, int]
    notes: tuple[str, ...]
    rejects: Rejects
    rejects_path: Path | None


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
    output, chosen = Path(output), method_of(method)
    check_free(output)
    task = TrainingTask(
        data=Path(data),
        layout=CatalogueLayout(**(columns or {})),
        curves=None if curves is None else Path(curves),
        split=split or Split(),
        settings=settings or {},
        recalibrate=recalibrate,
        run=output.with_name(output.name + RUN_ENDING),
        resume=resume,
        progress=progress,
    )
    with _run_folder(task.run, resume):
        trained = chosen.train(task)
        document = model_config(method, chosen, trained)
        save_model(output, trained.model, config=document, card=model_card(document))
    return TrainingRun(
        output,
        document["split"]["galaxies"],
        (*trained.notes, *dust_notes(task.layout), *counted_notes(task.counted)),
        task.rejects,
        task.rejects.write(output),
    )


def method_of(name: str) -> Method:
    """A method by its name."""
    if name not in METHODS:
        raise NebuliumError(f"method {name}", "is not known", f"choose {', '.join(METHODS)}")
    return METHODS[name]


@contextmanager
def _run_folder(run: Path, resume: bool) -> Iterator[None]:
    """A folder of losses and checkpoints; after a fault, or if nothing is in it, it does not stay."""
    new = take_run_folder(run, resume=resume)
    try:
        yield
    except Exception:
        # Not after Ctrl-C, which is an interrupted training.
        if new:
            shutil.rmtree(run, ignore_errors=True)
        raise
    if not any(run.iterdir()):
        run.rmdir()
