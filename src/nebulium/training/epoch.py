"""One pass over the data.

Arrays in memory are trained on in one compiled scan, without any Python between the batches, as suits small
networks on many rows. Rows that are read are trained on in compiled steps: their networks are large, and on
CPU the compiler makes convolutions inside a loop take twice as long.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int, Key, PyTree

from nebulium.training.batches import Batches, make_batches, weighted_mean
from nebulium.training.config import FitConfig, learning_rates_at, make_optimiser, same_steps
from nebulium.training.devices import batch_mesh, replicated, split_batch
from nebulium.training.rows import RowSource, count_examples, is_row_source, read_chunks
from nebulium.training.state import FitState

LossFunction: TypeAlias = Callable[..., Any]
Weights: TypeAlias = Float[Array, " batch"]


class LossContext(eqx.Module):
    """What a loss with a memory sees beside the model that is trained.

    Attributes
    ----------
    teacher : equinox.Module
        The model with its averaged weights, to which no gradient flows.
    memory : pytree
        As the batch before left it.
    weights : (batch,) float32
        1, or 0 for padding, which should not be remembered.

    Examples
    --------
    >>> LossContext(None, jnp.zeros(4), jnp.ones(2)).memory.shape
    (4,)
    """

    teacher: Any
    memory: PyTree
    weights: Float[Array, " batch"]


@dataclass(frozen=True)
class Examples:
    """What a loss is measured on, epoch after epoch: with which part of the model that is not trained.

    Attributes
    ----------
    fixed : pytree
        The part of the model that is not trained.
    data : pytree of arrays (n, ...), or RowSource
    loss_fn : callable
    batch_size : int
    """

    fixed: PyTree
    data: PyTree | RowSource
    loss_fn: LossFunction
    batch_size: int


class _Learning(eqx.Module):
    """How a step is made. What is static is hashed, so that each kind of step is compiled once.

    Trainings that differ in nothing but their length, seed and learning rates have the same one.
    """

    fixed: PyTree
    loss_fn: LossFunction = eqx.field(static=True)
    mesh: Mesh | None = eqx.field(static=True)
    config: FitConfig = eqx.field(static=True, default=FitConfig())


class _Step(eqx.Module):
    """What differs from step to step: the number in the whole training, the learning rate and the key."""

    number: Int[Array, "*steps"]
    rate: Float[Array, "*steps"]
    key: Key[Array, "*steps"]


def train_epoch(
    state: FitState, examples: Examples, key: Key[Array, ""], config: FitConfig
) -> tuple[FitState, float]:
    """Train on every example once.

    The order and the keys of the batches follow from the key and the number of examples alone: data in
    memory and a source of the same rows are trained on alike.
    """
    order_key, loss_key = jax.random.split(key)
    data, n = examples.data, count_examples(examples.data)
    batches = make_batches(jax.random.permutation(order_key, n), examples.batch_size)
    numbers = int(state.epoch) * len(batches) + jnp.arange(len(batches), dtype=jnp.int32)
    rates = learning_rates_at(numbers, config, config.epochs * len(batches))
    steps = _Step(numbers, rates, jax.random.split(loss_key, len(batches)))
    how = _Learning(examples.fixed, examples.loss_fn, batch_mesh(examples.batch_size), same_steps(config))
    train = _train_on_rows if is_row_source(data) else _train_on_arrays
    state, total = train(state, data, batches, steps, how)
    return eqx.tree_at(lambda s: s.epoch, state, state.epoch + 1), float(total) / n


def mean_loss(weights: PyTree, examples: Examples, key: Key[Array, ""]) -> float:
    """Mean loss over all examples, batch by batch, nothing trained."""
    data, n = examples.data, count_examples(examples.data)
    batches = make_batches(jnp.arange(n), min(examples.batch_size, n))
    keys = jax.random.split(key, len(batches))
    how = _Learning(examples.fixed, examples.loss_fn, batch_mesh(batches.indices.shape[1]))
    measure = _measure_on_rows if is_row_source(data) else _measure_on_arrays
    return float(measure(weights, data, batches, keys, how)) / n


@eqx.filter_jit
def _train_on_arrays(
    state: FitState, data: PyTree, batches: Batches, steps: _Step, how: _Learning
) -> tuple[FitState, Float[Array, ""]]:
    """An epoch as one scan; also the sum of the losses."""

    def step(state: FitState, now: tuple[Any, ...]) -> tuple[FitState, Array]:
        indices, example_weights, one = now
        batch = jax.tree.map(lambda array: array[indices], data)
        return _step(state, batch, example_weights, one, how)

    state, sums = jax.lax.scan(step, state, (batches.indices, batches.weights, steps))
    return state, jnp.sum(sums)


def _train_on_rows(
    state: FitState, source: RowSource, batches: Batches, steps: _Step, how: _Learning
) -> tuple[FitState, float]:
    """An epoch step by step; also the sum of the losses."""
    total = 0.0
    each = list(map(_Step, steps.number, steps.rate, steps.key))  # a look-up by number takes a millisecond
    for chunk in read_chunks(source, batches):
        sums = []
        for number, batch, example_weights in chunk:
            batch, example_weights = split_batch((batch, example_weights), how.mesh)
            state, loss = _compiled_step(state, batch, example_weights, each[number], how)
            sums.append(loss)
        # Waits for the chunk: the next one is read in the meantime, and no more than that.
        total += sum(map(float, sums))
    return state, total


def _step(
    state: FitState, batch: PyTree, example_weights: Weights, step: _Step, how: _Learning
) -> tuple[FitState, Float[Array, ""]]:
    """One batch; also the sum of its losses."""
    batch, example_weights = split_batch((batch, example_weights), how.mesh)
    beside = None
    if state.memory is not None:
        beside = LossContext(eqx.combine(state.average, how.fixed), state.memory, example_weights)
    (loss, memory), gradient = eqx.filter_value_and_grad(_batch_loss, has_aux=True)(
        state.weights, batch, example_weights, step.key, how, beside
    )
    optimiser = make_optimiser(how.config, step.rate)
    updates, optimiser_state = optimiser.update(gradient, state.optimiser, state.weights)
    weights = optax.apply_updates(state.weights, updates)
    average = _update_average(state.average, weights, step.number, how.config.averaging)
    weights, average, optimiser_state, memory = replicated(
        (weights, average, optimiser_state, memory), how.mesh
    )
    new = replace(state, weights=weights, average=average, optimiser=optimiser_state, memory=memory)
    return new, loss * jnp.sum(example_weights)


_compiled_step = eqx.filter_jit(_step)


@eqx.filter_jit
def _measure_on_arrays(
    weights: PyTree, data: PyTree, batches: Batches, keys: Key[Array, " steps"], how: _Learning
) -> Float[Array, ""]:
    """Sum of all losses, as one scan."""

    def step(total: Array, now: tuple[Any, ...]) -> tuple[Array, None]:
        indices, example_weights, key = now
        batch = jax.tree.map(lambda array: array[indices], data)
        batch, example_weights = split_batch((batch, example_weights), how.mesh)
        loss, _ = _batch_loss(weights, batch, example_weights, key, how)
        return total + loss * jnp.sum(example_weights), None

    return jax.lax.scan(step, jnp.zeros(()), (batches.indices, batches.weights, keys))[0]


def _measure_on_rows(
    weights: PyTree, source: RowSource, batches: Batches, keys: Key[Array, " steps"], how: _Learning
) -> float:
    """Sum of all losses, batch by batch."""
    total, each = 0.0, list(keys)
    for chunk in read_chunks(source, batches):
        for number, batch, example_weights in chunk:
            batch, example_weights = split_batch((batch, example_weights), how.mesh)
            loss, _ = _compiled_loss(weights, batch, example_weights, each[number], how)
            total += float(loss) * float(jnp.sum(example_weights))
    return total


def _batch_loss(
    weights: PyTree,
    batch: PyTree,
    example_weights: Weights,
    key: Array,
    how: _Learning,
    beside: LossContext | None = None,
) -> tuple[Array, PyTree]:
    """Mean loss of a batch, and the memory after it."""
    model, memory = eqx.combine(weights, how.fixed), None
    if beside is None:
        losses = how.loss_fn(model, batch, key)
    else:
        losses, memory = how.loss_fn(model, batch, key, beside)
    if losses.shape != example_weights.shape:
        raise ValueError(
            f"loss_fn must return one loss per example, {example_weights.shape}; got {losses.shape}"
        )
    return weighted_mean(losses, example_weights), memory


_compiled_loss = eqx.filter_jit(_batch_loss)


def _update_average(average: PyTree, weights: PyTree, step: Array, decay: float | None) -> PyTree:
    """Average over about a tenth of the steps so far, until that is longer than the decay asks for."""
    if decay is None:
        return weights
    count = step.astype(jnp.float32)
    rate = 1.0 - jnp.minimum(decay, (1.0 + count) / (10.0 + count))
    return jax.tree.map(lambda a, w: a + rate.astype(a.dtype) * (w - a), average, weights)
