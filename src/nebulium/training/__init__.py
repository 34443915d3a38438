"""The one fit loop, for all subjects."""

from nebulium.training.augmentation import (
    augment,
    orientations,
    random_noise,
    random_orientation,
    random_shift,
)
from nebulium.training.config import FitConfig
from nebulium.training.epoch import Beside
from nebulium.training.fit import FitResult, fit
from nebulium.training.rows import ArrayRows, RowSource
from nebulium.training.run_folder import EpochRecord
from nebulium.training.trained_part import trained_part

__all__ = [
    "ArrayRows",
    "Beside",
    "EpochRecord",
    "FitConfig",
    "FitResult",
    "RowSource",
    "augment",
    "fit",
    "orientations",
    "random_noise",
    "random_orientation",
    "random_shift",
    "trained_part",
]
