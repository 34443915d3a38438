"""What images say of spectra: images in; tables of derived numbers, or drawn spectra, out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import equinox as eqx
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
from nebulium.data.output import check_not_input
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import select_rows
from nebulium.errors import TableError
from nebulium.lines.continuum.line_list import LINES
from nebulium.nn.mapping import map_galaxies
from nebulium.sed.cosmology import Scalar
from nebulium.sed.filters import Filters, load_filters
from nebulium.spectra.derived import BPT_CLASSES, band_magnitudes, derived_of
from nebulium.spectra.model import SpectrumModel
from nebulium.verbs import Opened, Prediction, PredictionRun, Predictor, find_predictor, predicts_for
from nebulium.verbs.labels.joining import join_labels, read_labels

#: Draws that a prediction is made of, and galaxies at a time.
DRAWS, BATCH = 256, 16
#: Median, and the ends of the central 68 %.
LEVELS = (0.16, 0.5, 0.84)
#: What is read off drawn spectra, in the order of the output.
NUMBERS = ("redshift", "log_flux_5500", "dn4000", *(f"ew_{line}" for line in LINES))
NAMING = "name the column of redshifts: --redshift COLUMN (redshift=)"


@dataclass(frozen=True, eq=False)
class SeenGalaxies:
    """Prepared images, with redshifts and their errors: NaN where a redshift is not known."""

    prepared: PreparedImages
    redshift: Float[np.ndarray, " n"]
    sigma: Float[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.prepared)

    def select(self, rows: Any) -> "SeenGalaxies":
        """Some of them, as numpy indexes rows."""
        return SeenGalaxies(select_rows(self.prepared, rows), self.redshift[rows], self.sigma[rows])


@predicts_for(SpectrumModel)
@dataclass(frozen=True, eq=False)
class SpectrumPredictor(Predictor[SeenGalaxies]):
    """Redshifts, breaks, equivalent widths and BPT classes of the spectra of galaxies, from their images.

    Attributes
    ----------
    seed : int
        Of the draws.
    filters : Filters, optional
        That drawn spectra are seen through.
    """

    seed: int = 0
    filters: Filters | None = None
    predicts = "spectra"

    def open(
        self,
        source: ImagePaths,
        *,
        bands: Sequence[str] | None = None,
        redshift: str | None = None,
        table: str | Path | None = None,
        id_column: str | None = None,
        missing: Missing = None,
        ids: np.ndarray | None = None,
    ) -> Opened[SeenGalaxies]:
        """Open images of any format; redshifts come from a column of a table, or beside the images."""
        model: SpectrumModel = self.model
        matched = open_for_model(source, model.form, bands=bands)
        rejects, notes = Rejects(), list(matched.supposed)
        rows = np.arange(len(matched.source))
        if ids is not None:
            rows = np.flatnonzero(rows_of_ids(matched.source.ids, ids) >= 0)
        z, sigma = np.full((2, len(matched.source)), np.nan, np.float32)
        if redshift is None and table is not None:
            raise TableError(str(table), "is not used, as no redshift is given", NAMING)
        if redshift is not None:
            found = read_labels(
                table, matched.source, [redshift], id_column=id_column, missing=missing, naming=NAMING
            )
            options: dict[str, Any] = {"missing": missing, "learned": False, "unlabelled": True}
            labelled = join_labels(matched.source, found, [redshift], rejects, **options)
            z[labelled.rows], sigma[labelled.rows] = labelled.values[:, 0], labelled.sigma[:, 0]
            faults = [("redshift is not above 0", z[rows] <= 0)]
            rows = rows[rejects.set_aside(faults, matched.source.ids[rows], rows=rows)]
            rows = rows[np.isin(rows, labelled.rows)]

        def chunks() -> Iterator[SeenGalaxies]:
            form = model.form.preparation
            for chunk in prepared_chunks(matched.source, form, rejects=rejects, rows=rows):
                yield SeenGalaxies(chunk, z[chunk.rows], np.nan_to_num(sigma[chunk.rows]))
            notes[:] = matched.notes(form.size, rejects)

        return Opened(str(matched.source.path), chunks(), matched.source.id_column, rejects, notes)

    def __call__(self, chunk: SeenGalaxies) -> Prediction:
        """Median, and the ends of the central 68 %, of each number; probabilities of classes."""
        prepared = chunk.prepared
        one = eqx.Partial(_summary, self.model, jax.random.key(self.seed), self.filters)
        numbers = prepared.rows.astype(np.int32)
        summary, in_domain = map_galaxies(
            one, prepared.images, chunk.redshift, chunk.sigma, numbers, batch=BATCH
        )
        columns = {"in_domain": in_domain}
        for name in (*NUMBERS, *_through(self.filters)):
            of_name = zip(("_q16", "", "_q84"), summary[name].T, strict=True)
            columns |= {f"{name}{end}": values for end, values in of_name}
        shares = summary["bpt"]
        classes = [name.lower().replace("-", "_") for name in BPT_CLASSES]
        columns["bpt_class"] = np.array(BPT_CLASSES)[np.argmax(shares, axis=1)]
        columns |= {f"bpt_p_{name}": share for name, share in zip(classes, shares.T, strict=True)}
        units = {name: "Angstrom" for name in columns if name.startswith("ew_")}
        units |= {name: "mag" for name in columns if name.startswith(("mag_", "colour_"))}
        return Prediction(prepared.ids, columns | prepared.beside, units)


def redshift_draws(redshift: Scalar, sigma: Scalar, key: Array, draws: int) -> Float[Array, " draw"]:
    """Draws of the redshift where it has an error; it stays above 0."""
    drawn = redshift + sigma * jax.random.normal(key, (draws,))
    return jnp.where(jnp.isnan(drawn), jnp.nan, jnp.maximum(drawn, 1e-4))


def drawn_of(
    model: SpectrumModel, key: Array, draws: int, image: Array, z: Array, sigma: Array, row: Array
) -> Any:
    """Draws of one galaxy, which do not depend on the others of its batch."""
    z_key, key = jax.random.split(jax.random.fold_in(key, row))
    return model.draws(image, redshift_draws(z, sigma, z_key, draws), key)


def _through(filters: Filters | None) -> list[str]:
    """Names of the magnitudes and colours of drawn spectra."""
    names = () if filters is None else filters.names
    return [f"mag_{name}" for name in names] + [f"colour_{blue}_{red}" for blue, red in pairwise(names)]


def _summary(
    model: SpectrumModel,
    key: Array,
    filters: Filters | None,
    image: Array,
    z: Array,
    sigma: Array,
    row: Array,
) -> tuple[dict[str, Array], Array]:
    """Quantiles over the draws of a galaxy, and shares of classes."""
    drawn = drawn_of(model, key, DRAWS, image, z, sigma, row)
    derived = jax.vmap(partial(derived_of, model.basis))(drawn)
    numbers = {
        "redshift": drawn.redshift,
        "log_flux_5500": drawn.log_flux,
        "dn4000": derived.dn4000,
        **{f"ew_{line}": drawn.ew_aa[:, place] for place, line in enumerate(LINES)},
    }
    if filters is not None:
        magnitudes = jax.vmap(lambda draw: band_magnitudes(model.basis, draw, filters))(drawn)
        seen = jnp.concatenate([magnitudes, magnitudes[:, :-1] - magnitudes[:, 1:]], axis=1)
        numbers |= dict(zip(_through(filters), seen.T, strict=True))
    found = {name: jnp.quantile(one, jnp.asarray(LEVELS, jnp.float32)) for name, one in numbers.items()}
    return {**found, "bpt": jnp.mean(derived.bpt, axis=0)}, model.in_domain(image)


def predict_file(
    images: ImagePaths,
    output: str | Path,
    *,
    model: str | Path,
    redshift: str | None = None,
    table: str | Path | None = None,
    id_column: str | None = None,
    bands: Sequence[str] | None = None,
    missing: Missing = None,
    filters: Sequence[str] | None = None,
    seed: int = 0,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Predict numbers of the spectra of galaxies from their images.

    Parameters
    ----------
    images : str, Path or sequence of these
        As in `nebulium.data.open_images`.
    output : str or Path
        A table ending in .parquet, .fits, .ecsv or .csv: of the redshift, of the logarithm of the flux from
        5400 to 5600 AA at rest (``log_flux_5500``, 1e-17 erg/s/cm2/AA), of Dn4000 and of the equivalent
        widths of ten lines the median and the ends of the central 68 % (``_q16``, ``_q84``); the BPT class
        and its probabilities. Images set aside are listed beside it.
    model : str or Path
        Name of a packaged model, or a model folder.
    redshift : str, optional
        Column of known redshifts; NAME_sigma or NAME_err is its error. The redshift is inferred with the
        spectrum where it is not given or NaN.
    table : str or Path, optional
        The table with that column; the columns beside the images if not given.
    id_column : str, optional
        Ids in the table; `target_id` if not given.
    bands : sequence of str, optional
        Which bands of the images, in which order; by default those of the model.
    missing : float, str, or sequence of str, optional
        Numbers that stand for a redshift that is not known.
    filters : sequence of str, optional
        Names of `nebulium.sed.list_filters`: AB magnitudes of the drawn spectra through each (``mag_NAME``),
        and colours of neighbours (``colour_NAME_NAME``) are written too; NaN where more than a twentieth of a
        filter lies beyond the spectrum.
    seed : int
        Of the draws.
    progress : callable of int, optional
        Gets the number of galaxies predicted so far, after each chunk.

    Returns
    -------
    PredictionRun

    Raises
    ------
    NebuliumError
        The images, the table, the model or the output is at fault, or none of the galaxies can be predicted.

    Examples
    --------
    >>> predict_file("cutouts", "spectra.parquet", model="mine")  # doctest: +SKIP
    """
    models = find_predictor(model, of=SpectrumPredictor).models
    predictor = SpectrumPredictor(models, seed, load_filters(*filters) if filters else None)
    if table is not None:
        check_not_input(Path(table), Path(output))
    options = {
        "bands": bands,
        "redshift": redshift,
        "table": table,
        "id_column": id_column,
        "missing": missing,
    }
    return verbs.predict_file(images, output, model=predictor, options=options, progress=progress)
