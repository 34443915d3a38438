"""Galaxies with labels, seen by a model: what simpler methods learn of them, and pictures of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from nebulium.data.ids import rows_of_ids
from nebulium.data.images.opening import ImagePaths
from nebulium.data.tables.table import Table, concatenate_rows
from nebulium.metrics.estimates import FEWEST
from nebulium.properties.baselines.baselines import BASELINES
from nebulium.properties.baselines.integrated_light import light_features
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
from nebulium.properties.seen.galaxies import Embeddings, GalaxyChunk
from nebulium.verbs.held_out import HeldOut
from nebulium.verbs.labels.classes import probability_column
from nebulium.verbs.labels.joining import LabelledRows
from nebulium.verbs.predict import ID, Opened, Prediction, predict_all

TRAINING_MEAN = "training mean"
#: What the baselines learn from.
LIGHT, EMBEDDING = "integrated light", "the embedding"
#: Galaxies that the baselines learn from at most: their images are read for it.
MOST_TEACHERS = 4000


@dataclass(frozen=True, eq=False)
class LabelledGalaxies:
    """Galaxies with labels, which are read as a model takes them."""

    predictor: PropertyPredictor
    images: ImagePaths | None
    embeddings: Embeddings | None
    bands: Sequence[str] | None
    labelled: LabelledRows

    def open(self, rows: np.ndarray) -> Opened[GalaxyChunk]:
        """Some of them."""
        ids = self.labelled.ids[rows]
        return self.predictor.open(self.images, bands=self.bands, embeddings=self.embeddings, ids=ids)

    def predicted(
        self, rows: np.ndarray
    ) -> tuple[Opened[GalaxyChunk], Prediction, Float[np.ndarray, "k feature"]]:
        """What is predicted of some of them, and what baselines see of them: they are read once."""
        opened, seen = self.open(rows), []

        def chunks() -> Iterator[GalaxyChunk]:
            for chunk in opened.chunks:
                seen.append(_features(chunk))
                yield chunk

        prediction = predict_all(self.predictor, replace(opened, chunks=chunks()))
        return opened, prediction, np.concatenate(seen)

    def baselines(
        self, held: HeldOut, ids: np.ndarray, features: Float[np.ndarray, "k feature"], traditional: bool
    ) -> Baselines | None:
        """What simpler methods learn from the training galaxies, if these are enough, about the scored."""
        training = held.training
        if len(training) > MOST_TEACHERS:
            training = np.sort(np.random.default_rng(0).choice(training, MOST_TEACHERS, replace=False))
        seen = [(chunk.ids, _features(chunk)) for chunk in self.open(training).chunks]
        if not seen:
            return None
        teachers, theirs = (np.concatenate(parts) for parts in zip(*seen, strict=True))
        values = self._values(teachers)
        if np.any(np.isfinite(values).sum(axis=0) < FEWEST):
            return None
        what = LIGHT if self.predictor.model.form else EMBEDDING
        names = {TRAINING_MEAN: "mean", f"ridge on {what}": "ridge"}
        names |= {f"forest on {what}": "random forest"} if traditional else {}
        place = rows_of_ids(self.labelled.ids[held.rows], ids)
        return {
            name: {
                target: self._learned(kind, target, theirs, column, features)[place]
                for target, column in zip(self.labelled.targets, values.T, strict=True)
            }
            for name, kind in names.items()
        }

    def _learned(
        self, kind: str, target: str, theirs: np.ndarray, labels: np.ndarray, features: np.ndarray
    ) -> np.ndarray:
        """What a baseline predicts; of a class, probabilities by regressions on whether a galaxy is of it."""
        if target not in self.labelled.classes:
            return BASELINES[kind](theirs, labels).predict(features)
        said = [
            BASELINES[kind](theirs, np.where(np.isfinite(labels), labels == place, np.nan)).predict(features)
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
        found = concatenate_rows(list(self.open(rows_of_ids(ids, self.labelled.ids)).chunks))
        return as_pictures(np.asarray(found.images)[rows_of_ids(ids, found.ids)])


def _features(chunk: GalaxyChunk) -> Float[np.ndarray, "k feature"]:
    """What simpler methods learn from: integrated light, or the embeddings where there are no images."""
    return np.asarray(chunk.embeddings) if chunk.images is None else light_features(chunk.images)
