"""All that changes while a model is trained."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree


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
    memory : pytree
        What the loss carries from batch to batch; None for most.
    """

    weights: PyTree
    average: PyTree
    best: PyTree
    optimiser: PyTree
    epoch: Int[Array, ""]
    best_epoch: Int[Array, ""]
    best_loss: Float[Array, ""]
    memory: PyTree = None


@eqx.filter_jit
def keep_best(state: FitState, loss: Float[Array, ""]) -> FitState:
    """Remember the average if its validation loss is the lowest so far."""
    better: Bool[Array, ""] = loss < state.best_loss
    new = (state.average, loss, state.epoch)
    old = (state.best, state.best_loss, state.best_epoch)
    chosen = jax.tree.map(lambda a, b: jnp.where(better, a, b), new, old)
    return eqx.tree_at(lambda s: (s.best, s.best_loss, s.best_epoch), state, chosen)
