"""The places of galaxies in the space of a model, from file to file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nebulium.data.output_checks import check_not_input, write_rejects
from nebulium.data.tables.writer import TableWriter
from nebulium.errors import ModelFileError
from nebulium.modelfile import load_model
from nebulium.photoz.fluxes.predict import PredictionTask
from nebulium.photoz.methods import METHODS
from nebulium.photoz.prediction_file import PredictionRun, find_model, notes_of, provenance, write_all
from nebulium.photoz.space.embedding import EmbeddedGalaxies


def embed_file(
    data: str | Path,
    output: str | Path,
    *,
    model: str | Path,
    columns: Mapping[str, Any] | None = None,
    curves: str | Path | None = None,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Write where a model puts the galaxies of a catalogue: a row a galaxy.

    Parameters
    ----------
    data : str or Path
        Folder of a mock survey, or a table.
    output : str or Path
        A table ending in .parquet, .fits or .ecsv, with `target_id`, `redshift_median`, `in_domain` and, of a
        model of images, the vector that its redshift head sees, `latent_000` to `latent_127`; of a model of
        fluxes the standardised magnitudes, colours and errors that its networks see, `feature_000` and so on.
        Galaxies that cannot be used are listed, with the reason, beside it in ``<stem>.rejects.csv``.
    model : str or Path
        Name of a packaged model, or a model folder.
    columns, curves
        As in `nebulium.photoz.prediction_file.predict_file`.
    progress : callable of int, optional
        Told the number of galaxies done after each chunk.

    Returns
    -------
    PredictionRun

    Raises
    ------
    NebuliumError
        As in `nebulium.photoz.prediction_file.predict_file`, or the model has no space of galaxies.

    Examples
    --------
    See ``nebulium photoz embed --help`` and the guide in the documentation.
    """
    data, output = Path(data), Path(output)
    check_not_input(Path(data), output)
    found, method = find_model(model)
    if method.embed is None:
        able = ", ".join(name for name, one in METHODS.items() if one.embed is not None)
        problem = f"goes by the method {found.config['method']}, which puts galaxies into no space"
        raise ModelFileError(f"model {found.name}", problem, f"give a model of one of {able}")
    task = PredictionTask(
        data, load_model(model), found.config, columns or {}, None if curves is None else Path(curves)
    )
    with TableWriter(output, metadata=provenance(data, found)) as writer:

        def write(part: EmbeddedGalaxies) -> None:
            writer.append(part.as_table(str(data)))

        rows, outside = write_all(method.embed(task), write, task, progress)
    listed = write_rejects(task.rejects, output)
    return PredictionRun(output, None, rows, outside, notes_of(task), task.rejects, listed)
