"""Blocks that encoders are made of keep or halve the size of an image."""

import jax
import jax.numpy as jnp
import numpy as np

from nebulium.nn.convnext import ConvNeXtBlock
from nebulium.nn.convolution import ChannelNorm, PointwiseLinear
from nebulium.nn.densities import Interval
from nebulium.nn.residual import ResidualBlock


def shape_through(block, *shape):
    return jax.eval_shape(block, jax.ShapeDtypeStruct(shape, jnp.float32)).shape


def test_shapes():
    key = jax.random.key(0)
    assert shape_through(ConvNeXtBlock(8, kernel=5, key=key), 6, 6, 8) == (6, 6, 8)
    assert shape_through(PointwiseLinear(3, 5, key=key), 4, 4, 3) == (4, 4, 5)
    assert shape_through(ResidualBlock(4, 8, stride=2, key=key), 8, 8, 4) == (4, 4, 8)


def test_channels_are_normalised_in_each_pixel():
    np.testing.assert_allclose(ChannelNorm(2)(jnp.array([[[1.0, 3.0]]])), [[[-1.0, 1.0]]], atol=0.01)


def test_sigma_is_half_of_the_central_interval():
    assert Interval(jnp.zeros(1), -jnp.ones(1), jnp.full(1, 3.0)).sigma.tolist() == [2.0]
