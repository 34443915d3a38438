"""Laws of the model of properties, for every head."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.data.images.stretches import Stretch
from nebulium.nn.densities import HEADS
from nebulium.properties.model import PropertyModel
from nebulium.training.augmentation import orientations


def make(head="gaussian", **others):
    settings = {
        "targets": ["oh12", "log_mstar"],
        "bands": ["g", "r", "i"],
        "unit": "nanomaggy",
        "size": 24,
        "stretch": Stretch("asinh", (0.1, 0.1, 0.2)).as_dict(),
        "encoder": "resnet-small",
        "head": head,
        "domain_references": 16,
        "key": jax.random.key(3),
    }
    model = PropertyModel(**(settings | others))
    scales = (jnp.array([8.8, 10.0]), jnp.array([0.2, 0.6]))
    return eqx.tree_at(lambda m: (m.target_mean, m.target_scale), model, scales)


def images(n=8):
    return jax.random.normal(jax.random.key(1), (n, 24, 24, 3))


# Two programs a model: one for eight images, one for one.
said_of = eqx.filter_jit(lambda model, images: jax.vmap(model)(images))
said_alone = eqx.filter_jit(lambda model, image: model(image))


@pytest.fixture(scope="module")
def models():
    made = {head: make(head) for head in HEADS}
    made["two networks"] = make(members=2)
    made["binned"] = make(encoder_binning=2, with_profiles=False)
    made["process"] = make(references=8, network_targets=5, members=2)
    return made


NAMES = (*HEADS, "two networks", "binned", "process")


@pytest.mark.parametrize("name", NAMES)
def test_one_equals_batch(models, name):
    together = said_of(models[name], images())
    alone = said_alone(models[name], images()[1])
    for several, one in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
        np.testing.assert_allclose(several[1], one, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_orientation_does_not_matter(models, name):
    said = said_of(models[name], orientations(images(1)[0]))
    np.testing.assert_allclose(said.median, jnp.broadcast_to(said.median[0], said.median.shape), atol=1e-3)
    np.testing.assert_allclose(said.sigma, jnp.broadcast_to(said.sigma[0], said.sigma.shape), rtol=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_quantiles_are_in_order_and_finite(models, name):
    said = said_of(models[name], images())
    assert bool(jnp.all((said.q16 < said.median) & (said.median < said.q84)))
    np.testing.assert_allclose(said.sigma, 0.5 * (said.q84 - said.q16), rtol=1e-4)


def test_the_interval_factor_widens_each_target_by_itself(models):
    model = models["gaussian"]
    wider = eqx.tree_at(lambda m: m.interval_factor, model, jnp.array([2.0, 1.0]))
    before, after = (said_alone(one, images()[0]) for one in (model, wider))
    np.testing.assert_allclose(after.sigma / before.sigma, [2.0, 1.0], rtol=1e-4)
    np.testing.assert_array_equal(after.median, before.median)


def test_networks_that_disagree_are_less_certain(models):
    model = models["two networks"]
    same = eqx.tree_at(lambda m: m.networks, model, (model.networks[0],) * 2)
    bias = lambda m: m.networks[1].head.linear.bias  # noqa: E731
    moved = eqx.tree_at(bias, same, bias(same).at[0].add(3.0))
    agreed, disputed = (said_alone(one, images()[0]) for one in (same, moved))
    # Half of the difference, 1.5, in quadrature.
    variance = (agreed.sigma[0] / 0.2) ** 2 + 1.5**2
    np.testing.assert_allclose(disputed.sigma[0] / 0.2, jnp.sqrt(variance), rtol=0.02)
    np.testing.assert_allclose(disputed.sigma[1], agreed.sigma[1], rtol=1e-4)


def test_the_density_is_that_of_all_networks_and_orientations(models):
    image, places = images()[0], jnp.linspace(-60.0, 60.0, 4001)
    for name in ("gaussian", "mixture", "two networks"):
        # Stretched intervals stretch the density.
        model = eqx.tree_at(lambda m: m.interval_factor, models[name], jnp.array([1.0, 1.7]))
        scale = model.target_scale[:, None]
        grid = (model.target_mean[:, None] + scale * places[None, :]).T
        log = eqx.filter_jit(
            lambda model, grid, image: jax.vmap(lambda at: model.log_density(image, at))(grid)
        )
        density = np.exp(np.asarray(log(model, grid, image)))
        step = np.asarray(grid[1] - grid[0])
        np.testing.assert_allclose(density.sum(axis=0) * step, 1.0, rtol=5e-3)
        mean = (density * np.asarray(grid)).sum(axis=0) * step
        np.testing.assert_allclose(mean, said_alone(model, image).median, atol=0.3)
    assert bool(jnp.isnan(models["gaussian"].log_density(image, jnp.array([jnp.nan, 10.0]))[0]))


@pytest.mark.parametrize("name", ["quantiles", "process"])
def test_what_has_no_density_says_so(models, name):
    assert not models[name].has_density
    with pytest.raises(ValueError, match="gives no density"):
        models[name].log_density(images()[0], jnp.zeros(2))
