"""Heads of p(z): always probabilities; the loss is the density at the label; training finds the density."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.density.heads import REDSHIFT_HEADS
from nebulium.training import FitConfig, fit

GRID = RedshiftGrid(most=3.0, bins=200)
INPUTS = 6
NONE = jnp.zeros((), jnp.float32)

each_head = pytest.mark.parametrize("name", sorted(REDSHIFT_HEADS))


def head_of(name, grid=GRID, spread=30.0):
    """A head whose density depends strongly on the vector."""
    head = REDSHIFT_HEADS[name](INPUTS, grid, key=jax.random.key(3))
    return eqx.tree_at(lambda one: one.linear.weight, head, spread * head.linear.weight)


def vectors(n=20):
    return jax.random.normal(jax.random.key(1), (n, INPUTS))


def number(value):
    return jnp.asarray(value, jnp.float32)


def log_masses(head):
    return np.asarray(jax.vmap(head)(vectors()), np.float64)


@each_head
def test_masses_are_probabilities_and_never_impossible(name):
    log_mass = log_masses(head_of(name))
    assert np.isfinite(log_mass).all()
    assert np.exp(log_mass).sum(axis=1) == pytest.approx(np.ones(20), abs=1e-5)


@each_head
def test_galaxies_differ(name):
    assert np.ptp(np.exp(log_masses(head_of(name))) @ GRID.centres) > 0.1


@each_head
@pytest.mark.parametrize("place", [3, 77, 198])
def test_the_loss_is_the_density_at_the_label(name, place):
    head, middle = head_of(name), number(GRID.centres[place])
    losses = jax.vmap(head.loss, in_axes=(0, None, None))(vectors(), middle, NONE)
    expected = np.log(GRID.width) - log_masses(head)[:, place]
    assert np.asarray(losses) == pytest.approx(expected, abs=1e-3)


@each_head
def test_a_label_with_an_error_is_compared_with_the_blurred_density(name):
    head, redshift, err = head_of(name), 0.9, 0.1
    losses = jax.vmap(head.loss, in_axes=(0, None, None))(vectors(), number(redshift), number(err))
    centres = (np.arange(GRID.bins) + 0.5) * GRID.width
    kernel = stats.norm.pdf(np.log1p(redshift), centres, err / (1 + redshift))
    expected = -np.log(np.exp(log_masses(head)) @ kernel)
    assert np.asarray(losses) == pytest.approx(expected, abs=0.02)


@each_head
def test_a_missing_label_teaches_nothing(name):
    value, gradient = eqx.filter_value_and_grad(
        lambda head: head.loss(vectors()[0], number(jnp.nan), number(jnp.nan))
    )(head_of(name))
    assert float(value) == 0
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(gradient))


@each_head
@pytest.mark.parametrize("redshift", [0.0, 3.0, 7.0])
def test_labels_at_the_ends_and_beyond_have_a_finite_loss_and_gradient(name, redshift):
    value, gradient = eqx.filter_value_and_grad(
        lambda head: head.loss(vectors()[0], number(redshift), number(0.01))
    )(head_of(name))
    assert np.isfinite(float(value))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@each_head
def test_a_missing_error_is_none(name):
    head, vector = head_of(name), vectors()[0]
    assert head.loss(vector, number(0.5), number(jnp.nan)) == head.loss(vector, number(0.5), NONE)


def trained(name, redshift, redshift_err):
    """A head that sees the same vector of every galaxy."""

    def loss(head, batch, key):
        return jax.vmap(head.loss, in_axes=(None, 0, 0))(jnp.ones(INPUTS), batch["z"], batch["err"])

    config = FitConfig(epochs=60, batch_size=250, learning_rate=0.05, weight_decay=0.0)
    data = {"z": redshift.astype(np.float32), "err": np.full(len(redshift), redshift_err, np.float32)}
    head = fit(REDSHIFT_HEADS[name](INPUTS, GRID, key=jax.random.key(0)), loss, data, config=config).model
    return np.exp(np.asarray(head(jnp.ones(INPUTS)), np.float64))


def of_two_minds(n=2000):
    draw = np.random.default_rng(0)
    return np.where(draw.random(n) < 0.7, draw.normal(0.4, 0.03, n), draw.normal(2.0, 0.05, n))


@each_head
def test_training_finds_a_density_of_two_peaks(name):
    mass = trained(name, of_two_minds(), 0.0)
    first, second = (np.abs(GRID.centres - peak) < 0.2 for peak in (0.4, 2.0))
    assert mass[first].sum() == pytest.approx(0.7, abs=0.03)
    assert mass[second].sum() == pytest.approx(0.3, abs=0.03)


@each_head
def test_errors_of_labels_are_taken_out_of_the_density(name):
    draw = np.random.default_rng(1)
    labels = draw.normal(1.0, 0.05, 2000) + draw.normal(0, 0.2, 2000)

    def width(mass):
        mean = mass @ GRID.centres
        return np.sqrt(mass @ (GRID.centres - mean) ** 2)

    assert width(trained(name, labels, 0.0)) == pytest.approx(np.hypot(0.2, 0.05), rel=0.1)
    assert width(trained(name, labels, 0.2)) < 0.12
