"""Metallicity and stellar mass: the mean relation, its scatter, and what an image tells beyond the mass.

Massive galaxies are metal-rich, and a network that had learned no more than to weigh galaxies would predict
metallicities too. The test of Wu & Boada (2019): predict the metallicity from the mass by the mean relation,
and see whether the image does better, and whether it knows on which side of the relation a galaxy lies. The
same holds for any property that goes with mass.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nebulium.errors import TableError
from nebulium.metrics.point import nmad, rmse, spearman
from nebulium.verbs.score import Bootstrap, Columns, Metric, Score, Values, score_method

FEWEST = 20


@dataclass(frozen=True)
class MassRelation:
    """A property as a quadratic function of the logarithm of stellar mass.

    Parameters
    ----------
    coefficients : tuple of float
        Constant, linear and quadratic one, of log10 of the mass in solar masses.
    log_mstar_range : tuple of float
        Masses for which it holds. Beyond, it goes on as a constant: a parabola would turn round.

    Examples
    --------
    >>> TREMONTI_2004.at(np.array([9.0, 10.0, 11.0])).round(2).tolist()
    [8.63, 8.95, 9.11]
    """

    coefficients: tuple[float, float, float]
    log_mstar_range: tuple[float, float]

    def at(self, log_mstar: Values) -> Values:
        """The property at given masses.

        Parameters
        ----------
        log_mstar : ndarray of shape (n,)
            log10 of stellar mass in solar masses.

        Returns
        -------
        ndarray of shape (n,)
        """
        mass = np.clip(np.asarray(log_mstar, np.float64), *self.log_mstar_range)
        return np.polynomial.polynomial.polyval(mass, self.coefficients)


#: 12 + log(O/H) of SDSS galaxies: Tremonti et al. (2004, ApJ 613, 898), equation 3.
TREMONTI_2004 = MassRelation((-1.492, 1.847, -0.08026), (8.5, 11.5))


def fit_mass_relation(log_mstar: Values, values: Values) -> MassRelation:
    """Fit the mean relation of a property with mass by least squares.

    Parameters
    ----------
    log_mstar : ndarray of shape (n,)
        log10 of stellar mass in solar masses; NaN where missing.
    values : ndarray of shape (n,)
        The property; NaN where missing.

    Returns
    -------
    MassRelation
        Over the central 99 % of the masses.

    Raises
    ------
    TableError
        If fewer than 20 galaxies have both, or all have one mass.

    Examples
    --------
    >>> mass = np.linspace(8.6, 11.4, 100)
    >>> fit_mass_relation(mass, TREMONTI_2004.at(mass)).coefficients[1]
    1.84...
    """
    both = np.isfinite(log_mstar) & np.isfinite(values)
    mass = np.asarray(log_mstar[both], np.float64)
    if mass.size < FEWEST or np.ptp(mass) == 0:
        raise TableError(
            "relation with mass",
            f"needs {FEWEST} galaxies of different masses, {mass.size} have a mass and a value",
            "give labels with log_mstar for more galaxies",
        )
    fitted = np.polynomial.Polynomial.fit(mass, np.asarray(values[both], np.float64), 2).convert()
    constant, linear, quadratic = (float(value) for value in np.pad(fitted.coef, (0, 3 - fitted.coef.size)))
    low, high = (float(edge) for edge in np.quantile(mass, [0.005, 0.995]))
    return MassRelation((constant, linear, quadratic), (low, high))


def more_than_mass(
    true: Values,
    predicted: Values,
    log_mstar: Values,
    log_mstar_predicted: Values | None = None,
    *,
    resamples: int = 200,
    seed: int = 0,
) -> Score:
    """Compare a prediction with what the mass alone would say.

    Parameters
    ----------
    true, predicted : ndarray of shape (n,)
        The property; NaN where missing.
    log_mstar : ndarray of shape (n,)
        log10 of stellar mass in solar masses; NaN where missing.
    log_mstar_predicted : ndarray of shape (n,), optional
        The same, predicted from the images.
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    Score
        Of the galaxies with label, prediction and mass, the estimates

        - ``rmse_image`` of the prediction, and ``rmse_mass`` of the mean relation at the true mass, fitted to
          the labels of these very galaxies: the best that the mass alone can do;
        - ``difference``, the second minus the first, drawn together: above 0 if the image tells more than the
          true mass;
        - ``rmse_predicted_mass`` and ``difference_predicted_mass``, the same with masses that were predicted
          from the images too, where there are any;
        - ``partial_correlation``, Spearman's, between label and prediction at given mass: 0 for a network
          that only weighs galaxies;
        - ``scatter_true`` and ``scatter_predicted``, the NMAD of labels and of predictions about their own
          mean relation with the true mass, and ``scatter_ratio``, the second over the first. Predictions that
          are means scatter less than the truth.

    Raises
    ------
    TableError
        If fewer than 20 galaxies have label, prediction and mass, or all have one mass.

    References
    ----------
    Wu & Boada 2019, MNRAS 484, 4683, section 5.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> mass, offset = draw.uniform(9, 11, 800), draw.normal(0, 0.1, 800)
    >>> true = TREMONTI_2004.at(mass) + offset
    >>> only_mass = more_than_mass(true, TREMONTI_2004.at(mass) + draw.normal(0, 0.03, 800), mass)
    >>> more = more_than_mass(true, true + draw.normal(0, 0.05, 800), mass)
    >>> abs(only_mass["partial_correlation"].value) < 0.1, more["partial_correlation"].value > 0.8
    (True, True)
    """
    rows = np.isfinite(true) & np.isfinite(predicted) & np.isfinite(log_mstar)
    true, predicted, mass = true[rows], predicted[rows], log_mstar[rows]
    of_labels, of_predictions = fit_mass_relation(mass, true), fit_mass_relation(mass, predicted)
    by_mass = of_labels.at(mass)
    off_true, off_predicted = true - by_mass, predicted - of_predictions.at(mass)
    columns = {"true": true, "predicted": predicted, "by_mass": by_mass}
    columns |= {"off_true": off_true, "off_predicted": off_predicted}
    if log_mstar_predicted is not None:
        columns["by_predicted_mass"] = of_labels.at(log_mstar_predicted[rows])
    known = {name: metric for name, metric in METRICS.items() if {*metric.columns} <= {*columns}}
    return score_method("image", columns, known, bootstrap=Bootstrap(resamples, seed))


def has_masses(columns: Columns, log_mstar: Values) -> bool:
    """Whether there are galaxies enough with label, prediction and mass."""
    return int(np.isfinite(columns["true"] + columns["predicted"] + log_mstar).sum()) >= FEWEST


def _difference(true: Values, predicted: Values, rival: Values) -> float:
    return rmse(true, rival) - rmse(true, predicted)


def _scatter(offsets: Values) -> float:
    return nmad(np.zeros(len(offsets)), offsets)


def _scatter_ratio(off_true: Values, off_predicted: Values) -> float:
    return _scatter(off_predicted) / _scatter(off_true)


METRICS: Mapping[str, Metric] = {
    "rmse_image": Metric(rmse, "RMSE"),
    "rmse_mass": Metric(rmse, "RMSE of the relation", ("true", "by_mass")),
    "difference": Metric(_difference, "difference", ("true", "predicted", "by_mass")),
    "rmse_predicted_mass": Metric(
        rmse, "RMSE of the relation, mass predicted", ("true", "by_predicted_mass")
    ),
    "difference_predicted_mass": Metric(
        _difference, "difference, mass predicted", ("true", "predicted", "by_predicted_mass")
    ),
    "partial_correlation": Metric(spearman, "partial correlation", ("off_true", "off_predicted")),
    "scatter_true": Metric(_scatter, "scatter of the labels", ("off_true",)),
    "scatter_predicted": Metric(_scatter, "scatter of the predictions", ("off_predicted",)),
    "scatter_ratio": Metric(_scatter_ratio, "ratio of the scatters", ("off_true", "off_predicted")),
}
