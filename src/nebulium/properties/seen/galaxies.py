"""Galaxies as a model sees them: by images, by embeddings from elsewhere, or by both, joined by the id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from jaxtyping import Bool, Float, Float32

from nebulium.data.embeddings.columns import EmbeddingForm, EmbeddingTable
from nebulium.data.embeddings.source import NAME_IDS, NOT_FINITE, EmbeddingSource, open_embeddings
from nebulium.data.embeddings.store import EmbeddingStore
from nebulium.data.ids import rows_of_ids
from nebulium.data.images.matching import MatchedImages, open_for_model
from nebulium.data.images.opening import ImagePaths
from nebulium.data.images.preparation import ImageForm, Preparation, prepared_chunks
from nebulium.data.images.source import ImageSource
from nebulium.data.rejects import Rejects
from nebulium.errors import ImageError, TableError

#: A table of embeddings as Python takes it.
Embeddings = str | Path | EmbeddingTable
NAME_GALAXIES = (
    "name the images: nebulium properties VERB DATA ..., or a table of embeddings: --embeddings TABLE "
    "(embeddings=...)"
)


@dataclass(frozen=True, eq=False)
class GalaxyChunk:
    """Some galaxies, ready for a model.

    Attributes
    ----------
    ids : ndarray of shape (n,)
    images : ndarray of float32 of shape (n, side, side, band), optional
    embeddings : ndarray of float32 of shape (n, width), optional
    beside : dict of str to ndarray of shape (n,)
        What goes into the output as it is: the file of each image, where there are many.
    """

    ids: np.ndarray
    images: Float[np.ndarray, "n side side band"] | None
    embeddings: Float32[np.ndarray, "n number"] | None
    beside: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def seen(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The arguments of a model."""
        return self.images, self.embeddings


@dataclass(frozen=True, eq=False)
class OpenedGalaxies:
    """A set of galaxies that stays on disk.

    Attributes
    ----------
    source : ImageSource or EmbeddingSource
        What gives the galaxies their order: the images, or else the embeddings.
    images : MatchedImages, optional
    embeddings : EmbeddingSource, optional
    """

    source: ImageSource | EmbeddingSource
    images: MatchedImages | None
    embeddings: EmbeddingSource | None

    def chunks(
        self,
        preparation: Preparation | None,
        *,
        rejects: Rejects,
        notes: list[str],
        ids: np.ndarray | None = None,
    ) -> Iterator[GalaxyChunk]:
        """Read them, all or those of some ids, in memory that does not grow with their number.

        Beside images, embeddings go through a temporary file, in which they are found by row.
        """
        if self.images is None or preparation is None:
            if self.embeddings is None:
                raise ValueError("images need a preparation")
            yield from _of_embeddings(self.embeddings, rejects, ids)
            return
        source = self.images.source
        rows = np.arange(len(source)) if ids is None else np.flatnonzero(rows_of_ids(source.ids, ids) >= 0)
        if self.embeddings is None:
            for chunk in prepared_chunks(source, preparation, rejects=rejects, rows=rows):
                yield GalaxyChunk(chunk.ids, chunk.images, None, chunk.beside)
        else:
            with TemporaryDirectory(prefix="nebulium-") as scratch:
                store = EmbeddingStore(Path(scratch) / "embeddings", self.embeddings, source.ids[rows])
                rows = rows[joined(store, self.embeddings, source, rows, rejects)]
                place = rows_of_ids(source.ids, store.ids)
                for chunk in prepared_chunks(source, preparation, rejects=rejects, rows=rows):
                    vectors = store.take(place[chunk.rows])
                    yield GalaxyChunk(chunk.ids, chunk.images, vectors, chunk.beside)
            if ids is None:
                notes.extend(unused(store, "an image"))
        notes.extend(self.images.notes(preparation.size, rejects))


def _of_embeddings(
    source: EmbeddingSource, rejects: Rejects, ids: np.ndarray | None
) -> Iterator[GalaxyChunk]:
    """Embeddings alone, in the order of their table."""
    source.check_unique()
    for chunk in source.chunks():
        asked = np.ones(len(chunk.ids), bool) if ids is None else rows_of_ids(chunk.ids, ids) >= 0
        faults = [(NOT_FINITE, ~chunk.finite[asked])]
        good = np.flatnonzero(asked)[rejects.set_aside(faults, chunk.ids[asked], rows=chunk.rows[asked])]
        if len(good):
            yield GalaxyChunk(chunk.ids[good], None, chunk.vectors[good])


def open_galaxies(
    images: ImagePaths | None,
    embeddings: Embeddings | None,
    *,
    form: ImageForm | None = None,
    learned: EmbeddingForm | None = None,
    bands: Sequence[str] | None = None,
    id_column: str | None = None,
) -> OpenedGalaxies:
    """Open images, embeddings or both, in the forms that a model takes where there is one."""
    names = [] if id_column is None else [id_column]
    matched = None if images is None else open_for_model(images, form, bands=bands)
    vectors = (
        None if embeddings is None else open_embeddings(as_table(embeddings), learned=learned, ids=names)
    )
    source = vectors if matched is None else matched.source
    if source is None:
        raise ImageError("DATA", "is missing", NAME_GALAXIES)
    return OpenedGalaxies(source, matched, vectors)


def as_table(embeddings: Embeddings) -> EmbeddingTable:
    """A table of embeddings named by its path alone."""
    return embeddings if isinstance(embeddings, EmbeddingTable) else EmbeddingTable(embeddings)


def joined(
    store: EmbeddingStore,
    embeddings: EmbeddingSource,
    source: ImageSource,
    rows: np.ndarray,
    rejects: Rejects,
) -> Bool[np.ndarray, " n"]:
    """Which rows of the images have an embedding; the others are set aside."""
    ids = source.ids[rows]
    if len(ids) and not len(store) and not len(store.faulty):
        shown = ", ".join(map(str, store.other_ids))
        of_images = ", ".join(map(str, ids[: len(store.other_ids)].tolist()))
        problem = (
            f"has no id of the images: its ids begin with {shown}, those of {source.path} with {of_images}"
        )
        raise TableError(str(embeddings.path), problem, NAME_IDS)
    faulty = rows_of_ids(ids, store.faulty) >= 0
    lacking = rows_of_ids(ids, store.ids) < 0
    return rejects.set_aside([(NOT_FINITE, faulty), ("has no embedding", lacking)], ids, rows=rows)


def unused(store: EmbeddingStore, without: str) -> list[str]:
    """Embeddings that stand in no row of the images, so that no rejects list them."""
    if not store.others:
        return []
    named = ", ".join(map(str, store.other_ids)) + (", ..." if store.others > len(store.other_ids) else "")
    return [f"{store.others:,} embeddings without {without}: {named}"]
