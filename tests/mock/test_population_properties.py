import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.mock.populations.properties import GalaxyProperties, log_specific_sfr
from nebulium.mock.populations.sdss import history_of_rate
from nebulium.sed import Galaxy, age_gyr, load_ssp, rest_spectrum
from nebulium.sed.sfh import Exponential


@pytest.mark.parametrize(
    ("age", "tau", "redshift"),
    [(8.0, 4.0, 0.1), (3.0, 1.0, 1.0), (1.0, 0.05, 2.0), (0.05, 0.1, 3.0), (99.0, 2.0, 1.0)],
)
def test_star_formation_rate_is_that_of_the_spectrum(age, tau, redshift):
    galaxy = GalaxyProperties(redshift, 10.3, age, tau, 0.3, 8.7, -1.8)
    spectrum = rest_spectrum(Galaxy(galaxy.history(), galaxy.log_mstar, galaxy.redshift), load_ssp())
    np.testing.assert_allclose(galaxy.log_sfr(), spectrum.log_sfr, atol=2e-5)


def test_rate_and_its_gradient_stay_finite_where_the_spectrum_has_none():
    value, gradient = jax.value_and_grad(
        lambda tau: GalaxyProperties(0.1, 10.0, 10.0, tau, 0.0, 8.7, -1.7).log_sfr()
    )(jnp.asarray(0.01))
    assert float(value) < -400.0
    assert np.isfinite(gradient)


@jax.jit
def solved(log_ssfr, redshift, onset):
    now = age_gyr(redshift)
    history = history_of_rate(log_ssfr, now, onset)
    return now, log_specific_sfr(history, now), history.age_gyr


@given(st.floats(-13.5, -8.5), st.floats(0.01, 0.2), st.floats(0.0, 1.0))
def test_history_has_the_rate_that_is_asked_for(log_ssfr, redshift, onset):
    now, found, age = solved(*(jnp.asarray(value, jnp.float32) for value in (log_ssfr, redshift, onset)))
    assert float(found) == pytest.approx(log_ssfr, abs=0.01)
    assert float(age) < float(now)


def test_one_equals_batch():
    tau = jnp.array([0.3, 2.0])
    batch = jax.vmap(lambda t: log_specific_sfr(Exponential(5.0, t), jnp.asarray(12.0)))(tau)
    for found, one in zip(batch, tau, strict=True):
        np.testing.assert_allclose(
            found, log_specific_sfr(Exponential(5.0, one), jnp.asarray(12.0)), atol=1e-5
        )
