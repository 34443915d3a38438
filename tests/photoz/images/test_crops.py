"""Crops of one galaxy are that galaxy: turned, moved, noisier, and no two galaxies share a draw."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.photoz.images.apertures import aperture_features
from nebulium.photoz.images.crops import Crops, _turned

ZERO = jnp.zeros(2)


def galaxy(side=40, along=6.0, across=3.0):
    offset = np.arange(side) - (side - 1) / 2
    y, x = np.meshgrid(offset, offset, indexing="ij")
    light = 50.0 * np.exp(-0.5 * ((x / along) ** 2 + (y / across) ** 2))
    return jnp.asarray(np.arcsinh(light)[..., None], jnp.float32)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_right_angles_are_those_of_numpy(turns):
    image = jax.random.normal(jax.random.key(0), (24, 24, 2))
    turned = _turned(image, jnp.ones(()), jnp.asarray(0.5 * np.pi * turns, jnp.float32), ZERO, 24)
    # Of the four, one is rot90 by as many turns, in one sense or the other.
    np.testing.assert_allclose(turned, jnp.rot90(image, -turns), atol=1e-4)


def test_mirrored_and_shifted():
    image = jax.random.normal(jax.random.key(0), (20, 20, 1))
    still = jnp.zeros(())
    np.testing.assert_allclose(_turned(image, -jnp.ones(()), still, ZERO, 20), image[:, ::-1], atol=1e-6)
    moved = _turned(image, jnp.ones(()), still, jnp.array([2.0, -1.0]), 12)
    np.testing.assert_allclose(moved, image[6:18, 3:15], atol=1e-6)


def test_beyond_the_border_the_image_is_mirrored():
    image = jax.random.normal(jax.random.key(0), (8, 8, 1))
    seen = _turned(image, jnp.ones(()), jnp.zeros(()), jnp.array([-2.0, 0.0]), 8)
    np.testing.assert_allclose(seen[:2], image[2:0:-1], atol=1e-6)


def test_any_angle_keeps_the_fluxes_in_round_apertures():
    image, crops = galaxy(), Crops(size=32, most_shift_px=0, noise=0.0)
    seen = [crops.random(image, jax.random.key(seed)) for seed in range(5)]
    middle = aperture_features(crops.middle(image))
    for one in seen:
        np.testing.assert_allclose(aperture_features(one)[3:], middle[3:], atol=0.02)
    # And they do differ: the galaxy is not round.
    assert float(jnp.abs(seen[0] - seen[1]).max()) > 0.3


def test_noise_is_that_of_the_sky_where_there_is_sky_and_of_a_bright_pixel_where_there_is_light():
    flux = np.concatenate([np.zeros(64), np.full(64, 30.0)]).reshape(128, 1)
    image = jnp.asarray(np.arcsinh(np.repeat(flux, 128, axis=1))[..., None], jnp.float32)
    crops = Crops(size=128, most_shift_px=0, noise=2.0)
    key = jax.random.key(3)
    with_noise, without = crops.random(image, key), Crops(128, 0, 0.0).random(image, key)
    change = np.sinh(np.asarray(with_noise, np.float64)) - np.sinh(np.asarray(without, np.float64))
    sky = np.asarray(without) < 0.1
    light = np.abs(np.sinh(np.asarray(without)) - 30.0) < 0.1
    assert change[sky].std() == pytest.approx(2.0, rel=0.05)
    assert change[light].std() == pytest.approx(2.0, rel=0.05)


def test_each_galaxy_of_a_batch_has_its_own_draw():
    crops = Crops(size=16, most_shift_px=2, noise=0.0)
    images = jnp.broadcast_to(jax.random.normal(jax.random.key(0), (20, 20, 1)), (6, 20, 20, 1))
    seen = jax.vmap(crops.random)(images, jax.random.split(jax.random.key(1), 6))
    for other in range(1, 6):
        assert float(jnp.abs(seen[0] - seen[other]).max()) > 0.1
    alone = crops.random(images[3], jax.random.split(jax.random.key(1), 6)[3])
    np.testing.assert_allclose(seen[3], alone, atol=1e-5)
