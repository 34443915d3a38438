"""The one fit loop, for all subjects."""

from nebulium.training.config import FitConfig
from nebulium.training.fit import FitResult, fit
from nebulium.training.run_folder import EpochRecord

__all__ = ["EpochRecord", "FitConfig", "FitResult", "fit"]
