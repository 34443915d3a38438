"""Convolutions of one image with the bands last, as a processor likes them.

On CPU, XLA's convolutions run twice as fast with the channels last, and a depthwise convolution as a sum of
shifted images three to four times as fast as the grouped one. Comments name what the compiler does badly
there, and how that is avoided; other devices get the plain form.
"""

import math
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

Image: TypeAlias = Float[Array, "height width band"]
FeatureMap: TypeAlias = Float[Array, "rows columns channels"]


class Convolution(eqx.Module):
    """Convolution of all channels.

    Parameters
    ----------
    channels_in, channels_out : int
    kernel : int
        Side of the kernel, in pixels.
    stride : int
        Every so many pixels are kept; the image is padded with zeros so that ceil(side / stride) remain.
    key : key
        Of the first weights: normal, of variance 2 / inputs (He et al. 2015, arXiv:1502.01852).

    Examples
    --------
    >>> halve = Convolution(3, 8, kernel=3, stride=2, key=jax.random.key(0))
    >>> halve(jnp.ones((9, 8, 3))).shape
    (5, 4, 8)
    """

    weight: Float[Array, "kernel kernel channels_in channels_out"]
    bias: Float[Array, " channels_out"]
    stride: int = eqx.field(static=True)

    def __init__(
        self, channels_in: int, channels_out: int, *, kernel: int, stride: int = 1, key: Key[Array, ""]
    ):
        scale = (2.0 / (kernel * kernel * channels_in)) ** 0.5
        self.weight = scale * normal_numbers(key, kernel, kernel, channels_in, channels_out)
        self.bias = jnp.zeros(channels_out, jnp.float32)
        self.stride = stride

    def __call__(self, image: Image) -> FeatureMap:
        """The convolved image, of shape (ceil(height / stride), ceil(width / stride), channels_out)."""
        convolved = jax.lax.conv_general_dilated(
            image[None],
            self.weight,
            window_strides=(self.stride, self.stride),
            padding="SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )[0]
        return convolved + self.bias[None, None, :]


class DepthwiseConvolution(eqx.Module):
    """Convolution of each channel with a kernel of its own.

    Parameters
    ----------
    channels : int
    kernel : int
        Side of the kernel, in pixels; odd.
    key : key
        Of the first weights.

    Examples
    --------
    >>> DepthwiseConvolution(4, kernel=5, key=jax.random.key(0))(jnp.ones((8, 8, 4))).shape
    (8, 8, 4)
    """

    weight: Float[Array, "kernel kernel channels"]
    bias: Float[Array, " channels"]

    def __init__(self, channels: int, *, kernel: int, key: Key[Array, ""]):
        self.weight = normal_numbers(key, kernel, kernel, channels) / kernel
        self.bias = jnp.zeros(channels, jnp.float32)

    def __call__(self, image: Image) -> FeatureMap:
        """The convolved image, of the same shape; zeros stand beyond its border."""
        return _depthwise(image, self.weight) + self.bias[None, None, :]


@jax.custom_vjp
def _depthwise(image: Image, weight: Float[Array, "kernel kernel channels"]) -> Image:
    return jax.lax.platform_dependent(image, weight, cpu=_sum_of_runs, default=_sum_of_shifted)


def _depthwise_forward(image: Image, weight: Array) -> tuple[Image, tuple[Image, Array]]:
    return _depthwise(image, weight), (image, weight)


def _depthwise_backward(inputs: tuple[Image, Array], gradient: Image) -> tuple[Image, Array]:
    return jax.lax.platform_dependent(
        *inputs, gradient, cpu=_gradients_by_runs, default=_gradients_of_shifted
    )


_depthwise.defvjp(_depthwise_forward, _depthwise_backward)


def _sum_of_shifted(image: Image, weight: Array) -> Image:
    kernel, (height, width, _) = weight.shape[0], image.shape
    border = kernel // 2
    padded = jnp.pad(image, ((border, border), (border, border), (0, 0)))
    total = jnp.zeros_like(image)
    for row in range(kernel):
        for column in range(kernel):
            shifted = padded[row : row + height, column : column + width]
            total = total + shifted * weight[row, column][None, None, :]
    return total


def _gradients_of_shifted(image: Image, weight: Array, gradient: Image) -> tuple[Image, Array]:
    return jax.vjp(_sum_of_shifted, image, weight)[1](gradient)


def _sum_of_runs(image: Image, weight: Array) -> Image:
    """The same with the rows of the padded image end to end, so that a shift is one run of memory."""
    height, width, channels = image.shape
    total = jnp.zeros((height * (width + weight.shape[0] - 1), channels), image.dtype)
    for run, values in zip(_runs(image, weight.shape[0]), weight.reshape(-1, channels), strict=True):
        total = total + run * values[None, :]
    return total.reshape(height, -1, channels)[:, :width]


def _gradients_by_runs(image: Image, weight: Array, gradient: Image) -> tuple[Image, Array]:
    """As differentiation finds them, but for the order of the sums: the weights' are taken in one pass."""
    kernel, channels = weight.shape[0], image.shape[-1]
    aligned = jnp.pad(gradient, ((0, 0), (0, kernel - 1), (0, 0))).reshape(-1, channels)
    # In single precision whatever the values are in: these are sums of many.
    products = tuple((run * aligned).astype(jnp.float32) for run in _runs(image, kernel))
    zeros = tuple(jnp.zeros((), jnp.float32) for _ in products)
    sums = jax.lax.reduce(products, zeros, _add_each, (0,))
    return _sum_of_runs(gradient, weight[::-1, ::-1]), jnp.stack(sums).reshape(weight.shape).astype(
        weight.dtype
    )


def _add_each(some: tuple[Array, ...], others: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(one + other for one, other in zip(some, others, strict=True))


def _runs(image: Image, kernel: int) -> list[Float[Array, "pixels channels"]]:
    """The padded image's pixels from each of the kernel's places on, the padding between rows with them."""
    border, (height, width, channels) = kernel // 2, image.shape
    row = width + 2 * border
    # A row more, for the last run to end in.
    padded = jnp.pad(image, ((border, border + 1), (border, border), (0, 0))).reshape(-1, channels)
    # Padded once: merged with the sum, the padding would be tested for at every product.
    padded = jax.lax.optimization_barrier(padded)
    starts = [i * row + j for i in range(kernel) for j in range(kernel)]
    return [padded[start : start + height * row] for start in starts]


class ChannelNorm(eqx.Module):
    """Each pixel's channels brought to mean 0 and variance 1, then scaled and shifted.

    Unlike statistics of a batch these are the galaxy's own, so that a prediction does not depend on which
    others it is made with. Ba et al. 2016, arXiv:1607.06450.

    Parameters
    ----------
    channels : int
    """

    scale: Float[Array, " channels"]
    shift: Float[Array, " channels"]

    def __init__(self, channels: int):
        self.scale = jnp.ones(channels, jnp.float32)
        self.shift = jnp.zeros(channels, jnp.float32)

    def __call__(self, values: Float[Array, "*pixels channels"]) -> Float[Array, "*pixels channels"]:
        """Normalised values, of the same shape."""
        # In single precision whatever the values are in: variances of many numbers need it.
        single = values.astype(jnp.float32)
        centred = single - jnp.mean(single, axis=-1, keepdims=True)
        variance = jnp.mean(centred**2, axis=-1, keepdims=True)
        axes = tuple(range(values.ndim - 1))
        scale, shift = (jnp.expand_dims(leaf, axes).astype(jnp.float32) for leaf in (self.scale, self.shift))
        # The small number keeps the gradient finite where all channels agree, as in an empty image.
        return (centred * jax.lax.rsqrt(variance + 1e-6) * scale + shift).astype(values.dtype)


class PointwiseLinear(eqx.Module):
    """A linear map of the channels of each pixel.

    Parameters
    ----------
    channels_in, channels_out : int
    key : key
        Of the first weights: normal, of variance 1 / inputs.
    """

    weight: Float[Array, "channels_in channels_out"]
    bias: Float[Array, " channels_out"]

    def __init__(self, channels_in: int, channels_out: int, *, key: Key[Array, ""]):
        self.weight = normal_numbers(key, channels_in, channels_out) / channels_in**0.5
        self.bias = jnp.zeros(channels_out, jnp.float32)

    def __call__(self, image: Image) -> FeatureMap:
        """The mapped image, of shape (height, width, channels_out)."""
        return image @ self.weight + self.bias[None, None, :]


def normal_numbers(key: Key[Array, ""], *shape: int) -> Float[Array, "..."]:
    """Normal numbers, those of `jax.random`, drawn as one row, which compiles several times as fast."""
    return jax.random.normal(key, (math.prod(shape),), jnp.float32).reshape(shape)
