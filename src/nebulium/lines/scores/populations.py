"""Distributions of the measurements of many galaxies, and draws of them.

One compiled function each, in batches of one size; the last batch is filled up with its own last row. A draw
depends on the seed and on the place of the galaxy, not on the batch.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.data.batches import in_batches
from nebulium.lines.likelihood import MeasuredLines
from nebulium.lines.model import LineModel
from nebulium.lines.observed import measured_quantiles, sample_measured

Continua = Float[np.ndarray, "n 12"]
Redshifts = Float[np.ndarray, " n"]
Widths = Float[np.ndarray, "n 10"]

BATCH = 256


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
    galaxies = (single(continuum_flux), single(redshift), single(sigma))
    return in_batches(lambda *rows: _quantiles(model, rows, at), *galaxies, size=BATCH)


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
    key = jax.random.key(seed)
    galaxies = (single(continuum_flux), single(redshift), lines, np.arange(len(redshift)))
    return in_batches(lambda *rows: _measurements(model, rows, key, independent), *galaxies, size=BATCH)


def draw_intrinsic(model: LineModel, continuum_flux: Continua, redshift: Redshifts, *, seed: int) -> Widths:
    """Draw the lines of each galaxy themselves, without noise."""
    key = jax.random.key(seed)
    galaxies = (single(continuum_flux), single(redshift), np.arange(len(redshift)))
    return in_batches(lambda *rows: _intrinsic(model, rows, key), *galaxies, size=BATCH)


def single(values: np.ndarray) -> Float[np.ndarray, "..."]:
    """Single precision."""
    return np.asarray(values, np.float32)


@eqx.filter_jit
def _quantiles(model: LineModel, rows: tuple[Array, Array, Array], levels: Array) -> Array:
    return jax.vmap(lambda c, z, sigma: measured_quantiles(model, c, z, sigma, levels))(*rows)


@eqx.filter_jit
def _measurements(
    model: LineModel, rows: tuple[Array, Array, MeasuredLines, Array], key: Array, independent: bool
) -> Array:
    def one(c: Array, z: Array, lines: MeasuredLines, number: Array) -> Array:
        own_key = jax.random.fold_in(key, number)
        return sample_measured(model, c, z, lines, own_key, independent=independent)

    return jax.vmap(one)(*rows)


@eqx.filter_jit
def _intrinsic(model: LineModel, rows: tuple[Array, Array, Array], key: Array) -> Array:
    def one(c: Array, z: Array, number: Array) -> Array:
        return model.density(c, z).sample(jax.random.fold_in(key, number), 1)[0]

    return jax.vmap(one)(*rows)
