import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.images.apertures import aperture_features, count_apertures
from nebulium.photoz.images.model import RedshiftNetwork, domain_features


def test_the_heads_of_a_network_see_its_latent_space():
    network = RedshiftNetwork(
        "resnet-small", "binned", grid=RedshiftGrid(6.0, 100), bands=4, colours=3, key=jax.random.key(0)
    )
    latent = network.latent(jnp.zeros((16, 16, 4)))
    assert latent.shape == (128,)
    assert network.projected(latent).shape == (64,)
    assert network.colours(latent).shape == (3,)
    assert float(jnp.linalg.norm(network.projected(jnp.ones(128)))) == pytest.approx(1.0, abs=1e-6)


def test_apertures_are_as_many_as_are_counted():
    assert aperture_features(jnp.ones((16, 16, 4))).shape == (count_apertures(4),) == (56,)


def test_the_training_domain_sees_the_direction_of_the_latent_vector_alone():
    apertures = jnp.array([0.5, -2.0])
    near, far = domain_features(jnp.ones(4), apertures), domain_features(9.0 * jnp.ones(4), apertures)
    np.testing.assert_allclose(near, [1.0, 1.0, 1.0, 1.0, 0.5, -2.0], rtol=1e-5)
    np.testing.assert_allclose(far, near, rtol=1e-5)
