"""Distributions of the measurements of many galaxies, and draws of them.

One compiled function each, in batches of one size; the last batch is filled up with its own last row. A draw
depends on the seed and on the place of the galaxy, not on the batch.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.lines.continuum.line_list import Continua, OfLines, Widths
from nebulium.lines.input import single
from nebulium.lines.likelihood import MeasuredLines
from nebulium.lines.measured_galaxies import MeasuredGalaxies
from nebulium.lines.model import LineModel
from nebulium.lines.observed import measured_quantiles, sample_measured
from nebulium.lines.quantiles import median_ews
from nebulium.nn.mapping import map_galaxies

Redshifts = Float[np.ndarray, " n"]

BATCH = 256
#: Measurements with the noise typical of the continuum, and with that of the row, as the tables name them.
OBSERVED, OBSERVED_IVAR = "observed", "observed, with ivar"


def distributions(
    model: LineModel, galaxies: MeasuredGalaxies, levels: Float[np.ndarray, " level"]
) -> dict[str, Float[np.ndarray, "n level 10"]]:
    """Predicted distributions of the measurements, with the noise of the rows where there is any."""
    errors = {OBSERVED: None, OBSERVED_IVAR: galaxies.sigma_aa}
    if not np.isfinite(galaxies.sigma_aa).any():
        del errors[OBSERVED_IVAR]
    continua = galaxies.continuum_flux, galaxies.redshift
    return {
        name: quantiles_of_measurements(model, *continua, sigma, levels).astype(float)
        for name, sigma in errors.items()
    }


def drawn_populations(model: LineModel, galaxies: MeasuredGalaxies, seed: int) -> dict[str, Widths]:
    """Medians, draws, and draws with noise and selection where the noise is known."""
    continua = galaxies.continuum_flux, galaxies.redshift
    populations = {
        "median": median_ews(model, *continua),
        "sample": draw_intrinsic(model, *continua, seed=seed),
    }
    if np.isfinite(galaxies.sigma_aa).any():
        populations["sample + noise"] = draw_measurements(model, *continua, galaxies.lines, seed=seed)
    return {name: values.astype(float) for name, values in populations.items()}


def quantiles_of_measurements(
    model: LineModel,
    continuum_flux: Continua,
    redshift: Redshifts,
    sigma_aa: Widths | None,
    levels: Sequence[float] | Float[np.ndarray, " level"],
) -> Float[np.ndarray, "n level 10"]:
    """Quantiles of what would be measured of many galaxies, noise and selection included."""
    sigma = np.full((len(redshift), 10), np.nan) if sigma_aa is None else sigma_aa
    at = jnp.asarray(levels, jnp.float32)
    galaxies = single(continuum_flux), single(redshift), single(sigma)
    return map_galaxies(eqx.Partial(measured_quantiles, model, levels=at), *galaxies, batch=BATCH)


def draw_measurements(
    model: LineModel,
    continuum_flux: Continua,
    redshift: Redshifts,
    lines: MeasuredLines,
    *,
    seed: int,
    independent: bool = False,
) -> Widths:
    """Draw a measurement of each galaxy, with its errors and its missing lines."""
    numbers = np.arange(len(redshift))
    galaxies = single(continuum_flux), single(redshift), numbers, *jax.tree.leaves(lines)
    draw = eqx.Partial(_measurement, model, jax.random.key(seed), independent)
    return map_galaxies(draw, *galaxies, batch=BATCH)


def draw_intrinsic(model: LineModel, continuum_flux: Continua, redshift: Redshifts, *, seed: int) -> Widths:
    """Draw the lines of each galaxy themselves, without noise."""
    galaxies = single(continuum_flux), single(redshift), np.arange(len(redshift))
    return map_galaxies(eqx.Partial(_intrinsic, model, jax.random.key(seed)), *galaxies, batch=BATCH)


def _measurement(
    model: LineModel, key: Key[Array, ""], independent: bool, c: Array, z: Array, number: Array, *lines: Array
) -> OfLines:
    own_key = jax.random.fold_in(key, number)
    return sample_measured(model, c, z, MeasuredLines(*lines), own_key, independent=independent)


def _intrinsic(model: LineModel, key: Key[Array, ""], c: Array, z: Array, number: Array) -> OfLines:
    return model.density(c, z).sample(jax.random.fold_in(key, number), 1)[0]
