"""Predictions for many galaxies: images in, tables out, a chunk at a time.

The model is written for one galaxy. Here it is mapped over batches of one size, so that it is compiled once,
however many images there are; the last batch is filled up with its own last image.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from nebulium import verbs
from nebulium.data.batches import in_batches
from nebulium.data.id_join import rows_of_ids
from nebulium.data.images.matching import match_to_model
from nebulium.data.images.opening import open_images
from nebulium.data.images.preparation import prepared_chunks
from nebulium.data.images.sides import measured_images
from nebulium.data.images.source import ImageSource
from nebulium.data.images.store import ImageStore
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.nn.convolution import Image
from nebulium.properties.model import PropertyModel, PropertyPrediction
from nebulium.verbs import Opened, Prediction, PredictionRun, Predictor, find_predictor
from nebulium.verbs.space import Points, Space

#: Images that go through the networks at a time; each is seen in eight orientations.
BATCH = 32
#: Images that are read at a time, and pixels times bands at most.
READ, READ_PIXELS = 256, 1 << 24
#: The space in which networks see galaxies.
LATENT = Space("latent", "euclidean")
#: Columns of a target, by what they add to its name.
PARTS = {"": "median", "_sigma": "sigma", "_q16": "q16", "_q84": "q84"}


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a model says of many galaxies.

    Parameters
    ----------
    median, sigma, q16, q84 : ndarray of float32 of shape (n, target)
    in_domain : ndarray of bool of shape (n,)
    """

    median: Float[np.ndarray, "n target"]
    sigma: Float[np.ndarray, "n target"]
    q16: Float[np.ndarray, "n target"]
    q84: Float[np.ndarray, "n target"]
    in_domain: Bool[np.ndarray, " n"]


def predict_arrays(
    model: PropertyModel, images: Float[np.ndarray, "n height width band"], *, batch: int = BATCH
) -> Predicted:
    """Predict galaxies from prepared images in memory."""
    return Predicted(*jax.tree.leaves(in_batches(partial(_predict, model), images, size=batch)))


def predict_stored(model: PropertyModel, store: ImageStore, rows: Int[np.ndarray, " k"]) -> Predicted:
    """Predict galaxies of a store, of which memory holds a few at a time."""
    chunks = [rows[first : first + READ] for first in range(0, len(rows), READ)]
    return _joined([predict_arrays(model, store.take(chunk)) for chunk in chunks])


#: Ids and prepared images.
PreparedImages = tuple[np.ndarray, Float[np.ndarray, "n side side band"]]


@dataclass(frozen=True, eq=False)
class PropertyPredictor(Predictor[PreparedImages]):
    """Properties of galaxies from their images."""

    predicts = "properties"

    def open(
        self,
        source: Path,
        *,
        bands: Sequence[str] | None = None,
        ids: np.ndarray | None = None,
    ) -> Opened[PreparedImages]:
        """Open images of any format; they must suit the model."""
        matched = match_to_model(open_images(source, bands=bands), self.model)
        measured = measured_images(matched.source)
        rows = None if ids is None else np.flatnonzero(rows_of_ids(matched.source.ids, ids) >= 0)
        rejects, notes = Rejects(), list(matched.notes)

        def chunks() -> Iterator[PreparedImages]:
            yield from model_images(measured.source, self.model, rejects=rejects, rows=rows)
            notes.extend(measured.padded_notes(self.model.preparation.size, rejects))

        return Opened(str(source), chunks(), measured.source.id_column, rejects, notes)

    def __call__(self, chunk: PreparedImages) -> Prediction:
        """Predict prepared images, with the units of the labels that the model learned from."""
        ids, images = chunk
        labels = self.config["units"].items()
        units = {target + part: unit for target, unit in labels if unit for part in PARTS}
        return Prediction(ids, _columns(predict_arrays(self.model, images), self.model.targets), units)

    def about(self) -> dict[str, Any]:
        """The properties that are predicted."""
        return {"targets": list(self.model.targets)}


class PropertyEmbedder(PropertyPredictor):
    """The vectors of all networks, one after another, as the image lies."""

    predicts = "places of galaxies by their images"

    def __call__(self, chunk: PreparedImages) -> Prediction:
        """Embed prepared images."""
        ids, images = chunk
        vectors, in_domain = in_batches(partial(_embed, self.model), images, size=BATCH)
        points = Points(vectors, LATENT)
        return Prediction(ids, {"in_domain": in_domain} | points.columns(), detail=points)


def predict_file(
    images: str | Path,
    output: str | Path,
    *,
    model: str | Path,
    bands: Sequence[str] | None = None,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Predict the properties of all galaxies in a set of images.

    Parameters
    ----------
    images : str or Path
        File or folder: see `nebulium.data.open_images`.
    output : str or Path
        A table ending in .parquet, .fits or .ecsv. Images that cannot be predicted are listed, with the
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
        See `nebulium.data.images.matching`.
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
        `TARGET_q16` and `TARGET_q84` in the unit of the labels, and `in_domain`; at least one row.

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
    for ids, images in model_images(source, model, rejects=rejects, rows=rows):
        columns = _columns(predict_arrays(model, images, batch=batch), model.targets)
        yield Prediction(ids, columns).as_table(name=str(source.path))


def model_images(
    source: ImageSource,
    model: PropertyModel,
    *,
    rejects: Rejects,
    rows: Int[np.ndarray, " k"] | None = None,
) -> Iterator[tuple[np.ndarray, Float[np.ndarray, "n side side band"]]]:
    """Images as a model sees them, so many at a time as memory should hold.

    Parameters
    ----------
    source : ImageSource
        The images.
    model : PropertyModel
        The model.
    rejects : Rejects
        Takes the images that cannot be used.
    rows : ndarray of int of shape (k,), optional
        Which images; all if not given.

    Yields
    ------
    ids : ndarray of shape (n,)
    images : ndarray of float32 of shape (n, side, side, band)

    Examples
    --------
    >>> ids, images = next(model_images(source, model, rejects=Rejects()))  # doctest: +SKIP
    """
    preparation = model.preparation
    most = READ_PIXELS // (preparation.size**2 * len(model.bands))
    yield from prepared_chunks(
        source,
        size=preparation.size,
        stretch=preparation.stretch,
        binning=preparation.binning,
        rejects=rejects,
        rows=rows,
        batch=max(1, min(READ, most)),
    )


def _columns(predicted: Predicted, targets: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Columns of a table of predictions."""
    columns: dict[str, np.ndarray] = {}
    for place, target in enumerate(targets):
        columns |= {target + ending: getattr(predicted, part)[:, place] for ending, part in PARTS.items()}
    return {**columns, "in_domain": predicted.in_domain}


@eqx.filter_jit
def _predict(model: PropertyModel, images: Float[Array, "n height width band"]) -> PropertyPrediction:
    return jax.vmap(model)(images)


@eqx.filter_jit
def _embed(
    model: PropertyModel, images: Float[Array, "n height width band"]
) -> tuple[Float[Array, "n latent"], Bool[Array, " n"]]:
    def one(image: Image) -> tuple[Float[Array, " latent"], Bool[Array, ""]]:
        return model.embedding(image), model.domain.contains(model.standards.profiles(image))

    return jax.vmap(one)(images)


def _joined(parts: Sequence[Any]) -> Predicted:
    names = [entry.name for entry in fields(Predicted)]
    return Predicted(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
