"""How well galaxies are placed in a map that was drawn without them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from scipy.spatial import cKDTree

from nebulium.explore.maps.embedding import Embedding, Progress, fit_embedding
from nebulium.explore.maps.features import MapFeatures
from nebulium.explore.maps.placement import N_NEIGHBOURS, Placement, weighted_places

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
    return _error(weighted_places(distance, placement.xy[near]), placement.xy[rows], placement.xy)


def refit_error(
    embedding: Embedding,
    features: MapFeatures,
    *,
    share: float = 0.1,
    seed: int = 0,
    progress: Progress | None = None,
) -> PlacementError:
    """Draw the map again without some galaxies, and place them there.

    A new map is turned, shifted, scaled and mirrored against the old one, and the other galaxies move as
    well. It is laid over the old one as well as can be by these four (Procrustes), and what is left of the
    distance is what is reported.
    """
    fitted = np.flatnonzero(embedding.fitted)
    order = np.random.default_rng(seed).permutation(fitted)
    left_out, kept = np.split(order, [max(1, round(share * len(order)))])
    part = MapFeatures(features.kind, features.values[kept], features.source[kept], features.sentence)
    again = fit_embedding(embedding.ids[kept], part, seed=seed, most=len(kept), progress=progress)
    turned = laid_over(again.xy, embedding.xy[kept])
    placed = Placement(part.values, turned).place(features.values[left_out])
    return _error(placed, embedding.xy[left_out], embedding.xy[kept], turned)


def laid_over(xy: Float[np.ndarray, "m 2"], onto: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "m 2"]:
    """Points turned, mirrored, scaled and shifted to lie as near to others as can be (Procrustes)."""
    middle, wanted = xy.mean(axis=0), onto.mean(axis=0)
    source, target = (xy - middle).astype(np.float64), (onto - wanted).astype(np.float64)
    left, stretch, right = np.linalg.svd(source.T @ target)
    scale = stretch.sum() / max(float(np.sum(source**2)), np.finfo(np.float64).tiny)
    return (scale * source @ (left @ right) + wanted).astype(np.float32)


def _error(
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
