"""Are drawn galaxies like real ones: two samples compared by what is measured on their images."""

from dataclasses import dataclass

import numpy as np
import scipy.stats
from jaxtyping import Float

from nebulium.generate.scores.features import MORPHOLOGY
from nebulium.metrics.two_sample import ClassifierAUC, classifier_auc

Features = Float[np.ndarray, "n feature"]
Conditions = Float[np.ndarray, "n condition"]


@dataclass(frozen=True)
class FeatureLikeness:
    """One feature, drawn and real.

    Attributes
    ----------
    name : str
    bias : float
        Mean difference of drawn and real galaxies of the same properties, over the real scatter.
    scatter : float
        Scatter about the mean of galaxies of the same properties, drawn over real.
    wasserstein : float
        Distance of the two distributions over the real scatter.
    wasserstein_real : float
        The same of two halves of the real galaxies.
    """

    name: str
    bias: float
    scatter: float
    wasserstein: float
    wasserstein_real: float


def told_apart(drawn: Features, real: Features, conditions: Conditions) -> dict[str, ClassifierAUC]:
    """How well drawn galaxies are told from the real ones of the same properties, row by row."""
    shapes = len(MORPHOLOGY)
    rows = np.arange(len(real))
    pairs = {
        "morphology": (drawn[:, :shapes], real[:, :shapes]),
        "morphology, colour and noise": (drawn, real),
        "morphology and properties": tuple(
            np.column_stack([one[:, :shapes], conditions]) for one in (drawn, real)
        ),
    }
    return {name: classifier_auc(*pair, seed=0, groups_a=rows, groups_b=rows) for name, pair in pairs.items()}


def real_told_apart(real: Features, conditions: Conditions) -> dict[str, ClassifierAUC]:
    """The same for two halves of the real galaxies: what no model can fall below."""
    half, shapes = len(real) // 2, len(MORPHOLOGY)
    sets = {
        "morphology": real[:, :shapes],
        "morphology, colour and noise": real,
        "morphology and properties": np.column_stack([real[:, :shapes], conditions]),
    }
    return {name: classifier_auc(one[:half], one[half : 2 * half], seed=0) for name, one in sets.items()}


def feature_likeness(
    drawn: Features, real: Features, conditions: Conditions, names: tuple[str, ...]
) -> list[FeatureLikeness]:
    """Feature by feature: bias and scatter about what properties say of it, and distance."""
    columns, half = _polynomials(conditions), len(real) // 2
    found = []
    for name, made, true in zip(names, drawn.T, real.T, strict=True):
        scale = _spread(true)
        fit = np.linalg.lstsq(columns, true, rcond=None)[0]
        expected = columns @ fit
        found.append(
            FeatureLikeness(
                name,
                float(np.median(made - true) / scale),
                float(_spread(made - expected) / _spread(true - expected)),
                float(scipy.stats.wasserstein_distance(made, true) / scale),
                float(scipy.stats.wasserstein_distance(true[:half], true[half:]) / scale),
            )
        )
    return found


def _polynomials(conditions: Conditions) -> np.ndarray:
    """Properties, standardised, their squares and products, and which are not known: these are 0."""
    known = np.isfinite(conditions)
    spread = np.maximum(np.nanstd(conditions, axis=0), 1e-9)
    standard = np.where(known, (conditions - np.nanmean(conditions, axis=0)) / spread, 0.0)
    i, j = np.triu_indices(standard.shape[1])
    return np.column_stack([np.ones(len(standard)), standard, standard[:, i] * standard[:, j], ~known])


def _spread(values: np.ndarray) -> float:
    """Half of the central 68 %: a few odd galaxies do not set it."""
    low, high = np.quantile(values, [0.16, 0.84])
    return max(float(0.5 * (high - low)), 1e-9)
