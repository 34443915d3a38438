"""The silly method: the distribution of the training redshifts, for any galaxy."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from scipy.stats import norm

from nebulium.errors import TableError
from nebulium.modelfile import register
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.density.prediction import RedshiftPrediction
from nebulium.photoz.density.recalibration import Recalibration

#: With fewer redshifts there is no distribution.
FEWEST = 10
#: Galaxies spread evenly over the grid that are added, so that no redshift is impossible.
ANYWHERE = 1.0


@register
class TrainDistributionModel(eqx.Module):
    """The same density for every galaxy: what a method must beat.

    Parameters
    ----------
    grid_most : float
        Highest redshift.
    grid_bins : int
        Number of bins.
    bands : sequence of str
        Bands of the galaxies that it is asked about; they do not matter.
    key : key, optional
        Not used: nothing is random.

    Examples
    --------
    >>> silly = fit_train_distribution(np.linspace(0.5, 1.5, 100), RedshiftGrid(3.0, 4), bands=["g", "r"])
    >>> silly(jnp.ones(2), jnp.ones(2)).mass.round(2).tolist()
    [0.0, 0.5, 0.5, 0.0]
    """

    mass: Float[Array, " bin"]
    recalibration: Recalibration
    grid: RedshiftGrid = eqx.field(static=True)
    bands: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, *, grid_most: float, grid_bins: int, bands: Any, key: Key[Array, ""] | None = None):
        self.grid, self.bands = RedshiftGrid(float(grid_most), int(grid_bins)), tuple(bands)
        self.mass = jnp.full(self.grid.bins, 1.0 / self.grid.bins, jnp.float32)
        self.recalibration = Recalibration()

    def __call__(self, *galaxy: Array) -> RedshiftPrediction:
        """The density of a galaxy, given by fluxes and their errors, or by an image: not looked at."""
        return RedshiftPrediction(self.recalibration(self.mass), jnp.asarray(True))


def fit_train_distribution(
    redshift: Float[np.ndarray, " n"], grid: RedshiftGrid, *, bands: Any
) -> TrainDistributionModel:
    """Take the distribution of the training redshifts."""
    known = redshift[np.isfinite(redshift)].astype(np.float64)
    known = known[(known >= 0) & (known <= grid.most)]
    if len(known) < FEWEST:
        raise TableError(
            "training galaxies",
            f"have {len(known)} redshifts between 0 and {grid.most:g}, at least {FEWEST} are needed",
            "give more galaxies with redshifts",
        )
    edges = np.log1p(grid.edges)
    # Counted in bins first: one Gaussian a bin and not one a galaxy.
    counts = np.histogram(np.log1p(known), edges)[0]
    width = max(_silverman(np.log1p(known)), 1e-3 * grid.width)
    centres = np.log1p(grid.centres)
    within = np.diff(norm.cdf((edges[:, None] - centres) / width), axis=0)
    smooth = (within / within.sum(axis=0)) @ counts + ANYWHERE / grid.bins
    model = TrainDistributionModel(grid_most=grid.most, grid_bins=grid.bins, bands=bands)
    return eqx.tree_at(lambda one: one.mass, model, jnp.asarray(smooth / smooth.sum(), jnp.float32))


def _silverman(values: Float[np.ndarray, " n"]) -> float:
    low, high = np.percentile(values, [25, 75])
    spread = min(float(np.std(values)), float(high - low) / 1.34) or float(np.std(values))
    return 0.9 * spread * len(values) ** -0.2
