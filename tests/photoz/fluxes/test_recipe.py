"""Networks on fluxes: they learn, missing bands and negative fluxes are ordinary, killed trainings resume."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.errors import TableError
from nebulium.modelfile import REQUIRED, load_model, save_model
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.fluxes.model import PhotometryFeatures, PhotometryModel, filled, measure_features
from nebulium.photoz.fluxes.recipe import (
    PhotometryConfig,
    PhotometryLearner,
    loss_as_seen,
    measure_prior,
    train_photometry,
)
from nebulium.verbs import training_run

BANDS = ("g", "r", "i")
SHORT = PhotometryConfig(
    grid_most=2.0, grid_bins=200, members=2, width=32, depth=2, epochs=30, batch_size=64, learning_rate=5e-3
)


def invented(n=900, seed=0):
    """Galaxies whose colours follow the redshift, with a band missing here and there."""
    draw = np.random.default_rng(seed)
    redshift = draw.uniform(0.1, 1.5, n)
    magnitude = draw.uniform(-1, 1, n)[:, None] + np.stack([redshift, 0 * redshift, -(redshift**2)], axis=1)
    err = np.full((n, 3), 20.0)
    flux = 1000 * 10 ** (-0.4 * magnitude) + draw.normal(0, err)
    flux[draw.random((n, 3)) < 0.05] = np.nan
    return galaxies_of(flux, err, redshift)


def galaxies_of(flux, err, redshift):
    n = len(redshift)
    arrays = [np.asarray(array, np.float32) for array in (flux, err, redshift, np.zeros(n))]
    return PhotometricGalaxies(np.arange(n), BANDS, *arrays, None, "invented")


def said_of(model, galaxies):
    return jax.jit(jax.vmap(model))(jnp.asarray(galaxies.flux_njy), jnp.asarray(galaxies.flux_err_njy))


def means(model, galaxies):
    return np.asarray(said_of(model, galaxies).mass) @ model.grid.centres


def same(one, other):
    return all(
        np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )


@pytest.fixture(scope="module")
def trained():
    return train_photometry(invented(), invented(200, 1), config=SHORT)


@pytest.fixture(scope="module")
def model(trained):
    return trained[0]


def test_networks_learn_the_redshift(model):
    test = invented(500, 2)
    residual = (means(model, test) - test.redshift) / (1 + test.redshift)
    assert np.median(np.abs(residual)) < 0.03
    assert np.asarray(said_of(model, test).in_domain).mean() > 0.97


def test_densities_are_honest(model):
    test = invented(1000, 3)
    pit = RedshiftDensities(model.grid, np.asarray(said_of(model, test).mass)).cdf(test.redshift)
    # Wider than need be after so short a training, never narrower.
    assert 0.65 < np.mean((pit > 0.16) & (pit < 0.84)) < 0.9
    assert np.median(pit) == pytest.approx(0.5, abs=0.05)


def test_networks_differ_and_each_has_its_losses(trained):
    model, results = trained
    assert not same(*model.networks)
    assert len(results) == 2
    assert all(result.history[-1].validation_loss is not None for result in results)


def test_one_galaxy_is_as_in_a_batch(model):
    test = invented(7, 4)
    batch = said_of(model, test)
    for row in range(7):
        one = model(jnp.asarray(test.flux_njy[row]), jnp.asarray(test.flux_err_njy[row]))
        np.testing.assert_allclose(one.mass, batch.mass[row], atol=1e-6)
        assert bool(one.in_domain) == bool(batch.in_domain[row])


@pytest.mark.parametrize("band", range(3))
def test_a_missing_band_costs_precision_not_sense(model, band):
    test = invented(500, 2)
    flux = test.flux_njy.copy()
    flux[:, band] = np.nan
    some = np.isfinite(flux).any(axis=1)
    less = replace(test, flux_njy=flux).select(some)
    assert np.isfinite(said_of(model, less).mass).all()
    assert np.corrcoef(means(model, less), less.redshift)[0, 1] > 0.7


def test_the_error_of_a_missing_band_does_not_matter(model):
    flux = jnp.array([500.0, jnp.nan, 700.0])
    first, second = (model(flux, jnp.array([20.0, err, 20.0])) for err in (1.0, jnp.nan))
    assert same(first, second)


def test_without_any_band_the_prior_is_said(model):
    said = model(jnp.full(3, jnp.nan), jnp.full(3, jnp.nan))
    np.testing.assert_array_equal(said.mass, model.prior_mass)
    assert not bool(said.in_domain)
    # That of redshifts evenly spread from 0.1 to 1.5.
    assert float(said.mass @ model.grid.centres) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("flux", [-1e6, -50.0, 0.0, 1e-20, 1e12])
def test_any_flux_gives_a_density(model, flux):
    said = model(jnp.array([flux, 500.0, 700.0]), jnp.full(3, 20.0))
    assert float(said.mass.sum()) == pytest.approx(1, abs=1e-4)
    assert np.isfinite(said.mass).all()


def test_galaxies_of_other_colours_are_outside(model):
    assert not bool(model(jnp.array([10.0, 1e7, 10.0]), jnp.full(3, 20.0)).in_domain)


def test_a_model_is_what_its_folder_says(model, tmp_path):
    shape = {"bands": list(BANDS), "grid_most": 2.0, "grid_bins": 200, "head": SHORT.head, "members": 2}
    shape |= {"width": 32, "depth": 2, "domain_references": model.domain.reference.shape[0]}
    shape |= {"whitens": True}
    config = dict.fromkeys(REQUIRED, "") | {"hyperparameters": shape}
    again = load_model(save_model(tmp_path / "model", model, config=config, card=""), of=PhotometryModel)
    assert same(model, again)
    assert same(said_of(model, invented(5)), said_of(again, invented(5)))


def test_magnitudes_of_bright_galaxies_are_logarithms():
    features = PhotometryFeatures(2)
    raw = features.raw(jnp.array([1e4, 1e5]), jnp.array([10.0, 100.0]))
    np.testing.assert_allclose(raw, np.log([1e4, 1e5, 0.1, 10, 100]), rtol=1e-5)


def test_missing_bands_lie_on_the_line_between_their_neighbours(model):
    gaps = jnp.array([jnp.nan, 1.0, jnp.nan, jnp.nan, 4.0, jnp.nan])
    np.testing.assert_allclose(filled(gaps), [1, 1, 2, 3, 4, 4], rtol=1e-6)
    features, flux, err = model.features, jnp.array([300.0, jnp.nan, 500.0]), jnp.full(3, 20.0)
    seen, off = features.standardised(flux, err), features.raw(flux, err) - features.mean
    assert float(seen[1] * features.scale[1]) == pytest.approx(float(off[0] + off[2]) / 2, rel=1e-4)
    assert not np.any(features.standardised(jnp.full(3, jnp.nan), err))


def test_whitened_magnitudes_tell_small_differences_of_colour():
    rng = np.random.default_rng(0)
    bright, colour = rng.uniform(1, 100, 500), rng.normal(0, 0.3, 500)
    flux = (1000 * np.stack([bright, bright * np.exp(colour)], axis=1)).astype(np.float32)
    err = np.ones_like(flux)
    features = measure_features(flux, err, whitens=True)
    seen = np.asarray(jax.vmap(features.standardised)(jnp.asarray(flux), jnp.asarray(err)))[:, 2:4]
    assert np.cov(seen.T) == pytest.approx(np.eye(2), abs=0.05)
    assert abs(np.corrcoef(seen[:, 0], colour)[0, 1]) > 0.9


def test_features_are_standardised_on_the_training_galaxies(model):
    training = invented()
    features = model.features
    seen = jax.vmap(features.standardised)(jnp.asarray(training.flux_njy), jnp.asarray(training.flux_err_njy))
    present = np.isfinite(training.flux_njy)
    for band in range(3):
        assert np.mean(seen[present[:, band], band]) == pytest.approx(0, abs=1e-3)
        assert np.std(seen[present[:, band], band]) == pytest.approx(1, abs=1e-3)


def learner(**others):
    settings = {"most_noise": 0.0, "dropped_galaxies": 0.0, "dropped_bands": 0.0} | others
    model = PhotometryModel(bands=BANDS, grid_bins=20, members=1, width=8, depth=1)
    return PhotometryLearner(model.networks[0], model.features, **settings)


def varied(n=4000, **settings):
    flux, err = jnp.array([100.0, 200.0, jnp.nan]), jnp.array([10.0, 1.0, 5.0])
    keys = jax.random.split(jax.random.key(0), n)
    return map(np.asarray, jax.vmap(learner(**settings).varied, in_axes=(None, None, 0))(flux, err, keys))


def test_noise_is_told_of_in_the_error():
    flux, err = varied(most_noise=2.0)
    added = np.sqrt(err[:, :2] ** 2 - np.array([10.0, 1.0]) ** 2)
    assert added.max(axis=0) == pytest.approx([20.0, 2.0], rel=0.01)
    pull = (flux[:, :2] - np.array([100.0, 200.0])) / np.maximum(added, 1e-3)
    assert np.std(pull, axis=0) == pytest.approx([1, 1], abs=0.05)
    assert np.isnan(flux[:, 2]).all()


def test_bands_are_dropped_as_often_as_asked_for():
    flux, _ = varied(dropped_galaxies=0.5, dropped_bands=0.4)
    missing = np.isnan(flux[:, :2])
    assert missing.mean() == pytest.approx(0.5 * 0.4, abs=0.02)
    assert missing.all(axis=1).mean() == pytest.approx(0.5 * 0.4**2, abs=0.015)


def test_what_validates_is_not_varied():
    galaxies = invented(20)
    arrays = {name: jnp.asarray(getattr(galaxies, name)) for name in
              ("flux_njy", "flux_err_njy", "redshift", "redshift_err")}  # fmt: skip
    first, second = (loss_as_seen(learner(most_noise=3.0), arrays, jax.random.key(seed)) for seed in (0, 1))
    np.testing.assert_array_equal(first, second)


QUICK = replace(SHORT, members=1, epochs=3)


def test_galaxies_without_a_label_do_not_matter():
    one, other = invented(100), invented(50, 5)
    unlabelled = replace(other, redshift=np.full(50, np.nan, np.float32))
    both = {
        name: np.concatenate([getattr(one, name), getattr(unlabelled, name)])
        for name in ("ids", "flux_njy", "flux_err_njy", "redshift", "redshift_err")
    }
    alone, beside = (train_photometry(g, other, config=QUICK)[0] for g in (one, replace(one, **both)))
    assert same(alone, beside)


def test_without_labels_there_is_nothing_to_learn():
    unlabelled = replace(invented(20), redshift=np.full(20, np.nan, np.float32))
    with pytest.raises(TableError, match="training galaxies.*redshift"):
        train_photometry(unlabelled, invented(20), config=QUICK)
    with pytest.raises(TableError, match="validation galaxies.*redshift"):
        train_photometry(invented(20), unlabelled, config=QUICK)


def test_bands_in_another_order_are_refused():
    with pytest.raises(TableError, match="same bands"):
        train_photometry(invented(20), replace(invented(20), bands=("r", "g", "i")), config=QUICK)


def test_the_same_seed_gives_the_same_model_and_another_another():
    one, again, other = (
        train_photometry(invented(100), invented(50, 1), config=replace(QUICK, seed=seed))[0]
        for seed in (0, 0, 1)
    )
    assert same(one, again)
    assert not same(one.networks, other.networks)


# Two networks: the training is killed in the second.
LONG = replace(SHORT, epochs=40, width=8)
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[2])
from test_recipe import LONG, invented
from nebulium.photoz.fluxes.recipe import train_photometry
from nebulium.verbs import training_run
with training_run(sys.argv[1]) as run:
    train_photometry(invented(), invented(200, 1), config=LONG, run=run)
"""


def test_a_training_that_was_killed_ends_as_if_it_had_not_been(tmp_path):
    arguments = [sys.executable, "-c", SCRIPT, str(tmp_path / "mine"), os.path.dirname(__file__)]  # noqa: PTH120
    child = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    losses, deadline = tmp_path / "mine.run" / "network-1" / "metrics.jsonl", time.monotonic() + 180
    while not losses.exists() or losses.read_bytes().count(b"\n") < 3:
        assert child.poll() is None, child.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert losses.read_bytes().count(b"\n") < LONG.epochs
    with training_run(tmp_path / "mine", resume=True) as run:
        resumed, results = train_photometry(invented(), invented(200, 1), config=LONG, run=run)
    whole, whole_results = train_photometry(invented(), invented(200, 1), config=LONG)
    assert same(resumed, whole)
    for one, other in zip(results, whole_results, strict=True):
        assert [(r.loss, r.validation_loss) for r in one.history] == [
            (r.loss, r.validation_loss) for r in other.history
        ]


def test_statistics_are_not_trained(model):
    untrained = PhotometryModel(bands=BANDS, grid_bins=20, members=1)
    assert not eqx.tree_equal(model.features, untrained.features)
    before, _ = train_photometry(invented(), invented(200, 1), config=replace(QUICK, epochs=1))
    assert same(model.features, before.features)


def test_the_prior_follows_the_training_redshifts_and_excludes_none():
    grid = RedshiftGrid(most=3.0, bins=50)
    mass = measure_prior(np.array([1.2, 1.3]), grid)
    assert float(mass @ grid.centres) == pytest.approx(1.25, abs=0.05)
    assert float(mass.min()) > 0
