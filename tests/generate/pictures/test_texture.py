"""Texture of pictures: measured in what components leave, and drawn as it was."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.generate.latent.basis import Basis
from nebulium.generate.latent.texture import fit_texture, rooted, unrooted, with_spreads
from nebulium.nn.mapping import map_galaxies

SIDE, BANDS, GALAXIES = 16, 2, 300


@pytest.fixture(scope="module")
def galaxies() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smooth light, texture on it, the same in both bands and as strong as the last numbers say."""
    random = np.random.default_rng(0)
    at = np.arange(SIDE) - 0.5 * (SIDE - 1)
    light = 8.0 * np.exp(-0.02 * (at[:, None] ** 2 + at[None, :] ** 2))
    clean = np.broadcast_to(light[None, :, :, None], (GALAXIES, SIDE, SIDE, BANDS)).astype(np.float32)
    strength = np.exp(random.normal(0.0, 0.4, GALAXIES)).astype(np.float32)
    white = random.normal(size=(GALAXIES, SIDE, SIDE, 1))
    smooth = (
        white + np.roll(white, 1, axis=1) + np.roll(white, 1, axis=2) + np.roll(white, (1, 1), axis=(1, 2))
    )
    left = 0.3 * strength[:, None, None, None] * (1.0 + 0.2 * clean) * smooth
    return clean, left.astype(np.float32), strength


@pytest.fixture(scope="module")
def texture(galaxies):
    clean, left, _ = galaxies
    found = fit_texture([(clean[:150] + left[:150], clean[:150]), (clean[150:] + left[150:], clean[150:])])
    return with_spreads(found, map_galaxies(found.strengths, left, clean))


def test_texture_is_drawn_as_strong_and_as_smooth_as_it_was(texture, galaxies):
    clean, left, strength = galaxies
    coefficients = map_galaxies(texture.coefficients, left, clean)
    np.testing.assert_allclose(coefficients.mean(axis=0), 0.0, atol=1e-2)
    np.testing.assert_allclose(coefficients.std(axis=0), 1.0, atol=1e-2)
    # Galaxies differ in the strength of all octaves alone: the widest direction tells it.
    assert abs(np.corrcoef(coefficients[:, 0], np.log(strength))[0, 1]) > 0.98
    drawn = map_galaxies(texture.drawn, coefficients, clean, jax.random.split(jax.random.key(0), GALAXIES))
    ratio = drawn.std(axis=(1, 2, 3)) / left.std(axis=(1, 2, 3))
    assert 0.9 < np.median(ratio) < 1.1
    neighbours = [np.mean(one[:, 1:] * one[:, :-1]) / np.mean(one**2) for one in (drawn, left)]
    np.testing.assert_allclose(*neighbours, atol=0.1)
    assert np.corrcoef(drawn[..., 0].ravel(), drawn[..., 1].ravel())[0, 1] > 0.95
    bright = clean[0, :, :, 0] > 4.0
    spread = lambda one: one[:, bright].std() / one[:, ~bright].std()  # noqa: E731
    np.testing.assert_allclose(spread(drawn), spread(left), rtol=0.15)


def test_roots_of_pictures_and_back():
    pixels = jnp.asarray(np.random.default_rng(1).integers(0, 256, (4, 4, 3)), jnp.float32)
    np.testing.assert_array_equal(unrooted(rooted(pixels), binning=1), pixels)
    assert unrooted(jnp.full((1, 1, 1), -3.0), binning=2).item() == 0.0
    assert unrooted(jnp.full((1, 1, 1), 99.0), binning=2).item() == 255.0
    # Of a mean of four whole numbers.
    assert float(unrooted(rooted(jnp.full((1, 1, 1), 7.3)), binning=2).item()) == 7.25


def test_texture_is_the_same_in_all_orientations():
    basis = Basis(side=8, bands=1, components=(2, 1, 1, 1))
    turned = basis.oriented(jnp.ones(3 + basis.size), jnp.array([True, False]))
    assert turned.tolist() == [1.0] * 3 + [1.0] * basis.even + [1.0, -1.0, -1.0]
