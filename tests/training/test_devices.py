"""Four simulated devices give the losses of one."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from nebulium.training import devices

SCRIPT = """
import json, sys
import equinox as eqx, jax, numpy as np
from nebulium.training import FitConfig, fit

folder, resume = sys.argv[1], sys.argv[2] == "resume"

class Rows:
    def __init__(self, arrays):
        self.arrays = arrays
    def __len__(self):
        return len(self.arrays["y"])
    def take(self, rows):
        return jax.tree.map(lambda array: array[rows], self.arrays)

x = np.random.default_rng(0).normal(size=(55, 2)).astype(np.float32)
data = {"x": x, "y": np.sin(x[:, 0]) * x[:, 1]}
seen = []

def loss(model, batch, key):
    jax.debug.inspect_array_sharding(batch["x"], callback=lambda sharding: seen.append(sharding.num_devices))
    noise = 0.1 * jax.random.normal(key, batch["y"].shape)
    return (jax.vmap(model)(batch["x"]) - batch["y"] - noise) ** 2

model = eqx.nn.MLP(2, "scalar", 16, 2, key=jax.random.key(1))
report = {"devices": jax.device_count()}
for name, examples, batch_size in (("arrays", data, 16), ("rows", Rows(data), 16), ("uneven", data, 15)):
    seen.clear()
    config = FitConfig(epochs=2, batch_size=batch_size)
    files = {"run_folder": f"{folder}/{name}", "resume": resume}
    result = fit(model, loss, examples, validation=examples, config=config, **files)
    report[name] = [[record.loss, record.validation_loss] for record in result.history]
    report[name + " shared by"] = sorted(set(seen))
    weight = result.model.layers[0].weight
    report[name + " weights on"] = len(weight.devices())
print(json.dumps(report))
"""


def run(folder, count, *, resume=False):
    folder.mkdir(exist_ok=True)
    flags = f"--xla_force_host_platform_device_count={count}"
    environment = os.environ | {"XLA_FLAGS": f"{os.environ['XLA_FLAGS']} {flags}", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", SCRIPT, str(folder), "resume" if resume else "new"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("devices")


@pytest.fixture(scope="module")
def four(folder):
    return run(folder / "four", 4)


def test_four_devices_give_the_losses_of_one(folder, four):
    one = run(folder / "one", 1)
    assert (one["devices"], four["devices"]) == (1, 4)
    for name in ("arrays", "rows", "uneven"):
        np.testing.assert_allclose(four[name], one[name], rtol=1e-5)
        assert four[f"{name} weights on"] == 1


def test_batches_are_shared_out_where_they_can_be(four):
    assert four["arrays shared by"] == [4]
    assert four["rows shared by"] == [4]
    assert 4 not in four["uneven shared by"]


def test_a_run_on_four_devices_resumes_to_itself(folder, four):
    assert run(folder / "four", 4, resume=True)["rows"] == four["rows"]


def test_one_device_needs_no_mesh():
    assert devices.batch_mesh(64) is None


def test_without_a_mesh_nothing_moves():
    tree = {"weight": 1.0}
    assert devices.replicated(tree, None) == devices.on_one_device(tree, None) == tree
    assert devices.split_batch(tree, None) == tree
