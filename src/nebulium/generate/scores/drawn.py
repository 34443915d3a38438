"""Images drawn at the properties of real galaxies, by the model and by simpler ways, beside the real ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from nebulium.generate.drawing.sample_file import sample_images
from nebulium.generate.model import LatentImageModel
from nebulium.generate.scores import figures
from nebulium.generate.scores.baselines import gaussian_images, nearest_images
from nebulium.generate.scores.features import feature_names, image_features
from nebulium.generate.scores.galaxies import KnownGalaxies
from nebulium.generate.scores.likeness import feature_likeness, real_told_apart, told_apart
from nebulium.generate.scores.memorisation import nearest_training_image, training_images
from nebulium.metrics.probabilistic import Estimate
from nebulium.nn.mapping import map_galaxies
from nebulium.verbs.score import Bootstrap, to_estimate

#: Kinds of images besides those of the model, as tables call them.
GAUSSIAN, NEAREST, REAL = "conditional Gaussian", "nearest training galaxy", "real"
#: Images whose nearest training image is sought, at most.
COMPARED = 500
BATCH = 64
Rows = list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Kinds:
    """Images in flux of galaxies of the same properties, row by row.

    Attributes
    ----------
    conditions : ndarray of shape (n, condition)
        NaN where not known.
    real : ndarray of shape (n, side, side, band)
    drawn : mapping of str to ndarray of shape (n, side, side, band)
        By what they come from, the model first.
    """

    conditions: Float[np.ndarray, "n condition"]
    real: Float[np.ndarray, "n side side band"]
    drawn: Mapping[str, Float[np.ndarray, "n side side band"]]

    @property
    def count(self) -> int:
        """How many there are of each kind."""
        return len(self.conditions)


@dataclass(frozen=True, eq=False)
class Likeness:
    """How like real galaxies drawn ones are.

    Attributes
    ----------
    tables : mapping of str to list of dict
    figures : mapping of str to Figure
    """

    tables: Mapping[str, Rows]
    figures: Mapping[str, Figure]


def draw_kinds(model: LatentImageModel, name: str, galaxies: KnownGalaxies, most: int, seed: int) -> Kinds:
    """Draw images at the properties of some galaxies, spread evenly over them."""
    n = min(most, len(galaxies.test))
    some = galaxies.test.select(np.arange(n) * len(galaxies.test) // n)
    conditions = np.asarray(some.labels["value"])
    drawn = {
        name: sample_images(model, conditions, seed=seed),
        GAUSSIAN: gaussian_images(model, conditions, seed=seed),
    }
    if galaxies.with_training:
        drawn[NEAREST] = nearest_images(model, conditions, galaxies.training)
    real = model.form.preparation.stretch.invert(some.images[np.arange(n)])
    return Kinds(conditions, real, drawn)


def likeness_of(
    model: LatentImageModel, kinds: Kinds, galaxies: KnownGalaxies, bootstrap: Bootstrap
) -> Likeness:
    """Compare drawn images with real ones, and with those of the training."""
    names = feature_names(model.form.bands)
    images = {REAL: kinds.real, **kinds.drawn}
    features = {kind: map_galaxies(image_features, flux, batch=BATCH) for kind, flux in images.items()}
    told = _told_apart_rows(features, kinds.conditions)
    compared = [
        {"images": kind, "feature": one.name, **{k: v for k, v in vars(one).items() if k != "name"}}
        for kind in kinds.drawn
        for one in feature_likeness(features[kind], features[REAL], kinds.conditions, names)
    ]
    tables = {"told_apart": told, "features": compared}
    shown = {
        "pictures": figures.pictures_figure(images),
        "told_apart": figures.told_apart_figure(told),
        "features": figures.feature_figure(features, names),
    }
    if galaxies.with_training:
        training = training_images(model, galaxies.training.images)
        found = {
            kind: nearest_training_image(model, flux[:COMPARED], training)._asdict()
            for kind, flux in images.items()
        }
        spaces = {space: {kind: of[space] for kind, of in found.items()} for space in found[REAL]}
        tables["nearest_training_image"] = [
            row for space, of in spaces.items() for row in _nearest_rows(space, of, bootstrap)
        ]
        shown["nearest_training_image"] = figures.memorisation_figure(spaces)
    return Likeness(tables, shown)


def _told_apart_rows(features: Mapping[str, np.ndarray], conditions: np.ndarray) -> Rows:
    """Areas under the ROC curve: of real galaxies those of two halves, then of each kind and real ones."""
    real = features[REAL]
    areas = {REAL: real_told_apart(real, conditions)}
    areas |= {kind: told_apart(of, real, conditions) for kind, of in features.items() if kind != REAL}
    return [
        {"images": kind, "features": name, "galaxies": len(real), "auc": Estimate(area.value, area.error)}
        for kind, by_name in areas.items()
        for name, area in by_name.items()
    ]


def _nearest_rows(space: str, distances: Mapping[str, np.ndarray], bootstrap: Bootstrap) -> Rows:
    """Median distances to the nearest training image, and over those of real images held out."""
    real = distances[REAL]
    ratio = lambda own, other: float(np.median(own) / np.median(other))  # noqa: E731
    return [
        {
            "distance": space,
            "images": kind,
            "galaxies": len(own),
            "median": float(np.median(own)),
            "over_held_out": to_estimate(bootstrap(ratio, own, real)),
        }
        for kind, own in distances.items()
    ]
