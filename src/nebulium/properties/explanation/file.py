"""Figures and maps of what a model looks at in some images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from nebulium.data.ids import rows_of_ids
from nebulium.data.images.opening import ImagePaths
from nebulium.data.output import check_place, file_stem, replace_on_success
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import concatenate_rows, nearest, select_rows
from nebulium.errors import ImageError
from nebulium.nn.convolution import Image
from nebulium.nn.mapping import map_galaxies
from nebulium.properties.explanation.gradients import (
    averaged_over_orientations,
    completeness_gap,
    grad_cam,
    integrated_gradients,
)
from nebulium.properties.model import PropertyModel, PropertyPrediction
from nebulium.properties.network import PropertyNetwork
from nebulium.properties.predict import BATCH, PropertyPredictor
from nebulium.properties.scores.figures import DISPLAY, UNITS
from nebulium.properties.scores.galleries import as_pictures, saliency_figure
from nebulium.properties.seen.galaxies import Embeddings
from nebulium.properties.seen.sight import Embedding
from nebulium.verbs.labels.classes import probability_column
from nebulium.verbs.labels.joining import Source
from nebulium.verbs.predict import find_predictor

Seen = Float[Array, "n height width band"]
Beside = Float[Array, "n number"] | None

GRADIENTS, CAM = "Integrated gradients", "Grad-CAM"
#: Names of the maps in the file.
ARRAYS = {GRADIENTS: "integrated_gradients", CAM: "grad_cam"}
#: Steps of the way from an empty sky to the galaxy.
STEPS = 32


class Explained(eqx.Module):
    """One number that a model says: a property, or the logarithm of the odds of a class.

    Parameters
    ----------
    place : () int
        Among the targets that are numbers, or among all classes; an array, so that one program serves all.
    is_class : bool
        Which of the two.
    """

    place: Int[Array, ""]
    is_class: bool = eqx.field(static=True)

    def value(self, predicted: PropertyPrediction) -> Float[Array, "*batch"]:
        """The number."""
        return (
            _log_odds(predicted.probability[..., self.place])
            if self.is_class
            else predicted.median[..., self.place]
        )

    def of_network(
        self, model: PropertyModel, network: PropertyNetwork, vector: Float[Array, " hidden"]
    ) -> Float[Array, ""]:
        """What one network says of it."""
        if self.is_class:
            return _log_odds(network.probabilities(vector)[self.place])
        return network.head.interval(vector).median[self.place] * model.target_scale[self.place]

    def scale(self, predicted: PropertyPrediction) -> Float[np.ndarray, " n"]:
        """What a difference is compared with: the error bar, or one in the logarithm of the odds."""
        sigma = np.asarray(predicted.sigma)
        return np.ones(len(sigma)) if self.is_class else sigma[:, int(self.place)]

    def captions(self, predicted: PropertyPrediction) -> list[str]:
        """What is predicted of each galaxy."""
        place = int(self.place)
        if self.is_class:
            return [f"probability {one:.2f}" for one in predicted.probability[:, place]]
        numbers = zip(predicted.median[:, place], predicted.sigma[:, place], strict=True)
        return [f"{median:.2f} ± {sigma:.2f}" for median, sigma in numbers]


def _explained_numbers(model: PropertyModel) -> dict[str, Explained]:
    """All that a model says, by the name of its column."""
    classes = [probability_column(target, name) for target, names in model.classes for name in names]
    numbers = {target: Explained(jnp.asarray(place), False) for place, target in enumerate(model.targets)}
    return numbers | {name: Explained(jnp.asarray(place), True) for place, name in enumerate(classes)}


def _unit(name: str, number: Explained, units: Mapping[str, str]) -> str:
    """Of the shares of the pixels."""
    return "log odds" if number.is_class else units[name] or UNITS.get(name, f"unit of {name}")


def _log_odds(probability: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    inside = jnp.clip(probability, 1e-6, 1.0 - 1e-6)
    return jnp.log(inside) - jnp.log1p(-inside)


@dataclass(frozen=True)
class ExplanationRun:
    """What a run wrote.

    Parameters
    ----------
    output : Path
        The folder.
    figures : tuple of str
        Names of the files in it.
    galaxies : int
        How many are shown.
    largest_gap : float
        By how much the shares of the pixels miss the difference that they should add up to, at most, in
        standard deviations of the prediction, or of a class in the logarithm of its odds.
    notes : tuple of str
        What the files do not say and was taken for granted, and how many images were padded.
    rejects : Rejects
        Images set aside.
    """

    output: Path
    figures: tuple[str, ...]
    galaxies: int
    largest_gap: float
    notes: tuple[str, ...]
    rejects: Rejects


def explain_file(
    images: ImagePaths,
    output: str | Path,
    *,
    model: str | Path,
    embeddings: Embeddings | None = None,
    galaxies: Sequence[str] = (),
    n: int = 6,
    bands: Sequence[str] | None = None,
    seed: int = 0,
) -> ExplanationRun:
    """Draw what a model looks at in some galaxies.

    Parameters
    ----------
    images : str, Path or sequence of these
        As in `open_images`.
    output : str or Path
        Folder, replaced whole if it is there and from such a run. There is a figure of each property, or each
        class of one (the logarithm of its odds), and the maps in ``TARGET.npz`` or ``TARGET_p_CLASS.npz``:
        `target_id`, `integrated_gradients` (galaxy, row, column, band) in the unit of the labels, and, where
        the networks themselves say the property, `grad_cam` (galaxy, row, column).
    model : str or Path
        Name of a packaged model, or a model folder.
    embeddings : str, Path or EmbeddingTable, optional
        For a model that sees them beside the images; they are held as they are.
    galaxies : sequence of str
        Ids of the galaxies; some drawn at random if not given.
    n : int
        How many are drawn.
    bands : sequence of str, optional
        As in `open_images`.
    seed : int
        Of those drawn.

    Returns
    -------
    ExplanationRun

    Raises
    ------
    NebuliumError
        As in `nebulium.properties.predict_file`, or an id is not among the images.

    Examples
    --------
    >>> explain_file("cutouts", "maps", model="mine", n=8)  # doctest: +SKIP
    """
    output, predictor = Path(output), find_predictor(model, of=PropertyPredictor)
    loaded, units = predictor.model, predictor.config["units"]
    explained = _explained_numbers(loaded)
    kind = f"{file_stem(next(iter(explained)))}.npz"
    check_place(output, folder_with=kind)
    if loaded.form is None:
        problem = "sees embeddings alone, and what is explained are images"
        raise ImageError(f"model {predictor.models[0].name}", problem, "give a model that sees images")
    source = predictor.open_galaxies(images, bands=bands, embeddings=embeddings).source
    wanted = source.ids[_rows(source, galaxies, n, seed)]
    opened = predictor.open(images, bands=bands, embeddings=embeddings, ids=wanted)
    shown = list(opened.chunks)
    if not shown:
        problem = f"has no image to explain ({opened.rejects.summary()})"
        raise ImageError(str(source.path), problem, "check the images")
    seen = concatenate_rows(shown)
    seen = select_rows(seen, np.argsort(rows_of_ids(seen.ids, wanted)))
    ids, pixels = seen.ids, np.asarray(seen.images)
    predicted = map_galaxies(loaded, *seen.seen, batch=BATCH)
    gaps, files = [], []
    with replace_on_success(output, folder_with=kind) as partial:
        partial.mkdir()
        for name, number in explained.items():
            maps, gap = _maps(loaded, pixels, seen.embeddings, number)
            gaps.append(float(np.max(np.abs(gap) / number.scale(predicted))))
            said = zip(ids.tolist(), number.captions(predicted), strict=True)
            captions = [f"{one}\n{caption}" for one, caption in said]
            _write(partial, name, _unit(name, number, units), ids, pixels, maps, captions)
            files.append(f"{file_stem(name)}.png")
    return ExplanationRun(output, tuple(files), len(ids), max(gaps), tuple(opened.notes), opened.rejects)


def _rows(source: Source, galaxies: Sequence[str], n: int, seed: int) -> np.ndarray:
    """Rows of the galaxies asked for, in that order, or of some at random."""
    if not galaxies:
        drawn = np.random.default_rng(seed).choice(len(source.ids), min(n, len(source.ids)), replace=False)
        return np.sort(drawn).astype(np.int64)
    row_of = {str(one): row for row, one in enumerate(source.ids.tolist())}
    lacking = [one for one in galaxies if one not in row_of]
    if lacking:
        near = nearest(lacking[0], row_of)
        hint = f" (the nearest is {near})" if near else f" (its ids begin with {next(iter(row_of))})"
        raise ImageError(str(source.path), f"has no galaxy {lacking[0]}{hint}", "check the ids")
    return np.array([row_of[one] for one in galaxies], np.int64)


def _maps(
    model: PropertyModel,
    images: Float[np.ndarray, "n height width band"],
    embeddings: Float[np.ndarray, "n number"] | None,
    number: Explained,
) -> tuple[dict[str, np.ndarray], Float[np.ndarray, " n"]]:
    """Maps by the name of the method, and by how much the shares miss their sum."""
    seen = jnp.asarray(images), None if embeddings is None else jnp.asarray(embeddings)
    shares, gap = _gradients(model, *seen, number)
    maps = {GRADIENTS: np.asarray(shares)}
    if not model.on_features:
        maps[CAM] = np.asarray(_cams(model, *seen, number))
    return maps, np.asarray(gap)


@eqx.filter_jit
def _gradients(
    model: PropertyModel, images: Seen, embeddings: Beside, number: Explained
) -> tuple[Seen, Float[Array, " n"]]:
    """Of the whole model, which looks at all orientations, so that the maps turn with the image."""

    def one(galaxy: tuple[Image, Embedding | None]) -> tuple[Image, Float[Array, ""]]:
        image, embedding = galaxy

        def score(image: Image) -> Float[Array, ""]:
            return number.value(model(image, embedding))

        shares = integrated_gradients(score, image, steps=STEPS)
        return shares, completeness_gap(score, image, shares)

    return jax.lax.map(one, (images, embeddings))


@eqx.filter_jit
def _cams(
    model: PropertyModel, images: Seen, embeddings: Beside, number: Explained
) -> Float[Array, "n height width"]:
    """The mean over the networks, each asked in all orientations."""

    def of_network(
        network: PropertyNetwork, image: Image, embedding: Embedding | None
    ) -> Float[Array, "height width"]:
        known, encoder = model.measured(image, embedding), network.encoder
        if encoder is None or model.standardisation is None:
            raise ValueError("a network without images has no maps")

        def score(features: Float[Array, "rows columns channel"]) -> Float[Array, ""]:
            vector = network.vector(encoder.pooled(features), known.profiles, known.embedding)
            return number.of_network(model, network, vector)

        return averaged_over_orientations(
            lambda way: grad_cam(encoder.feature_map, score, way), model.standardisation.image(image)
        )

    def one(galaxy: tuple[Image, Embedding | None]) -> Float[Array, "height width"]:
        return jnp.mean(jnp.stack([of_network(network, *galaxy) for network in model.networks]), axis=0)

    return jax.lax.map(one, (images, embeddings))


def _write(
    folder: Path,
    target: str,
    unit: str,
    ids: np.ndarray,
    images: Float[np.ndarray, "n height width band"],
    maps: dict[str, np.ndarray],
    captions: list[str],
) -> None:
    """The figure of a property, and its maps."""
    drawn = {name: values.sum(axis=-1) if values.ndim == 4 else values for name, values in maps.items()}
    title = DISPLAY.get(target, target)
    figure = saliency_figure(as_pictures(images), drawn, captions, unit=unit, title=title)
    figure.savefig(folder / f"{file_stem(target)}.png", dpi=150)
    arrays: dict[str, Any] = {"target_id": ids} | {ARRAYS[name]: values for name, values in maps.items()}
    np.savez(folder / f"{file_stem(target)}.npz", **arrays)
