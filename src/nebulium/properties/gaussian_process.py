"""Regression by a Gaussian process: for samples of hundreds, where a network learns its sample by heart.

Rasmussen & Williams 2006, chapters 2 and 5. The kernel is a sum over groups of features, each with a strength
and a length of its own, so that a few telling features are not lost among many others. Strengths, lengths and
noise are those of the highest posterior; the mean is the mean of the labels.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

from nebulium.nn.densities import Interval, Targets

#: A process of more galaxies would be slow and its file large; networks do better there.
MOST_REFERENCES = 2000
# Unit of the lengths is the root-mean-square difference of two galaxies in a feature of the group. Priors are
# normal in the logarithm.
PRIOR_LOG_STRENGTH, PRIOR_LOG_STRENGTH_SIGMA = -1.0, 2.0
PRIOR_LOG_LENGTH, PRIOR_LOG_LENGTH_SIGMA = 0.4, 0.7
FIRST_LOG_NOISE = -1.4
# Labels are standardised with their own mean, which is known only so well.
MEAN_VARIANCE = 0.1
_LOG_RANGE = (-8.0, 5.0)
# Less noise would ask for more than the single precision of predictions.
_LOG_NOISE_RANGE = (-6.0, 2.0)
_MISSING_VARIANCE = 1e6


class GaussianProcess(eqx.Module):
    """The law of a galaxy's properties, given the labels of reference galaxies.

    Parameters
    ----------
    groups : tuple of int
        Number of features in each group; the groups stand one after another in the vector.
    n_reference, targets : int

    Attributes
    ----------
    reference : (n, feature) float32
        Standardised features of the reference galaxies.
    weights : (target, n) float32
        Of the reference galaxies in the mean.
    whitening : (target, n, n) float32
        Inverse of the Cholesky factor of the covariance of the labels.
    log_strength, log_length : (target, group) float32
    noise_variance : (target,) float32
        Of the labels about the process, errors of the labels apart.
    """

    reference: Float[Array, "n feature"]
    weights: Float[Array, "target n"]
    whitening: Float[Array, "target n n"]
    log_strength: Float[Array, "target group"]
    log_length: Float[Array, "target group"]
    noise_variance: Targets
    groups: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, groups: tuple[int, ...], *, n_reference: int, targets: int):
        self.groups = groups
        self.reference = jnp.zeros((n_reference, sum(groups)), jnp.float32)
        self.weights = jnp.zeros((targets, n_reference), jnp.float32)
        self.whitening = jnp.zeros((targets, n_reference, n_reference), jnp.float32)
        self.log_strength = jnp.zeros((targets, len(groups)), jnp.float32)
        self.log_length = jnp.zeros((targets, len(groups)), jnp.float32)
        self.noise_variance = jnp.ones(targets, jnp.float32)

    def interval(self, features: Float[Array, " feature"]) -> Interval:
        """Median and central 68 % of a galaxy's true values, in standardised units."""
        borders = np.cumsum(self.groups)[:-1].tolist()
        parts = jnp.split(self.reference - features[None, :], borders, axis=1)
        squares = [jnp.mean(part**2, axis=1) for part in parts]
        covariance = MEAN_VARIANCE + jnp.sum(
            jnp.exp(self.log_strength)[:, :, None]
            * jnp.exp(-0.5 * jnp.stack(squares)[None] * jnp.exp(-2.0 * self.log_length)[:, :, None]),
            axis=1,
        )
        median = jnp.sum(self.weights * covariance, axis=1)
        explained = jnp.sum(jnp.einsum("tij,tj->ti", self.whitening, covariance) ** 2, axis=1)
        prior = MEAN_VARIANCE + jnp.sum(jnp.exp(self.log_strength), axis=1)
        sigma = jnp.sqrt(jnp.maximum(prior - explained, 0.0) + self.noise_variance)
        return Interval(median, median - sigma, median + sigma)


def fit_gaussian_process(
    features: Float[np.ndarray, "n feature"],
    labels: Float[np.ndarray, "n target"],
    label_sigma: Float[np.ndarray, "n target"],
    *,
    groups: tuple[int, ...],
) -> GaussianProcess:
    """Choose the kernel of each target, and keep what predictions need."""
    n, targets = labels.shape
    if n > MOST_REFERENCES:
        raise ValueError(
            f"a Gaussian process takes {MOST_REFERENCES} galaxies at most, got {n}; use a network"
        )
    squares = _squares(np.asarray(features, np.float64), groups)
    process = GaussianProcess(groups, n_reference=n, targets=targets)
    fits = [_fit_target(squares, labels[:, t], label_sigma[:, t]) for t in range(targets)]
    leaves = lambda p: (  # noqa: E731
        p.reference, p.weights, p.whitening, p.log_strength, p.log_length, p.noise_variance
    )  # fmt: skip
    values = [features, *(np.stack(of_targets) for of_targets in zip(*fits, strict=True))]
    return eqx.tree_at(leaves, process, tuple(jnp.asarray(one, jnp.float32) for one in values))


def _fit_target(
    squares: np.ndarray, label: np.ndarray, label_sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.float64]:
    """Weights, whitening, logarithms of strengths and lengths, and the noise of one target."""
    groups = len(squares)
    present = np.isfinite(label)
    # A missing label is one with a very large error: the arrays keep one shape for all targets.
    known_variance = np.where(present, np.asarray(label_sigma, np.float64) ** 2, _MISSING_VARIANCE)
    values = np.where(present, label, 0.0).astype(np.float64)
    start = np.concatenate(
        [np.full(groups, PRIOR_LOG_STRENGTH), np.full(groups, PRIOR_LOG_LENGTH), [FIRST_LOG_NOISE]]
    )
    best = minimize(
        _negative_log_posterior,
        start,
        args=(squares, values, known_variance),
        jac=True,
        method="L-BFGS-B",
        bounds=[_LOG_RANGE] * (2 * groups) + [_LOG_NOISE_RANGE],
    ).x
    strength, length, noise = best[:groups], best[groups:-1], np.exp(best[-1])
    covariance = MEAN_VARIANCE + _kernels(strength, length, squares).sum(axis=0)
    covariance[np.diag_indices_from(covariance)] += noise + known_variance
    factor = np.linalg.cholesky(covariance)
    whitening = solve_triangular(factor, np.eye(len(label)), lower=True)
    return whitening.T @ (whitening @ values), whitening, strength, length, noise


def _negative_log_posterior(
    parameters: np.ndarray, squares: np.ndarray, values: np.ndarray, known_variance: np.ndarray
) -> tuple[float, np.ndarray]:
    """Equations 5.8 and 5.9 of Rasmussen & Williams, with priors; and the gradient."""
    groups = len(squares)
    strength, length, noise = parameters[:groups], parameters[groups:-1], np.exp(parameters[-1])
    kernels = _kernels(strength, length, squares)
    covariance = MEAN_VARIANCE + kernels.sum(axis=0)
    covariance[np.diag_indices_from(covariance)] += noise + known_variance
    factor = cho_factor(covariance, lower=True)
    inverse = cho_solve(factor, np.eye(len(values)))
    weights = inverse @ values
    # d/dtheta = tr((inverse - weights weights^T) dK/dtheta) / 2.
    slope = 0.5 * (inverse - np.outer(weights, weights))
    by_strength = np.einsum("ij,gij->g", slope, kernels)
    by_length = np.einsum("ij,gij,gij->g", slope, kernels, squares) * np.exp(-2.0 * length)
    by_noise = np.trace(slope) * noise
    strange = (strength - PRIOR_LOG_STRENGTH) / PRIOR_LOG_STRENGTH_SIGMA
    unlikely = (length - PRIOR_LOG_LENGTH) / PRIOR_LOG_LENGTH_SIGMA
    value = 0.5 * values @ weights + np.log(np.diag(factor[0])).sum()
    value += 0.5 * (strange @ strange + unlikely @ unlikely)
    by_strength += strange / PRIOR_LOG_STRENGTH_SIGMA
    by_length += unlikely / PRIOR_LOG_LENGTH_SIGMA
    return float(value), np.concatenate([by_strength, by_length, [by_noise]])


def _kernels(strength: np.ndarray, length: np.ndarray, squares: np.ndarray) -> np.ndarray:
    scaled = squares * np.exp(-2.0 * length)[:, None, None]
    return np.exp(strength)[:, None, None] * np.exp(-0.5 * scaled)


def _squares(features: np.ndarray, groups: tuple[int, ...]) -> np.ndarray:
    """Mean-square differences of all pairs in each group, (group, n, n)."""
    parts = np.split(features, np.cumsum(groups)[:-1], axis=1)
    norms = [np.mean(part**2, axis=1) for part in parts]
    return np.stack(
        [
            np.maximum(norm[:, None] + norm[None, :] - 2.0 * part @ part.T / part.shape[1], 0.0)
            for part, norm in zip(parts, norms, strict=True)
        ]
    )
