"""What the benchmarks of speed beside PyTorch share: layouts of images, an epoch, and rows of the table."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.results import Check, Row, Target
from benchmarks.torch_models.convnext import load_torch

OURS = "nebulium"


def threads() -> int:
    """Threads that the process may use."""
    return len(os.sched_getaffinity(0))


def layouts(rival: str) -> dict[str, Any]:
    """Both orders in which PyTorch can hold images, by the names they have in a table."""
    torch = load_torch()
    return {
        f"{rival}, channels first": torch.contiguous_format,
        f"{rival}, channels last": torch.channels_last,
    }


def in_torch(images: np.ndarray, layout: Any) -> Any:
    """Images as PyTorch takes them."""
    tensor = load_torch().from_numpy(np.ascontiguousarray(np.transpose(images, (0, 3, 1, 2))))
    return tensor.to(memory_format=layout)


def train_epoch(optimiser: Any, count: int, batch: int, loss_of: Callable[[int, Any], Any]) -> float:
    """One pass in random order; ``loss_of`` takes the number of the step and its rows."""
    for step, rows in enumerate(load_torch().randperm(count).split(batch)):
        optimiser.zero_grad()
        loss = loss_of(step, rows)
        loss.backward()
        optimiser.step()
    return loss.item()


def fastest_batches(seconds: Mapping[str, float]) -> dict[str, float]:
    """Times by name, each with the batch that suits it best where several were tried: ``NAME, BATCH``."""
    found: dict[str, float] = {}
    for name, taken in seconds.items():
        name = re.sub(r", \d+$", "", name)
        found[name] = min(taken, found.get(name, taken))
    return found


def compared(
    about: Sequence[str], rival: str, seconds: Mapping[str, float], images: int, least: float
) -> list[Row]:
    """Images a second of one task, ours beside the faster layout of the rival."""
    ratio = min(taken for name, taken in seconds.items() if name != OURS) / seconds[OURS]
    check = Check(f"{', '.join(about)}: images a second over {rival}'s", ratio, Target(least=least))
    return [[*about, name, images / taken, check if name == OURS else ""] for name, taken in seconds.items()]
