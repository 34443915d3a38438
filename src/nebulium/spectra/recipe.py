"""From images and their spectra to a saved model of spectra: the settings, the losses, the steps."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.data.images.labelled import LabelledImages, prepare_parts
from nebulium.data.images.source import ImageSource
from nebulium.data.splits import Split
from nebulium.lines.model import LineModel
from nebulium.modelfile import describe_model, load_model
from nebulium.nn.chained_density import ChainedDensity
from nebulium.nn.mapping import map_galaxies
from nebulium.nn.training_domain import measure_domain
from nebulium.spectra.card import described
from nebulium.spectra.continuum.basis import ContinuumBasis
from nebulium.spectra.continuum.training import MeasuredSpectra
from nebulium.spectra.draws import bins_of
from nebulium.spectra.features import measure_image
from nebulium.spectra.model import DOMAIN_REFERENCES, FEATURE_BOUND, LineCorrection, SpectrumModel, line_loss
from nebulium.training import FitConfig, FitResult, trained_part
from nebulium.training.config import fit_config_of
from nebulium.verbs import TrainedModel, Training, fit_members

#: Fewer galaxies than this in a part of the split teach nothing, or cannot be told from chance.
LEAST_TRAINING, LEAST_VALIDATION = 100, 20
#: Learning rate of what corrects the lines: a small network, whose way may be long.
CORRECTION_RATE = 3e-3
#: Epochs, and learning rate, of the training with nothing left out, over those of the training before it.
SETTLING, SETTLING_RATE = 0.1, 0.2


@dataclass(frozen=True)
class SpectraConfig:
    """How a model of spectra is built and trained.

    Attributes
    ----------
    components : int
        Principal components of the continua, fitted to the training spectra.
    basis : str, optional
        Components in place of these: packaged ones, or a folder of `basis_file`.
    width, depth : int
        Of the hidden layers of the networks.
    hidden, mixture : int
        Width of what each value of a galaxy has of its own, and how many normal distributions each mixes.
    dropout : float
        Share of the hidden layers' values that is left out in training.
    members : int
        How many networks there are.
    lines : str
        Model of the lines given the continuum: a packaged one, or a folder.
    size : int, optional
        Pixels on a side, by cropping or padding; that of the first image if not given.
    binning : int
        Pixels on a side of the blocks that are averaged first.
    epochs, batch_size, learning_rate, weight_decay, seed
        As in `nebulium.training.FitConfig`.
    split_seed : str
        Names the split by id into train, validation and test.

    Examples
    --------
    >>> SpectraConfig(epochs=5).components
    12
    """

    components: int = 12
    basis: str | None = None
    width: int = 256
    depth: int = 2
    hidden: int = 32
    mixture: int = 5
    dropout: float = 0.2
    members: int = 2
    lines: str = "desi-lines-colours"
    size: int | None = None
    binning: int = 1
    epochs: int = 80
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    seed: int = 0
    split_seed: str = "nebulium"

    def __post_init__(self) -> None:
        for name in ("components", "width", "depth", "hidden", "mixture", "members"):
            if getattr(self, name) < 1:
                raise ValueError(f"SpectraConfig: {name} must be at least 1, got {getattr(self, name)!r}")

    @property
    def fitting(self) -> FitConfig:
        """Settings of the training loop."""
        return fit_config_of(self, averaging=0.995)


class Learner(eqx.Module):
    """A network in training."""

    network: ChainedDensity


def value_loss(learner: Learner, galaxies: dict[str, Array], key: Key[Array, ""] | None) -> Array:
    """Negative logarithm of the density of the values of each galaxy."""

    def one(feature: Array, value: Array, key: Key[Array, ""] | None) -> Array:
        return -jnp.sum(learner.network.log_density(learner.network.seen(feature, key), value))

    keys = None if key is None else jax.random.split(key, len(galaxies["value"]))
    return jax.vmap(one)(galaxies["feature"], galaxies["value"], keys)


def whole_value_loss(learner: Learner, galaxies: dict[str, Array], key: Key[Array, ""]) -> Array:
    """The same by the whole network, nothing left out."""
    return value_loss(learner, galaxies, None)


def trained_networks(
    run: Training, networks: Sequence[ChainedDensity], data: Mapping[str, Any], config: SpectraConfig
) -> list[FitResult[Learner]]:
    """Networks that have learned the density of the values of training galaxies given their features."""
    first, about = config.fitting, dataclasses.asdict(config)
    results = fit_members(
        run,
        [Learner(network) for network in networks],
        value_loss,
        data["train"],
        config=first,
        trained=lambda learner: learner.network,
        validation=data["validation"],
        validation_loss_fn=whole_value_loss,
        about=about,
    )
    # A little more with nothing left out: what is left out makes what networks say too wide.
    epochs, rate = max(1, round(SETTLING * first.epochs)), SETTLING_RATE * first.learning_rate
    last = dataclasses.replace(first, epochs=epochs, learning_rate=rate)
    return [
        run.fit(
            f"settled-{member}",
            result.model,
            whole_value_loss,
            data["train"],
            validation=data["validation"],
            config=last,
            trainable=trained_part(result.model, lambda learner: learner.network),
            about=about,
        )
        for member, result in enumerate(results)
    ]


class LineLearner(eqx.Module):
    """What corrects the lines, in training, with the model of the lines."""

    correction: LineCorrection
    lines: LineModel


def correction_loss(learner: LineLearner, galaxies: dict[str, Array], key: Key[Array, ""]) -> Array:
    """Of the measured lines of each galaxy, upon its own continuum."""

    def one(
        continuum_flux: Array, redshift: Array, feature: Array, value: Array, ew_aa: Array, sigma_aa: Array
    ) -> Array:
        density = learner.lines.density(continuum_flux, redshift)
        return line_loss(learner.correction(density, feature, value), ew_aa, sigma_aa)

    names = ("continuum_flux", "redshift", "feature", "value", "ew_aa", "sigma_aa")
    return jax.vmap(one)(*(galaxies[name] for name in names))


def train_on_spectra(
    source: ImageSource,
    spectra: MeasuredSpectra,
    image_rows: np.ndarray,
    basis: ContinuumBasis,
    split: Split,
    config: SpectraConfig,
    run: Training,
) -> TrainedModel:
    """Train a model on measured spectra, one for each of some rows of the images."""
    part = split.parts(spectra.ids)
    labels = {
        name: getattr(spectra, name) for name in ("coefficients", "log_flux", "redshift", "ew_aa", "sigma_aa")
    }
    parts = prepare_parts(
        source,
        image_rows,
        part,
        labels,
        run.scratch,
        rejects=run.rejects,
        size=config.size,
        binning=config.binning,
    )
    rows = {name: one.images.rows for name, one in parts.items()}
    split.check_enough(rows, train=LEAST_TRAINING, validation=LEAST_VALIDATION, where=str(source.path))
    hyperparameters = _hyperparameters(parts["train"], basis, config)
    model = SpectrumModel(**hyperparameters, key=jax.random.key(config.seed))
    lines = load_model(config.lines, of=LineModel)
    model = eqx.tree_at(lambda m: (m.basis, m.lines), model, (basis, lines))
    model, data = _with_statistics(model, parts)
    results = trained_networks(run, model.networks, data, config)
    model = eqx.tree_at(lambda m: m.networks, model, tuple(result.model.network for result in results))
    learner = LineLearner(model.correction, model.lines)
    corrected = run.fit(
        "lines",
        learner,
        correction_loss,
        data["train"],
        validation=data["validation"],
        config=dataclasses.replace(config.fitting, learning_rate=CORRECTION_RATE),
        trainable=trained_part(learner, lambda one: one.correction),
        about=dataclasses.asdict(config),
    )
    model = eqx.tree_at(lambda m: m.correction, model, corrected.model.correction)
    return described(
        model,
        config,
        [*results, corrected],
        hyperparameters=hyperparameters,
        split=split.as_dict(rows),
        spectra=spectra,
    )


def _hyperparameters(
    training: LabelledImages, basis: ContinuumBasis, config: SpectraConfig
) -> dict[str, Any]:
    """Keywords of the model."""
    return {
        **training.images.store.form.as_dict(),
        "components": basis.components.shape[1],
        "first": basis.first,
        "pixels": len(basis.mean),
        "width": config.width,
        "depth": config.depth,
        "hidden": config.hidden,
        "mixture": config.mixture,
        "dropout": config.dropout,
        "members": config.members,
        "lines": dict(describe_model(config.lines).config["hyperparameters"]),
        "domain_references": min(DOMAIN_REFERENCES, len(training)),
    }


def _with_statistics(
    model: SpectrumModel, parts: Mapping[str, LabelledImages]
) -> tuple[SpectrumModel, dict[str, dict[str, np.ndarray]]]:
    """The model with what is measured of the training galaxies, and what networks learn from."""
    stretch = model.form.preparation.stretch
    seen = {
        name: map_galaxies(lambda image: measure_image(image, stretch), parts[name].images)
        for name in ("train", "validation")
    }
    features, light = seen["train"]
    found = (features.mean(axis=0), np.maximum(features.std(axis=0), 1e-3))
    model = eqx.tree_at(
        lambda m: (m.feature_mean, m.feature_scale), model, tuple(jnp.asarray(one) for one in found)
    )
    raw = raw_values(parts["train"].labels, light)
    scales = jnp.asarray(raw.mean(axis=0)), jnp.asarray(np.maximum(raw.std(axis=0), 1e-6))
    model = eqx.tree_at(lambda m: (m.value_mean, m.value_scale), model, scales)
    data = {name: _data(model, parts[name], *seen[name]) for name in seen}
    domain = measure_domain(
        *(jnp.asarray(data[name]["feature"]) for name in ("train", "validation")),
        n_reference=model.domain.reference.shape[0],
    )
    return eqx.tree_at(lambda m: m.domain, model, domain), data


def raw_values(labels: Mapping[str, np.ndarray], light: np.ndarray) -> Float[np.ndarray, "n value"]:
    """Redshift, flux over light, and coefficients, as networks say their density but for the scale."""
    others = np.log10(labels["redshift"]), labels["log_flux"] - light
    return np.column_stack([*others, labels["coefficients"]]).astype(np.float32)


def _data(
    model: SpectrumModel, images: LabelledImages, features: np.ndarray, light: np.ndarray
) -> dict[str, np.ndarray]:
    """What networks learn from, of galaxies whose images are measured."""
    labels = images.labels
    mean, scale = np.asarray(model.feature_mean), np.asarray(model.feature_scale)
    bins = map_galaxies(lambda coefficients: bins_of(model.basis, coefficients), labels["coefficients"])
    value = (raw_values(labels, light) - np.asarray(model.value_mean)) / np.asarray(model.value_scale)
    return {
        "feature": np.clip((features - mean) / scale, -FEATURE_BOUND, FEATURE_BOUND).astype(np.float32),
        # An odd spectrum must not rule the rest.
        "value": np.clip(value, -8.0, 8.0).astype(np.float32),
        "continuum_flux": (10.0 ** labels["log_flux"][:, None] * bins).astype(np.float32),
        "redshift": labels["redshift"].astype(np.float32),
        "ew_aa": labels["ew_aa"],
        "sigma_aa": labels["sigma_aa"],
    }
