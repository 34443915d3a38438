"""Emission lines of many galaxies: a table in, a table out, in memory or in files."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from nebulium import verbs
from nebulium.data.batches import in_batches
from nebulium.data.rejects import Rejects
from nebulium.data.tables.reading import ROWS_PER_CHUNK
from nebulium.data.tables.table import Table
from nebulium.lines.input import Columns
from nebulium.lines.model import LineModel
from nebulium.lines.predictor import BATCH, line_predictor
from nebulium.verbs import PredictionRun


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
    table: Table, *, model: LineModel | str | Path | None = None, observed: bool = False
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
    >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
    >>> fluxes = {f"continuum_flux_{place}": np.ones(2, np.float32) for place in range(12)}
    >>> predictions = predict_table(Table({"target_id": np.array([7, 8]), **fluxes}), model=model)
    >>> predictions.table["ew_HALPHA_q50"].shape, predictions.table.units["ew_HALPHA_q50"]
    ((2,), 'Angstrom')
    """
    predictor, rejects = line_predictor(model, observed=observed), Rejects()
    predicted = predictor(predictor.usable_rows(table, rejects))
    return Predictions(predicted.as_table(name=table.name), rejects)


def predict_file(
    source: str | Path,
    output: str | Path,
    *,
    model: LineModel | str | Path | None = None,
    observed: bool = False,
    columns: Columns | None = None,
    id_column: str | None = None,
    redshifts: str | Path | float | None = None,
    ebv: str | float | None = None,
    rows_per_chunk: int = ROWS_PER_CHUNK,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Predict the ten emission lines of all galaxies in a file.

    Parameters
    ----------
    source : str or Path
        A table with the twelve continuum bins (`continuum_flux_0` to `_11`), or spectra.
    output : str or Path
        A table ending in .parquet, .fits or .ecsv. Rows that cannot be predicted are listed, with the
        reason, beside it in ``<stem>.rejects.csv``. Both appear whole or not at all.
    model : LineModel, str or Path, optional
        A model, the name of a packaged one, or a model folder; by default ``desi-lines`` or
        ``desi-lines-colours``, as in `predict_table`.
    observed : bool
        Predict measurements in place of the lines themselves, as in `predict_table`.
    columns : mapping of str to str, or str, optional
        nebulium's name -> the file's, of tables; or what `nebulium.data.column_mapping` reads.
    id_column : str, optional
        Of tables, the file's column of ids; `target_id` if not given.
    redshifts : str, Path or float, optional
        Of spectra: a Redrock file, a table with `target_id` and `redshift`, or one redshift for all.
    ebv : str or float, optional
        Correct for Galactic extinction with this E(B-V), mag: a number, or a column (of spectra ``ebv``).
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
    >>> from nebulium.data.tables.reading import read_table, write_table
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
        "rows_per_chunk": rows_per_chunk,
    }
    predictor = line_predictor(model, observed=observed)
    return verbs.predict_file(source, output, model=predictor, options=options, progress=progress)


def median_ews(
    model: LineModel, continuum_flux: Float[np.ndarray, "n 12"], redshift: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n 10"]:
    """Medians of the intrinsic equivalent widths of many galaxies, and nothing else.

    Parameters
    ----------
    model : LineModel
    continuum_flux : ndarray of shape (n, 12)
        No bin missing.
    redshift : ndarray of shape (n,)
        Not used by a model without luminosity.

    Returns
    -------
    ndarray of float32 of shape (n, 10)
        AA, in the order of `LINES`: the columns `ew_LINE_q50` of `predict_table`.

    Examples
    --------
    >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
    >>> median_ews(model, np.ones((3, 12), np.float32), np.zeros(3, np.float32)).shape
    (3, 10)
    """
    return in_batches(partial(_medians, model), continuum_flux, redshift, size=BATCH)


@eqx.filter_jit
def _medians(
    model: LineModel, flux: Float[Array, "n 12"], redshift: Float[Array, " n"]
) -> Float[Array, "n 10"]:
    return jax.vmap(model.median_ew)(flux, redshift)
