"""A model before its training: its shape by the settings and the model to start from, and its statistics."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from nebulium.errors import TableError
from nebulium.nn.image_model import Standardisation, measure_standardisation
from nebulium.properties.config import PropertiesConfig
from nebulium.properties.features.names import FEATURES, PROFILES, check_features
from nebulium.properties.gaussian_process import MOST_REFERENCES
from nebulium.properties.kernel_classes import MOST_REFERENCES as MOST_CLASSIFIED
from nebulium.properties.model import GAUSSIAN_PROCESS, PropertyModel
from nebulium.properties.seen.sight import EmbeddingSight, measured_sight
from nebulium.properties.seen.training_galaxies import TrainingGalaxies
from nebulium.verbs.labels.classes import Classes

DOMAIN_REFERENCES = 1024
#: Parts of the radial profiles with a kernel each.
RADIAL_PARTS = 3
#: Options of the command line by the setting, where there is one.
OPTIONS = {
    "encoder": "--encoder", "size": "--size", "binning": "--binning", "with_profiles": "--no-profiles",
    "features": "--features", "init": "--init",
}  # fmt: skip
#: Settings that say something of images.
OF_IMAGES = (*OPTIONS, "encoder_binning", "most_shift_px")


def check_settings(config: PropertiesConfig, start: PropertyModel | None, *, with_images: bool) -> None:
    """Settings must suit what there is to see, and what the model to start from fixes."""
    if not with_images:
        other = next(
            (one for one in OF_IMAGES if getattr(config, one) != getattr(PropertiesConfig(), one)), None
        )
        if other is not None:
            setting = _named(other)
            raise TableError(
                "settings", f"{setting} is of images, and there are none", f"leave out {setting}"
            )
        return
    if start is not None and (start.sight is not None or not start.networks):
        problem = "has no networks that see images alone, from which a training can start"
        raise TableError("the model to start from", problem, "leave out --init (init), or name another model")
    if start is not None:
        fixed = _fixed_by(start)
        asked = {name: getattr(config, name) for name in fixed}
        default = {name: getattr(PropertiesConfig(), name) for name in fixed}
        others = [name for name in fixed if asked[name] not in (default[name], fixed[name])]
        if others:
            problem = f"has {others[0]} {fixed[others[0]]}, not {asked[others[0]]}"
            setting = _named(others[0])
            raise TableError("the model to start from", problem, f"leave out {setting}, or --init (init)")
    if config.features is not None:
        check_features(tuple(config.features))
    if config.head != GAUSSIAN_PROCESS and _chosen_features(config, start) != (PROFILES,):
        problem = "are learned from by the head gaussian-process alone"
        raise TableError("features", problem, "leave out --features (features), or choose that head")


def _named(setting: str) -> str:
    """A setting as the command line and Python have it."""
    return f"{OPTIONS[setting]} ({setting})" if setting in OPTIONS else setting


def _chosen_features(config: PropertiesConfig, start: PropertyModel | None) -> tuple[str, ...]:
    """What is measured in an image."""
    if config.features is not None:
        return tuple(config.features)
    if start is not None:
        return start.features
    return tuple(FEATURES) if config.head == GAUSSIAN_PROCESS else (PROFILES,)


def _fixed_by(start: PropertyModel) -> dict[str, Any]:
    """Settings that a training takes from the model that it starts from."""
    preparation = None if start.form is None else start.form.preparation
    return {
        "encoder": start.encoder,
        "size": preparation and preparation.size,
        "binning": preparation and preparation.binning,
        "encoder_binning": start.networks[0].binning,
        "with_profiles": start.with_profiles,
    }


def new_model(
    parts: Mapping[str, TrainingGalaxies],
    targets: tuple[str, ...],
    config: PropertiesConfig,
    start: PropertyModel | None = None,
    classes: Classes | None = None,
) -> PropertyModel:
    """A model before training, its statistics measured on the training galaxies."""
    training = parts["train"]
    settings = hyperparameters(training, targets, config, start, classes)
    model = PropertyModel(**settings, key=jax.random.key(config.seed))
    labels = training.labels["value"][:, : len(targets)]
    measured = (
        _standardisation(model, training, start),
        _sight(model, parts),
        jnp.asarray(np.nanmean(labels, axis=0), jnp.float32),
        jnp.asarray(np.nanstd(labels, axis=0), jnp.float32),
    )
    leaves = lambda m: (m.standardisation, m.sight, m.target_mean, m.target_scale)  # noqa: E731
    model = eqx.tree_at(leaves, model, measured, is_leaf=_is_none)
    if start is None:
        return model
    given = [start.networks[i % len(start.networks)] for i in range(len(model.networks))]
    if config.head == GAUSSIAN_PROCESS:
        # What they say of classes is not used.
        frozen = tuple(eqx.tree_at(lambda n: n.classifier, one, None, is_leaf=_is_none) for one in given)
        return eqx.tree_at(lambda m: m.networks, model, frozen)
    # Beside an embedding the layer after the encoder is another one.
    kept = (lambda n: (n.encoder, n.hidden)) if model.sight is None else (lambda n: (n.encoder,))
    taken = tuple(
        eqx.tree_at(kept, own, kept(other)) for own, other in zip(model.networks, given, strict=True)
    )
    return eqx.tree_at(lambda m: m.networks, model, taken)


def _standardisation(
    model: PropertyModel, training: TrainingGalaxies, start: PropertyModel | None
) -> Standardisation | None:
    """Means and scatters of the training galaxies; networks go on to see what they learned to see."""
    if model.standardisation is None or training.images is None:
        return None
    known = None if start is None else start.standardisation
    if known is not None and not model.on_features:
        return known
    measured = measure_standardisation(model.standardisation, training.images)
    if known is None or start is None:
        return measured
    seen = start.feature_counts[0] * start.with_profiles
    leaves = lambda s: (s.band_mean, s.band_scale, s.feature_mean, s.feature_scale)  # noqa: E731
    features = (
        jnp.concatenate([old[:seen], new[seen:]])
        for old, new in zip(leaves(known)[2:], leaves(measured)[2:], strict=True)
    )
    return eqx.tree_at(leaves, measured, (known.band_mean, known.band_scale, *features))


def _sight(model: PropertyModel, parts: Mapping[str, TrainingGalaxies]) -> EmbeddingSight | None:
    """What is measured of the embeddings of the training galaxies."""
    training, others = (parts[name].embeddings for name in ("train", validating(parts)))
    if model.sight is None or training is None or others is None:
        return None
    return measured_sight(model.sight, training, others)


def validating(parts: Mapping[str, TrainingGalaxies]) -> str:
    """The part by which the training domain is set.

    Without validation galaxies each training galaxy is one of its own neighbours: a slightly narrow domain.
    """
    return "validation" if len(parts["validation"]) else "train"


def _is_none(leaf: object) -> bool:
    return leaf is None


def hyperparameters(
    training: TrainingGalaxies,
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
    images, embeddings = training.seen
    predicted = 0 if start is None else start.networks[0].head.targets
    settled = config if start is None else dataclasses.replace(config, **_fixed_by(start))
    return {
        **({} if images is None else images.store.form.as_dict()),
        **({} if embeddings is None else {"embedding": embeddings.store.form.as_dict()}),
        "targets": list(targets),
        "classes": {target: list(names) for target, names in (classes or {}).items()},
        "encoder": "none" if images is None or (process and start is None) else settled.encoder,
        "head": start.head if process and start is not None else config.head,
        "members": config.members if not process else 0 if start is None else len(start.networks),
        "encoder_binning": settled.encoder_binning,
        "with_profiles": settled.with_profiles,
        "network_targets": predicted if process else None,
        "references": len(training) if process else 0,
        "features": [] if images is None else list(_chosen_features(config, start)),
        "radial_parts": RADIAL_PARTS if process else 1,
        "domain_references": min(DOMAIN_REFERENCES, len(training)),
    }
