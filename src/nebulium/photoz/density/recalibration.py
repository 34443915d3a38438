"""Densities that hold what they say: their distribution functions set right on galaxies never trained on.

If a share g(u) of validation galaxies has its true redshift below the u-quantile of its density, then g(F(z))
is a distribution function that would have been calibrated on them (Bordoloi et al. 2010, MNRAS 406, 881;
Kuleshov et al. 2018, ICML 80, 2796). It corrects densities that are too wide, too narrow or shifted on
average; it does not know which galaxies, and cannot put probability where a density has none.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32
from scipy.interpolate import PchipInterpolator

from nebulium.nn.mapping import map_galaxies
from nebulium.photoz.density.densities import RedshiftDensities

# Where g is held: densest at the ends, since the tails of densities are what goes wrong.
PLACES: Float32[np.ndarray, " place"] = np.sin(np.linspace(0, np.pi / 2, 129)).astype(np.float32) ** 2
#: Shares at which it is measured; few, so that the noise of the PIT values does not become steps of p(z).
LEVELS: Float[np.ndarray, " level"] = np.concatenate(
    [[0.0, 0.01, 0.025, 0.05], np.linspace(0.1, 0.9, 9), [0.95, 0.975, 0.99, 1.0]]
)
#: Galaxies with uniform PIT values that are added: a small validation set moves little.
PRIOR_GALAXIES = 50
#: With fewer galaxies the densities are left as they are.
FEWEST = 100
# Share of the identity that is mixed in, so that g has no jump where many PIT values are 0 or 1.
IDENTITY = 1e-3


class Recalibration(eqx.Module):
    """A map of distribution functions, from what a model says to what held on validation galaxies.

    Attributes
    ----------
    share : (129,) float32
        g at `PLACES`; the identity at first. See `measure_recalibration`.

    Examples
    --------
    >>> Recalibration()(jnp.array([0.25, 0.75])).tolist()
    [0.25, 0.75]
    """

    share: Float[Array, " place"]

    def __init__(self) -> None:
        self.share = jnp.asarray(PLACES)

    def __call__(self, mass: Float[Array, " bin"]) -> Float[Array, " bin"]:
        """Probabilities of the bins, recalibrated, of one galaxy."""
        # As a change of what is there: the identity leaves even the smallest probabilities as they are.
        below = jnp.concatenate([jnp.zeros(1, mass.dtype), jnp.cumsum(mass)])
        change = jnp.interp(below, jnp.asarray(PLACES), self.share - PLACES)
        changed = jnp.maximum(mass + jnp.diff(change), 0.0)
        return changed / jnp.sum(changed)

    def of_pit(self, pit: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """What PIT values become, within the width of a bin; NaN stays NaN."""
        return np.interp(pit, PLACES.astype(np.float64), np.asarray(self.share, np.float64))


def with_recalibration(model: Any, pit: Float[np.ndarray, " n"]) -> Any:
    """The model with its densities set right, from the PIT values of n galaxies held out of its training."""
    return eqx.tree_at(lambda one: one.recalibration, model, measure_recalibration(pit))


def measure_recalibration(pit: Float[np.ndarray, " n"]) -> Recalibration:
    """Set up the map from validation galaxies.

    Parameters
    ----------
    pit : ndarray of shape (n,)
        Probability that the model, not yet recalibrated, puts below the true redshift of each galaxy: see
        `nebulium.photoz.density.densities.RedshiftDensities.cdf`. NaN where there is no true redshift. The
        galaxies
        must be like those to come: a recalibration on bright galaxies holds for bright galaxies.

    Returns
    -------
    Recalibration
        Through 15 quantiles of the PIT values, monotonic and smooth in between; the identity with fewer than
        100 galaxies.

    Raises
    ------
    ValueError
        If a value is no probability.

    Examples
    --------
    >>> narrow = np.random.default_rng(0).beta(0.5, 0.5, 5000)  # PIT values of densities that are too narrow
    >>> recalibration = measure_recalibration(narrow)
    >>> recalibration.of_pit(np.quantile(narrow, [0.16, 0.5, 0.84])).round(2).tolist()
    [0.16, 0.5, 0.84]
    """
    pit = pit[~np.isnan(pit)]
    if np.any((pit < 0) | (pit > 1)):
        raise ValueError(f"PIT values lie between 0 and 1, got {pit.min()} to {pit.max()}")
    recalibration = Recalibration()
    if len(pit) < FEWEST:
        return recalibration
    uniform = (np.arange(PRIOR_GALAXIES) + 0.5) / PRIOR_GALAXIES
    found = np.quantile(np.concatenate([pit.astype(np.float64), uniform]), LEVELS)
    found[0], found[-1] = 0.0, 1.0
    share = PchipInterpolator((1 - IDENTITY) * found + IDENTITY * LEVELS, LEVELS)(PLACES)
    return eqx.tree_at(lambda one: one.share, recalibration, jnp.asarray(share, jnp.float32))


def recalibrated(densities: RedshiftDensities, recalibration: Recalibration) -> RedshiftDensities:
    """Densities of many galaxies, recalibrated.

    Parameters
    ----------
    densities : RedshiftDensities
    recalibration : Recalibration

    Returns
    -------
    RedshiftDensities

    Examples
    --------
    >>> from nebulium.photoz.density.grid import RedshiftGrid
    >>> same = RedshiftDensities(RedshiftGrid(1.0, 2), np.array([[0.25, 0.75]], np.float32))
    >>> recalibrated(same, Recalibration()).mass.tolist()
    [[0.25, 0.75]]
    """
    return RedshiftDensities(densities.grid, map_galaxies(recalibration, densities.mass))
