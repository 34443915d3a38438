"""Images of a mock from properties: drawn beside real, and properties inferred from images."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.generate.mocks import CANDELS, SDSS, MockImages
from benchmarks.results import Check, Result, Target
from benchmarks.settings import Settings, figure_path, save_figure
from nebulium.data.images.opening import open_images
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.generate.drawing.figure_files import page_file, strip_file
from nebulium.generate.model import LatentImageModel
from nebulium.generate.scores.drawn import REAL
from nebulium.generate.scores.evaluate import evaluate_file
from nebulium.generate.scores.posteriors import LINEAR, POPULATION, bound_scores
from nebulium.metrics.estimates import estimate
from nebulium.nn.image_model import model_images
from nebulium.verbs import Evaluation
from nebulium.verbs.predict import named_model

#: What the strip of the documentation shows.
STRIP: dict[str, Any] = {"vary": "log_sfr", "given": {"log_mstar": 10.3, "log_redshift": -1.1}}
# Fixed before the training.
DRAWN, BOUNDED, DRAWS = 2_000, 100, 256
APART = {"morphology": 0.62, "morphology, colour and noise": 0.60, "morphology and properties": 0.65}
GAIN, GAINS = Target(least=0.15), ("log_redshift", "redshift", "log_sfr")
HOLDS = {68: Target(0.64, 0.75), 95: Target(0.92, 0.98)}
BIAS, SCATTER, DISTANCE = Target(-0.2, 0.2), Target(0.8, 1.4), Target(most=0.10)
ERROR, OWN, NEAREST = Target(most=0.3), Target(least=0.95), Target(least=0.95)


def measure(settings: Settings) -> Iterator[Result]:
    """Look at the test galaxies of the packaged model of SDSS once."""
    with tempfile.TemporaryDirectory() as scratch:
        survey, table = SDSS.made(settings.generate_survey, scratch), Path(scratch) / "true.parquet"
        model = settings.generate_model or SDSS.model
        found = _scored(SDSS, survey, table, model)
        yield _posteriors(SDSS, found)
        yield _differences(found, *_bound(named_model(model, of=LatentImageModel).model, survey, table))
        strip_file(figure_path("generate/strip"), model=model, **STRIP)
        yield from _likeness(SDSS, found)
        yield _nearest(SDSS, found)


def measure_candels(settings: Settings) -> Iterator[Result]:
    """The same of that of CANDELS, but for the bound of the diffusion."""
    with tempfile.TemporaryDirectory() as scratch:
        survey, table = CANDELS.made(settings.generate_candels, scratch), Path(scratch) / "true.parquet"
        found = _scored(CANDELS, survey, table, CANDELS.model)
        yield _posteriors(CANDELS, found)
        yield from _likeness(CANDELS, found)
        yield _nearest(CANDELS, found)


def _scored(mock: MockImages, survey: Path, table: Path, model: str | Path) -> Evaluation:
    """The model evaluated on the test galaxies of its mock, with its pictures."""
    mock.write_properties(survey, table)
    found = evaluate_file(survey, model=model, table=table, drawn=DRAWN, seed=1)
    for figure in ("pictures", "calibration"):
        save_figure(found.figures[figure], f"generate/{mock.survey}_{figure}")
    page_file(figure_path(f"generate/{mock.survey}_page"), model=model)
    return found


def _name(found: Evaluation) -> str:
    """The method that is the model."""
    return next(iter(found.about["models"]))


def _posteriors(mock: MockImages, found: Evaluation) -> Result:
    """Scores of each property, the others not known, and the gain over simpler methods."""
    name = _name(found)
    scores = {(one.target, one.method): one for one in found.of_all()}
    gains = {(one.target, one.rival): one.difference for one in found.comparison if one.metric == "log_score"}
    rows = []
    for target in dict.fromkeys(one.target for one in found.of_all()):
        gain, ours = gains[target, LINEAR], scores[target, name]
        rows.append([
            target,
            *(scores[target, one]["log_score"] for one in (POPULATION, LINEAR, name)),
            Check(f"{target}: gain", gain, GAIN) if target in GAINS else gain,
            *(
                Check(f"{target}: {share} % hold", ours[f"coverage_{share}"], within)
                for share, within in HOLDS.items()
            ),
        ])  # fmt: skip
    return Result(
        f"generate/{mock.survey}_posteriors",
        f"{mock.survey.upper()}: properties from images by Bayes' rule",
        f"`{mock.model}`, {found.about['galaxies_scored']:,} test galaxies of its mock, one "
        "property at a time, nothing else known. Mean logarithms of the density at the truth, nats for one "
        "scatter of the training galaxies: of their population; of a Gaussian of properties and "
        "coefficients; of the model, with its gain over that, and the shares that its intervals hold.",
        ("property", "population", "Gaussian", "model", "model − Gaussian", "68 % hold", "95 % hold"),
        rows,
    )


def _bound(model: LatentImageModel, survey: Path, table: Path) -> tuple[np.ndarray, np.ndarray]:
    """Scores by the bound of the diffusion of some test galaxies, and the errors of its differences."""
    source, true = open_images(survey), read_table(table)
    rows = Split().rows(source.ids)
    known = np.stack([true[name] for name in model.conditions], axis=1).astype(np.float32)
    some = rows["test"][:BOUNDED]
    chunks = list(model_images(source, model, rejects=Rejects(), rows=some))
    images, seen = (np.concatenate([getattr(one, name) for one in chunks]) for name in ("images", "rows"))
    return bound_scores(model, images, known[seen], known[rows["train"]], draws=DRAWS, key=jax.random.key(0))


def _differences(found: Evaluation, bound: np.ndarray, error: np.ndarray) -> Result:
    """What likelihoods say of properties: own against another galaxy's, and by the bound."""
    (ratios,) = found.tables["ratios"]
    names = [one.target for one in found.of_all(_name(found))]
    rows: list[list[Any]] = [
        [
            "own properties against another galaxy's, AUROC",
            Check("own against another's, AUROC", ratios["auroc"], OWN),
        ],
        ["share of galaxies likelier with their own", ratios["own_likelier"]],
        ["median difference of log p / nats", ratios["median_difference"]],
    ]
    for place, name in enumerate(names):
        middle = float(np.median(error[:, place]))
        rows += [
            [f"{name}: log score by the bound", estimate(np.mean, bound[:, place])],
            [
                f"{name}: error of a difference by the bound / nats",
                Check(f"{name}: error of a difference", middle, ERROR),
            ],
        ]
    return Result(
        "generate/sdss_ratios",
        "SDSS: how likely images are with their own properties",
        f"Log of p(image given properties) / p(image) by Bayes' rule, which has no Monte-Carlo error: of "
        f"{ratios['galaxies']:,} test galaxies with all their own properties, and with all of another one. "
        f"Below it, of {len(bound)} galaxies and one property at a time, the bound of the diffusion with "
        f"{DRAWS} draws: the logarithm of the posterior at the truth, and the error of the difference "
        "between the truth and the middle of the range.",
        ("quantity", "measured"),
        rows,
    )


def _likeness(mock: MockImages, found: Evaluation) -> Iterator[Result]:
    """Images drawn at the properties of test galaxies, beside these."""
    name = _name(found)
    told = found.tables["told_apart"]
    areas: dict[str, Mapping[str, Any]] = {}
    for row in told:
        areas[row["features"]] = {**areas.get(row["features"], {}), row["images"]: row["auc"]}
    others = [kind for kind in dict.fromkeys(row["images"] for row in told) if kind not in (name, REAL)]
    yield Result(
        f"generate/{mock.survey}_told_apart",
        f"{mock.survey.upper()}: drawn and real galaxies told apart",
        f"{told[0]['galaxies']:,} images drawn at the properties of test galaxies, and the images of these: "
        "area under the ROC curve of boosted trees, five folds, a galaxy and its twin in one; beside it that "
        "of two halves of the real ones, of images drawn by the Gaussian under the diffusion, and of "
        "training galaxies of the nearest properties.",
        (
            "features",
            "drawn against real",
            "target",
            "real against real",
            *(f"{one} against real" for one in others),
        ),
        [
            [
                features,
                Check(f"AUC, {features}", of[name], target := Target(most=APART[features])),
                str(target),
                of[REAL],
                *(of[one] for one in others),
            ]
            for features, of in areas.items()
        ],
    )
    rows = [row for row in found.tables["features"] if row["images"] == name]
    distance = float(np.mean([row["wasserstein"] for row in rows]))
    yield Result(
        f"generate/{mock.survey}_features",
        f"{mock.survey.upper()}: features of drawn galaxies",
        "The same images. Bias: median difference of drawn and real galaxies of equal properties, over the "
        "scatter of the real. Scatter: about what properties say of the feature, drawn over real. Distance: "
        "Wasserstein's, over the scatter of the real; beside it that of two halves of the real.",
        ("feature", "bias", "scatter", "distance", "distance of real halves"),
        [
            [
                row["feature"],
                Check(f"{row['feature']}: bias", row["bias"], BIAS),
                Check(f"{row['feature']}: scatter", row["scatter"], SCATTER),
                row["wasserstein"],
                row["wasserstein_real"],
            ]
            for row in rows
        ],
        further=[Check("mean distance", distance, DISTANCE)],
    )


def _nearest(mock: MockImages, found: Evaluation) -> Result:
    """Whether drawn images are copies of the training images."""
    name = _name(found)
    rows = []
    for row in found.tables["nearest_training_image"]:
        ratio = row["over_held_out"]
        check = Check(f"{row['distance']}: drawn over held out", ratio, NEAREST)
        rows.append(
            [row["distance"], row["images"], row["median"], check if row["images"] == name else ratio]
        )
    return Result(
        f"generate/{mock.survey}_nearest",
        f"{mock.survey.upper()}: the nearest training image",
        f"Distances of {row['galaxies']:,} images to the nearest of the training, in stretched pixels "
        "(averaged to 32 on a side, in the best of eight orientations) and in features: medians, and over "
        "that of held-out real galaxies. A model that draws its training images again lies near 0, as the "
        "training galaxies of the nearest properties do, far below 1.",
        ("distance in", "images", "median", "over held out"),
        rows,
    )
