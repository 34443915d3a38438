"""From a trained model to its folder, and what a training says when it is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import equinox as eqx

from nebulium.data.rejects import Rejects
from nebulium.modelfile import save_model
from nebulium.training import FitResult
from nebulium.verbs.card import Card, model_card
from nebulium.verbs.training import Training


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A trained model, and what its config.json says of it.

    Attributes
    ----------
    model : equinox.Module
        Of a registered class.
    hyperparameters : mapping
        Keywords of its constructor.
    preprocessing : mapping
        What is done to the data first.
    units : mapping of str to str
    training_domain : mapping
        `in_domain`, a phrase, says what the column of that name stands for.
    split : mapping
        From `nebulium.data.Split.as_dict`, with the galaxies of each part.
    settings : mapping
        It was trained with.
    citation : str
        What its users should cite.
    card : Card
        What its card says besides.
    results : sequence of FitResult
        Of its networks or stages, if it has any.
    further : mapping
        Entries of config.json that the subject adds.
    """

    model: eqx.Module
    hyperparameters: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    units: Mapping[str, str]
    training_domain: Mapping[str, Any]
    split: Mapping[str, Any]
    settings: Mapping[str, Any]
    citation: str
    card: Card
    results: Sequence[FitResult[Any]] = ()
    further: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """Entries of config.json; see `nebulium.modelfile.save_model`."""
        mappings = ("hyperparameters", "preprocessing", "units", "training_domain", "split")
        return {
            "summary": self.card.summary,
            **{name: dict(getattr(self, name)) for name in mappings},
            "metrics": {"networks": [_best(result) for result in self.results]},
            "training": dict(self.settings),
            **self.further,
            "citation": self.citation,
        }


@dataclass(frozen=True)
class TrainingRun:
    """What a training left.

    Attributes
    ----------
    model : Path
        The model folder.
    galaxies : mapping of str to int
        In each part of the split: "train", "validation" and "test".
    notes : tuple of str
        What was supposed, and what was not used.
    rejects : Rejects
        Rows set aside.
    rejects_path : Path, optional
        Where they are listed; None if there are none.
    """

    model: Path
    galaxies: Mapping[str, int]
    notes: tuple[str, ...]
    rejects: Rejects
    rejects_path: Path | None


def save_trained(training: Training, trained: TrainedModel) -> TrainingRun:
    """Write the folder of a trained model, with its card, and list the rejects beside it.

    Parameters
    ----------
    training : Training
        From `training_run`.
    trained : TrainedModel

    Returns
    -------
    TrainingRun

    Raises
    ------
    OutputError
        The rejects cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import jax, jax.numpy as jnp, numpy as np
    >>> from nebulium.data import Split
    >>> from nebulium.modelfile import register
    >>> from nebulium.training import FitConfig
    >>> from nebulium.verbs import training_run
    >>> @register
    ... class Line(eqx.nn.Linear):
    ...     pass
    >>> def squared_error(line, x, key):
    ...     return jnp.sum((jax.vmap(line)(x) - 1.0) ** 2, axis=1)
    >>> shape, rows = {"in_features": 2, "out_features": 1}, Split().rows(np.arange(100))
    >>> line, config = Line(**shape, key=jax.random.key(0)), FitConfig(epochs=1)
    >>> with tempfile.TemporaryDirectory() as scratch, training_run(f"{scratch}/ones") as training:
    ...     result = training.fit("network", line, squared_error, jnp.ones((8, 2)), config=config)
    ...     trained = TrainedModel(
    ...         result.model,
    ...         hyperparameters=shape,
    ...         preprocessing={},
    ...         units={},
    ...         training_domain={"in_domain": "always true"},
    ...         split=Split().as_dict(rows),
    ...         settings={"epochs": 1},
    ...         citation="nobody",
    ...         card=Card("Ones", "The number 1, from any two numbers."),
    ...         results=[result],
    ...     )
    ...     run = save_trained(training, trained)
    >>> run.model.name, run.galaxies["train"]
    ('ones', 78)
    """
    if training.output is None:
        raise ValueError("a training without an output cannot be saved")
    listed = training.rejects.write(training.output, id_column=trained.split["id_column"])
    config = trained.config
    card = model_card(trained.card, config)
    save_model(training.output, trained.model, config=config, card=card, overwrite=True)
    notes = tuple(training.notes)
    return TrainingRun(training.output, trained.split["galaxies"], notes, training.rejects, listed)


def _best(result: FitResult[Any]) -> dict[str, Any]:
    """Losses at the epoch whose weights were kept."""
    best = result.history[result.best_epoch - 1]
    return {
        "best_epoch": result.best_epoch,
        "training_loss": best.loss,
        "validation_loss": best.validation_loss,
    }
