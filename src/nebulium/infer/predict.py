"""Properties of many galaxies from their photometry: a catalogue in; quantiles, and draws, out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.stats import chi2

from nebulium import verbs
from nebulium.data.ids import hash_ids
from nebulium.data.output import input_name
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table, select_rows
from nebulium.data.tables.writer import TableWriter
from nebulium.errors import TableError
from nebulium.infer.importance import resampled, weighted_quantiles
from nebulium.infer.light import LightSource, make_light_source
from nebulium.infer.likelihood import MeasuredFluxes
from nebulium.infer.model import PhotometryPosterior
from nebulium.infer.parameters import PROPERTIES
from nebulium.nn.mapping import in_batches
from nebulium.photometry.dereddening import check_extinction, corrected, dust_notes
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import CatalogueLayout
from nebulium.photoz.reading import Reading, counted_notes
from nebulium.sed.filters import load_filters
from nebulium.sed.ssp import load_ssp
from nebulium.verbs import Opened, Prediction, PredictionRun, Predictor, find_predictor, predicts_for

#: Draws of a galaxy before they are weighed, and galaxies at a time.
DRAWS, BATCH = 1500, 64
#: Galaxies that are read at a time.
ROWS_PER_CHUNK = 1024
#: Equal draws of each galaxy that are written.
WRITTEN = 250
#: Quantiles that are told, and the ends of their columns.
LEVELS = {"": 0.5, "_q16": 0.16, "_q84": 0.84, "_q025": 0.025, "_q975": 0.975}
#: A posterior that hangs on fewer effective draws, or on a heavier tail of weights, is not to be relied on.
LEAST_EFFECTIVE, MOST_K_HAT = 50.0, 0.7
#: Chance that noise alone makes a galaxy of the model fit worse than one that is flagged.
ODD = 1e-3
UNITS = {"age_gyr": "Gyr", "av_mag": "mag"}


@dataclass(frozen=True, eq=False)
class DrawnProperties:
    """Equal draws of the properties of galaxies.

    Attributes
    ----------
    draws : ndarray of float32 of shape (n, draw, property)
        In the order of `PROPERTIES`.
    """

    draws: Float[np.ndarray, "n draw property"]

    def __len__(self) -> int:
        return len(self.draws)

    def select(self, rows: Any) -> "DrawnProperties":
        """Some of the galaxies."""
        return select_rows(self, rows)


@predicts_for(PhotometryPosterior)
@dataclass(frozen=True, eq=False)
class PosteriorPredictor(Predictor[PhotometricGalaxies]):
    """Masses, star-formation rates, ages, dust and metals from fluxes, at known redshifts.

    Attributes
    ----------
    seed : int
        Of the draws.
    draws : int
        Of each galaxy, before they are weighed.
    """

    seed: int = 0
    draws: int = DRAWS
    predicts = "properties from photometry"

    @cached_property
    def source(self) -> LightSource:
        """What makes the light of galaxies."""
        return make_light_source(load_ssp(), load_filters(*self.model.bands))

    def open(
        self, source: Any, *, columns: Mapping[str, Any] | None = None, ids: np.ndarray | None = None
    ) -> Opened[PhotometricGalaxies]:
        """Open a catalogue of fluxes with redshifts; told are fields of `CatalogueLayout`."""
        layout = CatalogueLayout(**(columns or {}))
        reading = Reading(source, layout, ids=ids, notes=list(dust_notes(layout)))
        catalogue, extinction = reading.catalogue(with_redshifts=True)
        check_extinction(extinction, catalogue.layout.names)
        lacking = self._check_bands(
            catalogue.layout.names, given=bool(layout.bands), where=str(catalogue.path)
        )
        if lacking:
            reading.notes.append(f"not observed, as far as the catalogue says: {', '.join(lacking)}")
        if catalogue.layout.redshift_err_column is not None:
            reading.notes.append("errors of redshifts: not used, redshifts are taken to be exact")
        if catalogue.layout.redshift_column is None:
            mend = "name the column: --redshift COLUMN"
            raise TableError(str(catalogue.path), "has no redshifts, which this model needs", mend)

        def chunks() -> Iterator[PhotometricGalaxies]:
            for chunk in catalogue.chunks(
                rejects=reading.rejects, counted=reading.counted, rows_per_chunk=ROWS_PER_CHUNK
            ):
                galaxies = _with_bands(corrected(chunk, extinction), self.model.bands)
                good = self._usable(galaxies, reading.rejects) & reading.wants(galaxies.ids)
                if np.any(good):
                    yield galaxies.select(good)
            reading.notes.extend(counted_notes(reading.counted))

        return Opened(
            input_name(source), chunks(), catalogue.layout.id_column, reading.rejects, reading.notes
        )

    def __call__(self, chunk: PhotometricGalaxies) -> Prediction:
        """Quantiles of each property, and whether to believe them."""
        flux, err, z = map(jnp.asarray, (chunk.flux_njy, chunk.flux_err_njy, chunk.redshift))
        measured = MeasuredFluxes(flux, err, jnp.zeros(flux.shape, bool), z)
        found = self.posteriors(measured, numbers_of_ids(chunk.ids))
        columns: dict[str, np.ndarray] = {}
        for place, name in enumerate(PROPERTIES):
            of_name = zip(LEVELS, found["quantiles"][:, place].T, strict=True)
            columns |= {name + end: values for end, values in of_name}
        columns |= {
            "effective_draws": found["effective"],
            "k_hat": found["k_hat"],
            "log_evidence": found["log_evidence"],
            "chi_square": found["chi_square"],
            "reliable": can_be_relied_on(found["effective"], found["k_hat"]),
            "in_domain": fits(found["chi_square"], chunk.flux_njy),
        }
        units = {name + end: UNITS[name] for name in UNITS for end in LEVELS}
        return Prediction(chunk.ids, columns, units, DrawnProperties(found["draws"]))

    def posteriors(self, measured: MeasuredFluxes, numbers: Int[np.ndarray, " n"]) -> dict[str, np.ndarray]:
        """Posteriors of galaxies in arrays (n, ...), each with a number that its draws follow from.

        Told are ``quantiles`` (n, property, level), equal ``draws`` (n, draw, property), and ``effective``,
        ``k_hat``, ``log_evidence`` and the least ``chi_square`` of all draws (n,).
        """
        run = lambda measured, numbers: _posteriors(  # noqa: E731
            self.model, self.source, measured, numbers, jax.random.key(self.seed), self.draws
        )
        found: dict[str, np.ndarray] = in_batches(run, measured, numbers, size=BATCH)
        return found

    def writers(self) -> dict[str, Callable[..., Any]]:
        """Draws as a table, one row a draw."""
        return {"draws": self._draws_table}

    @contextmanager
    def _draws_table(self, path: Path, id_column: str) -> Iterator[Callable[[Prediction], None]]:
        metadata = {"models": {named.name: named.fingerprint for named in self.models}}
        with TableWriter(path, metadata=metadata) as writer:

            def write(prediction: Prediction) -> None:
                draws = prediction.detail.draws
                columns = {id_column: np.repeat(prediction.ids, draws.shape[1])}
                flat = draws.reshape(-1, len(PROPERTIES))
                columns |= {name: flat[:, place] for place, name in enumerate(PROPERTIES)}
                writer.append(Table(columns, {name: UNITS[name] for name in UNITS}, path.name))

            yield write

    def _check_bands(self, names: tuple[str, ...], *, given: bool, where: str) -> list[str]:
        """Bands of the model that the catalogue lacks; refuse bands that no model of these knows."""
        strange = [name for name in names if name not in self.model.bands]
        lacking = [name for name in self.model.bands if name not in names]
        if len(lacking) == len(self.model.bands) or (strange and given):
            problem = (
                f"has the bands {', '.join(names)}, of which the model does not know {', '.join(strange)}; "
                f"it knows {', '.join(self.model.bands)}"
            )
            mend = "name the columns by these: --band BAND=COLUMN,ERROR_COLUMN; or train for those: --bands"
            raise TableError(where, problem, mend)
        return lacking

    def _usable(self, galaxies: PhotometricGalaxies, rejects: Rejects) -> np.ndarray:
        low, high = self.model.redshifts
        z = galaxies.redshift
        faults = [
            ("has no redshift, which the model needs", np.isnan(z)),
            (f"has a redshift outside {low:g} to {high:g}, those of the model", (z < low) | (z > high)),
            ("has no flux in any band of the model", np.all(np.isnan(galaxies.flux_njy), axis=1)),
        ]
        return np.asarray(rejects.set_aside(faults, galaxies.ids))


@eqx.filter_jit
def _posteriors(
    model: PhotometryPosterior,
    source: LightSource,
    measured: MeasuredFluxes,
    numbers: Int[Array, " n"],
    key: Array,
    draws: int,
) -> dict[str, Array]:
    """One galaxy after the other: the table of one fits into the caches, those of many do not."""

    def one(galaxy: tuple[MeasuredFluxes, Array]) -> dict[str, Array]:
        measured, number = galaxy
        own, comb = jax.random.split(jax.random.fold_in(key, number))
        found = model.draws(source.at(measured.redshift), measured, own, draws)
        levels = jnp.asarray(list(LEVELS.values()), jnp.float32)
        quantiles = jax.vmap(weighted_quantiles, in_axes=(1, None, None))(
            found.properties, found.weights, levels
        )
        rows = resampled(found.weights, WRITTEN, jax.random.uniform(comb))
        return {
            "quantiles": quantiles,
            "draws": found.properties[rows],
            "effective": found.weights.effective,
            "k_hat": found.weights.k_hat,
            "log_evidence": found.weights.log_evidence,
            "chi_square": jnp.min(found.chi_square),
        }

    found: dict[str, Array] = jax.lax.map(one, (measured, numbers))
    return found


def can_be_relied_on(
    effective: Float[np.ndarray, " n"], k_hat: Float[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Whether enough draws count, and no few of them have most of the weight."""
    return (effective >= LEAST_EFFECTIVE) & (k_hat <= MOST_K_HAT)


def fits(chi_square: Float[np.ndarray, " n"], flux_njy: Float[np.ndarray, "n band"]) -> np.ndarray:
    """Whether a galaxy of the model fits the fluxes no worse than noise would make it."""
    return np.asarray(chi_square <= chi2.isf(ODD, np.sum(np.isfinite(flux_njy), axis=1)))


def numbers_of_ids(ids: np.ndarray) -> Int[np.ndarray, " n"]:
    """A number for each id, so that the draws of a galaxy do not depend on its place in the catalogue."""
    return (hash_ids(ids, seed="draws") & np.uint64(0x7FFFFFFF)).astype(np.int32)


def _with_bands(galaxies: PhotometricGalaxies, bands: tuple[str, ...]) -> PhotometricGalaxies:
    """The galaxies in the bands of the model, NaN in those that were not observed."""
    shape = (len(galaxies), len(bands))
    flux, err = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for place, band in enumerate(bands):
        if band in galaxies.bands:
            at = galaxies.bands.index(band)
            flux[:, place], err[:, place] = galaxies.flux_njy[:, at], galaxies.flux_err_njy[:, at]
    return replace(galaxies, bands=bands, flux_njy=flux, flux_err_njy=err)


def predict_file(
    catalogue: str | Path,
    output: str | Path,
    *,
    model: str | Path,
    draws: str | Path | None = None,
    columns: Mapping[str, Any] | None = None,
    draws_per_galaxy: int = DRAWS,
    seed: int = 0,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Infer the properties of all galaxies of a catalogue, under the interim prior.

    Parameters
    ----------
    catalogue : str or Path
        Folder of a mock survey, or a table, with fluxes and redshifts.
    output : str or Path
        A table ending in .parquet, .fits, .ecsv or .csv: of each property the median and quantiles
        (``_q16``, ``_q84``, ``_q025``, ``_q975``), how far to trust them (``effective_draws``, ``k_hat``,
        ``reliable``), the ``log_evidence``, the ``chi_square`` of the best draw and ``in_domain``, False
        where no galaxy of the model has such colours. Galaxies set aside are listed beside it.
    model : str or Path
        Name of a packaged model, or a model folder.
    draws : str or Path, optional
        A table of equal draws, 250 a galaxy.
    columns : mapping, optional
        What is told of the columns: fields of `nebulium.photometry.CatalogueLayout`.
    draws_per_galaxy : int
        Before they are weighed.
    seed : int
        Of the draws.
    progress : callable of int, optional
        Gets the number of galaxies so far, after each chunk.

    Returns
    -------
    PredictionRun

    Raises
    ------
    NebuliumError
        The catalogue, the model or the output is at fault, they do not suit each other, or no galaxy is left.

    Examples
    --------
    >>> predict_file("survey", "properties.parquet", model="mine")  # doctest: +SKIP
    """
    models = find_predictor(model, of=PosteriorPredictor).models
    return verbs.predict_file(
        catalogue,
        output,
        model=PosteriorPredictor(models, seed, draws_per_galaxy),
        options={"columns": columns},
        further={} if draws is None else {"draws": draws},
        progress=progress,
    )
