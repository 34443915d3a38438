"""From images and properties to a model of images by diffusion of their pixels."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.data.images.labelled import LabelledImages
from nebulium.data.images.stretches import Stretch
from nebulium.generate.image_model import Coefficients, Image
from nebulium.generate.latent.diffusion import Known
from nebulium.generate.latent.gaussian import fit_gaussian
from nebulium.generate.latent.reader import OF_ALL, starting_mixture
from nebulium.generate.measuring import (
    MOST_FOR_BASIS,
    chunks_of,
    known_of,
    mapped,
    measured,
    rows_of,
    with_scales,
)
from nebulium.generate.pixels.base import PixelGaussian, frame_of
from nebulium.generate.pixels.model import PixelImageModel
from nebulium.generate.pixels.planes import Planes, fit_planes
from nebulium.generate.pixels.schedules import NAMES
from nebulium.generate.recipe import LEAST_SIDE, even_shares, hyperparameters, told
from nebulium.nn.convolution import normal_numbers
from nebulium.nn.encoders import computes_in_half
from nebulium.nn.joint_mixture import log_density
from nebulium.training import FitConfig, FitResult, trained_part
from nebulium.training.augmentation import random_orientation
from nebulium.training.config import fit_config_of
from nebulium.verbs import Training


@dataclass(frozen=True)
class PixelConfig:
    """How a model of images by diffusion of their pixels is built and trained; for a GPU.

    Attributes
    ----------
    diffusion : {"edm", "ddpm"}
        That of Karras et al. 2022, or of Ho et al. 2020 with the loss of Smith et al. 2022.
    components : int
        Principal components of the images, along which the Gaussian under the network varies.
    channels : tuple of int
        Of the stages of the network; each after the first halves the sides.
    depth : int
        Blocks of a stage.
    size : int, optional
        Pixels on a side, by cropping or padding; that of the first image if not given.
    binning : int
        Pixels on a side of the blocks that are averaged first.
    half_precision : bool, optional
        Compute the network in bfloat16 in training; where the device is fast at it, if not given.
    epochs, batch_size, learning_rate, weight_decay, seed
        Of the diffusion, as in `nebulium.training.FitConfig`. Several devices share a batch whose size is
        a multiple of their number.
    split_seed : str
        Names the split by id into train, validation and test.

    Examples
    --------
    >>> PixelConfig(diffusion="ddpm").channels
    (64, 128, 256, 256)
    """

    diffusion: str = "edm"
    components: int = 160
    channels: tuple[int, ...] = (64, 128, 256, 256)
    depth: int = 2
    size: int | None = None
    binning: int = 1
    half_precision: bool | None = None
    epochs: int = 200
    batch_size: int = 128
    learning_rate: float = 5e-4
    weight_decay: float = 1e-4
    seed: int = 0
    split_seed: str = "nebulium"

    def __post_init__(self) -> None:
        if self.diffusion not in NAMES:
            raise ValueError(
                f"PixelConfig: diffusion must be one of {', '.join(NAMES)}, got {self.diffusion!r}"
            )
        if not self.channels or min(self.channels) < 1:
            raise ValueError(f"PixelConfig: channels must be numbers of at least 1, got {self.channels!r}")
        for name, least in (("components", 1), ("depth", 1), ("size", LEAST_SIDE)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"PixelConfig: {name} must be at least {least}, got {value!r}")

    @property
    def network(self) -> dict[str, Any]:
        """Keywords of the model that build its networks."""
        return {"diffusion": self.diffusion, "channels": list(self.channels), "depth": self.depth}

    @property
    def summary(self) -> str:
        """What the model card says of its numbers of an image, after how many they are, and networks."""
        channels = ", ".join(map(str, self.channels))
        of_pixels = f"principal components of images; diffusion of pixels ({self.diffusion}) by a U-Net"
        return f"{of_pixels} of {channels} channels, {self.depth} blocks a stage"

    def kept(self, held_back: int, stretch: Stretch) -> dict[str, Any]:
        """Keywords of the model for what it keeps of images held back: nothing."""
        return {}

    @property
    def fitting(self) -> FitConfig:
        """Settings of the training loop."""
        return fit_config_of(self, averaging=0.999)

    @property
    def counting(self) -> FitConfig:
        """Settings of the loop that learns the density of properties, a few hundred numbers."""
        rest: dict[str, Any] = {"learning_rate": 1e-2, "weight_decay": 0.0}
        return replace(self.fitting, epochs=POPULATION_EPOCHS, batch_size=256, **rest)


#: Passes over the properties of the training galaxies.
POPULATION_EPOCHS = 40


class PixelLearner(eqx.Module):
    """A model in training, and whether its network computes in bfloat16."""

    model: PixelImageModel
    in_half: bool = eqx.field(static=True)


class Population(eqx.Module):
    """The density of properties in training."""

    parameters: Float[Array, " parameter"]
    classes: tuple[int, ...] = eqx.field(static=True)


def population_loss(learner: Population, galaxies: dict[str, Array], key: Key[Array, ""]) -> Array:
    """Negative logarithm of the density of the known properties of each galaxy."""

    def one(conditions: Array, known: Array) -> Array:
        return -log_density(learner.parameters, conditions, known, OF_ALL, learner.classes)

    return jax.vmap(one)(galaxies["conditions"], galaxies["known"])


def pixel_loss(learner: PixelLearner, galaxies: dict[str, Array], key: Key[Array, ""]) -> Array:
    """Cost of each galaxy at a level of its own, in a random orientation, some of its conditions hidden."""
    diffusion, frame = learner.model.diffusion, frame_of(learner.model.basis)
    images, n = galaxies["image"], len(galaxies["image"])
    level_key, order_key, key = jax.random.split(key, 3)
    levels = diffusion.schedule.log_levels(even_shares(level_key, order_key, n), *diffusion.ends(frame))

    def one(image: Array, values: Array, level: Array, key: Array) -> Array:
        way_key, hidden_key, noise_key = jax.random.split(key, 3)
        known = learner.model.known(values)
        shown = known.known * told(hidden_key, learner.model.kinds.columns)
        given = Known(known.conditions * shown, shown)
        image, base = random_orientation(image, way_key), diffusion.gaussian.given(frame, given)
        noise = normal_numbers(noise_key, *image.shape)
        error = diffusion.error(image, noise, level, given, base, in_half=learner.in_half)
        return diffusion.schedule.cost(error)

    return jax.vmap(one)(images, galaxies["value"], levels, jax.random.split(key, n))


def train_pixels(
    parts: Mapping[str, LabelledImages],
    conditions: tuple[str, ...],
    *,
    config: PixelConfig,
    settings: Mapping[str, Any] | None = None,
    run: Training | None = None,
) -> tuple[PixelImageModel, list[FitResult[Any]]]:
    """Train a model on prepared images, labelled with `value`: an array (galaxy, condition).

    The settings are further keywords of the model: what is known of the images, and the `classes`.
    """
    run, about = run or Training(), dataclasses.asdict(config)
    model = begun(parts, conditions, config=config, settings=settings)
    known = {name: known_of(model, parts[name]) for name in ("train", "validation")}
    classes = model.kinds.counts
    population = run.fit(
        "population",
        Population(starting_mixture(known["train"]["conditions"], classes), classes),
        population_loss,
        known["train"],
        validation=known["validation"],
        config=config.counting,
        about=about,
    )
    model = eqx.tree_at(lambda m: m.population, model, population.model.parameters)
    if config.batch_size % jax.local_device_count():
        run.warn(
            f"one of {jax.local_device_count()} devices does all: a batch of {config.batch_size} cannot be "
            "shared out evenly; choose another --batch-size (batch_size)"
        )
    learner = PixelLearner(model, computes_in_half(config.half_precision))
    result = run.fit(
        "diffusion",
        learner,
        pixel_loss,
        parts["train"],
        validation=parts["validation"],
        config=config.fitting,
        trainable=trained_part(learner, lambda one: one.model.diffusion.network),
        about=about,
    )
    return result.model.model, [population, result]


def begun(
    parts: Mapping[str, LabelledImages],
    conditions: tuple[str, ...],
    *,
    config: PixelConfig,
    settings: Mapping[str, Any] | None = None,
) -> PixelImageModel:
    """A model before its network has learned anything: it draws Gaussian galaxies."""
    training = parts["train"]
    planes = fit_planes(lambda: chunks_of(training.images, MOST_FOR_BASIS), config.components)
    keywords = hyperparameters(training, planes.components, conditions, config, settings or {})
    model = PixelImageModel(**keywords, key=jax.random.key(config.seed))
    model = with_scales(eqx.tree_at(lambda m: m.basis, model, planes), training.labels["value"])
    model = measured(model, parts, {name: known_of(model, parts[name]) for name in ("train", "validation")})
    return eqx.tree_at(lambda m: m.diffusion.gaussian, model, fit_base(model, parts))


def fit_base(model: PixelImageModel, parts: Mapping[str, LabelledImages]) -> PixelGaussian:
    """The Gaussian of the training images."""
    training, planes = parts["train"].images, model.basis
    conditions = known_of(model, parts["train"])
    rows = rows_of(len(training), MOST_FOR_BASIS)
    values = np.where(conditions["known"] > 0, conditions["conditions"], np.nan)[rows]

    closed = fit_gaussian(mapped(eqx.Partial(_in_both, planes), training), values, planes.even)

    # Of images that the components were not fitted to.
    left = mapped(eqx.Partial(_left_variance, planes), parts["validation"].images)
    where = lambda g: (g.closed, g.left_variance)  # noqa: E731
    return eqx.tree_at(where, model.diffusion.gaussian, (closed, jnp.asarray(np.mean(left))))


def _in_both(planes: Planes, image: Image) -> Coefficients:
    """Coefficients of an image and its mirror on the diagonal: what changes its sign there has no mean."""
    return 0.5 * (planes.coefficients(image) + planes.coefficients(jnp.swapaxes(image, 0, 1)))


def _left_variance(planes: Planes, image: Image) -> Float[Array, ""]:
    """The variance of a pixel that components leave."""
    offset = image - planes.mean_image
    return jnp.sum((offset - planes.within(offset)) ** 2) / (image.size - planes.size)
