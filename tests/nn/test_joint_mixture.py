import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from nebulium.nn.joint_mixture import draws, joined, log_density, log_probabilities, moments, parameter_count

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


def test_classes_sum_to_one_beside_numbers_and_are_independent_within_a_component():
    counts = (3, 2)
    mixture = jax.random.normal(jax.random.key(1), (parameter_count(COMPONENTS, 1, counts),))
    number = 0.4
    every = [(a, b) for a in range(3) for b in range(2)]
    values = np.array([[number, *np.eye(3)[a], *np.eye(2)[b]] for a, b in every], np.float32)
    found = jax.vmap(lambda one: log_density(mixture, one, jnp.ones(6), COMPONENTS, counts))(
        jnp.asarray(values)
    )
    weights, means, covariances = moments(mixture, 1, COMPONENTS, counts)
    share = np.asarray(jax.nn.softmax(weights) * jax.scipy.stats.norm.pdf(
        number, means[:, 0], jnp.sqrt(covariances[:, 0, 0])
    ))  # fmt: skip
    table = np.exp(np.asarray(log_probabilities(mixture, COMPONENTS, counts)))
    expected = [np.sum(share * table[:, a] * table[:, 3 + b]) for a, b in every]
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-4)
    # What is not known is summed over: one kind, or the number.
    alone = jnp.array([0.0, 1, 1, 1, 0, 0])
    one = log_density(mixture, jnp.array([0.0, 0, 1, 0, 0, 0]), alone, COMPONENTS, counts)
    np.testing.assert_allclose(jnp.exp(one), np.asarray(jax.nn.softmax(weights)) @ table[:, 1], rtol=1e-4)
    some = log_density(mixture, jnp.array([number, 0, 0, 0, 0, 0]), jnp.eye(6)[0], COMPONENTS, counts)
    np.testing.assert_allclose(jnp.exp(some), np.sum(expected), rtol=1e-4)


def test_classes_need_no_numbers():
    mixture = jax.random.normal(jax.random.key(2), (parameter_count(COMPONENTS, 0, (4,)),))
    every = jax.vmap(lambda one: log_density(mixture, one, jnp.ones(4), COMPONENTS, (4,)))(jnp.eye(4))
    np.testing.assert_allclose(jnp.sum(jnp.exp(every)), 1.0, rtol=1e-5)


def test_draws_given_some_values_follow_the_density():
    counts = (3,)
    mixture = jax.random.normal(jax.random.key(3), (parameter_count(COMPONENTS, 2, counts),))
    values, known = jnp.array([0.0, 0.7, 0.0, 1.0, 0.0]), jnp.array([0.0, 1.0, 0.0, 0.0, 0.0])
    found = np.asarray(draws(mixture, values, known, COMPONENTS, 20_000, jax.random.key(4), counts))
    assert np.all(found[:, 1] == np.float32(0.7))
    np.testing.assert_array_equal(found[:, 2:].sum(axis=1), 1.0)
    grid = np.linspace(-9, 9, 721).astype(np.float32)
    rows = np.zeros((721 * 3, 5), np.float32)
    rows[:, 0], rows[:, 1], rows[:, 2:] = np.repeat(grid, 3), 0.7, np.tile(np.eye(3), (721, 1))
    log = jax.vmap(lambda one: log_density(mixture, one, jnp.ones(5), COMPONENTS, counts))(jnp.asarray(rows))
    density = np.exp(np.asarray(log)).reshape(721, 3)
    density /= density.sum()
    np.testing.assert_allclose(found[:, 2:].mean(axis=0), density.sum(axis=0), atol=0.015)
    for place in range(3):
        own = found[found[:, 2 + place] == 1, 0]
        weight = density[:, place] / density[:, place].sum()
        mean = np.sum(weight * grid)
        assert abs(own.mean() - mean) < 5 * own.std() / np.sqrt(len(own))
        assert own.std() == pytest.approx(np.sqrt(np.sum(weight * (grid - mean) ** 2)), rel=0.05)


def test_several_mixtures_count_alike():
    both = jax.random.normal(jax.random.key(5), (2, parameter_count(COMPONENTS, NUMBERS)))
    values, known = jnp.array([0.3, -0.2, 1.0]), jnp.ones(NUMBERS)
    each = [log_density(one, values, known, COMPONENTS) for one in both]
    found = log_density(joined(both, COMPONENTS), values, known, 2 * COMPONENTS)
    np.testing.assert_allclose(found, np.logaddexp(*each) - np.log(2), rtol=1e-5)
