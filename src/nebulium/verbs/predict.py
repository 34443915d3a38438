"""Predictions from file to file, in memory that does not grow with the number of galaxies."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.output import check_not_input
from nebulium.data.rejects import Rejects, write_rejects
from nebulium.data.tables.writer import TableWriter
from nebulium.verbs.predictor import Opened, Predictor, find_predictor, none_predicted


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
    source: str | Path,
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
    source : str or Path
        What the subject of the model reads.
    output : str or Path
        A table ending in .parquet, .fits or .ecsv; its ids are called what the input calls them. Galaxies
        that cannot be predicted are listed, with the reason, beside it in ``<stem>.rejects.csv``. All files
        appear whole or not at all.
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
    source, output = Path(source), Path(output)
    files = {name: Path(path) for name, path in (further or {}).items()}
    for written in (output, *files.values()):
        check_not_input(source, written)
    predictor = model if isinstance(model, Predictor) else find_predictor(model)
    opened = predictor.open(source, **(options or {}))
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
        output,
        by_model.total(),
        dict(by_model),
        outside,
        tuple(opened.notes),
        opened.rejects,
        listed,
        files,
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
