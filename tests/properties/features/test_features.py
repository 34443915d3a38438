"""Modes and scattering: what stays the same, what they see, and images of any size and band."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.errors import TableError
from nebulium.properties.features.modes import MODES, mode_features
from nebulium.properties.features.names import FEATURES, check_features, feature_counts, measure_of
from nebulium.properties.features.scattering import scattering_features
from nebulium.training.augmentation import orientations

SIDE = 64
place = np.arange(SIDE) - 0.5 * (SIDE - 1)
RADIUS, ANGLE = np.hypot(place[:, None], place[None, :]), np.arctan2(place[:, None], place[None, :])


def galaxy(pattern, seed=0):
    """A colour picture of a disc with a pattern on it, and some noise."""
    light = np.exp(-RADIUS / 10.0) * (1.0 + 0.5 * pattern)
    noise = np.random.default_rng(seed).normal(0.05, 0.003, (SIDE, SIDE, 3))
    return jnp.asarray(light[..., None] * [0.8, 0.6, 0.5] + noise, jnp.float32)


BAR, SPIRAL = np.cos(2 * ANGLE), np.cos(2 * ANGLE - 0.35 * RADIUS)


@pytest.mark.parametrize("name", ["modes", "scattering"])
def test_nothing_changes_when_the_galaxy_is_turned_or_mirrored(name):
    lopsided = galaxy(SPIRAL + 0.5 * np.cos(ANGLE))
    every = jax.jit(jax.vmap(FEATURES[name]))(orientations(lopsided))
    np.testing.assert_allclose(every, np.broadcast_to(every[0], every.shape), atol=2e-3)
    assert float(jnp.std(every[0])) > 0.1


def test_a_bar_keeps_its_phase_and_arms_wind():
    measured = {
        name: np.asarray(mode_features(galaxy(pattern))) for name, pattern in (("bar", BAR), ("arms", SPIRAL))
    }
    amplitude = {
        name: np.exp(one[: 15 * MODES].reshape(15, MODES)[4:10, 1]) for name, one in measured.items()
    }
    assert min(one.min() for one in amplitude.values()) > 0.1
    # Of the second mode, rings four apart: the last of the six agreements, cosines first.
    along = {name: one[-22:-11][3:8] for name, one in measured.items()}
    assert along["bar"].min() > 0.95
    assert along["arms"].mean() < 0.5


def test_wavelets_tell_the_direction_of_a_bar_from_none():
    bar, disc = (np.asarray(scattering_features(galaxy(pattern))) for pattern in (BAR, 0 * BAR))
    assert np.abs(bar - disc).max() > 0.3


@pytest.mark.parametrize(("side", "bands"), [(12, 1), (30, 2), (64, 3), (150, 5)])
def test_images_of_any_size_and_number_of_bands(side, bands):
    image = jnp.asarray(np.random.default_rng(0).random((side, side, bands)), jnp.float32)
    names = tuple(FEATURES)
    measured = measure_of(names)(image)
    assert measured.shape == (sum(feature_counts(names, side, bands)),)
    assert bool(jnp.all(jnp.isfinite(measured)))
    assert measure_of(names) is measure_of(names)


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_an_empty_image_has_finite_features_and_slopes(value):
    image = jnp.full((16, 16, 3), value, jnp.float32)
    for measure in FEATURES.values():
        assert bool(jnp.all(jnp.isfinite(measure(image))))


def test_unknown_features_are_named():
    with pytest.raises(TableError, match="unknown texture"):
        check_features(("profiles", "texture"))
