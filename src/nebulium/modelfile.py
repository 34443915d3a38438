"""One model is one folder: ``config.json``, ``model.safetensors`` and ``README.md``.

The folder loads without network and without pickle: the configuration names a registered class and the
hyperparameters that build it, and the weights are arrays keyed by the attribute that holds them
(``trunk.layers.0.weight``), so that a file can be inspected, and a disagreement named, without the class.
"""

import hashlib
import importlib
import importlib.metadata
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import equinox as eqx
import jax
import numpy as np
import safetensors.numpy
from jaxtyping import PyTree
from safetensors import SafetensorError

from nebulium.data.named_arrays import arrays_by_name, disagreement, fill_arrays
from nebulium.data.output import replace_on_success
from nebulium.errors import ModelFileError

FORMAT_VERSION = 1
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
REQUIRED = ("hyperparameters", "preprocessing", "units", "training_domain", "split", "metrics", "citation")
VERSIONS_OF = ("nebulium", "jax", "equinox", "numpy")
PACKAGE = "nebulium"
MEND_COPY = "copy the whole model folder again, or save the model again"
MEND_NAME = "give a model folder that nebulium wrote for this task (nebulium models list)"
#: The classes of nebulium's own models, and the modules that define them: a folder names its class alone, so
#: that a module can move and old folders still load.
CLASSES = {
    "CandelsFlow": "nebulium.mock.populations.candels_flow",
    "CombinedModel": "nebulium.photoz.combined",
    "ContinuumBasis": "nebulium.spectra.continuum.basis",
    "ImageRedshiftModel": "nebulium.photoz.images.model",
    "LatentImageModel": "nebulium.generate.model",
    "LineModel": "nebulium.lines.model",
    "PhotometryModel": "nebulium.photoz.fluxes.model",
    "PhotometryPosterior": "nebulium.infer.model",
    "PixelImageModel": "nebulium.generate.pixels.model",
    "PropertyModel": "nebulium.properties.model",
    "SpectrumModel": "nebulium.spectra.model",
    "TemplateModel": "nebulium.photoz.templates.model",
    "TrainDistributionModel": "nebulium.photoz.baselines",
}

#: Names of arrays in folders of version 0.1, and what they are called now.
RENAMED = {
    f"standards.{old}_{what}": f"{new}_{what}"
    for old, new in {
        "band": "standardisation.band",
        "aperture": "standardisation.feature",
        "profile": "standardisation.feature",
        "target": "target",
    }.items()
    for what in ("mean", "scale")
}

ModelClass = TypeVar("ModelClass", bound=type[eqx.Module])

_REGISTERED: dict[str, type[eqx.Module]] = {}


def register(model_class: ModelClass) -> ModelClass:
    """Allow a class to be built from a model folder; a class decorator.

    Only registered classes are ever built, so that a configuration cannot call arbitrary code. The
    constructor takes its hyperparameters by keyword, and a random key as ``key``.

    Parameters
    ----------
    model_class : type of equinox.Module
        The class; a folder names it as `class_name` does.

    Returns
    -------
    type of equinox.Module
        The same class.

    Examples
    --------
    >>> import equinox as eqx
    >>> @register
    ... class Linear(eqx.nn.Linear):
    ...     pass
    """
    _REGISTERED[class_name(model_class)] = model_class
    return model_class


def class_name(model_class: type) -> str:
    """Name under which a class is registered and saved.

    Parameters
    ----------
    model_class : type
        Any class.

    Returns
    -------
    str
        ``name`` of one of nebulium's own, ``module:name`` of another.

    Examples
    --------
    >>> from fractions import Fraction
    >>> class_name(Fraction)
    'fractions:Fraction'
    """
    name = f"{model_class.__module__}:{model_class.__qualname__}"
    return _own_name(name) or name


def _own_name(name: str) -> str | None:
    """The short name of one of nebulium's classes, which folders of version 0.1 name by their module too."""
    module, _, short = name.rpartition(":")
    ours = not module or module.partition(".")[0] == PACKAGE
    return short if ours and short in CLASSES else None


@dataclass(frozen=True)
class ModelFolder:
    """What a model folder says of itself, read without its weights.

    Attributes
    ----------
    name : str
        Name of the folder; for a packaged model the name that finds it.
    path : Path
        Where it is.
    config : dict
        The contents of ``config.json``.
    card : str
        The model card, Markdown.
    """

    name: str
    path: Path
    config: dict[str, Any]
    card: str

    @property
    def class_name(self) -> str:
        """The class, as `class_name` names it."""
        written = str(self.config["class"])
        return _own_name(written) or written


def save_model(
    folder: str | Path, model: eqx.Module, *, config: Mapping[str, Any], card: str, overwrite: bool = False
) -> Path:
    """Write a model folder, whole or not at all.

    Parameters
    ----------
    folder : str or Path
        Where the model goes; its last part is the model's name.
    model : equinox.Module
        An instance of a registered class. All its arrays are saved, scaler statistics among them.
    config : mapping
        What JSON can hold (numpy numbers and arrays included), with at least the entries named in
        ``REQUIRED``: hyperparameters (keywords of the constructor), preprocessing, units, training_domain,
        split, metrics and citation.
    card : str
        The model card, Markdown.
    overwrite : bool
        Replace a folder that is there.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ModelFileError
        If the folder is there and ``overwrite`` is not asked for.
    ValueError
        If the class is not registered, an entry of the configuration is missing, or the hyperparameters do
        not describe the model.

    Examples
    --------
    >>> import tempfile, jax
    >>> import equinox as eqx
    >>> @register
    ... class Linear(eqx.nn.Linear):
    ...     pass
    >>> config = dict.fromkeys(REQUIRED, "") | {"hyperparameters": {"in_features": 2, "out_features": 3}}
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     folder = save_model(f"{scratch}/lin", Linear(2, 3, key=jax.random.key(1)), config=config, card="")
    ...     load_model(folder).weight.shape
    (3, 2)
    """
    folder = Path(folder)
    if folder.exists() and not overwrite:
        raise ModelFileError(str(folder), "is there already", "choose another folder, or ask to overwrite it")
    _check_describes(model, config)
    weights = safetensors.numpy.save(arrays_by_name(model))
    document = {
        "format_version": FORMAT_VERSION,
        "class": class_name(type(model)),
        **config,
        "versions": {package: importlib.metadata.version(package) for package in VERSIONS_OF},
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    text = json.dumps(document, indent=2, default=_plain, allow_nan=False)
    with replace_on_success(folder, folder_with=CONFIG) as partial:
        partial.mkdir(exist_ok=True)
        (partial / CONFIG).write_text(text + "\n", encoding="utf-8")
        (partial / WEIGHTS).write_bytes(weights)
        (partial / CARD).write_text(card, encoding="utf-8")
    return folder


def load_model(name_or_path: str | Path, *, of: type[eqx.Module] | None = None) -> Any:
    """Build the model that a folder holds.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a packaged model, or a folder.
    of : type, optional
        The class it must be (or derive from).

    Returns
    -------
    equinox.Module
        The model, its arrays on the default device.

    Raises
    ------
    ModelFileError
        If there is no such model, a file is missing or damaged, the class is another or unknown, the format
        is newer than this version of nebulium, or weights and class disagree.

    Examples
    --------
    See `save_model`.
    """
    folder = describe_model(name_or_path)
    where = str(folder.path / CONFIG)
    model_class = _class_of(folder)
    if of is not None and not issubclass(model_class, of):
        raise ModelFileError(
            where, f"expected a model of class {of.__name__}, found {folder.config['class']}", MEND_NAME
        )
    try:
        skeleton = _skeleton(model_class, folder.config["hyperparameters"])
    except Exception as error:  # whatever a constructor makes of arguments it was not written for
        raise ModelFileError(
            where,
            f"class {folder.config['class']} cannot be built from its hyperparameters ({error})",
            "install the version of nebulium that wrote it (see its entry 'versions'), or train it again",
        ) from error
    return fill_arrays(skeleton, _read_weights(folder), where=str(folder.path / WEIGHTS))


def describe_model(name_or_path: str | Path) -> ModelFolder:
    """Read what a model says of itself, without building it.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a packaged model, or a folder. A bare name means the packaged model where there is one;
        write ``./name`` for a folder of that name.

    Returns
    -------
    ModelFolder
        Its name, place, configuration and card.

    Raises
    ------
    ModelFileError
        If there is no such model, a file is missing, or the configuration cannot be read.

    Examples
    --------
    >>> describe_model("no-such-model")
    Traceback (most recent call last):
    nebulium.errors.ModelFileError: model no-such-model: ...
    """
    path = _find(name_or_path)
    for file in (CONFIG, WEIGHTS, CARD):
        if not (path / file).is_file():
            raise ModelFileError(str(path), f"expected the file {file}, found none", MEND_COPY)
    try:
        config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelFileError(str(path / CONFIG), f"is not valid JSON ({error})", MEND_COPY) from error
    _check_config(path / CONFIG, config)
    return ModelFolder(path.name, path, config, (path / CARD).read_text(encoding="utf-8"))


def list_models() -> tuple[str, ...]:
    """Names of the models inside the package, sorted.

    Returns
    -------
    tuple of str
        Each can be given to `load_model` and `describe_model`.

    Examples
    --------
    >>> isinstance(list_models(), tuple)
    True
    """
    return tuple(sorted(_packaged()))


def _skeleton(model_class: type[eqx.Module], hyperparameters: Mapping[str, Any]) -> PyTree:
    """Build the model with shapes in place of arrays: no memory, no random numbers."""
    build: Callable[..., eqx.Module] = model_class
    # Weights are float32 on disk, also for a program that has switched JAX to float64.
    with jax.enable_x64(False):
        return eqx.filter_eval_shape(
            lambda key: build(**_hashable(hyperparameters), key=key), jax.random.key(0)
        )


def _hashable(value: Any) -> Any:
    """JSON's lists as tuples: hyperparameters end up in static fields, which jit hashes."""
    if isinstance(value, Mapping):
        return {key: _hashable(entry) for key, entry in value.items()}
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray | jax.Array):
        return np.asarray(value).tolist()
    raise TypeError(f"config.json cannot hold a {type(value).__name__}: {value!r}")


def _check_describes(model: eqx.Module, config: Mapping[str, Any]) -> None:
    """A folder that could not be loaded again must not be written."""
    missing = [entry for entry in REQUIRED if entry not in config]
    if missing:
        raise ValueError(f"the configuration lacks {', '.join(missing)}")
    name = class_name(type(model))
    if name not in _REGISTERED:
        raise ValueError(f"{name} is not registered; decorate it with nebulium.modelfile.register")
    plain = json.loads(json.dumps(config["hyperparameters"], default=_plain))
    difference = disagreement(_skeleton(type(model), plain), arrays_by_name(model))
    if difference is not None:
        raise ValueError("the hyperparameters build {}, the model has {}".format(*difference))


def _check_config(where: Path, config: Any) -> None:
    if not isinstance(config, dict):
        raise ModelFileError(str(where), f"expected a JSON object, found {type(config).__name__}", MEND_COPY)
    version = config.get("format_version")
    if not isinstance(version, int):
        raise ModelFileError(str(where), f"expected a format_version, found {version!r}", MEND_NAME)
    if version > FORMAT_VERSION:
        raise ModelFileError(
            str(where),
            f"expected format version {FORMAT_VERSION} or older, found {version}",
            f"upgrade nebulium; this is version {importlib.metadata.version(PACKAGE)}",
        )
    missing = [entry for entry in ("class", *REQUIRED) if entry not in config]
    if missing:
        raise ModelFileError(str(where), f"lacks the entries {', '.join(missing)}", MEND_COPY)


def _class_of(folder: ModelFolder) -> type[eqx.Module]:
    """Look the class up; a class of our own registers itself when its module is imported."""
    name = folder.class_name
    if name in CLASSES:
        importlib.import_module(CLASSES[name])
    if name not in _REGISTERED:
        raise ModelFileError(
            str(folder.path / CONFIG),
            f"expected a registered model class, found {folder.config['class']}",
            "upgrade nebulium, or import the package that defines the class first",
        )
    return _REGISTERED[name]


def _read_weights(folder: ModelFolder) -> dict[str, np.ndarray]:
    path = folder.path / WEIGHTS
    content = path.read_bytes()
    try:
        arrays = safetensors.numpy.load(content)
    except SafetensorError as error:
        raise ModelFileError(
            str(path), f"is truncated or damaged ({error}; {len(content)} bytes)", MEND_COPY
        ) from error
    written = folder.config.get("weights_sha256")
    if written is not None and hashlib.sha256(content).hexdigest() != written:
        raise ModelFileError(
            str(path), "is not the file that was written with this config.json (checksum)", MEND_COPY
        )
    return {RENAMED.get(name, name): values for name, values in arrays.items()}


def _packaged() -> dict[str, Path]:
    found = Path(__file__).parent.glob(f"*/weights/*/{CONFIG}")
    return {config.parent.name: config.parent for config in found}


def _find(name_or_path: str | Path) -> Path:
    packaged = _packaged()
    if str(name_or_path) in packaged:
        return packaged[str(name_or_path)]
    path = Path(name_or_path)
    if path.is_dir():
        return path
    if path.exists():
        raise ModelFileError(str(path), "expected a model folder, found a file", "give the folder it is in")
    known = ", ".join(sorted(packaged)) or "none"
    raise ModelFileError(
        f"model {name_or_path}",
        f"is neither a folder nor a packaged model (these are: {known})",
        "check the spelling, or give the path of a model folder",
    )
