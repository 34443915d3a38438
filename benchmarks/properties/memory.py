"""Peak memory of training on a set of images that does not fit into it."""

import sys

from benchmarks.processes import cost_of_command
from benchmarks.properties.train_images import ENCODER, ENCODER_IMAGES, SHAPE
from benchmarks.results import CHECK_COLUMNS, Check, Result, Target
from benchmarks.settings import Settings


def measure(settings: Settings) -> list[Result]:
    """A store is made and trained on, in a process of its own."""
    images = settings.memory_images
    cost = cost_of_command(sys.executable, "-m", "benchmarks.properties.train_images", str(images))
    check = Check("peak memory / GB", cost.peak_bytes / 1e9, Target(most=3.0))
    shape = "x".join(map(str, SHAPE))
    return [
        Result(
            "properties/memory",
            "Memory of training on images",
            f"{images:,} images of {shape} are prepared into a store on disk; a small ConvNeXt trains on all "
            f"of them for an epoch, then `{ENCODER}` on {min(ENCODER_IMAGES, images):,}; one process, "
            f"{cost.seconds / 60:.0f} minutes. As float32 the images take "
            f"{images * 4 * SHAPE[0] * SHAPE[1] * SHAPE[2] / 1e9:.1f} GB.",
            CHECK_COLUMNS,
            [check.row],
        )
    ]
