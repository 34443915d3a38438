"""Real pictures of SDSS galaxies: how like them `sdss-galaxies` draws, and whether it draws them again."""

import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
from PIL import Image

from benchmarks.results import Check, Result, Target
from benchmarks.settings import Settings, data_folder, figure_path
from nebulium.data.images.labelled import LabelledImages, prepare_parts
from nebulium.data.images.opening import open_images
from nebulium.data.output import replace_on_success
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.generate import LatentConfig, train_file
from nebulium.generate.drawing.sample_file import sample_images
from nebulium.generate.model import LatentImageModel
from nebulium.generate.scores.baselines import gaussian_images
from nebulium.generate.scores.features import image_features
from nebulium.generate.scores.likeness import real_told_apart, told_apart
from nebulium.generate.scores.memorisation import nearest_training_image, training_images
from nebulium.metrics.estimates import estimate
from nebulium.modelfile import load_model
from nebulium.nn.classes import split_by_target
from nebulium.nn.mapping import map_galaxies
from nebulium.properties import PropertyModel
from nebulium.verbs.labels.joining import join_labels, read_labels

MODEL = "sdss-galaxies"
PROPERTIES = ("oh12", "visual_class", "is_odd")
#: In the set of metallicities and in that of Galaxy Zoo: what is left of both pictures by the first 150
#: components of all is correlated by .58, of no other two galaxies by more than .44 (edge-on discs alike).
IN_BOTH = "1237667254002188383"
#: Half the side of the pictures, and a small network: there are few galaxies to learn from.
CONFIG = LatentConfig(components=96, width=128, depth=2, binning=2, batch_size=256)
EPOCHS = 600
CLASSIFIER, CLASS, RARE = "galaxy-zoo-classes", "visual_class", "barred"
#: Pictures drawn of each class.
OF_CLASS = 100
#: Pictures in the figure of the documentation, in rows of real and of drawn ones.
SHOWN, ACROSS = 48, 12
# Fixed before the training, but for the comparison with validation pictures. The classifier's own balanced
# accuracy is that of its cross-validation.
APART, NEAREST = Target(most=0.70), Target(least=0.95)
OWN, WITHIN = 0.843, 0.10
Parts = dict[str, LabelledImages]
DRAWN, GAUSSIAN, REBUILT, REAL = "drawn", "drawn by the Gaussian under the diffusion", "rebuilt", "real"


def measure(settings: Settings) -> Iterator[Result]:
    """Look at the test galaxies of the model once."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = settings.pictures_model or train_model(Path(scratch) / MODEL, epochs=EPOCHS)
        model = load_model(folder, of=LatentImageModel)
        parts = _parts(model, Path(scratch))
        test = parts["test"]
        conditions = np.asarray(test.labels["value"])
        coefficients = map_galaxies(model.coefficients, test.images)
        keys = jax.random.split(jax.random.key(2), len(test))
        kinds = {
            REAL: model.form.preparation.stretch.invert(test.images[np.arange(len(test))]),
            DRAWN: _as_kept(model, sample_images(model, conditions, seed=1)),
            GAUSSIAN: _as_kept(model, gaussian_images(model, conditions, seed=1)),
            REBUILT: _as_kept(model, map_galaxies(model.with_noise, coefficients, keys)),
        }
        yield _told_apart(kinds, conditions)
        yield _nearest(model, kinds, parts)
        yield _classified(model, test)
        _figure(kinds)


def train_model(output: Path, *, epochs: int) -> Path:
    """Train the model on the pictures of the training part, and write its folder."""
    with tempfile.TemporaryDirectory() as scratch:
        images, table = write_pictures(Path(scratch))
        config = replace(CONFIG, epochs=epochs)
        train_file(images, output, properties=PROPERTIES, table=table, config=config, progress=True)
    return output


def _parts(model: LatentImageModel, scratch: Path) -> Parts:
    """The pictures of each part of the split, with what is known of them."""
    images, table = write_pictures(scratch)
    source = open_images(images)
    found = read_labels(table, source, PROPERTIES)
    labelled = join_labels(
        source,
        found,
        PROPERTIES,
        Rejects(),
        classes=dict(model.kinds.classes),
        learned=False,
        unlabelled=True,
    )
    return prepare_parts(
        source,
        labelled.rows,
        Split().parts(labelled.ids),
        {"value": labelled.values},
        scratch / "images",
        preparation=model.form.preparation,
        rejects=Rejects(),
    )


def _as_kept(model: LatentImageModel, drawn: np.ndarray) -> np.ndarray:
    """Drawn pictures as rounded as those that were read."""
    preparation = model.form.preparation
    return preparation.stretch.invert(preparation.stretch.apply(drawn).astype(preparation.dtype))


def _told_apart(kinds: Mapping[str, np.ndarray], conditions: np.ndarray) -> Result:
    features = {kind: map_galaxies(image_features, images) for kind, images in kinds.items()}
    real = features.pop(REAL)
    # Pictures of one set follow those of the other: halves are drawn at random.
    order = np.random.default_rng(0).permutation(len(real))
    alone = real_told_apart(real[order], conditions[order])
    rows: list[list[object]] = []
    for kind, of in features.items():
        areas = dict(told_apart(of, real, conditions))
        if kind == DRAWN:
            areas["morphology"] = Check("AUC, morphology", areas["morphology"], APART)  # type: ignore[assignment]
        rows.append([kind, *areas.values()])
    return Result(
        "generate/pictures_told_apart",
        "Pictures drawn and real",
        f"The model `{MODEL}` and the {len(real)} test pictures of its split: area under the ROC "
        "curve of boosted trees, five folds, a picture and its twin in one. Drawn at the properties of the "
        "test galaxies, of most of which none is known; rebuilt: the test pictures by their own components "
        "and the strengths of their own texture, which is what no diffusion can better. Last, two halves of "
        "the real pictures. Target: morphology of the drawn "
        f"{APART}.",
        ("pictures against real", *alone),
        [*rows, [REAL, *alone.values()]],
    )


def _nearest(model: LatentImageModel, kinds: Mapping[str, np.ndarray], parts: Parts) -> Result:
    learned, never = parts["train"], parts["validation"]
    training = training_images(model, learned.images)
    found = {
        kind: nearest_training_image(model, kinds[kind], training)._asdict()
        for kind in (REAL, DRAWN, REBUILT)
    }
    rows: list[list[object]] = []
    for space in found[REAL]:
        held_out = found[REAL][space]
        for kind in (REAL, DRAWN, REBUILT):
            own = found[kind][space]
            ratio = estimate(_ratio, own, held_out)
            shown = Check(f"{space}: drawn over held out", ratio, NEAREST) if kind == DRAWN else ratio
            rows.append([space, kind, f"{len(learned):,} training", float(np.median(own)), shown])
    some = np.random.default_rng(0).permutation(len(learned))[: len(never)]
    few, others = (
        nearest_training_image(model, kinds[DRAWN], training_images(model, of.images)).pixels
        for of in (learned.select(np.sort(some)), never)
    )
    check = Check("pixels: training over validation", estimate(_ratio, few, others), NEAREST)
    rows.append(["pixels", DRAWN, f"{len(never)} training", float(np.median(few)), check])
    rows.append(["pixels", DRAWN, f"{len(never)} validation", float(np.median(others)), 1.0])
    return Result(
        "generate/pictures_nearest",
        "The nearest training picture",
        f"Distances of {len(kinds[REAL])} pictures of each kind to the nearest of the training, as for the "
        f"mock: medians, and over that of the real, held-out pictures (target {NEAREST}). Smooth pictures "
        "lie nearer to any others than rich ones do: so do held-out pictures, once rebuilt. Last, drawn "
        "pictures and as many of the training as there are validation pictures, over these: 1 if it makes no "
        "difference that the model has learned from the first. One galaxy that is in both sets was left out "
        "of one.",
        ("distance in", "pictures", "nearest of", "median", "ratio"),
        rows,
    )


def _ratio(own: np.ndarray, other: np.ndarray) -> float:
    return float(np.median(own) / np.median(other))


def _classified(model: LatentImageModel, test: LabelledImages) -> Result:
    """What the packaged classifier of pictures says of those drawn of each class."""
    column, names = model.conditions.index(CLASS), dict(model.kinds.classes)[CLASS]
    conditions = np.full((len(names) * OF_CLASS, len(model.conditions)), np.nan, np.float32)
    conditions[:, column] = np.repeat(np.arange(len(names)), OF_CLASS)
    labelled = test.select(np.flatnonzero(np.isfinite(test.labels["value"][:, column])))
    real = model.form.preparation.stretch.invert(labelled.images[np.arange(len(labelled))])
    right = {
        DRAWN: _right(sample_images(model, conditions, seed=3), conditions[:, column], names),
        REAL: _right(real, labelled.labels["value"][:, column], names),
    }
    rows: list[list[object]] = [
        [name, *(estimate(np.mean, right[kind][place]) for kind in (DRAWN, REAL))]
        for place, name in enumerate(names)
    ]
    three = [place for place, name in enumerate(names) if name != RARE]
    least = Target(least=OWN - WITHIN)
    means = {kind: [float(of[place].mean()) for place in range(len(names))] for kind, of in right.items()}
    without = [float(np.mean([means[kind][place] for place in three])) for kind in (DRAWN, REAL)]
    every = [float(np.mean(means[kind])) for kind in (DRAWN, REAL)]
    return Result(
        "generate/pictures_classes",
        "Pictures drawn of a class",
        f"{OF_CLASS} pictures drawn of each class, nothing else given, enlarged to the 128 pixels that the "
        f"packaged classifier `{CLASSIFIER}` knows: the share that it takes for that class, and means over "
        f"classes (target, without {RARE}, of which there are 78: {least}, the balanced accuracy of its "
        f"cross-validation over all four, {OWN}, less {WITHIN:.2f}). Beside it the same of the "
        f"{len(labelled)} labelled test pictures, halved and enlarged alike; the classifier, not the model, "
        "was trained on these.",
        ("class", DRAWN, REAL),
        [
            *rows,
            [f"mean without {RARE}", Check("mean share of classes", without[0], least), without[1]],
            ["mean of all", *every],
        ],
    )


def _right(pictures: np.ndarray, true: np.ndarray, names: tuple[str, ...]) -> list[np.ndarray]:
    """Which pictures of each class the classifier takes for it."""
    classifier = load_model(CLASSIFIER, of=PropertyModel)
    large = np.stack([_enlarged(one, classifier.form.preparation.size) for one in pictures])
    found = map_galaxies(classifier, classifier.form.preparation.from_disk(large)).probability
    (said,) = (
        part
        for (target, _), part in zip(
            classifier.classes, split_by_target(found, classifier.class_counts), strict=True
        )
        if target == CLASS
    )
    right = np.argmax(said, axis=1) == [dict(classifier.classes)[CLASS].index(names[int(i)]) for i in true]
    return [right[true == place].astype(float) for place in range(len(names))]


def _enlarged(picture: np.ndarray, size: int) -> np.ndarray:
    colours = Image.fromarray(np.round(picture).astype(np.uint8))
    return np.asarray(colours.resize((size, size), Image.Resampling.BICUBIC))


def _figure(kinds: Mapping[str, np.ndarray]) -> None:
    """Rows of real pictures above as many drawn ones."""
    rows = [kinds[kind][:SHOWN] for kind in (REAL, DRAWN)]
    side = rows[0].shape[1]
    tiles = np.concatenate(rows).reshape(-1, ACROSS, side, side, 3).transpose(0, 2, 1, 3, 4)
    colours = np.round(tiles.reshape(-1, ACROSS * side, 3)).astype(np.uint8)
    with replace_on_success(figure_path("generate/pictures")) as partial:
        Image.fromarray(colours).save(partial, format="png")


def write_pictures(scratch: Path) -> tuple[list[Path], Path]:
    """The pictures, each galaxy once, and a table of what is known of them."""
    folder = data_folder() / "sdss"
    zoo = folder / "galaxy_zoo" / "galaxy_zoo_jpg_128.zip"
    once = scratch / "metallicities.zip"
    with zipfile.ZipFile(folder / "sdss_gri_jpg_128.zip") as packed, zipfile.ZipFile(once, "w") as kept:
        for name in packed.namelist():
            if Path(name).suffix == ".jpg" and Path(name).stem != IN_BOTH:
                kept.writestr(name, packed.read(name))
    labels = read_table(folder / "galaxy_zoo" / "galaxy_zoo_labels.csv")
    metallicities = read_table(folder / "sdss_metallicity.csv")
    others = metallicities["objid"].astype(str) != IN_BOTH
    few, many = int(np.sum(others)), len(labels)
    columns = {
        "target_id": np.concatenate([labels["galaxy_id"], metallicities["objid"][others]]),
        "oh12": np.concatenate([np.full(many, np.nan), metallicities["oh_p50"][others]]),
        "visual_class": np.concatenate([labels["visual_class"].astype(str), np.full(few, "")]),
        "is_odd": np.concatenate([labels["is_odd"].astype(float), np.full(few, np.nan)]),
    }
    table = scratch / "properties.parquet"
    write_table(Table(columns), table)
    return [zoo, once], table
