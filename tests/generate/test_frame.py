import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.generate.latent.frame import at_random, framed, position_angle, turned

SIDE = 24


def ellipse(angle: float, seed: int | None = None) -> jnp.ndarray:
    """An image of an elongated galaxy at an angle from the second axis, in two bands."""
    at = np.arange(SIDE) - 0.5 * (SIDE - 1)
    y, x = np.meshgrid(at, at, indexing="ij")
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    image = 50 * np.exp(-0.5 * ((along / 3.0) ** 2 + (across / 1.5) ** 2))[:, :, None] * np.array([1.0, 2.0])
    if seed is not None:
        image = image + np.random.default_rng(seed).normal(size=image.shape)
    return jnp.asarray(image, jnp.float32)


@pytest.mark.parametrize("degrees", [-80, -45.5, -20, 0, 10, 44, 46, 89])
def test_the_angle_is_found_and_the_galaxy_laid_along_the_rows(degrees):
    image = ellipse(np.deg2rad(degrees))
    np.testing.assert_allclose(np.rad2deg(position_angle(image)), degrees, atol=1.0)
    np.testing.assert_allclose(framed(image), ellipse(0.0), atol=2.0)


def test_turning_loses_nothing():
    image = ellipse(0.3, seed=1)
    there = turned(image, jnp.asarray(0.5, jnp.float32))
    np.testing.assert_allclose(jnp.sum(there**2), jnp.sum(image**2), rtol=1e-5)
    np.testing.assert_allclose(turned(there, jnp.asarray(-0.5, jnp.float32)), image, atol=1e-3)


def test_white_noise_stays_white():
    noise = np.random.default_rng(0).normal(size=(200, SIDE, SIDE, 1)).astype(np.float32)
    out = np.asarray(
        jax.vmap(lambda one, key: at_random(one, key))(noise, jax.random.split(jax.random.key(0), 200))
    )
    np.testing.assert_allclose(out.std(), 1.0, atol=0.01)
    for one, other in ((out[:, 1:], out[:, :-1]), (out[:, :, 1:], out[:, :, :-1])):
        np.testing.assert_allclose(np.mean(one * other), 0.0, atol=0.01)


def test_an_image_mirrored_or_transposed_has_the_same_frame_but_for_mirrors():
    image = ellipse(0.4, seed=2)
    own = np.asarray(framed(image))
    mirrors = [own, own[::-1], own[:, ::-1], own[::-1, ::-1]]
    for other in (jnp.swapaxes(image, 0, 1), image[::-1], jnp.rot90(image)):
        there = np.asarray(framed(other))
        assert min(np.max(np.abs(there - one)) for one in mirrors) < 1e-2
