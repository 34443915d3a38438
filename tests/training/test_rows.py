"""Rows read when needed: the same training as from memory, chunk by chunk, and nothing read twice."""

import dataclasses
import threading

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.errors import OutputError
from nebulium.training import ArrayRows, FitConfig, fit, rows
from nebulium.training.batches import make_batches
from nebulium.training.rows import count_examples, fingerprint_data, is_row_source, read_chunks

N = 103
CONFIG = FitConfig(epochs=3, batch_size=8, learning_rate=0.05)


class Recorded:
    """Arrays behind the interface of a source, which remembers what was asked of it."""

    def __init__(self, arrays):
        self.arrays = arrays
        self.taken = []
        self.threads = set()

    def __len__(self):
        return len(self.arrays["y"])

    def take(self, rows):
        self.taken.append(np.array(rows))
        self.threads.add(threading.current_thread().name)
        return {name: array[rows] for name, array in self.arrays.items()}


def arrays_of(n=N, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)
    return {"x": x, "y": x @ np.array([1.0, -2.0], np.float32)}


def model():
    return eqx.nn.MLP(2, "scalar", 8, 1, key=jax.random.key(0))


def noisy_loss(model, batch, key):
    """With the key of the batch, so that a step given another's shows."""
    target = batch["y"] + 0.1 * jax.random.normal(key, batch["y"].shape)
    return (jax.vmap(model)(batch["x"]) - target) ** 2


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of about three batches: five of an epoch, the last one shorter."""
    monkeypatch.setattr(rows, "CHUNK_BYTES", 3 * CONFIG.batch_size * 12)


def test_rows_train_as_arrays_do(small_chunks):
    validation = arrays_of(41, seed=1)
    whole = fit(model(), noisy_loss, arrays_of(), validation=validation, config=CONFIG)
    read = fit(model(), noisy_loss, Recorded(arrays_of()), validation=Recorded(validation), config=CONFIG)
    for one, other in zip(read.history, whole.history, strict=True):
        np.testing.assert_allclose(one.loss, other.loss, rtol=1e-5)
        np.testing.assert_allclose(one.validation_loss, other.validation_loss, rtol=1e-5)
    for one, other in zip(jax.tree.leaves(read.model), jax.tree.leaves(whole.model), strict=True):
        if eqx.is_array(one):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_batches_hold_the_rows_of_the_epoch_in_order(small_chunks):
    order = np.random.default_rng(0).permutation(N)
    source = Recorded(arrays_of())
    batches = make_batches(jnp.asarray(order, jnp.int32), CONFIG.batch_size)
    chunks = list(read_chunks(source, batches))
    assert [len(chunk) for chunk in chunks] == [3, 3, 3, 3, 1]
    steps = [step for chunk in chunks for step in chunk]
    assert [int(number) for number, _, _ in steps] == list(range(13))
    assert {batch["x"].shape for _, batch, _ in steps} == {(CONFIG.batch_size, 2)}
    used = np.concatenate([batch["y"][weights > 0] for _, batch, weights in steps])
    np.testing.assert_array_equal(used, source.arrays["y"][order])


def test_reading_is_done_ahead_in_one_thread(small_chunks):
    source = Recorded(arrays_of())
    chunks = read_chunks(source, make_batches(jnp.arange(N), CONFIG.batch_size))
    next(chunks)
    source.threads.discard(threading.current_thread().name)  # the row that tells the size
    next(chunks)
    assert len(source.taken) <= 1 + 3
    chunks.close()
    assert source.threads == {"rows_0"}


def test_arrays_may_be_trained_on_as_rows():
    rows = fit(model(), noisy_loss, ArrayRows(arrays_of()), config=CONFIG)
    recorded = fit(model(), noisy_loss, Recorded(arrays_of()), config=CONFIG)
    assert [record.loss for record in rows.history] == [record.loss for record in recorded.history]


def test_the_step_compiles_once_however_long_and_fast_the_training(small_chunks):
    traces = []

    def counted(model, batch, key):
        traces.append(1)
        return noisy_loss(model, batch, key)

    fit(model(), counted, Recorded(arrays_of()), config=CONFIG)
    assert len(traces) == 1
    others = dataclasses.replace(CONFIG, epochs=6, learning_rate=0.01, schedule="constant", seed=4)
    fit(model(), counted, Recorded(arrays_of(7 * N)), config=others)
    assert len(traces) == 1


def test_an_error_while_reading_reaches_the_caller(small_chunks):
    source = Recorded(arrays_of())
    source.arrays["x"] = source.arrays["x"][:50]
    with pytest.raises(IndexError, match="out of bounds"):
        fit(model(), noisy_loss, source, config=CONFIG)


def test_an_array_is_not_a_source():
    assert not is_row_source(np.zeros(3))
    assert not is_row_source(jnp.zeros(3))
    assert not is_row_source(None)
    assert is_row_source(Recorded(arrays_of()))


def test_a_source_must_not_be_empty():
    with pytest.raises(ValueError, match="at least 1"):
        count_examples(Recorded(arrays_of(0)))


@pytest.mark.parametrize("other", [arrays_of(seed=1), arrays_of(N + 1)])
def test_another_source_is_not_resumed(tmp_path, other):
    fit(model(), noisy_loss, Recorded(arrays_of()), config=CONFIG, run_folder=tmp_path / "run")
    assert fingerprint_data(Recorded(arrays_of())) != fingerprint_data(Recorded(other))
    with pytest.raises(OutputError, match="data = "):
        fit(model(), noisy_loss, Recorded(other), config=CONFIG, run_folder=tmp_path / "run", resume=True)
