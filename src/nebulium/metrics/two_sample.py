"""Can a classifier tell two sets of galaxies apart?"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from nebulium.errors import from_extra

Rows = Float[np.ndarray, "_ _"]
Groups = Integer[np.ndarray, " _"]

# Slow learning and large leaves, so that the classifier finds what is there and not the noise of a fold.
LEARNING_RATE = 0.05
ITERATIONS = 200
LEAVES = 15
ROWS_PER_LEAF = 50


class ClassifierAUC(NamedTuple):
    """Area under the ROC curve of a cross-validated classifier.

    Parameters
    ----------
    value : float
        Mean over the folds: 0.5 if the two sets cannot be told apart, 1 if every row can.
    error : float
        Standard error of that mean, from the scatter between the folds.
    folds : tuple of float
        The area of each fold.

    Examples
    --------
    >>> ClassifierAUC(0.51, 0.01, (0.5, 0.52)).value
    0.51
    """

    value: float
    error: float
    folds: tuple[float, ...]


def classifier_auc(
    a: Rows,
    b: Rows,
    *,
    seed: int,
    folds: int = 5,
    groups_a: Groups | None = None,
    groups_b: Groups | None = None,
) -> ClassifierAUC:
    """Area under the ROC curve of gradient-boosted trees trained to tell rows of `a` from rows of `b`.

    Missing values (NaN) are allowed, and a difference in what is missing is a difference. Rows of one
    group never stand on both sides of a fold: give the galaxy's number where both sets hold the same
    galaxies, or else shared features (its colours) give a row's twin away and push the area below the truth.

    Parameters
    ----------
    a, b : ndarray of shape (n, feature)
        The two sets; lengths may differ.
    seed : int
        Seed of the folds and of the trees.
    folds : int
        Number of folds.
    groups_a, groups_b : ndarray of int, shape (n,), optional
        Group of each row; each row its own where absent.

    Returns
    -------
    ClassifierAUC

    Raises
    ------
    ValueError
        Numbers of features differ, a set has fewer rows than folds, or only one of the groups is given.
    MissingExtraError
        scikit-learn is not installed.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> a, b = random.normal(size=(400, 2)), random.normal(3, 1, size=(400, 2))
    >>> classifier_auc(a, b, seed=1, folds=2).value > 0.95
    True
    """
    _check(a, b, folds, groups_a, groups_b)
    rows = np.concatenate([a, b])
    label = np.concatenate([np.zeros(len(a), int), np.ones(len(b), int)])
    group = np.arange(len(rows)) if groups_a is None else np.concatenate([groups_a, groups_b])
    fold = _folds(group, folds, seed)
    areas = tuple(_fold_auc(rows, label, fold == place, seed) for place in range(folds))
    return ClassifierAUC(float(np.mean(areas)), float(np.std(areas, ddof=1) / np.sqrt(folds)), areas)


def _check(a: Rows, b: Rows, folds: int, groups_a: Groups | None, groups_b: Groups | None) -> None:
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"the same features expected in both sets, got {a.shape[1]} and {b.shape[1]}")
    if folds < 2 or min(len(a), len(b)) < folds:
        raise ValueError(f"at least 2 folds and a row of each set in each, got {folds}, {len(a)}, {len(b)}")
    if (groups_a is None) != (groups_b is None):
        raise ValueError("groups of both sets or of none expected")


def _folds(group: np.ndarray, folds: int, seed: int) -> Integer[np.ndarray, " n"]:
    """Fold of each row, the same for all rows of a group, drawn at random."""
    _, place = np.unique(group, return_inverse=True)
    return np.random.default_rng(seed).permutation(place.max() + 1)[place] % folds


def _fold_auc(rows: np.ndarray, label: np.ndarray, held_out: np.ndarray, seed: int) -> float:
    """Area under the ROC curve on the rows held out."""
    with from_extra("scikit-learn", "bench"):
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.metrics import roc_auc_score
        from threadpoolctl import threadpool_limits  # comes with scikit-learn

    trees = HistGradientBoostingClassifier(
        learning_rate=LEARNING_RATE,
        max_iter=ITERATIONS,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=ROWS_PER_LEAF,
        early_stopping=False,
        random_state=seed,
    )
    # One thread: on a busy machine OpenMP's threads wait for each other, eight times longer than one needs.
    with threadpool_limits(1, user_api="openmp"):
        trees.fit(rows[~held_out], label[~held_out])
    return float(roc_auc_score(label[held_out], trees.predict_proba(rows[held_out])[:, 1]))
