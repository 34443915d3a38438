"""The map: where each galaxy lies in two dimensions."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64

from nebulium.errors import TableError, from_extra
from nebulium.explore.maps.features import MapFeatures
from nebulium.explore.maps.placement import MOST_TREE_DIMENSIONS, N_NEIGHBOURS, Placement

#: How close points may lie in the map.
MIN_DIST = 0.1
#: Galaxies that the map is fitted to; the others are placed.
MOST_FITTED = 100_000
#: Fewer galaxies than this have no shape that neighbours could show: their principal axes are drawn.
LEAST_FITTED = 3 * N_NEIGHBOURS
#: Galaxies between two reports of progress.
STEP = 8192

#: Takes the work in progress, and the share of it that is done.
Progress = Callable[[str, float], Any]


@dataclass(frozen=True, eq=False)
class Embedding:
    """A map of galaxies.

    Parameters
    ----------
    ids : ndarray of str of shape (n,)
        Of the galaxies, in their order.
    xy : (n, 2) float32
        NaN where a galaxy has no place, because it lacks the features of the map.
    fitted : (n,) bool
        Whether the place was found by the fit; the others were placed amid their neighbours.
    about : mapping
        How it was made: features, seed, versions; goes into JSON.
    """

    ids: np.ndarray
    xy: Float[np.ndarray, "n 2"]
    fitted: Bool[np.ndarray, " n"]
    about: Mapping[str, Any]

    @property
    def placed(self) -> Bool[np.ndarray, " n"]:
        """Which galaxies have a place."""
        return np.isfinite(self.xy[:, 0])

    def placement(self, features: MapFeatures) -> Placement:
        """Puts other galaxies among those that were fitted."""
        return Placement(features.values[self.fitted], self.xy[self.fitted])


def fit_embedding(
    ids: np.ndarray,
    features: MapFeatures,
    *,
    seed: int = 0,
    most: int = MOST_FITTED,
    progress: Progress | None = None,
) -> Embedding:
    """Draw a map with UMAP (McInnes, Healy & Melville 2018, arXiv:1802.03426)."""
    report = progress or (lambda _doing, _share: None)
    usable = np.flatnonzero(features.usable)
    if not len(usable):
        problem = f"has no galaxy to put into the map ({features.sentence})"
        raise TableError("table", problem, "choose another map: --embedding")
    chosen = usable
    if len(usable) > most:
        chosen = np.sort(np.random.default_rng(seed).choice(usable, most, replace=False))
    values = features.values[chosen]
    by_axes = len(chosen) < LEAST_FITTED or not np.ptp(values, axis=0).any()
    fitted = np.zeros(len(ids), bool)
    fitted[chosen] = True
    xy = np.full((len(ids), 2), np.nan, np.float32)
    xy[chosen] = _principal_axes(values) if by_axes else _umap(values, seed, report)
    about = {
        "features": features.sentence,
        "kind": features.kind,
        "method": "principal axes" if by_axes else f"umap-learn {version('umap-learn')}",
        "n_neighbours": N_NEIGHBOURS,
        "min_dist": MIN_DIST,
        "seed": seed,
        "fitted": len(chosen),
    }
    return place_others(Embedding(ids, xy, fitted, about), features, report)


def place_others(embedding: Embedding, features: MapFeatures, progress: Progress | None = None) -> Embedding:
    """The map with every galaxy in its place that has the features for it."""
    rows = np.flatnonzero(features.usable & ~embedding.placed)
    if not len(rows):
        return embedding
    xy, placement = embedding.xy.copy(), embedding.placement(features)
    for part in steps(rows, "placing galaxies", progress):
        xy[part] = placement.place(features.values[part])
    return Embedding(embedding.ids, xy, embedding.fitted, embedding.about)


def _umap(values: Float[np.ndarray, "m feature"], seed: int, progress: Progress) -> Float[np.ndarray, "m 2"]:
    """Places by UMAP, from exact neighbours where these are found fast."""
    few_dimensions = values.shape[1] <= MOST_TREE_DIMENSIONS
    known = _all_neighbours(values, progress) if few_dimensions else (None, None, None)
    progress("loading UMAP", 0.0)
    with warnings.catch_warnings():
        # It warns that it has no TensorFlow, that a seed costs threads, and more of the kind.
        warnings.simplefilter("ignore")
        with from_extra("umap-learn", "explore"):
            from umap import UMAP
        fit = UMAP(
            n_neighbors=N_NEIGHBOURS,
            min_dist=MIN_DIST,
            init="pca",
            random_state=seed,
            precomputed_knn=known,
            force_approximation_algorithm=True,
            tqdm_kwds={"disable": False, "file": _Epochs(progress), "bar_format": "{n_fmt} {total_fmt}"},
        )
        places: np.ndarray = fit.fit_transform(values)
    return places.astype(np.float32)


class _Epochs:
    """The file to which UMAP draws its bar of progress."""

    def __init__(self, progress: Progress):
        self._progress = progress

    def write(self, text: str) -> None:
        done, _, total = text.strip().partition(" ")
        if done.isdecimal() and total.isdecimal():
            self._progress("drawing the map", int(done) / max(int(total), 1))

    def flush(self) -> None:
        pass


def _all_neighbours(values: Float[np.ndarray, "m feature"], progress: Progress) -> tuple[Any, Any, None]:
    """Rows and distances of the neighbours of each galaxy, itself among them, as UMAP takes them."""
    placement = Placement(values, np.zeros((len(values), 2), np.float32))
    parts = [
        placement.neighbours(values[rows], N_NEIGHBOURS)
        for rows in steps(np.arange(len(values)), "looking for neighbours", progress)
    ]
    distance, rows = (np.concatenate(part) for part in zip(*parts, strict=True))
    return rows.astype(np.int32), distance.astype(np.float32), None


def steps(
    rows: Int64[np.ndarray, " k"], doing: str, progress: Progress | None
) -> Iterator[Int64[np.ndarray, " step"]]:
    """Rows, so many at a time, with a report before each step."""
    for first in range(0, len(rows), STEP):
        if progress is not None:
            progress(doing, first / len(rows))
        yield rows[first : first + STEP]


def _principal_axes(values: Float[np.ndarray, "m feature"]) -> Float[np.ndarray, "m 2"]:
    """The two directions in which the galaxies differ most."""
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    places = np.zeros((len(values), 2), np.float32)
    places[:, : len(axes)] = centred @ axes.T
    return places
