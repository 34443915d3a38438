"""The prior of redshift and kind given the magnitude."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.photoz.templates.magnitude_prior import (
    FAINTEST_MAG,
    KINDS,
    SHARE_AT_20,
    kind_of_colour,
    log_counts,
    log_prior,
)

MOST = 6.0
EVEN = 0.05
ALL = np.arange(len(KINDS))
REDSHIFT = np.linspace(5e-4, 40.0, 80001)


def prior(mag: float, redshift: np.ndarray = REDSHIFT, most: float = 40.0) -> np.ndarray:
    magnitudes = jnp.full((redshift.size, len(KINDS)), mag, jnp.float32)
    return np.exp(
        np.asarray(log_prior(jnp.asarray(redshift, jnp.float32), magnitudes, ALL, most, EVEN), float)
    )


@given(mag=st.floats(10.0, 35.0))
def test_the_prior_of_all_kinds_and_redshifts_adds_up_to_one(mag):
    assert np.trapezoid(prior(mag).sum(axis=1), REDSHIFT) == pytest.approx(1.0, abs=5e-3)


def test_shares_of_kinds_are_the_published_ones_at_magnitude_20():
    shares = np.trapezoid(prior(20.0), REDSHIFT, axis=0)
    np.testing.assert_allclose(shares, [*SHARE_AT_20, 1.0 - sum(SHARE_AT_20)], rtol=5e-3)


def test_numbers_against_the_formula_by_hand():
    # Ellipticals at I = 22: z_m = 0.45181 + 2 x 0.13677, power 3.33078, share 0.43199 exp(-2 x 0.47165).
    scale, power = 0.45181 + 2 * 0.13677, 3.33078
    shape = REDSHIFT**power * np.exp(-((REDSHIFT / scale) ** power))
    known = 0.43199 * np.exp(-2 * 0.47165) * shape / np.trapezoid(shape, REDSHIFT)
    found = prior(22.0)[:, 0]
    place = np.searchsorted(REDSHIFT, 0.7)
    flat = EVEN / np.log(41.0) / 1.7 * 0.43199 * np.exp(-2 * 0.47165)
    assert found[place] == pytest.approx((1 - EVEN) * known[place] + flat, rel=2e-3)


def test_fainter_galaxies_are_farther_away_and_bluer():
    means, irregular = [], []
    for mag in (15.0, 18.0, 20.0, 22.0, 24.0, 26.0):
        density = prior(mag)
        means.append(np.trapezoid(density.sum(axis=1) * (REDSHIFT < 3) * REDSHIFT, REDSHIFT))
        irregular.append(np.trapezoid(density[:, -1], REDSHIFT))
    assert np.all(np.diff(means) > 0)
    assert np.all(np.diff(irregular[2:]) > 0)


def test_the_prior_is_continuous_where_the_fit_ends():
    np.testing.assert_allclose(prior(19.999), prior(20.001), rtol=0.02)


def test_beyond_the_faintest_magnitude_nothing_changes():
    np.testing.assert_array_equal(prior(FAINTEST_MAG), prior(FAINTEST_MAG + 9.0))


def test_kinds_go_from_red_to_blue():
    # Rest-frame B - I of the four spectra of Coleman, Wu & Weedman, AB.
    assert kind_of_colour(np.array([1.62, 1.15, 0.81, 0.60])).tolist() == [0, 1, 2, 3]


def test_counts_grow_with_magnitude():
    counts = np.asarray(log_counts(jnp.array([[20.0, 23.0]], jnp.float32)))[0]
    assert counts[1] - counts[0] == pytest.approx(0.99 * np.log(10.0), rel=1e-5)
