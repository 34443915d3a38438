"""Galaxies with images and labels: what simpler methods learn from them, and pictures of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from nebulium.data.ids import rows_of_ids
from nebulium.data.images.opening import ImagePaths
from nebulium.data.images.preparation import PreparedImages
from nebulium.data.tables.table import Table
from nebulium.metrics.estimates import FEWEST
from nebulium.properties.baselines.baselines import BASELINES
from nebulium.properties.baselines.integrated_light import light_features
from nebulium.properties.classes import probability_column
from nebulium.properties.labels import LabelledRows
from nebulium.properties.predict import PropertyPredictor
from nebulium.properties.scores.class_scores import LEAST_PROBABILITY
from nebulium.properties.scores.figures import DISPLAY
from nebulium.properties.scores.galleries import (
    as_pictures,
    captions_of,
    class_gallery_rows,
    gallery,
    gallery_rows,
)
from nebulium.properties.scores.scores import Baselines
from nebulium.verbs.held_out import HeldOut
from nebulium.verbs.predict import ID, Opened, Prediction, predict_all

TRAINING_MEAN, RIDGE, FOREST = "training mean", "ridge on integrated light", "forest on integrated light"
#: Galaxies that the baselines learn from at most: their images are read for it.
MOST_TEACHERS = 4000


@dataclass(frozen=True, eq=False)
class LabelledGalaxies:
    """Galaxies with labels, whose images are read as a model takes them."""

    predictor: PropertyPredictor
    images: ImagePaths
    bands: Sequence[str] | None
    labelled: LabelledRows

    def open(self, rows: np.ndarray) -> Opened[PreparedImages]:
        """The images of some of them."""
        return self.predictor.open(self.images, bands=self.bands, ids=self.labelled.ids[rows])

    def predicted(
        self, rows: np.ndarray
    ) -> tuple[Opened[PreparedImages], Prediction, Float[np.ndarray, "k feature"]]:
        """What is predicted of some of them, and their integrated light: their images are read once."""
        opened, light = self.open(rows), []

        def chunks() -> Iterator[PreparedImages]:
            for chunk in opened.chunks:
                light.append(light_features(chunk.images))
                yield chunk

        prediction = predict_all(self.predictor, replace(opened, chunks=chunks()))
        return opened, prediction, np.concatenate(light)

    def baselines(
        self, held: HeldOut, ids: np.ndarray, light: Float[np.ndarray, "k feature"], traditional: bool
    ) -> Baselines | None:
        """What simpler methods learn from the training galaxies, if these are enough, about the scored."""
        training = held.training
        if len(training) > MOST_TEACHERS:
            training = np.sort(np.random.default_rng(0).choice(training, MOST_TEACHERS, replace=False))
        seen = [(chunk.ids, light_features(chunk.images)) for chunk in self.open(training).chunks]
        if not seen:
            return None
        teachers, their_light = (np.concatenate(parts) for parts in zip(*seen, strict=True))
        values = self._values(teachers)
        if np.any(np.isfinite(values).sum(axis=0) < FEWEST):
            return None
        names = {TRAINING_MEAN: "mean", RIDGE: "ridge"} | ({FOREST: "random forest"} if traditional else {})
        place = rows_of_ids(self.labelled.ids[held.rows], ids)
        return {
            name: {
                target: self._learned(kind, target, their_light, column, light)[place]
                for target, column in zip(self.labelled.targets, values.T, strict=True)
            }
            for name, kind in names.items()
        }

    def _learned(
        self, kind: str, target: str, their_light: np.ndarray, labels: np.ndarray, light: np.ndarray
    ) -> np.ndarray:
        """What a baseline predicts; of a class, probabilities by regressions on whether a galaxy is of it."""
        if target not in self.labelled.classes:
            return BASELINES[kind](their_light, labels).predict(light)
        said = [
            BASELINES[kind](their_light, np.where(np.isfinite(labels), labels == place, np.nan)).predict(
                light
            )
            for place in range(len(self.labelled.classes[target]))
        ]
        positive = np.maximum(np.stack(said, axis=1), LEAST_PROBABILITY)
        return positive / positive.sum(axis=1, keepdims=True)

    def gallery(self, predictions: Table, target: str, seed: int) -> Figure:
        """Galaxies of low, high and any value, or of each class, with what is predicted."""
        ids = predictions[ID]
        true = self._values(ids)[:, self.labelled.targets.index(target)]
        if target in self.labelled.classes:
            groups, captions = self._of_classes(predictions, target, true, seed)
        else:
            groups = gallery_rows(true, seed=seed)
            predicted, sigma = (predictions[target + part].astype(np.float64) for part in ("", "_sigma"))
            captions = {
                kind: captions_of(true[rows], predicted[rows], sigma[rows]) for kind, rows in groups.items()
            }
        pictures = {kind: self._pictures(ids[rows]) for kind, rows in groups.items()}
        return gallery(pictures, captions, title=DISPLAY.get(target, target))

    def _of_classes(
        self, predictions: Table, target: str, true: np.ndarray, seed: int
    ) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
        """Galaxies of each class, and what is said of them."""
        names = list(self.labelled.classes[target])
        said = [predictions[probability_column(target, name)].astype(np.float64) for name in names]
        probability = np.stack(said, axis=1)
        best, confidence = np.argmax(probability, axis=1), probability.max(axis=1)
        groups = class_gallery_rows(true, best, confidence, names, seed=seed)
        captions = {
            kind: [f"{names[int(true[row])]}\n→ {names[best[row]]} {confidence[row]:.2f}" for row in rows]
            for kind, rows in groups.items()
        }
        return groups, captions

    def _values(self, ids: np.ndarray) -> Float[np.ndarray, "k target"]:
        """The labels of some galaxies."""
        return self.labelled.values[rows_of_ids(ids, self.labelled.ids)].astype(np.float64)

    def _pictures(self, ids: np.ndarray) -> np.ndarray:
        """Images of galaxies that were predicted before, in this order."""
        if not len(ids):
            return np.zeros((0, 1, 1, 3))
        chunks = list(self.open(rows_of_ids(ids, self.labelled.ids)).chunks)
        found = np.concatenate([chunk.ids for chunk in chunks])
        return as_pictures(np.concatenate([chunk.images for chunk in chunks])[rows_of_ids(ids, found)])
