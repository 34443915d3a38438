"""The three ways to train on images: they learn what the images hold, and resume to the last bit."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.data.images.labelled import LabelledImages, StoredImages
from nebulium.data.images.opening import open_images
from nebulium.data.images.preparation import Preparation
from nebulium.data.images.store import ImageStore
from nebulium.data.images.stretches import Stretch
from nebulium.data.rejects import Rejects
from nebulium.photoz.images.contrastive import KeyQueue
from nebulium.photoz.images.model import PROJECTED
from nebulium.photoz.images.pita import Learner, LossWeights, colour_loss, pita_losses
from nebulium.photoz.images.recipe import RedshiftConfig, new_model, train_on_store
from nebulium.photoz.images.rows import colour_targets, redshift_labels, repeating_labels, with_redshift
from nebulium.photoz.predict import predict_arrays
from nebulium.training import LossContext, trained_part
from nebulium.verbs import training_run

N, SIDE = 400, 20
QUICK = RedshiftConfig(
    epochs=3, labelled_epochs=2, head_epochs=5, batch_size=40, queue=120, encoder="resnet-tiny",
    grid_bins=40, view_size=16,
    learning_rate=3e-3, averaging=0.9, noise=0.2,
)  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Round galaxies whose colour is their redshift, of any brightness."""
    rng = np.random.default_rng(0)
    redshift = rng.uniform(0.1, 1.5, N)
    offset = np.arange(SIDE) - (SIDE - 1) / 2
    width = rng.uniform(1.5, 3, N)[:, None, None]
    shape = np.exp(-0.5 * (offset[:, None] ** 2 + offset[None, :] ** 2) / width**2)
    blue = rng.lognormal(3.0, 0.3, N)
    flux = np.stack([blue, blue * (0.5 + redshift)], axis=1)
    pixels = shape[..., None] * flux[:, None, None, :] + rng.normal(size=(N, SIDE, SIDE, 2))
    folder = tmp_path_factory.mktemp("images")
    np.save(folder / "a.npy", pixels.astype(np.float32))
    stretch = Stretch("asinh", (1.0, 1.0))
    store = ImageStore.create(
        folder / "store", open_images(folder / "a.npy"), Preparation(SIDE, stretch), rejects=Rejects()
    )
    labels = np.where(rng.uniform(size=N) < 0.5, redshift, np.nan).astype(np.float32)
    colour = colour_targets(flux, np.ones((N, 2)))
    every = LabelledImages(
        StoredImages(store, np.arange(N)), redshift_labels(colour, labels, np.zeros(N, np.float32))
    )
    return every, redshift


def parts(every):
    return every.select(np.arange(0, 300)), every.select(np.arange(300, N))


@pytest.mark.parametrize("method", ["pita", "supervised", "selfsupervised"])
def test_each_method_learns_redshifts(images, method):
    every, redshift = images
    config = dataclasses.replace(QUICK, method=method, epochs=12, head_epochs=120)
    model, results = train_on_store(*parts(every), config=config)
    assert len(results) == (1 if method == "supervised" else 2)
    said = predict_arrays(model, np.arange(N), every.images)
    held_out = slice(300, N)
    error = said.densities.median()[held_out] - redshift[held_out]
    assert np.std(error) < 0.5 * np.std(redshift[held_out])
    np.testing.assert_allclose(said.densities.mass.sum(axis=1), 1.0, atol=1e-4)
    assert said.in_domain[held_out].mean() > 0.9


def test_one_galaxy_is_said_the_same_alone_and_in_a_batch(images):
    every, _ = images
    model = new_model(every, QUICK)
    pixels = every.images[np.arange(5)]
    together = predict_arrays(model, np.arange(5), pixels, batch=4)
    alone = eqx.filter_jit(model)(jnp.asarray(pixels[4]))
    np.testing.assert_allclose(together.densities.mass[4], alone.mass, atol=1e-5)


def test_a_killed_training_resumes_to_the_same_weights(images, tmp_path, monkeypatch):
    every, _ = images
    with training_run(tmp_path / "whole") as run:
        whole, _ = train_on_store(*parts(every), config=QUICK, run=run)
    from nebulium.training.run_folder import RunFolder

    save = RunFolder.save

    def saves_once(self, state, record):
        save(self, state, record)
        if int(state.epoch) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "save", saves_once)
    with pytest.raises(KeyboardInterrupt), training_run(tmp_path / "broken") as run:
        train_on_store(*parts(every), config=QUICK, run=run)
    monkeypatch.undo()
    with training_run(tmp_path / "broken", resume=True) as run:
        resumed, _ = train_on_store(*parts(every), config=QUICK, run=run)
    assert eqx.tree_equal(whole, resumed)


def learner_of(every, **weights):
    model = new_model(every, QUICK)
    return Learner(model.network, model.standardisation, model.crops, LossWeights(**weights), in_half=False)


@eqx.filter_jit
def losses(learner, galaxies, weights):
    beside = LossContext(learner, KeyQueue(80, PROJECTED), weights)
    return pita_losses(learner, galaxies, jax.random.key(0), beside)


def test_labels_count_as_if_every_galaxy_had_one(images):
    every, _ = images
    galaxies = jax.tree.map(jnp.asarray, every.take(np.arange(40)))
    learner = learner_of(every, contrast=0.0, colour=0.0)
    mean = float(losses(learner, galaxies, jnp.ones(40))[0].mean())
    known = np.flatnonzero(np.isfinite(every.labels["redshift"][:40]))
    some = jax.tree.map(lambda array: array[known], galaxies)
    crop_key, _, aperture_key = jax.random.split(jax.random.key(0), 3)

    @eqx.filter_jit
    def redshift_losses(learner):
        latents = learner.crop_latents(galaxies["image"], crop_key)[known]
        apertures = learner.noisy_apertures(galaxies["image"], aperture_key)[known]
        return learner.redshift_losses(latents, apertures, some)

    of_labelled = redshift_losses(learner)
    assert mean == pytest.approx(float(of_labelled.mean()), rel=1e-4)


def test_few_labels_are_met_more_often(images):
    every, _ = images
    redshift = every.labels["redshift"]
    labelled = np.flatnonzero(np.isfinite(redshift))[:10]
    of_few = np.full_like(redshift, np.nan)
    of_few[labelled] = redshift[labelled]
    few = LabelledImages(every.images, {**every.labels, "redshift": of_few})
    repeated = repeating_labels(few, least_share=0.25, most=100)
    share = len(with_redshift(repeated)) / len(repeated)
    assert 0.2 < share < 0.3
    rows = repeated.images.rows
    assert np.array_equal(np.unique(rows), np.arange(N))
    first = repeated.take(np.arange(len(repeated)))["is_first"]
    assert np.array_equal(rows[first > 0], np.arange(N))
    assert len(repeating_labels(few, least_share=0.25, most=3)) == len(few) + 2 * len(labelled)
    assert len(repeating_labels(every, least_share=0.01, most=9)) == len(every)


def test_a_galaxy_met_again_is_no_counterexample(images):
    every, _ = images
    galaxies = jax.tree.map(jnp.asarray, every.take(np.arange(8)))
    galaxies["is_first"] = jnp.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    loss, queue = losses(learner_of(every, colour=0.0, redshift=0.0), galaxies, jnp.ones(8))
    assert np.array_equal(np.asarray(queue.filled[:8]), galaxies["is_first"])
    assert np.array_equal(np.asarray(loss[6:]), np.zeros(2))


def test_a_batch_without_labels_or_colours_has_a_finite_gradient(images):
    every, _ = images
    galaxies = jax.tree.map(jnp.asarray, every.take(np.arange(40)))
    galaxies |= {"redshift": jnp.full(40, jnp.nan), "colour": jnp.full((40, 2), jnp.nan)}
    learner = learner_of(every)

    @eqx.filter_jit
    @eqx.filter_grad
    def gradient(learner):
        return jnp.mean(losses(learner, galaxies, jnp.ones(40))[0])

    leaves = jax.tree.leaves(eqx.filter(gradient(learner), eqx.is_inexact_array))
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in leaves)


def test_padding_leaves_no_keys(images):
    every, _ = images
    galaxies = jax.tree.map(jnp.asarray, every.take(np.arange(40)))
    weights = jnp.where(jnp.arange(40) < 30, 1.0, 0.0)
    queue = losses(learner_of(every), galaxies, weights)[1]
    assert float(queue.filled.sum()) == 30.0


def test_statistics_are_not_trained(images):
    every, _ = images
    learner = learner_of(every)
    trained = eqx.filter(learner, trained_part(learner, lambda one: one.network))
    assert not jax.tree.leaves(trained.standardisation)
    assert eqx.tree_equal(trained.network, eqx.filter(learner.network, eqx.is_inexact_array))


def test_a_colour_that_is_not_known_teaches_nothing():
    nothing = colour_loss(jnp.ones(2), jnp.full(2, jnp.nan))
    assert float(nothing) == 0.0
