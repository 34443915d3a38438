"""From images, some with redshifts, to a trained model: the settings and the steps of the three methods."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from nebulium.data.batches import padded_batches
from nebulium.data.images.store import ImageStore
from nebulium.nn.training_domain import measure_domain
from nebulium.photoz.images.apertures import aperture_features
from nebulium.photoz.images.contrastive import KeyQueue
from nebulium.photoz.images.crops import Crops
from nebulium.photoz.images.model import PROJECTED, ImageRedshiftModel, ImageStandards, domain_features
from nebulium.photoz.images.pita import (
    Learner,
    LossWeights,
    embedded,
    frozen_losses,
    pita_losses,
    supervised_losses,
    validation_losses,
)
from nebulium.photoz.images.rows import RedshiftImages
from nebulium.training import FitConfig, FitResult, fit, trained_part

#: So many images set means and scatters; so many galaxies the training domain.
MOST_IMAGES, DOMAIN_REFERENCES = 4096, 1024
#: The methods that are trained here.
IMAGE_METHODS = ("pita", "supervised", "selfsupervised")
#: What `pita` meets in an epoch: at least this share has a redshift, if no galaxy is met more often than so.
LABELLED_SHARE, MOST_MEETINGS = 0.15, 16
#: Learning rate of the passes over labelled images that end `pita`, as a share of the rate before.
LABELLED_RATE = 0.25
_CHUNK = 256


@dataclass(frozen=True)
class RedshiftConfig:
    """How a model of redshifts from images is built and trained.

    Attributes
    ----------
    method : {"pita", "supervised", "selfsupervised"}
        All three losses on all images; that of redshifts on the labelled; contrast on all, then a head on the
        frozen latent space.
    encoder, head : str
        See `nebulium.photoz.images.model.RedshiftNetwork`.
    size : int, optional
        Pixels on a side of the images, cut or padded; those of the first image if not given.
    view_size : int, optional
        Pixels on a side that the network sees; three quarters of the images if not given, so that a view may
        be turned.
    most_shift_px, noise
        See `nebulium.photoz.images.crops.Views`.
    weights : LossWeights
    queue : int
        Keys that the contrast remembers, at most; as many whole batches as there are galaxies for.
    grid_most : float, optional
        Highest redshift; a tenth above the highest label if not given.
    grid_bins : int
    epochs, labelled_epochs, head_epochs : int
        Passes over the images; of `pita`, passes over the labelled ones that follow, for redshifts alone; of
        `selfsupervised`, passes of the head over the labelled.
    batch_size, learning_rate, weight_decay, averaging, patience, seed
        As in `nebulium.training.FitConfig`; the averaged weights make the keys of the contrast.
    half_precision : bool, optional
        Compute encoders in bfloat16; where the device is fast at it, if not given.

    Examples
    --------
    >>> RedshiftConfig(method="supervised").encoder
    'resnet-small'
    >>> RedshiftConfig(method="magic")
    Traceback (most recent call last):
    ValueError: method must be one of pita, supervised, selfsupervised, got 'magic'
    """

    method: str = "pita"
    encoder: str = "resnet-small"
    head: str = "mixture"
    size: int | None = None
    view_size: int | None = None
    most_shift_px: int = 2
    noise: float = 1.0
    weights: LossWeights = field(default_factory=LossWeights)
    queue: int = 8192
    grid_most: float | None = None
    grid_bins: int = 300
    epochs: int = 20
    labelled_epochs: int = 12
    head_epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    averaging: float = 0.999
    patience: int | None = None
    seed: int = 0
    half_precision: bool | None = None

    def __post_init__(self) -> None:
        if self.method not in IMAGE_METHODS:
            raise ValueError(f"method must be one of {', '.join(IMAGE_METHODS)}, got {self.method!r}")

    @property
    def fitting(self) -> FitConfig:
        """Settings of the training loop."""
        return FitConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            averaging=self.averaging,
            patience=self.patience,
            seed=self.seed,
        )

    @property
    def in_half(self) -> bool:
        """Whether encoders compute in bfloat16 on the device that is there."""
        return jax.default_backend() != "cpu" if self.half_precision is None else self.half_precision


def train_on_store(
    training: RedshiftImages,
    validation: RedshiftImages,
    *,
    config: RedshiftConfig,
    run: Path | None = None,
    resume: bool = False,
    progress: bool = False,
) -> tuple[ImageRedshiftModel, list[FitResult[Any]]]:
    """Train a model on prepared images."""
    model = new_model(training, config)
    learner = Learner(model.network, model.standards, model.views, config.weights, config.in_half)
    stages = _Stages(training, validation.labelled, config, run, resume, progress)
    fits = {"pita": stages.pita, "supervised": stages.supervised, "selfsupervised": stages.selfsupervised}
    results = fits[config.method](learner)
    model = eqx.tree_at(lambda m: m.network, model, results[-1].model.network)
    return with_domain(model, training.labelled, validation.labelled), results


def new_model(training: RedshiftImages, config: RedshiftConfig) -> ImageRedshiftModel:
    """A model before training, its statistics measured on the training images."""
    store = training.store
    side = store.preparation.side
    labels = training.labelled.redshift
    model = ImageRedshiftModel(
        bands=store.bands,
        unit=store.unit,
        size=store.preparation.size,
        binning=store.preparation.binning,
        stretch=store.preparation.stretch.as_dict(),
        view_size=config.view_size or 8 * max(1, (3 * side) // 32),
        most_shift_px=config.most_shift_px,
        noise=config.noise,
        encoder=config.encoder,
        head=config.head,
        grid_most=config.grid_most or round(1.1 * float(labels.max()), 2),
        grid_bins=config.grid_bins,
        colours=training.colour.shape[1],
        domain_references=min(DOMAIN_REFERENCES, len(labels)),
        key=jax.random.key(config.seed),
    )
    return eqx.tree_at(lambda m: m.standards, model, measure_standards(store, training.rows, model.views))


@dataclass(frozen=True)
class _Stages:
    """The trainings of one model, with what they share."""

    training: RedshiftImages
    validation: RedshiftImages
    config: RedshiftConfig
    run: Path | None
    resume: bool
    progress: bool

    def pita(self, learner: Learner) -> list[FitResult[Any]]:
        """All three losses on all images, then the redshifts of the labelled alone."""
        training = self.training.repeating_labels(least_share=LABELLED_SHARE, most=MOST_MEETINGS)
        joint = self._with_contrast(learner, training, "pita", self.validation)
        rate = LABELLED_RATE * self.config.learning_rate
        fitting = dataclasses.replace(
            self.config.fitting, epochs=self.config.labelled_epochs, learning_rate=rate
        )
        return [joint, self._on_labelled(joint.model, "labelled", fitting)]

    def supervised(self, learner: Learner) -> list[FitResult[Any]]:
        """The redshifts of the labelled alone."""
        return [self._on_labelled(learner, "supervised", self.config.fitting)]

    def selfsupervised(self, learner: Learner) -> list[FitResult[Any]]:
        """The contrast of all images, then the redshifts of the labelled in the space that it made."""
        alone = dataclasses.replace(self.config.weights, colour=0.0, redshift=0.0)
        contrast = self._with_contrast(
            dataclasses.replace(learner, weights=alone), self.training, "contrast", None
        )
        learner = dataclasses.replace(contrast.model, weights=self.config.weights)
        fitting = dataclasses.replace(self.config.fitting, epochs=self.config.head_epochs)
        return [
            contrast,
            self._fit(
                learner,
                frozen_losses,
                embedded(learner, self.training.labelled),
                "head",
                validation=embedded(learner, self.validation),
                config=fitting,
                trainable=trained_part(learner, lambda one: (one.network.trunk, one.network.head)),
            ),
        ]

    def _on_labelled(self, learner: Learner, name: str, fitting: FitConfig) -> FitResult[Any]:
        return self._fit(
            learner,
            supervised_losses,
            self.training.labelled,
            name,
            validation=self.validation,
            validation_loss_fn=validation_losses,
            config=fitting,
        )

    def _with_contrast(
        self, learner: Learner, training: RedshiftImages, name: str, validation: RedshiftImages | None
    ) -> FitResult[Any]:
        batch = self.config.batch_size
        length = batch * max(1, min(self.config.queue, len(training)) // batch)
        queue = KeyQueue(length, PROJECTED)
        options = {"validation": validation, "validation_loss_fn": validation_losses, "memory": queue}
        return self._fit(learner, pita_losses, training, name, **options)

    def _fit(self, learner: Learner, loss_fn: Any, data: Any, name: str, **options: Any) -> FitResult[Any]:
        folder = None if self.run is None else self.run / name
        shared = {
            "config": self.config.fitting,
            "run_folder": folder,
            "resume": self.resume and folder is not None and folder.exists(),
            "about": dataclasses.asdict(self.config),
            "trainable": trained_part(learner, lambda one: one.network),
            "progress": self.progress,
        }
        return fit(learner, loss_fn, data, **shared | options)


def measure_standards(store: ImageStore, rows: np.ndarray, views: Crops) -> ImageStandards:
    """Measure means and scatters of the middles of images."""
    sample = rows[:: -(-len(rows) // MOST_IMAGES)]
    features = jax.jit(jax.vmap(lambda image: aperture_features(views.middle(image))))
    sums, squares, apertures, pixels = 0.0, 0.0, [], 0
    for batch, count in padded_batches(len(sample), _CHUNK):
        images = store.take(sample[batch])
        apertures.append(np.asarray(features(images))[:count])
        middle = images[:count].astype(np.float64)
        sums = sums + middle.sum(axis=(0, 1, 2))
        squares = squares + (middle**2).sum(axis=(0, 1, 2))
        pixels += middle[..., 0].size
    mean, every = sums / pixels, np.concatenate(apertures)
    scale = np.sqrt(np.maximum(squares / pixels - mean**2, 1e-12))
    measured = (mean, scale, every.mean(axis=0), np.maximum(every.std(axis=0), 1e-3))
    leaves = lambda s: (s.band_mean, s.band_scale, s.aperture_mean, s.aperture_scale)  # noqa: E731
    standards = ImageStandards(len(store.bands))
    return eqx.tree_at(leaves, standards, tuple(jnp.asarray(value, jnp.float32) for value in measured))


def with_domain(
    model: ImageRedshiftModel, training: RedshiftImages, validation: RedshiftImages
) -> ImageRedshiftModel:
    """The model with its training domain: where the labelled galaxies lie."""
    learner = Learner(model.network, model.standards, model.views, LossWeights(), in_half=False)
    n = model.domain.reference.shape[0]
    some = training.select(np.arange(n) * len(training) // n)
    features = [
        jax.vmap(domain_features)(jnp.asarray(part["latent"]), jnp.asarray(part["apertures"]))
        for part in (embedded(learner, some), embedded(learner, validation))
    ]
    return eqx.tree_at(lambda m: m.domain, model, measure_domain(*features, n_reference=n))
