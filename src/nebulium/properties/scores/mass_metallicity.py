"""Metallicity and stellar mass: the mean relation, its scatter, and what an image tells beyond the mass.

Massive galaxies are metal-rich, and a network that had learned no more than to weigh galaxies would predict
metallicities too. The test of Wu & Boada (2019): predict the metallicity from the mass by the mean relation,
and see whether the image does better, and whether it knows on which side of the relation a galaxy lies. The
same holds for any property that goes with mass.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nebulium.errors import TableError
from nebulium.metrics.estimates import UNKNOWN, estimate
from nebulium.metrics.point import nmad, rmse, spearman
from nebulium.metrics.probabilistic import Estimate
from nebulium.properties.scores.scores import rmse_gain

Values = Float[np.ndarray, " _"]

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


@dataclass(frozen=True)
class MassComparison:
    """What a prediction knows beyond the mass.

    Attributes
    ----------
    galaxies : int
        Galaxies with label, prediction and mass.
    rmse_image : Estimate
        Of the prediction.
    rmse_mass : Estimate
        Of the mean relation at the true mass, fitted to the labels of these very galaxies: the best that the
        mass alone can do.
    gain : Estimate
        Second minus first, drawn together: above 0 if the image tells more than the true mass.
    rmse_predicted_mass, gain_over_predicted_mass : Estimate
        The same with masses that were predicted from the images too; NaN where there are none.
    partial_correlation : Estimate
        Spearman's, between label and prediction at given mass: 0 for a network that only weighs galaxies.
    scatter_true, scatter_predicted : Estimate
        NMAD of labels and of predictions about their own mean relation with the true mass.
    scatter_ratio : Estimate
        Second over first. Predictions that are means scatter less than the truth.
    """

    galaxies: int
    rmse_image: Estimate
    rmse_mass: Estimate
    gain: Estimate
    rmse_predicted_mass: Estimate
    gain_over_predicted_mass: Estimate
    partial_correlation: Estimate
    scatter_true: Estimate
    scatter_predicted: Estimate
    scatter_ratio: Estimate


def more_than_mass(
    true: Values,
    predicted: Values,
    log_mstar: Values,
    log_mstar_predicted: Values | None = None,
    *,
    resamples: int = 200,
    seed: int = 0,
) -> MassComparison:
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
    MassComparison

    Raises
    ------
    TableError
        As in `fit_mass_relation`.

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
    >>> abs(only_mass.partial_correlation.value) < 0.1, more.partial_correlation.value > 0.8
    (True, True)
    """
    rows = np.isfinite(true) & np.isfinite(predicted) & np.isfinite(log_mstar)
    true, predicted, mass = true[rows], predicted[rows], log_mstar[rows]
    of_labels, of_predictions = fit_mass_relation(mass, true), fit_mass_relation(mass, predicted)
    by_mass = of_labels.at(mass)
    draws = {"resamples": resamples, "seed": seed}
    off_true, off_predicted = true - by_mass, predicted - of_predictions.at(mass)
    by_predicted_mass = None if log_mstar_predicted is None else of_labels.at(log_mstar_predicted[rows])
    return MassComparison(
        galaxies=int(rows.sum()),
        rmse_image=estimate(rmse, true, predicted, **draws),
        rmse_mass=estimate(rmse, true, by_mass, **draws),
        gain=rmse_gain(true, predicted, by_mass, **draws),
        **_with_predicted_mass(true, predicted, by_predicted_mass, **draws),
        partial_correlation=estimate(spearman, off_true, off_predicted, **draws),
        scatter_true=estimate(_scatter, off_true, **draws),
        scatter_predicted=estimate(_scatter, off_predicted, **draws),
        scatter_ratio=estimate(lambda t, p: _scatter(p) / _scatter(t), off_true, off_predicted, **draws),
    )


def _with_predicted_mass(
    true: Values, predicted: Values, by_mass: Values | None, *, resamples: int, seed: int
) -> dict[str, Estimate]:
    """The comparison with masses predicted from the images, where there are any."""
    if by_mass is None:
        return {"rmse_predicted_mass": UNKNOWN, "gain_over_predicted_mass": UNKNOWN}
    there = np.isfinite(by_mass)
    true, predicted, by_mass = true[there], predicted[there], by_mass[there]
    return {
        "rmse_predicted_mass": estimate(rmse, true, by_mass, resamples=resamples, seed=seed),
        "gain_over_predicted_mass": rmse_gain(true, predicted, by_mass, resamples=resamples, seed=seed),
    }


def _scatter(offsets: Values) -> float:
    return nmad(np.zeros(len(offsets)), offsets)
