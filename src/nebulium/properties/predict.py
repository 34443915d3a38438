"""Predictions for many galaxies: images in, tables out, a chunk at a time.

The model is written for one galaxy. Here it is mapped over batches of one size, so that it is compiled once,
however many images there are; the last batch is filled up with its own last image.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from nebulium.data.batches import in_batches
from nebulium.data.images.preparation import prepared_chunks
from nebulium.data.images.source import ImageSource
from nebulium.data.images.store import ImageStore
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.properties.labels import ID
from nebulium.properties.model import PropertyModel, PropertyPrediction

#: Images that go through the networks at a time; each is seen in eight orientations.
BATCH = 32
#: Images that are read at a time, and pixels times bands at most.
READ, READ_PIXELS = 256, 1 << 24
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
        yield as_table(ids, predict_arrays(model, images, batch=batch), model.targets, str(source.path))


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
    source, model, rejects, rows
        As in `predict_images`.

    Yields
    ------
    ids : ndarray of shape (n,)
    images : ndarray of float32 of shape (n, side, side, band)

    Examples
    --------
    See `predict_images`.
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


def as_table(
    ids: np.ndarray, predicted: Predicted, targets: tuple[str, ...], name: str = "predictions"
) -> Table:
    """Predictions as a table."""
    columns: dict[str, np.ndarray] = {ID: ids}
    for place, target in enumerate(targets):
        columns |= {target + ending: getattr(predicted, part)[:, place] for ending, part in PARTS.items()}
    return Table({**columns, "in_domain": predicted.in_domain}, name=name)


@eqx.filter_jit
def _predict(model: PropertyModel, images: Float[Array, "n height width band"]) -> PropertyPrediction:
    return jax.vmap(model)(images)


def _joined(parts: list[Predicted]) -> Predicted:
    names = [entry.name for entry in fields(Predicted)]
    return Predicted(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
