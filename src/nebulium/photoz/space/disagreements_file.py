"""Galaxies that photometry gets wrong and the images get right, with their neighbours in both spaces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8
from matplotlib.figure import Figure

from nebulium.data.ids import rows_of_ids
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.photoz.predict import RedshiftPredictor
from nebulium.photoz.scores.figures import OUTLIER, RIGHT
from nebulium.photoz.scores.held_out import HeldOutGalaxies, predict_held_out
from nebulium.photoz.space.embedding import FluxEmbedder, ImageEmbedder
from nebulium.photoz.space.figures import ShownNeighbours, colour_pictures, neighbours_figure
from nebulium.photoz.space.neighbours import Neighbours, nearest
from nebulium.verbs import find_predictor, predict_all
from nebulium.verbs.evaluation import Scoring, check_evaluation_place, evaluation_folder, named_models
from nebulium.verbs.predict import ID
from nebulium.verbs.score import Values

#: The two, in this order: what puts their galaxies into a space, and what stands above their neighbours.
EMBEDDERS: Mapping[str, type[RedshiftPredictor[Any]]] = {"images": ImageEmbedder, "photometry": FluxEmbedder}
HEADINGS = {"images": "nearest by image (latent space)", "photometry": "nearest by photometry"}
FIGURE = "disagreements"


def disagrees(redshift: Values, by: Values, rival: Values) -> Bool[np.ndarray, " n"]:
    """Which galaxies a method gets right that a rival gets wrong."""
    off = [np.abs(predicted - redshift) / (1.0 + redshift) for predicted in (by, rival)]
    return (off[0] < RIGHT) & (off[1] > OUTLIER)


@dataclass(frozen=True, eq=False)
class Disagreements:
    """Two methods on the same galaxies, with the neighbours of each galaxy in the space of each method.

    Attributes
    ----------
    ids : ndarray of shape (n,)
    redshift : ndarray of shape (n,)
        True ones.
    predicted : mapping of str to ndarray of shape (n,)
        By the method: images, then photometry.
    training_ids : ndarray of shape (m,)
        Galaxies that both methods learned from, among which the neighbours are.
    training_redshift : ndarray of shape (m,)
    nearest : mapping of str to Neighbours
        By the method; rows of those that both learned from.
    """

    ids: np.ndarray
    redshift: Values
    predicted: Mapping[str, Values]
    training_ids: np.ndarray
    training_redshift: Float[np.ndarray, " m"]
    nearest: Mapping[str, Neighbours]

    @property
    def right_by_images(self) -> Int64[np.ndarray, " _"]:
        """Rows that images get right and photometry wrong."""
        return np.flatnonzero(disagrees(self.redshift, *self.predicted.values()))

    @property
    def right_by_photometry(self) -> Int64[np.ndarray, " _"]:
        """Rows that photometry gets right and images wrong."""
        return np.flatnonzero(disagrees(self.redshift, *reversed(list(self.predicted.values()))))

    def counts(self) -> dict[str, Any]:
        """How many, and by method the share of all neighbours that are off by more than 0.15 (1 + z)."""
        scale = 1.0 + self.redshift[:, None]
        off = {
            name: np.abs(self.training_redshift[found.rows] - self.redshift[:, None]) / scale
            for name, found in self.nearest.items()
        }
        return {
            "galaxies": len(self.ids),
            "right_by_images": len(self.right_by_images),
            "right_by_photometry": len(self.right_by_photometry),
            "far_neighbours": {name: float(np.mean(one > OUTLIER)) for name, one in off.items()},
        }

    def galaxies(self) -> Table:
        """The galaxies that only one gets right."""
        rows = self._rows()
        predicted = {f"{name}_redshift_median": values[rows] for name, values in self.predicted.items()}
        columns = {ID: self.ids[rows], "redshift_spec": self.redshift[rows], **predicted}
        return Table({**columns, "right_by_images": np.isin(rows, self.right_by_images)}, {}, "galaxies")

    def neighbours(self) -> Table:
        """Their neighbours, the nearest first."""
        rows = self._rows()
        parts = []
        for name, found in self.nearest.items():
            count = found.rows.shape[1]
            own, others = np.repeat(rows, count), found.rows[rows].ravel()
            parts.append(
                {
                    ID: self.ids[own],
                    "space": np.full(len(own), name),
                    "rank": np.tile(np.arange(1, count + 1), len(rows)),
                    "neighbour_id": self.training_ids[others],
                    "distance": found.distances[rows].ravel(),
                    "redshift_spec": self.redshift[own],
                    "neighbour_redshift_spec": self.training_redshift[others],
                }
            )
        columns = {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}
        return Table(columns, {}, "neighbours")

    def _rows(self) -> Int64[np.ndarray, " _"]:
        return np.sort(np.concatenate([self.right_by_images, self.right_by_photometry]))


@dataclass(frozen=True)
class DisagreementsRun:
    """What a run wrote.

    Parameters
    ----------
    output : Path
        The folder.
    galaxies : int
        Test galaxies that were looked at.
    right_by_images, right_by_photometry : int
        How many of them only the images get right, and how many only the photometry.
    shown : int
        Galaxies in the figure.
    far_neighbours : mapping of str to float
        By space, the share of the neighbours of all test galaxies whose redshift is off by more than
        0.15 (1 + z).
    rejects : Rejects
        Galaxies set aside.
    notes : tuple of str
        What was supposed of the data, and what was not used.
    """

    output: Path
    galaxies: int
    right_by_images: int
    right_by_photometry: int
    shown: int
    far_neighbours: Mapping[str, float]
    rejects: Rejects
    notes: tuple[str, ...]


def disagreements_file(
    data: str | Path,
    output: str | Path,
    *,
    model: str | Path,
    photometry: str | Path,
    columns: Mapping[str, Any] | None = None,
    curves: str | Path | None = None,
    n: int = 6,
    count: int = 4,
    seed: int = 0,
) -> DisagreementsRun:
    """Draw galaxies that photometry gets wrong and the images get right, and their neighbours in both spaces.

    Looked at are galaxies in the test part of both models; neighbours are galaxies from whose redshifts both
    have learned.

    Parameters
    ----------
    data : str or Path
        That both models were trained on: folder of a mock survey, or a table with images.
    output : str or Path
        Folder, replaced whole if it is there and from such a run: ``disagreements.png``;
        ``galaxies.parquet``, the
        galaxies that only one of the two gets right; ``neighbours.parquet``, their neighbours;
        ``scores.json``, the counts.
    model : str or Path
        A model of images, by name or folder.
    photometry : str or Path
        A model of fluxes by the method photometry.
    columns : mapping, optional
        Fields of `CatalogueLayout`, by name, in place of those that the model was trained with.
    curves : str or Path, optional
        Table of the transmission curves of the bands; known by the names of the bands if not given.
    n : int
        Most galaxies in the figure: if there are more, some are drawn at random.
    count : int
        Neighbours of each galaxy in each space.
    seed : int
        Of those drawn.

    Returns
    -------
    DisagreementsRun

    Raises
    ------
    NebuliumError
        As in `nebulium.photoz.evaluate_file`; or a model is of another kind, or there
        are too
        few training galaxies.

    Examples
    --------
    >>> disagreements_file("mock", "drawn", model="images", photometry="fluxes")  # doctest: +SKIP
    """
    check_evaluation_place(output)
    paths = dict(zip(EMBEDDERS, (model, photometry), strict=True))
    embedders = {name: find_predictor(path, verb="embed", of=EMBEDDERS[name]) for name, path in paths.items()}
    options: dict[str, Any] = {"columns": columns, "curves": curves}
    held_out = predict_held_out(Scoring(str(data), named_models([model, photometry])), **options)
    found = _disagreements(held_out, data, embedders, options, count)
    shown = np.sort(np.random.default_rng(seed).permutation(found.right_by_images)[:n])
    counts = found.counts()
    about = {"data": str(data), "models": {name: str(path) for name, path in paths.items()}, "seed": seed}
    picture = partial(_pictures, data, embedders["images"], options)
    figure = _figure(held_out, found, shown, picture, _title(counts, len(shown)))
    tables = {"galaxies.parquet": found.galaxies(), "neighbours.parquet": found.neighbours()}
    with evaluation_folder(output, {"about": about, **counts}, tables, {FIGURE: figure}):
        pass
    return DisagreementsRun(
        Path(output), **counts, shown=len(shown), rejects=held_out.rejects, notes=held_out.notes
    )


def _disagreements(
    held_out: HeldOutGalaxies,
    data: str | Path,
    embedders: Mapping[str, RedshiftPredictor[Any]],
    options: Mapping[str, Any],
    count: int,
) -> Disagreements:
    """Test galaxies, and their neighbours among those that both models have learned from."""
    test, training = held_out.galaxies, held_out.training
    if not len(training):
        problem = "has no galaxy from whose redshift both models have learned"
        raise TableError(test.name, problem, "give the data that both models were trained on")
    wanted = np.concatenate([test.ids, training.ids])
    points = {
        name: predict_all(one, one.open(data, **options, ids=wanted)) for name, one in embedders.items()
    }
    in_both = np.all([rows_of_ids(training.ids, one.ids) >= 0 for one in points.values()], axis=0)
    training = training.select(in_both)
    found = {}
    for name, one in points.items():
        among, asked = (one.detail.vectors[rows_of_ids(those.ids, one.ids)] for those in (training, test))
        found[name] = nearest(among, asked, count, distance=one.detail.space.distance)
    densities = held_out.densities.values()
    return Disagreements(
        ids=test.ids,
        redshift=test.redshift.astype(np.float64),
        predicted={name: one.median() for name, one in zip(embedders, densities, strict=True)},
        training_ids=training.ids,
        training_redshift=training.redshift.astype(np.float64),
        nearest=found,
    )


def _title(counts: Mapping[str, Any], shown: int) -> str:
    """What the figure shows, out of how many: the reader should see how it was chosen."""
    right = counts["right_by_images"]
    chosen = "all shown" if shown == right else f"{shown} of them shown, drawn at random"
    far = counts["far_neighbours"]
    return (
        f"Photometry wrong, images right: {right:,} of {counts['galaxies']:,} test galaxies, "
        f"{chosen}\nImages wrong, photometry right: {counts['right_by_photometry']:,}. "
        f"Right is |Δz|/(1+z) < {RIGHT}, wrong is > {OUTLIER}\n"
        f"Neighbours that far off, over all test galaxies: {100 * far['images']:.0f} % by image, "
        f"{100 * far['photometry']:.0f} % by photometry"
    )


def _figure(
    held_out: HeldOutGalaxies,
    found: Disagreements,
    shown: np.ndarray,
    picture: Callable[[np.ndarray], UInt8[np.ndarray, "k height width 3"]],
    title: str,
) -> Figure:
    rows = {name: one.rows[shown] for name, one in found.nearest.items()}
    ids = [found.ids[shown], *(found.training_ids[one.ravel()] for one in rows.values())]
    pictures = picture(np.concatenate(ids))
    own, *others = np.split(pictures, np.cumsum([len(one) for one in ids])[:-1])
    neighbours = {
        HEADINGS[name]: ShownNeighbours(
            their.reshape(*rows[name].shape, *their.shape[1:]), found.training_redshift[rows[name]]
        )
        for name, their in zip(rows, others, strict=True)
    }
    densities = zip(found.predicted, held_out.densities.values(), strict=True)
    return neighbours_figure(
        own,
        found.redshift[shown],
        {name: one.select(shown) for name, one in densities},
        neighbours,
        names=[str(one) for one in ids[0].tolist()],
        title=title,
    )


def _pictures(
    data: str | Path, embedder: RedshiftPredictor[Any], options: Mapping[str, Any], ids: np.ndarray
) -> UInt8[np.ndarray, "k height width 3"]:
    """Of galaxies in this order, some perhaps twice: the part of the images that the network sees."""
    model = embedder.model
    read = list(embedder.open(data, **options, ids=np.unique(ids)).chunks)
    side = model.crops.size
    if not read:
        return np.zeros((0, side, side, 3), np.uint8)
    found, images = (np.concatenate(parts) for parts in zip(*read, strict=True))
    stretch = model.form.preparation.stretch
    seen = np.asarray(jax.vmap(model.crops.middle)(jnp.asarray(stretch.invert(images))))
    return colour_pictures(seen, stretch.softening)[rows_of_ids(ids, found)]
