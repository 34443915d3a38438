"""Images of a mock of SDSS from properties: drawn beside real, and properties inferred from images."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import numpy as np

from benchmarks.results import Check, Result, Target
from benchmarks.settings import Settings
from nebulium.data.images.labelled import LabelledImages, prepare_parts
from nebulium.data.images.opening import open_images
from nebulium.data.images.preparation import Preparation
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.generate.model import LatentImageModel
from nebulium.generate.recipe import LatentConfig
from nebulium.generate.sample_file import sample_images
from nebulium.generate.scores.features import feature_names, image_features
from nebulium.generate.scores.likeness import feature_likeness, real_told_apart, told_apart
from nebulium.generate.scores.posteriors import bound_scores, fit_linear_gaussian, posterior_scores
from nebulium.generate.training_file import train_file
from nebulium.metrics.estimates import estimate
from nebulium.mock.survey.making import make_survey
from nebulium.modelfile import load_model
from nebulium.nn.mapping import map_galaxies

GALAXIES, SEED = 20_000, 11
PROPERTIES = ("redshift", "log_mstar", "log_sfr", "oh12", "av_mag")
# Fixed before the training.
DRAWN, BOUNDED, DRAWS = 2_000, 100, 128
APART = {"morphology": 0.62, "morphology, colour and noise": 0.60, "morphology and properties": 0.65}
GAIN, GAINS = Target(least=0.15), ("redshift", "log_sfr")
HOLDS = {0.68: Target(0.64, 0.75), 0.95: Target(0.92, 0.98)}
BIAS, SCATTER, DISTANCE = Target(-0.2, 0.2), Target(0.8, 1.4), Target(most=0.10)


def measure(settings: Settings) -> Iterator[Result]:
    """Train on the training galaxies, and look at the test galaxies once."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = settings.generate_survey or Path(scratch) / "survey"
        if settings.generate_survey is None:
            make_survey(folder, survey="sdss", n=GALAXIES, seed=SEED, processes=2)
        start = time.process_time()
        if settings.generate_model is None:
            train_file(folder, Path(scratch) / "model", properties=PROPERTIES, config=LatentConfig())
        seconds = time.process_time() - start
        model = load_model(settings.generate_model or Path(scratch) / "model", of=LatentImageModel)
        parts = parts_of(folder, Path(scratch) / "images", model.conditions, model.form.preparation)
        yield _posteriors(model, parts)
        yield from _likeness(model, parts["test"], seconds if settings.generate_model is None else None)


def parts_of(
    folder: Path, scratch: Path, properties: Sequence[str], preparation: Preparation
) -> dict[str, LabelledImages]:
    """Prepared images of a survey, with the properties, by part."""
    source = open_images(folder)
    if source.table is None:
        raise ValueError(f"{folder} has no table beside its images")
    values = np.stack([source.table[name] for name in properties], axis=1).astype(np.float32)
    return prepare_parts(
        source,
        np.arange(len(source)),
        Split().parts(source.ids),
        {"value": values},
        scratch,
        preparation=preparation,
        rejects=Rejects(),
    )


def _posteriors(model: LatentImageModel, parts: dict[str, LabelledImages]) -> Result:
    """Scores of each property, the others not known."""
    test, truth = parts["test"], parts["test"].labels["value"]
    train = parts["train"]
    linear = fit_linear_gaussian(model, train.images, train.labels["value"])
    found = posterior_scores(model, test.images, truth, linear)
    bound, error = bound_scores(
        model,
        test.images[np.arange(BOUNDED)],
        truth[:BOUNDED],
        parts["train"].labels["value"],
        draws=DRAWS,
        key=jax.random.key(0),
    )
    mean = lambda values: estimate(np.mean, values)  # noqa: E731
    rows = []
    for place, name in enumerate(model.conditions):
        by = {method: values[:, place] for method, values in found.log_density.items()}
        gain = mean(by["model"] - by["Gaussian"])
        off = np.abs(found.pit[:, place] - 0.5) * 2
        rows.append([
            name,
            *(mean(values) for values in by.values()),
            Check(f"{name}: gain", gain, GAIN) if name in GAINS else gain,
            *(
                Check(f"{name}: {share:.0%} hold", mean((off < share).astype(float)), target)
                for share, target in HOLDS.items()
            ),
            mean(bound[:, place]),
            float(np.median(error[:, place])),
        ])  # fmt: skip
    return Result(
        "generate/posteriors",
        "Properties from images by Bayes' rule",
        f"A mock of SDSS, {len(truth):,} test galaxies, one property at a time, nothing else known. Mean "
        "logarithms of the density at the truth, nats for one scatter of the training galaxies: of their "
        "population; of a Gaussian of properties and coefficients; of the model, with its gain over that and "
        f"the shares that its intervals hold; and, of {BOUNDED} galaxies, by the bound of the diffusion with "
        f"{DRAWS} draws, with the error of a difference.",
        (
            "property",
            "population",
            "Gaussian",
            "model",
            "gain",
            "68 % hold",
            "95 % hold",
            "bound",
            "its error",
        ),
        rows,
    )


def _likeness(model: LatentImageModel, test: LabelledImages, seconds: float | None) -> Iterator[Result]:
    """Images drawn at the properties of test galaxies, beside these."""
    rows = np.arange(min(DRAWN, len(test)))
    truth = test.labels["value"][rows]
    start = time.perf_counter()
    drawn = sample_images(model, truth, seed=1)
    speed = time.perf_counter() - start
    real = model.form.preparation.stretch.invert(test.images[rows])
    features = [map_galaxies(image_features, images) for images in (drawn, real)]
    apart, alone = told_apart(*features, truth), real_told_apart(features[1], truth)
    took = "" if seconds is None else f" Training took {seconds:.0f} CPU-seconds."
    yield Result(
        "generate/told_apart",
        "Drawn and real galaxies told apart",
        f"{len(rows):,} images drawn at the properties of test galaxies, and the images of these: area under "
        "the ROC curve of boosted trees, five folds, a galaxy and its twin in one; beside it that of two "
        f"halves of the real ones. Drawing took {speed:.0f} s.{took}",
        ("features", "drawn against real", "target", "real against real"),
        [
            [name, Check(f"AUC, {name}", area, target := Target(most=APART[name])), str(target), alone[name]]
            for name, area in apart.items()
        ],
    )
    likeness = feature_likeness(*features, truth, feature_names(model.form.bands))
    distance = float(np.mean([one.wasserstein for one in likeness]))
    yield Result(
        "generate/features",
        "Features of drawn galaxies",
        "The same images. Bias: median difference of drawn and real galaxies of equal properties, over the "
        "scatter of the real. Scatter: about what properties say of the feature, drawn over real. Distance: "
        "Wasserstein's, over the scatter of the real.",
        ("feature", "bias", "scatter", "distance"),
        [
            [
                one.name,
                Check(f"{one.name}: bias", one.bias, BIAS),
                Check(f"{one.name}: scatter", one.scatter, SCATTER),
                one.wasserstein,
            ]
            for one in likeness
        ],
        further=[Check("mean distance", distance, DISTANCE)],
    )
