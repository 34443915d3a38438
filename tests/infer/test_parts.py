"""What a posterior is made of: properties, light, likelihood, weights; each against something known."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nebulium.infer.importance import pareto_shape, resampled, weigh, weighted_quantiles
from nebulium.infer.light import BandLight, make_light_source
from nebulium.infer.likelihood import MeasuredFluxes, agreement
from nebulium.infer.line_light import LineLight, measure_moments
from nebulium.infer.parameters import (
    DUST,
    MASS,
    METALS,
    ONSET,
    RATE,
    history_of,
    interim_prior,
    properties_of,
)
from nebulium.lines.model import LineModel
from nebulium.modelfile import load_model
from nebulium.sed import Exponential, age_gyr, load_filters, load_ssp, make_band_table
from nebulium.sed.sfh import mass_fraction_since

T_OBS = jnp.float32(12.0)


def some_properties(n, seed=0):
    scores = np.random.default_rng(seed).normal(size=(n, 5)).astype(np.float32)
    return jax.vmap(interim_prior().at)(jnp.asarray(scores))


@pytest.fixture(scope="module")
def source():
    return make_light_source(load_ssp(), load_filters("sdss_g0", "sdss_r0"))


def test_histories_have_the_rate_that_they_are_asked_for():
    theta = some_properties(256)

    @jax.jit
    def rates(theta):
        def rate(one):
            recent = mass_fraction_since(history_of(one, T_OBS), jnp.full(1, 0.1), T_OBS)[0]
            return jnp.log10(recent / 1e8)

        return jax.vmap(rate)(theta)

    found, wanted = np.asarray(rates(theta)), np.asarray(theta[:, RATE])
    older = np.asarray(theta[:, ONSET]) * 12.0 > 0.15
    # What forms in the last 100 Myr of the most quiescent is lost in the rounding of a share.
    seen = older & (wanted > -13.5)
    np.testing.assert_allclose(found[seen], wanted[seen], atol=2e-3)


def test_rates_have_derivatives():
    theta = jnp.array([10.0, -10.5, 0.7, 0.3, -1.8])
    tau = lambda rate: history_of(theta.at[RATE].set(rate), T_OBS).tau_gyr  # noqa: E731
    step = 0.01
    numerically = (tau(-10.5 + step) - tau(-10.5 - step)) / (2 * step)
    assert jax.grad(tau)(-10.5) == pytest.approx(float(numerically), rel=0.02)


def test_scores_are_normal_under_the_prior_and_go_back():
    prior, theta = interim_prior(), some_properties(64)
    back = jax.vmap(prior.at)(jax.vmap(prior.scores)(theta))
    np.testing.assert_allclose(back, theta, atol=1e-3)
    assert not bool(prior.holds(theta[0].at[DUST].set(3.1)))


def test_told_properties_belong_together():
    theta = jnp.array([10.0, -10.0, 0.5, 0.3, -1.8])
    told = properties_of(theta, jnp.float32(10.2), T_OBS)
    np.testing.assert_allclose(told, [10.0, 0.2, -9.8, 6.0, 0.3, -1.8], atol=1e-5)


def test_stars_are_those_of_the_band_table(source):
    theta, z = jnp.array([10.3, -10.0, 0.6, 0.5, -1.9]), jnp.float32(0.08)
    lines = eqx.tree_at(lambda one: one.log_mean, LineLight(key=jax.random.key(0)), jnp.full(10, -30.0))
    light = source.at(z).light(theta, lines)
    bands = make_band_table(source.ssp, source.filters, z)
    history = history_of(theta, age_gyr(z))
    known = bands.photometry(
        Exponential(history.age_gyr, history.tau_gyr), theta[MASS], av_mag=theta[DUST], lgmet=theta[METALS]
    )
    np.testing.assert_allclose(light.mean, known.flux_njy, rtol=1e-5)
    assert np.asarray(light.factor) == pytest.approx(0.0, abs=1e-3)


def test_moments_of_lines_are_those_of_many_draws():
    model, bins = load_model("desi-lines-colours", of=LineModel), jnp.linspace(1.0, 1.1, 12)
    moments = measure_moments(model, bins, jnp.ones(10), jnp.float32(0.1))
    drawn = np.asarray(model.density(bins, jnp.float32(0.1)).sample(jax.random.key(3), 4000))
    bin_of_line = np.asarray(bins)[[1, 3, 4, 5, 5, 10, 10, 10, 11, 11]]
    np.testing.assert_allclose(np.exp(moments.log_mean) * bin_of_line, drawn.mean(axis=0), rtol=0.15)
    relative = np.cov((drawn / drawn.mean(axis=0)).T)
    assert moments.covariance[6, 6] == pytest.approx(relative[6, 6], rel=0.3)


def some_light():
    rng = np.random.default_rng(1)
    mean = jnp.asarray(rng.uniform(50, 200, 4), jnp.float32)
    factor = jnp.asarray(rng.normal(size=(4, 2)) * 5, jnp.float32)
    return BandLight(mean, factor, jnp.float32(10.0))


def measured(flux, err, limit=None):
    limit = np.zeros(len(flux), bool) if limit is None else np.asarray(limit)
    return MeasuredFluxes(
        jnp.asarray(flux, jnp.float32), jnp.asarray(err, jnp.float32), limit, jnp.float32(0.1)
    )


MODEL_ERROR = jnp.array([0.02, 0.03, 0.05, 0.1])


def covariance_of(light, err):
    mean, factor = np.asarray(light.mean, float), np.asarray(light.factor, float)
    return np.diag(np.asarray(err) ** 2 + (np.asarray(MODEL_ERROR) * mean) ** 2) + factor @ factor.T


def test_likelihood_is_the_normal_law_of_the_fluxes():
    light, err = some_light(), np.array([3.0, 5.0, 2.0, 8.0])
    flux = np.asarray(light.mean) * [0.9, 1.1, -0.2, 1.0]
    found = agreement(light, measured(flux, err), MODEL_ERROR)
    law = stats.multivariate_normal(np.asarray(light.mean, float), covariance_of(light, err))
    assert float(found.log_likelihood) == pytest.approx(law.logpdf(flux), rel=1e-4)
    assert float(found.chi_square) == pytest.approx(
        (flux - law.mean) @ np.linalg.solve(law.cov, flux - law.mean), rel=1e-4
    )


def test_a_band_that_is_not_observed_says_nothing():
    light, err = some_light(), np.array([3.0, 5.0, np.nan, 8.0])
    flux = np.array([60.0, 150.0, np.nan, 90.0])
    seen = np.array([0, 1, 3])
    found = agreement(light, measured(flux, err), MODEL_ERROR)
    full = covariance_of(light, np.nan_to_num(err))
    law = stats.multivariate_normal(np.asarray(light.mean, float)[seen], full[np.ix_(seen, seen)])
    assert float(found.log_likelihood) == pytest.approx(law.logpdf(flux[seen]), rel=1e-4)
    gradient = jax.grad(lambda m: agreement(light._replace(mean=m), measured(flux, err), MODEL_ERROR)[0])
    assert np.all(np.isfinite(gradient(light.mean)))


def test_a_limit_is_the_chance_to_lie_below_it():
    light, err = some_light(), np.array([3.0, 5.0, 2.0, 8.0])
    flux = np.array([60.0, 150.0, 90.0, 70.0])
    without = agreement(light, measured(np.where([0, 0, 0, 1], np.nan, flux), err), MODEL_ERROR)
    limited = agreement(light, measured(flux, err, [False, False, False, True]), MODEL_ERROR)
    sigma = np.sqrt(covariance_of(light, err)[3, 3])
    chance = stats.norm.logcdf((flux[3] - float(light.mean[3])) / sigma)
    assert float(limited.log_likelihood - without.log_likelihood) == pytest.approx(chance, abs=1e-3)


def test_weights_of_a_wider_normal_law_are_those_of_theory():
    draws = 2.0 * np.random.default_rng(0).normal(size=20_000).astype(np.float32)
    proposal = stats.norm(0, 2).logpdf(draws).astype(np.float32)
    target = (stats.norm(0, 1).logpdf(draws) + np.log(7.0)).astype(np.float32)
    weights = weigh(jnp.asarray(target), jnp.asarray(proposal))
    assert float(weights.log_evidence) == pytest.approx(np.log(7.0), abs=0.02)
    # The mean square of the weights is 4 / sqrt(7) for these two.
    assert float(weights.effective) / 20_000 == pytest.approx(np.sqrt(7) / 4, abs=0.02)
    assert float(weights.k_hat) < 0.2
    found = weighted_quantiles(jnp.asarray(draws), weights, jnp.array([0.16, 0.5, 0.84]))
    np.testing.assert_allclose(found, stats.norm.ppf([0.16, 0.5, 0.84]), atol=0.04)
    kept = draws[np.asarray(resampled(weights, 5000, jnp.float32(0.3)))]
    assert np.std(kept) == pytest.approx(1.0, abs=0.04)


@pytest.mark.parametrize("shape", [0.3, 0.7, 1.2])
def test_heavy_tails_are_seen(shape):
    drawn = stats.genpareto(shape).rvs((24, 1500), random_state=0).astype(np.float32)
    found = jax.vmap(pareto_shape)(jnp.log(drawn))
    assert np.mean(found) == pytest.approx(shape, abs=0.2)


def test_weights_of_impossible_draws_are_none():
    nothing = weigh(jnp.full(200, -jnp.inf), jnp.zeros(200))
    assert float(nothing.effective) == 0.0
    assert np.isinf(nothing.k_hat)
    few = weigh(jnp.full(200, -jnp.inf).at[3].set(0.0), jnp.zeros(200))
    assert float(few.effective) == pytest.approx(1.0)
    assert float(few.k_hat) > 0.7
