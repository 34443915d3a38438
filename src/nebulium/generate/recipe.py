"""From images and properties to a saved model of images: the settings, the loss, the steps."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.data.images.labelled import LabelledImages, StoredImages, prepare_parts
from nebulium.data.images.preparation import Preparation, measure_preparation
from nebulium.data.images.source import ImageSource
from nebulium.data.images.stretches import MAD_TO_SIGMA, Stretch
from nebulium.data.splits import Split
from nebulium.errors import ImageError, TableError
from nebulium.generate.card import described
from nebulium.generate.finishing import finished
from nebulium.generate.image_model import DOMAIN_REFERENCES, Image, ImageModel
from nebulium.generate.latent.basis import MOST_VALUES, Basis, fit_basis
from nebulium.generate.latent.diffusion import Known, coefficient_scale, stratified
from nebulium.generate.latent.frame import framed
from nebulium.generate.latent.gaussian import fit_gaussian
from nebulium.generate.latent.neighbours import fit_neighbours, without_neighbours
from nebulium.generate.latent.reader import starting_mixture
from nebulium.generate.latent.texture import fit_texture, rooted, with_spreads
from nebulium.generate.latent.typicality import MOST_REFERENCES
from nebulium.generate.measuring import (
    BATCH,
    MOST_FOR_BASIS,
    MOST_FOR_NOISE,
    chunks_of,
    known_of,
    mapped,
    measured,
    rebuilt_pairs,
    rows_of,
    with_scales,
)
from nebulium.generate.model import LatentImageModel
from nebulium.nn.mapping import map_galaxies
from nebulium.training import FitConfig, FitResult, trained_part
from nebulium.training.config import fit_config_of
from nebulium.verbs import TrainedModel, Training
from nebulium.verbs.labels.classes import check_classes_to_learn, class_counts, few_of_a_class
from nebulium.verbs.labels.joining import LabelledRows

#: Softening of the stretch, in scatters of the sky, in which images are kept: nearly the flux itself.
SOFTENING = 30.0
#: Rows along the edges that show the sky, whose scatter is no less than this share of that of all pixels.
EDGE, LEAST_SKY = 2, 1e-3
#: Fewer images than this in a part of the split cannot be told from their average.
LEAST_TRAINING, LEAST_VALIDATION = 200, 20
#: Pixels on a side.
LEAST_SIDE = 8
#: Shares of the training galaxies that tell none, one and all of their conditions; of the rest each
#: condition is told with the last probability.
NONE, ONE, ALL, EACH = 0.15, 0.35, 0.2, 0.6


@runtime_checkable
class ImageConfig(Protocol):
    """What the settings of every model of images have."""

    @property
    def components(self) -> int: ...  # noqa: D102
    @property
    def size(self) -> int | None: ...  # noqa: D102
    @property
    def binning(self) -> int: ...  # noqa: D102

    @property
    def network(self) -> dict[str, Any]:
        """Keywords of the model that build its networks."""

    @property
    def summary(self) -> str:
        """What the model card says of its numbers of an image, after how many they are, and networks."""

    def kept(self, held_back: int, stretch: Stretch) -> dict[str, Any]:
        """Keywords of the model for what it keeps of so many images held back, of such a kind."""


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
    def network(self) -> dict[str, Any]:
        """Keywords of the model that build its networks."""
        return {"width": self.width, "depth": self.depth}

    @property
    def summary(self) -> str:
        """What the model card says of its numbers of an image, after how many they are, and networks."""
        return (
            "brightnesses and components of images turned to their major axis; diffusion by "
            f"{self.depth} blocks of width {self.width}"
        )

    def kept(self, held_back: int, stretch: Stretch) -> dict[str, Any]:
        """Keywords of the model for what it keeps of so many images held back, of such a kind."""
        kept: dict[str, Any] = {"typicality_references": min(MOST_REFERENCES, held_back)}
        # Pictures have texture; of flux nothing need be said.
        return kept | ({"textured": True} if stretch.kind == "display" else {})

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
        shown = known * told(hidden_key, learner.columns)
        return learner.network.loss(turned, conditions * shown, shown)

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
    levels = lowest + (highest - lowest) * even_shares(level_key, order_key, n)

    def one(coefficients: Array, conditions: Array, known: Array, level: Array, key: Array) -> Array:
        way_key, hidden_key, noise_key = jax.random.split(key, 3)
        turned = learner.basis.oriented(coefficients, jax.random.bernoulli(way_key, shape=(2,)))
        shown = known * told(hidden_key, learner.columns)
        nats = learner.network.loss(turned, Known(conditions * shown, shown), level, noise_key)
        return nats / learner.network.hidden(level)

    keys = jax.random.split(key, n)
    return jax.vmap(one)(coefficients, galaxies["conditions"], galaxies["known"], levels, keys)


def even_shares(key: Key[Array, ""], order_key: Key[Array, ""], n: int) -> Float[Array, " galaxy"]:
    """Numbers between 0 and 1, one in each of n equal parts, in any order."""
    return jax.random.permutation(order_key, stratified(key, n))


def told(key: Key[Array, ""], columns: tuple[int, ...]) -> Float[Array, " column"]:
    """Which conditions a galaxy in training tells, 1 or 0, in all columns of each."""
    conditions = len(columns)
    kind_key, which_key, each_key = jax.random.split(key, 3)
    which = jax.random.randint(which_key, (), 0, conditions)
    single = jax.nn.one_hot(which, conditions, dtype=jnp.float32)
    several = jax.random.bernoulli(each_key, EACH, (conditions,)).astype(jnp.float32)
    kind = jnp.searchsorted(jnp.cumsum(jnp.array([NONE, ONE, ALL])), jax.random.uniform(kind_key))
    shown = jnp.stack([jnp.zeros(conditions), single, jnp.ones(conditions), several])[kind]
    return jnp.repeat(shown, np.array(columns), total_repeat_length=sum(columns))


def train_on_images(
    source: ImageSource,
    labelled: LabelledRows,
    split: Split,
    config: ImageConfig,
    run: Training,
    *,
    learn: Callable[..., tuple[ImageModel, list[FitResult[Any]]]],
) -> TrainedModel:
    """Prepare images and train a model on those of the training part, as a recipe does."""
    part = split.parts(labelled.ids)
    preparation = preparation_of(source, labelled.rows[part == "train"], config)
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
    settings |= config.kept(len(parts["validation"]), preparation.stretch)
    if classes:
        settings["classes"] = {name: list(names) for name, names in classes.items()}
    model, results = learn(parts, labelled.targets, config=config, settings=settings, run=run)
    return described(
        model,
        config,
        results,
        hyperparameters=hyperparameters(
            parts["train"], model.basis.components, labelled.targets, config, settings
        ),
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


def preparation_of(source: ImageSource, rows: np.ndarray, config: ImageConfig) -> Preparation:
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
    if model.texture is not None:
        model = _with_texture(model, parts)
    basis = model.basis
    data = {name: _coefficients(model, parts[name]) for name in ("train", "validation")}
    gaussian = fit_gaussian(
        data["train"]["coefficients"],
        np.where(data["train"]["known"] > 0, data["train"]["conditions"], np.nan),
        model.diffusion.gaussian.even,
    )
    model = eqx.tree_at(lambda m: m.diffusion.gaussian.closed, model, gaussian)
    model = measured(model, parts, data)
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
    return finished(model, parts["validation"]), results


def hyperparameters(
    training: LabelledImages,
    components: Sequence[int],
    conditions: tuple[str, ...],
    config: ImageConfig,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Keywords of the model."""
    return {
        **training.images.store.form.as_dict(),
        **settings,
        "conditions": list(conditions),
        "components": list(components),
        **config.network,
        "domain_references": min(DOMAIN_REFERENCES, len(training)),
    }


def _with_statistics(
    training: LabelledImages, conditions: tuple[str, ...], config: LatentConfig, settings: Mapping[str, Any]
) -> LatentImageModel:
    """A model before training, with what is measured on the training galaxies."""
    stretch = training.images.store.form.preparation.stretch
    as_seen = lambda chunk: stretch.invert(chunk)  # noqa: E731
    if settings.get("textured"):
        galaxy = lambda pixels: without_neighbours(rooted(pixels))  # noqa: E731
        as_seen = lambda chunk: map_galaxies(galaxy, stretch.invert(chunk), batch=BATCH)  # noqa: E731
    sky = _sky(training.images, as_seen)
    # Their frames are found once; half precision holds a part in two thousand.
    in_frame = [
        map_galaxies(eqx.Partial(_framed, jnp.asarray(sky)), as_seen(chunk), batch=BATCH)
        for chunk in chunks_of(training.images, MOST_FOR_BASIS)
    ]
    halves = [chunk.astype(np.float16) for chunk in in_frame]
    values = training.labels["value"]
    of_them = values[rows_of(len(values), MOST_FOR_BASIS)]
    basis = fit_basis(
        lambda: (half.astype(np.float32) for half in halves), _standardised(of_them), config.components
    )
    keywords = hyperparameters(training, basis.components, conditions, config, settings)
    model = LatentImageModel(**keywords, key=jax.random.key(config.seed))
    model = eqx.tree_at(lambda m: (m.basis, m.sky), model, (basis, jnp.asarray(sky)))
    if model.texture is None:
        scale = jnp.asarray(coefficient_scale(np.asarray(basis.strengths)))
        model = eqx.tree_at(lambda m: m.diffusion.scale, model, scale)
    return with_scales(model, values)


def _framed(sky: Float[Array, " band"], image: Image) -> Image:
    """An image in scatters of the sky, turned to its major axis."""
    return framed(image / sky[None, None, :])


def _with_texture(model: LatentImageModel, parts: Mapping[str, LabelledImages]) -> LatentImageModel:
    """The model with the texture of images that components were not fitted to, and neighbours."""
    texture = fit_texture(rebuilt_pairs(model, parts["validation"].images))

    def strengths(image: Array) -> Array:
        clean = model.rebuilt(model.coefficients(image))
        return texture.strengths(model.in_frame(image) - clean, clean)

    texture = with_spreads(texture, mapped(strengths, parts["train"].images))
    of_basis = np.asarray(model.basis.strengths)
    # They come out neither with the coarsest features nor with the noise.
    of_all = np.concatenate([np.full(texture.size, np.median(of_basis)), of_basis])
    stretch = model.form.preparation.stretch
    some = chunks_of(parts["train"].images, MOST_FOR_NOISE)
    neighbours = fit_neighbours(map_galaxies(rooted, stretch.invert(chunk), batch=BATCH) for chunk in some)
    found = texture, neighbours, jnp.asarray(coefficient_scale(of_all))
    return eqx.tree_at(lambda m: (m.texture, m.neighbours, m.diffusion.scale), model, found)


def _standardised(values: Float[np.ndarray, "n condition"]) -> Float[np.ndarray, "n condition"]:
    """Properties of mean 0 and unit variance, 0 where they are missing; of classes their places."""
    return np.nan_to_num((values - np.nanmean(values, axis=0)) / np.maximum(np.nanstd(values, axis=0), 1e-30))


def _sky(images: StoredImages, as_seen: Callable[[np.ndarray], np.ndarray]) -> Float[np.ndarray, " band"]:
    """Scatter of the pixels along the edges, band by band; of images without noise, little."""
    pixels = np.concatenate([as_seen(chunk) for chunk in chunks_of(images, MOST_FOR_NOISE)])
    edges = np.concatenate([pixels[:, :EDGE], pixels[:, -EDGE:]]).reshape(-1, pixels.shape[-1])
    scatter = MAD_TO_SIGMA * np.median(np.abs(edges - np.median(edges, axis=0)), axis=0)
    least = LEAST_SKY * np.std(pixels, axis=(0, 1, 2)) + 1e-30
    return np.maximum(scatter, least).astype(np.float32)


def _coefficients(model: LatentImageModel, images: LabelledImages) -> dict[str, np.ndarray]:
    """What the diffusion is trained on."""
    coefficients = map_galaxies(model.coefficients, images.images, batch=BATCH)
    return {"coefficients": coefficients, **known_of(model, images)}
