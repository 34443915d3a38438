"""What the networks are compared with: a trivial predictor and traditional ones, in one API.

Each is built by ``.fit(features, values)`` and asked by ``.predict(features)``; one property at a time, the
features of any origin: colours and magnitudes from `nebulium.properties.baselines.integrated_light`, radial
profiles of brightness and colour from `nebulium.properties.features.profiles`. Whatever has to be chosen is
chosen inside ``fit``, on the galaxies that it is given.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nebulium.properties.baselines.feature_scale import Features, FeatureScale, Values, labelled_rows
from nebulium.properties.baselines.learned import ExtraTreesBaseline, ForestBaseline, SupportVectorBaseline

#: Penalties among which ridge chooses, relative to the mean square of a standardised feature.
PENALTIES = np.logspace(-5, 3, 33)


class Baseline(Protocol):
    """What every baseline can do."""

    def predict(self, features: Features) -> Values:
        """The property of each galaxy."""
        ...


@dataclass(frozen=True)
class MeanBaseline:
    """The mean of the training galaxies, whatever the image.

    Parameters
    ----------
    mean : float

    Examples
    --------
    >>> trivial = MeanBaseline.fit(np.zeros((20, 2)), np.arange(20.0))
    >>> trivial.predict(np.zeros((2, 2))).tolist()
    [9.5, 9.5]
    """

    mean: float

    @classmethod
    def fit(cls, features: Features, values: Values) -> "MeanBaseline":
        """Take the mean.

        Parameters
        ----------
        features : ndarray of shape (n, feature)
            Not looked at.
        values : ndarray of shape (n,)
            The property; NaN where missing.

        Returns
        -------
        MeanBaseline

        Raises
        ------
        TableError
            If fewer than 10 galaxies have a value.
        """
        return cls(float(labelled_rows(features, values)[1].mean()))

    def predict(self, features: Features) -> Values:
        """Predict the same for every galaxy.

        Parameters
        ----------
        features : ndarray of shape (n, feature)
            Only its length counts.

        Returns
        -------
        ndarray of shape (n,)
        """
        return np.full(len(features), self.mean)


@dataclass(frozen=True)
class RidgeBaseline:
    """Linear regression with a penalty on the squares of the slopes.

    Parameters
    ----------
    scale : FeatureScale
    slopes : ndarray of shape (feature,)
        Of standardised features.
    mean : float
        The mean value.
    penalty : float
        That with the smallest leave-one-out error.

    Examples
    --------
    >>> colours = np.random.default_rng(0).normal(size=(100, 2))
    >>> ridge = RidgeBaseline.fit(colours, 9 + colours @ np.array([0.3, -0.1]))
    >>> ridge.predict(np.array([[1.0, 0.0]])).round(3).tolist()
    [9.3]
    """

    scale: FeatureScale
    slopes: Values
    mean: float
    penalty: float

    @classmethod
    def fit(cls, features: Features, values: Values) -> "RidgeBaseline":
        """Fit, and choose the penalty by the leave-one-out error.

        Parameters
        ----------
        features : ndarray of shape (n, feature)
            NaN where missing: replaced by the median.
        values : ndarray of shape (n,)
            The property; galaxies without one are left out.

        Returns
        -------
        RidgeBaseline

        Raises
        ------
        TableError
            If fewer than 10 galaxies have a value.
        """
        features, values = labelled_rows(features, values)
        scale = FeatureScale.measure(features)
        mean = float(values.mean())
        left, singular, right = np.linalg.svd(scale.apply(features), full_matrices=False)
        along = left.T @ (values - mean)
        penalties = PENALTIES * len(values)
        errors = [_left_out_error(left, singular, along, values - mean, penalty) for penalty in penalties]
        best = float(penalties[int(np.argmin(errors))])
        return cls(scale, right.T @ (singular / (singular**2 + best) * along), mean, best)

    def predict(self, features: Features) -> Values:
        """Predict.

        Parameters
        ----------
        features : ndarray of shape (n, feature)

        Returns
        -------
        ndarray of shape (n,)
        """
        return self.mean + self.scale.apply(features) @ self.slopes


def _left_out_error(
    left: np.ndarray, singular: np.ndarray, along: np.ndarray, values: np.ndarray, penalty: float
) -> float:
    """Mean square error of each galaxy predicted from all others, in closed form."""
    shrunk = singular**2 / (singular**2 + penalty)
    # The mean is fitted too, and takes 1/n of every galaxy's freedom.
    leverage = left**2 @ shrunk + 1.0 / len(values)
    residual = values - left @ (shrunk * along)
    return float(np.mean((residual / np.maximum(1.0 - leverage, 1e-9)) ** 2))


#: The baselines by their names in the tables, the trivial one first.
BASELINES: Mapping[str, Callable[[Features, Values], Baseline]] = {
    "mean": MeanBaseline.fit,
    "ridge": RidgeBaseline.fit,
    "random forest": ForestBaseline.fit,
    "extra trees": ExtraTreesBaseline.fit,
    "support vectors": SupportVectorBaseline.fit,
}
