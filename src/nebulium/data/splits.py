"""Splits by a hash of the id: the same galaxy is always on the same side, whatever table it comes in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from nebulium.data.ids import hash_ids
from nebulium.errors import ModelFileError, NebuliumError, TableError

#: Fractions of the galaxies in each part, in the order in which the unit interval is cut.
FRACTIONS: Mapping[str, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}
#: What a model that learned from no galaxy was held back from: all of them.
ALL_HELD_OUT: Mapping[str, float] = {"train": 0.0, "validation": 0.0, "test": 1.0}
#: Names the hash by which labels are left out.
FRACTION_SEED = "label-fraction"


@dataclass(frozen=True)
class Split:
    """Which galaxies train, validate and test a model, by a hash of the id alone.

    Parameters
    ----------
    seed : str
        Names the split; another name gives an independent one.
    fractions : mapping of str to float
        Of the galaxies in each part; they add up to one.
    id_column : str
        What the ids are called where they were read.
    label_fraction : float
        Of the labels of training and validation galaxies, those used; the test galaxies keep theirs.

    Raises
    ------
    ValueError
        If the fractions are negative or do not add up to one.
    NebuliumError
        If the label fraction is not above 0 and at most 1.

    Examples
    --------
    >>> split = Split(fractions={"train": 0.7, "validation": 0.15, "test": 0.15})
    >>> split.parts([0, 1, 5, 8]).tolist()
    ['train', 'validation', 'test', 'test']
    >>> split.held_out([0, 1, 5, 8]).tolist()
    [False, False, True, True]
    >>> Split.from_dict(split.as_dict()) == split
    True
    """

    seed: str = "nebulium"
    fractions: Mapping[str, float] = field(default_factory=lambda: FRACTIONS)
    id_column: str = "target_id"
    label_fraction: float = 1.0

    def __post_init__(self) -> None:
        values = np.array(list(self.fractions.values()), dtype=float)
        if np.any(values < 0) or not np.isclose(values.sum(), 1.0):
            found = dict(self.fractions)
            raise ValueError(f"split fractions must be positive and add up to 1, got {found}")
        if not 0 < self.label_fraction <= 1:
            problem = f"expected a number above 0 and at most 1, found {self.label_fraction:g}"
            raise NebuliumError("label fraction", problem, "give 0.1 for a tenth of the labels, say")

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Split":
        """The split that the entry of a config.json describes."""
        if "seed" not in record:
            problem = "names no split, so that who was trained on is not known"
            mend = "score all galaxies, if the model never saw them"
            raise ModelFileError("the model's config.json, entry split", problem, mend)
        return cls(**{name: record[name] for name in cls.__dataclass_fields__ if name in record})

    def as_dict(self, rows: Mapping[str, Sequence[object] | np.ndarray] | None = None) -> dict[str, Any]:
        """The entry of config.json, with the number of galaxies in each part where their rows are given."""
        counts = {} if rows is None else {"galaxies": {part: len(those) for part, those in rows.items()}}
        return {
            "seed": self.seed,
            "fractions": dict(self.fractions),
            "id_column": self.id_column,
            "label_fraction": self.label_fraction,
            **counts,
        }

    def parts(self, ids: Sequence[object] | np.ndarray) -> np.ndarray:
        """Name of the part of each of n ids, integers or text: 7 and "7" fall on the same side."""
        cuts = np.cumsum(list(self.fractions.values()))[:-1]
        place = np.searchsorted(cuts, _positions(np.asarray(ids), self.seed), side="right")
        return np.array(list(self.fractions))[place]

    def held_out(self, ids: Sequence[object] | np.ndarray) -> Bool[np.ndarray, " n"]:
        """Which of n galaxies no training of this split has seen: those of the test part."""
        return np.asarray(self.parts(ids) == "test")

    def taught(self, ids: Sequence[object] | np.ndarray) -> Bool[np.ndarray, " n"]:
        """Which of n galaxies a training of this split learns from, if they have a label."""
        return (self.parts(ids) == "train") & self._keeps_label(np.asarray(ids))

    def rows(
        self, ids: np.ndarray, labelled: Bool[np.ndarray, " n"] | None = None
    ) -> dict[str, Int64[np.ndarray, " k"]]:
        """Rows of each part among n galaxies: those whose label is there and used."""
        part, known = self.parts(ids), np.ones(len(ids), bool) if labelled is None else labelled
        used = known & self._keeps_label(np.asarray(ids))
        return {
            name: np.flatnonzero((known if name == "test" else used) & (part == name))
            for name in self.fractions
        }

    def check_enough(
        self, rows: Mapping[str, np.ndarray], *, train: int, validation: int, where: str
    ) -> None:
        """Refuse to train on, or to validate with, fewer galaxies than the least numbers given."""
        found = len(rows["train"]), len(rows["validation"])
        if found[0] >= train and found[1] >= validation:
            return
        few = self.label_fraction < 1
        problem = (
            f"has {found[0]:,} labelled galaxies to train on and {found[1]:,} to validate"
            + few * f" with {self.label_fraction:g} of the labels"
            + f"; at least {train} and {validation} are needed"
        )
        mend = "give more labelled galaxies" + few * ", or a larger --label-fraction"
        raise TableError(where, problem, mend)

    def _keeps_label(self, ids: np.ndarray) -> Bool[np.ndarray, " n"]:
        """Which labels are used, by a hash of its own: those of a smaller fraction are among a larger's."""
        return np.asarray(_positions(ids, FRACTION_SEED) < self.label_fraction)


def _positions(ids: np.ndarray, seed: str) -> np.ndarray:
    # The upper 53 bits of the hash are a number in [0, 1) that a float holds exactly.
    return np.asarray((hash_ids(ids, seed=seed) >> np.uint64(11)) / 2.0**53)
