"""The chain of mixtures: its density integrates to 1, draws follow it, the first number may be told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.nn.chained_density import ChainedDensity

SIZES = {"width": 8, "depth": 1, "hidden": 4, "mixture": 3, "dropout": 0.5}


@pytest.fixture(scope="module")
def chain() -> ChainedDensity:
    """Of two numbers given three features, with weights large enough for the order to matter."""
    network = ChainedDensity(3, 2, **SIZES, key=jax.random.key(3))
    return jax.tree.map(lambda leaf: 1.5 * leaf, network)


@pytest.fixture(scope="module")
def seen(chain):
    return chain.seen(jnp.array([0.5, -1.0, 2.0]))


def test_density_of_all_numbers_integrates_to_one(chain, seen):
    grid = jnp.linspace(-25.0, 25.0, 1001)
    both = jnp.stack(jnp.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    density = jnp.exp(jax.jit(jax.vmap(lambda one: jnp.sum(chain.log_density(seen, one))))(both))
    assert float(jnp.sum(density)) * 0.05**2 == pytest.approx(1.0, abs=0.01)


def test_draws_follow_the_density(chain, seen):
    nothing = jnp.zeros(())
    keys = jax.random.split(jax.random.key(0), 20_000)
    draws = np.asarray(jax.jit(jax.vmap(lambda key: chain.draw(seen, nothing, nothing, key)))(keys))
    grid = jnp.linspace(-25.0, 25.0, 2001)
    pairs = jnp.stack([grid, jnp.zeros_like(grid)], axis=1)
    first = np.exp(np.asarray(jax.vmap(lambda one: chain.log_density(seen, one)[0])(pairs)))
    cumulative = np.cumsum(first) * 0.025
    for level in (0.1, 0.5, 0.9):
        place = float(np.interp(level, cumulative, np.asarray(grid)))
        assert np.mean(draws[:, 0] < place) == pytest.approx(level, abs=0.015)
    # The mean log density of draws is less than that of any other density at them (Gibbs).
    density = jax.jit(jax.vmap(lambda one: jnp.sum(chain.log_density(seen, one))))
    turned = jnp.asarray(draws * np.array([1.0, -1.0], np.float32))
    own, shuffled = density(jnp.asarray(draws)), density(turned)
    assert float(own.mean()) > float(shuffled.mean())


def test_first_number_is_told(chain, seen):
    told, one = jnp.array(1.5), jnp.ones(())
    draws = jax.vmap(lambda key: chain.draw(seen, told, one, key))(jax.random.split(jax.random.key(1), 4000))
    assert np.all(np.asarray(draws[:, 0]) == 1.5)
    grid = jnp.linspace(-25.0, 25.0, 2001)
    pairs = jnp.stack([jnp.full_like(grid, 1.5), grid], axis=1)
    second = np.exp(np.asarray(jax.vmap(lambda one: chain.log_density(seen, one)[1])(pairs)))
    assert float(second.sum()) * 0.025 == pytest.approx(1.0, abs=0.01)
    median = float(np.interp(0.5, np.cumsum(second) * 0.025, np.asarray(grid)))
    assert np.mean(np.asarray(draws[:, 1]) < median) == pytest.approx(0.5, abs=0.03)


def test_a_number_does_not_depend_on_those_after_it(chain, seen):
    either = [chain.log_density(seen, jnp.array([0.3, last]))[0] for last in (-2.0, 4.0)]
    assert float(either[0]) == float(either[1])


def test_values_are_left_out_only_with_a_key():
    network = ChainedDensity(3, 2, **SIZES, key=jax.random.key(0))
    features = jnp.array([0.5, -1.0, 2.0])
    whole = network.seen(features)
    thinned = [network.seen(features, jax.random.key(seed)) for seed in range(3)]
    assert all(not bool(jnp.allclose(whole, one)) for one in thinned)
