"""What models of images share: standardisation, and a function of one galaxy mapped over many."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.data.images.labelled import StoredImages
from nebulium.data.images.opening import open_images
from nebulium.data.images.preparation import Preparation
from nebulium.data.images.store import ImageStore
from nebulium.data.images.stretches import Stretch
from nebulium.data.rejects import Rejects
from nebulium.nn.image_model import Standardisation, measure_standardisation
from nebulium.nn.mapping import map_galaxies


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    pixels = np.random.default_rng(0).normal([3.0, -1.0], [2.0, 0.5], (21, 8, 8, 2)).astype(np.float32)
    np.save(folder / "a.npy", pixels)
    preparation = Preparation(8, Stretch("none"))
    store = ImageStore.create(folder / "store", open_images(folder / "a.npy"), preparation, rejects=Rejects())
    return StoredImages(store, np.arange(len(store)))


def peak(image):
    return jnp.max(image, axis=(0, 1))


def test_training_images_have_mean_0_and_scatter_1(images):
    start = Standardisation(peak, bands=2, features=2)
    measured = measure_standardisation(start, images)
    np.testing.assert_allclose(measured.band_mean, [3.0, -1.0], atol=0.2)
    standard = map_galaxies(measured.image, images)
    np.testing.assert_allclose(standard.mean(axis=(0, 1, 2)), 0.0, atol=1e-4)
    np.testing.assert_allclose(standard.std(axis=(0, 1, 2)), 1.0, atol=1e-4)
    features = map_galaxies(measured.features, images)
    np.testing.assert_allclose(features.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(features.std(axis=0), 1.0, atol=1e-4)


def test_features_may_be_those_of_what_is_cut_out(images):
    start = Standardisation(peak, bands=2, features=2)
    cut = measure_standardisation(start, images, cut=lambda image: image[2:6, 2:6])
    whole = measure_standardisation(start, images)
    np.testing.assert_array_equal(cut.band_mean, whole.band_mean)
    assert np.all(np.asarray(cut.feature_mean) < np.asarray(whole.feature_mean))


def test_many_galaxies_are_seen_as_one_is_whatever_the_batch(images):
    every = images[np.arange(len(images))]
    expected = np.stack([np.asarray(peak(jnp.asarray(image))) for image in every])
    for batch in (1, 4, 64):
        np.testing.assert_array_equal(map_galaxies(peak, every, batch=batch), expected)
        np.testing.assert_array_equal(map_galaxies(peak, images, batch=batch), expected)


def test_several_arrays_go_together():
    key = jax.random.key(0)
    flux = np.asarray(jax.random.normal(key, (5, 3)))
    total, ratio = map_galaxies(lambda a, b: (a + b, a / b), flux, 1 + flux, batch=2)
    np.testing.assert_allclose(total, 1 + 2 * flux, rtol=1e-6)
    np.testing.assert_allclose(ratio, flux / (1 + flux), rtol=1e-5)
