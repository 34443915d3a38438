"""What images say of properties, and how likely they are given properties: images in, tables out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium import verbs
from nebulium.data.column_checks import Missing
from nebulium.data.ids import rows_of_ids
from nebulium.data.images.matching import open_for_model
from nebulium.data.images.opening import ImagePaths
from nebulium.data.images.preparation import PreparedImages, prepared_chunks
from nebulium.data.images.source import ImageSource
from nebulium.data.rejects import Rejects
from nebulium.errors import ImageError, TableError
from nebulium.generate.image_model import GRID, ImageModel
from nebulium.generate.model import LatentImageModel
from nebulium.generate.pixels.model import PixelImageModel
from nebulium.nn.mapping import map_galaxies
from nebulium.verbs import Opened, Prediction, PredictionRun, Predictor, find_predictor, predicts_for
from nebulium.verbs.labels.joining import join_labels, read_labels

#: Images that go through the networks at a time.
BATCH = 64
#: Columns of a property, by what they add to its name, and the quantile of each.
QUANTILES = {"": 0.5, "_q16": 0.16, "_q84": 0.84}
#: By how much pixels, and widths of point sources, may differ from those of the training.
MOST_SCALE, MOST_PSF = 0.02, 0.15


@dataclass(frozen=True, eq=False)
class KnownImages:
    """Prepared images, and what is known of the properties of each: NaN where nothing is."""

    prepared: PreparedImages
    conditions: Float[np.ndarray, "n condition"]


@dataclass(frozen=True, eq=False)
class PosteriorPredictor(Predictor[KnownImages]):
    """Properties of galaxies from their images, by Bayes' rule."""

    predicts = "properties, by a model of images"
    needs_properties = False
    naming = "check the name of the property: --given COLUMN (given=...)"

    def open(
        self,
        source: ImagePaths,
        *,
        bands: Sequence[str] | None = None,
        given: Sequence[str] | None = None,
        table: str | Path | None = None,
        id_column: str | None = None,
        missing: Missing = None,
        ids: np.ndarray | None = None,
    ) -> Opened[KnownImages]:
        """Open images of any format; they must suit the model. Given properties come from a table."""
        model: ImageModel = self.model
        matched = open_for_model(source, model.form, bands=bands)
        check_instrument(matched.source, model)
        rejects, notes = Rejects(), list(matched.supposed)
        names = model.conditions if self.needs_properties else tuple(given or ())
        _check_given(names, model.conditions, needed=self.needs_properties)
        if table is not None and not names:
            problem = "is not used, as no property is given"
            raise TableError(str(table), problem, "name its columns: --given COLUMN (given=...)")
        rows = np.arange(len(matched.source))
        if ids is not None:
            rows = np.flatnonzero(rows_of_ids(matched.source.ids, ids) >= 0)
        values = np.full((len(matched.source), len(model.conditions)), np.nan, np.float32)
        if names:
            found = read_labels(
                table, matched.source, names, id_column=id_column, missing=missing, naming=self.naming
            )
            labelled = join_labels(
                matched.source, found, names, rejects, missing=missing, classes={}, learned=False
            )
            places = [model.conditions.index(name) for name in labelled.targets]
            values[labelled.rows[:, None], places] = labelled.values
            rows = rows[np.isin(rows, labelled.rows)]

        def chunks() -> Iterator[KnownImages]:
            form = model.form.preparation
            for chunk in prepared_chunks(matched.source, form, rejects=rejects, rows=rows):
                yield KnownImages(chunk, values[chunk.rows])
            notes[:] = matched.notes(form.size, rejects)

        return Opened(str(matched.source.path), chunks(), matched.source.id_column, rejects, notes)

    def __call__(self, chunk: KnownImages) -> Prediction:
        """Median, half of the central 68 %, and its ends, of each property that is not given."""
        images = chunk.prepared.images
        found = map_galaxies(self.one, images, chunk.conditions, batch=BATCH)
        columns: dict[str, np.ndarray] = {}
        units: dict[str, str] = {}
        for place, name in enumerate(self.model.conditions):
            ends = {part: found[part][:, place] for part in QUANTILES}
            parts = {"": ends[""], "_sigma": 0.5 * (ends["_q84"] - ends["_q16"])} | ends
            columns |= {name + part: values for part, values in parts.items()}
            unit = self.config.get("units", {}).get(name)
            units |= {name + part: unit for part in parts} if unit else {}
        columns["in_domain"] = found["in_domain"]
        return Prediction(chunk.prepared.ids, columns | chunk.prepared.beside, units)

    def one(self, image: Array, conditions: Array) -> dict[str, Array]:
        """Quantiles of the properties of one galaxy."""
        model: ImageModel = self.model
        density = model.posterior(image, conditions)
        quantile = {
            part: model.condition_mean + model.condition_scale * _quantiles(density, share)
            for part, share in QUANTILES.items()
        }
        return {**quantile, "in_domain": model.image_domain.contains(model.image_axes(image))}

    def about(self) -> dict[str, Any]:
        """The properties."""
        return {"properties": list(self.model.conditions)}


for _of in (LatentImageModel, PixelImageModel):
    predicts_for(_of)(PosteriorPredictor)


@dataclass(frozen=True, eq=False)
class ScorePredictor(PosteriorPredictor):
    """How likely the image of a galaxy is given its properties."""

    predicts = "likelihoods of images"
    needs_properties = True
    naming = "name columns as the model does; nan stands for a property that is not known"

    def __call__(self, chunk: KnownImages) -> Prediction:
        """The logarithm of p(image given properties) / p(image), nats."""
        found = map_galaxies(self.one, chunk.prepared.images, chunk.conditions, batch=BATCH)
        return Prediction(chunk.prepared.ids, found | chunk.prepared.beside)

    def one(self, image: Array, conditions: Array) -> dict[str, Array]:
        """The ratio of one galaxy."""
        model: ImageModel = self.model
        inside = model.image_domain.contains(model.image_axes(image)) & model.in_domain(conditions)
        return {"log_ratio": model.log_ratios(image, conditions[None, :])[0], "in_domain": inside}


def posterior_file(
    images: ImagePaths,
    output: str | Path,
    *,
    model: str | Path,
    given: Sequence[str] | None = None,
    table: str | Path | None = None,
    id_column: str | None = None,
    bands: Sequence[str] | None = None,
    missing: Missing = None,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Infer the properties of galaxies from their images by Bayes' rule.

    Parameters
    ----------
    images : str, Path or sequence of these
        As in `nebulium.data.open_images`.
    output : str or Path
        A table ending in .parquet, .fits, .ecsv or .csv: for each property its median, `_sigma` (half of the
        central 68 %), `_q16` and `_q84`, and `in_domain`.
    model : str or Path
        Name of a packaged model of images, or a model folder.
    given : sequence of str, optional
        Properties that are known, columns of the table: the others are inferred given these.
    table : str or Path, optional
        Where the given properties are; the columns beside the images, if not given.
    id_column : str, optional
        Ids in the table; `target_id` if not given.
    bands : sequence of str, optional
        Which bands of the images, in which order; by default those of the model.
    missing : float, str, or sequence of str, optional
        Numbers that stand for a property that is not known.
    progress : callable of int, optional
        Gets the number of galaxies done so far.

    Returns
    -------
    PredictionRun

    Raises
    ------
    NebuliumError
        The images, the table, the model or the output is at fault, or they do not suit each other.

    Examples
    --------
    >>> posterior_file("cutouts", "inferred.parquet", model="mine", given=["redshift"])  # doctest: +SKIP
    """
    predictor = find_predictor(model, of=PosteriorPredictor)
    options = {"bands": bands, "given": given, "table": table, "id_column": id_column, "missing": missing}
    return verbs.predict_file(images, output, model=predictor, options=options, progress=progress)


def score_file(
    images: ImagePaths,
    output: str | Path,
    *,
    model: str | Path,
    table: str | Path | None = None,
    id_column: str | None = None,
    bands: Sequence[str] | None = None,
    missing: Missing = None,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Say how likely images of galaxies are given their properties.

    Parameters
    ----------
    images : str, Path or sequence of these
        As in `nebulium.data.open_images`.
    output : str or Path
        A table with `log_ratio`, the logarithm of p(image given properties) / p(image) in nats: what is known
        of the properties speaks for it above 0, and far below 0 the image is not that of such a galaxy.
    model : str or Path
        Name of a packaged model of images, or a model folder.
    table : str or Path, optional
        The properties of the model, a row a galaxy, NaN where one is not known; the columns beside the images
        if not given.
    id_column, bands, missing, progress
        As in `posterior_file`.

    Returns
    -------
    PredictionRun

    Raises
    ------
    NebuliumError
        The images, the table, the model or the output is at fault, or they do not suit each other.

    Examples
    --------
    >>> score_file("mock", "scores.parquet", model="mine")  # doctest: +SKIP
    """
    predictor = ScorePredictor(find_predictor(model, of=PosteriorPredictor).models)
    options = {"bands": bands, "table": table, "id_column": id_column, "missing": missing}
    return verbs.predict_file(images, output, model=predictor, options=options, progress=progress)


def check_instrument(source: ImageSource, model: ImageModel) -> None:
    """Refuse images with other pixels, or another point-spread function, than those of the training."""
    for name, most, what in (
        ("pixel_scale_arcsec", MOST_SCALE, "pixels"),
        ("psf_fwhm_arcsec", MOST_PSF, "a point-spread function"),
    ):
        found, known = getattr(source, name), getattr(model, name)
        if found is None or known is None:
            continue
        off = np.abs(np.array(found) / np.array(known) - 1)
        if np.max(off) > most:
            band = int(np.argmax(off))
            problem = (
                f"has {what} of {found[band]:.3g} arcsec in {model.form.bands[band]}, the model learned from "
                f"{known[band]:.3g}"
            )
            raise ImageError(str(source.path), problem, "train a model on images of this survey")


def _check_given(names: Sequence[str], known: Sequence[str], *, needed: bool) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        problem = f"{unknown[0]} is no property of the model; these are {', '.join(known)}"
        raise TableError("given", problem, "name one of these")
    if len(set(names)) < len(names):
        raise TableError("given", f"{', '.join(names)}: one comes twice", "give each once")
    if not needed and set(names) == set(known):
        raise TableError("given", "all properties of the model are", "leave out those to infer")


def _quantiles(density: Float[Array, "condition place"], share: float) -> Float[Array, " condition"]:
    """Where a share of each density lies below, in standardised units."""
    step = jnp.asarray(GRID[1] - GRID[0])
    below = jnp.cumsum(density, axis=1) * step
    places = jnp.asarray(GRID) + 0.5 * step
    return jax.vmap(lambda one: jnp.interp(jnp.asarray(share, jnp.float32), one, places))(below)
