"""The relation with mass and what is known beyond it, on galaxies made to order."""

import numpy as np
import pytest

from nebulium.errors import TableError
from nebulium.properties.scores.mass_metallicity import TREMONTI_2004, fit_mass_relation, more_than_mass

RANDOM = np.random.default_rng(0)
MASS = RANDOM.uniform(8.8, 11.2, 3000)
OFFSET = RANDOM.normal(0, 0.1, 3000)
TRUE = TREMONTI_2004.at(MASS) + OFFSET


def noise(sigma):
    return RANDOM.normal(0, sigma, MASS.size)


def test_tremonti_by_hand():
    assert TREMONTI_2004.at(np.array([10.0])) == pytest.approx([-1.492 + 18.47 - 8.026])


def test_fit_recovers_the_relation_beside_missing_values():
    holes = np.where(RANDOM.random(MASS.size) < 0.2, np.nan, MASS)
    fitted = fit_mass_relation(holes, TRUE)
    np.testing.assert_allclose(fitted.at(MASS), TREMONTI_2004.at(MASS), atol=0.02)


def test_beyond_its_masses_the_relation_is_constant():
    fitted = fit_mass_relation(MASS, TRUE)
    low, high = fitted.log_mstar_range
    assert fitted.at(np.array([2.0, 20.0])) == pytest.approx(fitted.at(np.array([low, high])))


def test_a_straight_line_has_no_curvature():
    assert fit_mass_relation(MASS, 2 * MASS + 1).coefficients == pytest.approx((1, 2, 0), abs=1e-8)


@pytest.mark.parametrize("mass", [MASS[:10], np.full(100, 10.0), np.full(100, np.nan)])
def test_too_little_for_a_fit(mass):
    with pytest.raises(TableError, match="have a mass and a value"):
        fit_mass_relation(mass, np.zeros(mass.size))


def test_a_network_that_only_weighs_galaxies_is_found_out():
    found = more_than_mass(TRUE, TREMONTI_2004.at(MASS + noise(0.1)), MASS, resamples=50)
    assert abs(found["partial_correlation"].value) < 4 * found["partial_correlation"].error
    assert found["difference"].value < 0
    assert found["rmse_mass"].value == pytest.approx(0.1, rel=0.05)


def test_a_network_that_sees_more_is_better():
    predicted = TREMONTI_2004.at(MASS) + 0.8 * OFFSET + noise(0.03)
    found = more_than_mass(TRUE, predicted, MASS, MASS + noise(0.2), resamples=50)
    assert found["difference"].value > 10 * found["difference"].error
    assert found["difference_predicted_mass"].value > found["difference"].value
    assert found["partial_correlation"].value > 0.9
    assert found["scatter_true"].value == pytest.approx(0.1, rel=0.05)
    assert found["scatter_ratio"].value == pytest.approx(np.hypot(0.08, 0.03) / 0.1, rel=0.06)


def test_without_predicted_masses_they_have_no_scores():
    found = more_than_mass(TRUE, TRUE, MASS, resamples=2)
    assert not any("predicted_mass" in name for name in found.estimates)


def test_rows_with_a_hole_do_not_count():
    predicted = TRUE.copy()
    predicted[:7] = np.nan
    assert more_than_mass(TRUE, predicted, MASS, resamples=2).n == MASS.size - 7
