"""Classes by a kernel logistic regression: for samples of hundreds to a few thousand.

Zhu & Hastie 2005, J. Comput. Graph. Stat. 14, 185. The logarithm of each class's probability is a smooth
function of the features, by a Gaussian kernel over their leading principal components. How smooth, and at
which temperature probabilities are what they say, cross-validation within the training galaxies decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.optimize import minimize

from nebulium.nn.classes import Probabilities, normalised
from nebulium.verbs.labels.classes import best_temperature

#: A regression on more galaxies would be slow and its file large; networks do better there.
MOST_REFERENCES = 4000
#: Principal components that the kernel sees.
COMPONENTS = 128
#: Among which the cross-validation chooses: weights of the smoothness.
STRENGTHS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 1e-2)
FOLDS = 5
# A feature farther out than this many scatters says no more than that.
FARTHEST = 5.0
# Eigenvalues of the kernel below this share of the largest are rounding.
_LEAST_EIGENVALUE = 1e-6
# Of the log loss in a logit, on average over galaxies.
_MEAN_CURVATURE = 0.1

Matrix = Float[np.ndarray, "_ _"]
Labels = Int[np.ndarray, " _"]


class KernelClasses(eqx.Module):
    """Probabilities of the classes of each target, given the classes of reference galaxies.

    Parameters
    ----------
    groups : tuple of int
        Number of features in each group, one after another; each group weighs as much as any other.
    counts : tuple of int
        Number of classes of each target.
    n_reference : int

    Attributes
    ----------
    centre, projection : (feature,), (feature, component) float32
        Of the principal components.
    reference : (n, component) float32
        The reference galaxies.
    weights, bias : (n, class), (class,) float32
    """

    centre: Float[Array, " feature"]
    projection: Float[Array, "feature component"]
    reference: Float[Array, "n component"]
    weights: Float[Array, "n class"]
    bias: Probabilities
    groups: tuple[int, ...] = eqx.field(static=True)
    counts: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, groups: tuple[int, ...], counts: tuple[int, ...], *, n_reference: int):
        self.groups, self.counts = groups, counts
        features, components = sum(groups), min(COMPONENTS, sum(groups), n_reference)
        self.centre = jnp.zeros(features, jnp.float32)
        self.projection = jnp.zeros((features, components), jnp.float32)
        self.reference = jnp.zeros((n_reference, components), jnp.float32)
        self.weights = jnp.zeros((n_reference, sum(counts)), jnp.float32)
        self.bias = jnp.zeros(sum(counts), jnp.float32)

    def probabilities(self, features: Float[Array, " feature"]) -> Probabilities:
        """Of all classes, from standardised features."""
        weighed = jnp.clip(features, -FARTHEST, FARTHEST) * _group_weights(self.groups)
        place = (weighed - self.centre) @ self.projection
        kernel = jnp.exp(-0.5 * jnp.sum((self.reference - place[None, :]) ** 2, axis=1))
        return jnp.exp(normalised(kernel @ self.weights + self.bias, self.counts))


def fit_kernel_classes(
    features: Float[np.ndarray, "n feature"],
    labels: Float[np.ndarray, "n target"],
    *,
    groups: tuple[int, ...],
    counts: Sequence[int],
    balance: float = 0.0,
) -> tuple[KernelClasses, list[float]]:
    """Fit all targets; labels are places of classes, NaN where missing. Also the temperature of each."""
    weighed = np.clip(np.asarray(features, np.float64), -FARTHEST, FARTHEST) * _group_weights(groups)
    centre = weighed.mean(axis=0)
    empty = KernelClasses(groups, tuple(counts), n_reference=len(features))
    components = empty.projection.shape[1]
    projection = np.linalg.svd(weighed - centre, full_matrices=False)[2][:components].T
    place = (weighed - centre) @ projection
    # The kernel's length is the scatter of the sample.
    scale = np.sqrt(max(place.var(axis=0).sum(), 1e-12))
    place, projection = place / scale, projection / scale
    weights, bias, temperatures = [], [], []
    for target, count in zip(labels.T, counts, strict=True):
        rows = np.flatnonzero(np.isfinite(target))
        fit, temperature = _cross_validated(place[rows], target[rows].astype(int), count, balance)
        of_all = np.zeros((len(place), count))
        of_all[rows] = fit.weights
        weights.append(of_all)
        bias.append(fit.bias)
        temperatures.append(temperature)
    leaves = lambda one: (one.centre, one.projection, one.reference, one.weights, one.bias)  # noqa: E731
    values = centre, projection, place, np.concatenate(weights, axis=1), np.concatenate(bias)
    fitted = eqx.tree_at(leaves, empty, tuple(jnp.asarray(value, jnp.float32) for value in values))
    return fitted, temperatures


def _group_weights(groups: tuple[int, ...]) -> Float[np.ndarray, " feature"]:
    """Weights with which each group has the same part in a distance."""
    return np.concatenate([np.full(count, count**-0.5, np.float32) for count in groups])


@dataclass(frozen=True, eq=False)
class _Fit:
    """The law of one target."""

    reference: Matrix
    weights: Matrix
    bias: Float[np.ndarray, " class"]

    def probabilities(self, place: Matrix) -> Matrix:
        """Of the classes of some galaxies."""
        return _softmax(_kernel(place, self.reference) @ self.weights + self.bias)


def _cross_validated(place: Matrix, label: Labels, count: int, balance: float) -> tuple[_Fit, float]:
    """The fit with the strength of the smallest log loss on galaxies left out, and the temperature there."""
    fold = _folds(label)
    said = {strength: np.zeros((len(label), count)) for strength in STRENGTHS}
    for one in range(FOLDS):
        train, test = np.flatnonzero(fold != one), np.flatnonzero(fold == one)
        for strength, fit in _fits(place[train], label[train], count, balance, STRENGTHS).items():
            said[strength][test] = fit.probabilities(place[test])
    rows = np.arange(len(label))
    log_loss = {key: -np.mean(np.log(np.maximum(p[rows, label], 1e-12))) for key, p in said.items()}
    best = min(STRENGTHS, key=lambda strength: log_loss[strength])
    fit = _fits(place, label, count, balance, (best,))[best]
    return fit, best_temperature(label.astype(float), said[best])


def _folds(label: Labels) -> Labels:
    """A fold for each galaxy, every class spread over all of them."""
    fold = np.zeros(len(label), int)
    random = np.random.default_rng(0)
    for one in np.unique(label):
        rows = random.permutation(np.flatnonzero(label == one))
        fold[rows] = (np.arange(len(rows)) + random.integers(FOLDS)) % FOLDS
    return fold


def _fits(
    place: Matrix, label: Labels, count: int, balance: float, strengths: Sequence[float]
) -> dict[float, _Fit]:
    """Laws of several strengths, from the roughest on: each starts from the one before."""
    value, vector = np.linalg.eigh(_kernel(place, place))
    kept = value > _LEAST_EIGENVALUE * value[-1]
    root = np.sqrt(value[kept])
    basis = vector[:, kept] * root
    frequency = np.bincount(label, minlength=count) / len(label)
    weight = np.maximum(frequency, 1 / len(label))[label] ** -balance
    weight /= weight.sum()
    truth = np.eye(count)[label]
    law, bias, fits = np.zeros((basis.shape[1], count)), np.zeros(count), {}
    for strength in sorted(strengths, reverse=True):
        # In steps of about the same curvature: a tenth of the iterations.
        step = 1 / np.sqrt(strength + _MEAN_CURVATURE * value[kept] / len(label))[:, None]

        def loss(flat: np.ndarray, strength: float = strength, step: np.ndarray = step) -> Any:
            law, bias = step * flat[:-count].reshape(-1, count), flat[-count:]
            said = _softmax(basis @ law + bias)
            picked = np.log(np.maximum(said[np.arange(len(label)), label], 1e-300))
            residual = weight[:, None] * (said - truth)
            of_law = step * (basis.T @ residual + strength * law)
            slope = np.concatenate([of_law.ravel(), residual.sum(axis=0)])
            return float(-(weight * picked).sum() + 0.5 * strength * (law**2).sum()), slope

        start = np.concatenate([(law / step).ravel(), bias])
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
        law, bias = step * found[:-count].reshape(-1, count), found[-count:]
        fits[strength] = _Fit(place, (vector[:, kept] / root) @ law, bias)
    return fits


def _kernel(a: Matrix, b: Matrix) -> Matrix:
    square = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.exp(-0.5 * np.maximum(square, 0.0))


def _softmax(logits: Matrix) -> Matrix:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
