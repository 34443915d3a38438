"""One pass over the data, compiled as one scan: no Python between the batches."""

from collections.abc import Callable
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

LossFunction: TypeAlias = Callable[[Any, Any, Any], Array]


class FitState(eqx.Module):
    """All that changes while a model is trained; a checkpoint is this and nothing else.

    Attributes
    ----------
    weights : pytree
        The trained part of the model, the rest None.
    average : pytree
        Running average of the weights.
    best : pytree
        The average at the epoch of the lowest validation loss.
    optimiser : pytree
        State of the optimiser.
    epoch, best_epoch : () int32
        Epochs done; the epoch of ``best``, counted from 1.
    best_loss : () float32
        Validation loss of ``best``.
    """

    weights: PyTree
    average: PyTree
    best: PyTree
    optimiser: PyTree
    epoch: Int[Array, ""]
    best_epoch: Int[Array, ""]
    best_loss: Float[Array, ""]


class Batches(eqx.Module):
    """Which examples make each batch, and which of them are padding.

    Attributes
    ----------
    indices : (steps, batch) int32
        Rows of the data.
    weights : (steps, batch) float32
        1, or 0 for padding.
    """

    indices: Int[Array, "steps batch"]
    weights: Float[Array, "steps batch"]


def count_examples(data: PyTree) -> int:
    """Length of the first axis, which all arrays must share.

    Parameters
    ----------
    data : pytree of arrays (n, ...)
        The examples.

    Returns
    -------
    int
        How many there are.

    Raises
    ------
    ValueError
        If there is no array, no example, or the lengths differ.

    Examples
    --------
    >>> count_examples({"x": jnp.zeros((5, 2)), "y": jnp.zeros(5)})
    5
    """
    lengths = {jnp.shape(array)[:1] for array in jax.tree.leaves(data)}
    if len(lengths) != 1 or lengths & {(), (0,)}:
        raise ValueError(f"expected arrays of one common length of at least 1, found {sorted(lengths)}")
    return lengths.pop()[0]


def make_batches(order: Int[Array, " n"], batch_size: int) -> Batches:
    """Cut an order of examples into batches of one shape.

    Parameters
    ----------
    order : (n,) int32
        Row numbers in the order of use.
    batch_size : int
        Examples per batch.

    Returns
    -------
    Batches
        The last one padded with row 0 at weight 0.

    Examples
    --------
    >>> make_batches(jnp.arange(5), 3).weights.tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]
    """
    steps = -(-order.size // batch_size)
    padding = (0, steps * batch_size - order.size)
    weights = jnp.pad(jnp.ones(order.shape, jnp.float32), padding)
    shape = (steps, batch_size)
    return Batches(jnp.pad(order, padding).reshape(shape), weights.reshape(shape))


def weighted_mean(losses: Float[Array, " batch"], weights: Float[Array, " batch"]) -> Float[Array, ""]:
    """Mean over the examples that are not padding.

    Parameters
    ----------
    losses : (batch,) float32
        Loss of each example; what padding holds does not count, be it NaN.
    weights : (batch,) float32
        1, or 0 for padding.

    Returns
    -------
    () float32
        The mean.

    Examples
    --------
    >>> float(weighted_mean(jnp.array([1.0, 3.0, jnp.nan]), jnp.array([1.0, 1.0, 0.0])))
    2.0
    """
    return jnp.sum(jnp.where(weights > 0, losses, 0.0) * weights) / jnp.sum(weights)


@eqx.filter_jit
def train_epoch(
    state: FitState,
    fixed: PyTree,
    data: PyTree,
    key: Key[Array, ""],
    *,
    loss_fn: LossFunction,
    optimiser: optax.GradientTransformation,
    batch_size: int,
    averaging: float | None,
) -> tuple[FitState, Float[Array, ""]]:
    """Train on every example once.

    Parameters
    ----------
    state : FitState
        Before the epoch.
    fixed : pytree
        The part of the model that is not trained.
    data : pytree of arrays (n, ...)
        The examples.
    key : key
        Of this epoch: fixes the order and the keys of the batches.
    loss_fn : callable
        ``(model, batch, key) -> (batch,)``.
    optimiser : optax.GradientTransformation
        From `make_optimiser`.
    batch_size : int
        Examples per step.
    averaging : float or None
        Decay per step of the running average.

    Returns
    -------
    state : FitState
        With new weights, average and optimiser.
    loss : () float32
        Mean over the epoch, each batch at the weights it was met with.

    Examples
    --------
    >>> weight = jnp.zeros(())
    >>> descent = optax.sgd(0.5)
    >>> zero = jnp.zeros((), jnp.int32)
    >>> state = FitState(weight, weight, weight, descent.init(weight), zero, zero, jnp.asarray(jnp.inf))
    >>> def squared_error(weight, batch, key):
    ...     return (weight - batch) ** 2
    >>> state, loss = train_epoch(state, None, jnp.ones(8), jax.random.key(0), loss_fn=squared_error,
    ...                           optimiser=descent, batch_size=8, averaging=None)
    >>> float(state.weights), float(loss)
    (1.0, 1.0)
    """
    order_key, loss_key = jax.random.split(key)
    n = count_examples(data)
    batches = make_batches(jax.random.permutation(order_key, n), batch_size)
    step_keys = jax.random.split(loss_key, batches.indices.shape[0])
    first_step = state.epoch * batches.indices.shape[0]

    def step(carry: tuple[PyTree, PyTree, PyTree], now: tuple[Any, ...]) -> tuple[Any, Array]:
        weights, average, optimiser_state = carry
        indices, example_weights, step_key, number = now
        batch = jax.tree.map(lambda array: array[indices], data)
        loss, gradient = eqx.filter_value_and_grad(_batch_loss)(
            weights, fixed, batch, example_weights, step_key, loss_fn
        )
        updates, optimiser_state = optimiser.update(gradient, optimiser_state, weights)
        weights = optax.apply_updates(weights, updates)
        average = _update_average(average, weights, number, averaging)
        return (weights, average, optimiser_state), loss * jnp.sum(example_weights)

    numbers = first_step + jnp.arange(batches.indices.shape[0])
    start = (state.weights, state.average, state.optimiser)
    (weights, average, optimiser_state), sums = jax.lax.scan(
        step, start, (batches.indices, batches.weights, step_keys, numbers)
    )
    loss = jnp.sum(sums) / n
    new = (weights, average, optimiser_state, state.epoch + 1)
    return eqx.tree_at(lambda s: (s.weights, s.average, s.optimiser, s.epoch), state, new), loss


@eqx.filter_jit
def mean_loss(
    weights: PyTree,
    fixed: PyTree,
    data: PyTree,
    key: Key[Array, ""],
    *,
    loss_fn: LossFunction,
    batch_size: int,
) -> Float[Array, ""]:
    """Mean loss over all examples, batch by batch, nothing trained.

    Parameters
    ----------
    weights, fixed : pytree
        The two parts of the model.
    data : pytree of arrays (n, ...)
        The examples.
    key : key
        For the loss.
    loss_fn : callable
        ``(model, batch, key) -> (batch,)``.
    batch_size : int
        Examples at a time.

    Returns
    -------
    () float32
        The mean.

    Examples
    --------
    >>> def squared_error(weight, batch, key):
    ...     return (weight - batch) ** 2
    >>> data = jnp.arange(3.0)
    >>> float(mean_loss(jnp.ones(()), None, data, jax.random.key(0), loss_fn=squared_error, batch_size=2))
    0.6666666865348816
    """
    n = count_examples(data)
    batches = make_batches(jnp.arange(n), min(batch_size, n))
    keys = jax.random.split(key, batches.indices.shape[0])

    def step(total: Array, now: tuple[Any, ...]) -> tuple[Array, None]:
        indices, example_weights, step_key = now
        batch = jax.tree.map(lambda array: array[indices], data)
        loss = _batch_loss(weights, fixed, batch, example_weights, step_key, loss_fn)
        return total + loss * jnp.sum(example_weights), None

    total, _ = jax.lax.scan(step, jnp.zeros(()), (batches.indices, batches.weights, keys))
    return total / n


@eqx.filter_jit
def keep_best(state: FitState, loss: Float[Array, ""]) -> FitState:
    """Remember the average if its validation loss is the lowest so far.

    Parameters
    ----------
    state : FitState
        After an epoch.
    loss : () float32
        Validation loss of ``state.average``.

    Returns
    -------
    FitState
        With ``best``, ``best_loss`` and ``best_epoch`` brought up to date.

    Examples
    --------
    >>> state = FitState(jnp.ones(1), jnp.ones(1), jnp.zeros(1), None, jnp.asarray(3), jnp.asarray(2),
    ...                  jnp.asarray(0.5))
    >>> int(keep_best(state, jnp.asarray(0.4)).best_epoch), int(keep_best(state, jnp.asarray(0.6)).best_epoch)
    (3, 2)
    """
    better: Bool[Array, ""] = loss < state.best_loss
    new = (state.average, loss, state.epoch)
    old = (state.best, state.best_loss, state.best_epoch)
    chosen = jax.tree.map(lambda a, b: jnp.where(better, a, b), new, old)
    return eqx.tree_at(lambda s: (s.best, s.best_loss, s.best_epoch), state, chosen)


def _batch_loss(
    weights: PyTree, fixed: PyTree, batch: PyTree, example_weights: Array, key: Array, loss_fn: LossFunction
) -> Array:
    losses = loss_fn(eqx.combine(weights, fixed), batch, key)
    if losses.shape != example_weights.shape:
        raise ValueError(
            f"loss_fn must return one loss per example, {example_weights.shape}; got {losses.shape}"
        )
    return weighted_mean(losses, example_weights)


def _update_average(average: PyTree, weights: PyTree, step: Array, decay: float | None) -> PyTree:
    """Average over about a tenth of the steps so far, until that is longer than the decay asks for."""
    if decay is None:
        return weights
    count = step.astype(jnp.float32)
    rate = 1.0 - jnp.minimum(decay, (1.0 + count) / (10.0 + count))
    return jax.tree.map(lambda a, w: a + rate.astype(a.dtype) * (w - a), average, weights)
