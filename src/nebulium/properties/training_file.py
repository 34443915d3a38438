"""From a set of images and a table of labels to a trained model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nebulium.data.images.matching import open_for_model
from nebulium.data.missing import Missing
from nebulium.data.output import check_free
from nebulium.data.rejects import Rejects
from nebulium.modelfile import describe_model, load_model
from nebulium.properties.labels import ID, NAMED, LabelledRows, join_labels, read_labels
from nebulium.properties.model import PropertyModel
from nebulium.properties.recipe import PropertiesConfig, train


@dataclass(frozen=True)
class TrainingRun:
    """What a training left.

    Parameters
    ----------
    model : Path
        The model folder.
    galaxies : mapping of str to int
        Images in each part of the split: "train", "validation" and "test".
    notes : tuple of str
        What was not used, and what was taken for granted.
    rejects : Rejects
        Images set aside: without a label, with one that makes no sense, or bad themselves.
    rejects_path : Path, optional
        Where they are listed; None if there are none.
    """

    model: Path
    galaxies: Mapping[str, int]
    notes: tuple[str, ...]
    rejects: Rejects
    rejects_path: Path | None


def train_file(
    images: str | Path,
    labels: str | Path | None,
    output: str | Path,
    *,
    targets: Sequence[str],
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
    images : str or Path
        As in `open_images`.
    labels : str or Path, optional
        A table with the ids and the targets, in any order and number; the columns beside the images, if they
        have some, where it is not given.
    output : str or Path
        Folder of the model; images set aside are listed beside it in ``<name>.rejects.csv``.
    targets : sequence of str
        Columns of the labels to be learned. A column TARGET_sigma or TARGET_err is their standard error.
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
    output = Path(output)
    check_free(output)
    config = config or PropertiesConfig()
    start = None if config.init is None else load_model(config.init, of=PropertyModel).form
    matched = open_for_model(images, start, bands=bands)
    source = matched.source
    table = read_labels(labels, source, targets, id_column=id_column, missing=missing)
    rejects = Rejects()
    labelled = join_labels(source, table, targets, rejects, missing=missing)
    model = train(
        source,
        labelled,
        output,
        config=config,
        rejects=rejects,
        id_column=id_column or ID,
        resume=resume,
        progress=progress,
    )
    about = describe_model(model).config
    notes = (*matched.notes(about["preprocessing"]["size_px"], rejects), *_lost(labelled))
    return TrainingRun(model, about["split"]["galaxies"], notes, rejects, rejects.write(output))


def _lost(labelled: LabelledRows) -> tuple[str, ...]:
    """Labels without an image are in no row of the images, so that the rejects cannot list them."""
    lost = labelled.without_image
    if not len(lost):
        return ()
    named = ", ".join(map(str, lost[:NAMED].tolist())) + (", ..." if len(lost) > NAMED else "")
    return (f"{len(lost):,} labels without an image: {named}",)
