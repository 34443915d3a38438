import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from nebulium.nn.joint_mixture import log_density, moments, parameter_count

COMPONENTS, NUMBERS = 3, 3


def parameters(seed: int):
    return jax.random.normal(jax.random.key(seed), (parameter_count(COMPONENTS, NUMBERS),))


@given(seed=st.integers(0, 2**16), known=st.lists(st.booleans(), min_size=NUMBERS, max_size=NUMBERS))
def test_missing_numbers_are_integrated_out(seed, known):
    there = np.array(known)
    values = np.random.default_rng(seed).normal(size=NUMBERS).astype(np.float32)
    weights, means, covariances = (np.asarray(one, np.float64) for one in moments(
        parameters(seed), NUMBERS, COMPONENTS
    ))  # fmt: skip
    share = np.exp(weights - weights.max())
    densities = [
        multivariate_normal.pdf(values[there], mean[there], covariance[np.ix_(there, there)])
        if there.any()
        else 1.0
        for mean, covariance in zip(means, covariances, strict=True)
    ]
    expected = np.log(np.sum(share / share.sum() * densities))
    given_values = jnp.asarray(np.where(there, values, 0.0).astype(np.float32))
    told = jnp.asarray(there.astype(np.float32))
    found = float(log_density(parameters(seed), given_values, told, COMPONENTS))
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


def test_an_unknown_number_gets_no_gradient():
    known = jnp.array([1.0, 0.0, 1.0])
    values = jnp.array([0.3, 0.0, -0.4])
    slope = jax.grad(lambda value: log_density(parameters(0), value, known, COMPONENTS))(values)
    assert slope[1] == 0.0
    assert np.all(np.isfinite(slope))
    assert np.all(slope[jnp.array([0, 2])] != 0.0)
