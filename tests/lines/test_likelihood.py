"""The quadrature against brute force, the expectation propagation against sampling, and the missing lines."""

from functools import cache, partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from nebulium.lines import likelihood
from nebulium.lines.likelihood import SELECTION_KINDS, MeasuredLines, galaxy_log_likelihood
from nebulium.lines.measurement import NoiseLaw, Selection, select_positive
from nebulium.lines.model import LineModel
from nebulium.nn import SinhArcsinh

FLUX, Z = jnp.ones(12), jnp.array(0.1)
TEN = jnp.zeros(10)
# Compiled once: called as they are, each of their operations would be compiled by itself.
recorded = jax.jit(likelihood._recorded, static_argnames="kind")
unrecorded = jax.jit(likelihood._unrecorded)


@cache
def untrained() -> LineModel:
    return LineModel(with_luminosity=False, width=16, noise_width=16, key=jax.random.key(0))


def log_normal_law(log_median: float, width: float) -> SinhArcsinh:
    return SinhArcsinh(TEN + log_median, TEN + np.float32(np.log(width)), TEN, TEN + 1)


def noise_law(scale: float = 0.8, slope: float = 0.5, typical: float = 1.0) -> NoiseLaw:
    sigma = SinhArcsinh(TEN + np.float32(np.log(typical)), TEN + np.float32(np.log(0.3)), TEN, TEN + 1)
    return NoiseLaw(sigma, TEN + scale, TEN + slope, TEN + 2.0)


def measured(ew: float, sigma: float, present: bool = True) -> MeasuredLines:
    return MeasuredLines(TEN + ew, TEN + sigma, jnp.full(10, present))


@pytest.mark.parametrize("snr", [0.02, 0.1, 1.0, 3.0, 4.5, 10.0, 100.0])
@pytest.mark.parametrize("width", [0.2, 0.6, 1.2])
def test_evidence_of_a_measurement_is_the_integral(snr: float, width: float) -> None:
    ew = 2.0
    sigma = ew / snr
    law, noise = log_normal_law(0.5, width), noise_law(typical=sigma)
    posterior = recorded(law, noise, measured(ew, sigma), select_positive(TEN), TEN + 1e-37, kind="censored")
    scores = np.linspace(-7, 7, 40001)
    true = np.exp(0.5 + width * scores)
    of_sigma = stats.norm(np.log(sigma) + 0.5 * np.log1p(true / 2.0), 0.3).pdf(np.log(sigma))
    integrand = stats.norm.pdf(scores) * stats.norm(true, 0.8 * sigma).pdf(ew) * of_sigma
    exact = np.log(integrate.simpson(integrand, x=scores))
    assert float(posterior.log_evidence[0]) == pytest.approx(exact, abs=0.01)


def test_chance_to_be_recorded_is_the_average_over_the_noise() -> None:
    selection = Selection(
        jnp.tile(jnp.array([0.4, 0.3]), (10, 1)),
        jnp.tile(jnp.array([0.5, 2.0]), (10, 1)),
        TEN + 0.97,
        TEN + 0.05,
    )
    noise = 0.8
    t = np.linspace(-8, 12, 20001)
    chance = np.array(jax.vmap(selection.chance)(jnp.tile(jnp.asarray(t, jnp.float32)[:, None], (1, 10))))[
        :, 0
    ]
    for true_snr in (0.0, 0.5, 2.0, 5.0):
        exact = integrate.simpson(chance * stats.norm(true_snr, noise).pdf(t), x=t)
        found = selection.chance_of_line(TEN[:, None] + true_snr, TEN + noise)
        assert float(found[0, 0]) == pytest.approx(exact, abs=1e-3)


@pytest.mark.parametrize("width", [0.3, 0.9])
def test_chance_of_a_missing_line_is_the_share_of_simulated_ones(width: float) -> None:
    rng = np.random.default_rng(0)
    true = np.exp(0.2 + width * rng.standard_normal(200_000))
    sigma = np.exp(0.3 * rng.standard_normal(true.size) + 0.5 * np.log1p(true / 2.0))
    seen = true + 0.8 * sigma * rng.standard_normal(true.size)
    missing = unrecorded(log_normal_law(0.2, width), noise_law(), select_positive(TEN))
    assert float(jnp.exp(missing.log_evidence[0])) == pytest.approx(np.mean(seen <= 0), abs=0.003)


def test_dependence_is_exact_for_gaussian_measurements() -> None:
    """With a Gaussian law measured with Gaussian noise the matched Gaussians are no approximation."""
    rng = np.random.default_rng(1)
    loadings = rng.standard_normal((8, 2))
    correlation = np.asarray(
        untrained().free_correlation_of(jnp.asarray(_padded(loadings), jnp.float32)), np.float64
    )
    mean, noise = rng.standard_normal(10), rng.uniform(0.2, 2.0, 10)
    variance = 1 / (1 + 1 / noise)
    posterior = likelihood._Posterior(
        TEN, jnp.asarray(mean * variance / noise, jnp.float32), jnp.asarray(variance, jnp.float32)
    )
    found = likelihood._dependence(
        jnp.asarray(correlation, jnp.float32), posterior, posterior, jnp.ones(10, bool)
    )
    free = likelihood.FREE
    covariance = correlation + np.diag(noise[free])
    together = stats.multivariate_normal(cov=covariance).logpdf(mean[free])
    apart = stats.norm(0, np.sqrt(1 + noise[free])).logpdf(mean[free]).sum()
    assert float(found) == pytest.approx(together - apart, abs=1e-3)


def _padded(loadings: np.ndarray) -> np.ndarray:
    more = untrained().copula_rank - loadings.shape[1]
    return np.concatenate([loadings, np.zeros((8, more))], axis=1).reshape(-1)


@given(
    st.lists(st.floats(-7, 7, width=32), min_size=10, max_size=10),
    st.lists(st.floats(-4, 4, width=32), min_size=10, max_size=10),
    st.lists(st.booleans(), min_size=10, max_size=10),
)
@settings(max_examples=150)
def test_likelihood_and_gradient_are_finite_whatever_was_measured(
    log_ew: list[float], log_sigma: list[float], present: list[bool]
) -> None:
    """From S/N e^-11 to e^11, every pattern of missing lines: no branch not taken may leave a NaN."""
    lines = MeasuredLines(
        jnp.exp(jnp.array(log_ew, jnp.float32)),
        jnp.exp(jnp.array(log_sigma, jnp.float32)),
        jnp.array(present),
    )
    (_, values), gradient = _values_and_gradient(untrained(), lines)
    assert np.all(np.isfinite(values))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(eqx.filter(gradient, eqx.is_array)))


@eqx.filter_jit
@partial(eqx.filter_value_and_grad, has_aux=True)
def _values_and_gradient(model, lines):  # type: ignore[no-untyped-def]
    """Of the sum over all kinds, which is finite only where each is: they share most of what is compiled."""
    values = jnp.stack([galaxy_log_likelihood(model, FLUX, Z, lines, kind) for kind in SELECTION_KINDS])
    return values.sum(), values


def test_what_is_missing_is_not_looked_at() -> None:
    present = jnp.arange(10) != 4
    one, other = (MeasuredLines(TEN + 2.0, TEN + 1.0, present) for _ in range(2))
    other = eqx.tree_at(
        lambda m: (m.ew_aa, m.sigma_aa), other, (one.ew_aa.at[4].set(77.0), one.sigma_aa.at[4].set(9.0))
    )
    values, others = (_values_and_gradient(untrained(), lines)[0][1] for lines in (one, other))
    np.testing.assert_allclose(values, others, rtol=1e-6)


def test_columns_become_measurements() -> None:
    ew = np.array([[1.0, np.nan, -1.0, 2.0, 0.0, 3.0, 1.0, 1.0, 1.0, 1e-4]])
    ivar = np.array([[4.0, 1.0, 1.0, 0.0, 1.0, np.nan, 1.0, 1.0, 1.0, 1.0]])
    lines = MeasuredLines.from_columns(ew, ivar)
    assert lines.present[0].tolist() == [True, False, False, False, False, False, True, True, True, True]
    assert lines.at_bound[0].tolist() == [False] * 9 + [True]
    assert float(lines.sigma_aa[0, 0]) == 0.5
