"""Dependence between variables whose marginal laws are given as functions of normal scores."""

import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float


def factor_correlation(loadings: Float[Array, "variable factor"]) -> Float[Array, "variable variable"]:
    """Correlation matrix of variables that share a few factors, each with unit noise of its own.

    Parameters
    ----------
    loadings : (variable, factor) float32
        Any numbers.

    Returns
    -------
    (variable, variable) float32
        Positive definite, ones on the diagonal.

    Examples
    --------
    >>> factor_correlation(jnp.ones((2, 1))).round(3).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    covariance = loadings @ loadings.T + jnp.eye(loadings.shape[0])
    inverse_sigma = 1.0 / jnp.sqrt(jnp.diagonal(covariance))
    correlation = covariance * jnp.outer(inverse_sigma, inverse_sigma)
    return jnp.where(jnp.eye(loadings.shape[0], dtype=bool), 1.0, correlation)


def copula_log_density(
    scores: Float[Array, " variable"], correlation: Float[Array, "variable variable"]
) -> Float[Array, ""]:
    """Logarithm of the joint density of normal scores over the product of their own densities.

    Parameters
    ----------
    scores : (variable,) float32
        Standard normal scores.
    correlation : (variable, variable) float32
        Positive definite, ones on the diagonal.

    Returns
    -------
    () float32
        Zero where the variables are independent.

    Examples
    --------
    >>> float(copula_log_density(jnp.array([1.0, -2.0]), jnp.eye(2)))
    0.0
    """
    cholesky = jnp.linalg.cholesky(correlation)
    whitened = solve_triangular(cholesky, scores, lower=True)
    log_determinant = 2.0 * jnp.sum(jnp.log(jnp.diagonal(cholesky)))
    return 0.5 * (jnp.sum(scores**2) - jnp.sum(whitened**2) - log_determinant)
