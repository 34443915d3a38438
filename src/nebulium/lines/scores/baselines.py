"""What the models are compared with: a trivial predictor and two traditional ones, in one API.

Each is built by `.fit(continuum_flux, redshift, ew_aa)` and asked by `.predict(continuum_flux, redshift)`,
and returns equivalent widths of shape (n, 10), as a model does. The traditional ones are those of the
literature, one regressor a line, on the galaxies that have the line. They see what the published network
sees: 11 colours, and the luminosity by default.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from nebulium.errors import TableError, from_extra
from nebulium.lines.continuum.features import colours, log_luminosity
from nebulium.lines.continuum.line_list import LINES, Continua, Widths
from nebulium.lines.measured_galaxies import MeasuredGalaxies

Redshifts = Float[np.ndarray, " n"]
Features = Float[np.ndarray, "n feature"]

# Neighbours of the two methods in the public code of Khederlarian et al. 2024.
KNN_NEIGHBOURS = 100
LLR_NEIGHBOURS = 800
# Chosen on validation galaxies of the DESI table: the last components are faint but tell the lines, and the
# rank correlation rises up to all of them (0.793 with 4, 0.833 with 8, 0.837 with 11, the same for both
# methods).
COMPONENTS = 11
# A neighbour weighs at most so many times more than the farthest one: a galaxy at distance 0
# would have infinite weight.
LARGEST_WEIGHT_RATIO = 1e3
# Added to the normal equations, relative to their trace: neighbours may lie in a plane.
RIDGE = 1e-8
QUERIES_AT_ONCE = 250


class Baseline(Protocol):
    """What every baseline can do."""

    def predict(self, continuum_flux: Continua, redshift: Redshifts) -> Widths:
        """Equivalent widths, AA."""
        ...


@dataclass(frozen=True)
class TrainingMedian:
    """The median of the training set, whatever the continuum.

    Parameters
    ----------
    median_ew_aa : ndarray of shape (10,)
        Median equivalent width of each line, AA.
    """

    median_ew_aa: Float[np.ndarray, "10"]

    @classmethod
    def fit(cls, continuum_flux: Continua, redshift: Redshifts, ew_aa: Widths) -> "TrainingMedian":
        """Take the medians."""
        known = [column[np.isfinite(column)] for column in ew_aa.T]
        return cls(np.array([np.median(values) if len(values) else np.nan for values in known]))

    def predict(self, continuum_flux: Continua, redshift: Redshifts) -> Widths:
        """Predict the same for every galaxy."""
        return np.tile(self.median_ew_aa, (len(continuum_flux), 1))


@dataclass(frozen=True)
class _LineNeighbours:
    """Training galaxies that have one line, in the space of principal components."""

    project: Callable[[Features], Float[np.ndarray, "n component"]]
    tree: Any
    coordinates: Float[np.ndarray, "n component"]
    log_ew: Float[np.ndarray, " n"]

    @classmethod
    def fit(cls, features: Features, ew_aa: Float[np.ndarray, " n"], components: int) -> "_LineNeighbours":
        with from_extra("scikit-learn", "bench"):
            from sklearn.decomposition import PCA
            from sklearn.neighbors import KDTree
        mean, scale = features.mean(axis=0), features.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        pca = PCA(components, svd_solver="full").fit((features - mean) / scale)

        def project(some: Features) -> Float[np.ndarray, "n component"]:
            return pca.transform((some - mean) / scale)

        coordinates = project(features)
        return cls(project, KDTree(coordinates), coordinates, np.log10(ew_aa))


@dataclass(frozen=True)
class _PcaNeighbours(ABC):
    """What the two traditional methods share: a space of neighbours for each line."""

    lines: tuple[_LineNeighbours, ...]
    neighbours: int
    luminosity: bool

    usual_neighbours: ClassVar[int]

    @classmethod
    def fit(
        cls,
        continuum_flux: Continua,
        redshift: Redshifts,
        ew_aa: Widths,
        *,
        components: int = COMPONENTS,
        neighbours: int | None = None,
        luminosity: bool = True,
    ) -> "_PcaNeighbours":
        """Find the principal components and build a tree for each line."""
        neighbours = cls.usual_neighbours if neighbours is None else neighbours
        features = baseline_features(continuum_flux, redshift, luminosity=luminosity)
        return cls(_fit_lines(features, ew_aa, components, neighbours), neighbours, luminosity)

    def predict(self, continuum_flux: Continua, redshift: Redshifts) -> Widths:
        """Predict each line from its neighbours, a few hundred galaxies at a time."""
        features = baseline_features(continuum_flux, redshift, luminosity=self.luminosity)
        known = np.isfinite(features).all(axis=1)
        widths = np.full((len(features), len(self.lines)), np.nan)
        for place, line in enumerate(self.lines):
            chunks = [
                self.regression(offsets, weights, log_ew)
                for offsets, weights, log_ew in _neighbourhoods(line, features[known], self.neighbours)
            ]
            widths[known, place] = 10.0 ** np.concatenate([*chunks, np.empty(0)])
        return widths

    @staticmethod
    @abstractmethod
    def regression(offsets: np.ndarray, weights: np.ndarray, log_ew: np.ndarray) -> np.ndarray:
        """log10 EW of each query from its neighbours."""


class PcaNearestNeighbours(_PcaNeighbours):
    """Mean of log10 EW over the nearest neighbours in PCA space, weighted by inverse distance."""

    usual_neighbours = KNN_NEIGHBOURS

    @staticmethod
    def regression(offsets: np.ndarray, weights: np.ndarray, log_ew: np.ndarray) -> np.ndarray:
        """Mean of the neighbours of each query."""
        return np.sum(weights * log_ew, axis=1) / np.sum(weights, axis=1)


class PcaLocalLinear(_PcaNeighbours):
    """Linear regression of log10 EW on the nearest neighbours in PCA space, weighted by inverse distance."""

    usual_neighbours = LLR_NEIGHBOURS

    @staticmethod
    def regression(offsets: np.ndarray, weights: np.ndarray, log_ew: np.ndarray) -> np.ndarray:
        """Height of the weighted least-squares plane at each query, which is the origin of its offsets."""
        design = np.concatenate([np.ones((*offsets.shape[:2], 1)), offsets], axis=2)
        weighted = np.swapaxes(design * weights[..., None], 1, 2)
        normal = weighted @ design
        size = normal.shape[1]
        normal += RIDGE * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(size)
        return np.linalg.solve(normal, weighted @ log_ew[..., None])[:, 0, 0]


def baseline_features(continuum_flux: Continua, redshift: Redshifts, *, luminosity: bool) -> Features:
    """Colours, and the luminosity if wanted, of many galaxies."""
    flux = jnp.asarray(continuum_flux, jnp.float32)
    features = np.asarray(jax.vmap(colours)(flux), np.float64)
    if not luminosity:
        return features
    brightness = jax.vmap(log_luminosity)(flux, jnp.asarray(redshift, jnp.float32))
    return np.column_stack([features, np.asarray(brightness, np.float64)])


def _fit_lines(
    features: Features, ew_aa: Widths, components: int, neighbours: int
) -> tuple[_LineNeighbours, ...]:
    """One space of neighbours a line."""
    known = np.isfinite(features).all(axis=1)
    spaces = []
    for line, ew in zip(LINES, ew_aa.T, strict=True):
        has = known & (ew > 0)
        if np.count_nonzero(has) < neighbours:
            count = np.count_nonzero(has)
            problem = f"{count} training galaxies have {line}, and it takes {neighbours}"
            raise TableError(
                "the traditional methods", problem, "leave --traditional out, or give more galaxies"
            )
        spaces.append(_LineNeighbours.fit(features[has], ew[has], components))
    return tuple(spaces)


def _neighbourhoods(
    line: _LineNeighbours, features: Features, neighbours: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Offsets (query, neighbour, component), weights and log10 EWs (query, neighbour)."""
    for first in range(0, len(features), QUERIES_AT_ONCE):
        query = line.project(features[first : first + QUERIES_AT_ONCE])
        distance, nearest = line.tree.query(query, neighbours, sort_results=False)
        farthest = distance.max(axis=1, keepdims=True)
        weights = 1.0 / np.maximum(distance / np.where(farthest > 0, farthest, 1.0), 1 / LARGEST_WEIGHT_RATIO)
        yield line.coordinates[nearest] - query[:, None], weights, line.log_ew[nearest]


# Names in the tables.
TRAINING_MEDIAN, SCORED_MEDIAN, PUBLISHED = "training median", "median of the scored", "published network"
NEAREST_NEIGHBOURS, LOCAL_LINEAR = "PCA + k-NN", "PCA + local linear regression"
TRADITIONAL: dict[str, Callable[..., Baseline]] = {
    NEAREST_NEIGHBOURS: PcaNearestNeighbours.fit,
    LOCAL_LINEAR: PcaLocalLinear.fit,
}


def predicted_by_others(
    galaxies: MeasuredGalaxies, training: MeasuredGalaxies, traditional: bool
) -> dict[str, Widths]:
    """What the baselines and the published network predict of galaxies, the trivial one first."""
    name, teachers = (TRAINING_MEDIAN, training) if len(training) else (SCORED_MEDIAN, galaxies)
    fits = {name: TrainingMedian.fit, **(TRADITIONAL if traditional and len(training) else {})}
    predicted = {}
    for method, fit in fits.items():
        fitted = fit(teachers.continuum_flux, teachers.redshift, teachers.ew_aa)
        predicted[method] = fitted.predict(galaxies.continuum_flux, galaxies.redshift)
    if galaxies.published_ew_aa is not None:
        predicted[PUBLISHED] = galaxies.published_ew_aa
    return predicted
