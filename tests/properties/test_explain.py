"""Attributions add up, are exact where the answer is known, and do not depend on how a galaxy lies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.nn.convnext import ConvNeXt
from nebulium.properties.explanation.gradients import (
    WAYS_BACK,
    averaged_over_orientations,
    blank_sky,
    completeness_gap,
    grad_cam,
    integrated_gradients,
)
from nebulium.training.augmentation import orientations


@pytest.fixture(scope="module")
def image():
    return jax.random.uniform(jax.random.key(0), (16, 16, 3))


@pytest.fixture(scope="module")
def encoder():
    return ConvNeXt(3, widths=(8, 16), depths=(1, 1), key=jax.random.key(1))


@pytest.fixture(scope="module")
def network(encoder):
    return jax.jit(lambda image: jnp.sum(jnp.sin(encoder(image))))


def test_shares_add_up_for_a_network(image, network):
    shares = jax.jit(lambda image: integrated_gradients(network, image))(image)
    difference = network(image) - network(blank_sky(image))
    assert abs(float(difference)) > 0.05
    assert float(shares.sum()) == pytest.approx(float(difference), rel=0.02, abs=0.003)
    gap = completeness_gap(network, image, shares)
    assert float(gap) == pytest.approx(float(shares.sum() - difference), abs=1e-5)


def test_shares_of_a_linear_score_are_its_terms(image):
    slopes = jax.random.normal(jax.random.key(2), image.shape)
    base = jnp.full(image.shape, 0.25)
    shares = integrated_gradients(lambda x: jnp.sum(slopes * x), image, base, steps=3)
    np.testing.assert_allclose(shares, slopes * (image - base), rtol=1e-5, atol=1e-6)


def test_pixels_that_do_not_matter_get_nothing(image):
    shares = integrated_gradients(lambda x: jnp.sum(x[4:8, 4:8] ** 3), image)
    assert float(jnp.abs(shares.at[4:8, 4:8].set(0.0)).max()) == 0.0


def test_blank_sky_is_the_border():
    image = jnp.full((8, 8, 2), jnp.array([0.1, 0.2])).at[2:6, 2:6].set(1.0)
    np.testing.assert_allclose(blank_sky(image)[3, 3], [0.1, 0.2], rtol=1e-6)


def test_grad_cam_of_a_mean_is_the_map_itself(image):
    """Score = mean of one channel: its weight is 1 / places, the others' are 0."""
    seen = grad_cam(lambda x: x, lambda features: jnp.mean(features[..., 1]), image)
    np.testing.assert_allclose(seen, image[..., 1] / 256, rtol=1e-5)


def test_grad_cam_of_a_network_has_the_size_of_the_image(image, encoder):
    @jax.jit
    def explain(image):
        return grad_cam(encoder.feature_map, lambda features: jnp.sum(encoder.pooled(features)), image)

    seen = explain(image)
    assert seen.shape == (16, 16)
    assert bool(jnp.isfinite(seen).all())


def test_every_orientation_has_its_way_back(image):
    for turned, back in zip(orientations(image), WAYS_BACK, strict=True):
        np.testing.assert_array_equal(orientations(turned)[back], image)


@pytest.mark.parametrize("explain", [
    lambda x: x * jnp.arange(16.0)[:, None, None],
    lambda x: x[..., 0] * jnp.arange(16.0)[None, :],
])  # fmt: skip
def test_the_average_turns_with_the_galaxy(image, explain):
    upright = averaged_over_orientations(explain, image)
    turned = averaged_over_orientations(explain, jnp.rot90(image))
    np.testing.assert_allclose(jnp.rot90(upright), turned, rtol=1e-5)


def test_the_average_of_what_has_no_habits_is_itself(image):
    found = averaged_over_orientations(lambda x: x**2, image)
    np.testing.assert_allclose(found, image**2, rtol=1e-5)
