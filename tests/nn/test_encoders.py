"""Laws that every encoder obeys."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.nn import convolution
from nebulium.nn.convnext import ConvNeXt, _gelu
from nebulium.nn.convolution import Convolution, DepthwiseConvolution
from nebulium.nn.encoders import ENCODERS, encode, make_encoder
from nebulium.nn.residual import ResNet

SMALL = {
    "convnext": partial(ConvNeXt, widths=(8, 16), depths=(1, 1)),
    "resnet": partial(ResNet, widths=(8, 16), depths=(1, 1), stem_kernel=3, stem_stride=2),
}


@pytest.fixture(params=SMALL)
def encoder(request):
    """Of the shape of all others, and small."""
    return SMALL[request.param](3, key=jax.random.key(0))


@jax.jit
def encode_one(encoder, image):
    return encoder(image)


def images(n, side=32):
    return jax.random.normal(jax.random.key(1), (n, side, side, 3))


def test_one_equals_batch(encoder):
    several = images(3)
    alone = jnp.stack([encode_one(encoder, image) for image in several])
    np.testing.assert_allclose(jax.jit(jax.vmap(encoder))(several), alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", [1, 2, 5, 33, 64])
def test_images_of_any_size(encoder, side):
    vector = encode_one(encoder, images(1, side)[0])
    assert vector.shape == (encoder.width,)
    assert bool(jnp.all(jnp.isfinite(vector)))


def test_the_vector_is_pooled_from_the_feature_map(encoder):
    image = images(1)[0]
    pooled = jax.jit(lambda encoder, image: encoder.pooled(encoder.feature_map(image)))(encoder, image)
    np.testing.assert_array_equal(pooled, encode_one(encoder, image))


def test_an_empty_image_has_a_finite_gradient(encoder):
    gradient = jax.jit(jax.grad(lambda e: jnp.sum(e(jnp.zeros((16, 16, 3))))))(encoder)
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradient))


def test_half_precision_says_nearly_the_same(encoder):
    image = images(1)[0]
    full, half = (jax.jit(partial(encode, in_half=half))(encoder, image) for half in (False, True))
    assert float(jnp.corrcoef(full, half)[0, 1]) > 0.999


@pytest.mark.parametrize("name", ENCODERS)
def test_all_encoders_have_the_shape_they_are_named_for(name):
    skeleton = eqx.filter_eval_shape(lambda key: make_encoder(name, 4, key=key), jax.random.key(0))
    vector = eqx.filter_eval_shape(lambda encoder, image: encoder(image), skeleton, jnp.zeros((64, 64, 4)))
    assert vector.shape == (skeleton.width,)


@pytest.mark.parametrize(("name", "layers"), [("resnet18", 18), ("resnet34", 34)])
def test_residual_networks_have_their_number_of_layers(name, layers):
    skeleton = eqx.filter_eval_shape(lambda key: make_encoder(name, 3, key=key), jax.random.key(0))
    in_blocks = sum(len(block.convolutions) for block in skeleton.blocks)
    # The stem, and the head that the library keeps apart.
    assert in_blocks + 2 == layers


def test_an_unknown_encoder_is_refused():
    with pytest.raises(ValueError, match="convnext-nano"):
        make_encoder("resnet50", 3, key=jax.random.key(0))


def grouped(layer, image):
    """The same depthwise convolution by the compiler's own."""
    kernel = layer.weight[:, :, None, :]
    convolved = jax.lax.conv_general_dilated(
        image[None],
        kernel,
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=image.shape[-1],
    )
    return convolved[0] + layer.bias[None, None, :]


def test_the_sum_of_shifted_images_is_the_depthwise_convolution():
    layer = DepthwiseConvolution(5, kernel=7, key=jax.random.key(3))
    image = jax.random.normal(jax.random.key(4), (12, 9, 5))
    ours, theirs = jax.jit(lambda layer, image: (layer(image), grouped(layer, image)))(layer, image)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("height", "width", "kernel"), [(12, 9, 7), (8, 8, 5), (2, 3, 5), (1, 1, 3)])
def test_the_depthwise_convolution_has_one_value_and_gradient_on_all_devices(height, width, kernel):
    image, gradient = jax.random.normal(jax.random.key(1), (2, height, width, 5))
    weight = jax.random.normal(jax.random.key(2), (kernel, kernel, 5))
    here, there = (
        jax.jit(form)(image, weight) for form in (convolution._sum_of_runs, convolution._sum_of_shifted)
    )
    np.testing.assert_allclose(here, there, rtol=1e-5, atol=1e-5)
    forms = convolution._gradients_by_runs, convolution._gradients_of_shifted
    by_runs, of_shifted = (jax.jit(form)(image, weight, gradient) for form in forms)
    for one, other in zip(by_runs, of_shifted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_the_gradient_of_a_batch_is_that_of_the_compilers_depthwise_convolution():
    layer = DepthwiseConvolution(4, kernel=5, key=jax.random.key(3))
    several = jax.random.normal(jax.random.key(4), (3, 7, 6, 4))

    def loss(layer, several, form):
        return jnp.sum(jnp.sin(jax.vmap(lambda image: form(layer, image))(several)))

    ours = eqx.filter_jit(eqx.filter_grad(loss))(layer, several, lambda layer, image: layer(image))
    theirs = eqx.filter_jit(eqx.filter_grad(loss))(layer, several, grouped)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_the_linear_unit_is_the_usual_one_and_so_is_its_slope():
    values = jnp.concatenate([jnp.linspace(-12.0, 12.0, 97), jnp.array([-1e20, -1e4, 1e4])])
    np.testing.assert_allclose(_gelu(values), jax.nn.gelu(values), rtol=1e-5, atol=1e-6)
    slopes = [jax.jit(jax.vmap(jax.grad(unit)))(values[:97]) for unit in (_gelu, jax.nn.gelu)]
    np.testing.assert_allclose(*slopes, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("side", "stride", "expected"), [(9, 2, 5), (8, 2, 4), (7, 4, 2), (1, 2, 1)])
def test_a_stride_keeps_every_so_many_pixels(side, stride, expected):
    layer = Convolution(2, 3, kernel=3, stride=stride, key=jax.random.key(0))
    assert eqx.filter_jit(layer)(jnp.ones((side, side, 2))).shape == (expected, expected, 3)
