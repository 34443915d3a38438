"""The queue holds the keys met last, padding apart, and no galaxy is its own counterexample."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.photoz.images.contrastive import KeyQueue, info_nce


def unit(seed, n, features=8):
    vectors = jax.random.normal(jax.random.key(seed), (n, features))
    return vectors / jnp.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_oldest_keys_leave_first():
    queue = KeyQueue(6, 8)
    batches = [unit(seed, 2) for seed in range(5)]
    for batch in batches:
        queue = queue.enqueued(batch, jnp.ones(2))
    np.testing.assert_array_equal(queue.keys, jnp.concatenate([batches[3], batches[4], batches[2]]))
    assert int(queue.next) == 4


def test_padding_is_not_remembered():
    queue = KeyQueue(4, 8).enqueued(unit(0, 4), jnp.array([1.0, 1.0, 0.0, 0.0]))
    one = unit(1, 1)
    only_two = info_nce(one, one, queue)
    logits = jnp.concatenate([jnp.ones(1), (one @ unit(0, 4)[:2].T)[0]]) / 0.1
    np.testing.assert_allclose(only_two.loss[0], -jax.nn.log_softmax(logits)[0], rtol=1e-4)


def test_without_counterexamples_there_is_nothing_to_tell_apart():
    contrast = info_nce(unit(0, 3), unit(1, 3), KeyQueue(4, 8))
    np.testing.assert_allclose(contrast.loss, 0.0, atol=1e-6)
    np.testing.assert_array_equal(contrast.found, 1.0)


def test_a_key_among_its_own_counterexamples_would_cost():
    """What happens if keys are enqueued before the loss is taken: log 2 is the least there is."""
    keys = unit(0, 4)
    before = info_nce(keys, keys, KeyQueue(4, 8), temperature=0.01)
    after = info_nce(keys, keys, KeyQueue(4, 8).enqueued(keys, jnp.ones(4)), temperature=0.01)
    np.testing.assert_allclose(before.loss, 0.0, atol=1e-6)
    assert bool(jnp.all(after.loss > 0.69))


def test_like_views_cost_less_than_unlike_ones():
    queue = KeyQueue(32, 8).enqueued(unit(2, 32), jnp.ones(32))
    keys = unit(0, 4)
    near = keys + 0.1 * unit(3, 4)
    alike = info_nce(near / jnp.linalg.norm(near, axis=1, keepdims=True), keys, queue)
    unlike = info_nce(unit(4, 4), keys, queue)
    assert float(alike.loss.mean()) < float(unlike.loss.mean()) - 1.0


def test_a_queue_holds_whole_batches():
    with pytest.raises(ValueError, match="a multiple of the batch of 4, found 6"):
        KeyQueue(6, 8).enqueued(unit(0, 4), jnp.ones(4))
