"""Model folders: what is saved comes back, and what is wrong with a folder is said."""

import json
import shutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from nebulium import modelfile
from nebulium.errors import ModelFileError
from nebulium.modelfile import describe_model, list_models, load_model, register, save_model


@register
class Toy(eqx.Module):
    trunk: eqx.nn.MLP
    mean: jax.Array
    widths: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, widths, *, key):
        self.widths = widths
        self.trunk = eqx.nn.MLP(3, 2, widths[0], len(widths), key=key)
        self.mean = jnp.zeros(3)

    def __call__(self, x):
        return self.trunk(x - self.mean)


@register
class Other(eqx.nn.Linear):
    """Another registered class."""


CONFIG = {
    "hyperparameters": {"widths": [8, 8]},
    "preprocessing": {"features": "three numbers"},
    "units": {},
    "training_domain": {"redshift": np.array([0.06, 0.3])},
    "split": {"seed": "nebulium"},
    "metrics": {"spearman": np.float32(0.5)},
    "citation": "nobody",
}


def toy(seed=0):
    model = Toy((8, 8), key=jax.random.key(seed))
    return eqx.tree_at(lambda m: m.mean, model, jnp.arange(3.0))


@pytest.fixture
def folder(tmp_path):
    return save_model(tmp_path / "toy", toy(), config=CONFIG, card="# Toy\n")


def edit_config(folder, **entries):
    path = folder / modelfile.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31))
def test_round_trip_is_exact(tmp_path_factory, seed):
    model = toy(seed)
    loaded = load_model(save_model(tmp_path_factory.mktemp("m") / "toy", model, config=CONFIG, card=""))
    assert eqx.tree_equal(model, loaded)


def test_loaded_model_can_be_jitted(folder):
    x = jnp.array([1.0, 2.0, 3.0])
    assert jnp.array_equal(eqx.filter_jit(load_model(folder))(x), eqx.filter_jit(toy())(x))


def test_weights_are_keyed_by_attribute(folder):
    keys = safetensors.numpy.load_file(folder / modelfile.WEIGHTS).keys()
    assert {"trunk.layers.0.weight", "trunk.layers.2.bias", "mean"} <= keys


def test_folder_describes_itself(folder):
    described = describe_model(folder)
    assert described.name == "toy"
    assert described.card == "# Toy\n"
    assert described.config["format_version"] == modelfile.FORMAT_VERSION
    assert described.config["training_domain"]["redshift"] == [0.06, 0.3]
    assert described.config["versions"].keys() >= {"nebulium", "jax"}


def test_an_existing_folder_is_kept(folder):
    with pytest.raises(ModelFileError, match="there already"):
        save_model(folder, toy(1), config=CONFIG, card="")
    assert eqx.tree_equal(load_model(folder), toy())


def test_an_existing_folder_is_replaced_when_asked(folder):
    save_model(folder, toy(1), config=CONFIG, card="", overwrite=True)
    assert eqx.tree_equal(load_model(folder), toy(1))


def test_nothing_is_left_of_a_failed_save(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        save_model(tmp_path / "toy", toy(), config=CONFIG | {"metrics": {"nmad": float("nan")}}, card="")
    assert list(tmp_path.iterdir()) == []


def test_hyperparameters_must_describe_the_model(tmp_path):
    wrong = CONFIG | {"hyperparameters": {"widths": [8]}}
    with pytest.raises(ValueError, match=r"build .*float32\[2,8\].*model has"):
        save_model(tmp_path / "toy", toy(), config=wrong, card="")


def test_a_class_must_be_registered_to_be_saved(tmp_path):
    with pytest.raises(ValueError, match="not registered"):
        save_model(tmp_path / "x", eqx.nn.Linear(1, 1, key=jax.random.key(0)), config=CONFIG, card="")


def test_numpy_leaves_are_refused_rather_than_lost(tmp_path):
    model = eqx.tree_at(lambda m: m.mean, toy(), np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="mean is a numpy array"):
        save_model(tmp_path / "toy", model, config=CONFIG, card="")


@pytest.mark.parametrize("file", [modelfile.CONFIG, modelfile.WEIGHTS, modelfile.CARD])
def test_a_missing_file_is_named(folder, file):
    (folder / file).unlink()
    with pytest.raises(ModelFileError, match=f"expected the file {file}"):
        load_model(folder)


@settings(max_examples=20)
@given(fraction=st.floats(0, 0.999))
def test_truncated_weights_are_noticed(tmp_path_factory, fraction):
    folder = save_model(tmp_path_factory.mktemp("m") / "toy", toy(), config=CONFIG, card="")
    path = folder / modelfile.WEIGHTS
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(ModelFileError, match=r"model\.safetensors: is truncated or damaged"):
        load_model(folder)


def test_a_flipped_bit_is_noticed(folder):
    path = folder / modelfile.WEIGHTS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="checksum"):
        load_model(folder)


def test_broken_json_is_noticed(folder):
    (folder / modelfile.CONFIG).write_text('{"format_version": 1,')
    with pytest.raises(ModelFileError, match="not valid JSON"):
        load_model(folder)


def test_binary_configuration_is_noticed(folder):
    (folder / modelfile.CONFIG).write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(ModelFileError, match="not valid JSON"):
        load_model(folder)


def test_a_newer_format_asks_for_an_upgrade(folder):
    edit_config(folder, format_version=modelfile.FORMAT_VERSION + 1)
    with pytest.raises(ModelFileError, match="upgrade nebulium"):
        load_model(folder)


@pytest.mark.parametrize(
    "name", ["os:system", "nebulium.errors:NebuliumError", "nebulium.no_such_room:Model", ""]
)
def test_only_registered_classes_are_built(folder, name):
    edit_config(folder, **{"class": name})
    with pytest.raises(ModelFileError, match="registered model class"):
        load_model(folder)


def test_another_class_than_expected(folder):
    with pytest.raises(ModelFileError, match="expected a model of class .*Other, found .*Toy"):
        load_model(folder, of=Other)


@pytest.mark.parametrize("hyperparameters", [{"depth": 3}, {"widths": 3}, {"widths": []}, {}, None, [1]])
def test_hyperparameters_that_do_not_fit_the_class(folder, hyperparameters):
    edit_config(folder, hyperparameters=hyperparameters)
    with pytest.raises(ModelFileError, match="cannot be built from its hyperparameters"):
        load_model(folder)


def test_shapes_that_disagree_are_named_on_both_sides(folder):
    edit_config(folder, hyperparameters={"widths": [4, 4]})
    with pytest.raises(ModelFileError, match=r"expected .*float32\[4,3\].*found .*float32\[8,3\]"):
        load_model(folder)


def test_keys_that_disagree_are_named_on_both_sides(folder):
    path = folder / modelfile.WEIGHTS
    arrays = safetensors.numpy.load_file(path)
    arrays["average"] = arrays.pop("mean")
    safetensors.numpy.save_file(arrays, path)
    config = json.loads((folder / modelfile.CONFIG).read_text())
    del config["weights_sha256"]
    (folder / modelfile.CONFIG).write_text(json.dumps(config))
    with pytest.raises(ModelFileError, match=r"expected mean float32\[3\], found average float32\[3\]"):
        load_model(folder)


def test_a_file_is_not_a_folder(folder):
    with pytest.raises(ModelFileError, match="found a file"):
        load_model(folder / modelfile.CONFIG)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ModelFileError) as caught:
        load_model("desi-linse")
    assert all(name in str(caught.value) for name in list_models())


def test_packaged_models_are_found_by_name(folder, tmp_path, monkeypatch):
    package = tmp_path / "package"
    shutil.copytree(folder, package / "lines" / "weights" / "toy-lines")
    monkeypatch.setattr(modelfile, "__file__", str(package / "modelfile.py"))
    assert list_models() == ("toy-lines",)
    assert eqx.tree_equal(load_model("toy-lines"), toy())
