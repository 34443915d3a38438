"""Residual networks (He et al. 2016, arXiv:1512.03385), normalised by each galaxy's own statistics."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from nebulium.nn.convolution import ChannelNorm, Convolution, FeatureMap, Image

# The second convolution of a block starts small, so that deep stacks start near the identity.
FIRST_SCALE = 0.1


class ResidualBlock(eqx.Module):
    """Two convolutions of 3 pixels, added to the input or to its reduction.

    Parameters
    ----------
    channels_in, channels_out : int
    stride : int
        2 halves the sides.
    key : key
    """

    norms: tuple[ChannelNorm, ChannelNorm]
    convolutions: tuple[Convolution, Convolution]
    shortcut: Convolution | None

    def __init__(self, channels_in: int, channels_out: int, *, stride: int, key: Key[Array, ""]):
        first, second, short = jax.random.split(key, 3)
        last = Convolution(channels_out, channels_out, kernel=3, key=second)
        self.norms = (ChannelNorm(channels_in), ChannelNorm(channels_out))
        self.convolutions = (
            Convolution(channels_in, channels_out, kernel=3, stride=stride, key=first),
            eqx.tree_at(lambda layer: layer.weight, last, FIRST_SCALE * last.weight),
        )
        reduces = stride > 1 or channels_in != channels_out
        self.shortcut = (
            Convolution(channels_in, channels_out, kernel=1, stride=stride, key=short) if reduces else None
        )

    def __call__(self, image: Image) -> FeatureMap:
        """The image with the block's share added."""
        share = self.convolutions[0](jax.nn.relu(self.norms[0](image)))
        share = self.convolutions[1](jax.nn.relu(self.norms[1](share)))
        return share + (image if self.shortcut is None else self.shortcut(image))


class ResNet(eqx.Module):
    """Encoder of an image of any size as a vector.

    Parameters
    ----------
    bands : int
        Of the image.
    widths, depths : sequence of int
        Channels and blocks of each stage; each stage after the first halves the sides.
    stem_kernel, stem_stride : int
        Of the first convolution.
    key : key

    Examples
    --------
    >>> shape = {"widths": (8, 16), "depths": (1, 1), "stem_kernel": 3, "stem_stride": 1}
    >>> encoder = ResNet(3, **shape, key=jax.random.key(0))
    >>> encoder(jnp.zeros((32, 32, 3))).shape, encoder.feature_map(jnp.zeros((32, 32, 3))).shape
    ((16,), (16, 16, 16))
    """

    stem: Convolution
    blocks: list[ResidualBlock]
    norm: ChannelNorm

    def __init__(
        self,
        bands: int,
        *,
        widths: Sequence[int],
        depths: Sequence[int],
        stem_kernel: int,
        stem_stride: int,
        key: Key[Array, ""],
    ):
        stem, *keys = jax.random.split(key, sum(depths) + 1)
        self.stem = Convolution(bands, widths[0], kernel=stem_kernel, stride=stem_stride, key=stem)
        before = [widths[0], *(w for w, depth in zip(widths, depths, strict=True) for _ in range(depth))]
        first_of_stage = {sum(depths[:stage]) for stage in range(1, len(depths))}
        self.blocks = [
            ResidualBlock(before[i], before[i + 1], stride=1 + (i in first_of_stage), key=one)
            for i, one in enumerate(keys)
        ]
        self.norm = ChannelNorm(widths[-1])

    @property
    def width(self) -> int:
        """Length of the vector."""
        return self.norm.scale.size

    def feature_map(self, image: Image) -> FeatureMap:
        """The last layer before pooling."""
        image = self.stem(image)
        for block in self.blocks:
            image = block(image)
        return image

    def pooled(self, feature_map: FeatureMap) -> Float[Array, " features"]:
        """The vector of a feature map: its normalised mean."""
        return self.norm(jnp.mean(jax.nn.relu(feature_map), axis=(0, 1)))

    def __call__(self, image: Image) -> Float[Array, " features"]:
        """The vector of an image (height, width, band)."""
        return self.pooled(self.feature_map(image))
