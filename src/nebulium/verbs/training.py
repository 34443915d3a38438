"""One run of a training: its folder, what stays of it after a fault or Ctrl-C, and how it is taken up."""

import dataclasses
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import equinox as eqx

from nebulium.data.output import check_place
from nebulium.data.rejects import Rejects
from nebulium.modelfile import CONFIG
from nebulium.training import FitConfig, FitResult, fit, trained_part
from nebulium.training.run_folder import CHECKPOINT, make_or_take, remove_half_written

#: Ending of the folder beside a model that keeps settings, losses and checkpoints.
RUN_ENDING = ".run"

Model = TypeVar("Model", bound=eqx.Module)


@dataclass(frozen=True, eq=False)
class Training:
    """A training in progress; with no output, one in memory that leaves nothing.

    Attributes
    ----------
    output : Path, optional
        The model folder to come.
    resume : bool
        Take up what an earlier run has done.
    progress : bool
        Show a progress bar.
    rejects : Rejects
        Takes the rows that cannot be used.
    notes : list of str
        Takes what the user should know: what was supposed, and what was not used.

    Examples
    --------
    >>> Training(Path("mine")).folder.name
    'mine.run'
    """

    output: Path | None = None
    resume: bool = False
    progress: bool = False
    rejects: Rejects = field(default_factory=Rejects)
    notes: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Keeps settings, losses and checkpoints, in a folder for each network or stage."""
        if self.output is None:
            raise ValueError("a training without an output has no folder")
        return self.output.with_name(self.output.name + RUN_ENDING)

    @property
    def scratch(self) -> Path:
        """For what is prepared for the training, such as images; it does not stay."""
        return self.folder / "prepared"

    def warn(self, note: str) -> None:
        """Tell the user at once what may make a long training worthless, and again at its end."""
        self.notes.append(note)
        if self.progress:
            sys.stderr.write(f"Warning: {note}\n")

    def fit(self, name: str, model: Model, loss_fn: Any, data: Any, **options: Any) -> FitResult[Model]:
        """Train one network or one stage; what was done of it before is taken up where that was asked for.

        Parameters
        ----------
        name : str
            Of its folder in the folder of the run.
        model, loss_fn, data, **options
            Arguments of `nebulium.training.fit`.

        Returns
        -------
        FitResult
        """
        folder = None if self.output is None else self.folder / name
        resume = self.resume and folder is not None and folder.exists()
        options = {"run_folder": folder, "resume": resume, "progress": self.progress, **options}
        return fit(model, loss_fn, data, **options)


@contextmanager
def training_run(
    output: str | Path, *, resume: bool = False, progress: bool = False, rejects: Rejects | None = None
) -> Iterator[Training]:
    """Run a training that leaves a model folder, and beside it the folder of the run.

    However it ends, by a fault, Ctrl-C or success, ``<output>.run`` stays if an epoch was finished, and is
    removed otherwise; what was prepared for the training is removed. The same call with `resume` goes on
    after the last epoch that was finished, to the same model as if nothing had happened; also after
    ``kill -9``, which leaves everything as it was.

    Parameters
    ----------
    output : str or Path
        Folder of the model; an earlier model there is replaced when the new one is complete.
    resume : bool
        Take up an interrupted training; where there is none, begin.
    progress : bool
        Show a progress bar.
    rejects : Rejects, optional
        Takes the rows that cannot be used; those that are in it already are listed with them.

    Yields
    ------
    Training
        Fits networks, and collects rejects and notes, for `save_trained`.

    Raises
    ------
    OutputError
        The folder holds something else than a model, that of the run holds an interrupted training and is
        not to be resumed, or they cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch, training_run(f"{scratch}/mine") as training:
    ...     training.folder.name, training.folder.is_dir()
    ('mine.run', True)
    """
    training = Training(Path(output), resume, progress, Rejects() if rejects is None else rejects)
    check_place(output, folder_with=CONFIG)
    if not resume and _made(Path(output), training.folder):
        shutil.rmtree(training.folder)
    mend = "take it up with --resume (resume=True), or delete it"
    make_or_take(training.folder, resume=resume, holds="holds an interrupted training", mend=mend)
    remove_half_written(training.folder)
    new = not any(training.folder.iterdir())
    try:
        yield training
    finally:
        shutil.rmtree(training.scratch, ignore_errors=True)
        if new and not any(training.folder.rglob(CHECKPOINT)):
            shutil.rmtree(training.folder, ignore_errors=True)


def _made(model: Path, run: Path) -> bool:
    """Whether a run is that of the model which is there, and not a later one that was interrupted."""
    if not (model / CONFIG).is_file() or not run.is_dir():
        return False
    checkpoints = [checkpoint.stat().st_mtime_ns for checkpoint in run.rglob(CHECKPOINT)]
    return max(checkpoints, default=0) <= (model / CONFIG).stat().st_mtime_ns


def fit_members(
    training: Training,
    learners: Sequence[Model],
    loss_fn: Any,
    data: Any,
    *,
    config: FitConfig,
    trained: Callable[[Model], Any],
    **options: Any,
) -> list[FitResult[Model]]:
    """Train the networks of an ensemble on the same data, each with a seed of its own.

    Parameters
    ----------
    training : Training
        The run, which keeps losses and checkpoints.
    learners : sequence of equinox.Module
        The networks at their start, with what their loss needs.
    loss_fn : callable
        Gives a loss for each row of a batch: (learner, batch, key) -> array (batch,).
    data : pytree of arrays (n, ...), or RowSource
        The training galaxies.
    config : FitConfig
        That of the first; the seed of each next is one higher.
    trained : callable
        learner -> the part of it that is trained.
    options : Any
        Further arguments of `Training.fit`.

    Returns
    -------
    list of FitResult
        In the order of the learners.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> def squared(learner, x, key):
    ...     return jnp.sum(jax.vmap(learner)(x) ** 2, axis=1)
    >>> lines = [eqx.nn.Linear(2, 1, key=jax.random.key(member)) for member in range(2)]
    >>> config, x = FitConfig(epochs=1, batch_size=4), jnp.ones((4, 2))
    >>> len(fit_members(Training(), lines, squared, x, config=config, trained=lambda line: line.weight))
    2
    """
    return [
        training.fit(
            f"network-{member}",
            learner,
            loss_fn,
            data,
            config=dataclasses.replace(config, seed=config.seed + member),
            trainable=trained_part(learner, trained),
            **options,
        )
        for member, learner in enumerate(learners)
    ]
