"""The residual networks in PyTorch, with the weights of ours."""

from typing import Any

import numpy as np

from benchmarks.torch_models.convnext import (
    channel_norm,
    convolution,
    layer_norm,
    linear,
    load_torch,
    same_padding,
)
from nebulium.nn.convolution import Convolution
from nebulium.nn.residual import ResidualBlock, ResNet


def torch_resnet(encoder: ResNet, head: Any, size: int) -> Any:
    """Encoder and linear head as a module that takes images (n, band, size, size).

    Parameters
    ----------
    encoder : ResNet
        Ours.
    head : equinox.nn.Linear
        Ours.
    size : int
        Pixels on a side.
    """
    nn = load_torch().nn
    layers, size = [_padded(encoder.stem, size)], -(-size // encoder.stem.stride)
    for block in encoder.blocks:
        layers.append(_block_class()(block, size))
        size = -(-size // block.convolutions[0].stride)
    pool = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), layer_norm(encoder.norm))
    return nn.Sequential(*layers, pool, linear(np.asarray(head.weight).T, head.bias))


def _padded(layer: Convolution, size: int) -> Any:
    """Padded within the convolution where both sides are alike, which is faster."""
    nn, made = load_torch().nn, convolution(layer)
    before, after, *_ = same_padding(size, layer.weight.shape[0], layer.stride)
    if before != after:
        return nn.Sequential(nn.ZeroPad2d((before, after, before, after)), made)
    made.padding = (before, before)
    return made


def _block_class() -> Any:
    torch = load_torch()

    class Block(torch.nn.Module):
        def __init__(self, block: ResidualBlock, size: int):
            super().__init__()
            first, second = block.convolutions
            self.norms = torch.nn.ModuleList(map(channel_norm, block.norms))
            self.first = _padded(first, size)
            self.second = _padded(second, -(-size // first.stride))
            short = block.shortcut
            self.shortcut = torch.nn.Identity() if short is None else _padded(short, size)

        def forward(self, image: Any) -> Any:
            share = self.first(torch.relu(self.norms[0](image)))
            return self.second(torch.relu(self.norms[1](share))) + self.shortcut(image)

    return Block
