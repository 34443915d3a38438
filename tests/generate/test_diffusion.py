import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.generate.drawing.samplers import SAMPLERS, STEPS
from nebulium.generate.latent.diffusion import Known, LatentDiffusion
from nebulium.generate.latent.gaussian import ConditionalGaussian, fit_gaussian

COMPONENTS = 6
SCALE = np.array([9.0, 5.0, 3.0, 2.0, 1.0, 1.0], np.float32)


@pytest.fixture(scope="module")
def linear():
    """A diffusion whose network says nothing yet: a Gaussian that knows two conditions."""
    cross = jnp.zeros((COMPONENTS, 2)).at[0, 0].set(0.8).at[1, 1].set(-0.5).at[2, 0].set(0.3)
    covariance = jnp.array([[1.0, 0.4], [0.4, 1.0]])
    start = LatentDiffusion(COMPONENTS, 2, even=4, width=8, depth=1, key=jax.random.key(0))
    where = lambda m: (m.scale, m.gaussian.closed.cross, m.gaussian.closed.covariance)  # noqa: E731
    return eqx.tree_at(where, start, (jnp.asarray(SCALE), cross, covariance))


def conditions(*values: float) -> Known:
    there = np.isfinite(values)
    return Known(jnp.asarray(np.where(there, values, 0.0), jnp.float32), jnp.asarray(there, jnp.float32))


def test_means_and_variances_follow_from_the_covariances(linear):
    cross, covariance = (
        np.asarray(one, np.float64)
        for one in (linear.gaussian.closed.cross, linear.gaussian.closed.covariance)
    )
    for values in ([1.2, -0.7], [np.nan, 0.5], [0.4, np.nan], [np.nan, np.nan]):
        there = np.isfinite(values)
        mean, variance = linear.gaussian.given(*conditions(*values))
        gain = cross[:, there] @ np.linalg.inv(covariance[np.ix_(there, there)])
        np.testing.assert_allclose(mean, gain @ np.array(values)[there], atol=1e-5)
        expected = 1 - np.sum(gain * cross[:, there], axis=1)
        np.testing.assert_allclose(variance, expected, atol=1e-5)


def test_differences_of_the_bound_are_those_of_a_gaussian(linear):
    ways = [conditions(1.0, -0.5), conditions(-0.5, 0.5), conditions(np.nan, np.nan)]
    given = Known(*(jnp.stack(part) for part in zip(*ways, strict=True)))
    coefficients = jnp.array([0.9, -0.4, 0.3, 1.1, -0.2, 0.4])
    draws = eqx.filter_jit(linear.log_densities)(coefficients, given, 4096, jax.random.key(1))
    found, error = jnp.mean(draws - draws[2:], axis=1), jnp.std(draws - draws[2:], axis=1) / 64

    def exact(way: Known) -> float:
        mean, variance = (np.asarray(one, np.float64) for one in linear.gaussian.given(*way))
        return float(
            np.sum(-0.5 * np.log(variance) - 0.5 * (np.asarray(coefficients) - mean) ** 2 / variance)
        )

    expected = np.array([exact(way) - exact(ways[2]) for way in ways])
    # The levels end below the noise of the data: what lies beyond them is little.
    np.testing.assert_allclose(found, expected, atol=float(4 * jnp.max(error)) + 0.03)


def variance_of_draws(sampler: str, levels: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """That of what a sampler makes of a Gaussian, for which each step is a factor and fresh noise."""
    drawn = variance + levels[0] ** 2
    for first, second in itertools.pairwise(levels):
        noise, later = (level**2 / (variance + level**2) for level in (first, second))
        if sampler == "heun":
            forward, back = second / first - 1, 1 - first / second
            drawn = drawn * (1 + 0.5 * (forward * noise + back * later * (1 + forward * noise))) ** 2
        elif sampler == "ddim":
            drawn = drawn * (1 - (1 - second / first) * noise) ** 2
        else:
            kept = (second / first) ** 2
            drawn = drawn * (1 - (1 - kept) * noise) ** 2 + second**2 * (1 - kept)
    return drawn * (variance / (variance + levels[-1] ** 2)) ** 2


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_is_drawn_has_the_means_and_variances_of_the_gaussian(linear, sampler):
    given, steps = conditions(1.5, np.nan), 12
    draw = eqx.filter_jit(jax.vmap(lambda key: linear.sample(given, steps, key, sampler=sampler)))
    drawn = np.asarray(draw(jax.random.split(jax.random.key(2), 4000)))
    mean, variance = linear.gaussian.given(*given)
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.06)
    # With few steps the samplers differ by much more than the error of a variance, 2 %.
    scaled, lowest, highest = np.asarray(variance) * SCALE**2, *np.exp(linear.log_levels)
    expected = variance_of_draws(sampler, np.geomspace(highest, lowest, steps), scaled) / SCALE**2
    np.testing.assert_allclose(drawn.var(axis=0), expected, rtol=0.08)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_usual_steps_lose_little_of_the_variance(sampler):
    for strongest in (30.0, 100.0):
        variance = np.array([3.0, 10.0, strongest]) ** 2
        found = variance_of_draws(sampler, np.geomspace(3 * strongest, 0.2, STEPS[sampler]), variance)
        np.testing.assert_allclose(found, variance, rtol=0.05)


def test_guidance_of_one_changes_nothing(linear):
    given, key = conditions(1.5, 0.2), jax.random.key(3)
    draw = eqx.filter_jit(linear.sample)
    plain = draw(given, 6, key)
    np.testing.assert_allclose(draw(given, 6, key, jnp.asarray(1.0)), plain, atol=1e-4)
    assert not np.allclose(draw(given, 6, key, jnp.asarray(3.0)), plain, atol=0.05)


def test_the_gaussian_of_a_set_is_found_where_conditions_are_missing():
    random = np.random.default_rng(0)
    hidden = random.normal(size=(20_000, 2))
    told = hidden @ np.array([[1.0, 0.6], [0.0, 0.8]])
    coefficients = np.column_stack([0.9 * hidden[:, 0], random.normal(size=20_000), hidden[:, 1]])
    told[random.random(20_000) < 0.4, 1] = np.nan
    found = fit_gaussian(coefficients.astype(np.float32), told.astype(np.float32), 2)
    assert isinstance(found, ConditionalGaussian)
    np.testing.assert_allclose(found.covariance, [[1, 0.6], [0.6, 1]], atol=0.04)
    # Of the last coefficient, which changes its sign when the image is turned, nothing is said.
    np.testing.assert_allclose(found.cross, [[0.9, 0.54], [0, 0], [0, 0]], atol=0.03)
