"""Model folders that version 0.1 and later ones wrote still load, and predict what they predicted then.

Each folder of fixtures/models has config.json and README.md as they were written, the weights packed, and
what that version predicted. The networks are small, or most of their weights zero, to take little space.
"""

import json
import shutil
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow.parquet as pq
import pytest

from nebulium.cli import app
from nebulium.generate import sample_images
from nebulium.infer.likelihood import MeasuredFluxes
from nebulium.modelfile import CLASSES, describe_model, load_model

# What follows from a row of small numbers differs in the fourth digit without optimisation.
pytestmark = pytest.mark.usefixtures("optimised_programs")

FIXTURES = Path(__file__).parent / "fixtures" / "models"
MODELS = sorted(config.parent.name for config in FIXTURES.glob("*/config.json"))
COMMANDS = {
    "generate": ("generate", "posterior", FIXTURES / "survey"),
    "lines": ("lines", "predict", FIXTURES / "continua.parquet"),
    "photoz": ("photoz", "predict", FIXTURES / "survey"),
    "properties": ("properties", "predict", FIXTURES / "survey"),
    "spectra": ("spectra", "predict", FIXTURES / "survey"),
}
EMBEDDED = ("properties", "predict", "--embeddings", FIXTURES / "embeddings.parquet")


@pytest.fixture
def unpacked(tmp_path):
    """Gives the model folder of a name as it was written."""

    def unpack(name):
        folder = tmp_path / name
        shutil.copytree(FIXTURES / name, folder)
        with zipfile.ZipFile(folder / "weights.zip") as packed:
            packed.extractall(folder)
        return folder

    return unpack


def expected(name):
    columns = json.loads((FIXTURES / name / "expected.json").read_text())
    return {
        column: np.array([np.nan if v is None else v for v in values]) for column, values in columns.items()
    }


def assert_same(found, wanted):
    if wanted.dtype.kind == "f":
        # Another processor rounds a quantile of a product of densities in its fifth digit.
        np.testing.assert_allclose(found, wanted, rtol=5e-5, atol=1e-6 * np.nanmax(np.abs(wanted)))
    else:
        assert found.tolist() == wanted.tolist()


def test_there_is_a_folder_of_every_class():
    classes = [describe_class(name) for name in MODELS]
    assert {one.rpartition(":")[2] for one in classes} == set(CLASSES)
    # Version 0.1 named a module too; what is younger does not.
    younger = {one for one in classes if not one.startswith("nebulium.")}
    assert younger == {
        "CombinedModel", "ContinuumBasis", "LatentImageModel", "PhotometryPosterior", "PixelImageModel",
        "PropertyModel", "SpectrumModel",
    }  # fmt: skip


def describe_class(name):
    return json.loads((FIXTURES / name / "config.json").read_text())["class"]


@pytest.mark.parametrize("name", [name for name in MODELS if name.partition("-")[0] in COMMANDS])
def test_predictions_are_as_they_were(name, unpacked, tmp_path):
    asked = EMBEDDED if "embeddings" in name else COMMANDS[name.partition("-")[0]]
    command = (*asked, "--model", unpacked(name), "-o", tmp_path / "out.parquet")
    app([str(argument) for argument in command], standalone_mode=False)
    found = pq.read_table(tmp_path / "out.parquet")
    for column, wanted in expected(name).items():
        assert_same(found[column].to_numpy(), wanted)


def test_draws_are_as_they_were(unpacked):
    folder = unpacked("candels-flow")
    assert describe_model(folder).class_name == "CandelsFlow"
    flow = load_model(folder)
    drawn = np.asarray(jax.jit(jax.vmap(flow.sample))(jax.random.split(jax.random.key(11), 16)))
    for place, wanted in enumerate(expected("candels-flow").values()):
        assert_same(drawn[:, place], wanted)


def test_continua_are_as_they_were(unpacked):
    basis = load_model(unpacked("continua"))
    found = np.asarray(basis.continuum(jnp.array([0.1, -0.2])))[::100]
    assert_same(found, expected("continua")["continuum"])


def test_posteriors_are_as_they_were(unpacked):
    """What draws would say, whose weights another processor rounds otherwise."""
    model = load_model(unpacked("posterior"))
    flux, err = jnp.array([2e4, jnp.nan, -1e3]), jnp.array([1e3, jnp.nan, 2e3])
    measured = MeasuredFluxes(flux, err, jnp.zeros(3, bool), jnp.float32(0.1))
    features, log_light = model.features(measured)
    numbers = model.numbers(jnp.array([9.5, -10.0, 0.5, 0.4, -2.0]), measured, log_light)
    density = model.network.log_density(model.network.seen(features), numbers)
    mean, factor = model.lines.line_flux(jnp.linspace(1.0, 1.2, 12), jnp.float32(0.1))
    for found, wanted in zip((density, mean, factor[:, 0]), expected("posterior").values(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=1e-4)


def test_images_are_drawn_as_they_were(unpacked):
    """What a posterior by the same weights says would take minutes."""
    model, conditions = load_model(unpacked("pixels-edm")), np.array([[0.08, 10.5], [np.nan, 10.0]])
    drawn = sample_images(model, conditions.astype(np.float32), steps=24)
    for image, wanted in zip(drawn, expected("pixels-edm").values(), strict=True):
        np.testing.assert_allclose(image[8, :, 1], wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())
