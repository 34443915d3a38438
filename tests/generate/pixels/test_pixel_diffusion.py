"""The diffusion of pixels, its network silent: what it then says is known in closed form."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.generate.latent.diffusion import HIGHEST, LOWEST, Known
from nebulium.generate.pixels.base import Base, Frame
from nebulium.generate.pixels.diffusion import PixelDiffusion
from nebulium.generate.pixels.schedules import NAMES, SCHEDULES, STEPS, linear_log_levels
from nebulium.generate.pixels.unet import UNet

SIDE, BANDS = 4, 2
PIXELS = SIDE * SIDE * BANDS
SCALES, LEFT = np.array([9.0, 4.0, 2.0], np.float32), 0.25
TOLD = 5


@pytest.fixture(scope="module")
def frame():
    """Three components of small images."""
    planes, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(PIXELS, len(SCALES))))
    images = jnp.asarray(planes.T.reshape(-1, SIDE, SIDE, BANDS), jnp.float32)
    return Frame(images, jnp.full((SIDE, SIDE, BANDS), 0.5), jnp.asarray(SCALES))


@pytest.fixture(scope="module", params=NAMES)
def silent(request):
    """A diffusion whose network says nothing, on a Gaussian that knows two conditions."""
    shape = {"bands": BANDS, "components": len(SCALES), "conditions": 2, "channels": (4,), "depth": 1}
    start = PixelDiffusion(request.param, **shape, key=jax.random.key(0))
    cross = jnp.zeros((3, 2)).at[0, 0].set(0.8).at[1, 1].set(-0.5)
    measured = (cross, jnp.array([[1.0, 0.4], [0.4, 1.0]]), jnp.asarray(LEFT))
    gaussian = lambda d: (d.gaussian.closed.cross, d.gaussian.closed.covariance, d.gaussian.left_variance)  # noqa: E731
    start = eqx.tree_at(gaussian, start, measured)
    return eqx.tree_at(lambda d: d.network, start, lambda image, told: jnp.zeros_like(image))


def conditions(*values: float) -> Known:
    there = np.isfinite(values)
    return Known(jnp.asarray(np.where(there, values, 0.0), jnp.float32), jnp.asarray(there, jnp.float32))


def covariance(base: Base) -> np.ndarray:
    """Of all pixels, as one matrix."""
    planes = np.asarray(base.planes, np.float64).reshape(len(base.planes), -1)
    rest = np.eye(PIXELS) - planes.T @ planes
    return (planes.T * np.asarray(base.along, np.float64)) @ planes + float(base.left) * rest


def test_the_gaussian_is_the_best_linear_filter_of_noise(silent, frame):
    given = conditions(1.2, np.nan)
    base = silent.gaussian.given(frame, given)
    noisy = np.random.default_rng(1).normal(size=(SIDE, SIDE, BANDS)).astype(np.float32)
    found = silent.clean(jnp.asarray(noisy), jnp.log(0.7), given, base)
    of_all, mean = covariance(base), np.asarray(base.mean, np.float64).ravel()
    gain = of_all @ np.linalg.inv(of_all + 0.49 * np.eye(PIXELS))
    np.testing.assert_allclose(np.ravel(found), mean + gain @ (noisy.ravel() - mean), atol=1e-4)


def test_what_is_drawn_has_the_means_and_variances_of_the_gaussian(silent, frame):
    given = conditions(1.5, np.nan)
    draw = eqx.filter_jit(jax.vmap(lambda key: silent.sample(given, frame, 80, key)))
    drawn = np.asarray(draw(jax.random.split(jax.random.key(2), 2000))).reshape(2000, -1)
    base = silent.gaussian.given(frame, given)
    np.testing.assert_allclose(drawn.mean(axis=0), np.ravel(base.mean), atol=0.3)
    along = drawn @ np.asarray(base.planes).reshape(len(SCALES), -1).T
    np.testing.assert_allclose(along.var(axis=0), base.along, rtol=0.12)
    rest = PIXELS * drawn.var(axis=0).mean() - along.var(axis=0).sum()
    # The last noise takes LOWEST squared with it.
    expected = (PIXELS - len(SCALES)) * LEFT / (1 + LOWEST**2)
    assert 0.95 < rest / expected < 1.06


def test_differences_of_the_bound_are_those_of_a_gaussian(silent, frame):
    ways = [conditions(1.0, -0.5), conditions(-0.5, 0.5), conditions(np.nan, np.nan)]
    given = Known(*(jnp.stack(part) for part in zip(*ways, strict=True)))
    amplitudes = jnp.asarray(SCALES) * jnp.array([0.9, -0.4, 0.3])
    image = frame.mean + jnp.tensordot(amplitudes, frame.planes, 1)
    draws = eqx.filter_jit(silent.log_densities)(image, given, frame, 1024, jax.random.key(1))
    found, error = jnp.mean(draws - draws[2:], axis=1), jnp.std(draws - draws[2:], axis=1) / 32

    def exact(way: Known) -> float:
        base = silent.gaussian.given(frame, way)
        of_all, off = covariance(base), np.ravel(np.asarray(image - base.mean, np.float64))
        return -0.5 * np.linalg.slogdet(of_all)[1] - 0.5 * off @ np.linalg.solve(of_all, off)

    expected = np.array([exact(way) - exact(ways[2]) for way in ways])
    np.testing.assert_allclose(found, expected, atol=float(4 * jnp.max(error)) + 0.03)


def test_guidance_of_one_changes_nothing(silent, frame):
    given, key = conditions(1.5, 0.2), jax.random.key(3)
    draw = eqx.filter_jit(silent.sample)
    plain = draw(given, frame, 6, key)
    np.testing.assert_allclose(draw(given, frame, 6, key, jnp.asarray(1.0)), plain, atol=1e-3)
    assert not np.allclose(draw(given, frame, 6, key, jnp.asarray(3.0)), plain, atol=0.05)


def test_levels_follow_from_the_data(silent, frame):
    lowest, highest = np.exp(np.asarray(silent.ends(frame), np.float64))
    assert lowest == pytest.approx(LOWEST * np.sqrt(LEFT), rel=1e-4)
    if silent.name == "edm":
        assert highest == pytest.approx(HIGHEST * SCALES.max(), rel=1e-4)
    levels = np.exp(silent.schedule.drawing(40, *silent.ends(frame)))
    assert levels[0] == pytest.approx(highest, rel=1e-3)
    assert levels[-1] == pytest.approx(lowest, rel=1e-3)
    assert np.all(np.diff(levels) < 0)


def test_levels_of_ddpm_are_those_of_ho_et_al():
    kept, levels = 1.0, []
    for step in range(STEPS):
        kept *= 1 - (1e-4 + (0.02 - 1e-4) * step / (STEPS - 1))
        levels.append(np.sqrt((1 - kept) / kept))
    np.testing.assert_allclose(np.exp(linear_log_levels()), np.array(levels) / levels[0], rtol=1e-5)
    shares = jnp.array([0.0, 0.0015, 0.99999])
    found = SCHEDULES["ddpm"].log_levels(shares, jnp.asarray(0.0), jnp.asarray(9.0))
    np.testing.assert_allclose(found, linear_log_levels()[[0, 1, -1]], rtol=1e-6)
    # More steps than there are levels are no more than these.
    assert len(SCHEDULES["ddpm"].drawing(5000, jnp.asarray(0.0), jnp.asarray(9.0))) == STEPS


def test_costs_are_those_of_the_papers():
    error = jnp.array([1.0, -3.0]).reshape(1, 2, 1)
    assert float(SCHEDULES["edm"].cost(error)) == 5.0
    assert float(SCHEDULES["ddpm"].cost(error)) == 2.0


@pytest.mark.parametrize("side", [8, 7])
def test_the_network_is_silent_at_first_and_keeps_any_shape(side):
    network = UNet(BANDS, TOLD, channels=(4, 6), depth=1, key=jax.random.key(0))
    image = jax.random.normal(jax.random.key(1), (side, side, BANDS))
    call = eqx.filter_jit(lambda network, image, told: network(image, told))
    assert not np.any(call(network, image, jnp.ones(TOLD)))
    last = 0.1 * jax.random.normal(jax.random.key(2), network.last.weight.shape)
    spoken = partial(call, eqx.tree_at(lambda one: one.last.weight, network, last))
    found = spoken(image, jnp.ones(TOLD))
    assert found.shape == image.shape
    # What it is told, and every pixel, has a part in it.
    assert not np.allclose(spoken(image, jnp.zeros(TOLD)), found, atol=1e-4)
    assert not np.allclose(
        spoken(image.at[0, 0, 0].add(9.0), jnp.ones(TOLD))[-1, -1], found[-1, -1], atol=1e-5
    )
