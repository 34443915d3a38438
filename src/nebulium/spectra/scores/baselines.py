"""Simpler ways to say what the spectrum of a galaxy is, by its image."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from nebulium.errors import from_extra
from nebulium.properties.features.profiles import RING_EDGES

#: Trees, and galaxies of a leaf at the least.
TREES, LEAF = 200, 5
#: Rings whose light is the colour and the magnitude of a galaxy: those where it is bright.
WHOLE = 6

POPULATION, COLOURS, RINGS, NEAREST = "mean spectrum", "colours, trees", "rings, trees", "nearest galaxy"


def point_predictions(
    train: Float[np.ndarray, "m feature"],
    test: Float[np.ndarray, "n feature"],
    values: Float[np.ndarray, "m value"],
    *,
    bands: int,
    redshift: tuple[np.ndarray, np.ndarray] | None = None,
    seed: int = 0,
) -> Mapping[str, Float[np.ndarray, "n value"]]:
    """Values of galaxies by each baseline: the mean of all, trees, and the galaxy that looks most alike.

    Features are those of images, standardised, rings first; redshifts of both sets are further features.
    """
    if redshift is not None:
        train, test = (
            np.column_stack([features, np.log10(z)])
            for features, z in zip((train, test), redshift, strict=True)
        )
    light = [colours_and_magnitude(features, bands) for features in (train, test)]
    rings = (len(RING_EDGES) - 1) * bands
    if redshift is not None:
        light = [
            np.column_stack([one, features[:, -1]])
            for one, features in zip(light, (train, test), strict=True)
        ]
    nearest = KDTree(train).query(test)[1]
    return {
        POPULATION: np.broadcast_to(values.mean(axis=0), (len(test), values.shape[1])),
        COLOURS: _trees(light[0], values, light[1], seed),
        RINGS: _trees(np.delete(train, np.s_[rings:train.shape[1] - (redshift is not None)], axis=1), values,
                      np.delete(test, np.s_[rings:test.shape[1] - (redshift is not None)], axis=1), seed),
        NEAREST: values[nearest],
    }  # fmt: skip


def colours_and_magnitude(
    features: Float[np.ndarray, "n feature"], bands: int
) -> Float[np.ndarray, "n band"]:
    """Colours of neighbouring bands and the magnitude in the middle one, of whole galaxies."""
    whole = features[:, : WHOLE * bands].reshape(len(features), WHOLE, bands).mean(axis=1)
    return np.column_stack([whole[:, :-1] - whole[:, 1:], whole[:, bands // 2]])


def _trees(train: np.ndarray, values: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Extremely randomised trees."""
    with from_extra("scikit-learn", "bench"):
        from sklearn.ensemble import ExtraTreesRegressor
    trees = ExtraTreesRegressor(TREES, min_samples_leaf=LEAF, random_state=seed, n_jobs=1)
    scale = np.maximum(values.std(axis=0), 1e-9)
    return trees.fit(train, values / scale).predict(test) * scale
