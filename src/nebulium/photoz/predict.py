"""Densities of many galaxies from their fluxes, a batch of one size at a time, and as tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float

from nebulium.data.batches import in_batches
from nebulium.data.tables.table import Table
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.prediction import RedshiftPrediction

#: Galaxies that go through a model at a time: template fitting holds bins times templates numbers for each.
BATCH = 64
ID = "target_id"
#: Quantiles that are written, by their column.
QUANTILES = {"redshift_median": 0.5, "redshift_q16": 0.16, "redshift_q84": 0.84}


@dataclass(frozen=True, eq=False)
class PredictedRedshifts:
    """What a model says of many galaxies.

    Attributes
    ----------
    ids : ndarray of shape (n,)
    densities : RedshiftDensities
    in_domain : ndarray of bool of shape (n,)

    Examples
    --------
    See `predict_galaxies`.
    """

    ids: np.ndarray
    densities: RedshiftDensities
    in_domain: Bool[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: Any) -> "PredictedRedshifts":
        """Some of the galaxies, as numpy indexes them."""
        return PredictedRedshifts(self.ids[rows], self.densities.select(rows), self.in_domain[rows])

    def as_table(self, name: str = "redshifts") -> Table:
        """The columns of a table of predictions.

        Parameters
        ----------
        name : str
            Where the galaxies are from.

        Returns
        -------
        Table
            `target_id`, `redshift_median`, `redshift_mode`, `redshift_q16`, `redshift_q84`, `odds`,
            `in_domain`.
        """
        quantiles = self.densities.quantile(list(QUANTILES.values()))
        values = {column: quantiles[:, place] for place, column in enumerate(QUANTILES)}
        values |= {"redshift_mode": self.densities.mode(), "odds": self.densities.odds()}
        order = ("redshift_median", "redshift_mode", "redshift_q16", "redshift_q84", "odds")
        columns = {column: values[column].astype(np.float32) for column in order}
        return Table({ID: self.ids, **columns, "in_domain": self.in_domain}, name=name)


def concatenate_predictions(parts: Sequence[PredictedRedshifts]) -> PredictedRedshifts:
    """One after the other."""
    return PredictedRedshifts(
        np.concatenate([part.ids for part in parts]),
        RedshiftDensities.concatenate([part.densities for part in parts]),
        np.concatenate([part.in_domain for part in parts]),
    )


def predict_galaxies(model: Any, galaxies: PhotometricGalaxies, *, batch: int = BATCH) -> PredictedRedshifts:
    """Densities of galaxies in memory.

    Parameters
    ----------
    model : equinox.Module
        ``model(flux_njy (band,), flux_err_njy (band,))`` is a `RedshiftPrediction`; with `bands` and `grid`.
    galaxies : PhotometricGalaxies
        At least one; with the bands of the model, in any order.
    batch : int
        Galaxies at a time; every batch has this size, so that the model is compiled once.

    Returns
    -------
    PredictedRedshifts

    Raises
    ------
    TableError
        A band of the model is not there.

    Examples
    --------
    >>> from nebulium.photoz.fluxes.model import PhotometryModel
    >>> one = np.ones((3, 2), np.float32)
    >>> galaxies = PhotometricGalaxies(
    ...     np.arange(3), ("r", "g"), one, 0.1 * one, one[:, 0], 0 * one[:, 0], None, "a.fits"
    ... )
    >>> model = PhotometryModel(bands=["g", "r"], grid_bins=50, members=1, domain_references=8)
    >>> said = predict_galaxies(model, galaxies, batch=2)
    >>> said.densities.mass.shape, list(said.as_table().columns)[:3]
    ((3, 50), ['target_id', 'redshift_median', 'redshift_mode'])
    """
    ordered = galaxies.in_bands(model.bands)
    predicted = in_batches(partial(_predict, model), ordered.flux_njy, ordered.flux_err_njy, size=batch)
    densities = RedshiftDensities(model.grid, predicted.mass)
    return PredictedRedshifts(galaxies.ids, densities, predicted.in_domain)


@eqx.filter_jit
def _predict(
    model: Any, flux_njy: Float[Array, "n band"], flux_err_njy: Float[Array, "n band"]
) -> RedshiftPrediction:
    prediction: RedshiftPrediction = jax.vmap(model)(flux_njy, flux_err_njy)
    return prediction
