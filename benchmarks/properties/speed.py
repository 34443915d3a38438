"""Images a second in training and inference, beside the same network in PyTorch."""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.results import Check, Result, Row, Target
from benchmarks.settings import Settings
from benchmarks.timing import median_seconds
from benchmarks.torch_models import rivals
from benchmarks.torch_models.convnext import load_torch, torch_convnext
from benchmarks.torch_models.residual import torch_resnet
from nebulium.nn.convnext import ConvNeXt
from nebulium.nn.encoders import Encoder, make_encoder
from nebulium.training import ArrayRows, FitConfig, fit

# The default of `properties train` first: the headline.
NETWORKS = ("resnet-small", "convnext-nano")
IMAGES, SIZE, BANDS = 512, 64, 4
BATCH = 64
# Inference is given the batch that suits each best.
BATCHES = (8, 16, 64, 256)
CONFIG = FitConfig(epochs=1, batch_size=BATCH, clip_norm=None, averaging=None, schedule="constant")
RIVAL = "PyTorch"


class Regression(eqx.Module):
    """An encoder and one linear layer."""

    encoder: Encoder
    head: eqx.nn.Linear

    def __init__(self, name: str) -> None:
        encoder, head = jax.random.split(jax.random.key(0))
        self.encoder = make_encoder(name, BANDS, key=encoder)
        self.head = eqx.nn.Linear(self.encoder.width, 1, key=head)

    def __call__(self, image: jax.Array) -> jax.Array:
        """One number for an image."""
        return self.head(self.encoder(image))[0]


def measure(settings: Settings) -> list[Result]:
    """Times taken in turns, in one process."""
    load_torch().set_num_threads(rivals.threads())
    data = _images()
    rows, same = zip(*(_measure_network(name, data, settings.repeats) for name in NETWORKS), strict=True)
    return [_result([row for of_one in rows for row in of_one], same)]


def _measure_network(name: str, data: dict[str, np.ndarray], repeats: int) -> tuple[list[Row], Check]:
    model = Regression(name)
    disagreement = _disagreement(model, data["image"][:BATCH])
    training, inference = {rivals.OURS: partial(_train, model, data)}, {}
    for batch in BATCHES:
        inference[f"{rivals.OURS}, {batch}"] = _infer(model, data["image"], batch)
    for layout_name, layout in rivals.layouts(RIVAL).items():
        network, images = _twin(model, data["image"], layout)
        for batch in BATCHES:
            inference[f"{layout_name}, {batch}"] = partial(_infer_torch, network, images, batch)
        training[layout_name] = _torch_trainer(network, images, data["value"])
    rows = rivals.compared([name, "training"], RIVAL, median_seconds(training, repeats), IMAGES, 1.0)
    fastest = rivals.fastest_batches(median_seconds(inference, repeats))
    rows += rivals.compared([name, "inference"], RIVAL, fastest, IMAGES, 1.3)
    same = Check(f"{name}: largest difference of the outputs", disagreement, Target(most=1e-3))
    return rows, same


def _result(rows: list[Row], further: list[Check]) -> Result:
    return Result(
        "properties/speed",
        "Speed of networks of images",
        f"{IMAGES} images of {SIZE}x{SIZE}x{BANDS}, networks with a linear layer (`{NETWORKS[0]}` is the "
        f"default), in float32 on {_device()} with {rivals.threads()} threads, batches of {BATCH}, the same "
        "weights in both; runs take turns and the median counts. Training is one epoch of AdamW, for "
        "nebulium through `fit` with its shuffling and reading. Inference is given the fastest of the batch "
        f"sizes {', '.join(map(str, BATCHES))}, each its own. The ratio is to the faster layout of PyTorch.",
        ("network", "task", "with", "images a second", "over PyTorch's"),
        rows,
        further,
    )


def _images() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(IMAGES, SIZE, SIZE, BANDS)).astype(np.float32)
    return {"image": images, "value": rng.normal(size=IMAGES).astype(np.float32)}


def _squared_error(model: Regression, batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    return (jax.vmap(model)(batch["image"]) - batch["value"]) ** 2


def _train(model: Regression, data: dict[str, np.ndarray]) -> None:
    fit(model, _squared_error, ArrayRows(data), config=CONFIG)


def _infer(model: Regression, images: np.ndarray, batch: int) -> Callable[[], np.ndarray]:
    compiled = eqx.filter_jit(lambda model, images: jax.vmap(model)(images))
    batches = images.reshape(-1, batch, SIZE, SIZE, BANDS)
    return lambda: np.concatenate([np.asarray(compiled(model, jnp.asarray(batch))) for batch in batches])


def _twin(model: Regression, images: np.ndarray, layout: Any) -> tuple[Any, Any]:
    twin = torch_convnext if isinstance(model.encoder, ConvNeXt) else torch_resnet
    network = twin(model.encoder, model.head, SIZE).to(_torch_device(), memory_format=layout)
    return network, rivals.in_torch(images, layout)


def _torch_trainer(network: Any, images: Any, values: np.ndarray) -> Callable[[], float]:
    torch = load_torch()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=CONFIG.learning_rate, weight_decay=CONFIG.weight_decay
    )
    targets, device = torch.from_numpy(values), _torch_device()

    def loss_of(_: int, rows: Any) -> Any:
        predicted = network(images[rows].to(device))[:, 0]
        return torch.mean((predicted - targets[rows].to(device)) ** 2)

    return lambda: rivals.train_epoch(optimiser, len(images), BATCH, loss_of)


def _infer_torch(network: Any, images: Any, batch: int) -> np.ndarray:
    torch = load_torch()
    with torch.inference_mode():
        parts = [network(part.to(_torch_device())).cpu().numpy() for part in images.split(batch)]
    return np.concatenate(parts)[:, 0]


def _disagreement(model: Regression, images: np.ndarray) -> float:
    """Largest difference between the outputs of the two: they must be one network."""
    network, tensor = _twin(model, images, load_torch().contiguous_format)
    return float(np.abs(jax.vmap(model)(images) - _infer_torch(network, tensor, BATCH)).max())


def _device() -> str:
    return f"one {jax.devices()[0].device_kind}" if _torch_device() == "cuda" else "the processor"


def _torch_device() -> str:
    """Both on the graphics card, or both on the processor."""
    return "cuda" if jax.default_backend() == "gpu" and load_torch().cuda.is_available() else "cpu"
