"""Circles of imports, read from the import statements of the source."""

import ast
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from benchmarks.house.code import Source


def circles(sources: Mapping[str, Source]) -> list[list[str]]:
    """Modules that import each other, wherever in the file the import stands; keys are names of modules."""
    names = sorted(sources)
    edges = [
        (names.index(name), names.index(imported))
        for name in names
        for imported in set(_imported(sources[name].tree, sources)) - {name}
    ]
    start, end = np.array(edges).T
    graph = coo_array((np.ones(len(edges)), (start, end)), shape=(len(names), len(names)))
    count, circle_of = connected_components(graph, directed=True, connection="strong")
    found = (
        [name for name, circle in zip(names, circle_of, strict=True) if circle == one] for one in range(count)
    )
    return [circle for circle in found if len(circle) > 1]


def _imported(tree: ast.Module, known: Iterable[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                yield from (name for name in (module if module in known else node.module,) if name in known)
