"""The one fit loop, for all subjects."""

from nebulium.training.augmentation import (
    augment,
    orientations,
    random_noise,
    random_orientation,
    random_shift,
)
from nebulium.training.config import FitConfig
from nebulium.training.epoch import LossContext
from nebulium.training.fit_loop import FitResult, fit
from nebulium.training.parts import trained_part
from nebulium.training.rows import ArrayRows, RowSource
from nebulium.training.run_folder import EpochRecord

__all__ = [
    "ArrayRows",
    "LossContext",
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
