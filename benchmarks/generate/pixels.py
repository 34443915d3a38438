"""The model of pixels, trained as far as minutes of two cores go: for a look, not for use."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.generate.mocks import SMALL, small_survey
from benchmarks.results import Result
from benchmarks.settings import Settings
from nebulium.data.images.labelled import LabelledImages, prepare_parts
from nebulium.data.images.opening import open_images
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.generate.drawing.sample_file import sample_images
from nebulium.generate.pixels.model import PixelImageModel
from nebulium.generate.pixels.recipe import PixelConfig, begun, train_pixels
from nebulium.generate.recipe import preparation_of
from nebulium.generate.scores.features import feature_names, image_features
from nebulium.generate.scores.likeness import feature_likeness, real_told_apart, told_apart
from nebulium.metrics.estimates import Estimate
from nebulium.nn.mapping import map_galaxies

# Fixed before the training: images of 32 pixels, a small network, and as many galaxies as two minutes see.
CONFIG = PixelConfig(
    binning=2, components=128, channels=(16, 32), depth=1, epochs=2, batch_size=32, learning_rate=2e-3
)
TRAINED, VALIDATED, DRAWN, STEPS = 2_000, 256, 400, 40
DIFFUSIONS = {"edm": "EDM", "ddpm": "DDPM"}


def measure(settings: Settings) -> Iterator[Result]:
    """Draw by each diffusion, and by the Gaussian under them, at the properties of test galaxies."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = small_survey(settings, scratch)
        source = open_images(folder)
        if source.table is None:
            raise ValueError(f"{folder} has no table beside its images")
        part = Split().parts(source.ids)
        values = np.stack([source.table[name] for name in SMALL.properties], axis=1).astype(np.float32)
        parts = prepare_parts(
            source,
            np.arange(len(source)),
            part,
            {"value": values},
            Path(scratch) / "images",
            preparation=preparation_of(source, np.flatnonzero(part == "train"), CONFIG),
            rejects=Rejects(),
        )
        most = {"train": TRAINED, "validation": VALIDATED, "test": DRAWN}
        parts = {name: parts[name].select(np.arange(n)) for name, n in most.items()}
        yield _told_apart(parts)


def _told_apart(parts: dict[str, LabelledImages]) -> Result:
    test, rows = parts["test"], []
    model = begun(parts, SMALL.properties, config=CONFIG)
    truth = test.labels["value"]
    real = _features(model.form.preparation.stretch.invert(test.images[np.arange(len(test))]))
    names = feature_names(model.form.bands)
    rows.append(["the Gaussian alone", "none", *_scores(model, real, truth, names)])
    for name, shown in DIFFUSIONS.items():
        start = time.process_time()
        trained, _ = train_pixels(parts, SMALL.properties, config=replace(CONFIG, diffusion=name))
        took = time.process_time() - start
        rows.append([shown, took, *_scores(trained, real, truth, names)])
    alone = real_told_apart(real, truth)
    rows.append(["real against real", "", *alone.values(), ""])
    return Result(
        "generate/pixels",
        "The model of pixels after minutes on a processor",
        f"{DRAWN} images of pixels binned {CONFIG.binning} by {CONFIG.binning}, drawn at the properties of "
        f"test galaxies of the mock of SDSS in {STEPS} steps of Heun's method, by a network of "
        f"{' and '.join(map(str, CONFIG.channels))} channels that has seen {TRAINED:,} galaxies "
        f"{CONFIG.epochs} times: area under the ROC curve, as above, and the mean of Wasserstein's "
        "distances. Other images and fewer of them than above: the lines are to be compared with each other. "
        "The model is for a GPU, on which it has not been trained.",
        ("drawn by", "training, CPU-seconds", *alone, "mean distance"),
        rows,
    )


def _features(pixels: np.ndarray) -> np.ndarray:
    return map_galaxies(image_features, pixels)


def _scores(
    model: PixelImageModel, real: np.ndarray, truth: np.ndarray, names: tuple[str, ...]
) -> list[Estimate | float]:
    """How well drawn and real galaxies are told apart, and how far their features lie apart."""
    drawn = _features(sample_images(model, truth, steps=STEPS, seed=1))
    likeness = feature_likeness(drawn, real, truth, names)
    distance = float(np.mean([one.wasserstein for one in likeness]))
    return [*told_apart(drawn, real, truth).values(), distance]
