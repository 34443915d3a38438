"""From images or embeddings, and a table of labels, to a trained model."""

from collections.abc import Sequence
from pathlib import Path

from nebulium.data.column_checks import Missing
from nebulium.data.embeddings.source import EmbeddingSource
from nebulium.data.images.opening import ImagePaths
from nebulium.data.splits import Split
from nebulium.errors import TableError
from nebulium.modelfile import load_model
from nebulium.properties.config import PropertiesConfig
from nebulium.properties.model import PropertyModel
from nebulium.properties.recipe import train_on_galaxies
from nebulium.properties.seen.galaxies import Embeddings, open_galaxies
from nebulium.verbs import TrainingRun, save_trained, training_run
from nebulium.verbs.labels.joining import SIGMA_ENDINGS, join_labels, read_labels
from nebulium.verbs.predict import ID


def train_file(
    images: ImagePaths | None,
    labels: str | Path | None,
    output: str | Path,
    *,
    embeddings: Embeddings | None = None,
    targets: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    config: PropertiesConfig | None = None,
    id_column: str | None = None,
    bands: Sequence[str] | None = None,
    missing: Missing = None,
    resume: bool = False,
    progress: bool = False,
) -> TrainingRun:
    """Train a model of properties of galaxies on labels and images, embeddings from elsewhere, or both.

    Parameters
    ----------
    images : str, Path, sequence of these, or None
        As in `open_images`; None to learn from embeddings alone.
    labels : str or Path, optional
        A table with the ids and the targets, in any order and number; the columns beside the images, if they
        have some, or without images those of the table of embeddings, where it is not given.
    output : str or Path
        Folder of the model; galaxies set aside are listed beside it in ``<name>.rejects.csv``.
    embeddings : str, Path or EmbeddingTable, optional
        A table of vectors that another network has made of the galaxies, with ids, in any order and number.
        The model remembers what it and its columns are called, and how many numbers there are; which version
        of the network made them no table says, and nothing checks.
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
        The images, the embeddings, the labels or the output is at fault, they have no id in common, or too
        few galaxies are left.

    Examples
    --------
    >>> train_file("cutouts", "labels.ecsv", "mine", targets=["oh12"])  # doctest: +SKIP
    """
    config, columns = config or PropertiesConfig(), [*(targets or ()), *(classes or ())]
    with training_run(output, resume=resume, progress=progress) as run:
        start = None if config.init is None else load_model(config.init, of=PropertyModel).form
        galaxies = open_galaxies(images, embeddings, form=start, bands=bands, id_column=id_column)
        source, seen_by = galaxies.source, galaxies.images
        _check_not_seen(columns, galaxies.embeddings)
        table = read_labels(labels, source, columns, id_column=id_column, missing=missing)
        labelled = join_labels(source, table, columns, run.rejects, missing=missing, classes=classes or ())
        split = Split(config.split_seed, id_column=id_column or (ID if seen_by else source.id_column))
        trained = train_on_galaxies(galaxies, labelled, split, config, run)
        if seen_by is not None:
            run.notes.extend(seen_by.notes(trained.preprocessing["size_px"], run.rejects))
        run.notes.extend(labelled.notes())
        return save_trained(run, trained)


def _check_not_seen(targets: Sequence[str], embeddings: EmbeddingSource | None) -> None:
    """A label among the numbers that are seen would be copied, not learned."""
    seen = () if embeddings is None else embeddings.form.columns
    labels = [target + ending for target in targets for ending in ("", *SIGMA_ENDINGS)]
    both = [label for label in labels if label in seen]
    if both and embeddings is not None:
        problem = f"is to be learned, and is among the {len(seen):,} columns of the embedding"
        mend = "leave it out of the pattern: --embedding-columns (EmbeddingTable(..., columns=))"
        raise TableError(f"{embeddings.path}, column {both[0]}", problem, mend)
