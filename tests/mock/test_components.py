import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.mock.components import COMPONENTS, formed_shares
from nebulium.sed import Exponential, load_ssp
from nebulium.sed.dsps_adapter import surviving_fraction
from nebulium.sed.sfh import age_weights, mass_fraction_since

LG_AGE_GYR = load_ssp().lg_age_gyr
deal = jax.jit(lambda age, tau, share, t_obs: formed_shares(Exponential(age, tau), share, LG_AGE_GYR, t_obs))
weights = jax.jit(lambda age, tau, t_obs: age_weights(Exponential(age, tau), LG_AGE_GYR, t_obs))
forward = jax.jit(jax.jacfwd(lambda p: deal(*p)))
reverse = jax.jit(jax.jacrev(lambda p: deal(*p).sum(axis=1)))


def dealt(age, tau, share, t_obs=13.0):
    return np.asarray(deal(*(jnp.float32(value) for value in (age, tau, share, t_obs))))


@given(st.floats(0.02, 13.0), st.floats(0.05, 30.0), st.floats(0.0, 1.0), st.floats(0.5, 13.4))
def test_the_components_add_up_to_the_history(age, tau, share, t_obs):
    shares = dealt(age, tau, share, t_obs)
    whole = weights(jnp.float32(age), jnp.float32(tau), jnp.float32(t_obs))
    assert shares.min() >= 0.0
    np.testing.assert_allclose(shares.sum(axis=0), whole, atol=3e-7)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.8, 0.97])
@pytest.mark.parametrize("tau", [0.5, 3.0, 30.0])
def test_the_bulge_has_its_share_of_the_surviving_mass(share, tau):
    mass = dealt(9.0, tau, share) @ np.asarray(surviving_fraction(LG_AGE_GYR))
    np.testing.assert_allclose(mass[0] / mass.sum(), share, atol=1e-5)


def test_the_young_are_those_of_the_last_hundred_million_years():
    young = dealt(5.0, 2.0, 0.4)[COMPONENTS.index("young")]
    expected = mass_fraction_since(Exponential(5.0, 2.0), jnp.array([0.1]), jnp.array(13.0))[0]
    np.testing.assert_allclose(young.sum(), expected, rtol=1e-5)
    assert young[np.asarray(LG_AGE_GYR) > -0.95].max() == 0.0


def test_the_bulge_is_older_than_the_disc_and_oldest_when_small():
    ages = 10.0 ** np.asarray(LG_AGE_GYR)

    def mean_ages(share):
        shares = dealt(9.0, 4.0, share)
        return shares[:2] @ ages / shares[:2].sum(axis=1)

    small, large = mean_ages(0.1), mean_ages(0.7)
    assert small[0] > large[0] > large[1]
    assert small[0] > small[1] > large[1]


def test_a_galaxy_younger_than_a_hundred_million_years_is_all_young():
    shares = dealt(0.05, 1.0, 0.5)
    np.testing.assert_allclose(shares.sum(axis=1), [0.0, 0.0, 1.0], atol=1e-6)


@pytest.mark.parametrize("age", [0.03, 0.1001, 0.15, 3.0, 13.0])
@pytest.mark.parametrize("share", [0.0, 1e-4, 0.5, 1.0])
def test_gradients_are_finite(age, share):
    point = jnp.array([age, 0.3, share, 12.0])
    assert np.all(np.isfinite(forward(point)))
    assert np.all(np.isfinite(reverse(point)))
