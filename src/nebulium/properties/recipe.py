"""From images and labels to a saved model: the settings, the loss, the steps."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from nebulium.data.images.labelled import LabelledImages, prepare_parts
from nebulium.data.images.source import ImageSource
from nebulium.data.rejects import Rejects
from nebulium.data.splits import FRACTIONS, Split
from nebulium.errors import TableError
from nebulium.modelfile import describe_model, load_model
from nebulium.nn.encoders import computes_in_half
from nebulium.nn.image_model import Standardisation, measure_standardisation
from nebulium.nn.mapping import map_galaxies
from nebulium.properties.calibration import calibrated, with_temperature
from nebulium.properties.card import CITATION, described
from nebulium.properties.classes import (
    Classes,
    check_classes_to_learn,
    class_counts,
    class_weights,
    few_of_a_class,
)
from nebulium.properties.domain import ProfileDomain, measure_profile_domain
from nebulium.properties.features.names import FEATURES, PROFILES, check_features
from nebulium.properties.gaussian_process import MOST_REFERENCES, fit_gaussian_process
from nebulium.properties.kernel_classes import MOST_REFERENCES as MOST_CLASSIFIED
from nebulium.properties.kernel_classes import fit_kernel_classes
from nebulium.properties.labels import LabelledRows
from nebulium.properties.model import GAUSSIAN_PROCESS, ImageNetwork, PropertyModel
from nebulium.properties.predict import BATCH
from nebulium.training import FitConfig, FitResult
from nebulium.training.augmentation import augment
from nebulium.training.config import fit_config_of
from nebulium.verbs import TrainedModel, Training, fit_members, save_trained, training_run

DOMAIN_REFERENCES = 1024
#: Parts of the radial profiles with a kernel each.
RADIAL_PARTS = 3
#: Fewer galaxies than this in a part of the split cannot train a model or tell epochs apart.
LEAST_TRAINING, LEAST_VALIDATION = 20, 5
#: Options of the command line by the setting, where there is one.
OPTIONS = {"encoder": "--encoder", "size": "--size", "binning": "--binning", "with_profiles": "--no-profiles"}


@dataclass(frozen=True)
class PropertiesConfig:
    """How a model of properties is built and trained.

    Attributes
    ----------
    encoder : str
        See `nebulium.nn.encoders.ENCODERS`.
    head : str
        See `nebulium.nn.densities.HEADS`; or "gaussian-process" for samples of up to 2,000 galaxies, on what
        is measured in the image and, with `init`, on what its networks say. Classes, of up to 4,000 galaxies,
        are then learned by a kernel logistic regression.
    features : sequence of str, optional
        What a Gaussian process has measured in the image: "profiles", and "modes" and "scattering" if wanted;
        all three if not given, or those of `init`.
    members : int
        Networks of the ensemble, each from a seed of its own.
    size : int, optional
        Pixels on a side, by cropping or padding; that of the first image if not given.
    binning : int
        Pixels on a side of the blocks that are averaged first.
    encoder_binning : int
        The same for the encoder alone; profiles see all pixels.
    with_profiles : bool
        Whether radial profiles stand beside the image in each network.
    most_shift_px : int
        Largest random shift in training, beside random orientations.
    balance : float
        How much rare classes weigh in training: their frequency to the power of minus this; 0 weighs all
        galaxies alike, 1 all classes.
    epochs, batch_size, learning_rate, schedule, weight_decay, patience, seed
        As in `nebulium.training.FitConfig`.
    half_precision : bool, optional
        Compute encoders in bfloat16; where the device is fast at it, if not given.
    split_seed : str
        Names the split by id into train, validation and test.
    conformal : bool
        Scale the intervals so that they hold 68 % of the validation labels.
    init : str, optional
        A model, by name or folder, whose networks the training starts from.

    Examples
    --------
    >>> PropertiesConfig(epochs=5).encoder
    'resnet-small'
    """

    encoder: str = "resnet-small"
    head: str = "gaussian"
    features: Sequence[str] | None = None
    members: int = 1
    size: int | None = None
    binning: int = 1
    encoder_binning: int = 1
    with_profiles: bool = True
    most_shift_px: int = 0
    balance: float = 0.0
    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 2e-3
    schedule: str = "one-cycle"
    weight_decay: float = 1e-2
    patience: int | None = None
    seed: int = 0
    half_precision: bool | None = None
    split_seed: str = "nebulium"
    conformal: bool = False
    init: str | None = None

    @property
    def fitting(self) -> FitConfig:
        """Settings of the training loop for the first network."""
        return fit_config_of(self, warm_up=0.15, averaging=0.99)

    @property
    def in_half(self) -> bool:
        """Whether encoders compute in bfloat16 on the device that is there."""
        return computes_in_half(self.half_precision)


class Learner(eqx.Module):
    """A network in training, with what it is not trained on.

    Attributes
    ----------
    network : ImageNetwork
    standardisation : Standardisation
    class_weight : tuple of tuple of float
        Weights of the classes of each target that is one.
    most_shift_px : int
        Largest random shift, beside random orientations.
    in_half : bool
        Whether the encoder computes in bfloat16.
    """

    network: ImageNetwork
    standardisation: Standardisation
    class_weight: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    most_shift_px: int = eqx.field(static=True)
    in_half: bool = eqx.field(static=True)


def mean_loss_of_targets(learner: Learner, galaxies: dict[str, Array], key: Array) -> Array:
    """Mean loss over the targets that each galaxy has a label of."""
    profiles = jax.vmap(learner.standardisation.features)(galaxies["image"])
    standard = jax.vmap(learner.standardisation.image)(galaxies["image"])
    turned = augment(standard, key, most_shift_px=learner.most_shift_px)

    def one(image: Array, profiles: Array, label: Array, label_sigma: Array) -> Array:
        network = learner.network
        vector = network.vector(network.embedding(image, in_half=learner.in_half), profiles)
        numbers = network.head.targets
        losses = network.head.loss(vector, label[:numbers], label_sigma[:numbers])
        if network.classifier is not None:
            of_classes = network.classifier.loss(vector, label[numbers:], learner.class_weight)
            losses = jnp.concatenate([losses, of_classes])
        return jnp.sum(losses) / jnp.maximum(jnp.sum(jnp.isfinite(label), dtype=jnp.float32), 1.0)

    return jax.vmap(one)(turned, profiles, galaxies["label"], galaxies["label_sigma"])


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
        return save_trained(run, train_on_images(source, labelled, split, config, run, citation)).model


def train_on_images(
    source: ImageSource,
    labelled: LabelledRows,
    split: Split,
    config: PropertiesConfig,
    run: Training,
    citation: str = CITATION,
) -> TrainedModel:
    """Prepare images and train a model on those of the training part."""
    start = None if config.init is None else load_model(config.init, of=PropertyModel)
    _check_start(config, start)
    parts = prepare_parts(
        source,
        labelled.rows,
        split.parts(labelled.ids),
        {"value": labelled.values, "sigma": labelled.sigma},
        run.scratch,
        preparation=None if start is None else start.form.preparation,
        size=config.size,
        binning=config.binning,
        rejects=run.rejects,
    )
    rows = {name: part.images.rows for name, part in parts.items()}
    validation = LEAST_VALIDATION * (config.head != GAUSSIAN_PROCESS or config.conformal)
    split.check_enough(rows, train=LEAST_TRAINING, validation=validation, where=str(source.path))
    classes = labelled.classes
    targets = labelled.targets[: len(labelled.targets) - len(classes)]
    counts = class_counts(classes, parts["train"].labels["value"][:, len(targets) :])
    check_classes_to_learn(counts, str(source.path))
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
        citation=citation,
    )


def train_on_store(
    parts: Mapping[str, LabelledImages],
    targets: tuple[str, ...],
    *,
    classes: Classes | None = None,
    config: PropertiesConfig,
    start: PropertyModel | None = None,
    run: Training | None = None,
) -> tuple[PropertyModel, list[FitResult[Any]]]:
    """Train a model on prepared images, labelled with `value` and `sigma`: arrays (galaxy, target).

    Labels of classes, their places, come after those of the targets that are numbers.
    """
    _check_start(config, start)
    model = new_model(parts["train"], targets, config, start, classes)
    results: list[FitResult[Any]] = []
    if config.head == GAUSSIAN_PROCESS:
        model = _with_process(model, parts["train"], config.balance)
    else:
        counts = class_counts(classes or {}, parts["train"].labels["value"][:, len(targets) :])
        weights = class_weights(counts, config.balance)
        results = fit_members(
            run or Training(),
            [
                Learner(network, model.standardisation, weights, config.most_shift_px, config.in_half)
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
    model = eqx.tree_at(lambda m: m.domain, model, _measured_domain(model, parts))
    if config.conformal or (classes and not model.on_features):
        numbers, labels = len(targets), parts["validation"].labels
        predicted = map_galaxies(model, parts["validation"].images, batch=BATCH)
        if not model.on_features:
            model = with_temperature(model, labels["value"][:, numbers:], predicted.probability)
        if config.conformal:
            model = calibrated(model, labels["value"][:, :numbers], predicted, labels["sigma"][:, :numbers])
    return model, results


def _check_start(config: PropertiesConfig, start: PropertyModel | None) -> None:
    """What the model to start from fixes cannot be asked for otherwise."""
    if start is not None:
        fixed = _fixed_by(start)
        asked = {name: getattr(config, name) for name in fixed}
        default = {name: getattr(PropertiesConfig(), name) for name in fixed}
        other = [name for name in fixed if asked[name] not in (default[name], fixed[name])]
        if other:
            problem = f"has {other[0]} {fixed[other[0]]}, not {asked[other[0]]}"
            setting = f"{OPTIONS[other[0]]} ({other[0]})" if other[0] in OPTIONS else other[0]
            raise TableError("the model to start from", problem, f"leave out {setting}, or --init (init)")
    if config.features is not None:
        check_features(tuple(config.features))
    if config.head != GAUSSIAN_PROCESS and _chosen_features(config, start) != (PROFILES,):
        problem = "are learned from by the head gaussian-process alone"
        raise TableError("features", problem, "leave out --features (features), or choose that head")


def _chosen_features(config: PropertiesConfig, start: PropertyModel | None) -> tuple[str, ...]:
    """What is measured in an image."""
    if config.features is not None:
        return tuple(config.features)
    if start is not None:
        return start.features
    return tuple(FEATURES) if config.head == GAUSSIAN_PROCESS else (PROFILES,)


def _fixed_by(start: PropertyModel) -> dict[str, Any]:
    """Settings that a training takes from the model that it starts from."""
    return {
        "encoder": start.encoder,
        "size": start.form.preparation.size,
        "binning": start.form.preparation.binning,
        "encoder_binning": start.networks[0].binning,
        "with_profiles": start.with_profiles,
    }


def new_model(
    training: LabelledImages,
    targets: tuple[str, ...],
    config: PropertiesConfig,
    start: PropertyModel | None = None,
    classes: Classes | None = None,
) -> PropertyModel:
    """A model before training, its statistics measured on the training galaxies."""
    settings = hyperparameters(training, targets, config, start, classes)
    model = PropertyModel(**settings, key=jax.random.key(config.seed))
    labels = training.labels["value"][:, : len(targets)]
    measured = (
        _standardisation(model, training, start),
        jnp.asarray(np.nanmean(labels, axis=0), jnp.float32),
        jnp.asarray(np.nanstd(labels, axis=0), jnp.float32),
    )
    model = eqx.tree_at(lambda m: (m.standardisation, m.target_mean, m.target_scale), model, measured)
    if start is None:
        return model
    given = [start.networks[i % len(start.networks)] for i in range(len(model.networks))]
    if config.head == GAUSSIAN_PROCESS:
        # What they say of classes is not used.
        frozen = tuple(eqx.tree_at(lambda n: n.classifier, one, None, is_leaf=_is_none) for one in given)
        return eqx.tree_at(lambda m: m.networks, model, frozen)
    taken = tuple(
        eqx.tree_at(lambda n: (n.encoder, n.hidden), own, (other.encoder, other.hidden))
        for own, other in zip(model.networks, given, strict=True)
    )
    return eqx.tree_at(lambda m: m.networks, model, taken)


def _standardisation(
    model: PropertyModel, training: LabelledImages, start: PropertyModel | None
) -> Standardisation:
    """Means and scatters of the training galaxies; networks go on to see what they learned to see."""
    if start is not None and not model.on_features:
        return start.standardisation
    measured = measure_standardisation(model.standardisation, training.images)
    if start is None:
        return measured
    known, seen = start.standardisation, start.feature_counts[0] * start.with_profiles
    leaves = lambda s: (s.band_mean, s.band_scale, s.feature_mean, s.feature_scale)  # noqa: E731
    features = (
        jnp.concatenate([old[:seen], new[seen:]])
        for old, new in zip(leaves(known)[2:], leaves(measured)[2:], strict=True)
    )
    return eqx.tree_at(leaves, measured, (known.band_mean, known.band_scale, *features))


def _is_none(leaf: object) -> bool:
    return leaf is None


def hyperparameters(
    training: LabelledImages,
    targets: tuple[str, ...],
    config: PropertiesConfig,
    start: PropertyModel | None = None,
    classes: Classes | None = None,
) -> dict[str, Any]:
    """Keywords of `PropertyModel`; those of the networks are those of the model to start from."""
    process = config.head == GAUSSIAN_PROCESS
    most = MOST_REFERENCES if targets else MOST_CLASSIFIED
    if process and len(training) > most:
        problem = f"takes {most:,} galaxies at most, found {len(training):,}"
        raise TableError("head gaussian-process", problem, "choose the head gaussian")
    predicted = 0 if start is None else start.networks[0].head.targets
    settled = config if start is None else dataclasses.replace(config, **_fixed_by(start))
    return {
        **training.images.store.form.as_dict(),
        "targets": list(targets),
        "classes": {target: list(names) for target, names in (classes or {}).items()},
        "encoder": "none" if process and start is None else settled.encoder,
        "head": start.head if process and start is not None else config.head,
        "members": config.members if not process else 0 if start is None else len(start.networks),
        "encoder_binning": settled.encoder_binning,
        "with_profiles": settled.with_profiles,
        "network_targets": predicted if process else None,
        "references": len(training) if process else 0,
        "features": list(_chosen_features(config, start)),
        "radial_parts": RADIAL_PARTS if process else 1,
        "domain_references": min(DOMAIN_REFERENCES, len(training)),
    }


def _standardised(model: PropertyModel, images: LabelledImages) -> LabelledImages:
    """The images with standardised labels."""
    # A class stays what it is, a place among the names.
    places = len(model.classes)
    mean = np.concatenate([np.asarray(model.target_mean), np.zeros(places, np.float32)])
    scale = np.concatenate([np.asarray(model.target_scale), np.ones(places, np.float32)])
    label, sigma = (images.labels["value"] - mean) / scale, images.labels["sigma"] / scale
    return LabelledImages(images.images, {"label": label, "label_sigma": sigma})


def _with_process(model: PropertyModel, training: LabelledImages, balance: float) -> PropertyModel:
    """The model with a Gaussian process and a kernel logistic regression on features and frozen networks."""
    features = map_galaxies(model.process_features, training.images, batch=BATCH)
    labels, groups, numbers = _standardised(model, training).labels, model.process_groups, len(model.targets)
    value, sigma = labels["label"], labels["label_sigma"]
    if model.process is not None:
        process = fit_gaussian_process(features, value[:, :numbers], sigma[:, :numbers], groups=groups)
        model = eqx.tree_at(lambda m: m.process, model, process)
    if model.kernel_classes is not None:
        fitted, temperature = fit_kernel_classes(
            features,
            value[:, numbers:],
            groups=model.kernel_groups,
            counts=model.class_counts,
            balance=balance,
        )
        found = fitted, jnp.asarray(temperature, jnp.float32)
        model = eqx.tree_at(lambda m: (m.kernel_classes, m.temperature), model, found)
    return model


def _measured_domain(model: PropertyModel, parts: Mapping[str, LabelledImages]) -> ProfileDomain:
    # Without validation galaxies each training galaxy is one of its own neighbours: a slightly narrow domain.
    others = "validation" if len(parts["validation"]) else "train"
    training, other = (
        jnp.asarray(map_galaxies(model.profiles, parts[name].images)) for name in ("train", others)
    )
    return measure_profile_domain(training, other, references=model.domain.domain.reference.shape[0])
