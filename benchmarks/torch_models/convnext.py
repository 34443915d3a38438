"""The network ``convnext-nano`` in PyTorch, with the weights of ours."""

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from nebulium.errors import NebuliumError
from nebulium.nn.convnext import STEM_KERNEL, STEM_STRIDE, ConvNeXt
from nebulium.nn.convolution import ChannelNorm, Convolution, PointwiseLinear


def load_torch() -> ModuleType:
    """PyTorch, which is no dependency: it is as large as all the others together."""
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise NebuliumError("package torch", "is not installed", "pip install torch") from error


def torch_convnext(encoder: ConvNeXt, head: Any, size: int) -> Any:
    """Encoder and linear head as a module that takes images (n, band, size, size).

    Parameters
    ----------
    encoder : ConvNeXt
        Ours.
    head : equinox.nn.Linear
        Ours.
    size : int
        Pixels on a side; a multiple of the stem's stride.
    """
    nn = load_torch().nn
    stem = nn.Sequential(
        nn.ZeroPad2d(same_padding(size, STEM_KERNEL, STEM_STRIDE)), convolution(encoder.stem)
    )
    layers = [stem, channel_norm(encoder.stem_norm), *_blocks(encoder.stages[0])]
    for (norm, reduction), blocks in zip(encoder.reductions, encoder.stages[1:], strict=True):
        layers += [channel_norm(norm), convolution(reduction), *_blocks(blocks)]
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), layer_norm(encoder.norm))
    return nn.Sequential(*layers, pool, linear(np.asarray(head.weight).T, head.bias))


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int, int, int]:
    """Zeros left, right, above and below, as ours are."""
    missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return (missing // 2, missing - missing // 2) * 2


def _blocks(blocks: Sequence[Any]) -> list[Any]:
    return [_block_class()(block) for block in blocks]


def _block_class() -> Any:
    torch = load_torch()

    class Block(torch.nn.Module):
        """Channels are moved last for the layers on each pixel, as the authors of ConvNeXt do."""

        def __init__(self, block: Any):
            super().__init__()
            self.spatial = _depthwise(block.spatial)
            self.norm = layer_norm(block.norm)
            self.expand, self.contract = _pointwise(block.expand), _pointwise(block.contract)
            self.scale = torch.nn.Parameter(_tensor(block.scale))

        def forward(self, image: Any) -> Any:
            values = self.norm(self.spatial(image).permute(0, 2, 3, 1))
            values = torch.nn.functional.gelu(self.expand(values), approximate="tanh")
            return image + (self.contract(values) * self.scale).permute(0, 3, 1, 2)

    return Block


def channel_norm(norm: ChannelNorm) -> Any:
    """The norm of each pixel's channels where these come first."""
    torch = load_torch()

    class ChannelsFirstNorm(torch.nn.Module):
        """The norm of each pixel's channels where these come first."""

        def __init__(self) -> None:
            super().__init__()
            self.norm = layer_norm(norm)

        def forward(self, image: Any) -> Any:
            return self.norm(image.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    return ChannelsFirstNorm()


def layer_norm(norm: ChannelNorm) -> Any:
    """The norm where the channels come last."""
    layer = load_torch().nn.LayerNorm(norm.scale.size, eps=1e-6)
    return _filled(layer, norm.scale, norm.shift)


def convolution(layer: Convolution) -> Any:
    """Without padding."""
    kernel, _, channels_in, channels_out = layer.weight.shape
    empty = load_torch().nn.Conv2d(channels_in, channels_out, kernel, layer.stride)
    return _filled(empty, np.transpose(layer.weight, (3, 2, 0, 1)), layer.bias)


def _depthwise(layer: Any) -> Any:
    kernel, _, channels = layer.weight.shape
    empty = load_torch().nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
    return _filled(empty, np.transpose(layer.weight, (2, 0, 1))[:, None], layer.bias)


def _pointwise(layer: PointwiseLinear) -> Any:
    return linear(layer.weight, layer.bias)


def linear(weight: Any, bias: Any) -> Any:
    """A linear layer of a weight (in, out)."""
    return _filled(load_torch().nn.Linear(*weight.shape), np.asarray(weight).T, bias)


def _filled(layer: Any, weight: Any, bias: Any) -> Any:
    with load_torch().no_grad():
        layer.weight.copy_(_tensor(weight))
        layer.bias.copy_(_tensor(bias))
    return layer


def _tensor(array: Any) -> Any:
    return load_torch().from_numpy(np.array(array, np.float32))
