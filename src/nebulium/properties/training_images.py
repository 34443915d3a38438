"""Images with labels, prepared for training and split."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nebulium.data.id_join import rows_of_ids
from nebulium.data.images.preparation import Preparation, measure_preparation
from nebulium.data.images.source import ImageSource
from nebulium.data.images.store import ImageStore
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
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
    split: Split,
    rejects: Rejects,
) -> ImageStore:
    """Write all labelled images, cut to one size and stretched, for random reading."""
    if like is None:
        training = split.rows(labelled.ids)["train"]
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
    split: Split,
    *,
    where: str,
    validated: bool = True,
) -> dict[str, Part]:
    """Galaxies of the store by part of the split."""
    place = rows_of_ids(store.ids, labelled.ids)
    rows = split.rows(store.ids)
    split.check_enough(rows, train=LEAST_TRAINING, validation=LEAST_VALIDATION * validated, where=where)
    return {
        name: Part(those, labelled.values[place[those]], labelled.sigma[place[those]])
        for name, those in rows.items()
    }
