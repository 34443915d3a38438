"""A run killed at any moment ends as if it had not been; a folder is never mixed with another run."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import equinox as eqx
import numpy as np
import pytest

from nebulium.data.named_arrays import arrays_by_name
from nebulium.errors import ModelFileError, OutputError
from nebulium.training import FitConfig, fit

SCRIPT = """
import sys
import equinox as eqx, jax, jax.numpy as jnp, numpy as np
from nebulium.training import FitConfig, fit, rows

folder, resume, kind = sys.argv[1], sys.argv[2] == "resume", sys.argv[3]
streamed = kind == "rows"
x = np.random.default_rng(0).normal(size=(20_000, 2)).astype(np.float32)
data = {"x": x, "y": np.sin(x[:, 0]) * x[:, 1]}
validation = jax.tree.map(lambda array: array[:500], data)

class Rows:
    def __len__(self):
        return len(x)
    def take(self, rows):
        return jax.tree.map(lambda array: array[rows], data)

rows.CHUNK_BYTES = 2**16  # four chunks an epoch

def loss(model, batch, key):
    noise = 0.1 * jax.random.normal(key, batch["y"].shape)
    return (jax.vmap(model)(batch["x"]) - batch["y"] - noise) ** 2

plain = loss

def loss_with_memory(model, batch, key, beside):
    surprise = jnp.abs(jax.vmap(beside.teacher)(batch["x"]) - beside.memory)
    memory = 0.9 * beside.memory + 0.1 * jnp.mean(batch["y"])
    return plain(model, batch, key) * (1.0 + jax.lax.stop_gradient(surprise)), memory

model = eqx.nn.MLP(2, "scalar", 16, 2, key=jax.random.key(1))
config = FitConfig(epochs=60, batch_size=1000 if streamed else 50)
examples = Rows() if streamed else data
options = {}
if kind == "memory":
    options = {"memory": jnp.zeros(()), "validation_loss_fn": loss}
    loss = loss_with_memory
fit(model, loss, examples, validation=validation, config=config, run_folder=folder, resume=resume, **options)
"""


def start(folder: Path, kind: str, *, resume: bool) -> subprocess.Popen:
    arguments = [sys.executable, "-c", SCRIPT, str(folder), "resume" if resume else "new", kind]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)


def lines_of(folder: Path) -> list[dict]:
    path = folder / "metrics.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]


def kill_once_beyond(folder: Path, child: subprocess.Popen, epochs: int) -> None:
    path = folder / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not path.exists() or path.read_bytes().count(b"\n") < epochs:
        assert child.poll() is None, child.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()


@pytest.mark.parametrize("kind", ["arrays", "rows", "memory"])
def test_killed_and_resumed_is_as_if_never_killed(tmp_path, kind):
    whole = start(tmp_path / "whole", kind, resume=False)
    assert whole.wait() == 0, whole.communicate()[1]
    whole.communicate()
    broken = tmp_path / "broken"
    for turn, epochs in enumerate((1, 20)):
        kill_once_beyond(broken, start(broken, kind, resume=turn > 0), epochs)
    assert 0 < len(lines_of(broken)) < 60, "the run was over before it was killed; make it longer"
    last = start(broken, kind, resume=True)
    assert last.wait() == 0, last.communicate()[1]
    last.communicate()
    assert lines_of(broken) == lines_of(tmp_path / "whole")
    # Nor does what the killed processes had begun to write stay behind.
    assert {path.name for path in broken.iterdir()} == {
        "config.json",
        "metrics.jsonl",
        "checkpoint.safetensors",
    }
    checkpoints = [(tmp_path / run / "checkpoint.safetensors").read_bytes() for run in ("whole", "broken")]
    assert checkpoints[0] == checkpoints[1]


CONFIG = FitConfig(epochs=3, batch_size=8)


def train(folder, *, config=CONFIG, scale=1.0, width=4, **options):
    import jax

    x = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    data = {"x": x, "y": np.float32(scale) * x[:, 0]}
    model = eqx.nn.MLP(1, "scalar", width, 1, key=jax.random.key(0))

    def loss(model, batch, key):
        return (jax.vmap(model)(batch["x"]) - batch["y"]) ** 2

    return fit(model, loss, data, config=config, run_folder=folder, **options)


def test_the_folder_explains_itself(tmp_path):
    result = train(tmp_path / "run", about={"recipe": "toy"})
    document = json.loads((tmp_path / "run" / "config.json").read_text())
    assert document["fit"] == dataclasses.asdict(CONFIG)
    assert document["about"] == {"recipe": "toy"}
    assert document["versions"].keys() >= {"nebulium", "jax"}
    assert [line["loss"] for line in lines_of(tmp_path / "run")] == [record.loss for record in result.history]


def test_a_finished_run_resumes_to_itself(tmp_path):
    first = train(tmp_path / "run")
    again = train(tmp_path / "run", resume=True)
    assert again.history == first.history
    assert eqx.tree_equal(arrays_by_name(again.model), arrays_by_name(first.model))


def test_metrics_beyond_the_checkpoint_are_cut_off(tmp_path):
    """What a kill between the line and the checkpoint, or in the middle of the line, leaves behind."""
    first = train(tmp_path / "run")
    with (tmp_path / "run" / "metrics.jsonl").open("a") as lines:
        lines.write('{"epoch": 4, "lo')
    assert train(tmp_path / "run", resume=True).history == first.history
    assert len(lines_of(tmp_path / "run")) == 3


def test_half_written_files_of_a_killed_run_are_removed(tmp_path):
    train(tmp_path / "run")
    (tmp_path / "run" / ".partial-1234-abcd-checkpoint.safetensors").write_bytes(b"half")
    train(tmp_path / "run", resume=True)
    assert not list((tmp_path / "run").glob(".partial-*"))


def test_killed_before_the_first_checkpoint(tmp_path):
    first = train(tmp_path / "run")
    (tmp_path / "run" / "checkpoint.safetensors").unlink()
    again = train(tmp_path / "run", resume=True)
    assert [record.loss for record in again.history] == [record.loss for record in first.history]


def test_resuming_is_never_silent(tmp_path):
    train(tmp_path / "run")
    with pytest.raises(OutputError, match="there already.*resume"):
        train(tmp_path / "run")


def test_nothing_to_resume(tmp_path):
    with pytest.raises(OutputError, match="no run to resume"):
        train(tmp_path / "run", resume=True)
    with pytest.raises(ValueError, match="run_folder"):
        train(None, resume=True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"config": dataclasses.replace(CONFIG, seed=7)}, r"fit\.seed = 0, this one 7"),
        ({"scale": 2.0}, "data = "),
        ({"width": 5}, "model = "),
        ({"about": {"lines": 10}}, r"about\.lines = None, this one 10"),
    ],
)
def test_another_run_is_not_resumed(tmp_path, change, named):
    train(tmp_path / "run")
    with pytest.raises(OutputError, match=named):
        train(tmp_path / "run", resume=True, **change)


def test_a_damaged_checkpoint_is_named(tmp_path):
    train(tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(OutputError, match=r"checkpoint\.safetensors: is truncated"):
        train(tmp_path / "run", resume=True)


def test_metrics_that_are_missing_are_named(tmp_path):
    train(tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").unlink()
    with pytest.raises(OutputError, match="expected 3 lines"):
        train(tmp_path / "run", resume=True)


def test_a_checkpoint_of_another_shape_is_named(tmp_path):
    train(tmp_path / "small")
    train(tmp_path / "large", width=5)
    (tmp_path / "small" / "checkpoint.safetensors").rename(tmp_path / "large" / "checkpoint.safetensors")
    with pytest.raises(ModelFileError, match="expected .*found"):
        train(tmp_path / "large", width=5, resume=True)
