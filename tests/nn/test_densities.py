"""Laws that every head obeys, and what each one learns."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.stats import norm

from nebulium.nn.densities import HEADS, MixtureHead, QuantileHead

INPUTS, TARGETS = 6, 3


@pytest.fixture(params=HEADS)
def head(request):
    return HEADS[request.param](INPUTS, TARGETS, key=jax.random.key(1))


def vectors(n, seed=0):
    return jax.random.normal(jax.random.key(seed), (n, INPUTS))


def labels(n, seed=1):
    return jax.random.normal(jax.random.key(seed), (n, TARGETS))


def test_quantiles_are_in_order(head):
    said = jax.vmap(head.interval)(10.0 * vectors(50))
    assert bool(jnp.all((said.q16 < said.median) & (said.median < said.q84)))
    assert bool(jnp.allclose(said.sigma, 0.5 * (said.q84 - said.q16)))


def test_a_missing_label_teaches_nothing(head):
    vector, label = vectors(1)[0], jnp.array([0.3, jnp.nan, -1.0])

    def loss(head, label):
        return jnp.sum(head.loss(vector, label, jnp.zeros(TARGETS)))

    gradient = eqx.filter_grad(loss)(head, label)
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradient))
    assert float(head.loss(vector, label, jnp.zeros(TARGETS))[1]) == 0.0
    # The other two targets are taught as if the missing one were not there.
    with_any = head.loss(vector, label.at[1].set(7.0), jnp.zeros(TARGETS))
    np.testing.assert_array_equal(
        head.loss(vector, label, jnp.zeros(TARGETS))[jnp.array([0, 2])], with_any[jnp.array([0, 2])]
    )


def test_one_equals_batch(head):
    several, label, sigma = vectors(5), labels(5), 0.1 * jnp.ones((5, TARGETS))
    together = jax.vmap(head.loss)(several, label, sigma)
    alone = [head.loss(several[i], label[i], sigma[i]) for i in range(5)]
    np.testing.assert_allclose(together, jnp.stack(alone), rtol=1e-5, atol=1e-6)


def fitted(head, x, y, label_sigma, steps=400):
    optimiser = optax.adam(0.02)
    weights, fixed = eqx.partition(head, eqx.is_inexact_array)
    state = optimiser.init(weights)

    @jax.jit
    def step(weights, state):
        def loss(weights):
            of = eqx.combine(weights, fixed).loss
            return jnp.mean(jax.vmap(of)(x, y, label_sigma))

        with jax.numpy_dtype_promotion("standard"):
            updates, state = optimiser.update(jax.grad(loss)(weights), state)
        return optax.apply_updates(weights, updates), state

    for _ in range(steps):
        weights, state = step(weights, state)
    return eqx.combine(weights, fixed)


def test_intervals_hold_68_per_cent_where_the_noise_depends_on_the_input(head):
    x = vectors(4000)
    scatter = jnp.exp(0.5 * x[:, :1])
    y = x[:, :TARGETS] + scatter * labels(4000)
    said = jax.vmap(fitted(head, x, y, jnp.zeros_like(y)).interval)(x)
    wide = scatter[:, 0] > 1
    for part in (wide, ~wide):
        inside = jnp.mean(((y > said.q16) & (y < said.q84))[part])
        assert abs(float(inside) - 0.68) < 0.06


@pytest.mark.parametrize("name", ["gaussian", "mixture"])
def test_known_errors_of_labels_are_taken_out(name):
    x = vectors(4000)
    label_sigma = jnp.full((4000, TARGETS), 1.0)
    y = x[:, :TARGETS] + 0.5 * labels(4000) + label_sigma * labels(4000, seed=5)
    head = HEADS[name](INPUTS, TARGETS, key=jax.random.key(1))
    sigma = jax.vmap(fitted(head, x, y, label_sigma).interval)(x).sigma
    assert abs(float(jnp.median(sigma)) - 0.5) < 0.12


def test_the_quantiles_of_a_mixture_are_those_of_its_distribution():
    head = MixtureHead(INPUTS, 1, key=jax.random.key(2))
    head = eqx.tree_at(lambda h: h.linear.bias, head, jnp.array([0, 1, 2, -2, 0, 3, 0.3, 1, 2.0]))
    said = head.interval(jnp.zeros(INPUTS))
    logit, mean, raw = np.asarray(head.linear(jnp.zeros(INPUTS))).reshape(3, 3)
    weight = np.exp(logit) / np.exp(logit).sum()
    sigma = 0.02 + np.log1p(np.exp(raw))
    for value, level in ((said.q16, 0.16), (said.median, 0.5), (said.q84, 0.84)):
        assert np.sum(weight * norm.cdf((float(value[0]) - mean) / sigma)) == pytest.approx(level, abs=1e-4)


def test_all_five_quantiles_of_a_quantile_head_are_learnt():
    x = vectors(4000)
    y = labels(4000)
    head = fitted(QuantileHead(INPUTS, TARGETS, key=jax.random.key(1)), x, y, jnp.zeros_like(y))
    share_below = jnp.mean(y[:, None, :] < jax.vmap(head.quantiles)(x), axis=(0, 2))
    np.testing.assert_allclose(share_below, [0.025, 0.16, 0.5, 0.84, 0.975], atol=0.03)
