"""Trainings from images and labels to saved models, on small invented galaxies."""

import equinox as eqx
import jax
import numpy as np
import pytest

from nebulium.data.images.labelled import prepare_parts
from nebulium.data.images.opening import open_images
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.table import Table
from nebulium.errors import ImageError, OutputError, TableError
from nebulium.modelfile import describe_model, load_model
from nebulium.properties.config import PropertiesConfig
from nebulium.properties.model import PropertyModel
from nebulium.properties.predict import predict_images
from nebulium.properties.recipe import train
from nebulium.verbs.labels.joining import join_labels

GALAXIES, SIDE = 160, 16
SHORT = PropertiesConfig(
    encoder="resnet-tiny", epochs=15, batch_size=16, learning_rate=5e-3, members=2, conformal=True
)


def invented(n=GALAXIES, seed=0):
    """Colour images of round galaxies; the property is their colour, noise the rest."""
    draw = np.random.default_rng(seed)
    colour = draw.uniform(0.3, 1.0, n)
    rows = np.arange(SIDE) - 0.5 * (SIDE - 1)
    light = np.exp(-np.hypot(rows[:, None], rows[None, :]) / draw.uniform(2, 4, n)[:, None, None])
    bands = np.stack([np.ones(n), np.sqrt(colour), colour], axis=-1)
    images = 200 * light[..., None] * bands[:, None, None, :] + draw.normal(20, 3, (n, SIDE, SIDE, 3))
    return np.clip(images, 1, 255).astype(np.uint8), 8.0 + colour


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    images, _ = invented()
    np.savez(folder / "images.npz", images=images, ids=np.arange(GALAXIES))
    return folder


def labelled(folder, targets=("oh12",), **others):
    source = open_images(folder / "images.npz")
    _, values = invented()
    columns = {"target_id": np.arange(GALAXIES), "oh12": values} | others
    return source, join_labels(source, Table(columns), targets, Rejects())


@pytest.fixture(scope="module")
def networks(folder):
    """A model of two targets, of which one is missing for most galaxies."""
    sparse = np.where(np.arange(GALAXIES) % 3 == 0, invented()[1] - 8.5, np.nan)
    source, labels = labelled(folder, ("oh12", "colour"), colour=sparse)
    return train(source, labels, folder / "networks", config=SHORT)


def said_of(model, folder):
    tables = list(predict_images(open_images(folder / "images.npz"), load_model(model), rejects=Rejects()))
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0].columns}


def test_networks_learn_both_targets(networks, folder):
    said, true = said_of(networks, folder), invented()[1]
    assert np.corrcoef(said["oh12"], true)[0, 1] > 0.7
    assert np.corrcoef(said["colour"], true)[0, 1] > 0.5
    # Sixteen galaxies validate: the domain they set is a rough one.
    assert np.mean(said["in_domain"]) > 0.75


def test_the_same_seed_gives_the_same_model(networks, folder):
    sparse = np.where(np.arange(GALAXIES) % 3 == 0, invented()[1] - 8.5, np.nan)
    source, labels = labelled(folder, ("oh12", "colour"), colour=sparse)
    again = load_model(train(source, labels, folder / "again", config=SHORT))
    for one, other in zip(jax.tree.leaves(load_model(networks)), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_two_networks_differ(networks):
    first, second = load_model(networks).networks
    assert not bool(eqx.tree_equal(first, second))


def test_a_run_is_kept_and_its_images_are_not(networks):
    run = networks.with_name("networks.run")
    assert sorted(path.name for path in run.iterdir()) == ["network-0", "network-1"]


def test_a_folder_of_another_kind_is_not_written_over(folder):
    source, labels = labelled(folder)
    (folder / "other").mkdir()
    (folder / "other" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="a folder with other things in it"):
        train(source, labels, folder / "other", config=SHORT)
    assert (folder / "other" / "notes.txt").read_text() == "mine"


def test_a_gaussian_process_stands_on_frozen_networks(networks, folder):
    source, labels = labelled(folder)
    config = PropertiesConfig(head="gaussian-process", init=str(networks))
    everything = {"train": 1.0, "validation": 0.0, "test": 0.0}
    model = load_model(train(source, labels, folder / "process", config=config, fractions=everything))
    start = load_model(networks)
    assert model.process.reference.shape == (GALAXIES, 120 + 2 * 2)
    assert bool(eqx.tree_equal(model.networks, start.networks))
    said, true = said_of(folder / "process", folder), invented()[1]
    assert np.std(said["oh12"] - true) < 0.5 * np.std(true)
    about = describe_model(folder / "process").config
    assert about["started_from"]["hyperparameters"]["targets"] == ["oh12", "colour"]
    assert str(folder) not in (folder / "process" / "config.json").read_text()


def test_the_sky_is_measured_on_the_training_galaxies_of_the_fractions_asked_for(tmp_path):
    split, ids = Split("sky", {"train": 0.3, "validation": 0.3, "test": 0.4}), np.arange(80)
    noise = np.where(split.parts(ids) == "train", 1.0, 100.0)
    pixels = np.random.default_rng(0).normal(0, noise[:, None, None, None], (80, SIDE, SIDE, 1))
    np.savez(tmp_path / "images.npz", images=pixels.astype(np.float32), ids=ids)
    source = open_images(tmp_path / "images.npz")
    given = source, ids, split.parts(ids), {"value": ids / 10}, tmp_path / "store"
    parts = prepare_parts(*given, rejects=Rejects())
    form = parts["train"].images.store.form
    assert form.preparation.stretch.softening == pytest.approx((1.0,), rel=0.2)


def test_a_training_can_start_from_another_model(networks, folder):
    source, labels = labelled(folder)
    config = PropertiesConfig(epochs=1, batch_size=32, learning_rate=1e-5, init=str(networks))
    model = load_model(train(source, labels, folder / "tuned", config=config))
    start = load_model(networks, of=PropertyModel)
    # A step of 1e-5 leaves the encoder where it started.
    moved = jax.tree.map(
        lambda a, b: float(abs(a - b).max()), model.networks[0].encoder, start.networks[0].encoder
    )
    assert max(jax.tree.leaves(moved)) < 1e-3
    assert model.targets == ("oh12",)


@pytest.mark.parametrize("setting", [{"encoder": "resnet18"}, {"size": 12}, {"with_profiles": False}])
def test_what_the_start_fixes_cannot_be_asked_for(networks, folder, setting):
    source, labels = labelled(folder)
    with pytest.raises(TableError, match=rf"leave out --.* \({next(iter(setting))}\)"):
        train(source, labels, folder / "refused", config=PropertiesConfig(init=str(networks), **setting))


@pytest.mark.parametrize(
    ("config", "kind", "problem"),
    [
        (PropertiesConfig(features=("profiles", "modes")), TableError, "the head gaussian-process alone"),
        (PropertiesConfig(binning=3), ImageError, "does not divide"),
    ],
)
def test_settings_that_cannot_be_are_refused_and_leave_nothing(folder, config, kind, problem):
    source, labels = labelled(folder)
    with pytest.raises(kind, match=problem):
        train(source, labels, folder / "refused", config=config)
    assert not list(folder.glob("refused*"))
