"""Metallicity from the images of a mock survey: against forests, with fewer pixels, and beyond the mass."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from benchmarks.results import Check, Result, Row, Target, number
from benchmarks.settings import Settings, save_figure
from nebulium.data.images.labelled import StoredImages, prepare_parts
from nebulium.data.images.opening import open_images
from nebulium.data.images.preparation import Preparation
from nebulium.data.images.source import ImageSource
from nebulium.data.images.stretches import Stretch, measure_softening
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.metrics.estimates import estimate
from nebulium.metrics.figure_style import BLUE, HALF_WIDTH, SMALL
from nebulium.metrics.panels import finish
from nebulium.metrics.point import rmse
from nebulium.metrics.probabilistic import Estimate
from nebulium.mock.survey.making import make_survey
from nebulium.nn.mapping import map_galaxies
from nebulium.properties.baselines.learned import ForestBaseline
from nebulium.properties.config import PropertiesConfig
from nebulium.properties.model import PropertyPrediction
from nebulium.properties.predict import BATCH
from nebulium.properties.recipe import train_on_store
from nebulium.properties.scores.figures import predicted_against_true, residuals_against
from nebulium.properties.scores.galleries import as_pictures, captions_of, gallery, gallery_rows
from nebulium.properties.scores.mass_figures import mass_metallicity_figure, more_than_mass_figure
from nebulium.properties.scores.mass_metallicity import more_than_mass
from nebulium.properties.scores.scores import METRICS, Intervals, property_columns
from nebulium.properties.seen.training_galaxies import TrainingGalaxies
from nebulium.verbs import Score, compare_methods, score_method
from nebulium.verbs.score import Columns

GALAXIES, SEED = 20_000, 4
FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}
TARGETS = ("oh12", "log_mstar")
SIDES = (1, 2, 4, 8, 16, 32, 64)
#: Root mean square residuals, dex, of Wu & Boada (2019) by the side of the image in pixels.
PUBLISHED = {1: 0.1609, 2: 0.1587, 4: 0.1290, 8: 0.1125, 16: 0.1053, 32: 0.0927, 64: 0.0893, 128: 0.0851}
UNIT = "dex"
MAIN = PropertiesConfig(epochs=12, conformal=True)
# Without profiles, which have a resolution of their own.
RESOLVED = PropertiesConfig(epochs=8, with_profiles=False)
MOST_OF_FOREST, MOST_MORE_SCATTER = 0.65, 1.1
COVERS = Target(0.66, 0.70)
BANDS = ("sdss_g0", "sdss_r0", "sdss_i0")


@dataclass(frozen=True, eq=False)
class MockSample:
    """A mock survey as it is split here.

    Attributes
    ----------
    source : ImageSource
    part : ndarray of str of shape (n,)
    values : ndarray of shape (n, 2), float32
        Metallicity and log of the mass.
    colours, magnitudes, truth : ndarray of shape (n, feature)
        Observed colours and magnitudes; true mass, star-formation rate, redshift, attenuation, age and
        e-folding time.
    """

    source: ImageSource
    part: np.ndarray
    values: np.ndarray
    colours: np.ndarray
    magnitudes: np.ndarray
    truth: np.ndarray


def measure(settings: Settings) -> list[Result]:
    """Train on the training galaxies, choose on the validation galaxies, score the test galaxies once."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = settings.mock_survey or _made(Path(scratch) / "survey")
        sample = _sample(open_images(folder))
        images, said = _trained(sample, Path(scratch))
        resolved = [_resolved(sample, side, Path(scratch)) for side in SIDES]
        _pictures(sample, said, images)
        return [_forests(sample, said), _resolutions(resolved), _masses(sample, said)]


def _made(folder: Path) -> Path:
    make_survey("sdss", folder, n=GALAXIES, seed=SEED, processes=2)
    return folder


def _sample(source: ImageSource) -> MockSample:
    table = source.table
    magnitudes = np.stack([table[f"mag_ab_obs_{band}"] for band in BANDS], axis=1)
    names = ("log_mstar", "log_sfr", "redshift", "av_mag", "age_gyr", "tau_gyr")
    return MockSample(
        source=source,
        part=Split(seed="nebulium", fractions=FRACTIONS).parts(source.ids),
        values=np.stack([table[target] for target in TARGETS], axis=1).astype(np.float32),
        colours=-np.diff(magnitudes, axis=1),
        magnitudes=magnitudes,
        truth=np.stack([table[name] for name in names], axis=1),
    )


def _preparation(sample: MockSample, side: int) -> Preparation:
    rows = np.flatnonzero(sample.part == "train")[:200]
    first = [image for chunk in sample.source.chunks(rows) for image in chunk.pixels]
    size = first[0].shape[0]
    # Binned pixels are means: their noise is smaller by as much as there are pixels on a side.
    softening = tuple(value * side / size for value in measure_softening(first))
    return Preparation(size, Stretch("asinh", softening), binning=size // side)


def _parts(sample: MockSample, side: int, scratch: Path, *, targets: int) -> dict[str, TrainingGalaxies]:
    """Prepared images of so many pixels on a side, with the first so many targets, by part of the split."""
    values, rejects = sample.values[:, :targets], Rejects()
    parts = prepare_parts(
        sample.source,
        np.arange(len(values)),
        sample.part,
        {"value": values, "sigma": np.zeros_like(values)},
        scratch / f"images-{side}",
        preparation=_preparation(sample, side),
        rejects=rejects,
    )
    if len(rejects):
        raise RuntimeError(f"mock images were set aside: {rejects.summary()}")
    return {name: TrainingGalaxies(part.images, None, part.labels) for name, part in parts.items()}


def _trained(sample: MockSample, scratch: Path) -> tuple[StoredImages, PropertyPrediction]:
    """The images of the test galaxies, and what the main model predicts of them."""
    parts = _parts(sample, SIDES[-1], scratch, targets=len(TARGETS))
    model, _ = train_on_store(parts, TARGETS, config=MAIN)
    return parts["test"].images, map_galaxies(model, parts["test"].images, batch=BATCH)


def _resolved(sample: MockSample, side: int, scratch: Path) -> Estimate:
    """Root mean square residual with images of so many pixels on a side."""
    parts = _parts(sample, side, scratch, targets=1)
    model, _ = train_on_store(parts, TARGETS[:1], config=RESOLVED)
    predicted = map_galaxies(model, parts["test"].images)
    true = parts["test"].labels["value"]
    return estimate(rmse, true[:, 0].astype(float), predicted.median[:, 0].astype(float))


def _forests(sample: MockSample, said: PropertyPrediction) -> Result:
    training, test = sample.part == "train", sample.part == "test"
    true = sample.values[test, 0].astype(float)
    intervals = Intervals(said.q16[:, 0].astype(float), said.q84[:, 0].astype(float))
    columns = {"image": property_columns(true, said.median[:, 0].astype(float), intervals)}
    of = {
        "forest on colours": sample.colours,
        "forest on magnitudes": sample.magnitudes,
        "forest on true mass, star formation, redshift, dust, age": sample.truth,
    }
    for name, features in of.items():
        forest = ForestBaseline.fit(features[training], sample.values[training, 0].astype(float))
        columns[name] = property_columns(true, forest.predict(features[test]))
    scores = [score_method(name, those, METRICS, target="oh12") for name, those in columns.items()]
    of_image, of_colours, _, limit = (score["rmse"].value for score in scores)
    about = "RMSE over that of the forest on colours"
    ratio = Check(about, of_image / of_colours, Target(most=MOST_OF_FOREST))
    return Result(
        "properties/mock",
        "Metallicity from mock SDSS images",
        f"{test.sum():,} test galaxies of {len(test):,} of `nebulium mock make --survey sdss --seed {SEED}`; "
        f"{training.sum():,} to train on. The image has {number(ratio.value)} of the error of the forest on "
        "colours. A forest that is told the true mass, star-formation rate, redshift, attenuation and ages "
        f"still has {number(limit / of_colours)} of it: the rest is scatter of the metallicity at given "
        "properties, which the mock's images do not hold.",
        ("from", "RMSE / dex", "NMAD / dex", "bias / dex", "in 68 %", "forest's RMSE − this / dex"),
        [_row(score, columns) for score in scores],
        [ratio],
    )


def _row(score: Score, columns: dict[str, Columns]) -> Row:
    covered = np.isfinite(score["coverage_68"].value)
    pair = {name: columns[name] for name in (score.method, "forest on colours")}
    better = [one.difference for one in compare_methods(pair, {"rmse": METRICS["rmse"]})]
    return [
        score.method,
        score["rmse"],
        score["nmad"],
        score["bias_mean"],
        Check("coverage of 68 %", score["coverage_68"], COVERS) if covered else "",
        *(better or [""]),
    ]


def _resolutions(errors: list[Estimate]) -> Result:
    values = [error.value for error in errors]
    # An error is taken as no larger than the one before if it is within their common error.
    rises = max(
        (later - earlier) / np.hypot(a.error, b.error)
        for earlier, later, a, b in zip(values, values[1:], errors, errors[1:], strict=False)
    )
    last, all_of_it = values[-2] - values[-1], values[0] - values[-1]
    checks = [
        Check("largest rise with resolution, in its error", float(rises), Target(most=1.0)),
        Check("last doubling's share of the whole fall", float(last / all_of_it), Target(most=0.2)),
    ]
    save_figure(_resolution_figure(errors), "properties/resolution")
    return Result(
        "properties/resolution",
        "Metallicity with fewer pixels",
        "The same galaxies, binned; a network without profiles trained anew for each resolution.",
        ("pixels on a side", *map(str, SIDES)),
        [["RMSE / dex", *errors]],
        checks,
    )


def _resolution_figure(errors: list[Estimate]) -> Figure:
    """How the error falls with the resolution of the images, beside the published."""
    figure = Figure(figsize=(HALF_WIDTH + 0.9, 2.8), layout="constrained")
    axes = figure.add_subplot()
    finish(axes, "Side of the image / pixels", f"RMSE / {UNIT}", "Mock SDSS")
    axes.plot(
        *zip(*PUBLISHED.items(), strict=True), "x:", color="0.55", markersize=4, label="Wu & Boada (2019)"
    )
    values, bars = zip(*errors, strict=True)
    axes.errorbar(SIDES, values, bars, color=BLUE, marker="o", markersize=4, label="network")
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(PUBLISHED), [str(side) for side in PUBLISHED])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=SMALL, frameon=False, loc="lower left")
    return figure


def _masses(sample: MockSample, said: PropertyPrediction) -> Result:
    test = sample.part == "test"
    true, mass = sample.values[test].astype(float).T
    predicted, mass_predicted = said.median.astype(float).T
    comparison = more_than_mass(true, predicted, mass, mass_predicted)
    save_figure(
        mass_metallicity_figure(mass, true, predicted, title="Mock SDSS"), "properties/mass_metallicity"
    )
    save_figure(
        more_than_mass_figure(mass, true, predicted, comparison, title="Mock SDSS"),
        "properties/more_than_mass",
    )
    return Result(
        "properties/mass",
        "More than the mass?",
        f"{comparison.n:,} test galaxies of the mock. Errors of the metallicity from the image, from "
        "the mean mass-metallicity relation at the true mass, and from that at the mass that the same "
        "network predicts; the partial correlation of prediction and truth at fixed mass; and the scatter "
        "about the relation.",
        ("quantity", "value"),
        _rows_of(comparison),
    )


def _rows_of(comparison: Score) -> list[Row]:
    about = "scatter about the mass-metallicity relation over the true"
    return [
        ["RMSE from the image / dex", comparison["rmse_image"]],
        ["RMSE from the true mass / dex", comparison["rmse_mass"]],
        ["true mass's RMSE − the image's / dex", comparison["difference"]],
        ["RMSE from the predicted mass / dex", comparison["rmse_predicted_mass"]],
        ["predicted mass's RMSE − the image's / dex", comparison["difference_predicted_mass"]],
        ["partial correlation at fixed mass", comparison["partial_correlation"]],
        ["NMAD of the truth about the relation / dex", comparison["scatter_true"]],
        ["NMAD of the predictions about it / dex", comparison["scatter_predicted"]],
        ["their ratio", Check(about, comparison["scatter_ratio"], Target(most=MOST_MORE_SCATTER))],
    ]


def _pictures(sample: MockSample, said: PropertyPrediction, images: StoredImages) -> None:
    test = np.flatnonzero(sample.part == "test")
    true, predicted = sample.values[test, 0].astype(float), said.median[:, 0].astype(float)
    table, label = sample.source.table, "12 + log O/H"
    save_figure(
        predicted_against_true(true, predicted, label=label, title="Mock SDSS"),
        "properties/predicted_against_true",
    )
    others = {
        label: true,
        "log M★ / M☉": table["log_mstar"][test],
        "redshift": table["redshift"][test],
        "half-light radius / kpc": table["half_light_radius_kpc"][test],
    }
    save_figure(
        residuals_against(true, predicted, others, label=label, title="Mock SDSS"), "properties/residuals"
    )
    groups, stretch = gallery_rows(true), images.store.form.preparation.stretch
    shown = {
        # From the reddest band to the bluest.
        name: as_pictures(stretch.invert(images[rows]), bands=(2, 1, 0))
        for name, rows in groups.items()
    }
    sigma = said.sigma[:, 0].astype(float)
    captions = {name: captions_of(true[rows], predicted[rows], sigma[rows]) for name, rows in groups.items()}
    save_figure(gallery(shown, captions, title=f"Mock SDSS: {label}"), "properties/gallery")
