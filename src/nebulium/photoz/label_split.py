"""Which labelled galaxies train, validate and test; and the experiment with fewer labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64

from nebulium.data.id_hash import hash_ids
from nebulium.data.splits import FRACTIONS, split_by_id
from nebulium.errors import NebuliumError, TableError

#: Names the hash by which labels are left out.
FRACTION_SEED = "label-fraction"
#: Fewest labelled galaxies that anything can be learned from, and judged by.
LEAST_TRAINING, LEAST_VALIDATION = 10, 2


@dataclass(frozen=True)
class SplitConfig:
    """How labelled galaxies are split.

    Attributes
    ----------
    seed : str
        Names the split by id.
    label_fraction : float
        Of the labels of training and validation galaxies, those used; the test galaxies keep theirs.
    fractions : mapping of str to float
        Of "train", "validation" and "test".

    Raises
    ------
    NebuliumError
        The fraction is not above 0 and at most 1.

    Examples
    --------
    >>> SplitConfig(label_fraction=0.1).seed
    'nebulium'
    """

    seed: str = "nebulium"
    label_fraction: float = 1.0
    fractions: Mapping[str, float] = field(default_factory=lambda: FRACTIONS)

    def __post_init__(self) -> None:
        if not 0 < self.label_fraction <= 1:
            problem = f"expected a number above 0 and at most 1, found {self.label_fraction:g}"
            raise NebuliumError("label fraction", problem, "give 0.1 for a tenth of the labels, say")


@dataclass(frozen=True, eq=False)
class LabelSplit:
    """Rows of labelled galaxies.

    Attributes
    ----------
    train, validation, test : ndarray of int64 of shape (k,)
    config : SplitConfig
    """

    train: Int64[np.ndarray, " a"]
    validation: Int64[np.ndarray, " b"]
    test: Int64[np.ndarray, " c"]
    config: SplitConfig

    def as_dict(self, id_column: str) -> dict[str, Any]:
        """The entry of config.json."""
        return {
            "seed": self.config.seed,
            "id_column": id_column,
            "fractions": dict(self.config.fractions),
            "label_fraction": self.config.label_fraction,
            "galaxies": {
                "train": len(self.train),
                "validation": len(self.validation),
                "test": len(self.test),
            },
        }


def keeps_label(ids: np.ndarray, fraction: float) -> Bool[np.ndarray, " n"]:
    """Which galaxies keep their label when only a fraction does."""
    position = (hash_ids(ids, seed=FRACTION_SEED) >> np.uint64(11)) / 2.0**53
    return np.asarray(position < fraction)


def split_labels(
    ids: np.ndarray, redshift: Float[np.ndarray, " n"], config: SplitConfig, *, where: str
) -> LabelSplit:
    """Split the labelled galaxies by their ids."""
    labelled = np.isfinite(redshift)
    if not np.any(labelled):
        mend = (
            "name the column of redshifts: --redshift COLUMN; or choose the method template, which needs none"
        )
        raise TableError(where, f"has no redshift for any of {len(ids):,} galaxies", mend)
    part = split_by_id(ids, seed=config.seed, fractions=config.fractions)
    kept = labelled & keeps_label(ids, config.label_fraction)
    split = LabelSplit(
        train=np.flatnonzero(kept & (part == "train")),
        validation=np.flatnonzero(kept & (part == "validation")),
        test=np.flatnonzero(labelled & (part == "test")),
        config=config,
    )
    if len(split.train) < LEAST_TRAINING or len(split.validation) < LEAST_VALIDATION:
        of = f", of which {int(kept.sum()):,} are used" if config.label_fraction < 1 else ""
        problem = (
            f"has {int(labelled.sum()):,} galaxies with a redshift{of}: {len(split.train)} to train on and "
            f"{len(split.validation)} to validate, at least {LEAST_TRAINING} and {LEAST_VALIDATION} are "
            "needed"
        )
        mend = "give more labelled galaxies" + (", or a larger --label-fraction" if of else "")
        raise TableError(where, problem, mend)
    return split


def held_out_galaxies(ids: np.ndarray, split: Mapping[str, Any]) -> Bool[np.ndarray, " n"]:
    """Which galaxies a model has not seen, by its own split."""
    return np.asarray(_part(ids, split) == "test")


def training_galaxies(ids: np.ndarray, split: Mapping[str, Any]) -> Bool[np.ndarray, " n"]:
    """Which galaxies taught a model their redshift, if they have one, by its own split."""
    return (_part(ids, split) == "train") & keeps_label(ids, split.get("label_fraction", 1.0))


def _part(ids: np.ndarray, split: Mapping[str, Any]) -> np.ndarray:
    return split_by_id(ids, seed=split["seed"], fractions=split.get("fractions", FRACTIONS))
