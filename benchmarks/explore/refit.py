"""How well galaxies are placed in a map that is drawn again without them."""

import numpy as np
from jaxtyping import Float
from scipy.linalg import orthogonal_procrustes

from nebulium.explore.maps.embedding import Embedding, fit_embedding
from nebulium.explore.maps.features import MapFeatures
from nebulium.explore.maps.map_error import PlacementError, placement_error
from nebulium.explore.maps.placement import Placement


def refit_error(
    embedding: Embedding, features: MapFeatures, *, share: float = 0.1, seed: int = 0
) -> PlacementError:
    """Draw the map again without some galaxies, and place them there.

    A new map is turned, shifted, scaled and mirrored against the old one, and the other galaxies move as
    well. It is laid over the old one as well as can be by these four (Procrustes), and what is left of the
    distance is what is reported.
    """
    order = np.random.default_rng(seed).permutation(np.flatnonzero(embedding.fitted))
    left_out, kept = np.split(order, [max(1, round(share * len(order)))])
    part = MapFeatures(features.kind, features.values[kept], features.source[kept], features.sentence)
    again = fit_embedding(embedding.ids[kept], part, seed=seed, most=len(kept))
    turned = laid_over(again.xy, embedding.xy[kept])
    placed = Placement(part.values, turned).place(features.values[left_out])
    return placement_error(placed, embedding.xy[left_out], embedding.xy[kept], turned)


def laid_over(xy: Float[np.ndarray, "m 2"], onto: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "m 2"]:
    """Points turned, mirrored, scaled and shifted to lie as near to others as can be (Procrustes)."""
    middle, wanted = xy.mean(axis=0), onto.mean(axis=0)
    source, target = (xy - middle).astype(np.float64), (onto - wanted).astype(np.float64)
    turn, stretch = orthogonal_procrustes(source, target)
    scale = stretch / max(float(np.sum(source**2)), np.finfo(np.float64).tiny)
    return (scale * source @ turn + wanted).astype(np.float32)
