"""Components of images for the model of pixels: linear, orthonormal, and alike in all orientations."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.generate.pixels.planes import fit_planes
from nebulium.nn.mapping import map_galaxies

SIDE, BANDS, COMPONENTS = 8, 2, 12


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Galaxies of several brightnesses, long in any direction, off the centre, with noise."""
    random = np.random.default_rng(0)
    at = np.arange(SIDE) - 0.5 * (SIDE - 1)
    x, y = (random.normal(0, 0.7, (400, 1, 1)) + np.expand_dims(at, axis) for axis in ((0, 1), (0, 2)))
    shear = random.normal(0, 0.1, (400, 1, 1))
    light = random.lognormal(2, 0.5, (400, 1, 1)) * np.exp(-0.2 * (x**2 + y**2 + 8 * shear * x * y))
    colours = random.lognormal(0, 0.2, (400, 1, 1, BANDS))
    noise = 0.3 * random.normal(size=(400, SIDE, SIDE, BANDS))
    return (light[..., None] * colours + noise).astype(np.float32)


@pytest.fixture(scope="module")
def planes(images):
    return fit_planes(lambda: np.split(images, 4), COMPONENTS)


def orientations(images: np.ndarray) -> list[np.ndarray]:
    ways = itertools.product((False, True), (1, -1), (1, -1))
    turned = [(np.swapaxes(images, 1, 2) if swap else images)[:, ::rows, ::cols] for swap, rows, cols in ways]
    return [np.ascontiguousarray(one) for one in turned]


def test_they_are_those_of_the_set_in_all_orientations(images, planes):
    # The last of those asked for is one of a pair.
    assert planes.size == COMPONENTS + 1
    every = np.concatenate(orientations(images)).reshape(8 * len(images), -1).astype(np.float64)
    offset = every - every.mean(axis=0)
    expected = np.linalg.eigvalsh(offset.T @ offset / len(every))[::-1][: planes.size]
    np.testing.assert_allclose(np.sort(planes.scales)[::-1] ** 2, expected, rtol=2e-3)
    np.testing.assert_allclose(np.ravel(planes.mean_image), every.mean(axis=0), atol=1e-3)
    flat = np.asarray(planes.every()).reshape(planes.size, -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(planes.size), atol=3e-3)


def test_what_components_hold_is_the_same_however_an_image_lies(images, planes):
    held = [
        map_galaxies(lambda one: jnp.sum(planes.within(one) ** 2), one) for one in orientations(images[:32])
    ]
    np.testing.assert_allclose(held, np.tile(held[0], (8, 1)), rtol=5e-3)


def test_coefficients_make_the_image(images, planes):
    coefficients = map_galaxies(planes.coefficients, images)
    assert coefficients.shape == (400, planes.size)
    rebuilt = map_galaxies(planes.image, coefficients)
    within = map_galaxies(lambda one: planes.mean_image + planes.within(one - planes.mean_image), images)
    np.testing.assert_allclose(rebuilt, within, atol=2e-2)
    assert np.std(rebuilt - images) < 0.5 * np.std(images - images.mean(axis=0))
    # In standard deviations; those of the first block alone have a mean over all orientations.
    every = np.concatenate([map_galaxies(planes.coefficients, one) for one in orientations(images)])
    np.testing.assert_allclose(every.std(axis=0), 1.0, atol=0.02)
    np.testing.assert_allclose(every.mean(axis=0), 0.0, atol=0.02)
