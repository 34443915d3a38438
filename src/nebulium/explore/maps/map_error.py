"""How well galaxies are placed in a map that was drawn without them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from scipy.spatial import cKDTree

from nebulium.explore.maps.embedding import Embedding
from nebulium.explore.maps.features import MapFeatures
from nebulium.explore.maps.placement import N_NEIGHBOURS, weighted_places

#: Galaxies that are left out in turn.
MOST_LEFT_OUT = 2000


@dataclass(frozen=True)
class PlacementError:
    """By how much placed galaxies miss the place that the fit gives them.

    Attributes
    ----------
    median, q84 : float
        Of the distances between the two places, in units of the median distance of a galaxy from the middle
        of the map.
    neighbours_kept : float
        Mean share, of the 15 galaxies nearest in the map, that are the same at both places.
    """

    median: float
    q84: float
    neighbours_kept: float


def left_out_error(embedding: Embedding, features: MapFeatures, *, seed: int = 0) -> PlacementError:
    """Leave galaxies out one by one, and place each among the others of the same map."""
    placement = embedding.placement(features)
    count = len(placement.xy)
    if count < 2:
        return PlacementError(float("nan"), float("nan"), float("nan"))
    rows = np.random.default_rng(seed).permutation(count)[:MOST_LEFT_OUT]
    distance, near = placement.neighbours(placement.features[rows], N_NEIGHBOURS + 1)
    # Itself last, and away with it; one of several twins takes its part.
    others = np.argsort(near == rows[:, None], axis=1, kind="stable")[:, :-1]
    distance, near = np.take_along_axis(distance, others, 1), np.take_along_axis(near, others, 1)
    return placement_error(weighted_places(distance, placement.xy[near]), placement.xy[rows], placement.xy)


def placement_error(
    placed: Float[np.ndarray, "k 2"],
    fitted: Float[np.ndarray, "k 2"],
    others: Float[np.ndarray, "m 2"],
    others_where_placed: Float[np.ndarray, "m 2"] | None = None,
) -> PlacementError:
    """Distances in units of the map, and neighbours among the others in either map."""
    radius = np.median(np.hypot(*(others - np.median(others, axis=0)).T))
    apart = np.hypot(*(placed - fitted).T) / max(float(radius), np.finfo(np.float32).tiny)
    there = _nearest(fitted, others)
    here = _nearest(placed, others if others_where_placed is None else others_where_placed)
    kept = np.mean([np.isin(one, other).mean() for one, other in zip(here, there, strict=True)])
    median, q84 = np.quantile(apart, [0.5, 0.84])
    return PlacementError(float(median), float(q84), float(kept))


def _nearest(xy: Float[np.ndarray, "k 2"], among: Float[np.ndarray, "m 2"]) -> Int64[np.ndarray, "k near"]:
    count = min(N_NEIGHBOURS, len(among))
    return cKDTree(among).query(xy, k=list(range(1, count + 1)))[1].astype(np.int64)
