"""Predictions for many galaxies: images in, tables out, a chunk at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from nebulium import verbs
from nebulium.data.ids import rows_of_ids
from nebulium.data.images.matching import open_for_model
from nebulium.data.images.opening import ImagePaths
from nebulium.data.images.preparation import PreparedImages
from nebulium.data.images.source import ImageSource
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.nn.classes import split_by_target
from nebulium.nn.image_model import model_images
from nebulium.nn.mapping import map_galaxies
from nebulium.properties.classes import probability_column
from nebulium.properties.model import PropertyModel, PropertyPrediction
from nebulium.verbs import Opened, Prediction, PredictionRun, Predictor, find_predictor
from nebulium.verbs.space import Points, Space

#: Images that go through the networks at a time; each is seen in eight orientations.
BATCH = 32
#: The space in which networks see galaxies.
LATENT = Space("latent", "euclidean")
#: Columns of a target, by what they add to its name.
PARTS = {"": "median", "_sigma": "sigma", "_q16": "q16", "_q84": "q84"}


@dataclass(frozen=True, eq=False)
class PropertyPredictor(Predictor[PreparedImages]):
    """Properties of galaxies from their images."""

    predicts = "properties"

    def open(
        self, source: ImagePaths, *, bands: Sequence[str] | None = None, ids: np.ndarray | None = None
    ) -> Opened[PreparedImages]:
        """Open images of any format; they must suit the model."""
        matched = open_for_model(source, self.model.form, bands=bands)
        rows = None if ids is None else np.flatnonzero(rows_of_ids(matched.source.ids, ids) >= 0)
        rejects, notes = Rejects(), list(matched.supposed)

        def chunks() -> Iterator[PreparedImages]:
            yield from model_images(matched.source, self.model, rejects=rejects, rows=rows)
            notes[:] = matched.notes(self.model.form.preparation.size, rejects)

        return Opened(str(matched.source.path), chunks(), matched.source.id_column, rejects, notes)

    def __call__(self, chunk: PreparedImages) -> Prediction:
        """Predict prepared images, with the units of the labels that the model learned from."""
        labels = self.config["units"].items()
        units = {target + part: unit for target, unit in labels if unit for part in PARTS}
        predicted = map_galaxies(self.model, chunk.images, batch=BATCH)
        columns = _columns(predicted, self.model)
        return Prediction(chunk.ids, columns | chunk.beside, units)

    def about(self) -> dict[str, Any]:
        """The properties that are predicted."""
        return {"targets": [*self.model.targets, *dict(self.model.classes)]}


class PropertyEmbedder(PropertyPredictor):
    """The vectors of all networks, one after another, as the image lies."""

    predicts = "places of galaxies by their images"

    def __call__(self, chunk: PreparedImages) -> Prediction:
        """Embed prepared images."""
        vectors, in_domain = map_galaxies(self.model.with_domain, chunk.images, batch=BATCH)
        points = Points(vectors, LATENT)
        columns = {"in_domain": in_domain} | points.columns() | chunk.beside
        return Prediction(chunk.ids, columns, detail=points)


def predict_file(
    images: ImagePaths,
    output: str | Path,
    *,
    model: str | Path,
    bands: Sequence[str] | None = None,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Predict the properties of all galaxies in a set of images.

    Parameters
    ----------
    images : str, Path or sequence of these
        File or folder: see `nebulium.data.open_images`.
    output : str or Path
        A table ending in .parquet, .fits, .ecsv or .csv. Images that cannot be predicted are listed, with the
        reason, beside it in ``<stem>.rejects.csv``. Both appear whole or not at all.
    model : str or Path
        Name of a packaged model, or a model folder.
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
        The images, the model or the output is at fault, the images do not suit the model, or none of them
        can be predicted.

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
    return verbs.predict_file(images, output, model=predictor, options={"bands": bands}, progress=progress)


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
    for chunk in model_images(source, model, rejects=rejects, rows=rows):
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
