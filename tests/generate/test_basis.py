import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.generate.latent.basis import block_lengths, fit_basis, join, split, with_tails
from nebulium.nn.mapping import map_galaxies
from nebulium.training.augmentation import WAYS, orientations

SIDE, BANDS = 8, 2


def images(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, SIDE, SIDE, BANDS)).astype(np.float32)


@pytest.fixture(scope="module")
def basis():
    """Of images with more in some pixels than in others, so that components differ in strength."""
    strong = np.random.default_rng(9).exponential(size=(SIDE, SIDE, BANDS)).astype(np.float32)
    chunks = [strong * images(seed, 200) for seed in range(3)]
    found = fit_basis(chunks, 24)
    return with_tails(found, map_galaxies(found.amplitudes, np.concatenate(chunks)))


@given(seed=st.integers(0, 2**16))
def test_blocks_hold_the_whole_image_and_its_length(seed):
    image = jnp.asarray(images(seed, 1)[0])
    blocks = split(image)
    assert [block.shape[-2] for block in blocks] == list(block_lengths(SIDE))
    np.testing.assert_allclose(join(blocks, SIDE), image, atol=1e-5)
    squares = sum(float(jnp.sum(block**2)) for block in blocks)
    np.testing.assert_allclose(squares, float(jnp.sum(image**2)), rtol=1e-5)


def test_coefficients_of_a_turned_image_are_turned_coefficients(basis):
    image = jnp.asarray(images(4, 1)[0])
    coefficients = basis.coefficients(image)
    turned = jax.vmap(basis.coefficients)(orientations(image))
    expected = jax.vmap(lambda way: basis.oriented(coefficients, way))(jnp.asarray(WAYS))
    np.testing.assert_allclose(turned, expected, atol=2e-5)


def test_coefficients_are_white_over_the_set_in_all_orientations(basis):
    strong = np.random.default_rng(9).exponential(size=(SIDE, SIDE, BANDS)).astype(np.float32)
    chosen = np.concatenate([strong * images(seed, 200) for seed in range(3)])
    coefficients = map_galaxies(basis.coefficients, chosen)
    turned = lambda one: jax.vmap(lambda way: basis.oriented(one, way))(jnp.asarray(WAYS))  # noqa: E731
    ways = map_galaxies(turned, coefficients).reshape(-1, basis.size)
    covariance = np.cov(ways.T, bias=True)
    np.testing.assert_allclose(np.diag(covariance), 1.0, atol=0.02)
    np.testing.assert_allclose(covariance, np.eye(basis.size), atol=0.1)
    np.testing.assert_allclose(ways.mean(axis=0), 0.0, atol=0.01)


def test_components_are_those_of_a_plain_analysis_of_all_orientations(basis):
    strong = np.random.default_rng(9).exponential(size=(SIDE, SIDE, BANDS)).astype(np.float32)
    chosen = jnp.asarray(np.concatenate([strong * images(seed, 200) for seed in range(3)]))
    every = np.asarray(jax.vmap(orientations)(chosen)).reshape(-1, SIDE * SIDE * BANDS)
    values = np.linalg.eigvalsh(np.cov(every.T, bias=True))[::-1]
    # A pair has the same variance twice, so that one more than asked for may be kept.
    np.testing.assert_allclose(np.sort(basis.all_scales)[::-1] ** 2, values[: basis.size], rtol=1e-3)


def test_what_components_hold_is_held(basis):
    image = jnp.asarray(images(5, 1)[0])
    once = basis.within(image)
    np.testing.assert_allclose(basis.within(once), once, atol=2e-3)
    rebuilt = basis.image(basis.coefficients(image))
    np.testing.assert_allclose(basis.coefficients(rebuilt), basis.coefficients(image), atol=2e-3)


def test_components_end_where_the_set_does():
    few = np.zeros((50, SIDE, SIDE, BANDS), np.float32)
    few[:, 3:5, 3:5] = np.random.default_rng(2).normal(size=(50, 2, 2, BANDS))
    basis = fit_basis([few], 40)
    # Four pixels in two bands; what is left of the border is nothing.
    assert basis.size == 2 * 2 * BANDS
    image = jnp.asarray(few[0])
    np.testing.assert_allclose(basis.image(basis.coefficients(image)), image, atol=2e-3)
