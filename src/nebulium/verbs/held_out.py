"""Which galaxies may be scored: those that no model was trained, stopped or recalibrated on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from nebulium.data.splits import Split
from nebulium.errors import TableError
from nebulium.modelfile import ModelFolder

TEST = "test"


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Rows of the galaxies of a data set, by what models have done with them.

    Parameters
    ----------
    rows : ndarray of int64 of shape (k,)
        Those to be scored.
    training : ndarray of int64 of shape (m,)
        Those from whose labels every model has learned, and baselines may; none of them is scored.
    notes : tuple of str
        What makes the scores less than they seem.
    """

    rows: Int64[np.ndarray, " k"]
    training: Int64[np.ndarray, " m"]
    notes: tuple[str, ...]


def held_out_galaxies(
    ids: np.ndarray,
    folders: Sequence[ModelFolder],
    *,
    where: str,
    part: str | None = TEST,
    labelled: Bool[np.ndarray, " n"] | None = None,
    id_column: str | None = None,
) -> HeldOut:
    """Find the galaxies that are in one part of the split of each model.

    Parameters
    ----------
    ids : ndarray of int or str of shape (n,)
        The galaxies.
    folders : sequence of ModelFolder
        The models, with their splits.
    where : str
        What the galaxies are called in messages.
    part : str, optional
        Name of the part; with None all galaxies are scored, which is right only if no model was trained on
        them.
    labelled : ndarray of bool of shape (n,), optional
        Which galaxies have a label; all if not given.
    id_column : str, optional
        What the ids are called where they come from.

    Returns
    -------
    HeldOut

    Raises
    ------
    TableError
        If a split has no such part, or no galaxy is in it.

    Examples
    --------
    >>> from nebulium import describe_model
    >>> found = held_out_galaxies(np.arange(100), [describe_model("desi-lines")], where="galaxies")
    >>> len(found.rows), len(found.training)
    (11, 78)
    """
    known = np.ones(len(ids), bool) if labelled is None else labelled
    notes = _trained_on_all(folders)
    if part is None:
        return HeldOut(np.flatnonzero(known), np.zeros(0, np.int64), notes)
    splits = [Split.from_dict(folder.config["split"]) for folder in folders]
    for folder, split in zip(folders, splits, strict=True):
        if part not in split.fractions:
            problem = f"its split has the parts {list(split.fractions)}, not {part!r}"
            mend = "name one of its parts, or score all (part=None)"
            raise TableError(f"model {folder.name}", problem, mend)
    chosen = np.flatnonzero(known & np.all([split.parts(ids) == part for split in splits], axis=0))
    if not len(chosen):
        problem = (
            f"has {int(known.sum()):,} labelled galaxies, none in the {part} part of every model's split"
        )
        mend = "give more galaxies, or score all (--all-rows, part=None) if no model was trained on them"
        raise TableError(where, problem, mend)
    learned = known & np.all([split.taught(ids) for split in splits], axis=0)
    training = np.setdiff1d(np.flatnonzero(learned), chosen)
    return HeldOut(chosen, training, (*notes, *_other_ids(folders, id_column)))


def _trained_on_all(folders: Sequence[ModelFolder]) -> tuple[str, ...]:
    """A model without a test part cannot be scored on its own sample."""
    records = {folder.name: folder.config["split"] for folder in folders}
    return tuple(
        f"{name} was trained on every galaxy of its sample ({record['galaxies']['train']:,}): a score on "
        "those is too good"
        for name, record in records.items()
        if record.get("fractions", {}).get("train") == 1.0
    )


def _other_ids(folders: Sequence[ModelFolder], id_column: str | None) -> tuple[str, ...]:
    """A split knows galaxies by their ids alone."""
    recorded = {folder.name: folder.config["split"].get("id_column", id_column) for folder in folders}
    return tuple(
        f"the ids are those of {id_column}, and {name} was trained with those of {column}: if they differ, "
        "galaxies that it was trained on are scored"
        for name, column in recorded.items()
        if id_column is not None and column != id_column
    )
