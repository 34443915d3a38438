"""A model with the way to its galaxies, and predictions from file to file.

Memory does not grow with the number of galaxies.
"""

import importlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from nebulium.data.output import as_paths, check_not_input
from nebulium.data.rejects import Rejects, write_rejects
from nebulium.data.tables.table import Table, concatenate_rows
from nebulium.data.tables.writer import TableWriter
from nebulium.errors import ModelFileError, TableError
from nebulium.modelfile import class_name, describe_model, load_model

#: What ids are called where the input has no name for them.
ID = "target_id"
#: The predictors by what is wanted of a model and its class; nebulium's own are imported when asked for.
PREDICTORS: dict[str, dict[str, "str | type[Predictor[Any]]"]] = {
    "predict": {
        "CombinedModel": "nebulium.photoz.predict:FluxPredictor",
        "LatentImageModel": "nebulium.generate.predict:PosteriorPredictor",
        "LineModel": "nebulium.lines.predict:LinePredictor",
        "ImageRedshiftModel": "nebulium.photoz.predict:ImagePredictor",
        "PhotometryModel": "nebulium.photoz.predict:FluxPredictor",
        "PhotometryPosterior": "nebulium.infer.predict:PosteriorPredictor",
        "PixelImageModel": "nebulium.generate.predict:PosteriorPredictor",
        "PropertyModel": "nebulium.properties.predict:PropertyPredictor",
        "SpectrumModel": "nebulium.spectra.predict:SpectrumPredictor",
        "TemplateModel": "nebulium.photoz.predict:FluxPredictor",
        "TrainDistributionModel": "nebulium.photoz.predict:FluxPredictor",
    },
    "embed": {
        "ImageRedshiftModel": "nebulium.photoz.space.embedding:ImageEmbedder",
        "PhotometryModel": "nebulium.photoz.space.embedding:FluxEmbedder",
        "PropertyModel": "nebulium.properties.predict:PropertyEmbedder",
    },
}
#: What models cannot do of whose class no predictor is known.
LACKING = {"predict": "predicts nothing of galaxies", "embed": "puts galaxies into no space"}

Chunk = TypeVar("Chunk")
PredictorClass = TypeVar("PredictorClass", bound="type[Predictor[Any]]")
AnyPredictor = TypeVar("AnyPredictor", bound="Predictor[Any]")


@dataclass(frozen=True, eq=False)
class NamedModel:
    """A model, and what tables and messages call it.

    Attributes
    ----------
    name : str
        Name of its folder.
    model : equinox.Module
    config : mapping
        Its config.json; empty for a model that lies in no folder.
    """

    name: str
    model: Any
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Checksum of the weights."""
        return str(self.config.get("weights_sha256", "unknown" if self.config else "in memory"))


@dataclass(frozen=True, eq=False)
class Opened(Generic[Chunk]):
    """Galaxies that come a chunk at a time, and what is met while they are read.

    Attributes
    ----------
    name : str
        The file or folder.
    chunks : iterator
        What the predictor is called on, at least one galaxy each. It can be gone through once.
    id_column : str
        What the input calls its ids.
    rejects : Rejects
        Takes the galaxies that cannot be predicted.
    notes : list of str
        Takes what was supposed of the input, and what of it was not used; complete after the last chunk.
    metadata : dict
        How the input was prepared, for the output to say; must go into JSON.
    """

    name: str
    chunks: Iterator[Chunk]
    id_column: str = ID
    rejects: Rejects = field(default_factory=Rejects)
    notes: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What is predicted of the galaxies of a chunk.

    Attributes
    ----------
    ids : ndarray of int64 or str of shape (n,)
    columns : dict of str to ndarray of shape (n,)
        In the order of the output; among them `in_domain`, False where the input lies outside the training
        domain, and, if several models predict, `model`, the name of each galaxy's.
    units : dict of str to str
        As astropy spells them; a column without a unit has no entry.
    detail : object, optional
        What goes into no column, such as densities, for the further writers of the predictor: a dataclass of
        arrays, a row a galaxy.
    """

    ids: np.ndarray
    columns: dict[str, np.ndarray]
    units: dict[str, str] = field(default_factory=dict)
    detail: Any = None

    def __len__(self) -> int:
        return len(self.ids)

    def as_table(self, id_column: str = ID, name: str = "predictions") -> Table:
        """A table with the ids as its first column."""
        return Table({id_column: self.ids, **self.columns}, self.units, name)

    @classmethod
    def concatenate(cls, parts: "Sequence[Prediction]") -> "Prediction":
        """One chunk after the other."""
        joined, details = concatenate_rows(parts), [part.detail for part in parts]
        return replace(joined, detail=None if details[0] is None else concatenate_rows(details))


#: Writes a prediction into a further file.
Write = Callable[[Prediction], None]


@dataclass(frozen=True, eq=False)
class Predictor(ABC, Generic[Chunk]):
    """A model, or several, with the way to the galaxies that they predict.

    A subject derives from it, says what its class `predicts` in a few words, opens its input, and predicts a
    chunk. `predicts_for` ties the class to the models that it is for.

    Parameters
    ----------
    models : tuple of NamedModel
        At least one.

    Examples
    --------
    >>> class Doubling(Predictor):
    ...     predicts = "twice the flux"
    ...     def open(self, source, *, ids=None):
    ...         return Opened(str(source), iter([np.array([1.0, 2.0])]))
    ...     def __call__(self, chunk):
    ...         columns = {"double": self.model * chunk, "in_domain": np.isfinite(chunk)}
    ...         return Prediction(np.arange(len(chunk)), columns, {"double": "nJy"})
    >>> doubling = Doubling((NamedModel("two", 2.0),))
    >>> [doubling(chunk).as_table()["double"].tolist() for chunk in doubling.open("here").chunks]
    [[2.0, 4.0]]
    """

    models: tuple[NamedModel, ...]

    #: What comes out, as a message puts it: "redshifts".
    predicts: ClassVar[str]

    @abstractmethod
    def open(self, source: Any, *, ids: np.ndarray | None = None) -> Opened[Chunk]:
        """Open the input; a subject has further options, each with a default.

        Parameters
        ----------
        source : Path
            Or a list of these, where the subject reads several files.
        ids : ndarray of shape (m,), optional
            The galaxies wanted; all if not given.

        Returns
        -------
        Opened

        Raises
        ------
        NebuliumError
            The input is at fault, or does not suit the model.
        """

    @abstractmethod
    def __call__(self, chunk: Chunk) -> Prediction:
        """Predict the galaxies of a chunk.

        Parameters
        ----------
        chunk : object
            One of those that `open` gives.

        Returns
        -------
        Prediction
        """

    @property
    def model(self) -> Any:
        """The model, or the first of them."""
        return self.models[0].model

    @property
    def config(self) -> Mapping[str, Any]:
        """Contents of its config.json."""
        return self.models[0].config

    def about(self) -> dict[str, Any]:
        """What an output says besides the names and checksums of the models; must go into JSON."""
        return {}

    def writers(self) -> Mapping[str, Callable[[Path, str], AbstractContextManager[Write]]]:
        """Further files that can be written, by name.

        Returns
        -------
        mapping of str to callable
            Opens a file, with the name of the ids, for a function of `Prediction` that writes.
        """
        return {}


def predicts_for(model_class: type, *, verb: str = "predict") -> Callable[[PredictorClass], PredictorClass]:
    """Let a class of predictors predict with the models of a class; a class decorator.

    Parameters
    ----------
    model_class : type of equinox.Module
        A class that `nebulium.modelfile.register` knows.
    verb : str
        What it does with them: "predict", or "embed" for points in the space in which a model sees galaxies.

    Returns
    -------
    callable
        Takes the class of predictors and gives it back.

    Examples
    --------
    >>> class Toy:
    ...     pass
    >>> @predicts_for(Toy)
    ... class ToyPredictor(Predictor):
    ...     predicts = "nothing"
    """

    def tie(predictor: PredictorClass) -> PredictorClass:
        PREDICTORS[verb][class_name(model_class)] = predictor
        return predictor

    return tie


def find_predictor(
    model: str | Path,
    *,
    verb: str = "predict",
    of: type[AnyPredictor] = Predictor,  # type: ignore[assignment]
) -> AnyPredictor:
    """The predictor of a model, ready to predict: found by the class that its config.json names.

    Parameters
    ----------
    model : str or Path
        Name of a packaged model, or a model folder.
    verb : str
        What is wanted of it: "predict", or "embed" for points in the space in which it sees galaxies.
    of : type of Predictor
        What it must be.

    Returns
    -------
    Predictor

    Raises
    ------
    ModelFileError
        The model cannot be loaded, predicts something else, or has no space of galaxies.

    Examples
    --------
    >>> find_predictor("sdss-metallicity").predicts
    'properties'
    """
    found = describe_model(model)
    predictor = PREDICTORS[verb].get(found.class_name)
    if predictor is None:
        able = ", ".join(sorted(PREDICTORS[verb]))
        problem = f"is of class {found.class_name}, which {LACKING[verb]}"
        raise ModelFileError(f"model {found.name}", problem, f"give a model of one of the classes {able}")
    if isinstance(predictor, str):
        module, _, name = predictor.partition(":")
        tied: type[Predictor[Any]] = getattr(importlib.import_module(module), name)
        predictor = tied
    if not issubclass(predictor, of):
        problem = f"predicts {predictor.predicts}, not {of.predicts}"
        raise ModelFileError(f"model {found.name}", problem, f"give a model that predicts {of.predicts}")
    return predictor((named_model(model),))


def predict_all(predictor: Predictor[Chunk], opened: Opened[Chunk]) -> Prediction:
    """Predict all galaxies of an open input, and hold them in memory.

    Parameters
    ----------
    predictor : Predictor
    opened : Opened
        By this predictor.

    Returns
    -------
    Prediction

    Raises
    ------
    TableError
        No galaxy can be predicted.

    Examples
    --------
    >>> import tempfile
    >>> predictor = find_predictor("sdss-metallicity")
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     np.save(f"{scratch}/a.npy", np.random.default_rng(0).integers(0, 255, (2, 96, 96, 3), np.uint8))
    ...     predict_all(predictor, predictor.open(Path(f"{scratch}/a.npy"))).ids.tolist()
    [0, 1]
    """
    parts = [predictor(chunk) for chunk in opened.chunks]
    if not parts:
        raise none_predicted(opened)
    return Prediction.concatenate(parts)


def none_predicted(opened: Opened[Any]) -> TableError:
    """The error for an input of which no galaxy can be predicted."""
    problem = f"has no galaxy that can be predicted ({opened.rejects.summary()})"
    return TableError(opened.name, problem, "mend what the reasons name, or check the columns and units")


def named_model(model: str | Path, *, of: type | None = None) -> NamedModel:
    """Load a model with its name and its config.json.

    Parameters
    ----------
    model : str or Path
        Name of a packaged model, or a model folder.
    of : type of equinox.Module, optional
        The class that it must be of.

    Returns
    -------
    NamedModel

    Raises
    ------
    ModelFileError
        The model cannot be loaded, or is of another class.

    Examples
    --------
    >>> named_model("desi-lines").name
    'desi-lines'
    """
    found = describe_model(model)
    return NamedModel(found.path.resolve().name, load_model(model, of=of), found.config)


@dataclass(frozen=True)
class PredictionRun:
    """What predicting a file wrote and left out.

    Attributes
    ----------
    output : Path
        The table.
    rows : int
        Galaxies predicted.
    rows_of_model : dict of str to int
        How many by each model.
    out_of_domain : int
        How many are flagged.
    notes : tuple of str
        What was supposed of the input, and what of it was not used.
    rejects : Rejects
        Galaxies set aside.
    rejects_path : Path, optional
        Where they are listed; None if there are none.
    further : dict of str to Path
        The further files, by name.
    """

    output: Path
    rows: int
    rows_of_model: dict[str, int]
    out_of_domain: int
    notes: tuple[str, ...]
    rejects: Rejects
    rejects_path: Path | None
    further: dict[str, Path] = field(default_factory=dict)


def predict_file(
    source: str | Path | Sequence[str | Path] | None,
    output: str | Path,
    *,
    model: str | Path | Predictor[Any],
    options: Mapping[str, Any] | None = None,
    further: Mapping[str, str | Path] | None = None,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Predict all galaxies of a file or folder, with any model.

    Parameters
    ----------
    source : str, Path, sequence of these, or None
        What the subject of the model reads; several files where it reads several, None where the options name
        what is read.
    output : str or Path
        A table ending in .parquet, .fits, .ecsv or .csv; its ids are called what the input calls them.
        Galaxies that cannot be predicted are listed, with the reason, beside it in ``<stem>.rejects.csv``.
        All files appear whole or not at all.
    model : str, Path or Predictor
        Name of a packaged model, a model folder, or a predictor.
    options : mapping, optional
        How the source is opened: keywords of the predictor's `open`.
    further : mapping of str to path, optional
        Further files to write, by the name that the predictor's `writers` gives them.
    progress : callable of int, optional
        Gets the number of galaxies predicted so far, after each chunk.

    Returns
    -------
    PredictionRun

    Raises
    ------
    NebuliumError
        The input, the model or the output is at fault, they do not suit each other, or no galaxy can be
        predicted.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium import read_table
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     np.save(f"{scratch}/a.npy", np.random.default_rng(0).integers(0, 255, (2, 96, 96, 3), np.uint8))
    ...     run = predict_file(f"{scratch}/a.npy", f"{scratch}/oh.ecsv", model="sdss-metallicity")
    ...     read_table(f"{scratch}/oh.ecsv")["target_id"].tolist(), run.rows_of_model
    ([0, 1], {'sdss-metallicity': 2})
    """
    inputs, output = [] if source is None else as_paths(source), Path(output)
    files = {name: Path(path) for name, path in (further or {}).items()}
    for written, read in product((output, *files.values()), inputs):
        check_not_input(read, written)
    predictor = model if isinstance(model, Predictor) else find_predictor(model)
    opened = predictor.open(inputs[0] if len(inputs) == 1 else inputs or None, **(options or {}))
    first, by_model, outside = predictor.models[0].name, Counter[str](), 0
    with ExitStack() as stack:
        table = stack.enter_context(TableWriter(output, metadata=_provenance(predictor, opened)))
        writers = predictor.writers()
        rest = [stack.enter_context(writers[name](path, opened.id_column)) for name, path in files.items()]
        for chunk in opened.chunks:
            prediction = predictor(chunk)
            table.append(prediction.as_table(opened.id_column, opened.name))
            for write in rest:
                write(prediction)
            by_model.update(prediction.columns.get("model", np.full(len(prediction), first)).tolist())
            outside += int(np.sum(~prediction.columns["in_domain"]))
            if progress is not None:
                progress(by_model.total())
        if not by_model:
            raise none_predicted(opened)
    listed = write_rejects(opened.rejects, output, id_column=opened.id_column)
    return PredictionRun(
        output, by_model.total(), dict(by_model), outside, tuple(opened.notes), opened.rejects, listed, files
    )


def _provenance(predictor: Predictor[Any], opened: Opened[Any]) -> dict[str, Any]:
    """What the output says of itself."""
    citations = {named.config["citation"]: None for named in predictor.models if named.config}
    return {
        **opened.metadata,
        "input": opened.name,
        "models": {named.name: named.fingerprint for named in predictor.models},
        **predictor.about(),
        "citation": "; ".join(citations),
        "notes": opened.notes,
        "nebulium": version("nebulium"),
    }
