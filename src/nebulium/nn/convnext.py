"""ConvNeXt: a convolutional network in the shape of a transformer (Liu et al. 2022, arXiv:2201.03545)."""

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from nebulium.nn.convolution import (
    ChannelNorm,
    Convolution,
    DepthwiseConvolution,
    FeatureMap,
    Image,
    PointwiseLinear,
)

EXPANSION = 4
# Start of the scale of each block's share: near the identity, so that deep stacks train at once.
FIRST_SCALE = 0.1
STEM_KERNEL, STEM_STRIDE = 7, 4
# Of the Gaussian error linear unit (Hendrycks & Gimpel 2016, arXiv:1606.08415); below -FLAT it is 0.
SLOPE, FLAT = (2.0 / math.pi) ** 0.5, 10.0


class ConvNeXtBlock(eqx.Module):
    """A depthwise convolution, then a small network on each pixel; added to the input.

    Parameters
    ----------
    channels : int
    kernel : int
        Of the depthwise convolution.
    key : key
    """

    spatial: DepthwiseConvolution
    norm: ChannelNorm
    expand: PointwiseLinear
    contract: PointwiseLinear
    scale: Float[Array, " channels"]

    def __init__(self, channels: int, *, kernel: int, key: Key[Array, ""]):
        spatial, expand, contract = jax.random.split(key, 3)
        self.spatial = DepthwiseConvolution(channels, kernel=kernel, key=spatial)
        self.norm = ChannelNorm(channels)
        self.expand = PointwiseLinear(channels, EXPANSION * channels, key=expand)
        self.contract = PointwiseLinear(EXPANSION * channels, channels, key=contract)
        self.scale = jnp.full(channels, FIRST_SCALE, jnp.float32)

    def __call__(self, image: Image) -> FeatureMap:
        """The image with the block's share added."""
        share = self.contract(_gelu(self.expand(self.norm(self.spatial(image)))))
        return image + share * self.scale[None, None, :]


class ConvNeXt(eqx.Module):
    """Encoder of an image of any size as a vector.

    The first layer sees overlapping patches of 7 pixels, 4 apart: of galaxies a few pixels across, patches
    that do not overlap would lose the texture.

    Parameters
    ----------
    bands : int
        Of the image.
    widths, depths : sequence of int
        Channels and blocks of each stage; each stage after the first halves the sides.
    kernel : int
        Of the blocks.
    key : key

    Examples
    --------
    >>> encoder = ConvNeXt(3, widths=(8, 16), depths=(1, 1), key=jax.random.key(0))
    >>> encoder(jnp.zeros((64, 64, 3))).shape, encoder.feature_map(jnp.zeros((64, 64, 3))).shape
    ((16,), (8, 8, 16))
    """

    stem: Convolution
    stem_norm: ChannelNorm
    stages: list[list[ConvNeXtBlock]]
    reductions: list[tuple[ChannelNorm, Convolution]]
    norm: ChannelNorm

    def __init__(
        self,
        bands: int,
        *,
        widths: Sequence[int],
        depths: Sequence[int],
        kernel: int = 5,
        key: Key[Array, ""],
    ):
        stem, *keys = jax.random.split(key, 2 * len(widths) + 1)
        self.stem = Convolution(bands, widths[0], kernel=STEM_KERNEL, stride=STEM_STRIDE, key=stem)
        self.stem_norm = ChannelNorm(widths[0])
        self.stages = [
            [ConvNeXtBlock(width, kernel=kernel, key=one) for one in jax.random.split(stage_key, depth)]
            for width, depth, stage_key in zip(widths, depths, keys, strict=False)
        ]
        self.reductions = [
            (ChannelNorm(before), Convolution(before, after, kernel=2, stride=2, key=one))
            for before, after, one in zip(widths, widths[1:], keys[len(widths) :], strict=False)
        ]
        self.norm = ChannelNorm(widths[-1])

    @property
    def width(self) -> int:
        """Length of the vector."""
        return self.norm.scale.size

    def feature_map(self, image: Image) -> FeatureMap:
        """The last layer before pooling, (height / 4 / 2^(stages - 1), ..., width)."""
        image = _blocks(self.stages[0], self.stem_norm(self.stem(image)))
        for (norm, reduction), blocks in zip(self.reductions, self.stages[1:], strict=True):
            image = _blocks(blocks, reduction(norm(image)))
        return image

    def pooled(self, feature_map: FeatureMap) -> Float[Array, " features"]:
        """The vector of a feature map: its normalised mean."""
        return self.norm(jnp.mean(feature_map, axis=(0, 1)))

    def __call__(self, image: Image) -> Float[Array, " features"]:
        """The vector of an image (height, width, band)."""
        return self.pooled(self.feature_map(image))


def _gelu(values: Float[Array, "..."]) -> Float[Array, "..."]:
    """`jax.nn.gelu`, its cube bounded where the hyperbolic tangent has long been -1.

    On CPU the selection keeps the compiler from merging this with the matrix product before, for which each
    constant would be written out as large as the image.
    """
    bounded = jnp.where(values < -FLAT, -FLAT, values)
    return 0.5 * values * (1.0 + jnp.tanh(SLOPE * (bounded + 0.044715 * bounded**3)))


def _blocks(blocks: Sequence[ConvNeXtBlock], image: Image) -> FeatureMap:
    for block in blocks:
        image = block(image)
    return image
