"""Regressions of scikit-learn as baselines: forests and support vectors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nebulium.errors import from_extra
from nebulium.properties.baselines.feature_scale import Features, FeatureScale, Values, labelled_rows

#: Among which support-vector regression chooses, for standardised values; gamma times the number of features.
SUPPORT_VECTOR_GRID = {"C": (0.3, 1.0, 3.0, 10.0, 30.0), "epsilon": (0.1, 0.3), "gamma": (0.1, 0.3, 1.0)}
FOLDS = 5
#: Galaxies that the choice of the support-vector regression rests on at most: its cost grows with their cube.
MOST_FOR_CHOICE = 2000


@dataclass(frozen=True)
class _Regression:
    """A regressor of scikit-learn between standardised features and standardised values."""

    scale: FeatureScale
    mean: float
    scatter: float
    regressor: Any

    def predict(self, features: Features) -> Values:
        """Predict."""
        if len(features) == 0:
            return np.zeros(0)
        return self.mean + self.scatter * self.regressor.predict(self.scale.apply(features))


def _regression(make: Callable[[], Any], features: Features, values: Values) -> tuple[Any, ...]:
    """Fields of a `_Regression` whose regressor is fitted."""
    features, values = labelled_rows(features, values)
    scale = FeatureScale.measure(features)
    mean, scatter = float(values.mean()), float(values.std()) or 1.0
    with from_extra("scikit-learn", "bench"):
        regressor = make()
    return scale, mean, scatter, regressor.fit(scale.apply(features), (values - mean) / scatter)


class ForestBaseline(_Regression):
    """Random forest: what Wu & Boada (2019) compared their network with, on three magnitudes.

    Examples
    --------
    >>> colours = np.random.default_rng(0).normal(size=(200, 2))
    >>> forest = ForestBaseline.fit(colours, 9 + 0.3 * colours[:, 0], trees=20)
    >>> bool(abs(forest.predict(np.array([[1.0, 0.0]]))[0] - 9.3) < 0.05)
    True
    """

    @classmethod
    def fit(
        cls, features: Features, values: Values, *, trees: int = 200, smallest_leaf: int = 8, seed: int = 0
    ) -> "ForestBaseline":
        """Grow the trees.

        Parameters
        ----------
        features, values
            As in `nebulium.properties.baselines.baselines.RidgeBaseline.fit`.
        trees : int
            The paper has 40.
        smallest_leaf : int
            Fewest galaxies in a leaf: the better of the paper's two settings.
        seed : int
            Of the trees.

        Returns
        -------
        ForestBaseline

        Raises
        ------
        MissingExtraError
            If scikit-learn is not installed.
        TableError
            If fewer than 10 galaxies have a value.
        """

        def make() -> Any:
            from sklearn.ensemble import RandomForestRegressor

            return RandomForestRegressor(trees, min_samples_leaf=smallest_leaf, random_state=seed)

        return cls(*_regression(make, features, values))


class ExtraTreesBaseline(_Regression):
    """Forest of extremely randomised trees, strong on many features of few galaxies.

    Examples
    --------
    >>> profiles = np.random.default_rng(0).normal(size=(200, 5))
    >>> trees = ExtraTreesBaseline.fit(profiles, 9 + 0.3 * profiles[:, 0], trees=50)
    >>> bool(abs(trees.predict(np.array([[1.0, 0.0, 0.0, 0.0, 0.0]]))[0] - 9.3) < 0.1)
    True
    """

    @classmethod
    def fit(
        cls, features: Features, values: Values, *, trees: int = 300, smallest_leaf: int = 2, seed: int = 0
    ) -> "ExtraTreesBaseline":
        """Grow the trees.

        Parameters
        ----------
        features, values
            As in `nebulium.properties.baselines.baselines.RidgeBaseline.fit`.
        trees, smallest_leaf, seed : int
            As in `ForestBaseline.fit`.

        Returns
        -------
        ExtraTreesBaseline

        Raises
        ------
        MissingExtraError, TableError
            As in `ForestBaseline.fit`.
        """

        def make() -> Any:
            from sklearn.ensemble import ExtraTreesRegressor

            return ExtraTreesRegressor(trees, min_samples_leaf=smallest_leaf, random_state=seed)

        return cls(*_regression(make, features, values))


class SupportVectorBaseline(_Regression):
    """Support-vector regression with a Gaussian kernel.

    Examples
    --------
    >>> profiles = np.random.default_rng(0).normal(size=(100, 3))
    >>> machine = SupportVectorBaseline.fit(profiles, 9 + 0.3 * np.sin(profiles[:, 0]))
    >>> bool(abs(machine.predict(np.array([[1.5, 0.0, 0.0]]))[0] - 9.3) < 0.1)
    True
    """

    @classmethod
    def fit(cls, features: Features, values: Values, *, seed: int = 0) -> "SupportVectorBaseline":
        """Choose the settings by cross-validation among the galaxies given, then fit to all of them.

        Parameters
        ----------
        features, values
            As in `nebulium.properties.baselines.baselines.RidgeBaseline.fit`.
        seed : int
            Of the folds.

        Returns
        -------
        SupportVectorBaseline

        Raises
        ------
        MissingExtraError, TableError
            As in `ForestBaseline.fit`.
        """

        def make() -> Any:
            from sklearn.svm import SVR

            return SVR(**_support_vector_choice(features, values, seed))

        return cls(*_regression(make, features, values))


def _support_vector_choice(features: Features, values: Values, seed: int) -> dict[str, Any]:
    """The settings with the smallest squared error over the folds."""
    from sklearn.model_selection import GridSearchCV, KFold
    from sklearn.svm import SVR

    features, values = labelled_rows(features, values)
    rows = np.random.default_rng(seed).permutation(len(values))[:MOST_FOR_CHOICE]
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    gammas = [gamma / features.shape[1] for gamma in SUPPORT_VECTOR_GRID["gamma"]]
    grid = {**SUPPORT_VECTOR_GRID, "gamma": gammas}
    search = GridSearchCV(SVR(), grid, scoring="neg_mean_squared_error", cv=folds, refit=False)
    chosen = values[rows]
    scaled = FeatureScale.measure(features).apply(features[rows])
    return search.fit(scaled, (chosen - chosen.mean()) / (chosen.std() or 1.0)).best_params_
