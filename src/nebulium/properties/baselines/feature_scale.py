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

    Examples
    --------
    >>> scale = FeatureScale.measure(np.array([[1.0], [3.0], [np.nan]]))
    >>> scale.apply(np.array([[3.0], [np.nan]])).round(2).tolist()
    [[1.22], [0.0]]
    """

    median: Values
    mean: Values
    scale: Values

    @classmethod
    def measure(cls, features: Features) -> "FeatureScale":
        """Take them from training galaxies.

        Parameters
        ----------
        features : ndarray of shape (n, feature)
            NaN where missing; a feature that is missing everywhere counts as 0.

        Returns
        -------
        FeatureScale
        """
        features = np.asarray(features, np.float64)
        empty = ~np.isfinite(features).any(axis=0)
        median = np.nanmedian(np.where(empty, 0.0, features), axis=0)
        filled = np.where(np.isfinite(features), features, median)
        scatter = filled.std(axis=0)
        return cls(median, filled.mean(axis=0), np.where(scatter > 0, scatter, 1.0))

    def apply(self, features: Features) -> Features:
        """Standardise.

        Parameters
        ----------
        features : ndarray of shape (n, feature)
            NaN where missing.

        Returns
        -------
        ndarray of shape (n, feature)
        """
        return (np.where(np.isfinite(features), features, self.median) - self.mean) / self.scale


def labelled_rows(features: Features, values: Values) -> tuple[Features, Values]:
    """Rows that have a value, in double precision.

    Parameters
    ----------
    features : ndarray of shape (n, feature)
        Any.
    values : ndarray of shape (n,)
        NaN where missing.

    Returns
    -------
    features : ndarray of shape (m, feature)
    values : ndarray of shape (m,)

    Raises
    ------
    TableError
        If there are fewer than 10.

    Examples
    --------
    >>> labelled_rows(np.zeros((20, 2)), np.append(np.arange(19.0), np.nan))[0].shape
    (19, 2)
    """
    there = np.isfinite(values)
    if there.sum() < FEWEST:
        raise TableError(
            "baseline",
            f"needs {FEWEST} galaxies with a value, found {int(there.sum())}",
            "give labels for more galaxies",
        )
    return np.asarray(features[there], np.float64), np.asarray(values[there], np.float64)
