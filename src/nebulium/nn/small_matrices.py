"""Matrices of a few rows, of which there are very many: written out, they compile into plain loops.

On CPU a library call for each matrix takes longer than its arithmetic.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float


def whitened(
    covariance: Float[Array, "n n"], columns: Float[Array, "n k"]
) -> tuple[Float[Array, "n k"], Float[Array, ""]]:
    """Columns through the inverse of the Cholesky root of a covariance, and half its log determinant."""
    n = len(covariance)
    root: list[list[Float[Array, ""]]] = []
    white: list[Float[Array, " k"]] = []
    for i in range(n):
        row: list[Float[Array, ""]] = []
        for j in range(i):
            before = sum((row[k] * root[j][k] for k in range(j)), jnp.zeros(()))
            row.append((covariance[i, j] - before) / root[j][j])
        square = covariance[i, i] - sum((one**2 for one in row), jnp.zeros(()))
        row.append(jnp.sqrt(jnp.maximum(square, jnp.finfo(jnp.float32).tiny)))
        rest = columns[i] - sum((row[k] * white[k] for k in range(i)), jnp.zeros(columns.shape[1]))
        white.append(rest / row[i])
        root.append(row)
    half = sum((jnp.log(row[-1]) for row in root), jnp.zeros(()))
    return jnp.stack(white), half


def inverse_of_known(covariance: Float[Array, "n n"], known: Float[Array, " n"]) -> Float[Array, "n n"]:
    """Inverse of the covariance of those numbers whose `known` is 1, not 0; zero for the others."""
    both = known[:, None] * known[None, :]
    roots, _ = whitened(both * covariance + jnp.diag(1.0 - known), jnp.eye(len(known), dtype=jnp.float32))
    return both * (roots.T @ roots)
