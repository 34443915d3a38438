"""Kernel logistic regression: it learns what a line cannot, is calibrated, and takes missing labels."""

import jax
import numpy as np
import pytest

from nebulium.metrics.classes import expected_calibration_error
from nebulium.properties.kernel_classes import fit_kernel_classes


def rings(n, seed):
    """Two classes, one around the other, with noise; the third feature says nothing."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 3)).astype(np.float32)
    outer = random.random(n) < 1 / (1 + np.exp(-4 * (np.hypot(x[:, 0], x[:, 1]) - 1.2)))
    return x, outer.astype(float)


@pytest.fixture(scope="module")
def fitted():
    x, outer = rings(600, 0)
    labels = np.stack([outer, np.where(np.arange(600) % 2 == 0, x[:, 2] > 0, np.nan)], axis=1)
    return fit_kernel_classes(x, labels, groups=(2, 1), counts=(2, 2))


def said_of(law, x):
    return np.asarray(jax.jit(jax.vmap(law.probabilities))(x))


def test_what_no_line_separates_is_learned_and_calibrated(fitted):
    law, temperature = fitted
    x, outer = rings(4000, 1)
    said = said_of(law, x)
    right = (said[:, 1] > 0.5) == outer
    best = np.mean(
        np.maximum(*(lambda p: (p, 1 - p))(1 / (1 + np.exp(-4 * (np.hypot(x[:, 0], x[:, 1]) - 1.2)))))
    )
    assert right.mean() > best - 0.04
    warm = said[:, :2] ** (1 / temperature[0])
    warm /= warm.sum(axis=1, keepdims=True)
    assert expected_calibration_error(right, warm.max(axis=1)) < 0.05
    np.testing.assert_allclose(said[:, 2:].sum(axis=1), 1.0, atol=1e-5)


def test_half_of_the_labels_teach_the_second_target(fitted):
    x, _ = rings(1000, 2)
    assert np.mean((said_of(fitted[0], x)[:, 3] > 0.5) == (x[:, 2] > 0)) > 0.9


def test_galaxies_far_from_all_others_get_the_frequencies(fitted):
    law, _ = fitted
    far = said_of(law, np.full((1, 3), 1e6, np.float32))
    assert np.all(np.isfinite(far))


def test_a_balanced_fit_finds_more_of_the_rare_class():
    random = np.random.default_rng(3)
    label = (random.random(400) < 0.1).astype(float)
    x = (random.normal(size=(400, 2)) + 1.2 * label[:, None]).astype(np.float32)
    found = []
    for balance in (0.0, 1.0):
        law, _ = fit_kernel_classes(x, label[:, None], groups=(2,), counts=(2,), balance=balance)
        found.append(np.sum(said_of(law, x)[:, 1] > 0.5))
    assert found[1] > 2 * found[0]
