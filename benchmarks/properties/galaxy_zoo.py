"""Classes of Galaxy Zoo from real SDSS pictures: five-fold cross-validation."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.results import Check, Result, Target
from benchmarks.settings import Settings, data_folder, save_figure
from nebulium.data.ids import hash_ids
from nebulium.data.images.opening import open_images
from nebulium.data.images.preparation import measure_preparation, prepared_chunks
from nebulium.data.images.source import ImageSource
from nebulium.data.rejects import Rejects
from nebulium.metrics.classes import balanced_accuracy, expected_calibration_error, roc_auc
from nebulium.metrics.estimates import estimate as bootstrapped
from nebulium.nn.mapping import map_galaxies
from nebulium.properties.features.names import FEATURES
from nebulium.properties.kernel_classes import fit_kernel_classes
from nebulium.properties.scores.class_figures import class_figures
from nebulium.properties.scores.class_scores import class_columns
from nebulium.verbs.labels.joining import LabelledRows, join_labels, read_labels

TARGETS = ("visual_class", "is_odd")
FOLDS = 5
WIDEST_ERROR = Target(most=0.03)
NEEDED = {
    "visual_class": {"accuracy": Target(least=0.90), "balanced accuracy": Target(least=0.80)},
    "is_odd": {"ROC AUC": Target(least=0.89)},
}
OURS = "kernel logistic regression on all three"
#: Features and labels to learn from, features of new galaxies and their groups -> probabilities (k, class).
Predict = Callable[[np.ndarray, np.ndarray, np.ndarray, tuple[int, ...]], np.ndarray]


def galaxy_zoo_source() -> tuple[ImageSource, LabelledRows]:
    """The pictures, and the labels of those that have some."""
    folder: Path = data_folder() / "sdss" / "galaxy_zoo"
    source = open_images(folder / "galaxy_zoo_jpg_128.zip")
    labels = read_labels(folder / "galaxy_zoo_labels.csv", source, TARGETS, id_column="galaxy_id")
    return source, join_labels(source, labels, TARGETS, Rejects())


def _labelled_pictures() -> tuple[LabelledRows, np.ndarray]:
    """The labelled pictures, prepared, and their labels."""
    source, labelled = galaxy_zoo_source()
    preparation = measure_preparation(source, labelled.rows[:1])
    chunks = prepared_chunks(source, preparation, rejects=Rejects(), rows=labelled.rows)
    return labelled, np.concatenate([chunk.images for chunk in chunks])


def measure(settings: Settings) -> list[Result]:
    """Every method on the same folds; all that it chooses it chooses within the training folds."""
    labelled, images = _labelled_pictures()
    features = {name: map_galaxies(measure, images) for name, measure in FEATURES.items()}
    return [_result(target, labelled, features) for target in TARGETS]


def _result(target: str, labelled: LabelledRows, features: dict[str, np.ndarray]) -> Result:
    place = labelled.targets.index(target)
    rows = np.flatnonzero(np.isfinite(labelled.values[:, place]))
    true, names = labelled.values[rows, place].astype(float), labelled.classes[target]
    fold = hash_ids(labelled.ids[rows], seed="folds") % np.uint64(FOLDS)
    found = []
    for method, (kinds, predict) in _methods().items():
        said = np.zeros((len(rows), len(names)))
        for one in range(FOLDS):
            parts = [features[kind][rows] for kind in kinds]
            train, test = fold != one, fold == one
            scaled = [_standardised(part, train) for part in parts]
            groups = tuple(part.shape[1] for part in scaled)
            x = np.concatenate(scaled, axis=1)
            said[test] = predict(x[train], true[train], x[test], groups)
        found.append(_scored(target, method, true, said))
        if method == OURS:
            for name, figure in class_figures(target, names, class_columns(true, said)).items():
                save_figure(figure, f"properties/galaxy_zoo_{target}_{name}")
    counts = ", ".join(f"{int(np.sum(true == place)):,} {name}" for place, name in enumerate(names))
    return Result(
        f"properties/galaxy_zoo_{target}",
        f"{target} of Galaxy Zoo pictures",
        f"{len(rows):,} colour cutouts of 128 pixels ({counts}); {FOLDS}-fold cross-validation, the folds a "
        "hash of the id, errors by bootstrap over galaxies. The last method is what "
        "`--head gaussian-process` trains for classes, and the packaged model `galaxy-zoo-classes`.",
        ("method", "accuracy", "balanced accuracy", "ROC AUC", "log loss / nat", "calibration error"),
        found,
    )


def _standardised(part: np.ndarray, train: np.ndarray) -> np.ndarray:
    return (part - part[train].mean(axis=0)) / np.maximum(part[train].std(axis=0), 1e-3)


def _methods() -> dict[str, tuple[tuple[str, ...], Predict]]:
    every = tuple(FEATURES)
    return {
        "gradient boosting on profiles": (("profiles",), _trees),
        "logistic regression on profiles": (("profiles",), _linear),
        "logistic regression on scattering": (("scattering",), _linear),
        "kernel logistic regression on scattering": (("scattering",), _kernel),
        "kernel logistic regression on modes and scattering": (("modes", "scattering"), _kernel),
        OURS: (every, _kernel),
    }


def _trees(x: np.ndarray, label: np.ndarray, new: np.ndarray, groups: tuple[int, ...]) -> np.ndarray:
    return HistGradientBoostingClassifier(random_state=0, max_iter=100).fit(x, label).predict_proba(new)


def _linear(x: np.ndarray, label: np.ndarray, new: np.ndarray, groups: tuple[int, ...]) -> np.ndarray:
    law = make_pipeline(StandardScaler(), PCA(0.99, random_state=0), LogisticRegression(C=0.1, max_iter=1000))
    return law.fit(x, label).predict_proba(new)


def _kernel(x: np.ndarray, label: np.ndarray, new: np.ndarray, groups: tuple[int, ...]) -> np.ndarray:
    count = int(label.max()) + 1
    law, (temperature,) = fit_kernel_classes(x, label[:, None], groups=groups, counts=(count,))
    said = np.asarray(jax.jit(jax.vmap(law.probabilities))(jnp.asarray(new, jnp.float32)), np.float64)
    warm = said ** (1 / temperature)
    return warm / warm.sum(axis=1, keepdims=True)


def _scored(target: str, method: str, true: np.ndarray, said: np.ndarray) -> list[object]:
    columns = class_columns(true, said)
    right, confidence = columns["right"], columns["confidence"]
    area = bootstrapped(roc_auc, true, columns["score"]) if "score" in columns else "–"
    cells = {
        "accuracy": bootstrapped(lambda one: float(one.mean()), right),
        "balanced accuracy": bootstrapped(balanced_accuracy, true, right),
        "ROC AUC": area,
        "log loss": bootstrapped(lambda one: float(one.mean()), columns["log_loss"]),
        "calibration error": bootstrapped(expected_calibration_error, right, confidence),
    }
    if method == OURS:
        needed = NEEDED[target] | {"calibration error": WIDEST_ERROR}
        cells |= {name: Check(f"{target}: {name}", cells[name], aim) for name, aim in needed.items()}
    return [method, *cells.values()]
