"""The fit loop: it learns, it is reproducible, and its settings do what they say."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from nebulium.errors import NebuliumError
from nebulium.training import ArrayRows, FitConfig, fit
from nebulium.training.batches import weighted_mean
from nebulium.training.config import learning_rates, make_optimiser
from nebulium.training.devices import on_one_device, replicated, split_batch
from nebulium.training.epoch import Examples, mean_loss, train_epoch
from nebulium.training.run_folder import fingerprint
from nebulium.training.state import FitState, keep_best

N = 103
QUICK = FitConfig(epochs=4, batch_size=16, learning_rate=0.05, averaging=None)


def make_data(n=N, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)
    return {"x": x, "y": x @ np.array([1.0, -2.0], np.float32)}


def make_model(seed=0):
    return eqx.nn.MLP(2, "scalar", 8, 1, key=jax.random.key(seed))


def squared_error(model, batch, key):
    return (jax.vmap(model)(batch["x"]) - batch["y"]) ** 2


def rows_seen(model, batch, key):
    """A loss whose mean is the mean of the data, whatever the model."""
    return batch["y"] + 0.0 * jax.vmap(model)(batch["x"])


def test_it_learns():
    config = dataclasses.replace(QUICK, epochs=60)
    history = fit(make_model(), squared_error, make_data(), config=config).history
    assert history[-1].loss < 0.02 * history[0].loss


def test_same_seed_same_result():
    one, two = (fit(make_model(), squared_error, make_data(), config=QUICK).model for _ in range(2))
    assert eqx.tree_equal(one, two)


@pytest.fixture(scope="module")
def quick_model():
    return fit(make_model(), squared_error, make_data(), config=QUICK).model


# A setting that changes nothing is a setting that lies.
@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 5},
        {"batch_size": 8},
        {"learning_rate": 0.01},
        {"schedule": "constant"},
        {"schedule": "one-cycle"},
        {"warm_up": 0.5},
        {"weight_decay": 0.3},
        {"clip_norm": 0.01},
        {"clip_norm": None},
        {"averaging": 0.9},
        {"seed": 1},
    ],
)
def test_each_setting_changes_the_result(quick_model, change):
    after = fit(make_model(), squared_error, make_data(), config=dataclasses.replace(QUICK, **change)).model
    assert not eqx.tree_equal(quick_model, after)


@pytest.mark.parametrize("batch_size", [1, 7, 16, N, 1000])
def test_padding_does_not_count(batch_size):
    data = make_data()
    config = dataclasses.replace(QUICK, batch_size=batch_size, epochs=1)
    result = fit(make_model(), rows_seen, data, validation=data, config=config)
    np.testing.assert_allclose(result.history[0].loss, data["y"].mean(), rtol=1e-4)
    np.testing.assert_allclose(result.history[0].validation_loss, data["y"].mean(), rtol=1e-4)


def test_every_example_is_used_once_an_epoch():
    """The memory of the loss counts the visits; padding does not count."""

    def counted(model, batch, key, beside):
        visits = beside.memory.at[batch["row"]].add(beside.weights.astype(jnp.int32))
        return model.weight * jnp.ones(batch["row"].size), visits

    class One(eqx.Module):
        weight: jax.Array

    config = FitConfig(batch_size=10, epochs=1)
    weights, zero = One(jnp.zeros(())), jnp.zeros((), jnp.int32)
    optimiser = make_optimiser(config, 1e-3).init(weights)
    memory = jnp.zeros(N, jnp.int32)
    state = FitState(weights, weights, weights, optimiser, zero, zero, jnp.asarray(jnp.inf), memory)
    rows = {"row": jnp.arange(N)}
    examples = Examples(One(None), rows, counted, config.batch_size)
    state, _ = train_epoch(state, examples, jax.random.key(0), config)
    assert state.memory.tolist() == [1] * N


def test_best_epoch_is_that_of_the_lowest_validation_loss():
    config = dataclasses.replace(QUICK, epochs=12, learning_rate=0.3, schedule="constant")
    result = fit(make_model(), squared_error, make_data(), validation=make_data(seed=1), config=config)
    losses = [record.validation_loss for record in result.history]
    assert result.best_epoch == 1 + int(np.argmin(losses))
    mean = jnp.mean(squared_error(result.model, jax.tree.map(jnp.asarray, make_data(seed=1)), None))
    np.testing.assert_allclose(mean, min(losses), rtol=1e-5)


def test_patience_stops_early():
    config = dataclasses.replace(QUICK, epochs=50, patience=2)
    noise = make_data(seed=1) | {"y": np.random.default_rng(2).normal(size=N).astype(np.float32)}
    result = fit(make_model(), squared_error, make_data(), validation=noise, config=config)
    assert len(result.history) == result.best_epoch + 2 < 50


def test_frozen_leaves_stay():
    model = make_model()
    trainable = eqx.tree_at(lambda m: m.layers[0].weight, jax.tree.map(eqx.is_inexact_array, model), False)
    config = dataclasses.replace(QUICK, weight_decay=0.5, averaging=0.9)
    fitted = fit(model, squared_error, make_data(), config=config, trainable=trainable).model
    assert jnp.array_equal(fitted.layers[0].weight, model.layers[0].weight)
    assert not jnp.array_equal(fitted.layers[1].weight, model.layers[1].weight)


def test_the_loop_compiles_once():
    traces = []

    def counted(model, batch, key):
        traces.append(1)
        return squared_error(model, batch, key)

    fit(make_model(), counted, make_data(), config=dataclasses.replace(QUICK, epochs=2))
    few = len(traces)
    fit(make_model(), counted, make_data(), config=dataclasses.replace(QUICK, epochs=20))
    assert len(traces) == 2 * few


def test_nan_names_the_epoch_and_what_to_try():
    data = make_data()
    data["x"][5, 1] = np.nan
    with pytest.raises(NebuliumError, match=r"epoch 1: expected a finite training loss.*learning_rate"):
        fit(make_model(), squared_error, data, config=QUICK)


def test_nan_in_validation_is_named():
    validation = make_data(seed=1)
    validation["y"][0] = np.inf
    with pytest.raises(NebuliumError, match="epoch 1: expected a finite validation loss"):
        fit(make_model(), squared_error, make_data(), validation=validation, config=QUICK)


def test_loss_must_be_one_number_per_example():
    with pytest.raises(ValueError, match="one loss per example"):
        fit(make_model(), lambda *args: jnp.mean(squared_error(*args)), make_data(), config=QUICK)


@pytest.mark.parametrize("data", [{}, {"x": np.zeros((0, 2))}, {"x": np.zeros((3, 2)), "y": np.zeros(2)}])
def test_lengths_must_agree(data):
    with pytest.raises(ValueError, match="one common length"):
        fit(make_model(), squared_error, data, config=QUICK)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("patience", 0),
        ("learning_rate", 0.0),
        ("warm_up", 1.0),
        ("weight_decay", -1.0),
        ("clip_norm", 0.0),
        ("averaging", 1.0),
    ],
)
def test_settings_that_make_no_sense(name, value):
    with pytest.raises(ValueError, match=f"FitConfig: {name}"):
        FitConfig(**{name: value})


def test_an_unknown_schedule_is_refused():
    with pytest.raises((ValueError, TypeCheckError), match="one-cycle"):
        FitConfig(schedule="linear")


def test_shapes_are_checked_while_testing():
    """The import hook is on: a wrong shape is caught at the call."""
    with pytest.raises(TypeCheckError):
        weighted_mean(jnp.zeros(3), jnp.zeros(2))


def test_progress_is_shown_on_standard_error(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    fit(make_model(), squared_error, make_data(), config=QUICK, progress=True)
    shown = capsys.readouterr()
    assert "training: 4 of 4 epochs, loss" in shown.err
    assert shown.out == ""


def count_examples_met(model, batch, key, beside):
    """A loss that is the number of examples met before, padding not counted."""
    nothing = 0.0 * jax.vmap(model)(batch["x"])[:, 0]
    return nothing + beside.memory, beside.memory + jnp.sum(beside.weights)


@pytest.mark.parametrize("wrap", [lambda data: data, ArrayRows])
def test_a_memory_goes_on_from_batch_to_batch_and_from_epoch_to_epoch(wrap):
    model = eqx.nn.Linear(1, 1, key=jax.random.key(0))
    data = wrap({"x": np.ones((10, 1), np.float32)})
    config = FitConfig(epochs=2, batch_size=4)
    result = fit(model, count_examples_met, data, config=config, memory=jnp.zeros(()))
    # Batches of 4, 4 and 2 meet 0, 4 and 8 before them; the second epoch 10 more each.
    np.testing.assert_allclose([record.loss for record in result.history], [3.2, 13.2], rtol=1e-6)


def test_the_teacher_is_the_average_and_gets_no_gradient():
    model = eqx.nn.Linear(1, 1, use_bias=False, key=jax.random.key(0))

    def distance_to_teacher(model, batch, key, beside):
        gap = jax.vmap(model)(batch["x"])[:, 0] - jax.vmap(beside.teacher)(batch["x"])[:, 0]
        return gap - 2.0 * jax.vmap(model)(batch["x"])[:, 0], beside.memory

    data = {"x": np.ones((8, 1), np.float32)}
    config = FitConfig(
        epochs=3, batch_size=8, schedule="constant", warm_up=0.0, learning_rate=0.1, weight_decay=0.0
    )
    result = fit(model, distance_to_teacher, data, config=config, memory=jnp.zeros(()))
    # The gradient through the model alone is -1: its weight grows, and the average follows behind.
    start = float(model.weight[0, 0])
    assert start < float(result.model.weight[0, 0]) < start + 0.3


def test_a_memory_needs_a_loss_to_validate_by():
    model = eqx.nn.Linear(1, 1, key=jax.random.key(0))
    data = {"x": np.ones((4, 1), np.float32)}
    with pytest.raises(ValueError, match="validation_loss_fn"):
        fit(model, count_examples_met, data, validation=data, memory=jnp.zeros(()))


def test_the_learning_rate_rises_and_falls():
    rate = learning_rates(FitConfig(learning_rate=0.1, warm_up=0.5), 100)
    expected = [0.0, 0.05, 0.1, 0.05, 0.0]
    assert [float(rate(step)) for step in (0, 25, 50, 75, 100)] == pytest.approx(expected, abs=1e-6)


def test_the_course_of_the_learning_rate_is_compiled_once_for_all_epochs_and_seeds(monkeypatch):
    made = []

    def counted(config, steps):
        made.append(steps)
        return learning_rates(config, steps)

    monkeypatch.setattr("nebulium.training.config.learning_rates", counted)
    for seed in (0, 1):
        config = dataclasses.replace(QUICK, epochs=4, learning_rate=0.0123, seed=seed)
        fit(make_model(), squared_error, make_data(), config=config)
    assert len(made) == 1


def test_the_mean_loss_leaves_out_what_fills_the_last_batch():
    loss = lambda weight, batch, key: (weight - batch) ** 2  # noqa: E731
    found = mean_loss(jnp.ones(()), Examples(None, jnp.arange(3.0), loss, batch_size=2), jax.random.key(0))
    assert found == pytest.approx(2 / 3)


def test_the_best_epoch_is_that_of_the_lowest_loss():
    epoch, best_epoch, best_loss = jnp.asarray(3), jnp.asarray(2), jnp.asarray(0.5)
    state = FitState(jnp.ones(1), jnp.ones(1), jnp.zeros(1), None, epoch, best_epoch, best_loss)
    assert [int(keep_best(state, jnp.asarray(loss)).best_epoch) for loss in (0.4, 0.6)] == [3, 2]


def test_a_fingerprint_knows_names_and_values():
    prints = [fingerprint(tree) for tree in ({"x": jnp.zeros(3)}, {"y": jnp.zeros(3)}, {"x": jnp.ones(3)})]
    assert len(set(prints)) == 3
    assert fingerprint({"x": jnp.zeros(3)}) == prints[0]


@pytest.mark.parametrize("share", [replicated, split_batch, on_one_device])
def test_one_device_shares_nothing(share):
    assert share({"x": 1.0}, None) == {"x": 1.0}
