"""Predictions for many galaxies: images or embeddings in, tables out, a chunk at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from nebulium import verbs
from nebulium.data.images.opening import ImagePaths
from nebulium.data.images.preparation import prepared_chunks
from nebulium.data.images.source import ImageSource
from nebulium.data.output import as_paths, check_not_input
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table, ending_of
from nebulium.errors import ImageError, TableError
from nebulium.nn.classes import split_by_target
from nebulium.nn.mapping import map_galaxies
from nebulium.properties.model import PropertyModel, PropertyPrediction
from nebulium.properties.seen.galaxies import Embeddings, GalaxyChunk, OpenedGalaxies, as_table, open_galaxies
from nebulium.verbs import Opened, Prediction, PredictionRun, Predictor, find_predictor
from nebulium.verbs.labels.classes import probability_column
from nebulium.verbs.space import Points, Space

#: Images that go through the networks at a time, each seen in eight orientations; and embeddings alone.
BATCH, BATCH_OF_EMBEDDINGS = 32, 1024
#: The space in which networks see galaxies.
LATENT = Space("latent", "euclidean")
#: Columns of a target, by what they add to its name.
PARTS = {"": "median", "_sigma": "sigma", "_q16": "q16", "_q84": "q84"}


@dataclass(frozen=True, eq=False)
class PropertyPredictor(Predictor[GalaxyChunk]):
    """Properties of galaxies from their images, embeddings or both."""

    predicts = "properties"

    def open(
        self,
        source: ImagePaths | None,
        *,
        bands: Sequence[str] | None = None,
        embeddings: Embeddings | None = None,
        ids: np.ndarray | None = None,
    ) -> Opened[GalaxyChunk]:
        """Open images of any format and a table of embeddings, or one of them; they must suit the model."""
        galaxies = self.open_galaxies(source, bands=bands, embeddings=embeddings)
        preparation = None if self.model.form is None else self.model.form.preparation
        rejects, notes = Rejects(), [] if galaxies.images is None else list(galaxies.images.supposed)

        def chunks() -> Iterator[GalaxyChunk]:
            found: list[str] = []
            yield from galaxies.chunks(preparation, rejects=rejects, notes=found, ids=ids)
            notes[:] = found

        first, table = galaxies.source, galaxies.embeddings
        metadata = {} if table is None else {"embeddings": str(table.path)}
        return Opened(str(first.path), chunks(), first.id_column, rejects, notes, metadata)

    def open_galaxies(
        self, images: ImagePaths | None, *, bands: Sequence[str] | None, embeddings: Embeddings | None
    ) -> OpenedGalaxies:
        """The images and the table of embeddings; of a model of embeddings alone the source is the table."""
        form, sight, name = self.model.form, self.model.sight, f"model {self.models[0].name}"
        if form is None and embeddings is None:
            images, embeddings = None, _only_table(images, name)
        if form is None and images is not None:
            raise ImageError(
                name, "sees embeddings alone, and no images", "leave out the images: DATA (images=None)"
            )
        if form is not None and images is None:
            mend = "name the images: nebulium properties VERB DATA ... (images=)"
            raise ImageError(name, "sees images, and none are given", mend)
        if sight is None and embeddings is not None:
            mend = "leave out --embeddings (embeddings=)"
            raise TableError(name, "sees images alone, and no embeddings", mend)
        if sight is not None and embeddings is None:
            problem = f"sees embeddings beside the images ({sight.form.asked}), and none are given"
            raise TableError(name, problem, "give their table: --embeddings TABLE (embeddings=)")
        learned = None if sight is None else sight.form
        return open_galaxies(images, embeddings, form=form, learned=learned, bands=bands)

    def __call__(self, chunk: GalaxyChunk) -> Prediction:
        """Predict galaxies, with the units of the labels that the model learned from."""
        labels = self.config["units"].items()
        units = {target + part: unit for target, unit in labels if unit for part in PARTS}
        predicted = map_galaxies(self.model, *chunk.seen, batch=batch_of(self.model))
        columns = _columns(predicted, self.model)
        return Prediction(chunk.ids, columns | chunk.beside, units)

    def about(self) -> dict[str, Any]:
        """The properties that are predicted."""
        return {"targets": [*self.model.targets, *dict(self.model.classes)]}


class PropertyEmbedder(PropertyPredictor):
    """The vectors of all networks, one after another, as the image lies; and the embedding from elsewhere."""

    predicts = "places of galaxies by their images or embeddings"

    def __call__(self, chunk: GalaxyChunk) -> Prediction:
        """Place galaxies."""
        batch = batch_of(self.model)
        vectors, in_domain = map_galaxies(self.model.with_domain, *chunk.seen, batch=batch)
        points = Points(vectors, LATENT)
        columns = {"in_domain": in_domain} | points.columns() | chunk.beside
        return Prediction(chunk.ids, columns, detail=points)


def _only_table(source: ImagePaths | None, name: str) -> Embeddings:
    """What is given to a model of embeddings alone: their table."""
    paths = [] if source is None else as_paths(source)
    if len(paths) != 1 or ending_of(paths[0]) is None:
        mend = "give their table: --embeddings TABLE (embeddings=)"
        raise TableError(name, "sees embeddings alone, and no table of them is given", mend)
    return paths[0]


def batch_of(model: PropertyModel) -> int:
    """Galaxies that go through a model at a time."""
    return BATCH_OF_EMBEDDINGS if model.form is None else BATCH


def predict_file(
    images: ImagePaths | None,
    output: str | Path,
    *,
    model: str | Path,
    embeddings: Embeddings | None = None,
    bands: Sequence[str] | None = None,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Predict the properties of all galaxies in a set of images, or a table of embeddings.

    Parameters
    ----------
    images : str, Path, sequence of these, or None
        File or folder: see `nebulium.data.open_images`. None for a model that sees embeddings alone.
    output : str or Path
        A table ending in .parquet, .fits, .ecsv or .csv. Images that cannot be predicted are listed, with the
        reason, beside it in ``<stem>.rejects.csv``. Both appear whole or not at all.
    model : str or Path
        Name of a packaged model, or a model folder.
    embeddings : str, Path or EmbeddingTable, optional
        For a model that sees embeddings: their table. It is read in pieces; beside images its vectors go
        through a file in the folder for temporary files.
    bands : sequence of str, optional
        Which bands of the images, in which order; by default those of the model.
    progress : callable of int, optional
        Gets the number of galaxies predicted so far, after each chunk.

    Returns
    -------
    PredictionRun

    Raises
    ------
    NebuliumError
        The images, the embeddings, the model or the output is at fault, they do not suit the model, or none
        of the galaxies can be predicted.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data.tables.reading import read_table
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     np.save(f"{scratch}/a.npy", np.random.default_rng(0).integers(0, 255, (2, 96, 96, 3), np.uint8))
    ...     run = predict_file(f"{scratch}/a.npy", f"{scratch}/oh.ecsv", model="sdss-metallicity")
    ...     run.rows, read_table(f"{scratch}/oh.ecsv").columns.keys() >= {"oh_p50", "oh_p50_sigma"}
    (2, True)
    """
    predictor = find_predictor(model, of=PropertyPredictor)
    table = None if embeddings is None else as_table(embeddings)
    if table is not None:
        check_not_input(Path(table.path), Path(output))
    options = {"bands": bands, "embeddings": table}
    return verbs.predict_file(images, output, model=predictor, options=options, progress=progress)


def predict_images(
    source: ImageSource,
    model: PropertyModel,
    *,
    rejects: Rejects,
    rows: Int[np.ndarray, " k"] | None = None,
    batch: int = BATCH,
) -> Iterator[Table]:
    """Predict the properties of galaxies from their images, in memory that does not grow with their number.

    Parameters
    ----------
    source : ImageSource
        With the bands of the model, in its order.
    model : PropertyModel
    rejects : Rejects
        Takes the images that cannot be predicted.
    rows : ndarray of int of shape (k,), optional
        Which images; all if not given.
    batch : int
        Images that go through the networks at a time.

    Yields
    ------
    Table
        `target_id`, for each target `TARGET` (median), `TARGET_sigma` (half of the central 68 %),
        `TARGET_q16` and `TARGET_q84` in the unit of the labels, for each that is a class `TARGET` (the most
        probable one) and the probabilities `TARGET_p_CLASS`, `in_domain`, and of many files `file`; at least
        one row.

    Raises
    ------
    ImageError
        The images do not suit the model.
    TableError
        The model sees embeddings too.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data.images.opening import open_images
    >>> model = PropertyModel(
    ...     targets=["oh12"], bands=["r"], unit="", size=16, stretch={"kind": "none", "softening": []},
    ...     encoder="resnet-small", head="gaussian", domain_references=8,
    ... )
    >>> rejects = Rejects()
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     images = np.ones((3, 16, 16, 1), np.float32)
    ...     images[1] = 0.0
    ...     np.save(f"{scratch}/a.npy", images)
    ...     source = open_images(f"{scratch}/a.npy", bands=["r"])
    ...     tables = list(predict_images(source, model, rejects=rejects))
    >>> tables[0]["target_id"].tolist(), list(tables[0].columns), rejects.summary()
    ([0, 2], ['target_id', 'oh12', 'oh12_sigma', 'oh12_q16', 'oh12_q84', 'in_domain'], '1 row set aside: ...')
    """
    if model.form is None or model.sight is not None:
        problem = "sees embeddings, and gets images alone"
        raise TableError("the model", problem, "use predict_file(images, output, model=..., embeddings=...)")
    for chunk in prepared_chunks(source, model.form.preparation, rejects=rejects, rows=rows):
        columns = _columns(map_galaxies(model, chunk.images, batch=batch), model)
        yield Prediction(chunk.ids, columns | chunk.beside).as_table(name=str(source.path))


def _columns(predicted: PropertyPrediction, model: PropertyModel) -> dict[str, np.ndarray]:
    """Columns of a table of predictions."""
    columns = {
        target + ending: np.asarray(getattr(predicted, part))[:, place]
        for place, target in enumerate(model.targets)
        for ending, part in PARTS.items()
    }
    parts = split_by_target(np.asarray(predicted.probability), model.class_counts)
    for (target, names), probability in zip(model.classes, parts, strict=True):
        columns[target] = np.array(names)[np.argmax(probability, axis=1)]
        columns |= {
            probability_column(target, name): one for name, one in zip(names, probability.T, strict=True)
        }
    return {**columns, "in_domain": np.asarray(predicted.in_domain)}
