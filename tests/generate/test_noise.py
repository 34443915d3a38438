import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.data.images.stretches import Stretch
from nebulium.generate.latent.noise import fit_noise, stretched, unstretched


def test_sky_and_photons_are_told_apart():
    random = np.random.default_rng(0)
    model = random.exponential(5.0, size=(80, 16, 16, 2)).astype(np.float32)
    variance = np.array([0.5, 2.0]) + np.array([0.1, 0.0]) * model
    pixels = (model + np.sqrt(variance) * random.normal(size=model.shape)).astype(np.float32)
    found = fit_noise([(pixels[:40], model[:40]), (pixels[40:], model[40:])], np.zeros((16, 16, 2)))
    np.testing.assert_allclose(found.sky_variance, [0.5, 2.0], rtol=0.08)
    np.testing.assert_allclose(found.photon_variance, [0.1, 0.0], atol=0.012)
    scatter = found.scatter(jnp.full((2, 2, 2), 10.0))
    np.testing.assert_allclose(scatter[0, 0], np.sqrt([1.5, 2.0]), rtol=0.05)


@pytest.mark.parametrize(
    "stretch", [Stretch("asinh", (0.5, 2.0)), Stretch("display"), Stretch("none")], ids=lambda one: one.kind
)
def test_a_stretch_is_the_same_compiled(stretch):
    pixels = np.random.default_rng(1).uniform(0, 200, size=(4, 4, 2)).astype(np.float32)
    values = stretched(jnp.asarray(pixels), stretch)
    np.testing.assert_allclose(values, stretch.apply(pixels), rtol=1e-5)
    np.testing.assert_allclose(unstretched(values, stretch), pixels, rtol=1e-4)
