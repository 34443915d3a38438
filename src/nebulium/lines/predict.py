"""Emission lines of many galaxies, in memory or in files: which model predicts which, and the columns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from nebulium import verbs
from nebulium.data.column_checks import Missing
from nebulium.data.ids import rows_of_ids
from nebulium.data.rejects import Rejects
from nebulium.data.tables.reading import ROWS_PER_CHUNK, ColumnMapping, Units
from nebulium.data.tables.table import Table
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import COLOURS_ONLY, GalaxyRows, Source, galaxy_rows, open_input
from nebulium.lines.model import LineModel, luminosities_in_range
from nebulium.lines.quantiles import QUANTILES, line_quantiles
from nebulium.verbs import NamedModel, Opened, Prediction, PredictionRun, Predictor, named_model

#: The default where redshift and flux are known and the luminosity is one that it was trained on; elsewhere
#: it is `COLOURS_ONLY`.
WITH_LUMINOSITY = "desi-lines"


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

    def open(self, source: Source, *, ids: np.ndarray | None = None, **told: Any) -> Opened[GalaxyRows]:
        """Open a table of continuum bins, or spectra, with what `nebulium.lines.predict_file` is told."""
        keep_flagged = told.pop("keep_flagged", False)
        found = open_input(source, **told)

        def chunks() -> Iterator[GalaxyRows]:
            for table, numbers in found.chunks:
                rows = self.usable_rows(table, found.rejects, row_numbers=numbers, keep_flagged=keep_flagged)
                if ids is not None:
                    rows = rows.select(np.flatnonzero(rows_of_ids(rows.ids, ids) >= 0))
                if len(rows):
                    yield rows

        return Opened(found.name, chunks(), found.id_column, found.rejects, metadata=found.metadata)

    def usable_rows(
        self,
        table: Table,
        rejects: Rejects,
        *,
        row_numbers: np.ndarray | None = None,
        keep_flagged: bool = False,
    ) -> GalaxyRows:
        """Rows of a table that can be predicted; the others go to the rejects."""
        return galaxy_rows(
            table,
            rejects,
            needs_luminosity=self.needs_luminosity,
            row_numbers=row_numbers,
            redshift_unused=not any(named.model.with_luminosity for named in self.models),
            keep_flagged=keep_flagged,
        )

    def __call__(self, chunk: GalaxyRows) -> Prediction:
        """Predict each group of rows by its model, mapped over batches of one size."""
        names, gaps = self.names_of(chunk), np.isnan(chunk.continuum_flux).any(axis=1)
        ew_aa = np.empty((len(chunk), len(QUANTILES), len(LINES)), np.float32)
        in_domain = np.empty(len(chunk), bool)
        for named, with_gaps in product(self.models, (False, True)):
            which = np.flatnonzero((names == named.name) & (gaps == with_gaps))
            if len(which):
                found = line_quantiles(
                    named.model, chunk.select(which), observed=self.observed, gaps=with_gaps
                )
                ew_aa[which], in_domain[which] = found.ew_aa, found.in_domain
        columns = {
            f"ew_{line}_{name}": ew_aa[:, level, place]
            for place, line in enumerate(LINES)
            for level, name in enumerate(QUANTILES)
        }
        units = dict.fromkeys(columns, "Angstrom")
        missing = np.isnan(chunk.continuum_flux).sum(axis=1).astype(np.int16)
        columns |= {"in_domain": in_domain, "model": names.astype(np.str_), "n_missing_bins": missing}
        return Prediction(chunk.ids, columns | chunk.beside, units)

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
        usable = rows.physical & luminosities_in_range(self.model, rows.continuum_flux, rows.redshift)
        return np.where(usable, first, others[0])


def line_predictor(model: LineModel | str | Path | None = None, *, observed: bool = False) -> LinePredictor:
    """The predictor of a model, or of the two defaults."""
    if isinstance(model, LineModel):
        return LinePredictor((NamedModel(type(model).__name__, model),), observed)
    names = (WITH_LUMINOSITY, COLOURS_ONLY) if model is None else (model,)
    return LinePredictor(tuple(named_model(name, of=LineModel) for name in names), observed)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What came out.

    Parameters
    ----------
    table : Table
        A row for each galaxy that could be predicted, in the order of the input: `target_id`, for each
        line `ew_LINE_q50`, `_q16`, `_q84`, `_q025`, `_q975` (AA), `in_domain`, `model`, `n_missing_bins`.
    rejects : Rejects
        The others, with their reasons.
    """

    table: Table
    rejects: Rejects


def predict_table(
    table: Table,
    *,
    model: LineModel | str | Path | None = None,
    observed: bool = False,
    keep_flagged: bool = False,
) -> Predictions:
    """Predict the ten emission lines of galaxies from their continua.

    Parameters
    ----------
    table : Table
        With `target_id`, `continuum_flux_0` to `_11` (1e-17 erg/s/cm2/AA; NaN where a bin is missing) and,
        where known, `redshift`; with `observed` also `ew_ivar_LINE` of the measurements (NaN or 0 where
        there is none).
    model : LineModel, str or Path, optional
        A model, the name of a packaged one, or a model folder. By default ``desi-lines`` where redshift and
        flux give a luminosity in its range, and ``desi-lines-colours`` elsewhere.
    observed : bool
        Predict the distribution of a measurement: noise and selection included, with the row's own
        `ew_ivar_LINE` where there is one, else with the noise typical of such a continuum. By default the
        distribution is that of the lines themselves, which depends on the continuum alone.
    keep_flagged : bool
        Keep what the columns `zwarn` (not 0) and `spectype` (STAR, QSO) say to have a failed redshift or to
        be no galaxy, and write these columns; else such rows are set aside.

    Returns
    -------
    Predictions

    Raises
    ------
    NebuliumError
        A column is missing, the model cannot be loaded, or it needs a luminosity that the unit of the
        fluxes does not give.

    Examples
    --------
    >>> import jax
    >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
    >>> fluxes = {f"continuum_flux_{place}": np.ones(2, np.float32) for place in range(12)}
    >>> predictions = predict_table(Table({"target_id": np.array([7, 8]), **fluxes}), model=model)
    >>> predictions.table["ew_HALPHA_q50"].shape, predictions.table.units["ew_HALPHA_q50"]
    ((2,), 'Angstrom')
    """
    predictor, rejects = line_predictor(model, observed=observed), Rejects()
    predicted = predictor(predictor.usable_rows(table, rejects, keep_flagged=keep_flagged))
    return Predictions(predicted.as_table(name=table.name), rejects)


def predict_file(
    source: Source,
    output: str | Path,
    *,
    model: LineModel | str | Path | None = None,
    observed: bool = False,
    columns: ColumnMapping | None = None,
    id_column: str | None = None,
    redshifts: str | Path | float | None = None,
    ebv: str | float | None = None,
    wave_unit: str | None = None,
    flux_unit: str | None = None,
    air: bool | None = None,
    missing: Missing = None,
    units: Units = None,
    keep_flagged: bool = False,
    rows_per_chunk: int = ROWS_PER_CHUNK,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Predict the ten emission lines of all galaxies in a file.

    Parameters
    ----------
    source : str, Path or sequence of these
        A table with the twelve continuum bins (`continuum_flux_0` to `_11`), or spectra: a file, a folder, a
        pattern such as ``spec-*.fits``, or several files, which the column `file` tells apart.
    output : str or Path
        A table ending in .parquet, .fits, .ecsv or .csv. Rows that cannot be predicted are listed, with the
        reason, beside it in ``<stem>.rejects.csv``. Both appear whole or not at all.
    model : LineModel, str or Path, optional
        A model, the name of a packaged one, or a model folder; by default ``desi-lines`` or
        ``desi-lines-colours``, as in `predict_table`.
    observed : bool
        Predict measurements in place of the lines themselves, as in `predict_table`.
    columns : mapping of str to str, or str, optional
        nebulium's name -> the file's, of tables; or what `nebulium.data.column_mapping` reads.
    id_column : str, optional
        The file's column of ids; of tables `target_id` if not given, of spectra one of the usual names.
    redshifts : str, Path or float, optional
        Of spectra: a Redrock file, a DESI zcatalog, a table with ids and redshifts, or one redshift for all.
    ebv : str or float, optional
        Correct for Galactic extinction with this E(B-V), mag: a number, or a column (of spectra ``ebv``).
    wave_unit, flux_unit : str, optional
        Units of spectra, and of the fluxes of a table, in place of what the file declares.
    air : bool, optional
        Whether the wavelengths of spectra are those in air, in place of what the file declares.
    missing : float, sequence of float, or mapping of str to these, optional
        Of tables, numbers that stand for a missing value.
    units : mapping of str to str, or sequence of str, optional
        Of tables, nebulium's name -> the unit of the file's values, in place of what the file declares.
    keep_flagged : bool
        Keep failed redshifts, stars and quasars, as in `predict_table`.
    rows_per_chunk : int
        Rows of a table in memory at a time.
    progress : callable of int, optional
        Gets the number of galaxies predicted so far, after each chunk.

    Returns
    -------
    PredictionRun

    Raises
    ------
    NebuliumError
        The input, the model or the output is at fault, an id occurs twice, or no row can be predicted.

    Examples
    --------
    >>> import jax, tempfile
    >>> from nebulium.data.tables.reading import read_table
    >>> from nebulium.data.tables.writer import write_table
    >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     bins = {f"continuum_flux_{place}": np.ones(2, np.float32) for place in range(12)}
    ...     write_table(Table({"target_id": np.array([7, 8]), **bins}), f"{scratch}/bins.parquet")
    ...     run = predict_file(f"{scratch}/bins.parquet", f"{scratch}/lines.ecsv", model=model)
    ...     read_table(f"{scratch}/lines.ecsv")["target_id"].tolist(), run.rows
    ([7, 8], 2)
    """
    options = {
        "columns": columns,
        "id_column": id_column,
        "redshifts": redshifts,
        "ebv": ebv,
        "wave_unit": wave_unit,
        "flux_unit": flux_unit,
        "air": air,
        "missing": missing,
        "units": units,
        "keep_flagged": keep_flagged,
        "rows_per_chunk": rows_per_chunk,
    }
    predictor = line_predictor(model, observed=observed)
    return verbs.predict_file(source, output, model=predictor, options=options, progress=progress)
