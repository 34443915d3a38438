"""From images, some with redshifts, to a trained model: the settings and the steps of the three methods."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from nebulium.data.images.labelled import LabelledImages
from nebulium.nn.encoders import computes_in_half
from nebulium.nn.image_model import measure_standardisation
from nebulium.nn.mapping import map_galaxies
from nebulium.nn.training_domain import measure_domain
from nebulium.photoz.images.contrastive import KeyQueue
from nebulium.photoz.images.model import PROJECTED, ImageRedshiftModel, domain_features
from nebulium.photoz.images.pita import (
    Learner,
    LossWeights,
    embedded,
    frozen_losses,
    pita_losses,
    supervised_losses,
    validation_losses,
)
from nebulium.photoz.images.rows import repeating_labels, with_redshift
from nebulium.training import FitConfig, FitResult, trained_part
from nebulium.training.config import fit_config_of
from nebulium.verbs import Training

#: So many galaxies set the training domain.
DOMAIN_REFERENCES = 1024
#: The methods that are trained here.
IMAGE_METHODS = ("pita", "supervised", "selfsupervised")
#: Least share of the galaxies of an epoch of `pita` that have a redshift, and how often one may come again.
LABELLED_SHARE, MOST_MEETINGS = 0.15, 16
#: Learning rate of the passes over labelled images that end `pita`, as a share of the rate before.
LABELLED_RATE = 0.25


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
        Pixels on a side that the network sees; three quarters of the images if not given, so that a crop may
        be turned.
    most_shift_px, noise
        Of the crops: see `nebulium.photoz.images.crops.Crops`.
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
        return fit_config_of(self)

    @property
    def in_half(self) -> bool:
        """Whether encoders compute in bfloat16 on the device that is there."""
        return computes_in_half(self.half_precision)


def train_on_store(
    training: LabelledImages,
    validation: LabelledImages,
    *,
    config: RedshiftConfig,
    run: Training | None = None,
) -> tuple[ImageRedshiftModel, list[FitResult[Any]]]:
    """Train a model on prepared images."""
    model = new_model(training, config)
    learner = Learner(model.network, model.standardisation, model.crops, config.weights, config.in_half)
    stages = _Stages(training, with_redshift(validation), config, run or Training())
    fits = {"pita": stages.pita, "supervised": stages.supervised, "selfsupervised": stages.selfsupervised}
    results = fits[config.method](learner)
    model = eqx.tree_at(lambda m: m.network, model, results[-1].model.network)
    return with_domain(model, with_redshift(training), with_redshift(validation)), results


def new_model(training: LabelledImages, config: RedshiftConfig) -> ImageRedshiftModel:
    """A model before training, its statistics measured on the training images."""
    model = ImageRedshiftModel(**hyperparameters(training, config), key=jax.random.key(config.seed))
    standardisation = measure_standardisation(model.standardisation, training.images, cut=model.crops.middle)
    return eqx.tree_at(lambda m: m.standardisation, model, standardisation)


def hyperparameters(training: LabelledImages, config: RedshiftConfig) -> dict[str, Any]:
    """Keywords of `ImageRedshiftModel`."""
    form = training.images.store.form
    redshift = with_redshift(training).labels["redshift"]
    names = ("most_shift_px", "noise", "encoder", "head", "grid_bins")
    return {
        **form.as_dict(),
        **{name: getattr(config, name) for name in names},
        "view_size": config.view_size or 8 * max(1, (3 * form.preparation.side) // 32),
        "grid_most": config.grid_most or round(1.1 * float(redshift.max()), 2),
        "colours": training.labels["colour"].shape[1],
        "domain_references": min(DOMAIN_REFERENCES, len(redshift)),
    }


@dataclass(frozen=True)
class _Stages:
    """The trainings of one model, with what they share."""

    training: LabelledImages
    validation: LabelledImages
    config: RedshiftConfig
    run: Training

    def pita(self, learner: Learner) -> list[FitResult[Any]]:
        """All three losses on all images, then the redshifts of the labelled alone."""
        training = repeating_labels(self.training, least_share=LABELLED_SHARE, most=MOST_MEETINGS)
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
                embedded(learner, with_redshift(self.training)),
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
            with_redshift(self.training),
            name,
            validation=self.validation,
            validation_loss_fn=validation_losses,
            config=fitting,
        )

    def _with_contrast(
        self, learner: Learner, training: LabelledImages, name: str, validation: LabelledImages | None
    ) -> FitResult[Any]:
        batch = self.config.batch_size
        length = batch * max(1, min(self.config.queue, len(training)) // batch)
        queue = KeyQueue(length, PROJECTED)
        options = {"validation": validation, "validation_loss_fn": validation_losses, "memory": queue}
        return self._fit(learner, pita_losses, training, name, **options)

    def _fit(self, learner: Learner, loss_fn: Any, data: Any, name: str, **options: Any) -> FitResult[Any]:
        shared = {
            "config": self.config.fitting,
            "about": dataclasses.asdict(self.config),
            "trainable": trained_part(learner, lambda one: one.network),
        }
        return self.run.fit(name, learner, loss_fn, data, **shared | options)


def with_domain(
    model: ImageRedshiftModel, training: LabelledImages, validation: LabelledImages
) -> ImageRedshiftModel:
    """The model with its training domain: where the labelled galaxies lie."""
    n = model.domain.reference.shape[0]
    some = training.select(np.arange(n) * len(training) // n)
    seen = [map_galaxies(model.seen, part.images) for part in (some, validation)]
    features = [jax.vmap(domain_features)(*map(jnp.asarray, of_part)) for of_part in seen]
    return eqx.tree_at(lambda m: m.domain, model, measure_domain(*features, n_reference=n))
