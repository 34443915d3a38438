"""The packaged models on real cutouts, and on what is none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.data.images.opening import open_images
from nebulium.data.images.preparation import Preparation, prepared_chunks
from nebulium.data.images.stretches import Stretch
from nebulium.data.rejects import Rejects
from nebulium.modelfile import describe_model, load_model
from nebulium.properties.model import PropertyModel
from nebulium.verbs.labels.joining import join_labels, read_labels

NAME, COUNT = "sdss-metallicity", 40


@pytest.fixture(scope="module")
def model():
    return load_model(NAME, of=PropertyModel)


@pytest.fixture(scope="module")
def galaxies(nebulium_data):
    """Images and metallicities of some real galaxies."""
    folder = nebulium_data / "sdss"
    source = open_images(folder / "sdss_gri_jpg_128.zip")
    labels = read_labels(folder / "sdss_metallicity.csv", source, ["oh_p50"], id_column="objid")
    labelled = join_labels(source, labels, ["oh_p50"], Rejects())
    chunks = prepared_chunks(
        source, Preparation(128, Stretch("display")), rejects=Rejects(), rows=labelled.rows[:COUNT]
    )
    return np.concatenate([chunk.images for chunk in chunks]), labelled.values[:COUNT, 0]


@pytest.fixture(scope="module")
def predict(model):
    return jax.jit(jax.vmap(model))


def test_it_knows_its_galaxies(predict, galaxies):
    images, oh = galaxies
    said = predict(jnp.asarray(images))
    # They are among its references: better than the 0.1 dex of cross-validation, far from the scatter of 0.2.
    assert np.std(np.asarray(said.median)[:, 0] - oh) < 0.1
    assert np.mean(np.asarray(said.in_domain)) > 0.95
    assert np.all((np.asarray(said.sigma) > 0.04) & (np.asarray(said.sigma) < 0.2))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda images: 1.0 - images,
        lambda images: np.roll(images, 60, axis=2),
        lambda images: np.clip(images + 0.4, 0, 1),
    ],
    ids=["negative", "off centre", "bright sky"],
)
def test_what_is_no_such_cutout_is_flagged(predict, galaxies, spoil):
    spoilt = spoil(galaxies[0]).astype(np.float32)
    assert np.mean(np.asarray(predict(jnp.asarray(spoilt)).in_domain)) < 0.2


def test_noise_is_flagged_and_said_with_wide_errors(predict, galaxies):
    noise = np.random.default_rng(0).random((COUNT, 128, 128, 3), np.float32)
    said, real = predict(jnp.asarray(noise)), predict(jnp.asarray(galaxies[0]))
    assert not np.any(np.asarray(said.in_domain))
    assert np.median(np.asarray(said.sigma)) > np.median(np.asarray(real.sigma))


def test_its_folder_tells_where_it_comes_from():
    config = describe_model(NAME).config
    assert config["split"]["galaxies"]["train"] == 400
    assert "oh12" in config["started_from"]["hyperparameters"]["targets"]
    assert config["training"]["head"] == "gaussian-process"
    assert sum(file.stat().st_size for file in describe_model(NAME).path.iterdir()) < 8e6


def test_classes_of_galaxy_zoo(nebulium_data):
    folder, name = nebulium_data / "sdss" / "galaxy_zoo", "galaxy-zoo-classes"
    model, about = load_model(name, of=PropertyModel), describe_model(name)
    source, targets = open_images(folder / "galaxy_zoo_jpg_128.zip"), [target for target, _ in model.classes]
    labels = read_labels(folder / "galaxy_zoo_labels.csv", source, targets, id_column="galaxy_id")
    labelled = join_labels(source, labels, targets, Rejects(), classes=dict(model.classes))
    rows = labelled.rows[:: len(labelled) // 48][:48]
    (chunk,) = prepared_chunks(source, model.form.preparation, rejects=Rejects(), rows=rows)
    said = jax.jit(jax.vmap(model))(jnp.asarray(chunk.images))
    true = labelled.values[np.isin(labelled.rows, rows)]
    # They are among its references; real figures are those of cross-validation.
    for place, columns in enumerate((slice(0, 4), slice(4, 6))):
        probability, known = np.asarray(said.probability)[:, columns], np.isfinite(true[:, place])
        np.testing.assert_allclose(probability.sum(axis=1), 1.0, atol=1e-5)
        assert np.mean(probability.argmax(axis=1)[known] == true[known, place]) > 0.85
    assert dict(model.classes)["visual_class"] == ("barred", "edge_on", "elliptical", "spiral")
    assert np.mean(np.asarray(said.in_domain)) > 0.9
    assert sum(file.stat().st_size for file in about.path.iterdir()) < 4e6
    assert "Willett et al. 2013" in about.config["citation"]
