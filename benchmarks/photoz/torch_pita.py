"""PITA as its authors' package trains it in PyTorch (Khederlarian et al. 2026), around our networks."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np

from benchmarks.torch_models.convnext import linear, load_torch
from benchmarks.torch_models.residual import torch_resnet
from nebulium.errors import NebuliumError
from nebulium.photoz.images.model import LATENT, PROJECTED, ImageRedshiftModel
from nebulium.photoz.images.recipe import RedshiftConfig

# Widths of the authors' head of redshifts, from their published settings.
REDSHIFT_WIDTHS = (LATENT, 256, 128, 128, 128, 128, 64, 1)
MEND = "pip install --no-deps pita-z && pip install torch pytorch-lightning"


def pita_module(model: ImageRedshiftModel, config: RedshiftConfig, layout: Any) -> Any:
    """The authors' module around our encoder, latent space, projection and colours, with our weights.

    Parameters
    ----------
    model : ImageRedshiftModel
        Ours.
    config : RedshiftConfig
        Whose queue, losses and learning rate it gets.
    layout : torch.memory_format
        Of its weights.
    """
    lightning_class, augmentations = _load_pita()
    nn, network, crops = load_torch().nn, model.network, model.crops
    first, last = network.to_latent.layers
    projection = _perceptron(network.projection)
    # Asked for by the module.
    projection.out_features = PROJECTED
    module = lightning_class(
        encoder=torch_resnet(network.encoder, first, crops.size),
        encoder_mlp=nn.Sequential(_gelu(), _linear(last)),
        projection_head=projection,
        redshift_mlp=_redshift_head(),
        color_mlp=_perceptron(network.colour),
        transforms=_augmentation(augmentations, model),
        momentum=config.averaging,
        queue_size=config.queue,
        temperature=config.weights.temperature,
        cl_loss_weight=config.weights.contrast,
        lr=config.learning_rate,
    )
    # There is no trainer of Lightning around it, which costs time, and so nobody to tell.
    module.log = lambda *told, **how: None
    return module.to(memory_format=layout)


def _redshift_head() -> Any:
    nn = load_torch().nn
    layers = [
        layer
        for inputs, outputs in zip(REDSHIFT_WIDTHS[:-1], REDSHIFT_WIDTHS[1:], strict=True)
        for layer in (nn.Linear(inputs, outputs), nn.ReLU(inplace=True))
    ]
    return nn.Sequential(*layers[:-1])


def _perceptron(ours: eqx.nn.MLP) -> Any:
    layers = [layer for one in ours.layers for layer in (_linear(one), _gelu())]
    return load_torch().nn.Sequential(*layers[:-1])


def _linear(layer: eqx.nn.Linear) -> Any:
    return linear(np.asarray(layer.weight).T, layer.bias)


def _gelu() -> Any:
    return load_torch().nn.GELU(approximate="tanh")


def _augmentation(augmentations: Any, model: ImageRedshiftModel) -> Callable[[Any], Any]:
    """The authors' views: mirrored, turned, moved and cropped, noisier, one draw for a whole batch.

    The first two are torchvision's in their script, written out here without its mask of the corners, and so
    is the crop, as the package's own fails with NumPy 2.4.
    """
    torch, crops = load_torch(), model.crops
    noise = augmentations.AddGaussianNoise(std=np.full(len(model.form.bands), crops.noise))

    def view(images: Any) -> Any:
        mirrored = images.flip(-1) if torch.rand(()) < 0.5 else images
        angle = (2 * torch.rand(()) - 1) * torch.pi
        cosine, sine = torch.cos(angle), torch.sin(angle)
        turn = torch.stack([cosine, -sine, 0 * sine, sine, cosine, 0 * sine]).reshape(1, 2, 3)
        grid = torch.nn.functional.affine_grid(turn, [1, *images.shape[1:]], align_corners=False)
        grid = grid.expand(len(images), -1, -1, -1)
        turned = torch.nn.functional.grid_sample(mirrored, grid, align_corners=False)
        down, right = torch.randint(-crops.most_shift_px, crops.most_shift_px + 1, (2,)).tolist()
        return noise(cropped(turned, crops.size, down, right))

    return view


def cropped(images: Any, size: int, down: int = 0, right: int = 0) -> Any:
    """The middle of images (n, band, height, width), or a square beside it.

    Parameters
    ----------
    images : torch.Tensor
    size : int
        Pixels on a side of what is cut out.
    down, right : int
        Pixels from the middle.
    """
    top, left = (
        (side - size) // 2 + shift for side, shift in zip(images.shape[2:], (down, right), strict=True)
    )
    return images[:, :, top : top + size, left : left + size]


def _load_pita() -> tuple[Any, Any]:
    """The authors' module of Lightning, and their augmentations."""
    try:
        package = importlib.import_module("pita_z")
        # Its modules name those of this folder without the package, as its scripts do.
        sys.path.append(str(Path(package.__file__ or "").parent / "utils"))
        module = importlib.import_module("pita_z.models.pita_model")
        return module.PITALightning, importlib.import_module("pita_z.utils.augmentations")
    except ImportError as error:
        raise NebuliumError("package pita-z", f"cannot be imported: {error}", MEND) from error
