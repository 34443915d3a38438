"""Metallicity from the 400 real SDSS cutouts: five-fold cross-validation, five times over."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.results import Check, Result, Target
from benchmarks.settings import Settings, data_folder
from nebulium.data.ids import hash_ids
from nebulium.data.images.opening import open_images
from nebulium.data.images.preparation import prepared_chunks
from nebulium.data.rejects import Rejects
from nebulium.metrics.estimates import estimate as bootstrapped
from nebulium.metrics.point import nmad, rmse
from nebulium.metrics.probabilistic import Estimate
from nebulium.modelfile import load_model
from nebulium.properties.baselines.baselines import MeanBaseline, RidgeBaseline
from nebulium.properties.baselines.integrated_light import colours_of, magnitudes_of
from nebulium.properties.baselines.learned import ExtraTreesBaseline, ForestBaseline, SupportVectorBaseline
from nebulium.properties.features.modes import mode_features
from nebulium.properties.features.profiles import profile_features, radial_order
from nebulium.properties.gaussian_process import fit_gaussian_process
from nebulium.properties.model import PropertyModel
from nebulium.verbs.labels.joining import join_labels, read_labels

MODEL, TARGET = "sdss-metallicity", "oh_p50"
FOLDS, REPEATS = 5, 5
MOST_RMSE = Target(most=0.094)
COVERS = Target(0.62, 0.74)
BETTER = Target(least=0.0)
# Inner part of the cutout, as a share of its side, whose light counts as the galaxy's.
APERTURE = 0.25
OURS = "process on rings, modes and networks"
RINGS = ("inner rings", "middle rings", "outer rings")
Predict = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def measure(settings: Settings) -> list[Result]:
    """Every method on the same folds; all that it chooses it chooses within the training folds."""
    ids, images, true = _galaxies()
    features = _features(images)
    predicted = {name: _repeated(ids, true, features[of], fit) for name, (of, fit) in _methods().items()}
    intervals = {
        name: _repeated(ids, true, np.concatenate([features[one] for one in of], axis=1),
                        partial(_process, groups=tuple(features[one].shape[1] for one in of)))
        for name, of in _processes().items()
    }  # fmt: skip
    predicted |= {name: both[..., 0] for name, both in intervals.items()}
    inside = np.abs(true[None] - intervals[OURS][..., 0]) < intervals[OURS][..., 1]
    covered = bootstrapped(lambda galaxy: float(galaxy.mean()), inside.mean(axis=0))
    return [_comparison(true, predicted, covered)]


def _galaxies() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids, prepared images and labels."""
    folder = data_folder() / "sdss"
    source = open_images(folder / "sdss_gri_jpg_128.zip")
    labels = read_labels(folder / "sdss_metallicity.csv", source, [TARGET], id_column="objid")
    labelled = join_labels(source, labels, [TARGET], Rejects())
    preparation = load_model(MODEL, of=PropertyModel).form.preparation
    chunks = prepared_chunks(source, preparation, rejects=Rejects(), rows=labelled.rows)
    return (
        labelled.ids,
        np.concatenate([chunk.images for chunk in chunks]),
        labelled.values[:, 0].astype(float),
    )


def _features(images: np.ndarray) -> dict[str, np.ndarray]:
    """What the methods learn from."""
    profiles = _mapped(profile_features, images)
    model = load_model(MODEL, of=PropertyModel)
    networks = _mapped(lambda image: _said_by(model, image, turned=True), images)
    first = networks[:, : model.networks[0].head.targets]
    order, parts = radial_order(3, len(RINGS))
    rings = np.split(profiles[:, order], np.cumsum(parts)[:-1], axis=1)
    return {
        "colours": colours_of(images, aperture=APERTURE),
        "magnitudes": magnitudes_of(images, aperture=APERTURE),
        "profiles": profiles,
        **dict(zip(RINGS, rings, strict=True)),
        "modes": _mapped(mode_features, images),
        "networks": networks,
        "first network": first,
        "networks as it lies": _mapped(lambda image: _said_by(model, image, turned=False), images),
    }


def _said_by(model: PropertyModel, image: jax.Array, *, turned: bool) -> jax.Array:
    """What the frozen networks say, of all orientations or of one."""
    if turned:
        of_features = sum(model.feature_counts)
        return model.process_features(image).numbers[of_features:]
    standard, profiles = model.standardisation.image(image), model.profiles(image)
    return jnp.concatenate([network.said(standard, profiles)[0].median for network in model.networks])


def _mapped(function: Callable[[jax.Array], jax.Array], images: np.ndarray) -> np.ndarray:
    mapped = jax.jit(jax.vmap(function))
    return np.concatenate([np.asarray(mapped(jnp.asarray(part))) for part in np.split(images, 20)])


def _methods() -> dict[str, tuple[str, Predict]]:
    of = lambda baseline: lambda x, y, new: baseline.fit(x, y).predict(new)  # noqa: E731
    return {
        "mean": ("colours", of(MeanBaseline)),
        "ridge on colours": ("colours", of(RidgeBaseline)),
        "forest on colours": ("colours", of(ForestBaseline)),
        "ridge on magnitudes": ("magnitudes", of(RidgeBaseline)),
        "forest on magnitudes": ("magnitudes", of(ForestBaseline)),
        "ridge on profiles": ("profiles", of(RidgeBaseline)),
        "extra trees on profiles": ("profiles", of(ExtraTreesBaseline)),
        "support vectors on profiles": ("profiles", of(SupportVectorBaseline)),
        "ridge on the networks, trained on mocks": ("networks", of(RidgeBaseline)),
    }


def _processes() -> dict[str, tuple[str, ...]]:
    """Gaussian processes by the groups that they learn from: the ingredients of the packaged model."""
    return {
        "process on profiles": ("profiles",),
        "process on the networks": ("networks",),
        "process on profiles and networks": ("profiles", "networks"),
        "process on rings and modes": (*RINGS, "modes"),
        "process on rings and networks": (*RINGS, "networks"),
        "process on profiles, modes and networks": ("profiles", "modes", "networks"),
        "process on rings, modes and one network": (*RINGS, "modes", "first network"),
        "process on rings, modes and networks, one orientation": (*RINGS, "modes", "networks as it lies"),
        OURS: (*RINGS, "modes", "networks"),
    }


def _process(
    features: np.ndarray, values: np.ndarray, new: np.ndarray, groups: tuple[int, ...]
) -> np.ndarray:
    """Median and standard deviation, (n, 2)."""
    mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-3)
    centre, scatter = values.mean(), values.std()
    label = ((values - centre) / scatter)[:, None]
    process = fit_gaussian_process((features - mean) / scale, label, np.zeros_like(label), groups=groups)
    said = jax.jit(jax.vmap(process.interval))(jnp.asarray((new - mean) / scale, jnp.float32))
    return np.stack([centre + scatter * said.median[:, 0], scatter * said.sigma[:, 0]], axis=1)


def _repeated(ids: np.ndarray, true: np.ndarray, features: np.ndarray, fit: Predict) -> np.ndarray:
    """Predictions of every galaxy by a fit that did not see it, (repeat, galaxy, ...)."""
    repeats = []
    for seed in range(REPEATS):
        fold = hash_ids(ids, seed=str(seed)) % np.uint64(FOLDS)
        parts = [fit(features[fold != f], true[fold != f], features[fold == f]) for f in range(FOLDS)]
        order = np.argsort(np.concatenate([np.flatnonzero(fold == f) for f in range(FOLDS)]))
        repeats.append(np.concatenate(parts)[order])
    return np.stack(repeats)


def _mean_over_repeats(score: Callable[[np.ndarray, np.ndarray], float]) -> Callable[..., float]:
    return lambda true, predicted: float(np.mean([score(true, one) for one in predicted.T]))


def _comparison(true: np.ndarray, predicted: dict[str, np.ndarray], covered: Estimate) -> Result:
    root, middle = _mean_over_repeats(rmse), _mean_over_repeats(lambda t, p: nmad(t, p))
    ours, rows = predicted[OURS].T, []
    for name, those in predicted.items():
        error = bootstrapped(root, true, those.T)
        if name == OURS:
            error, inside = Check("RMSE", error, MOST_RMSE), Check("coverage of 68 %", covered, COVERS)
            rows.append([name, error, bootstrapped(middle, true, those.T), "", inside])
            continue
        gain = bootstrapped(lambda t, a, b: root(t, b) - root(t, a), true, ours, those.T)
        better = gain if name.startswith("process") else Check(f"gain over {name}", gain, BETTER)
        rows.append([name, error, bootstrapped(middle, true, those.T), better, ""])
    return Result(
        "properties/sdss",
        "Metallicity from real SDSS cutouts",
        f"{len(true)} colour cutouts of 128 pixels; means of {REPEATS} repeats of {FOLDS}-fold "
        "cross-validation, the folds a hash of the id, errors by bootstrap over galaxies. Processes are "
        f"Gaussian; the last one is the packaged model `{MODEL}`, whose networks saw mock galaxies alone. A "
        "gain is the RMSE of that method minus that of the packaged model, drawn together.",
        ("method", "RMSE / dex", "NMAD / dex", "gain / dex", "in 68 %"),
        rows,
    )
