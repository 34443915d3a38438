"""The network that sees what noise hides of an image: a U-Net told of the noise and of the galaxy.

Ronneberger et al. 2015 (arXiv:1505.04597), with the residual blocks, group normalisation and attention of Ho
et al. 2020 (arXiv:2006.11239). Channels last, as a processor likes them.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from nebulium.nn.convolution import Convolution, FeatureMap, Image

Vector = Float[Array, " _"]

#: Groups of channels that are normalised together, at most, and heads of the attention.
GROUPS, HEADS = 8, 4
# The share of each block starts small, so that deep stacks start near the identity.
_FIRST_SCALE = 0.3


class GroupNorm(eqx.Module):
    """Groups of channels brought to mean 0 and variance 1 over the image (Wu and He 2018, arXiv:1803.08494).

    Parameters
    ----------
    channels : int
    """

    scale: Vector
    shift: Vector
    groups: int = eqx.field(static=True)

    def __init__(self, channels: int):
        self.scale, self.shift = jnp.ones(channels), jnp.zeros(channels)
        self.groups = max(n for n in range(1, GROUPS + 1) if channels % n == 0)

    def __call__(self, image: FeatureMap) -> FeatureMap:
        """The normalised image, of the same shape."""
        # In single precision whatever the values are in: variances of many numbers need it.
        groups = image.astype(jnp.float32).reshape(*image.shape[:2], self.groups, -1)
        centred = groups - jnp.mean(groups, axis=(0, 1, 3), keepdims=True)
        variance = jnp.mean(centred**2, axis=(0, 1, 3), keepdims=True)
        normal = (centred * jax.lax.rsqrt(variance + 1e-5)).reshape(image.shape)
        scale, shift = (leaf.astype(jnp.float32)[None, None, :] for leaf in (self.scale, self.shift))
        return (normal * scale + shift).astype(image.dtype)


class ToldConvolutions(eqx.Module):
    """A residual block of two convolutions, scaled and shifted by what it is told (Perez et al. 2018).

    Parameters
    ----------
    channels_in, channels_out, told : int
        Channels of the image before and after, and length of the vector that tells.
    key : key
    """

    norms: tuple[GroupNorm, GroupNorm]
    told: eqx.nn.Linear
    convolutions: tuple[Convolution, Convolution]
    shortcut: Convolution | None

    def __init__(self, channels_in: int, channels_out: int, told: int, *, key: Key[Array, ""]):
        keys = jax.random.split(key, 4)
        self.norms = (GroupNorm(channels_in), GroupNorm(channels_out))
        self.told = eqx.nn.Linear(told, 2 * channels_out, key=keys[0])
        last = Convolution(channels_out, channels_out, kernel=3, key=keys[2])
        self.convolutions = (
            Convolution(channels_in, channels_out, kernel=3, key=keys[1]),
            eqx.tree_at(lambda layer: layer.weight, last, _FIRST_SCALE * last.weight),
        )
        changes = channels_in != channels_out
        self.shortcut = Convolution(channels_in, channels_out, kernel=1, key=keys[3]) if changes else None

    def __call__(self, image: Image, told: Vector) -> FeatureMap:
        """The image with the block's share added."""
        scale, shift = (part[None, None, :] for part in jnp.split(self.told(told), 2))
        share = self.convolutions[0](jax.nn.silu(self.norms[0](image)))
        share = self.convolutions[1](jax.nn.silu(self.norms[1](share) * (1.0 + scale) + shift))
        return share + (image if self.shortcut is None else self.shortcut(image))


class Attention(eqx.Module):
    """Each pixel with a share of all others, those that it asks for (Vaswani et al. 2017).

    Parameters
    ----------
    channels : int
    key : key
    """

    norm: GroupNorm
    attention: eqx.nn.MultiheadAttention

    def __init__(self, channels: int, *, key: Key[Array, ""]):
        heads = max(n for n in range(1, HEADS + 1) if channels % n == 0)
        self.norm = GroupNorm(channels)
        self.attention = eqx.nn.MultiheadAttention(heads, channels, key=key)

    def __call__(self, image: FeatureMap) -> FeatureMap:
        """The image with the share added."""
        pixels = self.norm(image).reshape(-1, image.shape[-1])
        return image + self.attention(pixels, pixels, pixels).reshape(image.shape)


class UNet(eqx.Module):
    """Image and numbers in, image out; at first the image out is zero.

    Parameters
    ----------
    bands, told : int
        Bands of the image, and numbers that are told.
    channels : sequence of int
        Of each stage; each after the first halves the sides.
    depth : int
        Blocks of a stage, on the way down and on the way up.
    key : key
    """

    telling: tuple[eqx.nn.Linear, eqx.nn.Linear]
    first: Convolution
    down: tuple[tuple[ToldConvolutions, ...], ...]
    reductions: tuple[Convolution, ...]
    middle: Attention
    up: tuple[tuple[ToldConvolutions, ...], ...]
    enlargements: tuple[Convolution, ...]
    norm: GroupNorm
    last: Convolution

    def __init__(self, bands: int, told: int, *, channels: Sequence[int], depth: int, key: Key[Array, ""]):
        stages, width = len(channels), 4 * channels[0]
        one, two, three, four, five, *keys = jax.random.split(key, 5 + 4 * stages)
        self.telling = (eqx.nn.Linear(told, width, key=one), eqx.nn.Linear(width, width, key=two))
        self.first = Convolution(bands, channels[0], kernel=3, key=three)

        def stage(place: int, before: int, key: Array) -> tuple[ToldConvolutions, ...]:
            sizes = [before] + [channels[place]] * depth
            pairs = zip(sizes[:-1], sizes[1:], jax.random.split(key, depth), strict=True)
            return tuple(ToldConvolutions(into, out, width, key=key) for into, out, key in pairs)

        self.down = tuple(stage(i, channels[i], keys[i]) for i in range(stages))
        # On the way up each stage sees what it saw on the way down, too.
        self.up = tuple(stage(i, 2 * channels[i], keys[stages + i]) for i in range(stages))
        self.reductions = tuple(
            Convolution(channels[i], channels[i + 1], kernel=3, stride=2, key=keys[2 * stages + i])
            for i in range(stages - 1)
        )
        self.enlargements = tuple(
            Convolution(channels[i + 1], channels[i], kernel=3, key=keys[3 * stages + i])
            for i in range(stages - 1)
        )
        self.middle, self.norm = Attention(channels[-1], key=four), GroupNorm(channels[0])
        last = Convolution(channels[0], bands, kernel=3, key=five)
        self.last = jax.tree.map(jnp.zeros_like, last)

    def __call__(self, image: Image, told: Vector) -> FeatureMap:
        """An image of the same shape."""
        told = jax.nn.silu(self.telling[1](jax.nn.silu(self.telling[0](told))))
        hidden, seen = self.first(image), []
        for place, blocks in enumerate(self.down):
            hidden = self.reductions[place - 1](hidden) if place else hidden
            hidden = _through(blocks, hidden, told)
            seen.append(hidden)
        hidden = self.middle(hidden)
        for place in reversed(range(len(self.up))):
            if place < len(self.enlargements):
                hidden = self.enlargements[place](_twice(hidden, seen[place].shape[:2]))
            hidden = _through(self.up[place], jnp.concatenate([hidden, seen[place]], axis=-1), told)
        return self.last(jax.nn.silu(self.norm(hidden)))


def _through(blocks: Sequence[ToldConvolutions], image: Image, told: Vector) -> FeatureMap:
    for block in blocks:
        image = block(image, told)
    return image


def _twice(image: Image, sides: tuple[int, ...]) -> FeatureMap:
    """The image with each pixel four times, cut to sides that may be odd."""
    height, width = sides
    return jnp.repeat(jnp.repeat(image, 2, axis=0), 2, axis=1)[:height, :width]
