"""From a set of images and a table of properties to a trained model of images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.column_checks import Missing
from nebulium.data.images.matching import open_for_model
from nebulium.data.images.opening import ImagePaths
from nebulium.data.splits import Split
from nebulium.generate.pixels.recipe import PixelConfig, train_pixels
from nebulium.generate.recipe import LatentConfig, train_on_images, train_on_store
from nebulium.verbs import TrainingRun, save_trained, training_run
from nebulium.verbs.labels.joining import as_names, join_labels, read_labels
from nebulium.verbs.predict import ID

NAME_PROPERTIES = "check the names of the properties: --properties A,B,... (properties=...)"


def train_file(
    images: ImagePaths,
    output: str | Path,
    *,
    properties: str | Sequence[str],
    classes: str | Sequence[str] | None = None,
    table: str | Path | None = None,
    config: LatentConfig | PixelConfig | None = None,
    id_column: str | None = None,
    bands: Sequence[str] | None = None,
    missing: Missing = None,
    resume: bool = False,
    progress: bool = False,
) -> TrainingRun:
    """Train a model of images of galaxies given their properties.

    Parameters
    ----------
    images : str, Path or sequence of these
        As in `nebulium.data.open_images`: a mock survey, a folder of cutouts, Parquet ...
    output : str or Path
        Folder of the model; images set aside are listed beside it in ``<name>.rejects.csv``.
    properties : str or sequence of str
        Columns of the table that images will be drawn from: numbers, NaN where one is not known, or classes,
        which are text, true and false, or 0 and 1. Those with none teach what images look like.
    classes : str or sequence of str, optional
        Further columns, whose whole numbers are classes.
    table : str or Path, optional
        A table with the ids and the properties, in any order and number; the columns beside the images, if
        they have some, where it is not given.
    config : LatentConfig or PixelConfig, optional
        Settings, and which model: that of components, the default, or that of pixels, for a GPU.
    id_column : str, optional
        Ids in the table; `target_id` if not given.
    bands : sequence of str, optional
        As in `open_images`.
    missing : float, str, or sequence of str, optional
        Numbers that stand for a property that is not known: -9999 in every column, ``COLUMN=-1`` in one.
    resume : bool
        Go on with a run that was stopped.
    progress : bool
        Show a bar of progress.

    Returns
    -------
    TrainingRun

    Raises
    ------
    NebuliumError
        The images, the properties or the output is at fault, the two have no id in common, or too few
        galaxies are left.

    Examples
    --------
    >>> train_file("mock", "mine", properties=["log_mstar", "log_sfr"])  # doctest: +SKIP
    """
    config = config or LatentConfig()
    classes = as_names(classes)
    columns = [*as_names(properties), *classes]
    with training_run(output, resume=resume, progress=progress) as run:
        matched = open_for_model(images, None, bands=bands)
        found = read_labels(
            table, matched.source, columns, id_column=id_column, missing=missing, naming=NAME_PROPERTIES
        )
        options: dict[str, Any] = {"missing": missing, "classes": classes, "unlabelled": True}
        labelled = join_labels(matched.source, found, columns, run.rejects, **options)
        bare = int(np.sum(np.all(np.isnan(labelled.values), axis=1)))
        if bare:
            run.notes.append(f"{bare:,} images without properties: they teach what galaxies look like")
        split = Split(config.split_seed, id_column=id_column or ID)
        learn = train_pixels if isinstance(config, PixelConfig) else train_on_store
        trained = train_on_images(matched.source, labelled, split, config, run, learn=learn)
        size = trained.preprocessing["size_px"]
        run.notes.extend((*matched.notes(size, run.rejects), *labelled.notes()))
        return save_trained(run, trained)
