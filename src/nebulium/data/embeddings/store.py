"""Embeddings of some galaxies in one flat file, from which rows are read in any order."""

import os
import weakref
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int

from nebulium.data.embeddings.source import EmbeddingSource
from nebulium.data.ids import hash_ids
from nebulium.data.output import replace_on_success

#: Ids of galaxies that were not asked for that are kept for a message.
NAMED = 3


class EmbeddingStore:
    """Embeddings on disk, read by row; memory holds only what is asked for.

    The file is read, not mapped: the pages of a map would count as memory of this process.

    Attributes
    ----------
    source : EmbeddingSource
        The table.
    ids : ndarray of shape (n,)
        Whose embeddings are there.
    faulty : ndarray of shape (m,)
        Whose were asked for and cannot be used.
    others, other_ids : int, list
        How many of the table were not asked for, and the first of them.
    """

    def __init__(self, path: Path, source: EmbeddingSource, ids: np.ndarray):
        good: list[np.ndarray] = []
        faulty: list[np.ndarray] = []
        asked = np.sort(hash_ids(ids))
        self.others = 0
        self.other_ids: list[int | str] = []
        source.check_unique()
        with replace_on_success(path) as partial, partial.open("wb") as file:
            for chunk in source.chunks():
                hashes = hash_ids(chunk.ids)
                # The asked are sorted once: a search among them costs less than one for every chunk.
                wanted = np.searchsorted(asked, hashes, "right") > np.searchsorted(asked, hashes)
                usable = wanted & chunk.finite
                file.write(chunk.vectors[usable].tobytes())
                good.append(chunk.ids[usable])
                faulty.append(chunk.ids[wanted & ~usable])
                self.others += int(np.sum(~wanted))
                self.other_ids += chunk.ids[~wanted][: NAMED - len(self.other_ids)].tolist()
        self.ids, self.faulty = np.concatenate(good), np.concatenate(faulty)
        self.source, self.form = source, source.form
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Int[np.ndarray, " k"]) -> Float32[np.ndarray, "k width"]:
        """Read embeddings, in the order asked for."""
        size = 4 * self.form.width
        content = b"".join(os.pread(self._descriptor, size, row * size) for row in rows.tolist())
        return np.frombuffer(content, np.float32).reshape(len(rows), self.form.width)


@dataclass(frozen=True, eq=False)
class StoredEmbeddings:
    """Some rows of a store, read when they are indexed."""

    store: EmbeddingStore
    rows: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: np.ndarray) -> Float32[np.ndarray, "k width"]:
        return self.store.take(self.rows[rows])
