"""Galaxies with labels, ready to train on: images and embeddings on disk, read by row."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, Shaped

from nebulium.data.embeddings.source import NOT_FINITE
from nebulium.data.embeddings.store import EmbeddingStore, StoredEmbeddings
from nebulium.data.ids import rows_of_ids
from nebulium.data.images.labelled import StoredImages, prepare_parts
from nebulium.data.images.preparation import Preparation
from nebulium.data.rejects import Rejects
from nebulium.data.splits import FRACTIONS
from nebulium.properties.seen.galaxies import OpenedGalaxies, joined, unused
from nebulium.verbs.labels.joining import LabelledRows

#: Label under which the row of a galaxy among the embeddings goes through the preparation of its image.
_ROW = "embedding_row"


@dataclass(frozen=True, eq=False)
class TrainingGalaxies:
    """Labelled galaxies, as rows to train on.

    Attributes
    ----------
    images : StoredImages, optional
    embeddings : StoredEmbeddings, optional
        n of each; at least one of the two is there.
    labels : mapping of str to ndarray of shape (n, ...)
        NaN where a label is missing.
    """

    images: StoredImages | None
    embeddings: StoredEmbeddings | None
    labels: Mapping[str, Shaped[np.ndarray, "n ..."]]

    def __len__(self) -> int:
        return len(next(iter(self.labels.values())))

    @property
    def seen(self) -> tuple[StoredImages | None, StoredEmbeddings | None]:
        """The arguments of a model."""
        return self.images, self.embeddings

    def take(self, rows: Int[np.ndarray, " k"]) -> dict[str, np.ndarray]:
        """What is seen of galaxies and their labels, in the order asked for."""
        seen = {"image": self.images, "embedding": self.embeddings}
        return {name: stored[rows] for name, stored in seen.items() if stored is not None} | {
            name: values[rows] for name, values in self.labels.items()
        }


def prepare_galaxies(
    galaxies: OpenedGalaxies,
    labelled: LabelledRows,
    part: Shaped[np.ndarray, " n"],
    folder: Path,
    *,
    rejects: Rejects,
    notes: list[str],
    preparation: Preparation | None = None,
    size: int | None = None,
    binning: int = 1,
) -> dict[str, TrainingGalaxies]:
    """Write labelled galaxies for random reading, and give them back by their part of the split."""
    folder.mkdir(exist_ok=True)
    labels, rows = {"value": labelled.values, "sigma": labelled.sigma}, labelled.rows
    images, embeddings = galaxies.images, galaxies.embeddings
    if embeddings is None:
        store, good = None, np.ones(len(rows), bool)
    else:
        store = EmbeddingStore(folder / "embeddings", embeddings, labelled.ids)
        if images is None:
            faults = [(NOT_FINITE, rows_of_ids(labelled.ids, store.faulty) >= 0)]
            good = rejects.set_aside(faults, labelled.ids, rows=rows)
        else:
            good = joined(store, embeddings, images.source, rows, rejects)
            notes.extend(unused(store, "a labelled image"))
        labels[_ROW] = rows_of_ids(labelled.ids, store.ids)
    labels, part = {name: values[good] for name, values in labels.items()}, part[good]
    if images is None:
        of_part = {name: np.flatnonzero(part == name) for name in FRACTIONS}
        return {
            name: _with_embeddings(None, {label: values[those] for label, values in labels.items()}, store)
            for name, those in of_part.items()
        }
    prepared = prepare_parts(
        images.source,
        rows[good],
        part,
        labels,
        folder / "images",
        preparation=preparation,
        size=size,
        binning=binning,
        rejects=rejects,
    )
    return {name: _with_embeddings(one.images, one.labels, store) for name, one in prepared.items()}


def _with_embeddings(
    images: StoredImages | None, labels: Mapping[str, np.ndarray], store: EmbeddingStore | None
) -> TrainingGalaxies:
    known = {name: values for name, values in labels.items() if name != _ROW}
    embeddings = None if store is None else StoredEmbeddings(store, labels[_ROW])
    return TrainingGalaxies(images, embeddings, known)
