"""From a set of images and a table of labels to a trained model."""

from collections.abc import Sequence
from pathlib import Path

from nebulium.data.column_checks import Missing
from nebulium.data.images.matching import open_for_model
from nebulium.data.images.opening import ImagePaths
from nebulium.data.splits import Split
from nebulium.modelfile import load_model
from nebulium.properties.labels import join_labels, read_labels
from nebulium.properties.model import PropertyModel
from nebulium.properties.recipe import PropertiesConfig, train_on_images
from nebulium.verbs import TrainingRun, save_trained, training_run
from nebulium.verbs.predict import ID


def train_file(
    images: ImagePaths,
    labels: str | Path | None,
    output: str | Path,
    *,
    targets: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    config: PropertiesConfig | None = None,
    id_column: str | None = None,
    bands: Sequence[str] | None = None,
    missing: Missing = None,
    resume: bool = False,
    progress: bool = False,
) -> TrainingRun:
    """Train a model of properties of galaxies on images and labels.

    Parameters
    ----------
    images : str, Path or sequence of these
        As in `open_images`.
    labels : str or Path, optional
        A table with the ids and the targets, in any order and number; the columns beside the images, if they
        have some, where it is not given.
    output : str or Path
        Folder of the model; images set aside are listed beside it in ``<name>.rejects.csv``.
    targets : sequence of str, optional
        Columns of the labels to be learned. A column TARGET_sigma or TARGET_err is their standard error.
        Text, true and false, and 0 and 1 are classes.
    classes : sequence of str, optional
        More columns to be learned, whose whole numbers are classes.
    config : PropertiesConfig, optional
        Settings.
    id_column : str, optional
        Ids among the labels; `target_id` if not given.
    bands : sequence of str, optional
        As in `open_images`.
    missing : float, str, or sequence of str, optional
        Numbers that stand for a missing label, as in `read_labels`.
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
        The images, the labels or the output is at fault, the two have no id in common, or too few galaxies
        are left.

    Examples
    --------
    >>> train_file("cutouts", "labels.ecsv", "mine", targets=["oh12"])  # doctest: +SKIP
    """
    config, columns = config or PropertiesConfig(), [*(targets or ()), *(classes or ())]
    with training_run(output, resume=resume, progress=progress) as run:
        start = None if config.init is None else load_model(config.init, of=PropertyModel).form
        matched = open_for_model(images, start, bands=bands)
        table = read_labels(labels, matched.source, columns, id_column=id_column, missing=missing)
        labelled = join_labels(
            matched.source, table, columns, run.rejects, missing=missing, classes=classes or ()
        )
        split = Split(config.split_seed, id_column=id_column or ID)
        trained = train_on_images(matched.source, labelled, split, config, run)
        size = trained.preprocessing["size_px"]
        run.notes.extend((*matched.notes(size, run.rejects), *labelled.notes()))
        return save_trained(run, trained)
