"""The model of pixels, from its training by command to properties inferred with it."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.images.mmu import read_images, write_images
from nebulium.data.images.opening import open_images
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import NebuliumError
from nebulium.generate import (
    PixelConfig,
    evaluate_file,
    page_file,
    posterior_file,
    predict,
    sample_images,
    score_file,
    train_file,
)
from nebulium.generate.pixels import model as pixel_model
from nebulium.generate.pixels.recipe import PixelLearner, pixel_loss
from nebulium.modelfile import describe_model, load_model
from nebulium.training.run_folder import RunFolder

PROPERTIES = ("log_mass", "log_size")


@pytest.fixture(scope="module")
def model(trained_pixels):
    return load_model(trained_pixels)


@pytest.fixture(scope="module", autouse=True)
def _few_draws():
    """What is said of an image takes fewer looks here, and few images are no batch of many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict, "BATCH", 16)
        patch.setattr(pixel_model, "DRAWS", 8)
        patch.setattr(pixel_model, "FIRST_DRAWS", 4)
        patch.setattr(pixel_model, "PLACES", 13)
        yield


@pytest.fixture(scope="module")
def few(spots, tmp_path_factory):
    """Test galaxies of which all is known, and what is true of them."""
    whole = read_images(spots)
    test = Split().parts(whole.ids) == "test"
    rows = np.flatnonzero(test & np.isfinite(whole.table["log_size"]))[:16]
    names = ("ids", "flux", "ivar", "bad", "psf_fwhm_arcsec", "pixel_scale_arcsec")
    truth = Table({name: whole.table[name][rows] for name in PROPERTIES})
    path = tmp_path_factory.mktemp("few") / "few.parquet"
    write_images(replace(whole, **{name: getattr(whole, name)[rows] for name in names}, table=truth), path)
    return path, truth


def prepared(model, path):
    """All images of a file, as the model takes them."""
    source, form = open_images(path), model.form.preparation
    pixels = next(iter(source.chunks(np.arange(len(source))))).pixels
    return jnp.asarray(form.from_disk(form.to_disk(list(pixels))))


def test_drawn_images_have_the_properties_and_the_noise_asked_for(model):
    given = np.repeat(np.array([[9.6, 0.3], [10.4, 0.3]], np.float32), 64, axis=0)
    drawn = sample_images(model, given, steps=24)
    flux = drawn.sum(axis=(1, 2))
    faint, bright = np.median(flux[:64, 0]), np.median(flux[64:, 0])
    # A Gaussian of images that span a factor of thirty in flux gets the faint ones only roughly.
    np.testing.assert_allclose(bright, 2 * np.pi * 10**0.4, rtol=0.3)
    assert faint < 0.4 * bright
    np.testing.assert_allclose(np.median(flux[64:, 1] / flux[64:, 0]), 10**0.08, rtol=0.15)
    corners = drawn[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    np.testing.assert_allclose(np.std(corners[:64]), 0.02, rtol=0.5)


def test_a_galaxy_is_likelier_with_its_own_properties(trained_pixels, few, tmp_path):
    path, truth = few
    run = score_file(path, tmp_path / "own.ecsv", model=trained_pixels)
    assert any("models of pixels rank no images" in note for note in run.notes)
    own = read_table(run.output)["log_ratio"]
    ids = read_images(path).ids
    others = zip(ids, np.roll(truth["log_mass"], 1), np.roll(truth["log_size"], 1), strict=True)
    table = tmp_path / "others.csv"
    table.write_text("target_id,log_mass,log_size\n" + "".join(f"{i},{m},{s}\n" for i, m, s in others))
    found = read_table(score_file(path, tmp_path / "w.ecsv", model=trained_pixels, table=table).output)
    assert np.median(own) > 0.3
    assert np.mean(own > found["log_ratio"]) > 0.7


def test_posteriors_narrow_and_hold_the_truth(trained_pixels, few, tmp_path):
    path, truth = few
    given = {"model": trained_pixels, "given": ["log_size"]}
    found = read_table(posterior_file(path, tmp_path / "posterior.ecsv", **given).output)
    off = found["log_mass"] - truth["log_mass"]
    assert np.std(off) < 0.7 * np.std(truth["log_mass"])
    assert 0.4 < np.mean(np.abs(off) < found["log_mass_sigma"]) <= 1
    assert np.mean(found["in_domain"]) > 0.8


def test_classes_by_command_with_the_other_diffusion(spots, few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = read_images(spots)
    kinds = np.where(whole.table["log_mass"] > 10, "bright", "faint")
    kinds[::10] = ""
    rows = zip(whole.ids, whole.table["log_size"], kinds, strict=True)
    table = "target_id,log_size,kind\n" + "".join(f"{i},{size},{kind}\n" for i, size, kind in rows)
    Path("kinds.csv").write_text(table)
    train = ["train", str(spots), "--table", "kinds.csv", "--properties", "log_size,kind", "-o", "mine"]
    small = ["--components", "16", "--channels", "4", "--epochs", "1", "--batch-size", "64"]
    done = CliRunner().invoke(app, ["generate", *train, "--model", "pixels", "--diffusion", "ddpm", *small])
    assert done.exit_code == 0, done.output
    config = describe_model("mine").config["hyperparameters"]
    assert config["diffusion"] == "ddpm"
    assert config["classes"] == {"kind": ["bright", "faint"]}
    model = load_model("mine")
    drawn = sample_images(model, np.repeat(np.array([[0.3, 0], [0.3, 1]], np.float32), 32, axis=0), steps=20)
    bright, faint = np.median(drawn.sum(axis=(1, 2, 3)).reshape(2, 32), axis=1)
    assert bright > 1.5 * faint
    truth = few[1]
    given = np.stack([truth["log_size"], np.full(len(few[1]), np.nan)], axis=1)
    infer = eqx.filter_jit(jax.vmap(lambda image, known: model.class_probabilities(image, known)[0]))
    probability = np.asarray(infer(prepared(model, few[0]), jnp.asarray(given, jnp.float32)))
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, atol=1e-5)
    clear = np.abs(truth["log_mass"] - 10) > 0.2
    right = (probability[:, 0] > 0.5) == (truth["log_mass"] > 10)
    assert np.mean(right[clear]) > 0.8


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda path, model: posterior_file(path, "out.csv", model=model, draws=3), "gives no draws"),
        (lambda path, model: posterior_file(path, "out.csv", model=model, prior=path), "no other prior"),
        (lambda path, model: evaluate_file(path, model=model), "expected a model of class LatentImageModel"),
    ],
)
def test_what_a_model_of_pixels_cannot_do_is_refused(
    trained_pixels, few, tmp_path, monkeypatch, ask, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NebuliumError, match=message):
        ask(few[0], trained_pixels)
    assert not list(tmp_path.iterdir())


def test_pages_are_drawn(trained_pixels, tmp_path):
    assert page_file(tmp_path / "page.png", model=trained_pixels, columns=2).images == 4


def test_what_is_said_of_an_image_does_not_depend_on_the_others(model, few):
    images = prepared(model, few[0])[:2]
    own = jnp.array([[10.1, 0.31]])
    ratio = eqx.filter_jit(lambda image, value: model.log_ratios(image, value)[0])
    both = eqx.filter_jit(jax.vmap(lambda image: model.log_ratios(image, own)[0]))(images)
    np.testing.assert_allclose(both[0], ratio(images[0], own), rtol=1e-3, atol=1e-2)


def test_half_precision_is_nearly_as_good_and_leaves_weights_single(model):
    shape = (4, 12, 12, 2)
    galaxies = {
        "image": 0.03 * jax.random.normal(jax.random.key(0), shape),
        "value": jnp.tile(jnp.array([[10.0, 0.3]]), (4, 1)),
    }

    def loss(learner: PixelLearner) -> jax.Array:
        return jnp.mean(pixel_loss(learner, galaxies, jax.random.key(1)))

    single = eqx.filter_jit(loss)(PixelLearner(model, False))
    half, slopes = eqx.filter_jit(eqx.filter_value_and_grad(loss))(PixelLearner(model, True))
    assert single != half
    np.testing.assert_allclose(half, single, rtol=0.02)
    assert slopes.model.diffusion.network.first.weight.dtype == jnp.float32


def test_an_interrupted_training_goes_on_to_the_same_model(spots, pixel_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saves = RunFolder.save

    def save(folder, state, record):
        saves(folder, state, record)
        if folder.path.name == "diffusion":
            raise KeyboardInterrupt

    options = {"properties": PROPERTIES, "config": replace(pixel_config, epochs=2)}
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "save", save)
        with pytest.raises(KeyboardInterrupt):
            train_file(spots, "mine", **options)
    assert not Path("mine").exists()
    train_file(spots, "mine", resume=True, **options)
    # More devices than a batch can be shared out to change nothing, but are told of.
    monkeypatch.setattr(jax, "local_device_count", lambda: 3)
    run = train_file(spots, "whole", **options)
    assert any("one of 3 devices does all: a batch of 32" in note for note in run.notes)
    first, second = (describe_model(name).config["weights_sha256"] for name in ("mine", "whole"))
    assert first == second


ON_DEVICES = """
import json
import jax, numpy as np
from nebulium.generate import PixelImageModel
from nebulium.generate.pixels.recipe import PixelLearner, pixel_loss
from nebulium.training import FitConfig, fit, trained_part
from nebulium.training.rows import ArrayRows

model = PixelImageModel(
    conditions=["a", "b"], components=[2, 1, 1, 1], diffusion="edm", channels=[4], depth=1, bands=["r"],
    unit="", size=8, stretch={"kind": "none", "softening": []},
)
learner, random = PixelLearner(model, False), np.random.default_rng(0)
data = ArrayRows({
    "image": random.normal(size=(20, 8, 8, 1)).astype(np.float32),
    "value": random.normal(size=(20, 2)).astype(np.float32),
})
shared = []

def loss(learner, batch, key):
    jax.debug.inspect_array_sharding(batch["image"], callback=lambda one: shared.append(one.num_devices))
    return pixel_loss(learner, batch, key)

part = trained_part(learner, lambda one: one.model.diffusion.network)
config = FitConfig(epochs=2, batch_size=8, learning_rate=1e-3)
result = fit(learner, loss, data, config=config, trainable=part)
weights = [np.ravel(leaf).tolist() for leaf in jax.tree.leaves(result.model.model.diffusion.network)]
print(json.dumps({"shared by": sorted(set(shared)), "weights": weights}))
"""


def trained_on_two() -> str:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "NPROC": "2"}
    command = [sys.executable, "-c", ON_DEVICES]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_devices_share_each_batch_and_come_to_the_weights_of_one(capsys):
    exec(ON_DEVICES, {})
    one, two = map(json.loads, (capsys.readouterr().out, trained_on_two()))
    assert (one["shared by"], two["shared by"]) == ([1], [2])
    for here, there in zip(one["weights"], two["weights"], strict=True):
        # Biases that a normalisation takes away have no gradient but that of rounding, which Adam scales up.
        np.testing.assert_allclose(here, there, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"diffusion": "flow"}, "diffusion must be one of edm, ddpm, got 'flow'"),
        ({"channels": ()}, r"channels must be numbers of at least 1, got \(\)"),
        ({"channels": (8, 0)}, "channels must be numbers of at least 1"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"size": 2}, "size must be at least 8"),
    ],
)
def test_settings_that_make_no_network(changed, message):
    with pytest.raises(ValueError, match=f"PixelConfig: {message}"):
        PixelConfig(**changed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--diffusion", "ddpm"), "--diffusion: is nothing that a model of principal components has"),
        (("--channels", "8,8"), "--channels: is nothing that a model of principal components has"),
        (
            ("--model", "pixels", "--reader-epochs", "3"),
            "--reader-epochs: is nothing that a model of pixels has",
        ),
        (("--model", "pixels", "--channels", "8,x"), "expected whole numbers as 64,128,256, got '8,x'"),
        (("--model", "pixels", "--channels", "8,0"), "expected numbers of at least 1, got '8,0'"),
        (("--model", "pixels", "--diffusion", "flow"), "'flow' is not one of 'edm', 'ddpm'"),
    ],
)
def test_options_of_another_model_are_refused(spots, tmp_path, options, message):
    command = ("generate", "train", str(spots), "--properties", "log_mass", "-o", str(tmp_path / "mine"))
    found = CliRunner().invoke(app, [*command, *options], terminal_width=200)
    assert found.exit_code == 2
    assert message in " ".join(found.output.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


def test_the_folder_says_what_the_model_is(trained_pixels):
    config = json.loads((trained_pixels / "config.json").read_text())
    assert config["class"] == "PixelImageModel"
    assert config["hyperparameters"]["diffusion"] == "edm"
    card = (trained_pixels / "README.md").read_text()
    assert "diffusion of pixels (edm) by a U-Net of 4, 4 channels, 1 blocks a stage" in card
