"""How well classes are predicted, and whether their probabilities are what they say."""

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.stats import rankdata

Values = Float[np.ndarray, " n"]
Right = Bool[np.ndarray, " n"] | Values

#: Bins of the probability, of equal width, as Guo et al. 2017 have them.
BINS = 15


def balanced_accuracy(true: Shaped[np.ndarray, " n"], right: Right) -> float:
    """Share of galaxies that are classified rightly, class by class, averaged over the classes that occur.

    Parameters
    ----------
    true : ndarray of shape (n,)
        The classes.
    right : ndarray of bool of shape (n,)
        Whether the prediction is the true class.

    Returns
    -------
    float
        NaN without galaxies.

    Examples
    --------
    >>> balanced_accuracy(np.array(["a", "a", "a", "b"]), np.array([True, True, True, False]))
    0.5
    """
    shares = [float(np.mean(right[true == one])) for one in np.unique(true)]
    return float(np.mean(shares)) if shares else float("nan")


def roc_auc(positive: Right, score: Values) -> float:
    """Area under the ROC curve: the chance that a positive scores higher than a negative.

    Parameters
    ----------
    positive : ndarray of bool of shape (n,)
        Which are positive.
    score : ndarray of shape (n,)
        What should be higher for them; ties count half.

    Returns
    -------
    float
        NaN where all are of one kind.

    Examples
    --------
    >>> roc_auc(np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    positive = np.asarray(positive, bool)
    count = int(positive.sum())
    if count in (0, len(positive)):
        return float("nan")
    wins = rankdata(score)[positive].sum() - 0.5 * count * (count + 1)
    return float(wins / (count * (len(positive) - count)))


def expected_calibration_error(right: Right, confidence: Values, *, bins: int = BINS) -> float:
    """Mean distance between what predictions claim and how often they are right.

    Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599, equation 3: galaxies in bins of equal width of the
    probability of the predicted class, the distances weighted by their numbers.

    Parameters
    ----------
    right : ndarray of bool of shape (n,)
        Whether the predicted class is the true one.
    confidence : ndarray of shape (n,)
        Its probability.
    bins : int
        Between 0 and 1.

    Returns
    -------
    float
        NaN without galaxies.

    Examples
    --------
    >>> round(expected_calibration_error(np.array([True, True, False, True]), np.full(4, 0.9)), 3)
    0.15
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(place, weights=np.asarray(right, float) - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(right)) if len(right) else float("nan")
