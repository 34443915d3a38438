"""Distributions of measurements, and continua with missing bins."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.lines.continuum.completion import COMPLETIONS, complete_continuum
from nebulium.lines.likelihood import MeasuredLines
from nebulium.lines.measurement import STRONG_OF_WEAK, WEAK
from nebulium.lines.model import KNOTS, LineModel
from nebulium.lines.observed import completions, marginalised_quantiles, measured_quantiles, sample_measured
from nebulium.modelfile import load_model

LEVELS = jnp.array([0.025, 0.16, 0.5, 0.84, 0.975])
UNKNOWN = jnp.full(10, jnp.nan)
Z = jnp.array(0.15)
# Compiled once for all tests: called as they are, each of their operations would be compiled by itself.
quantiles_of = eqx.filter_jit(measured_quantiles)
mixed_quantiles_of = eqx.filter_jit(marginalised_quantiles)
completions_of = eqx.filter_jit(completions)


@eqx.filter_jit
def joint_draws(
    model: LineModel, flux: jax.Array, lines: MeasuredLines, keys: jax.Array, independent: bool = False
) -> jax.Array:
    draw = lambda key: sample_measured(model, flux, Z, lines, key, independent=independent)  # noqa: E731
    return jax.vmap(draw)(keys)


@pytest.fixture(scope="module")
def model() -> LineModel:
    return load_model("desi-lines")


@pytest.fixture(scope="module")
def flux(model: LineModel) -> jax.Array:
    """The continuum of the average training galaxy, of a typical brightness."""
    shape = 10.0 ** jnp.pad(jnp.cumsum(model.feature_mean[:11]), (1, 0))
    return 3.0 * shape / shape[9]


def test_tiny_noise_gives_back_the_intrinsic_law(model: LineModel, flux: jax.Array) -> None:
    """Where sigma says nothing of the line and all is recorded, a perfect measurement is the line itself."""
    silent = eqx.tree_at(lambda m: m.measurement.raw_noise, model, jnp.zeros((10, 3)).at[:, 2].set(5.0))
    all_recorded = jnp.tile(jnp.array([-5.0, -5.0, 0.0, 0.0, 5.0, -5.0]), (10, 1))
    silent = eqx.tree_at(lambda m: m.measurement.raw_selection, silent, all_recorded)
    levels_as_they_are = jnp.tile(jnp.asarray(KNOTS), (2, 10, 1))
    silent = eqx.tree_at(lambda m: m.measured_levels, silent, levels_as_they_are)
    measured = quantiles_of(silent, flux, Z, jnp.full(10, 1e-4), LEVELS)
    np.testing.assert_allclose(measured, silent.density(flux, Z).quantile(LEVELS), rtol=0.08)


def test_noise_widens_and_quantiles_are_ordered(model: LineModel, flux: jax.Array) -> None:
    sharp, blurred = (quantiles_of(model, flux, Z, jnp.full(10, s), LEVELS) for s in (0.3, 3.0))
    assert np.all(np.diff(sharp, axis=0) > 0)
    assert np.all(blurred[-1] - blurred[0] > sharp[-1] - sharp[0])
    assert np.all(blurred >= 0)


def test_unknown_sigma_is_marginalised_line_by_line(model: LineModel, flux: jax.Array) -> None:
    """What is known of one line does not change another."""
    none, one = (quantiles_of(model, flux, Z, s, LEVELS) for s in (UNKNOWN, UNKNOWN.at[6].set(1.0)))
    others = np.arange(10) != 6
    np.testing.assert_array_equal(none[:, others], one[:, others])
    assert np.any(none[:, 6] != one[:, 6])


def test_quantiles_are_finite_however_heavy_the_tails(model: LineModel, flux: jax.Array) -> None:
    """Far from the training set the law of the quoted error may reach beyond what float32 holds."""
    bias = model.measurement.noise.layers[-1].bias.reshape(10, 5)
    wild = bias.at[:, 0].set(20.0).at[:, 1].set(9.0).at[:, 3].set(-9.0).reshape(-1)
    heavy = eqx.tree_at(lambda m: m.measurement.noise.layers[-1].bias, model, wild)
    assert np.all(np.isfinite(quantiles_of(heavy, flux, Z, UNKNOWN, LEVELS)))


def test_joint_draws_keep_the_pattern_and_follow_the_quantiles(model: LineModel, flux: jax.Array) -> None:
    present = jnp.arange(10) != 2
    sigma = jnp.full(10, 0.8)
    lines = MeasuredLines(jnp.ones(10), sigma, present)
    drawn = np.asarray(joint_draws(model, flux, lines, jax.random.split(jax.random.key(0), 400)))
    assert np.all(np.isnan(drawn[:, 2]))
    median = np.asarray(quantiles_of(model, flux, Z, sigma, LEVELS))[2]
    for line in (6, 7, 8):
        assert np.mean(drawn[:, line] < median[line]) == pytest.approx(0.5, abs=0.12)


def test_a_pair_is_drawn_as_one_measurement(model: LineModel, flux: jax.Array) -> None:
    lines = MeasuredLines(jnp.ones(10), jnp.full(10, 0.5), jnp.ones(10, bool))
    keys = jax.random.split(jax.random.key(1), 400)
    together, apart = (np.asarray(joint_draws(model, flux, lines, keys, alone)) for alone in (False, True))

    def scatter(drawn: np.ndarray) -> np.ndarray:
        positive = np.all(drawn[:, [*WEAK, *STRONG_OF_WEAK]] > 0, axis=1)
        return np.std(np.log(drawn[positive][:, STRONG_OF_WEAK] / drawn[positive][:, WEAK]), axis=0)

    assert np.all(scatter(together) < 0.2)
    assert np.all(scatter(apart) > 0.4)


def test_a_missing_bin_widens_little_and_moves_little(model: LineModel, flux: jax.Array) -> None:
    whole = model.density(flux, Z).quantile(LEVELS)
    missing = mixed_quantiles_of(model, flux.at[0].set(jnp.nan), Z, LEVELS)
    np.testing.assert_allclose(missing[2], whole[2], rtol=0.35)
    assert np.all(np.diff(missing, axis=0) > 0)


def test_completions_keep_what_was_seen(model: LineModel, flux: jax.Array) -> None:
    holed = flux.at[jnp.array([0, 5, 9])].set(jnp.nan)
    filled = completions_of(model, holed, Z)
    seen = np.isfinite(np.asarray(holed))
    expected = np.broadcast_to(np.asarray(flux)[seen], (COMPLETIONS, seen.sum()))
    np.testing.assert_allclose(np.asarray(filled.continuum_flux)[:, seen], expected, rtol=1e-4)
    assert float(jnp.sum(filled.weight)) == pytest.approx(1.0, abs=1e-5)
    within = np.asarray(filled.continuum_flux) / np.asarray(flux)
    assert np.all((within > 0.5) & (within < 2.0))


def test_completion_of_one_colour_finds_the_galaxy_it_came_from() -> None:
    colours = 0.1 * jax.random.normal(jax.random.key(0), (2048, 11))
    truth = 10.0 ** jnp.pad(jnp.cumsum(colours[7]), (1, 0))
    filled = complete_continuum(colours, truth.at[3].set(jnp.nan))
    best = np.asarray(filled.continuum_flux)[int(jnp.argmax(filled.weight))]
    assert best[3] == pytest.approx(float(truth[3]), rel=1e-3)


def test_far_outside_the_domain_is_flagged(model: LineModel, flux: jax.Array) -> None:
    inside = model.features(flux, Z)
    assert bool(model.domain.contains(inside))
    for bend in (0.3, -0.3):
        tilted = flux * 10.0 ** (bend * jnp.arange(12.0))
        assert not bool(model.domain.contains(model.features(tilted, Z)))
