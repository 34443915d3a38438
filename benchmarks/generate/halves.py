"""Are drawn images copies: models of two halves of the training galaxies should draw the same images."""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.generate.mock import NEAREST
from benchmarks.generate.mocks import SMALL, small_survey
from benchmarks.results import Check, Result, Row
from benchmarks.settings import Settings
from nebulium.data.images.opening import open_images
from nebulium.data.images.source import ImageSource
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.generate.drawing.sample_file import sample_images
from nebulium.generate.model import LatentImageModel
from nebulium.generate.recipe import LatentConfig
from nebulium.generate.scores.memorisation import nearest_training_image, training_images
from nebulium.generate.training_file import train_file
from nebulium.metrics.estimates import estimate
from nebulium.modelfile import load_model
from nebulium.nn.image_model import model_images

DRAWN = 500


def measure(settings: Settings) -> list[Result]:
    """Train two models, draw with each at the properties of test galaxies, and look into both halves."""
    with tempfile.TemporaryDirectory() as scratch:
        survey = small_survey(settings, scratch)
        source = open_images(survey)
        if source.table is None:
            raise ValueError(f"{survey} has no table beside its images")
        known = np.stack([source.table[name] for name in SMALL.properties], axis=1).astype(np.float32)
        rows = Split().rows(source.ids)
        halves = [rows["train"][first::2] for first in (0, 1)]
        table: list[Row] = []
        for half, others, name in zip(halves, halves[::-1], ("first", "second"), strict=True):
            used = np.concatenate([half, rows["validation"]])
            columns = dict(zip(SMALL.properties, known[used].T, strict=True))
            write_table(Table({"target_id": source.ids[used], **columns}), Path(scratch) / f"{name}.parquet")
            labels, folder = Path(scratch) / f"{name}.parquet", Path(scratch) / name
            train_file(survey, folder, properties=SMALL.properties, table=labels, config=LatentConfig())
            model = load_model(folder, of=LatentImageModel)
            drawn = sample_images(model, known[rows["test"][:DRAWN]])
            table += _rows(model, name, drawn, source, half, others)
    return [
        Result(
            "generate/halves",
            "Models of two halves of the training galaxies",
            f"{len(halves[0]):,} galaxies each. Of {len(drawn):,} images drawn by a model the distances to "
            "the nearest training image of its own half, over those to the nearest of the other half: "
            "medians and their ratio, which is 1 if nothing is memorised.",
            ("model of", "distance in", "own half", "other half", "ratio"),
            table,
        )
    ]


def _rows(
    model: LatentImageModel,
    name: str,
    drawn: np.ndarray,
    source: ImageSource,
    half: np.ndarray,
    others: np.ndarray,
) -> list[Row]:
    """Distances to both halves, in pixels and in features."""
    # As many images in each, or the larger half would have the nearer ones.
    count = min(len(half), len(others))
    own, other = (
        nearest_training_image(model, drawn, training_images(model, _prepared(model, source, rows[:count])))
        for rows in (half, others)
    )
    ratio = lambda a, b: float(np.median(a) / np.median(b))  # noqa: E731
    return [
        [
            f"{name} half",
            space,
            float(np.median(near)),
            float(np.median(far)),
            Check(f"{name} half: own over other, {space}", estimate(ratio, near, far), NEAREST),
        ]
        for space, near, far in zip(own._fields, own, other, strict=True)
    ]


def _prepared(model: LatentImageModel, source: ImageSource, rows: np.ndarray) -> np.ndarray:
    chunks = model_images(source, model, rejects=Rejects(), rows=rows)
    return np.concatenate([chunk.images for chunk in chunks])
