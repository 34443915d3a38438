"""From galaxies and labels to a saved model: the loss, the steps."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from nebulium.data.images.matching import match_to_model
from nebulium.data.images.source import ImageSource
from nebulium.data.rejects import Rejects
from nebulium.data.splits import FRACTIONS, Split
from nebulium.modelfile import describe_model, load_model
from nebulium.nn.image_model import Standardisation
from nebulium.nn.mapping import map_galaxies
from nebulium.properties.calibration import calibrated, with_temperature
from nebulium.properties.card import CITATION, described
from nebulium.properties.config import PropertiesConfig
from nebulium.properties.domain import ProfileDomain, measure_profile_domain
from nebulium.properties.gaussian_process import fit_gaussian_process
from nebulium.properties.kernel_classes import fit_kernel_classes
from nebulium.properties.model import GAUSSIAN_PROCESS, PropertyModel
from nebulium.properties.network import PropertyNetwork
from nebulium.properties.new_model import check_settings, hyperparameters, new_model, validating
from nebulium.properties.predict import batch_of
from nebulium.properties.seen.galaxies import OpenedGalaxies
from nebulium.properties.seen.sight import EmbeddingSight
from nebulium.properties.seen.training_galaxies import TrainingGalaxies, prepare_galaxies
from nebulium.training import FitResult
from nebulium.training.augmentation import augment
from nebulium.verbs import TrainedModel, Training, fit_members, save_trained, training_run
from nebulium.verbs.labels.classes import (
    Classes,
    check_classes_to_learn,
    class_counts,
    class_weights,
    few_of_a_class,
)
from nebulium.verbs.labels.joining import LabelledRows

#: Fewer galaxies than this in a part of the split cannot train a model or tell epochs apart.
LEAST_TRAINING, LEAST_VALIDATION = 20, 5


class Learner(eqx.Module):
    """A network in training, with what it is not trained on.

    Attributes
    ----------
    network : PropertyNetwork
    standardisation : Standardisation, optional
        Of images.
    sight : EmbeddingSight, optional
        Of embeddings.
    class_weight : tuple of tuple of float
        Weights of the classes of each target that is one.
    most_shift_px : int
        Largest random shift, beside random orientations.
    in_half : bool
        Whether the encoder computes in bfloat16.
    """

    network: PropertyNetwork
    standardisation: Standardisation | None
    sight: EmbeddingSight | None
    class_weight: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    most_shift_px: int = eqx.field(static=True)
    in_half: bool = eqx.field(static=True)


def mean_loss_of_targets(learner: Learner, galaxies: dict[str, Array], key: Array) -> Array:
    """Mean loss over the targets that each galaxy has a label of."""
    nothing, turned = jnp.zeros((len(galaxies["label"]), 0)), None
    profiles = embeddings = nothing
    if learner.standardisation is not None:
        profiles = jax.vmap(learner.standardisation.features)(galaxies["image"])
        standard = jax.vmap(learner.standardisation.image)(galaxies["image"])
        turned = augment(standard, key, most_shift_px=learner.most_shift_px)
    if learner.sight is not None:
        embeddings = jax.vmap(learner.sight.standardised)(galaxies["embedding"])

    def one(
        image: Array | None, profiles: Array, embedding: Array, label: Array, label_sigma: Array
    ) -> Array:
        network = learner.network
        encoded = network.encoded(image, in_half=learner.in_half)
        vector = network.vector(encoded, profiles, embedding)
        numbers = network.head.targets
        losses = network.head.loss(vector, label[:numbers], label_sigma[:numbers])
        if network.classifier is not None:
            of_classes = network.classifier.loss(vector, label[numbers:], learner.class_weight)
            losses = jnp.concatenate([losses, of_classes])
        return jnp.sum(losses) / jnp.maximum(jnp.sum(jnp.isfinite(label), dtype=jnp.float32), 1.0)

    return jax.vmap(one)(turned, profiles, embeddings, galaxies["label"], galaxies["label_sigma"])


def train(
    source: ImageSource,
    labelled: LabelledRows,
    output: str | Path,
    *,
    config: PropertiesConfig | None = None,
    fractions: Mapping[str, float] = FRACTIONS,
    rejects: Rejects | None = None,
    id_column: str = "target_id",
    citation: str = CITATION,
    resume: bool = False,
    progress: bool = False,
) -> Path:
    """Train a model on labelled images and save it as a folder.

    Parameters
    ----------
    source : ImageSource
        The images.
    labelled : LabelledRows
        The labels of some of them.
    output : str or Path
        Folder of the model; ``<output>.run`` beside it keeps settings, losses, checkpoints and, until the
        model is saved, the prepared images.
    config : PropertiesConfig, optional
    fractions : mapping of str to float
        Of "train", "validation" and "test". A Gaussian process that is not calibrated needs no validation.
    rejects : Rejects, optional
        Takes the images that cannot be used; they are listed beside the model.
    id_column : str
        What the ids are called, for the record.
    citation : str
        What users of the model should cite.
    resume : bool
        Take up an interrupted training.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Path
        The folder, which `nebulium.modelfile.load_model` reads.

    Raises
    ------
    TableError
        If too few galaxies are left for the split.
    ImageError
        If the images do not suit the settings or the model to start from.
    OutputError
        If a folder cannot be written.

    Examples
    --------
    >>> train(source, labelled, "mine", rejects=Rejects())  # doctest: +SKIP
    """
    config = config or PropertiesConfig()
    split = Split(config.split_seed, fractions, id_column)
    with training_run(output, resume=resume, progress=progress, rejects=rejects) as run:
        galaxies = OpenedGalaxies(source, match_to_model(source, None), None)
        return save_trained(run, train_on_galaxies(galaxies, labelled, split, config, run, citation)).model


def train_on_galaxies(
    galaxies: OpenedGalaxies,
    labelled: LabelledRows,
    split: Split,
    config: PropertiesConfig,
    run: Training,
    citation: str = CITATION,
) -> TrainedModel:
    """Prepare galaxies and train a model on those of the training part."""
    start = None if config.init is None else load_model(config.init, of=PropertyModel)
    check_settings(config, start, with_images=galaxies.images is not None)
    parts = prepare_galaxies(
        galaxies,
        labelled,
        split.parts(labelled.ids),
        run.scratch,
        preparation=None if start is None or start.form is None else start.form.preparation,
        size=config.size,
        binning=config.binning,
        rejects=run.rejects,
        notes=run.notes,
    )
    where = str(galaxies.source.path)
    rows = {name: np.arange(len(part)) for name, part in parts.items()}
    validation = LEAST_VALIDATION * (config.head != GAUSSIAN_PROCESS or config.conformal)
    split.check_enough(rows, train=LEAST_TRAINING, validation=validation, where=where)
    classes = labelled.classes
    targets = labelled.targets[: len(labelled.targets) - len(classes)]
    counts = class_counts(classes, parts["train"].labels["value"][:, len(targets) :])
    check_classes_to_learn(counts, where)
    for note in few_of_a_class(counts):
        run.warn(note)
    model, results = train_on_store(parts, targets, classes=classes, config=config, start=start, run=run)
    return described(
        model,
        config,
        results,
        hyperparameters=hyperparameters(parts["train"], targets, config, start, classes),
        counts=counts,
        split=split.as_dict(rows),
        units=labelled.units,
        start=None if config.init is None else describe_model(config.init).config,
        embeddings=galaxies.embeddings,
        citation=citation,
    )


def train_on_store(
    parts: Mapping[str, TrainingGalaxies],
    targets: tuple[str, ...],
    *,
    classes: Classes | None = None,
    config: PropertiesConfig,
    start: PropertyModel | None = None,
    run: Training | None = None,
) -> tuple[PropertyModel, list[FitResult[Any]]]:
    """Train a model on prepared galaxies, labelled with `value` and `sigma`: arrays (galaxy, target).

    Labels of classes, their places, come after those of the targets that are numbers.
    """
    check_settings(config, start, with_images=parts["train"].images is not None)
    model = new_model(parts, targets, config, start, classes)
    results: list[FitResult[Any]] = []
    if config.head == GAUSSIAN_PROCESS:
        model = _with_process(model, parts["train"], config.balance)
    else:
        counts = class_counts(classes or {}, parts["train"].labels["value"][:, len(targets) :])
        weights = class_weights(counts, config.balance)
        results = fit_members(
            run or Training(),
            [
                Learner(
                    network, model.standardisation, model.sight, weights, config.most_shift_px, config.in_half
                )
                for network in model.networks
            ],
            mean_loss_of_targets,
            _standardised(model, parts["train"]),
            validation=_standardised(model, parts["validation"]),
            config=config.fitting,
            trained=lambda learner: learner.network,
            about=dataclasses.asdict(config),
        )
        model = eqx.tree_at(lambda m: m.networks, model, tuple(result.model.network for result in results))
    if model.domain is not None:
        model = eqx.tree_at(lambda m: m.domain, model, _measured_domain(model, model.domain, parts))
    if config.conformal or (classes and not model.on_features):
        numbers, labels = len(targets), parts["validation"].labels
        predicted = map_galaxies(model, *parts["validation"].seen, batch=batch_of(model))
        if not model.on_features:
            model = with_temperature(model, labels["value"][:, numbers:], predicted.probability)
        if config.conformal:
            model = calibrated(model, labels["value"][:, :numbers], predicted, labels["sigma"][:, :numbers])
    return model, results


def _standardised(model: PropertyModel, galaxies: TrainingGalaxies) -> TrainingGalaxies:
    """The galaxies with standardised labels."""
    # A class stays what it is, a place among the names.
    places = len(model.classes)
    mean = np.concatenate([np.asarray(model.target_mean), np.zeros(places, np.float32)])
    scale = np.concatenate([np.asarray(model.target_scale), np.ones(places, np.float32)])
    label, sigma = (galaxies.labels["value"] - mean) / scale, galaxies.labels["sigma"] / scale
    return dataclasses.replace(galaxies, labels={"label": label, "label_sigma": sigma})


def _with_process(model: PropertyModel, training: TrainingGalaxies, balance: float) -> PropertyModel:
    """The model with a Gaussian process and a kernel logistic regression on features and frozen networks."""
    features = map_galaxies(model.process_features, *training.seen, batch=batch_of(model))
    labels, groups, numbers = _standardised(model, training).labels, model.process_groups, len(model.targets)
    value, sigma = labels["label"], labels["label_sigma"]
    if model.process is not None:
        values = value[:, :numbers], sigma[:, :numbers]
        process = fit_gaussian_process(features.numbers, *values, groups=groups)
        model = eqx.tree_at(lambda m: m.process, model, process)
    if model.kernel_classes is not None:
        fitted, temperature = fit_kernel_classes(
            features.classes,
            value[:, numbers:],
            groups=model.kernel_groups,
            counts=model.class_counts,
            balance=balance,
        )
        found = fitted, jnp.asarray(temperature, jnp.float32)
        model = eqx.tree_at(lambda m: (m.kernel_classes, m.temperature), model, found)
    return model


def _measured_domain(
    model: PropertyModel, domain: ProfileDomain, parts: Mapping[str, TrainingGalaxies]
) -> ProfileDomain:
    training, other = (
        jnp.asarray(map_galaxies(model.profiles, parts[name].images)) for name in ("train", validating(parts))
    )
    return measure_profile_domain(training, other, references=domain.domain.reference.shape[0])
