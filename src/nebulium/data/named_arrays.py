"""The arrays of a pytree by name: the attributes that lead to each, such as ``trunk.layers.0.weight``."""

from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PyTree

from nebulium.errors import ModelFileError


def arrays_by_name(tree: PyTree) -> dict[str, np.ndarray]:
    """All arrays of a pytree, by the path of attributes that leads to each."""
    leaves = dict(_named_leaves(tree))
    for name, leaf in leaves.items():
        if isinstance(leaf, np.ndarray):
            raise ValueError(f"{name} is a numpy array; make it a jax array")
    return {name: np.asarray(leaf) for name, leaf in leaves.items() if eqx.is_array(leaf)}


def disagreement(skeleton: PyTree, arrays: Mapping[str, np.ndarray]) -> tuple[str, str] | None:
    """What a pytree asks for and arrays do not hold, and the other way round: names, dtypes and shapes."""
    places = {name: leaf for name, leaf in _named_leaves(skeleton) if _is_place(leaf)}
    expected, found = _signatures(places), _signatures(arrays)
    if expected == found:
        return None
    return _listed(expected - found), _listed(found - expected)


def fill_arrays(skeleton: PyTree, arrays: Mapping[str, np.ndarray], *, where: str) -> PyTree:
    """Put arrays into the places of a pytree that their names say."""
    difference = disagreement(skeleton, arrays)
    if difference is not None:
        mend = "use the files as they were written: weights and configuration belong together"
        raise ModelFileError(where, "expected {}, found {}".format(*difference), mend)
    leaves, structure = jax.tree.flatten(skeleton)
    names = [name for name, _ in _named_leaves(skeleton)]
    filled = [
        jax.numpy.asarray(arrays[name], arrays[name].dtype) if _is_place(leaf) else leaf
        for name, leaf in zip(names, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, filled)


def _named_leaves(tree: PyTree) -> Iterable[tuple[str, Any]]:
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        yield jax.tree_util.keystr(path, simple=True, separator="."), leaf


def _is_place(leaf: Any) -> bool:
    return eqx.is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)


def _signatures(arrays: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(
        f"{name} {array.dtype}[{','.join(map(str, array.shape))}]" for name, array in arrays.items()
    )


def _listed(signatures: frozenset[str], most: int = 4) -> str:
    """Enough to see what is the matter, without the two hundred arrays of a large model."""
    shown = sorted(signatures)[:most]
    more = len(signatures) - len(shown)
    return (", ".join(shown) or "nothing in their place") + (f" and {more} more" if more else "")
