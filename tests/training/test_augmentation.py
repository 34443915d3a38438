"""What augmentation may change, and what it must not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.training import augment, orientations, random_noise, random_orientation, random_shift

IMAGE = jnp.arange(2 * 6 * 6, dtype=jnp.float32).reshape(6, 6, 2)
KEY = jax.random.key(0)


def test_orientations_are_the_eight_of_numpy():
    turned = [np.rot90(side, turns) for side in (IMAGE, np.flipud(IMAGE)) for turns in range(4)]
    expected = {side.tobytes() for side in turned}
    found = {np.asarray(side).tobytes() for side in orientations(IMAGE)}
    assert found == expected
    assert len(found) == 8
    np.testing.assert_array_equal(orientations(IMAGE)[0], IMAGE)


def test_every_orientation_is_drawn_and_nothing_else():
    drawn = jax.vmap(lambda key: random_orientation(IMAGE, key))(jax.random.split(KEY, 800))
    counts = [int(jnp.sum(jnp.all(drawn == one[None], axis=(1, 2, 3)))) for one in orientations(IMAGE)]
    assert sum(counts) == 800
    assert min(counts) > 60


def test_only_square_images_have_eight_orientations():
    with pytest.raises(ValueError, match="square image, got 4 by 6"):
        orientations(IMAGE[:4])


def test_shifts_are_whole_pixels_up_to_the_most():
    point = jnp.zeros((9, 9, 1)).at[4, 4, 0].set(1.0)
    moved = jax.vmap(lambda key: random_shift(point, key, 2))(jax.random.split(KEY, 300))
    places = {tuple(np.argwhere(np.asarray(one[..., 0]) == 1.0)[0]) for one in moved}
    assert places == {(row, column) for row in range(2, 7) for column in range(2, 7)}
    np.testing.assert_array_equal(moved.sum(axis=(1, 2, 3)), 1.0)


def test_the_edge_is_repeated():
    ramp = jnp.broadcast_to(jnp.arange(5.0)[:, None, None], (5, 5, 1))
    moved = jax.vmap(lambda key: random_shift(ramp, key, 3))(jax.random.split(KEY, 50))
    assert float(jnp.max(jnp.abs(jnp.diff(moved, axis=1)))) == 1.0
    assert {float(value) for value in jnp.unique(moved)} == {0.0, 1.0, 2.0, 3.0, 4.0}


def test_noise_has_the_sigma_of_each_band():
    noise = random_noise(jnp.zeros((128, 128, 2)), KEY, jnp.array([0.5, 2.0]))
    np.testing.assert_allclose(noise.std(axis=(0, 1)), [0.5, 2.0], rtol=0.03)


def test_galaxies_of_a_batch_are_drawn_apart():
    batch = jnp.broadcast_to(IMAGE[None], (64, *IMAGE.shape))
    turned = augment(batch, KEY)
    assert len({np.asarray(one).tobytes() for one in turned}) == 8
    np.testing.assert_array_equal(jnp.sort(turned.reshape(64, -1)), jnp.sort(batch.reshape(64, -1)))
    assert len({np.asarray(one).tobytes() for one in augment(batch, KEY, noise_sigma=0.1)}) == 64
    assert not jnp.array_equal(augment(batch, KEY, most_shift_px=2), turned)
