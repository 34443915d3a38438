"""Predictions for many galaxies: a table in, a table out.

The models are written for one galaxy. Here they are mapped over batches of one size, so that each function is
compiled once, whatever the length of the table; the last batch is filled up with its own last row.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from nebulium.data.batches import in_batches, padded_batches
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.data.units import FLUX_UNIT
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.model import LineModel
from nebulium.lines.model_choice import ModelChoice, check_unit_suits, choose_models
from nebulium.lines.observed import WeightedPoints, completions, marginalised_quantiles, measured_quantiles
from nebulium.lines.prediction_rows import FLUX_COLUMNS, GalaxyRows, galaxy_rows

#: Names of the quantiles in the tables, and their probabilities.
QUANTILES = {"q50": 0.5, "q16": 0.16, "q84": 0.84, "q025": 0.025, "q975": 0.975}
BATCH = 8192
#: Rows at a time where each row takes many evaluations of the model.
SMALL_BATCH = 256

# Completions of a continuum with missing bins of which a measurement is predicted, and points for each.
LIKELIEST, N_WITHIN = 8, 65
_LEVELS = np.array(list(QUANTILES.values()), np.float32)


class LineQuantiles(eqx.Module):
    """Quantiles of the ten lines, and whether they can be relied upon.

    Attributes
    ----------
    ew_aa : (5, 10) float32
        In the order of `QUANTILES` and `LINES`, rest frame, AA.
    in_domain : () bool
        Whether the continuum lies inside the training domain.
    """

    ew_aa: Float[Array, "*batch 5 10"]
    in_domain: Bool[Array, "*batch"]


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


@dataclass(frozen=True, eq=False)
class LinePredictor:
    """Models ready to predict one table after another.

    Parameters
    ----------
    choice : ModelChoice
        From `choose_models`.
    observed : bool
        Whether to predict measurements, noise and selection included, in place of the lines themselves.
    """

    choice: ModelChoice = field(default_factory=choose_models)
    observed: bool = False

    def __call__(self, table: Table, rejects: Rejects, *, row_numbers: np.ndarray | None = None) -> Table:
        """Predict a table; bad rows go to the rejects."""
        unit = table.units.get(FLUX_COLUMNS[0], "")
        physical = unit in ("", FLUX_UNIT)
        check_unit_suits(self.choice, physical=physical, unit=unit, where=table.name)
        uses_redshift = any(named.model.with_luminosity for named in self.choice.models)
        rows = galaxy_rows(
            table,
            rejects,
            needs_luminosity=self.choice.needs_luminosity,
            row_numbers=row_numbers,
            redshift_unused=not uses_redshift,
        )
        names = self.choice.names_of(rows.continuum_flux, rows.redshift, physical=physical)
        return self._predicted(rows, names, table.name)

    def _predicted(self, rows: GalaxyRows, names: np.ndarray, source: str) -> Table:
        """Each group of rows through its function."""
        missing = np.isnan(rows.continuum_flux).any(axis=1)
        ew_aa = np.empty((len(rows), len(QUANTILES), len(LINES)), np.float32)
        in_domain = np.empty(len(rows), bool)
        for named in self.choice.models:
            for with_missing in (False, True):
                which = np.flatnonzero((names == named.name) & (missing == with_missing))
                predict, batch = self._function(with_missing)
                for chosen, count in padded_batches(len(which), batch):
                    out = predict(named.model, *_arrays(rows.select(which[chosen])))
                    ew_aa[which[chosen[:count]]] = np.asarray(out.ew_aa)[:count]
                    in_domain[which[chosen[:count]]] = np.asarray(out.in_domain)[:count]
        return _as_table(rows, names, ew_aa, in_domain, source)

    def _function(self, with_missing: bool) -> tuple[Callable[..., LineQuantiles], int]:
        if self.observed:
            return (_of_gappy_measurement if with_missing else _of_measurement), SMALL_BATCH
        return (_of_gappy_continuum, SMALL_BATCH) if with_missing else (_of_continuum, BATCH)


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
    rejects = Rejects()
    return Predictions(LinePredictor(choose_models(model), observed)(table, rejects), rejects)


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


@eqx.filter_jit
def _of_continuum(
    model: LineModel, flux: Float[Array, "n 12"], redshift: Float[Array, " n"], sigma: Float[Array, "n 10"]
) -> LineQuantiles:
    """The lines themselves, every bin known."""

    def one(flux: Float[Array, "12"], redshift: Float[Array, ""]) -> LineQuantiles:
        others = model.density(flux, redshift).quantile(jnp.asarray(_LEVELS[1:]))
        ew = jnp.concatenate([model.median_ew(flux, redshift)[None], others])
        return LineQuantiles(ew, model.domain.contains(model.features(flux, redshift)))

    return jax.vmap(one)(flux, redshift)


@eqx.filter_jit
def _of_gappy_continuum(
    model: LineModel, flux: Float[Array, "n 12"], redshift: Float[Array, " n"], sigma: Float[Array, "n 10"]
) -> LineQuantiles:
    """The lines themselves, missing bins marginalised over the training set."""

    def one(flux: Float[Array, "12"], redshift: Float[Array, ""]) -> LineQuantiles:
        ew = marginalised_quantiles(model, flux, redshift, jnp.asarray(_LEVELS))
        return LineQuantiles(ew, _completed_in_domain(model, flux, redshift))

    return jax.vmap(one)(flux, redshift)


@eqx.filter_jit
def _of_measurement(
    model: LineModel, flux: Float[Array, "n 12"], redshift: Float[Array, " n"], sigma: Float[Array, "n 10"]
) -> LineQuantiles:
    """Measurements of the lines."""

    def one(flux: Float[Array, "12"], redshift: Float[Array, ""], sigma: Float[Array, "10"]) -> LineQuantiles:
        ew = measured_quantiles(model, flux, redshift, sigma, jnp.asarray(_LEVELS))
        return LineQuantiles(ew, model.domain.contains(model.features(flux, redshift)))

    return jax.vmap(one)(flux, redshift, sigma)


@eqx.filter_jit
def _of_gappy_measurement(
    model: LineModel, flux: Float[Array, "n 12"], redshift: Float[Array, " n"], sigma: Float[Array, "n 10"]
) -> LineQuantiles:
    """Measurements of the lines, missing bins marginalised over the likeliest completions."""
    within = (jnp.arange(N_WITHIN, dtype=jnp.float32) + 0.5) / N_WITHIN

    def one(flux: Float[Array, "12"], redshift: Float[Array, ""], sigma: Float[Array, "10"]) -> LineQuantiles:
        filled = completions(model, flux, redshift)
        continua = jnp.where(jnp.isnan(flux)[None], filled.continuum_flux[:LIKELIEST], flux[None])
        ew = jax.vmap(lambda each: measured_quantiles(model, each, redshift, sigma, within))(continua)
        weight = jnp.broadcast_to(filled.weight[:LIKELIEST, None, None], ew.shape)
        points = WeightedPoints(ew.reshape(-1, len(LINES)), weight.reshape(-1, len(LINES)))
        return LineQuantiles(
            points.quantiles(jnp.asarray(_LEVELS)), _completed_in_domain(model, flux, redshift)
        )

    return jax.vmap(one)(flux, redshift, sigma)


def _completed_in_domain(
    model: LineModel, flux: Float[Array, "12"], redshift: Float[Array, ""]
) -> Bool[Array, ""]:
    """Of the likeliest completion, which is the continuum itself where no bin is missing."""
    filled = jnp.where(jnp.isnan(flux), completions(model, flux, redshift).continuum_flux[0], flux)
    return model.domain.contains(model.features(filled, redshift))


def _arrays(rows: GalaxyRows) -> tuple[Array, Array, Array]:
    return jnp.asarray(rows.continuum_flux), jnp.asarray(rows.redshift), jnp.asarray(rows.sigma_aa)


def _as_table(
    rows: GalaxyRows,
    names: np.ndarray,
    ew_aa: Float[np.ndarray, "n 5 10"],
    in_domain: Bool[np.ndarray, " n"],
    source: str,
) -> Table:
    columns: dict[str, np.ndarray] = {"target_id": rows.ids}
    for line, widths in zip(LINES, np.moveaxis(ew_aa, 2, 0), strict=True):
        columns |= {f"ew_{line}_{name}": widths[:, place] for place, name in enumerate(QUANTILES)}
    units = dict.fromkeys(list(columns)[1:], "Angstrom")
    columns["in_domain"] = in_domain
    columns["model"] = names.astype(np.str_)
    columns["n_missing_bins"] = np.isnan(rows.continuum_flux).sum(axis=1).astype(np.int16)
    return Table(columns, units, source)
