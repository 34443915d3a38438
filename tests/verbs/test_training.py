"""What stays of a training that fails, is interrupted or killed, and that it goes on to the same model."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.data.splits import Split
from nebulium.errors import NebuliumError, OutputError
from nebulium.modelfile import describe_model, load_model, register
from nebulium.training import FitConfig
from nebulium.verbs import Card, TrainedModel, Training, TrainingRun, fit_members, save_trained, training_run

EPOCHS = 80
IDS = np.arange(100)
FAULT = NebuliumError("a", "is bad", "mend it")


@register
class Line(eqx.nn.Linear):
    """A straight line."""


def squared_error(line, x, key):
    return (jax.vmap(line)(x)[:, 0] - 3.0 * x[:, 0] - 0.1 * jax.random.normal(key, (len(x),))) ** 2


def train(output, *, epochs=3, resume=False, then=lambda: None) -> TrainingRun:
    """Two lines, one after the other; `then` is called before they are saved."""
    rows = Split().rows(IDS)
    x = jnp.linspace(-1.0, 1.0, 64)[:, None]
    lines = [Line(1, 1, key=jax.random.key(member)) for member in range(2)]
    config = FitConfig(epochs=epochs, batch_size=16, learning_rate=0.05)
    with training_run(output, resume=resume) as training:
        training.scratch.mkdir(exist_ok=True)
        training.rejects.add([4], np.array([7]), "is bad")
        training.notes.append("one row was bad")
        results = fit_members(training, lines, squared_error, x, config=config, trained=lambda line: line)
        then()
        trained = TrainedModel(
            results[-1].model,
            hyperparameters={"in_features": 1, "out_features": 1},
            preprocessing={},
            units={},
            training_domain={"in_domain": "x lies between -1 and 1"},
            split=Split(label_fraction=0.5).as_dict(rows),
            settings={"epochs": epochs},
            citation="nobody",
            card=Card("A line", "Three times x, from x.", {"Data": "invented"}, "| a |\n|---|\n| 1 |"),
            results=results,
            further={"colour": "red"},
        )
        return save_trained(training, trained)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def raises(error):
    def then():
        raise error

    return then


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_training_leaves_a_model_its_run_and_the_rejects():
    run = train("mine")
    assert names(Path()) == ["mine", "mine.rejects.csv", "mine.run"]
    assert names(Path("mine.run")) == ["network-0", "network-1"]
    assert run.model == Path("mine")
    assert run.galaxies == {"train": 78, "validation": 11, "test": 11}
    assert run.notes == ("one row was bad",)
    assert run.rejects_path == Path("mine.rejects.csv")
    assert load_model("mine", of=Line).weight.shape == (1, 1)


def test_the_folder_of_a_model_says_what_it_is():
    train("mine")
    found = describe_model("mine")
    assert Split.from_dict(found.config["split"]) == Split(label_fraction=0.5)
    assert [network["best_epoch"] for network in found.config["metrics"]["networks"]] == [3, 3]
    assert found.config["training"] == {"epochs": 3}
    assert found.config["colour"] == "red"
    assert found.card.startswith("# A line\n\nThree times x, from x.\n\n- **Data**: invented\n")
    assert "- **Trained on**: 78 galaxies (50 % of the labels there were); 11 were used to" in found.card
    assert "- **`in_domain`**: x lies between -1 and 1. Where it is false, do not rely" in found.card
    assert found.card.endswith("| a |\n|---|\n| 1 |\n\nCite: nobody.\n")


def test_networks_differ_in_their_seeds():
    x, line = jnp.linspace(-1.0, 1.0, 64)[:, None], Line(1, 1, key=jax.random.key(0))
    options = {"config": FitConfig(epochs=3, batch_size=16, learning_rate=0.05), "trained": lambda one: one}
    first, second = fit_members(Training(), [line, line], squared_error, x, **options)
    assert float(first.model.weight[0, 0]) != float(second.model.weight[0, 0])


@pytest.mark.parametrize(
    "error", [NebuliumError("a", "is bad", "mend it"), KeyboardInterrupt(), MemoryError()]
)
def test_epochs_that_were_finished_stay_and_are_taken_up(error):
    whole = train("whole")
    with pytest.raises(type(error)):
        train("mine", then=raises(error))
    assert names(Path("mine.run")) == ["network-0", "network-1"]
    assert not Path("mine").exists()
    with pytest.raises(OutputError, match=r"mine\.run: holds an interrupted training.*--resume"):
        train("mine")
    train("mine", resume=True, then=lambda: None)
    checksums = [describe_model(path).config["weights_sha256"] for path in ("mine", whole.model)]
    assert checksums[0] == checksums[1]


@pytest.mark.parametrize("error", [FAULT, KeyboardInterrupt(), MemoryError()])
def test_nothing_stays_before_the_first_epoch(error):
    def prepare_and_fail():
        with training_run("mine") as training:
            training.scratch.mkdir()
            raise error

    with pytest.raises(type(error)):
        prepare_and_fail()
    assert names(Path()) == []
    # Resuming what left nothing begins.
    assert train("mine", resume=True).model == Path("mine")


def test_a_run_without_networks_leaves_no_folder():
    with training_run("mine"):
        pass
    assert names(Path()) == []


def test_what_others_put_into_a_folder_of_that_name_stays():
    Path("mine.run").mkdir()
    Path("mine.run", "notes.txt").write_text("mine")
    with pytest.raises(KeyError), training_run("mine", resume=True):
        raise KeyError
    assert names(Path("mine.run")) == ["notes.txt"]


def test_a_model_is_replaced_once_the_new_one_is_complete():
    train("mine")
    train("mine", epochs=2)
    with pytest.raises(KeyError):
        train("mine", epochs=4, then=raises(KeyError()))
    # The model is the one of before, and what was done of the other is not lost.
    assert describe_model("mine").config["training"]["epochs"] == 2
    with pytest.raises(OutputError, match=r"mine\.run: holds an interrupted training.*--resume"):
        train("mine", epochs=4)
    train("mine", epochs=4, resume=True)
    assert describe_model("mine").config["training"]["epochs"] == 4
    assert names(Path()) == ["mine", "mine.rejects.csv", "mine.run"]


def test_an_output_that_is_no_model_or_has_no_place_is_refused_first():
    Path("mine").mkdir()
    Path("mine", "thesis.txt").write_text("ten years of work")
    with pytest.raises(OutputError, match="mine: is a folder with other things in it"):
        train("mine")
    with pytest.raises(OutputError, match=r"there is no folder .*mkdir -p"):
        train("nowhere/mine")
    assert names(Path()) == ["mine"]


def test_other_settings_do_not_take_up_a_run():
    with pytest.raises(KeyboardInterrupt):
        train("mine", then=raises(KeyboardInterrupt()))
    with pytest.raises(OutputError, match=r"epochs = 3, this one 4"):
        train("mine", epochs=4, resume=True)
    assert names(Path("mine.run")) == ["network-0", "network-1"]


def test_a_killed_training_goes_on_to_the_same_model():
    source = Path(__file__).read_text()
    script = f"{source}\ntrain('mine', epochs={EPOCHS})\n"
    child = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    metrics, deadline = Path("mine.run", "network-0", "metrics.jsonl"), time.monotonic() + 240
    while not metrics.exists() or metrics.read_bytes().count(b"\n") < 5:
        assert child.poll() is None, child.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert Path("mine.run", "prepared").exists()
    run = train("mine", epochs=EPOCHS, resume=True)
    assert not Path("mine.run", "prepared").exists()
    train("whole", epochs=EPOCHS)
    checksums = [describe_model(path).config["weights_sha256"] for path in (run.model, "whole")]
    assert checksums[0] == checksums[1]
