"""Networks that make a vector of an image, by name."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from nebulium.nn.convnext import ConvNeXt
from nebulium.nn.residual import ResNet

Encoder: TypeAlias = ConvNeXt | ResNet

#: In the order of their cost; the residual networks of 18 and 34 layers have the usual shapes.
ENCODERS: Mapping[str, Callable[..., Encoder]] = {
    "resnet-tiny": partial(ResNet, widths=(16, 32), depths=(1, 1), stem_kernel=3, stem_stride=2),
    "convnext-nano": partial(ConvNeXt, widths=(32, 64, 128), depths=(2, 2, 2)),
    "convnext-tiny": partial(ConvNeXt, widths=(64, 128, 256), depths=(2, 4, 2)),
    "resnet-small": partial(
        ResNet, widths=(16, 32, 64, 128), depths=(1, 1, 1, 1), stem_kernel=3, stem_stride=2
    ),
    "resnet18": partial(
        ResNet, widths=(64, 128, 256, 512), depths=(2, 2, 2, 2), stem_kernel=7, stem_stride=2
    ),
    "resnet34": partial(
        ResNet, widths=(64, 128, 256, 512), depths=(3, 4, 6, 3), stem_kernel=7, stem_stride=2
    ),
}


def make_encoder(name: str, bands: int, *, key: Key[Array, ""]) -> Encoder:
    """An encoder with random weights.

    Parameters
    ----------
    name : str
        One of `ENCODERS`.
    bands : int
        Of the images.
    key : key

    Returns
    -------
    ConvNeXt or ResNet
        Called with an image (height, width, band) of any size, it gives a vector (width,);
        ``feature_map`` is what it pools.

    Raises
    ------
    ValueError
        If there is no such encoder; the message lists them.

    Examples
    --------
    >>> import jax
    >>> make_encoder("convnext-nano", 3, key=jax.random.key(0)).width
    128
    """
    if name not in ENCODERS:
        raise ValueError(f"encoder must be one of {', '.join(ENCODERS)}, got {name!r}")
    return ENCODERS[name](bands, key=key)


def computes_in_half(asked: bool | None) -> bool:
    """Whether encoders compute in bfloat16: as asked, or else where the device is fast at it."""
    return jax.default_backend() != "cpu" if asked is None else asked


def encode(
    encoder: Encoder, image: Float[Array, "height width band"], *, in_half: bool
) -> Float[Array, " features"]:
    """The vector of an image, on request computed in bfloat16; the weights stay as they are."""
    if not in_half:
        return encoder(image)
    half, image = halved((encoder, image))
    return half(image).astype(jnp.float32)


def halved(tree: PyTree) -> PyTree:
    """The same with its floating-point arrays in bfloat16."""
    return jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16) if eqx.is_inexact_array(leaf) else leaf, tree)
