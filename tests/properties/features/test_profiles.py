"""Radial profiles: laws, and golden values of a known image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.properties.features.profiles import RING_EDGES, profile_features
from nebulium.training.augmentation import orientations

RINGS = len(RING_EDGES) - 1


def image(side=64, bands=3, seed=0):
    return np.random.default_rng(seed).uniform(size=(side, side, bands)).astype(np.float32)


profiles_of = jax.jit(profile_features)


def parts(features, bands):
    mean, scatter, colour = np.split(np.asarray(features), np.cumsum([RINGS * bands, RINGS * bands]))
    return mean.reshape(RINGS, bands), scatter.reshape(RINGS, bands), colour.reshape(RINGS, bands - 1)


@given(side=st.integers(2, 70), bands=st.integers(2, 5))
def test_every_image_has_finite_profiles(side, bands):
    features = np.asarray(profiles_of(image(side, bands)))
    assert features.shape == ((len(RING_EDGES) - 1) * (3 * bands - 1),)
    assert np.all(np.isfinite(features))


def test_turning_and_mirroring_change_nothing():
    every = jax.jit(jax.vmap(profile_features))(orientations(jnp.asarray(image())))
    np.testing.assert_allclose(every, jnp.broadcast_to(every[0], every.shape), atol=2e-5)


def test_a_disc_of_known_brightness():
    side = 128
    rows = np.arange(side) - 63.5
    radius = np.hypot(rows[:, None], rows[None, :]) / 64.0
    levels = np.array([0.2, 0.4, 0.8], np.float32)
    disc = np.where(radius[..., None] < RING_EDGES[8], levels, 0.0).astype(np.float32)
    mean, scatter, colour = parts(profiles_of(disc), 3)
    np.testing.assert_allclose(mean[:8], np.broadcast_to(levels, (8, 3)), rtol=1e-5)
    np.testing.assert_allclose(mean[8:], 0.0, atol=1e-6)
    np.testing.assert_allclose(scatter, np.log(0.003), atol=0.15)
    np.testing.assert_allclose(colour[:8], [[0.2 / 0.64, 0.4 / 1.24]] * 8, rtol=1e-5)
    np.testing.assert_allclose(colour[8:], 0.0, atol=1e-5)


def test_scatter_is_that_of_the_pixels_in_the_ring():
    noisy = np.random.default_rng(3).normal(0.5, 0.1, (128, 128, 2)).astype(np.float32)
    _, scatter, _ = parts(profiles_of(noisy), 2)
    # Rings of few pixels scatter themselves.
    np.testing.assert_allclose(np.exp(scatter[5:]) - 0.003, 0.1, rtol=0.15)


@pytest.mark.parametrize("side", [16, 64])
def test_flat_images_have_a_finite_gradient(side):
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(profile_features(x))))(jnp.full((side, side, 3), 0.3))
    assert np.all(np.isfinite(gradient))
