import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.generate.latent.basis import WAYS, fit_basis, join, split
from nebulium.nn.mapping import map_galaxies

SIDE, BANDS = 8, 2


def images(seed: int, n: int) -> np.ndarray:
    """Round galaxies of many brightnesses and two colours, with noise that is stronger in some pixels."""
    random = np.random.default_rng(seed)
    at = np.arange(SIDE) - 0.5 * (SIDE - 1)
    round_one = np.exp(-0.1 * (at[:, None] ** 2 + at[None, :] ** 2))
    light = 10 ** random.normal(2.0, 0.4, (n, 1, 1, 1)) * round_one[None, :, :, None]
    colour = 10 ** random.normal(0.0, 0.1, (n, 1, 1, BANDS))
    strong = np.random.default_rng(9).exponential(size=(SIDE, SIDE, BANDS))
    return (light * colour + strong * random.normal(size=(n, SIDE, SIDE, BANDS))).astype(np.float32)


@pytest.fixture(scope="module")
def chosen() -> np.ndarray:
    return np.concatenate([images(seed, 200) for seed in range(3)])


@pytest.fixture(scope="module")
def basis(chosen):
    brightness = np.log10(np.abs(chosen).sum(axis=(1, 2, 3)))[:, None]
    return fit_basis(lambda: np.split(chosen, 3), (brightness - brightness.mean()) / brightness.std(), 24)


@given(seed=st.integers(0, 2**16))
def test_blocks_hold_the_whole_image_and_its_length(seed):
    image = jnp.asarray(images(seed, 1)[0])
    blocks = split(image)
    np.testing.assert_allclose(join(blocks), image, atol=1e-3)
    squares = sum(float(jnp.sum(block**2)) for block in blocks)
    np.testing.assert_allclose(squares, float(jnp.sum(image**2)), rtol=1e-5)


def test_coefficients_of_a_mirrored_image_are_mirrored_coefficients(basis):
    image = jnp.asarray(images(4, 1)[0])
    coefficients = basis.coefficients(image)
    mirrored = [image, image[::-1], image[:, ::-1], image[::-1, ::-1]]
    for way, one in zip(WAYS, mirrored, strict=True):
        np.testing.assert_allclose(
            basis.coefficients(one), basis.oriented(coefficients, jnp.asarray(way)), atol=1e-3
        )


def test_coefficients_are_standardised_over_the_set_mirrored_in_all_ways(basis, chosen):
    coefficients = map_galaxies(basis.coefficients, chosen)
    turned = lambda one: jax.vmap(lambda way: basis.oriented(one, way))(jnp.asarray(WAYS))  # noqa: E731
    ways = map_galaxies(turned, coefficients).reshape(-1, basis.size)
    np.testing.assert_allclose(ways.std(axis=0), 1.0, atol=0.02)
    np.testing.assert_allclose(ways.mean(axis=0), 0.0, atol=0.02)


def test_components_are_those_of_a_plain_analysis_of_all_orientations(basis, chosen):
    shape = lambda image: basis.shape(image, basis.brightness(image))  # noqa: E731
    shapes = map_galaxies(shape, chosen)
    every = np.concatenate([shapes, shapes[:, ::-1], shapes[:, :, ::-1], shapes[:, ::-1, ::-1]])
    values = np.linalg.eigvalsh(np.cov(every.reshape(len(every), -1).T, bias=True))[::-1]
    strengths = np.sort(np.asarray(basis.scales))[::-1] ** 2
    np.testing.assert_allclose(strengths, values[: len(strengths)], rtol=2e-3)


def test_an_image_rebuilt_has_the_same_coefficients_and_what_is_left_none(basis):
    image = jnp.asarray(images(5, 1)[0])
    coefficients = basis.coefficients(image)
    rebuilt = basis.image(coefficients)
    np.testing.assert_allclose(basis.coefficients(rebuilt), coefficients, atol=5e-3)
    noise = jnp.asarray(np.random.default_rng(1).normal(size=image.shape).astype(np.float32))
    left = basis.beyond(noise, coefficients)
    assert 0.2 < float(jnp.std(left)) < 0.95
    np.testing.assert_allclose(basis.coefficients(rebuilt + left), coefficients, atol=5e-3)


def test_components_end_where_the_set_does():
    random = np.random.default_rng(2)
    few = np.zeros((50, SIDE, SIDE, BANDS), np.float32)
    few[:, 3:5, 3:5] = 100 + random.normal(size=(50, 2, 2, BANDS))
    basis = fit_basis(lambda: [few], np.zeros((50, 1)), 40)
    # Four pixels in two bands: all but two brightnesses, in the components; what is left is nothing.
    assert sum(basis.components) <= 2 * 2 * BANDS
    image = jnp.asarray(few[0])
    np.testing.assert_allclose(basis.image(basis.coefficients(image)), image, atol=0.2)
