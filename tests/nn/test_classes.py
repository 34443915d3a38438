"""The head of classes: a loss that is minus the log-probability, and weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.nn.classes import ClassHead, split_by_target

COUNTS, EVEN = (3, 2), ((1.0, 1.0, 1.0), (1.0, 1.0))


@pytest.fixture(scope="module")
def head():
    return ClassHead(4, COUNTS, key=jax.random.key(0))


@pytest.fixture(scope="module")
def vector():
    return jax.random.normal(jax.random.key(1), (4,))


def test_probabilities_of_each_target_add_up_to_one(head, vector):
    parts = split_by_target(np.exp(head.log_probabilities(vector)), COUNTS)
    assert [len(part) for part in parts] == [3, 2]
    assert [float(part.sum()) for part in parts] == pytest.approx([1.0, 1.0], abs=1e-6)


def test_the_loss_is_minus_the_log_probability_times_the_weight(head, vector):
    log_p = head.log_probabilities(vector)
    loss = head.loss(vector, jnp.array([2.0, 0.0]), EVEN)
    assert loss.tolist() == pytest.approx([-float(log_p[2]), -float(log_p[3])])
    weighted = head.loss(vector, jnp.array([2.0, 0.0]), ((1.0, 1.0, 5.0), (0.5, 1.0)))
    assert weighted.tolist() == pytest.approx([5 * float(loss[0]), 0.5 * float(loss[1])])


def test_a_missing_class_teaches_nothing(head, vector):
    def total(head):
        return jnp.sum(head.loss(vector, jnp.array([jnp.nan, 1.0]), EVEN))

    slope = jax.grad(total)(head).linear.weight
    assert not np.any(slope[:3])
    assert np.all(np.isfinite(slope))
    assert np.any(slope[3:])
