"""What images say of properties, and how likely they are given properties: images in, tables out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from nebulium import verbs
from nebulium.data.column_checks import Missing
from nebulium.data.ids import rows_of_ids
from nebulium.data.images.matching import open_for_model
from nebulium.data.images.opening import ImagePaths
from nebulium.data.images.preparation import MOST_FOR_SOFTENING, PreparedImages, prepared_chunks
from nebulium.data.images.source import ImageSource
from nebulium.data.images.stretches import sky_and_noise
from nebulium.data.output import check_not_input
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import TableWriter
from nebulium.errors import ImageError, TableError
from nebulium.generate.image_model import ImageModel
from nebulium.generate.latent.typicality import LEVELS
from nebulium.generate.model import LatentImageModel
from nebulium.generate.pixels.model import PixelImageModel
from nebulium.generate.population import Population, read_population
from nebulium.generate.posterior import QUANTILES, posterior_of
from nebulium.generate.recipe import SOFTENING
from nebulium.nn.mapping import map_galaxies
from nebulium.verbs import Opened, Prediction, PredictionRun, Predictor, find_predictor, predicts_for
from nebulium.verbs.labels.classes import probability_column
from nebulium.verbs.labels.joining import as_names, join_labels, read_labels

#: Images that go through the networks at a time.
BATCH = 64
#: How often images of the survey are as unusual as one.
TYPICALITY = "typicality_p"
#: By how much pixels, and widths of point sources, may differ from those of the training.
MOST_SCALE, MOST_PSF = 0.02, 0.15
#: By which factor the noise of their sky may differ.
MOST_DEPTH = 1.5


@dataclass(frozen=True, eq=False)
class KnownImages:
    """Prepared images, and what is known of the properties of each: NaN where nothing is."""

    prepared: PreparedImages
    conditions: Float[np.ndarray, "n condition"]


@dataclass(frozen=True, eq=False)
class Draws:
    """Properties drawn from the posterior of each galaxy, as the model has them."""

    values: Float[np.ndarray, "n draw condition"]


@dataclass(frozen=True, eq=False)
class PosteriorPredictor(Predictor[KnownImages]):
    """Properties of galaxies from their images, by Bayes' rule.

    Attributes
    ----------
    kept : int
        Draws of each galaxy that are kept.
    prior : Population, optional
        In place of that of the training galaxies.
    seed : int
        Of the draws.
    """

    kept: int = 0
    prior: Population | None = None
    seed: int = 0

    predicts = "properties, by a model of images"
    needs_properties = False
    naming = "check the name of the property: --given COLUMN (given=...)"

    def open(
        self,
        source: ImagePaths,
        *,
        bands: Sequence[str] | None = None,
        given: str | Sequence[str] | None = None,
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
        names = model.conditions if self.needs_properties else tuple(as_names(given))
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
            classes = {name: of for name, of in model.kinds.classes if name in names}
            labelled = join_labels(
                matched.source, found, names, rejects, missing=missing, classes=classes, learned=False
            )
            places = [model.conditions.index(name) for name in labelled.targets]
            values[labelled.rows[:, None], places] = labelled.values
            rows = rows[np.isin(rows, labelled.rows)]

        def chunks() -> Iterator[KnownImages]:
            form, depth = model.form.preparation, None
            for chunk in prepared_chunks(matched.source, form, rejects=rejects, rows=rows):
                depth = another_depth(chunk.images, model) if depth is None else depth
                yield KnownImages(chunk, values[chunk.rows])
            notes[:] = [*matched.notes(form.size, rejects), *(depth or ()), *self.remarks()]

        return Opened(str(matched.source.path), chunks(), matched.source.id_column, rejects, notes)

    def remarks(self) -> tuple[str, ...]:
        """What is to be known of what comes out."""
        if self.prior is None:
            return ()
        said = (
            f"the prior is {self.prior.name}, as which {self.prior.share:.0%} of the training galaxies count"
        )
        return (said,)

    def __call__(self, chunk: KnownImages) -> Prediction:
        """Median, half of the central 68 %, and its ends, of each number, and probabilities of classes."""
        prepared = chunk.prepared
        rows = prepared.rows.astype(np.int32)
        of_one = eqx.Partial(posterior_of, self.model, self.prior, self.kept, jax.random.key(self.seed))
        found = map_galaxies(of_one, prepared.images, chunk.conditions, rows, batch=BATCH)
        kinds = self.model.kinds
        columns: dict[str, np.ndarray] = {}
        units: dict[str, str] = {}
        for place, name in enumerate(kinds.numbers):
            ends = {part: found[part][:, place] for part in QUANTILES}
            parts = {"": ends[""], "_sigma": 0.5 * (ends["_q84"] - ends["_q16"])} | ends
            columns |= {name + part: values for part, values in parts.items()}
            unit = self.config.get("units", {}).get(name)
            units |= {name + part: unit for part in parts} if unit else {}
        for (name, names), probability in zip(kinds.classes, found["classes"], strict=True):
            columns[name] = np.array(names)[np.argmax(probability, axis=1)]
            of_classes = zip(names, probability.T, strict=True)
            columns |= {probability_column(name, one): values for one, values in of_classes}
        if self.prior is not None:
            columns["effective_draws"] = found["effective"]
        columns["in_domain"] = found["in_domain"]
        detail = Draws(found["kept"]) if self.kept else None
        return Prediction(prepared.ids, columns | prepared.beside, units, detail)

    def writers(self) -> dict[str, Callable[..., Any]]:
        """The draws as a table, a row a draw."""
        return {"draws": self._draws}

    @contextmanager
    def _draws(self, path: Path, id_column: str) -> Iterator[Callable[[Prediction], None]]:
        kinds, units = self.model.kinds, {name: unit for name, unit in self.config["units"].items() if unit}

        def table(prediction: Prediction) -> Table:
            values = prediction.detail.values
            n, kept, _ = values.shape
            columns = {id_column: np.repeat(prediction.ids, kept), "draw": np.tile(np.arange(kept), n)}
            by_name = zip(kinds.names, values.reshape(n * kept, -1).T, strict=True)
            return Table(columns | {name: kinds.shown(name, one) for name, one in by_name}, units, str(path))

        with TableWriter(path, metadata={"models": {self.models[0].name: self.models[0].fingerprint}}) as to:
            yield lambda prediction: to.append(table(prediction))

    def about(self) -> dict[str, Any]:
        """The properties, and whose density is the prior."""
        prior = {} if self.prior is None else {"prior": self.prior.name}
        return {"properties": list(self.model.conditions), **prior}


for _of in (LatentImageModel, PixelImageModel):
    predicts_for(_of)(PosteriorPredictor)


@dataclass(frozen=True, eq=False)
class ScorePredictor(PosteriorPredictor):
    """How likely the image of a galaxy is given its properties."""

    predicts = "likelihoods of images"
    needs_properties = True
    naming = "name columns as the model does; nan stands for a property that is not known"

    def __call__(self, chunk: KnownImages) -> Prediction:
        """The logarithm of p(image given properties) / p(image), nats, and how typical the image is."""
        scored = eqx.Partial(score_of, self.model)
        found = map_galaxies(scored, chunk.prepared.images, chunk.conditions, batch=BATCH)
        columns = {"log_ratio": found["log_ratio"]}
        if typical := found.get("typical"):
            bands = [f"{what}_{band}" for what in ("light", "left") for band in self.model.form.bands]
            parts = [*(f"level_{place}" for place in range(1, LEVELS + 1)), *bands]
            columns[TYPICALITY] = typical.all
            columns |= {f"{TYPICALITY}_{part}": p for part, p in zip(parts, typical.each.T, strict=True)}
        columns["in_domain"] = found["in_domain"]
        return Prediction(chunk.prepared.ids, columns | chunk.prepared.beside)

    def remarks(self) -> tuple[str, ...]:
        """Of older models, and of those of pixels, nothing is known of images held back."""
        if not isinstance(self.model, LatentImageModel):
            return (f"no {TYPICALITY}: models of pixels rank no images",)
        if self.model.typicality is not None:
            return ()
        name = self.models[0].name
        return (f"no {TYPICALITY}: {name} keeps nothing of images held back, as models trained anew do",)


def score_of(model: ImageModel, image: Array, conditions: Array) -> dict[str, Any]:
    """The ratio of one galaxy, and how typical its image is."""
    inside = model.image_domain.contains(model.image_axes(image)) & model.in_domain(conditions)
    found = {"log_ratio": model.log_ratios(image, conditions[None, :])[0], "in_domain": inside}
    if not isinstance(model, LatentImageModel) or model.typicality is None:
        return found
    return {**found, "typical": model.typical(image)}


def posterior_file(
    images: ImagePaths,
    output: str | Path,
    *,
    model: str | Path,
    given: str | Sequence[str] | None = None,
    prior: str | Path | None = None,
    draws: int = 0,
    seed: int = 0,
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
        central 68 %), `_q16` and `_q84`; of one that is a class the most probable, and in `NAME_p_CLASS` the
        probabilities; and `in_domain`.
    model : str or Path
        Name of a packaged model of images, or a model folder.
    given : str or sequence of str, optional
        Properties that are known, columns of the table: the others are inferred given these.
    prior : str or Path, optional
        A table of properties of a population, any of those of the model, whose density is the prior in place
        of that of the training galaxies: draws of the latter's posterior are weighed. `effective_draws` says
        how many count of a galaxy; with few it is flagged.
    draws : int
        Draws of all properties of each galaxy at once, written beside the output in
        ``<stem>.draws.parquet``, a row a draw.
    seed : int
        Of the draws.
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
    if draws < 0:
        raise TableError("draws", f"is {draws}, expected a whole number, 0 or more", "choose another")
    found = find_predictor(model, of=PosteriorPredictor)
    for option, asked in (("draws", draws), ("prior", prior is not None)):
        if asked and not isinstance(found.model, LatentImageModel):
            problem = f"model {model} is one of pixels, which gives no draws and takes no other prior"
            raise TableError(option, problem, "leave it out, or choose a model of components")
    population = None if prior is None else read_population(prior, found.model)
    predictor = replace(found, kept=draws, prior=population, seed=seed)
    options = {"bands": bands, "given": given, "table": table, "id_column": id_column, "missing": missing}
    output = Path(output)
    further = {"draws": output.with_name(f"{output.stem}.draws.parquet")} if draws else None
    if prior is not None:
        check_not_input(Path(prior), output)
    return verbs.predict_file(
        images, output, model=predictor, options=options, further=further, progress=progress
    )


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
    id_column, bands, missing, progress : optional
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


def another_depth(images: Float[np.ndarray, "n side side band"], model: ImageModel) -> tuple[str, ...]:
    """A note where the first images have another noise of the sky than those of the training."""
    stretch = model.form.preparation.stretch
    if stretch.kind != "asinh":
        return ()
    skies = [sky_and_noise(image)[1] for image in stretch.invert(images[:MOST_FOR_SOFTENING])]
    found, known = np.median(skies, axis=0), np.array(stretch.softening) / SOFTENING
    off = np.abs(np.log(np.maximum(found, 1e-30) / known))
    if np.max(off) <= np.log(MOST_DEPTH):
        return ()
    band = int(np.argmax(off))
    return (
        f"the sky scatters by {found[band]:.3g} in {model.form.bands[band]}, that of the training images by "
        f"{known[band]:.3g}: what is said of images of another depth may be wrong",
    )


def _check_given(names: Sequence[str], known: Sequence[str], *, needed: bool) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        problem = f"{unknown[0]} is no property of the model; these are {', '.join(known)}"
        raise TableError("given", problem, "name one of these")
    if len(set(names)) < len(names):
        raise TableError("given", f"{', '.join(names)}: one comes twice", "give each once")
    if not needed and set(names) == set(known):
        raise TableError("given", "all properties of the model are", "leave out those to infer")
