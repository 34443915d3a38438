"""Images with labels, prepared for training and split."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nebulium.data.id_join import rows_of_ids
from nebulium.data.images.preparation import Preparation, measure_preparation
from nebulium.data.images.source import ImageSource
from nebulium.data.images.store import ImageStore
from nebulium.data.rejects import Rejects
from nebulium.data.splits import FRACTIONS, split_by_id
from nebulium.errors import TableError
from nebulium.properties.labels import LabelledRows

#: Fewer galaxies than this in a part of the split cannot train a model or tell epochs apart.
LEAST_TRAINING, LEAST_VALIDATION = 20, 5


class LabelledImages:
    """Prepared images with their standardised labels, as rows to train on.

    Parameters
    ----------
    store : ImageStore
    rows : ndarray of int of shape (n,)
        Of the store.
    labels, label_sigma : ndarray of shape (n, target), float32
        Standardised; NaN where missing.
    """

    def __init__(self, store: ImageStore, rows: np.ndarray, labels: np.ndarray, label_sigma: np.ndarray):
        self.store, self.rows, self.labels, self.label_sigma = store, rows, labels, label_sigma

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Images and labels, in the order asked for."""
        return {
            "image": self.store.take(self.rows[rows]),
            "label": self.labels[rows],
            "label_sigma": self.label_sigma[rows],
        }


@dataclass(frozen=True, eq=False)
class Part:
    """Galaxies of one part of the split.

    Attributes
    ----------
    rows : ndarray of int of shape (n,)
        Of the store.
    values, sigma : ndarray of shape (n, target), float32
        Labels and their errors, in their own unit.
    """

    rows: np.ndarray
    values: np.ndarray
    sigma: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def prepare_images(
    source: ImageSource,
    labelled: LabelledRows,
    folder: Path,
    *,
    size: int | None,
    binning: int,
    like: Preparation | None,
    split_seed: str,
    fractions: Mapping[str, float],
    rejects: Rejects,
) -> ImageStore:
    """Write all labelled images, cut to one size and stretched, for random reading."""
    if like is None:
        training = split_by_id(labelled.ids, seed=split_seed, fractions=fractions) == "train"
        like = measure_preparation(source, labelled.rows[training], size=size, binning=binning)
    like.stretch.check(source.unit, source.bands, str(source.path))
    return ImageStore.create(
        folder,
        source,
        rows=labelled.rows,
        size=like.size,
        binning=like.binning,
        stretch=like.stretch,
        rejects=rejects,
    )


def split_parts(
    store: ImageStore,
    labelled: LabelledRows,
    *,
    seed: str,
    where: str,
    fractions: Mapping[str, float] = FRACTIONS,
    validated: bool = True,
) -> dict[str, Part]:
    """Galaxies of the store by part of the split."""
    place = rows_of_ids(store.ids, labelled.ids)
    part = split_by_id(store.ids, seed=seed, fractions=fractions)
    parts = {}
    for name in fractions:
        rows = np.flatnonzero(part == name)
        parts[name] = Part(rows, labelled.values[place[rows]], labelled.sigma[place[rows]])
    found = {name: len(parts[name]) for name in ("train", "validation")}
    if found["train"] < LEAST_TRAINING or found["validation"] < LEAST_VALIDATION * validated:
        needed = f"at least {LEAST_TRAINING} galaxies to train on and {LEAST_VALIDATION} to validate"
        raise TableError(where, f"expected {needed}, found {found}", "give more labelled images")
    return parts
