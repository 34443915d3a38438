"""Where a galaxy that the fit did not see is put: amid its neighbours."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int64
from scipy.spatial import cKDTree

#: Neighbours that share in the place of a galaxy.
N_NEIGHBOURS = 15
#: In more dimensions a tree looks at every point, and a matrix product is faster.
MOST_TREE_DIMENSIONS = 24
#: Numbers in a block of distances.
BLOCK = 1 << 24
BISECTIONS = 32


@dataclass(frozen=True, eq=False)
class Placement:
    """Galaxies of known place, among which others are put.

    Parameters
    ----------
    features : (m, feature) float32
        Of the galaxies of known place; at least one, finite.
    xy : (m, 2) float32
        Their places.
    """

    features: Float[np.ndarray, "m feature"]
    xy: Float[np.ndarray, "m 2"]

    def place(self, features: Float[np.ndarray, "k feature"]) -> Float[np.ndarray, "k 2"]:
        """Places of other galaxies: means of those of their neighbours, weighted as UMAP weights them."""
        found = np.full((len(features), 2), np.nan, np.float32)
        usable = np.flatnonzero(np.isfinite(features).all(axis=1))
        if len(usable):
            distance, rows = self.neighbours(features[usable], N_NEIGHBOURS)
            found[usable] = weighted_places(distance, self.xy[rows])
        return found

    def neighbours(
        self, features: Float[np.ndarray, "k feature"], n_neighbours: int
    ) -> tuple[Float[np.ndarray, "k neighbour"], Int64[np.ndarray, "k neighbour"]]:
        """Distances and rows of the nearest galaxies of known place, nearest first."""
        count = min(n_neighbours, len(self.features))
        if self.features.shape[1] <= MOST_TREE_DIMENSIONS:
            distance, rows = self._tree.query(features, k=list(range(1, count + 1)), workers=-1)
            return distance, rows.astype(np.int64)
        step = max(1, BLOCK // len(self.features))
        blocks = [
            self._searched(features[first : first + step], count) for first in range(0, len(features), step)
        ]
        return np.concatenate([block[0] for block in blocks]), np.concatenate([block[1] for block in blocks])

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.features)

    @cached_property
    def _half_squares(self) -> Float[np.ndarray, " m"]:
        return 0.5 * np.sum(self.features**2, axis=1)

    def _searched(
        self, features: Float[np.ndarray, "k feature"], count: int
    ) -> tuple[Float[np.ndarray, "k neighbour"], Int64[np.ndarray, "k neighbour"]]:
        """Exact neighbours by the product with all: |a - b|^2 / 2 = a^2 / 2 + b^2 / 2 - a b."""
        nearness = features @ self.features.T - self._half_squares[None, :]
        rows = np.argpartition(-nearness, count - 1, axis=1)[:, :count]
        apart = features[:, None, :].astype(np.float64) - self.features[rows]
        distance = np.sqrt(np.sum(apart**2, axis=2))
        order = np.argsort(distance, axis=1, kind="stable")
        return np.take_along_axis(distance, order, 1), np.take_along_axis(rows, order, 1).astype(np.int64)


def weighted_places(
    distance: Float[np.ndarray, "k neighbour"], xy: Float[np.ndarray, "k neighbour 2"]
) -> Float[np.ndarray, "k 2"]:
    """Means of places, weighted by exp(-(d - rho) / sigma).

    As in UMAP (McInnes, Healy & Melville 2018, arXiv:1802.03426), rho is the distance of the nearest, and
    sigma such that the weights add up to log2 of the number of neighbours.
    """
    weight = _weights(distance - distance[:, :1])
    mean = np.einsum("kn,knd->kd", weight, xy) / weight.sum(axis=1, keepdims=True)
    return np.where(distance[:, :1] == 0.0, xy[:, 0], mean).astype(np.float32)


def _weights(further: Float[np.ndarray, "k neighbour"]) -> Float[np.ndarray, "k neighbour"]:
    """Of neighbours further than the nearest by so much; the width by bisection of its logarithm."""
    wanted = np.log2(max(further.shape[1], 2))
    scale = np.maximum(further.max(axis=1), np.finfo(np.float32).tiny)
    low, high = np.full(len(further), -20.0), np.full(len(further), 20.0)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        wide = np.exp(-further / (scale * np.exp(middle))[:, None]).sum(axis=1) > wanted
        low, high = np.where(wide, low, middle), np.where(wide, middle, high)
    return np.exp(-further / (scale * np.exp(high))[:, None])
