"""What every method says of one galaxy, and of many."""

from dataclasses import dataclass

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float

from nebulium.data.tables.table import Table
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.verbs import Prediction

#: Quantiles that are written, by their column.
QUANTILES = {"redshift_median": 0.5, "redshift_q16": 0.16, "redshift_q84": 0.84}


class RedshiftPrediction(eqx.Module):
    """The density p(z) of one galaxy, or of a batch.

    Attributes
    ----------
    mass : array of float32 of shape (..., bin)
        Probability of each bin of the model's `RedshiftGrid`; adds up to 1, also where nothing is known.
    in_domain : array of bool of shape (...)
        False where the galaxy is unlike those that the model was made for: do not rely on it.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> RedshiftPrediction(mass=jnp.full(4, 0.25), in_domain=jnp.asarray(True)).mass.sum()
    Array(1., dtype=float32)
    """

    mass: Float[Array, "*batch bin"]
    in_domain: Bool[Array, "*batch"]


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
    See `nebulium.photoz.predict_galaxies`.
    """

    ids: np.ndarray
    densities: RedshiftDensities
    in_domain: Bool[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.ids)

    def prediction(self) -> Prediction:
        """Columns of a table of predictions, and the densities."""
        quantiles = self.densities.quantile(list(QUANTILES.values()))
        values = {column: quantiles[:, place] for place, column in enumerate(QUANTILES)}
        values |= {"redshift_mode": self.densities.mode(), "odds": self.densities.odds()}
        order = ("redshift_median", "redshift_mode", "redshift_q16", "redshift_q84", "odds")
        columns = {column: values[column].astype(np.float32) for column in order}
        return Prediction(self.ids, {**columns, "in_domain": self.in_domain}, detail=self.densities)

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
        return self.prediction().as_table(name=name)
