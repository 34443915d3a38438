"""Laws that hold for every sinh-arcsinh law, and the dependence between scores."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from nebulium.nn import SinhArcsinh, copula_log_density, factor_correlation

raw_numbers = st.tuples(*(st.floats(-3, 3, width=32) for _ in range(4)))


def law_of(raw: tuple[float, ...]) -> SinhArcsinh:
    return SinhArcsinh.from_raw(jnp.array(raw, jnp.float32))


@given(raw_numbers, st.floats(-4, 4, width=32))
def test_score_inverts_value(raw: tuple[float, ...], z: float) -> None:
    law = law_of(raw)
    assert float(law.score(law.value(jnp.array(z, jnp.float32)))) == pytest.approx(z, abs=2e-2)


@given(raw_numbers)
def test_location_is_the_median_and_log_scale_the_slope_there(raw: tuple[float, ...]) -> None:
    law = law_of(raw)
    zero = jnp.array(0.0)
    assert float(law.value(zero)) == pytest.approx(raw[0], abs=1e-5)
    assert float(jax.grad(law.value)(zero)) == pytest.approx(float(jnp.exp(law.log_scale)), rel=1e-3)


@given(raw_numbers, st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=5, unique=True))
def test_value_increases(raw: tuple[float, ...], scores: list[float]) -> None:
    law = law_of(raw)
    values = np.asarray(jax.vmap(law.value)(jnp.array(sorted(scores), jnp.float32)))
    assert np.all(np.diff(values) >= 0)


@pytest.mark.parametrize("raw", [(0, 0, 0, 0), (1, -0.5, 1, 0.5), (-1, 0.3, -1, -0.7)])
def test_density_integrates_to_one(raw: tuple[float, ...]) -> None:
    law = law_of(raw)
    edges = np.asarray(jax.vmap(law.value)(jnp.array([-6.0, 6.0])))
    grid = np.linspace(*edges, 20001)
    density = np.exp(np.asarray(jax.vmap(law.log_prob)(jnp.asarray(grid, jnp.float32))))
    assert integrate.simpson(density, x=grid) == pytest.approx(1.0, abs=2e-3)


def test_without_skewness_and_with_unit_tail_it_is_normal() -> None:
    law = law_of((2.0, np.log(3.0), 0.0, 0.0))
    y = np.linspace(-8, 12, 11)
    density = jax.vmap(law.log_prob)(jnp.asarray(y, jnp.float32))
    np.testing.assert_allclose(density, stats.norm(2, 3).logpdf(y), rtol=1e-5)


@given(raw_numbers, st.floats(-30, 30, width=32))
def test_log_prob_and_its_gradient_are_finite_far_out(raw: tuple[float, ...], y: float) -> None:
    def log_prob(raw: jax.Array) -> jax.Array:
        return SinhArcsinh.from_raw(raw).log_prob(jnp.array(y, jnp.float32))

    value, gradient = jax.value_and_grad(log_prob)(jnp.array(raw, jnp.float32))
    assert np.isfinite(value)
    assert np.all(np.isfinite(gradient))


def test_copula_density_is_that_of_correlated_over_independent_normals() -> None:
    correlation = np.asarray(factor_correlation(jax.random.normal(jax.random.key(0), (4, 2))), np.float64)
    scores = np.array([0.3, -1.2, 2.0, 0.1])
    expected = stats.multivariate_normal(cov=correlation).logpdf(scores) - stats.norm.logpdf(scores).sum()
    found = copula_log_density(jnp.asarray(scores, jnp.float32), jnp.asarray(correlation, jnp.float32))
    assert float(found) == pytest.approx(expected, abs=1e-4)
