"""Train on so many images, read from a store; `benchmarks.properties.memory` measures it."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import equinox as eqx
import jax
import numpy as np

from nebulium.data.images.preparation import Preparation
from nebulium.data.images.source import ImageSource
from nebulium.data.images.store import ImageStore
from nebulium.data.images.stretches import Stretch
from nebulium.data.rejects import Rejects
from nebulium.nn.convnext import ConvNeXt
from nebulium.nn.encoders import make_encoder
from nebulium.training import FitConfig, augment, fit

SHAPE = (64, 64, 4)
# Steps of the network that is used in earnest cost a hundred times as much as reading their images.
ENCODER, ENCODER_IMAGES = "convnext-nano", 4_096
# So many different images, over and over: drawing each would take longer than all the rest.
DIFFERENT = 256


class Regression(eqx.Module):
    """An encoder and one linear layer."""

    encoder: eqx.Module
    head: eqx.nn.Linear

    def __call__(self, image: jax.Array) -> jax.Array:
        """One number for an image."""
        return self.head(self.encoder(image))[0]


class LabelledImages:
    """The first rows of a store, each with a value to learn."""

    def __init__(self, store: ImageStore, length: int):
        self.store, self.length = store, length

    def __len__(self) -> int:
        return self.length

    def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Images, and their mean brightness."""
        images = self.store.take(rows)
        return {"image": images, "value": images.mean(axis=(1, 2, 3))}


def main(images: int) -> None:
    """Prepare, and train twice."""
    with tempfile.TemporaryDirectory(prefix="nebulium-images-") as scratch:
        store = ImageStore.create(
            Path(scratch) / "store",
            drawn_images(images),
            Preparation(SHAPE[0], Stretch("asinh", (1.0,) * SHAPE[2])),
            rejects=Rejects(),
        )
        small = ConvNeXt(SHAPE[2], widths=(8, 16), depths=(1, 1), kernel=3, key=jax.random.key(0))
        _train(small, LabelledImages(store, images))
        encoder = make_encoder(ENCODER, SHAPE[2], key=jax.random.key(0))
        _train(encoder, LabelledImages(store, min(images, ENCODER_IMAGES)))


def drawn_images(images: int) -> ImageSource:
    """A source that draws its images when they are read."""
    pool = np.random.default_rng(0).normal(size=(DIFFERENT, *SHAPE)).astype(np.float32)

    @contextmanager
    def opened() -> Iterator[Callable[[np.ndarray], list[np.ndarray]]]:
        yield lambda rows: [pool[row % DIFFERENT] * np.float32(1 + row % 7) for row in rows]

    return ImageSource(Path("drawn"), np.arange(images), tuple("griz"), opened)


def _train(encoder: eqx.Module, images: LabelledImages) -> None:
    model = Regression(encoder, eqx.nn.Linear(encoder.width, 1, key=jax.random.key(1)))
    fit(model, _squared_error, images, config=FitConfig(epochs=1, batch_size=64))


def _squared_error(model: Regression, batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    return (jax.vmap(model)(augment(batch["image"], key)) - batch["value"]) ** 2


if __name__ == "__main__":
    main(int(sys.argv[1]))
