"""The joint density of ten lines: its laws must agree with each other."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nebulium.lines.continuum.line_list import LINES, line_index
from nebulium.lines.measurement import STRONG_OF_WEAK, WEAK
from nebulium.lines.model import LineModel

MODELS = {
    name: LineModel(with_luminosity=luminosity, width=32, key=jax.random.key(3))
    for name, luminosity in {"luminosity": True, "colours": False}.items()
}
Z = jnp.array(0.15)
LEVELS = jnp.array([0.025, 0.16, 0.5, 0.84, 0.975])


def continua(n: int, seed: int = 0) -> jax.Array:
    return jnp.exp(0.5 * jax.random.normal(jax.random.key(seed), (n, 12)) + 1.0)


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> LineModel:
    return MODELS[request.param]


def test_fast_medians_are_those_of_the_density(model: LineModel) -> None:
    flux, z = continua(64), jnp.full(64, 0.1)
    fast = jax.vmap(model.median_ew)(flux, z)
    density = jax.vmap(lambda c, z: model.density(c, z).quantile(jnp.array([0.5]))[0])(flux, z)
    np.testing.assert_allclose(fast, density, rtol=1e-3)
    np.testing.assert_allclose(fast, jax.vmap(lambda c, z: model.density(c, z).median())(flux, z), rtol=1e-5)


def test_one_galaxy_equals_a_batch(model: LineModel) -> None:
    flux, z = continua(7), jnp.linspace(0.05, 0.3, 7)
    batch = jax.jit(jax.vmap(model.median_ew))(flux, z)
    alone = jnp.stack([model.median_ew(c, redshift) for c, redshift in zip(flux, z, strict=True)])
    np.testing.assert_allclose(batch, alone, rtol=2e-5)


def test_samples_follow_the_quantiles(model: LineModel) -> None:
    density = model.density(continua(1)[0], Z)
    drawn = density.sample(jax.random.key(1), 20000)
    share_below = np.mean(np.asarray(drawn)[:, None, :] < np.asarray(density.quantile(LEVELS)), axis=0)
    np.testing.assert_allclose(share_below, np.broadcast_to(LEVELS[:, None], share_below.shape), atol=0.02)


def test_samples_have_the_density(model: LineModel) -> None:
    """The mean of q/p over draws from p is one: here q is p with its laws widened a little."""
    density = model.density(continua(1)[0], Z)
    wider = eqx.tree_at(lambda d: d.log_ew.log_scale, density, density.log_ew.log_scale + 0.05)
    drawn = density.sample(jax.random.key(2), 40000)
    log_ratio = jax.vmap(lambda ew: wider.log_prob(ew) - density.log_prob(ew))(drawn)
    assert float(jnp.mean(jnp.exp(log_ratio))) == pytest.approx(1.0, abs=0.06)


def test_draws_correlate_as_the_density_says(model: LineModel) -> None:
    density = model.density(continua(1)[0], Z)
    scores = jax.vmap(lambda ew: density.log_ew.score(jnp.log(ew)))(density.sample(jax.random.key(4), 20000))
    np.testing.assert_allclose(np.corrcoef(np.asarray(scores).T), density.correlation, atol=0.03)


def test_a_tied_line_is_its_partner_over_the_ratio(model: LineModel) -> None:
    flux = continua(1)[0]
    hidden = model.trunk(model.features(flux, Z))
    log_ratio = model.log_ratio_of(model.marginals(hidden))
    median = model.median_ew(flux, Z)
    np.testing.assert_allclose(jnp.log(median[STRONG_OF_WEAK] / median[WEAK]), log_ratio, rtol=1e-4)


@given(st.lists(st.floats(-30, 30, width=32), min_size=12, max_size=12), st.floats(0.0078125, 5, width=32))
@settings(max_examples=60)
def test_medians_are_positive_and_quantiles_ordered_whatever_the_continuum(
    log_flux: list[float], z: float
) -> None:
    flux = jnp.exp(jnp.array(log_flux, jnp.float32) * jnp.float32(0.3))
    quantiles = _jitted_quantiles(flux, jnp.array(z, jnp.float32))
    assert np.all(np.isfinite(quantiles))
    assert np.all(quantiles > 0)
    assert np.all(np.diff(quantiles, axis=0) >= 0)


@jax.jit
def _jitted_quantiles(flux: jax.Array, z: jax.Array) -> jax.Array:
    return MODELS["luminosity"].density(flux, z).quantile(LEVELS)


def test_colours_model_ignores_units_and_redshift() -> None:
    model, flux = MODELS["colours"], continua(1)[0]
    np.testing.assert_allclose(
        model.median_ew(flux, Z), model.median_ew(1e4 * flux, jnp.array(0.0)), rtol=1e-3
    )


def test_luminosity_model_has_no_answer_at_redshift_zero() -> None:
    medians = MODELS["luminosity"].median_ew(continua(1)[0], jnp.array(0.0))
    assert np.all(np.isnan(medians))


def test_gradient_of_a_median_is_finite_and_right(model: LineModel) -> None:
    flux = continua(1)[0]
    halpha = line_index("HALPHA")

    def log_median(log_flux: jax.Array) -> jax.Array:
        return jnp.log(model.median_ew(jnp.exp(log_flux), Z)[halpha])

    gradient = jax.grad(log_median)(jnp.log(flux))
    step = 1e-2
    for bin_number in (0, 5, 9):
        shift = jnp.zeros(12).at[bin_number].set(step)
        slope = (log_median(jnp.log(flux) + shift) - log_median(jnp.log(flux) - shift)) / (2 * step)
        assert float(gradient[bin_number]) == pytest.approx(float(slope), rel=0.05, abs=2e-3)


def test_log_prob_of_impossible_widths() -> None:
    density = MODELS["colours"].density(continua(1)[0], Z)
    assert float(density.log_prob(jnp.zeros(10))) == -np.inf
    assert np.all(np.isfinite(jax.grad(density.log_prob)(jnp.full(10, 1e-30))))


def test_correlation_is_positive_definite(model: LineModel) -> None:
    matrices = jax.vmap(lambda c: model.density(c, Z).correlation)(continua(32))
    assert np.linalg.eigvalsh(np.asarray(matrices, np.float64)).min() > 0
    assert len(LINES) == matrices.shape[-1]
