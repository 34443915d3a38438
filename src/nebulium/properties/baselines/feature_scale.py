"""Features of galaxies made ready for a regression: missing ones filled, all on one scale."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nebulium.errors import TableError

Features = Float[np.ndarray, "_ feature"]
Values = Float[np.ndarray, " _"]

FEWEST = 10


@dataclass(frozen=True)
class FeatureScale:
    """Mean and scatter of each feature, and what stands in for missing ones.

    Parameters
    ----------
    median, mean, scale : ndarray of shape (feature,)
        Of the training galaxies.
    """

    median: Values
    mean: Values
    scale: Values

    @classmethod
    def measure(cls, features: Features) -> "FeatureScale":
        """Take them from training galaxies."""
        features = np.asarray(features, np.float64)
        empty = ~np.isfinite(features).any(axis=0)
        median = np.nanmedian(np.where(empty, 0.0, features), axis=0)
        filled = np.where(np.isfinite(features), features, median)
        scatter = filled.std(axis=0)
        return cls(median, filled.mean(axis=0), np.where(scatter > 0, scatter, 1.0))

    def apply(self, features: Features) -> Features:
        """Standardise."""
        return (np.where(np.isfinite(features), features, self.median) - self.mean) / self.scale


def labelled_rows(features: Features, values: Values) -> tuple[Features, Values]:
    """Rows that have a value, in double precision."""
    there = np.isfinite(values)
    if there.sum() < FEWEST:
        raise TableError(
            "baseline",
            f"needs {FEWEST} galaxies with a value, found {int(there.sum())}",
            "give labels for more galaxies",
        )
    return np.asarray(features[there], np.float64), np.asarray(values[there], np.float64)
