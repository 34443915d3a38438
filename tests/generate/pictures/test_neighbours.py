"""Neighbours in pictures: taken away, and drawn as many and as bright as they were."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.generate.latent.neighbours import Neighbours, fit_neighbours, without_neighbours
from nebulium.nn.mapping import map_galaxies

SIDE, BANDS, PICTURES = 24, 2, 200


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Galaxies with a little noise, as roots; and the same with a star each, redder than the galaxies."""
    random = np.random.default_rng(0)
    at = np.arange(SIDE) - 0.5 * (SIDE - 1)
    galaxy = 10.0 * np.exp(-0.5 * (at[:, None] ** 2 / 4.0 + at[None, :] ** 2 / 9.0))
    noise = 0.1 * random.normal(size=(PICTURES, SIDE, SIDE, BANDS))
    alone = (1.0 + galaxy[None, :, :, None] + noise).astype(np.float32)
    places = np.stack([random.integers(2, 22, PICTURES), random.choice([3, 4, 19, 20], PICTURES)], axis=1)
    offsets = np.arange(SIDE)[None, None, :] - places[:, :, None]
    rows, columns = np.moveaxis(np.exp(-0.5 * (offsets / 1.2) ** 2), 1, 0)
    star = rows[:, :, None, None] * columns[:, None, :, None] * np.array([4.0, 8.0])
    return alone, (alone + star).astype(np.float32)


def test_stars_are_taken_away_and_galaxies_left_alone(pictures):
    alone, with_star = pictures
    np.testing.assert_array_equal(map_galaxies(without_neighbours, alone), alone)
    left = map_galaxies(without_neighbours, with_star) - alone
    assert np.median(np.abs(left).max(axis=(1, 2, 3))) < 1.5
    # In the middle nothing is touched.
    np.testing.assert_allclose(left[:, 9:15, 9:15], 0.0, atol=0.01)


def test_neighbours_are_drawn_as_they_were(pictures):
    found = fit_neighbours(np.split(pictures[1], 2))
    assert np.mean(found.counts == 1) > 0.9
    np.testing.assert_allclose(np.median(found.lights), 6.0, rtol=0.1)
    np.testing.assert_allclose(found.widths, 1.2, atol=0.15)
    np.testing.assert_allclose(np.exp(np.diff(found.colour)), 2.0, rtol=0.1)
    drawn = map_galaxies(lambda key: found.drawn(SIDE, key), jax.random.split(jax.random.key(0), 200))
    assert drawn.shape == (200, SIDE, SIDE, BANDS)
    np.testing.assert_allclose(np.median(drawn[..., 1].max(axis=(1, 2))), 8.0, rtol=0.15)


def test_pictures_without_neighbours_get_none(pictures):
    none = fit_neighbours([pictures[0]])
    assert jnp.max(none.drawn(SIDE, jax.random.key(0))) == 0.0
    assert Neighbours(1).mix.shape == (1, 1)
