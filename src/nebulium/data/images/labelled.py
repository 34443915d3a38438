"""Prepared images with their labels, as rows to train on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped

from nebulium.data.ids import rows_of_ids
from nebulium.data.images.preparation import Preparation, measure_preparation
from nebulium.data.images.source import ImageSource
from nebulium.data.images.store import ImageStore
from nebulium.data.rejects import Rejects
from nebulium.data.splits import FRACTIONS


@dataclass(frozen=True, eq=False)
class StoredImages:
    """Some rows of a store, read when they are indexed."""

    store: ImageStore
    rows: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: np.ndarray) -> Float[np.ndarray, "k side side band"]:
        return self.store.take(self.rows[rows])


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Prepared images and what is known of each.

    Attributes
    ----------
    images : StoredImages
        n of them.
    labels : mapping of str to ndarray of shape (n, ...)
        NaN where a label is missing.
    """

    images: StoredImages
    labels: Mapping[str, Shaped[np.ndarray, "n ..."]]

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Int[np.ndarray, " k"]) -> dict[str, np.ndarray]:
        """Images and labels, in the order asked for."""
        return {"image": self.images[rows], **{name: values[rows] for name, values in self.labels.items()}}

    def select(self, rows: np.ndarray) -> "LabelledImages":
        """Some of them."""
        labels = {name: values[rows] for name, values in self.labels.items()}
        return LabelledImages(StoredImages(self.images.store, self.images.rows[rows]), labels)


def prepare_parts(
    source: ImageSource,
    rows: Int[np.ndarray, " n"],
    part: Shaped[np.ndarray, " n"],
    labels: Mapping[str, Shaped[np.ndarray, "n ..."]],
    folder: Path,
    *,
    rejects: Rejects,
    preparation: Preparation | None = None,
    size: int | None = None,
    binning: int = 1,
) -> dict[str, LabelledImages]:
    """Write rows of a source for random reading, and give them back by their part of the split.

    Rows of the part "" are left out. Without a preparation the training images are measured for it.
    """
    if preparation is None:
        preparation = measure_preparation(source, rows[part == "train"], size=size, binning=binning)
    store = ImageStore.create(folder, source, preparation, rows=rows[part != ""], rejects=rejects)
    place = rows_of_ids(store.ids, source.ids[rows])
    every = LabelledImages(
        StoredImages(store, np.arange(len(store))), {name: values[place] for name, values in labels.items()}
    )
    return {name: every.select(np.flatnonzero(part[place] == name)) for name in FRACTIONS}
