"""Levels of the quantiles of measurements, set so that they hold what they say on validation galaxies.

A density that fits well can still be a little too wide in one line and too narrow in another. The share of
validation measurements below each quantile is counted, and the quantile asked for is read at the level that
held that share (Kuleshov et al. 2018, ICML 80, 2796). The intrinsic law is not touched: its truth is unseen.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.lines.likelihood import MeasuredLines
from nebulium.lines.model import KNOTS, LineModel
from nebulium.lines.observed import measured_share_below

BATCH = 256
# With fewer measurements the levels of a line are left as they are: the tails would be guesses.
FEWEST = 1000


def calibrated(
    model: LineModel, continuum_flux: Float[Array, "n 12"], redshift: Float[Array, " n"], lines: MeasuredLines
) -> LineModel:
    """Set the levels of a model's quantiles of measurements."""
    known = jnp.where(lines.present, lines.sigma_aa, jnp.nan)
    levels = [
        _levels(model, continuum_flux, redshift, lines, sigma)
        for sigma in (known, jnp.full_like(known, jnp.nan))
    ]
    return eqx.tree_at(lambda m: m.measured_levels, model, jnp.stack(levels))


def _levels(
    model: LineModel,
    continuum_flux: Float[Array, "n 12"],
    redshift: Float[Array, " n"],
    lines: MeasuredLines,
    sigma_aa: Float[Array, "n 10"],
) -> Float[Array, "10 knot"]:
    """Levels at which the wanted shares of the measurements lie below."""
    below = _shares_below(model, (continuum_flux, redshift, sigma_aa, lines.ew_aa))
    share, present = np.asarray(below), np.asarray(lines.present)
    of_line = [
        np.quantile(share[present[:, line], line], KNOTS) if present[:, line].sum() >= FEWEST else KNOTS
        for line in range(share.shape[1])
    ]
    return jnp.asarray(np.stack(of_line), jnp.float32)


@eqx.filter_jit
def _shares_below(model: LineModel, rows: tuple[Array, ...]) -> Float[Array, "n 10"]:
    """Shares of measurements below those of each galaxy."""
    return jax.lax.map(lambda row: measured_share_below(model, *row), rows, batch_size=BATCH)
