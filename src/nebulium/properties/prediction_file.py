"""Predictions from images in files to a table in a file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.images.matching import match_to_model
from nebulium.data.images.opening import open_images
from nebulium.data.images.sides import measured_images
from nebulium.data.output_checks import check_not_input, write_rejects
from nebulium.data.rejects import Rejects
from nebulium.data.tables.writer import TableWriter
from nebulium.errors import ImageError
from nebulium.modelfile import ModelFolder, describe_model, load_model
from nebulium.properties.model import PropertyModel
from nebulium.properties.predict import PARTS, predict_images


@dataclass(frozen=True)
class PredictionRun:
    """What a run wrote.

    Parameters
    ----------
    output : Path
        The table.
    rows : int
        Galaxies predicted.
    out_of_domain : int
        How many are flagged.
    notes : tuple of str
        What the files do not say and was taken for granted, and how many images were padded.
    rejects : Rejects
        Images set aside.
    rejects_path : Path, optional
        Where they are listed; None if there are none.
    """

    output: Path
    rows: int
    out_of_domain: int
    notes: tuple[str, ...]
    rejects: Rejects
    rejects_path: Path | None


def predict_file(
    images: str | Path,
    output: str | Path,
    *,
    model: str | Path,
    bands: Sequence[str] | None = None,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Predict the properties of all galaxies in a set of images.

    Parameters
    ----------
    images : str or Path
        As in `open_images`.
    output : str or Path
        A table ending in .parquet, .fits or .ecsv. Images that cannot be predicted are listed, with the
        reason, beside it in ``<stem>.rejects.csv``. Both appear whole or not at all.
    model : str or Path
        Name of a packaged model, or a model folder.
    bands : sequence of str, optional
        As in `open_images`; by default those of the model.
    progress : callable of int, optional
        Told the number of galaxies done after each chunk.

    Returns
    -------
    PredictionRun

    Raises
    ------
    NebuliumError
        The images, the model or the output is at fault, the images do not suit the model, or none of them
        can be predicted.

    Examples
    --------
    See ``nebulium properties predict --help`` and the guide in the documentation.
    """
    output = Path(output)
    check_not_input(Path(images), output)
    found, loaded = describe_model(model), load_model(model, of=PropertyModel)
    matched = match_to_model(open_images(images, bands=bands), loaded)
    metadata = {
        "input": str(images),
        "model": found.name,
        "weights_sha256": found.config.get("weights_sha256", "unknown"),
        "targets": list(loaded.targets),
        "citation": found.config["citation"],
        "nebulium": version("nebulium"),
        "supposed": list(matched.notes),
    }
    measured = measured_images(matched.source)
    rejects, rows, outside = Rejects(), 0, 0
    with TableWriter(output, metadata=metadata) as writer:
        for table in predict_images(measured.source, loaded, rejects=rejects):
            writer.append(replace(table, units=_units(found)))
            rows += len(table)
            outside += int(np.sum(~table["in_domain"]))
            if progress is not None:
                progress(rows)
        if not rows:
            problem = f"has no image that can be predicted ({rejects.summary()})"
            raise ImageError(str(images), problem, "check the images")
    notes = (*matched.notes, *measured.padded_notes(loaded.preparation.size, rejects))
    return PredictionRun(output, rows, outside, notes, rejects, write_rejects(rejects, output))


def _units(found: ModelFolder) -> dict[str, str]:
    """Units of the columns: those of the labels that the model learned from."""
    units = found.config["units"]
    return {target + part: unit for target, unit in units.items() if unit for part in PARTS}
