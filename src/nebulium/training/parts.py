"""Which leaves of what is trained are weights: the others, as statistics of the data, stay as they are."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jaxtyping import PyTree


def trained_part(model: eqx.Module, part: Callable[[Any], Any]) -> PyTree:
    """Train a part of a model alone.

    Parameters
    ----------
    model : equinox.Module
    part : callable
        model -> the part, or a tuple of parts.

    Returns
    -------
    pytree of bool
        As `nebulium.training.fit_loop` takes it: true for the floating-point arrays of the part.

    Examples
    --------
    >>> layers = eqx.nn.MLP(1, 1, 4, 1, key=jax.random.key(0))
    >>> last = trained_part(layers, lambda one: one.layers[-1])
    >>> last.layers[0].weight, last.layers[-1].weight
    (False, True)
    """
    frozen = jax.tree.map(lambda _: False, model)
    return eqx.tree_at(part, frozen, jax.tree.map(eqx.is_inexact_array, part(model)))
