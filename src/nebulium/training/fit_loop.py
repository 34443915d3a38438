"""The one loop that trains every model of the library."""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import PyTree

from nebulium.data.progress import Work, shown
from nebulium.errors import NebuliumError
from nebulium.training.config import FitConfig, make_optimiser
from nebulium.training.devices import batch_mesh, on_one_device, replicated
from nebulium.training.epoch import Examples, LossFunction, mean_loss, train_epoch
from nebulium.training.rows import RowSource, fingerprint_data, is_row_source
from nebulium.training.run_folder import EpochRecord, RunFolder, fingerprint, open_run
from nebulium.training.state import FitState, keep_best

Model = TypeVar("Model", bound=eqx.Module)


@dataclasses.dataclass(frozen=True)
class FitResult(Generic[Model]):
    """What `fit` returns.

    Attributes
    ----------
    model : equinox.Module
        With the (averaged) weights of the best epoch.
    history : tuple of EpochRecord
        One per epoch.
    best_epoch : int
        Counted from 1; the last one without validation data.
    """

    model: Model
    history: tuple[EpochRecord, ...]
    best_epoch: int


@dataclasses.dataclass(frozen=True)
class _Task:
    """What stays the same from epoch to epoch."""

    training: Examples
    validation: Examples | None
    config: FitConfig


def fit(
    model: Model,
    loss_fn: LossFunction,
    data: PyTree | RowSource,
    *,
    validation: PyTree | RowSource | None = None,
    validation_loss_fn: LossFunction | None = None,
    memory: PyTree = None,
    config: FitConfig | None = None,
    run_folder: str | Path | None = None,
    resume: bool = False,
    about: Mapping[str, Any] | None = None,
    trainable: PyTree | Callable[[Any], bool] = eqx.is_inexact_array,
    progress: bool = False,
) -> FitResult[Model]:
    """Train a model.

    Same data, settings, seed and kind of machine: same result, to the last bit, also if the run was killed at
    any moment and resumed. Where there are several devices, they share each batch that can be divided evenly.

    Parameters
    ----------
    model : equinox.Module
        At its start.
    loss_fn : callable
        ``loss_fn(model, batch, key) -> (batch,)``: the loss of each example of a batch. With a memory
        ``loss_fn(model, batch, key, beside) -> ((batch,), memory)``; see `nebulium.training.LossContext`.
    data : pytree of arrays (n, ...), or RowSource
        The training set. Arrays are moved to the device once; a source is read chunk by chunk, ahead of the
        training, in the same order as arrays would be.
    validation : pytree of arrays (m, ...), or RowSource, optional
        Decides which epoch is the best, and when to stop.
    validation_loss_fn : callable, optional
        ``(model, batch, key) -> (batch,)``; `loss_fn` if not given, which a loss with a memory cannot be.
    memory : pytree of arrays, optional
        What the loss carries from batch to batch, at its start.
    config : FitConfig, optional
        The settings; those of ``FitConfig()`` by default.
    run_folder : str or Path, optional
        Where settings, losses and a checkpoint of every epoch go.
    resume : bool
        Take up the run in ``run_folder``; without it an existing folder is an error.
    about : mapping, optional
        The caller's own settings (what JSON can hold), saved with the run and compared on resuming.
    trainable : callable or pytree of bool
        Which leaves are trained: all floating-point arrays by default. Keep scaler statistics out of it, as
        weight decay and averaging reach every trained leaf.
    progress : bool
        Show on standard error how far it is: a bar in a terminal, else lines.

    Returns
    -------
    FitResult
        The trained model, the losses, the best epoch.

    Raises
    ------
    NebuliumError
        If a loss is not finite; names the epoch and what to try.
    OutputError
        If the run folder cannot be used; see `nebulium.training.open_run`.
    ValueError
        If arrays differ in length, the loss is not one number per example, or there is validation for a
        loss with a memory but no `validation_loss_fn`.

    Examples
    --------
    >>> import equinox as eqx, jax, jax.numpy as jnp
    >>> x = jnp.linspace(-1, 1, 64)[:, None]
    >>> line = eqx.nn.Linear(1, 1, key=jax.random.key(0))
    >>> def squared_error(model, batch, key):
    ...     return jnp.sum((jax.vmap(model)(batch["x"]) - batch["y"]) ** 2, axis=1)
    >>> config = FitConfig(epochs=40, batch_size=16, learning_rate=0.1, averaging=None, weight_decay=0.0)
    >>> result = fit(line, squared_error, {"x": x, "y": 3 * x}, config=config)
    >>> round(float(result.model.weight[0, 0]), 2)
    3.0
    """
    if memory is not None and validation is not None and validation_loss_fn is None:
        raise ValueError("a loss with a memory cannot validate: give validation_loss_fn")
    config = config or FitConfig()
    mesh = batch_mesh(config.batch_size)
    data, validation = (_on_device(examples, mesh) for examples in (data, validation))
    weights, fixed = eqx.partition(model, trainable)
    training = Examples(fixed, data, loss_fn, config.batch_size)
    measured = dataclasses.replace(training, data=validation, loss_fn=validation_loss_fn or loss_fn)
    task = _Task(training, None if validation is None else measured, config)
    optimiser = make_optimiser(config, config.learning_rate).init(weights)
    zero, infinite = jnp.zeros((), jnp.int32), jnp.asarray(jnp.inf, jnp.float32)
    state = FitState(weights, weights, weights, optimiser, zero, zero, infinite, memory)
    run: RunFolder | None = None
    history: list[EpochRecord] = []
    if run_folder is not None:
        run = open_run(run_folder, _settings(model, task, about), resume=resume)
        state = run.restore(state)
        history = run.history(int(state.epoch))
    elif resume:
        raise ValueError("resume needs a run_folder")
    state = _train(replicated(state, mesh), history, task, run, progress)
    best = on_one_device(state.best, mesh)
    return FitResult(eqx.combine(best, fixed), tuple(history), int(state.best_epoch))


def _on_device(data: PyTree | RowSource, mesh: Mesh | None) -> PyTree | RowSource:
    return data if is_row_source(data) else replicated(jax.tree.map(jnp.asarray, data), mesh)


def _settings(model: eqx.Module, task: _Task, about: Mapping[str, Any] | None) -> dict[str, Any]:
    """All that decides the result, but for the code of the loss."""
    return {
        "fit": dataclasses.asdict(task.config),
        "data": fingerprint_data(task.training.data),
        "validation": fingerprint_data(task.validation and task.validation.data),
        "model": fingerprint(model),
        "about": dict(about or {}),
    }


def _train(
    state: FitState, history: list[EpochRecord], task: _Task, run: RunFolder | None, progress: bool
) -> FitState:
    """Go on to the end, and add to the history."""
    with shown(Work("training", "epochs", task.config.epochs, len(history)), shows=progress) as work:
        while not _is_done(state, task):
            state, record = _one_epoch(state, task)
            history.append(record)
            if run is not None:
                run.save(state, record)
            work.now(len(history), remark=_describe(record))
    return state


def _is_done(state: FitState, task: _Task) -> bool:
    """Read off the state alone, so that a resumed run stops where the other one did."""
    epoch, patience = int(state.epoch), task.config.patience
    stale = task.validation is not None and patience is not None and epoch - int(state.best_epoch) >= patience
    return epoch >= task.config.epochs or stale


def _one_epoch(state: FitState, task: _Task) -> tuple[FitState, EpochRecord]:
    began = time.perf_counter()
    config, epoch = task.config, int(state.epoch) + 1
    # What is drawn in validation is the same in all epochs, so that the best of them is better, not luckier.
    key, validation_key = (jax.random.fold_in(jax.random.key(config.seed), at) for at in (epoch, 0))
    state, loss = train_epoch(state, task.training, key, config)
    _check_finite(loss, "training", epoch)
    if task.validation is None:
        state = _keep_last(state, loss)
        return state, EpochRecord(epoch, loss, None, time.perf_counter() - began)
    validation_loss = mean_loss(state.average, task.validation, validation_key)
    _check_finite(validation_loss, "validation", epoch)
    state = keep_best(state, jnp.asarray(validation_loss, jnp.float32))
    return state, EpochRecord(epoch, loss, validation_loss, time.perf_counter() - began)


def _keep_last(state: FitState, loss: float) -> FitState:
    """Without validation data there is no better epoch than the last."""
    best_loss = jnp.asarray(loss, jnp.float32)
    return dataclasses.replace(state, best=state.average, best_loss=best_loss, best_epoch=state.epoch)


def _check_finite(loss: float, kind: str, epoch: int) -> None:
    if not math.isfinite(loss):
        raise NebuliumError(
            f"epoch {epoch}",
            f"expected a finite {kind} loss, found {loss}",
            "look for NaN, infinities or extreme values in the data and in the loss; "
            "else lower learning_rate or clip_norm, or lengthen warm_up",
        )


def _describe(record: EpochRecord) -> str:
    validation = "" if record.validation_loss is None else f", validation {record.validation_loss:.4f}"
    return f"loss {record.loss:.4f}{validation}"
