"""Posteriors by a model of images beside networks that regress properties, of equal data and time."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.generate.mocks import SMALL, small_survey
from benchmarks.results import Check, Result, Target
from benchmarks.settings import Settings
from nebulium import generate as images
from nebulium.data.images.opening import open_images
from nebulium.data.splits import Split
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.generate.model import LatentImageModel
from nebulium.generate.scores.evaluate import evaluate_file
from nebulium.generate.scores.posteriors import POPULATION
from nebulium.generate.scores.rivals import load_rival, rival_scores
from nebulium.modelfile import load_model
from nebulium.properties.config import PropertiesConfig
from nebulium.properties.training_file import train_file
from nebulium.verbs import Evaluation

#: The two architectures of `nebulium properties train`, at the sizes that train in hours on a CPU.
ENCODERS = ("resnet-small", "convnext-nano")
#: Galaxies on which an epoch is timed, and how long the two trainings are whose difference counts.
TIMED, EPOCHS = 1_000, (1, 3)


BESIDE, OF_ISSUE = Target(least=-0.04), ("redshift", "log_mstar", "log_sfr", "oh12")


@dataclass(frozen=True)
class Rival:
    """A network, and what it took.

    Attributes
    ----------
    encoder : str
    folder : Path
        Of its model.
    epochs : int
    seconds : float
        CPU-seconds of its training, with the preparation of the images.
    validation : float
        Mean logarithm of the density of its properties in validation, nats for one standardised unit.
    """

    encoder: str
    folder: Path
    epochs: int
    seconds: float
    validation: float


def measure(settings: Settings) -> Iterator[Result]:
    """Train a model of images and its rivals on the training galaxies, and look at the test galaxies once."""
    with tempfile.TemporaryDirectory() as scratch:
        survey = small_survey(settings, scratch)
        folder, start = Path(scratch) / "model", time.process_time()
        images.train_file(survey, folder, properties=SMALL.properties)
        took = time.process_time() - start
        rivals = train_rivals(survey, load_model(folder, of=LatentImageModel), Path(scratch), took)
        found = evaluate_file(survey, model=folder, rivals=[rivals[0].folder], seed=1)
        yield _compared(found, rivals, took)


def _compared(found: Evaluation, rivals: list[Rival], took: float) -> Result:
    """Log scores of each property, of the model and of its better rival."""
    rival, name = rivals[0], next(iter(found.about["models"]))
    scores = {(one.target, one.method): one["log_score"] for one in found.of_all()}
    over = {(one.target, one.rival): one.difference for one in found.comparison if one.metric == "log_score"}
    rows = []
    for target in dict.fromkeys(one.target for one in found.of_all()):
        difference = over[target, rival.encoder]
        checked = Check(f"{target}: beside the network", difference, BESIDE)
        rows.append([
            target,
            *(scores[target, one] for one in (POPULATION, rival.encoder, name)),
            checked if target in OF_ISSUE else difference,
        ])  # fmt: skip
    trained = "; ".join(
        f"{one.encoder} {one.epochs} epochs in {one.seconds:,.0f} s, {one.validation:.3f} in validation"
        for one in rivals
    )
    return Result(
        "generate/rivals",
        "Properties from images beside regression networks",
        f"A mock of SDSS, {found.about['galaxies_scored']:,} test galaxies, one property at a time, nothing "
        "else known: mean logarithms of the density at the truth, nats for one scatter of the training "
        f"galaxies. The model trained for {took:,.0f} CPU-seconds; of two networks of equal data and about "
        f"that time ({trained}) the better one in validation stands here.",
        ("property", "population", "network", "model", "model − network"),
        rows,
    )


def train_rivals(survey: Path, model: LatentImageModel, scratch: Path, seconds: float) -> list[Rival]:
    """Train each architecture for as many epochs as take so long; the best in validation first."""
    found = [_trained(encoder, survey, model, scratch, seconds) for encoder in ENCODERS]
    return sorted(found, key=lambda rival: -rival.validation)


def _trained(encoder: str, survey: Path, model: LatentImageModel, scratch: Path, seconds: float) -> Rival:
    """One network with its score in validation."""
    source, folder = open_images(survey), scratch / encoder
    if source.table is None:
        raise ValueError(f"{survey} has no table beside its images")
    rows = Split().rows(source.ids)
    timed = scratch / f"{encoder}-timed.parquet"
    columns = {name: source.table[name][:TIMED] for name in model.conditions}
    write_table(Table({"target_id": source.ids[:TIMED], **columns}), timed)
    took = []
    # The first training compiles for all of them.
    for epochs in (EPOCHS[0], *EPOCHS):
        took.append(_train(encoder, survey, timed, model.conditions, scratch / "timed", epochs))
    of_one = (took[-1] - took[-2]) / (EPOCHS[1] - EPOCHS[0])
    of_one *= len(rows["train"]) / np.sum(rows["train"] < TIMED)
    epochs = max(1, round(seconds / of_one))
    seconds = _train(encoder, survey, None, model.conditions, folder, epochs)
    known = np.stack([source.table[name] for name in model.conditions], axis=1).astype(np.float32)
    validation = source.ids[rows["validation"]], known[rows["validation"]]
    scores = rival_scores(load_rival(folder), model, survey, *validation)
    return Rival(encoder, folder, epochs, seconds, float(np.mean(scores.log_density)))


def _train(
    encoder: str, survey: Path, labels: Path | None, targets: tuple[str, ...], folder: Path, epochs: int
) -> float:
    """Train with the recipe and a mixture of normal distributions; CPU-seconds."""
    config = PropertiesConfig(encoder=encoder, head="mixture", epochs=epochs)
    start = time.process_time()
    train_file(survey, labels, folder, targets=targets, config=config)
    return time.process_time() - start
