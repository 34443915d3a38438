"""Methods of other groups, on galaxies whose colour says the slope of their spectrum."""

import jax
import numpy as np
import pytest

from nebulium.spectra.rivals.components import Pairs, SpectrumComponents
from nebulium.spectra.rivals.contrastive_diffusion import train_contrastive_diffusion
from nebulium.spectra.rivals.latent_network import train_latent_network
from nebulium.training import FitConfig

SIDE, WAVES = 8, np.linspace(-1.0, 1.0, 40, dtype=np.float32)
#: Of the curvature, which no image shows.
HIDDEN = 0.1
FIT = FitConfig(epochs=5, batch_size=32, learning_rate=1e-2, averaging=0.9)


def pairs(n, seed):
    random = np.random.default_rng(seed)
    slope = random.normal(size=(n, 1)).astype(np.float32)
    curvature = HIDDEN * random.normal(size=(n, 1)).astype(np.float32)
    light = np.stack([1.0 + 0.5 * slope, 1.0 - 0.5 * slope], axis=-1)[:, None]
    images = light + 0.1 * random.normal(size=(n, SIDE, SIDE, 2))
    spectra = 1.0 + 0.3 * slope * WAVES[None, :] + curvature * WAVES[None, :] ** 2
    return Pairs(images.astype(np.float32), spectra.astype(np.float32))


TRAINING, VALIDATION, TEST = pairs(256, 0), pairs(64, 1), pairs(64, 2)


@pytest.fixture(scope="module")
def network():
    return train_latent_network(TRAINING, VALIDATION, latents=2, encoder="resnet-tiny", config=FIT)


@pytest.fixture(scope="module")
def drawn():
    found = train_contrastive_diffusion(
        TRAINING,
        VALIDATION,
        components=2,
        encoder="resnet-tiny",
        width=32,
        depth=1,
        contrast_config=FIT,
        config=FitConfig(epochs=50, batch_size=64, learning_rate=1e-2, averaging=0.98),
    )
    return found.spectra(TEST.images, jax.random.key(0), 32)


def error(spectra):
    return float(np.mean((spectra - TEST.spectra) ** 2))


def test_components_rebuild_spectra():
    components = SpectrumComponents(TRAINING.spectra, 2)
    values = jax.vmap(components)(TRAINING.spectra)
    np.testing.assert_allclose(values.std(axis=0), 1.0, rtol=1e-3)
    np.testing.assert_allclose(jax.vmap(components.spectrum)(values), TRAINING.spectra, atol=1e-5)


def test_a_network_beats_the_mean(network):
    found = network.spectra(TEST.images, jax.random.key(0), 3)
    assert found.shape == (*TEST.spectra.shape[:1], 3, len(WAVES))
    assert error(found[:, 0]) < 0.2 * error(TRAINING.spectra.mean(axis=0))


def test_a_galaxy_turned_has_the_same_spectrum(network):
    as_it_is, turned = (
        network.spectra(images, jax.random.key(0), 1)
        for images in (TEST.images, TEST.images.swapaxes(1, 2)[:, ::-1])
    )
    np.testing.assert_allclose(as_it_is, turned, atol=1e-4)


def test_draws_scatter_as_what_the_image_does_not_show(drawn):
    assert error(drawn.mean(axis=1)) < 0.2 * error(TRAINING.spectra.mean(axis=0))
    at_end = drawn[..., -1] + drawn[..., 0]
    scatter = np.median(at_end.std(axis=1))
    assert 0.8 < scatter / (2 * HIDDEN) < 1.25


def test_the_first_draw_is_no_worse_than_others(drawn):
    assert error(drawn[:, 0]) < error(drawn[:, -1])
