"""The line models as a predictor: which model predicts which galaxy, and the columns that come out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from nebulium.data.batches import padded_batches
from nebulium.data.ids import check_unique_ids, rows_of_ids
from nebulium.data.rejects import Rejects
from nebulium.data.tables.reading import ROWS_PER_CHUNK
from nebulium.data.tables.table import Table
from nebulium.data.units import FLUX_UNIT
from nebulium.errors import NebuliumError
from nebulium.lines.continuum.features import log_luminosity
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import Columns, open_input
from nebulium.lines.model import LineModel
from nebulium.lines.prediction_rows import FLUX_COLUMNS, GalaxyRows, galaxy_rows
from nebulium.lines.quantiles import (
    QUANTILES,
    LineQuantiles,
    of_continuum,
    of_gappy_continuum,
    of_gappy_measurement,
    of_measurement,
)
from nebulium.verbs import NamedModel, Opened, Prediction, Predictor, named_model

#: The default where redshift and flux are known and the luminosity is one that it was trained on.
WITH_LUMINOSITY = "desi-lines"
#: The default elsewhere.
COLOURS_ONLY = "desi-lines-colours"
BATCH = 8192
#: Rows at a time where each row takes many evaluations of the model.
SMALL_BATCH = 256


@dataclass(frozen=True, eq=False)
class LinePredictor(Predictor[GalaxyRows]):
    """Emission lines by one model, or by one with luminosity and another where that cannot be used.

    Parameters
    ----------
    models : tuple of NamedModel
        The first predicts wherever it can; the second, if there is one, the other galaxies, and needs no
        luminosity.
    observed : bool
        Whether to predict measurements, noise and selection included, in place of the lines themselves.
    """

    observed: bool = False

    predicts = "emission lines"

    def open(
        self,
        source: str | Path,
        *,
        columns: Columns | None = None,
        id_column: str | None = None,
        redshifts: str | Path | float | None = None,
        ebv: str | float | None = None,
        rows_per_chunk: int = ROWS_PER_CHUNK,
        ids: np.ndarray | None = None,
    ) -> Opened[GalaxyRows]:
        """Open a table of continuum bins, or spectra: see `nebulium.lines.predict_file`."""
        found = open_input(
            source,
            columns=columns,
            id_column=id_column,
            redshifts=redshifts,
            ebv=ebv,
            rows_per_chunk=rows_per_chunk,
        )

        def chunks() -> Iterator[GalaxyRows]:
            check_unique_ids(found.ids, where=found.name)
            first = 0
            for table in found.chunks():
                numbers = first + np.arange(len(table)) if found.row_numbers is None else found.row_numbers
                rows = self.usable_rows(table, found.rejects, row_numbers=numbers)
                first += len(table)
                if ids is not None:
                    rows = rows.select(np.flatnonzero(rows_of_ids(rows.ids, ids) >= 0))
                if len(rows):
                    yield rows

        return Opened(found.name, chunks(), found.id_name, found.rejects, metadata=found.metadata)

    def usable_rows(
        self, table: Table, rejects: Rejects, *, row_numbers: np.ndarray | None = None
    ) -> GalaxyRows:
        """Rows of a table that can be predicted; the others go to the rejects."""
        unit = table.units.get(FLUX_COLUMNS[0], "")
        physical = unit in ("", FLUX_UNIT)
        if self.needs_luminosity and not physical:
            needs = f"the model {self.models[0].name} needs a luminosity"
            problem = f"{needs}, so expected what converts to {FLUX_UNIT}, found {unit}"
            mend = f"use the model {COLOURS_ONLY}"
            raise NebuliumError(f"{table.name}, columns continuum_flux", problem, mend)
        return galaxy_rows(
            table,
            rejects,
            needs_luminosity=self.needs_luminosity,
            row_numbers=row_numbers,
            redshift_unused=not any(named.model.with_luminosity for named in self.models),
            physical=physical,
        )

    def __call__(self, chunk: GalaxyRows) -> Prediction:
        """Predict each group of rows by its model, mapped over batches of one size."""
        names = self.names_of(chunk)
        missing = np.isnan(chunk.continuum_flux).any(axis=1)
        ew_aa = np.empty((len(chunk), len(QUANTILES), len(LINES)), np.float32)
        in_domain = np.empty(len(chunk), bool)
        for named in self.models:
            for with_missing in (False, True):
                which = np.flatnonzero((names == named.name) & (missing == with_missing))
                predict, batch = self._function(with_missing)
                for chosen, count in padded_batches(len(which), batch):
                    out = predict(named.model, *_arrays(chunk.select(which[chosen])))
                    ew_aa[which[chosen[:count]]] = np.asarray(out.ew_aa)[:count]
                    in_domain[which[chosen[:count]]] = np.asarray(out.in_domain)[:count]
        return _prediction(chunk, names, ew_aa, in_domain)

    def about(self) -> dict[str, Any]:
        """Which distribution the quantiles are of."""
        return {"distribution": "observed" if self.observed else "intrinsic"}

    @property
    def needs_luminosity(self) -> bool:
        """Whether a galaxy without luminosity has no model."""
        return len(self.models) == 1 and self.model.with_luminosity

    def names_of(self, rows: GalaxyRows) -> np.ndarray:
        """Name of the model for each galaxy."""
        first, *others = (named.name for named in self.models)
        if not others:
            return np.full(len(rows), first)
        usable = rows.physical & _luminosity_in_range(self.model, rows.continuum_flux, rows.redshift)
        return np.where(usable, first, others[0])

    def _function(self, with_missing: bool) -> tuple[Callable[..., LineQuantiles], int]:
        if self.observed:
            return (of_gappy_measurement if with_missing else of_measurement), SMALL_BATCH
        return (of_gappy_continuum, SMALL_BATCH) if with_missing else (of_continuum, BATCH)


def line_predictor(model: LineModel | str | Path | None = None, *, observed: bool = False) -> LinePredictor:
    """The predictor of a model, or of the two defaults."""
    if isinstance(model, LineModel):
        return LinePredictor((NamedModel(type(model).__name__, model),), observed)
    names = (WITH_LUMINOSITY, COLOURS_ONLY) if model is None else (model,)
    return LinePredictor(tuple(named_model(name, of=LineModel) for name in names), observed)


def _arrays(rows: GalaxyRows) -> tuple[Array, Array, Array]:
    return jnp.asarray(rows.continuum_flux), jnp.asarray(rows.redshift), jnp.asarray(rows.sigma_aa)


def _prediction(
    rows: GalaxyRows, names: np.ndarray, ew_aa: Float[np.ndarray, "n 5 10"], in_domain: Bool[np.ndarray, " n"]
) -> Prediction:
    columns: dict[str, np.ndarray] = {}
    for line, widths in zip(LINES, np.moveaxis(ew_aa, 2, 0), strict=True):
        columns |= {f"ew_{line}_{name}": widths[:, place] for place, name in enumerate(QUANTILES)}
    units = dict.fromkeys(columns, "Angstrom")
    columns["in_domain"] = in_domain
    columns["model"] = names.astype(np.str_)
    columns["n_missing_bins"] = np.isnan(rows.continuum_flux).sum(axis=1).astype(np.int16)
    return Prediction(rows.ids, columns, units)


_log_luminosities = jax.jit(jax.vmap(log_luminosity))


def _luminosity_in_range(
    model: LineModel, continuum_flux: Float[np.ndarray, "n 12"], redshift: Float[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """False also where the luminosity is not known."""
    low, high = np.asarray(model.log_luminosity_range)
    luminosity = np.asarray(_log_luminosities(continuum_flux, redshift))
    return (luminosity >= low) & (luminosity <= high)
