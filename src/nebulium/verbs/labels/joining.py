"""Labels of galaxies, read from a table and brought together with images or embeddings by the id."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64

from nebulium.data.column_checks import (
    ColumnPlace,
    Missing,
    MissingNumbers,
    missing_numbers,
    numbers,
    without,
)
from nebulium.data.embeddings.source import EmbeddingSource
from nebulium.data.ids import check_unique_ids, rows_of_ids
from nebulium.data.images.source import ImageSource
from nebulium.data.rejects import Fault, Rejects
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import MissingColumnError, TableError
from nebulium.verbs.labels.classes import Classes, class_names, class_places, probability_column
from nebulium.verbs.predict import ID

NAME_IDS = "name the column of ids: --id COLUMN (id_column=...)"
NAME_TARGETS = "check the name of the target: --target COLUMN (targets=...)"
#: Endings of the column with the standard error of a label, the first that is there.
SIGMA_ENDINGS = ("_sigma", "_err")
#: Columns that a prediction has beside those of its targets.
TAKEN = (ID, "in_domain")
#: Ids that a message names.
NAMED = 3

#: What gives the galaxies their order.
Source = ImageSource | EmbeddingSource


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Galaxies that have both an image, or an embedding, and a label.

    Attributes
    ----------
    targets : tuple of str
        The properties, those that are classes last.
    rows : ndarray of int64 of shape (k,)
        Rows of the images or embeddings, rising.
    label_rows : ndarray of int64 of shape (k,)
        Rows of the labels.
    ids : ndarray of shape (k,)
        As the images have them.
    values : ndarray of float32 of shape (k, target)
        The labels; NaN where missing, but in all of a row only of galaxies without labels, if these are
        wanted. Of a class its place among the `classes`.
    sigma : ndarray of float32 of shape (k, target)
        Their standard errors; 0 where not known.
    unseen : ndarray of shape (m,)
        Ids of labels for which there is no image, or no embedding.
    units : dict of str to str
        Of the targets, where known.
    classes : mapping of str to sequence of str
        Of the targets that are classes, what these are called.
    seen_by : str
        For messages: "image" or "embedding".
    """

    targets: tuple[str, ...]
    rows: Int64[np.ndarray, " k"]
    label_rows: Int64[np.ndarray, " k"]
    ids: np.ndarray
    values: Float32[np.ndarray, "k target"]
    sigma: Float32[np.ndarray, "k target"]
    unseen: np.ndarray
    units: dict[str, str]
    classes: Classes = field(default_factory=dict)
    seen_by: str = "image"

    def __len__(self) -> int:
        return len(self.rows)

    def notes(self) -> tuple[str, ...]:
        """Labels of galaxies that are not seen: they are in no row of these, so that no rejects list them."""
        lost = self.unseen
        if not len(lost):
            return ()
        named = ", ".join(map(str, lost[:NAMED].tolist())) + (", ..." if len(lost) > NAMED else "")
        return (f"{len(lost):,} labels without an {self.seen_by}: {named}",)


def as_names(names: str | Sequence[str] | None) -> list[str]:
    """Names of columns; a plain string is one, not its letters."""
    return [names] if isinstance(names, str) else list(names or ())


def read_labels(
    path: str | Path | None,
    source: Source,
    targets: Sequence[str],
    *,
    id_column: str | None = None,
    beside: Sequence[str] = (),
    missing: Missing = None,
    naming: str = NAME_TARGETS,
) -> Table:
    """Read labels from a table, or from the columns that stand beside the images or embeddings.

    Parameters
    ----------
    path : str or Path, optional
        A table as in `read_table`; the columns beside the images or embeddings if not given.
    source : ImageSource or EmbeddingSource
        The images or embeddings.
    targets : sequence of str
        Columns to read; a standard error is read from TARGET_sigma or TARGET_err, if there is one.
    id_column : str, optional
        Of the table, `target_id` if not given; not used for columns beside the images.
    beside : sequence of str
        More columns to read, where they are there.
    missing : float, str, or sequence of str, optional
        Numbers that stand for a missing label: -9999 in every column, ``COLUMN=-1`` in one; "none" if what
        looks like one was measured. NaN always stands for one.
    naming : str, optional
        What mends the name of a column that is not there, for the message.

    Returns
    -------
    Table
        With `target_id`, the targets and what was found of the others.

    Raises
    ------
    TableError
        The table cannot be read, lacks a column, or there is none beside the images.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data import open_images, write_table
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     np.save(f"{scratch}/a.npy", np.ones((2, 8, 8, 3), np.uint8))
    ...     labels = Table({"objid": np.array([1, 0]), "oh12": np.array([8.7, -9999.0])})
    ...     write_table(labels, f"{scratch}/labels.ecsv")
    ...     source = open_images(f"{scratch}/a.npy")
    ...     read = read_labels(f"{scratch}/labels.ecsv", source, ["oh12"], id_column="objid", missing=-9999)
    >>> read["target_id"].tolist(), read["oh12"].tolist()
    ([1, 0], [8.7, nan])
    """
    declared = missing_numbers(missing)
    optional = [*(target + ending for target in targets for ending in SIGMA_ENDINGS), *beside]
    if path is None:
        if isinstance(source, ImageSource):
            return _beside(source, targets, optional, declared, naming)
        path, id_column = source.path, source.id_column
    columns = {ID: id_column or ID} | {name: name for name in [*targets, *optional]}
    try:
        # Learned is the column as it is, in whatever unit.
        return read_table(path, columns=columns, optional=optional, missing=declared, check_units=False)
    except MissingColumnError as error:
        # Columns are not mapped here but named.
        mend = NAME_IDS if error.column == columns[ID] else naming
        raise TableError(error.where, error.problem, mend) from error


def join_labels(
    source: Source,
    table: Table,
    targets: Sequence[str],
    rejects: Rejects,
    *,
    missing: Missing = None,
    classes: Classes | Sequence[str] = (),
    learned: bool = True,
    unlabelled: bool = False,
) -> LabelledRows:
    """Bring labels and images or embeddings together by the id; ask about what looks like a missing label.

    Classes are those of a model, by target, or the names of the columns whose numbers are classes; text is
    one in any case. What is `learned` must not be the same for all galaxies. The `unlabelled`, which stand in
    the table but miss all labels, are set aside unless they are wanted.
    """
    known_classes = _classes(table, targets, classes)
    seen_by = "image" if isinstance(source, ImageSource) else "embedding"
    targets = sorted(targets, key=lambda target: target in known_classes)
    _check_targets(targets, known_classes, table.name)
    check_unique_ids(lambda: [table[ID]], where=table.name)
    labels = [_label_column(table, target, known_classes) for target in targets]
    values, sigma = (np.stack(columns, axis=1) for columns in zip(*labels, strict=True))
    place = _places(source, table, seen_by)
    there = place >= 0
    known = np.where(there[:, None], values[place], np.nan)
    errors = np.where(np.isnan(known), 0.0, sigma[place])
    lacking = ~there if unlabelled else np.all(np.isnan(known), axis=1)
    faults = [("has no label", lacking), *_faults(known, errors, targets, known_classes)]
    good = rejects.set_aside(faults, source.ids)
    for target, column in zip(targets, values.T, strict=True):
        if target in known_classes:
            continue
        used = np.full(len(table), np.nan)
        used[place[good]] = column[place[good]]
        missing_numbers(missing).check(used, ColumnPlace(table.name, target))
    if learned:
        _check_varied(known[good], targets, known_classes, table.name, seen_by)
    return LabelledRows(
        targets=tuple(targets),
        rows=np.flatnonzero(good).astype(np.int64),
        label_rows=place[good],
        ids=source.ids[good],
        values=known[good].astype(np.float32),
        sigma=np.nan_to_num(errors[good]).astype(np.float32),
        unseen=np.delete(table[ID], place[there]),
        units={target: table.units[target] for target in targets if target in table.units},
        classes=known_classes,
        seen_by=seen_by,
    )


def _classes(
    table: Table, targets: Sequence[str], classes: Classes | Sequence[str]
) -> dict[str, Sequence[str]]:
    """The targets that are classes: those of a model, or what the table shows."""
    if isinstance(classes, Mapping):
        return dict(classes)
    found = {
        target: class_names(table, target, wanted=target in classes) for target in dict.fromkeys(targets)
    }
    return {target: names for target, names in found.items() if names is not None}


def _label_column(table: Table, target: str, classes: Classes) -> tuple[np.ndarray, np.ndarray]:
    """Labels and their standard errors."""
    if target in classes:
        return class_places(table, target, classes[target]), np.zeros(len(table))
    return label_values(table, target), label_sigma(table, target)


def label_sigma(table: Table, target: str) -> Float64[np.ndarray, " n"]:
    """Standard errors of the labels of a property: the column TARGET_sigma or TARGET_err."""
    name = next((target + ending for ending in SIGMA_ENDINGS if target + ending in table), None)
    return np.zeros(len(table)) if name is None else label_values(table, name)


def _beside(
    source: ImageSource, targets: Sequence[str], optional: Sequence[str], missing: MissingNumbers, naming: str
) -> Table:
    """Columns beside the images, under the ids of the images."""
    if source.table is None:
        mend = "give a table of labels"
        raise TableError(str(source.path), "has no columns beside the images to be labels", mend)
    lacking = [name for name in targets if name not in source.table]
    if lacking:
        problem = (
            f"has no column {lacking[0]!r} beside the images (these are {', '.join(source.table.columns)})"
        )
        raise TableError(str(source.path), problem, naming)
    names = dict.fromkeys([*targets, *optional])
    there = {name: source.table.columns[name] for name in names if name in source.table}
    found = {name: without(values, missing.of(name)) for name, values in there.items()}
    units = {name: unit for name, unit in source.table.units.items() if name in found}
    return Table({ID: source.ids, **found}, units, str(source.path))


def _check_targets(targets: Sequence[str], classes: Classes, where: str) -> None:
    """Each property and what is predicted of it gets columns of its own."""
    parts = ("", "_sigma", "_q16", "_q84")
    columns = list(TAKEN)
    for target in targets:
        if target in classes:
            columns += [target, *(probability_column(target, name) for name in classes[target])]
        else:
            columns += [target + part for part in parts]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice or not targets:
        problem = f"two predicted columns would be called {twice[0]}" if twice else "none is given"
        raise TableError(f"{where}, targets", problem, "give one target or more, each once")


def label_values(table: Table, target: str) -> Float64[np.ndarray, " n"]:
    """A target, or its error, in double precision."""
    mend = "choose another column, or write nan where the label is missing"
    place = ColumnPlace(table.name, target)
    return numbers(table[target], place, "a number to predict", mend).astype(np.float64)


def _places(source: Source, table: Table, seen_by: str) -> Int64[np.ndarray, " n"]:
    """Row of each galaxy among the labels; -1 where there is none."""
    place = rows_of_ids(source.ids, table[ID])
    if not np.any(place >= 0):
        shown = ", ".join(map(str, table[ID][:NAMED].tolist()))
        images = ", ".join(map(str, source.ids[:NAMED].tolist()))
        problem = (
            f"has no id of the {seen_by}s: its ids begin with {shown}, those of {source.path} with {images}"
        )
        raise TableError(table.name, problem, NAME_IDS)
    return place


def _faults(
    known: np.ndarray, errors: np.ndarray, targets: Sequence[str], classes: Classes
) -> Iterator[Fault]:
    """What can be wrong with the labels of an image."""
    for target, values, sigma in zip(targets, known.T, errors.T, strict=True):
        if target in classes:
            yield f"has a {target} that the model does not know", np.isinf(values)
            continue
        # Beyond single precision a number would become infinite in training.
        yield f"has an infinite {target}", np.abs(values) > np.finfo(np.float32).max
        yield f"has an error of {target} that is negative or infinite", (sigma < 0) | np.isinf(sigma)


def _check_varied(
    values: np.ndarray, targets: Sequence[str], classes: Classes, where: str, seen_by: str
) -> None:
    """A property that is always the same, or never known, cannot be learned."""
    for target, column in zip(targets, values.T, strict=True):
        found = np.unique(column[~np.isnan(column)])
        if len(found) < 2:
            always = classes[target][int(found[0])] if len(found) and target in classes else None
            problem = (
                f"is {always or f'{found[0]:g}'} for every {seen_by}"
                if len(found)
                else f"is missing for every {seen_by}"
            )
            raise TableError(f"{where}, column {target}", problem, "choose another column")
