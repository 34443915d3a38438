"""From images and properties to a saved model of images: the settings, the loss, the steps."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from nebulium.data.images.labelled import LabelledImages, StoredImages, prepare_parts
from nebulium.data.images.preparation import Preparation, measure_preparation
from nebulium.data.images.source import ImageSource
from nebulium.data.images.stretches import MAD_TO_SIGMA, Stretch
from nebulium.data.splits import Split
from nebulium.errors import ImageError, TableError
from nebulium.generate.card import described
from nebulium.generate.latent.basis import MOST_VALUES, Basis, fit_basis
from nebulium.generate.latent.diffusion import Known, coefficient_scale
from nebulium.generate.latent.frame import framed
from nebulium.generate.latent.gaussian import fit_gaussian
from nebulium.generate.latent.noise import PixelNoise, fit_noise
from nebulium.generate.latent.reader import starting_mixture
from nebulium.generate.latent.typicality import MOST_REFERENCES, measured_typicality
from nebulium.generate.model import DOMAIN_REFERENCES, LatentImageModel
from nebulium.nn.mapping import map_galaxies
from nebulium.nn.training_domain import measure_domain
from nebulium.training import FitConfig, FitResult, trained_part
from nebulium.training.config import fit_config_of
from nebulium.verbs import TrainedModel, Training
from nebulium.verbs.labels.classes import check_classes_to_learn, class_counts, few_of_a_class
from nebulium.verbs.labels.joining import LabelledRows

#: Softening of the stretch, in scatters of the sky, in which images are kept: nearly the flux itself.
SOFTENING = 30.0
#: Images that the components, and the noise, are measured on.
MOST_FOR_BASIS, MOST_FOR_NOISE = 12_000, 512
#: Rows along the edges that show the sky, whose scatter is no less than this share of that of all pixels.
EDGE, LEAST_SKY = 2, 1e-3
#: Fewer images than this in a part of the split cannot be told from their average.
LEAST_TRAINING, LEAST_VALIDATION = 200, 20
#: Pixels on a side.
LEAST_SIDE = 8
BATCH = 128
#: Shares of the training galaxies that tell none, one and all of their conditions; of the rest each
#: condition is told with the last probability.
NONE, ONE, ALL, EACH = 0.15, 0.35, 0.2, 0.6


@dataclass(frozen=True)
class LatentConfig:
    """How a latent model of images is built and trained.

    Attributes
    ----------
    components : int
        Principal components of the images.
    width, depth : int
        Of the denoising network: of its hidden layers, and blocks.
    size : int, optional
        Pixels on a side, by cropping or padding; that of the first image if not given.
    binning : int
        Pixels on a side of the blocks that are averaged first.
    epochs, batch_size, learning_rate, weight_decay, seed
        Of the diffusion, as in `nebulium.training.FitConfig`.
    reader_epochs : int
        Passes of the networks that read properties off images, and that expect images from properties.
    split_seed : str
        Names the split by id into train, validation and test.

    Examples
    --------
    >>> LatentConfig(epochs=5).components
    160
    """

    components: int = 160
    width: int = 256
    depth: int = 4
    size: int | None = None
    binning: int = 1
    epochs: int = 200
    reader_epochs: int = 40
    batch_size: int = 512
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    seed: int = 0
    split_seed: str = "nebulium"

    def __post_init__(self) -> None:
        for name, least in (("components", 1), ("width", 1), ("depth", 1), ("size", LEAST_SIDE)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"LatentConfig: {name} must be at least {least}, got {value!r}")

    @property
    def fitting(self) -> FitConfig:
        """Settings of the training loop."""
        return fit_config_of(self, averaging=0.999)

    @property
    def reading(self) -> FitConfig:
        """Settings of the loops that train the reader and the Gaussian, which soon know their galaxies."""
        return replace(
            self.fitting,
            epochs=self.reader_epochs,
            batch_size=min(self.batch_size, 256),
            learning_rate=1e-3,
            weight_decay=1e-2,
        )


class Learner(eqx.Module):
    """A network in training, with the basis that knows how coefficients turn.

    `columns` is how many columns each condition takes.
    """

    network: Any
    basis: Basis
    columns: tuple[int, ...] = eqx.field(static=True)


def reading_loss(learner: Learner, galaxies: dict[str, Array], key: Key[Array, ""]) -> Array:
    """Of the properties of each galaxy, in a random orientation."""

    def one(coefficients: Array, conditions: Array, known: Array, key: Array) -> Array:
        turned = learner.basis.oriented(coefficients, jax.random.bernoulli(key, shape=(2,)))
        return learner.network.loss(turned, conditions, known)

    keys = jax.random.split(key, len(galaxies["known"]))
    return jax.vmap(one)(galaxies["coefficients"], galaxies["conditions"], galaxies["known"], keys)


def gaussian_loss(learner: Learner, galaxies: dict[str, Array], key: Key[Array, ""]) -> Array:
    """Of the coefficients of each galaxy, in a random orientation, some of its conditions hidden."""

    def one(coefficients: Array, conditions: Array, known: Array, key: Array) -> Array:
        way_key, hidden_key = jax.random.split(key)
        turned = learner.basis.oriented(coefficients, jax.random.bernoulli(way_key, shape=(2,)))
        told = known * _told(hidden_key, learner.columns)
        return learner.network.loss(turned, conditions * told, told)

    keys = jax.random.split(key, len(galaxies["known"]))
    return jax.vmap(one)(galaxies["coefficients"], galaxies["conditions"], galaxies["known"], keys)


def diffusion_loss(learner: Learner, galaxies: dict[str, Array], key: Key[Array, ""]) -> Array:
    """Nats of each galaxy at a level of its own, in a random orientation, some of its conditions hidden.

    They are counted in those that a Gaussian would cost: levels that decide about few coefficients count as
    much as those of many.
    """
    coefficients, n = galaxies["coefficients"], len(galaxies["coefficients"])
    level_key, order_key, key = jax.random.split(key, 3)
    lowest, highest = learner.network.log_levels
    even = (jnp.arange(n, dtype=jnp.float32) + jax.random.uniform(level_key, (n,))) / n
    levels = lowest + (highest - lowest) * jax.random.permutation(order_key, even)

    def one(coefficients: Array, conditions: Array, known: Array, level: Array, key: Array) -> Array:
        way_key, hidden_key, noise_key = jax.random.split(key, 3)
        turned = learner.basis.oriented(coefficients, jax.random.bernoulli(way_key, shape=(2,)))
        told = known * _told(hidden_key, learner.columns)
        nats = learner.network.loss(turned, Known(conditions * told, told), level, noise_key)
        return nats / learner.network.hidden(level)

    keys = jax.random.split(key, n)
    return jax.vmap(one)(coefficients, galaxies["conditions"], galaxies["known"], levels, keys)


def _told(key: Key[Array, ""], columns: tuple[int, ...]) -> Float[Array, " column"]:
    """Which conditions a galaxy in training tells, 1 or 0, in all columns of each."""
    conditions = len(columns)
    kind_key, which_key, each_key = jax.random.split(key, 3)
    which = jax.random.randint(which_key, (), 0, conditions)
    single = jax.nn.one_hot(which, conditions, dtype=jnp.float32)
    several = jax.random.bernoulli(each_key, EACH, (conditions,)).astype(jnp.float32)
    kind = jnp.searchsorted(jnp.cumsum(jnp.array([NONE, ONE, ALL])), jax.random.uniform(kind_key))
    told = jnp.stack([jnp.zeros(conditions), single, jnp.ones(conditions), several])[kind]
    return jnp.repeat(told, np.array(columns), total_repeat_length=sum(columns))


def train_on_images(
    source: ImageSource, labelled: LabelledRows, split: Split, config: LatentConfig, run: Training
) -> TrainedModel:
    """Prepare images and train a model on those of the training part."""
    part = split.parts(labelled.ids)
    preparation = _preparation(source, labelled.rows[part == "train"], config)
    parts = prepare_parts(
        source,
        labelled.rows,
        part,
        {"value": labelled.values},
        run.scratch,
        preparation=preparation,
        rejects=run.rejects,
    )
    rows = {name: one.images.rows for name, one in parts.items()}
    split.check_enough(rows, train=LEAST_TRAINING, validation=LEAST_VALIDATION, where=str(source.path))
    classes = labelled.classes
    counts = class_counts(classes, parts["train"].labels["value"][:, len(labelled.targets) - len(classes) :])
    check_classes_to_learn(counts, str(source.path))
    _check_varied(parts["train"].labels["value"], labelled, str(source.path))
    for note in few_of_a_class(counts):
        run.warn(note)
    settings: dict[str, Any] = {
        name: _rounded(getattr(source, name)) for name in ("pixel_scale_arcsec", "psf_fwhm_arcsec")
    }
    settings["typicality_references"] = min(MOST_REFERENCES, len(parts["validation"]))
    if classes:
        settings["classes"] = {name: list(names) for name, names in classes.items()}
    model, results = train_on_store(parts, labelled.targets, config=config, settings=settings, run=run)
    return described(
        model,
        config,
        results,
        hyperparameters=hyperparameters(parts["train"], model.basis, labelled.targets, config, settings),
        split=split.as_dict(rows),
        units=labelled.units,
        counts=counts,
    )


def _check_varied(values: np.ndarray, labelled: LabelledRows, where: str) -> None:
    """A number may vary among the galaxies, but be the same for all that are trained on."""
    for name, column in zip(labelled.targets, values.T, strict=True):
        known = column[np.isfinite(column)]
        if name not in labelled.classes and (len(known) < 2 or not np.std(known) > 0):
            found = f"is {known[0]:g} for every training galaxy" if len(known) else "is known of none"
            raise TableError(f"{where}, column {name}", found, "give more of it, or leave it out")


def _rounded(values: tuple[float, ...] | None) -> list[float] | None:
    """What single precision holds, as one would write it."""
    return None if values is None else [float(f"{value:.6g}") for value in values]


def _preparation(source: ImageSource, rows: np.ndarray, config: LatentConfig) -> Preparation:
    """How images are prepared; their sides must be even, and small enough for components."""
    measured = measure_preparation(source, rows, size=config.size, binning=config.binning)
    side, bands, mend = (
        measured.side,
        len(source.bands),
        "choose another --size (size) or --binning (binning)",
    )
    if side % 2 or side < LEAST_SIDE:
        problem = f"would have {side} pixels on a side, expected an even number of at least {LEAST_SIDE}"
        raise ImageError(str(source.path), problem, mend)
    if (side // 2) ** 2 * bands > MOST_VALUES:
        most = 2 * int(np.sqrt(MOST_VALUES / bands))
        problem = f"would have {side} pixels on a side, expected at most {most} in {bands} bands"
        raise ImageError(str(source.path), problem, mend)
    if config.components >= side**2 * bands:
        # They would hold all of the noise, of which nothing could be measured.
        problem = f"has {side**2 * bands} values an image, not more than the {config.components} components"
        raise ImageError(str(source.path), problem, "ask for fewer: --components (components)")
    softening = tuple(SOFTENING * value for value in measured.stretch.softening)
    return replace(measured, stretch=replace(measured.stretch, softening=softening))


def train_on_store(
    parts: Mapping[str, LabelledImages],
    conditions: tuple[str, ...],
    *,
    config: LatentConfig,
    settings: Mapping[str, Any] | None = None,
    run: Training | None = None,
) -> tuple[LatentImageModel, list[FitResult[Any]]]:
    """Train a model on prepared images, labelled with `value`: an array (galaxy, condition).

    The settings are further keywords of the model: what is known of the images, and the `classes`.
    """
    training = parts["train"]
    model = _with_statistics(training, conditions, config, settings or {})
    basis = model.basis
    data = {name: _coefficients(model, parts[name]) for name in ("train", "validation")}
    gaussian = fit_gaussian(
        data["train"]["coefficients"],
        np.where(data["train"]["known"] > 0, data["train"]["conditions"], np.nan),
        basis.even,
    )
    model = eqx.tree_at(lambda m: m.diffusion.gaussian.closed, model, gaussian)
    model = eqx.tree_at(lambda m: m.noise, model, _noise(model, parts["validation"].images))
    domain = measure_domain(
        *(jnp.asarray(data[name]["conditions"]) for name in ("train", "validation")),
        n_reference=model.condition_domain.reference.shape[0],
    )
    model = eqx.tree_at(lambda m: m.condition_domain, model, domain)
    model = _with_image_domain(model, parts)
    results = []

    def fitted(name: str, network: Any, loss: Any, fitting: FitConfig, trained: Callable[[Any], Any]) -> Any:
        learner = Learner(network, basis, model.kinds.columns)
        result = (run or Training()).fit(
            name,
            learner,
            loss,
            data["train"],
            validation=data["validation"],
            config=fitting,
            trainable=trained_part(learner, lambda one: trained(one.network)),
            about=dataclasses.asdict(config),
        )
        results.append(result)
        return result.model.network

    start = starting_mixture(data["train"]["conditions"], model.reader.classes)
    reader = eqx.tree_at(lambda one: one.of_all, model.reader, start)
    reader = fitted("reader", reader, reading_loss, config.reading, lambda network: network)
    learned = fitted(
        "gaussian", model.diffusion.gaussian, gaussian_loss, config.reading, lambda network: network.layers
    )
    diffusion = eqx.tree_at(lambda one: one.gaussian, model.diffusion, learned)
    diffusion = fitted(
        "diffusion", diffusion, diffusion_loss, config.fitting, lambda network: network.denoiser
    )
    model = eqx.tree_at(lambda m: (m.reader, m.diffusion), model, (reader, diffusion))
    if model.typicality is not None:
        held_back = _mapped(model.unusual, parts["validation"].images)
        measured = measured_typicality(held_back, len(model.typicality.of_all))
        model = eqx.tree_at(lambda m: m.typicality, model, measured)
    return model, results


def _with_image_domain(model: LatentImageModel, parts: Mapping[str, LabelledImages]) -> LatentImageModel:
    """The model with the domain of its images."""
    axes = {name: _mapped(model.image_axes, parts[name].images) for name in ("train", "validation")}
    left = axes["train"][:, -1]
    mean, scale = np.mean(left), max(float(np.std(left)), 1e-3)
    standard = [jnp.asarray(np.column_stack([a[:, :-1], (a[:, -1] - mean) / scale])) for a in axes.values()]
    domain = measure_domain(*standard, n_reference=model.image_domain.reference.shape[0])
    measured = (domain, jnp.asarray(mean, jnp.float32), jnp.asarray(scale, jnp.float32))
    return eqx.tree_at(lambda m: (m.image_domain, m.left_mean, m.left_scale), model, measured)


def hyperparameters(
    training: LabelledImages,
    basis: Basis,
    conditions: tuple[str, ...],
    config: LatentConfig,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Keywords of the model."""
    return {
        **training.images.store.form.as_dict(),
        **settings,
        "conditions": list(conditions),
        "components": list(basis.components),
        "width": config.width,
        "depth": config.depth,
        "domain_references": min(DOMAIN_REFERENCES, len(training)),
    }


def _with_statistics(
    training: LabelledImages, conditions: tuple[str, ...], config: LatentConfig, settings: Mapping[str, Any]
) -> LatentImageModel:
    """A model before training, with what is measured on the training galaxies."""
    stretch = training.images.store.form.preparation.stretch
    sky = _sky(training.images, stretch)
    # Their frames are found once; half precision holds a part in two thousand.
    in_frame = [
        map_galaxies(lambda image: framed(image / sky[None, None, :]), stretch.invert(chunk), batch=BATCH)
        for chunk in _chunks(training.images, MOST_FOR_BASIS)
    ]
    halves = [chunk.astype(np.float16) for chunk in in_frame]
    values = training.labels["value"]
    of_them = values[_some(len(values), MOST_FOR_BASIS)]
    basis = fit_basis(
        lambda: (half.astype(np.float32) for half in halves), _standardised(of_them), config.components
    )
    keywords = hyperparameters(training, basis, conditions, config, settings)
    model = LatentImageModel(**keywords, key=jax.random.key(config.seed))
    numbers = values[:, : len(model.condition_mean)]
    measured = (
        basis,
        jnp.asarray(sky),
        jnp.asarray(coefficient_scale(np.asarray(basis.strengths))),
        jnp.asarray(np.nanmean(numbers, axis=0), jnp.float32),
        jnp.asarray(np.nanstd(numbers, axis=0), jnp.float32),
    )
    where = lambda m: (m.basis, m.sky, m.diffusion.scale, m.condition_mean, m.condition_scale)  # noqa: E731
    return eqx.tree_at(where, model, measured)


def _standardised(values: Float[np.ndarray, "n condition"]) -> Float[np.ndarray, "n condition"]:
    """Properties of mean 0 and unit variance, 0 where they are missing; of classes their places."""
    return np.nan_to_num((values - np.nanmean(values, axis=0)) / np.maximum(np.nanstd(values, axis=0), 1e-30))


def _sky(images: StoredImages, stretch: Stretch) -> Float[np.ndarray, " band"]:
    """Scatter of the pixels along the edges, band by band; of images without noise, little."""
    pixels = np.concatenate([stretch.invert(chunk) for chunk in _chunks(images, MOST_FOR_NOISE)])
    edges = np.concatenate([pixels[:, :EDGE], pixels[:, -EDGE:]]).reshape(-1, pixels.shape[-1])
    scatter = MAD_TO_SIGMA * np.median(np.abs(edges - np.median(edges, axis=0)), axis=0)
    least = LEAST_SKY * np.std(pixels, axis=(0, 1, 2)) + 1e-30
    return np.maximum(scatter, least).astype(np.float32)


def _coefficients(model: LatentImageModel, images: LabelledImages) -> dict[str, np.ndarray]:
    """What the diffusion is trained on."""
    coefficients = map_galaxies(model.coefficients, images.images, batch=BATCH)
    known = map_galaxies(model.known, images.labels["value"].astype(np.float32), batch=BATCH)
    return {"coefficients": coefficients, "conditions": known.conditions, "known": known.known}


def _noise(model: LatentImageModel, images: StoredImages) -> PixelNoise:
    """Noise as it is left of images that components were not fitted to."""
    rebuilt = lambda image: (model.in_frame(image), model.rebuilt(model.coefficients(image)))  # noqa: E731
    pairs = (map_galaxies(rebuilt, chunk, batch=BATCH) for chunk in _chunks(images, MOST_FOR_NOISE))
    return fit_noise(pairs, np.asarray(model.basis.shares()))


def _mapped(function: Callable[..., Array], images: StoredImages) -> np.ndarray:
    """What is measured of those images that the components are measured on."""
    chunks = _chunks(images, MOST_FOR_BASIS)
    return np.concatenate([map_galaxies(function, one, batch=BATCH) for one in chunks])


def _chunks(images: StoredImages, most: int) -> Iterator[np.ndarray]:
    """Some of the images."""
    rows = _some(len(images), most)
    for first in range(0, len(rows), BATCH):
        yield images[rows[first : first + BATCH]]


def _some(n: int, most: int) -> Int[np.ndarray, " some"]:
    """Rows that are spread evenly over a set."""
    return np.arange(min(n, most)) * n // min(n, most)
