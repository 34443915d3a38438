"""How the flow of `candels` is made: which rows, cut how, dequantised how, trained how."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from nebulium.data.splits import Split
from nebulium.data.tables.table import Table
from nebulium.mock.populations.candels_flow import VARIABLES, CandelsFlow
from nebulium.mock.populations.candels_grid import AGE, AV, LOG_MASS_RANGE, REDSHIFT, TAU
from nebulium.sed.cosmology import age_gyr
from nebulium.training import FitConfig, FitResult, fit

SPLIT_SEED = "nebulium-candels"
MOST_CHI2 = 10.0
LOG_MASS_STEP = 0.01  # the table gives log10 mass in steps of so much
#: Kept rows, by the name of the cut; a galaxy must pass them all.
CUTS = ("measured", "good_fit", "redshift", "mass", "on_grid")
FIT = FitConfig(epochs=40, batch_size=512, learning_rate=2e-3, weight_decay=1e-3, averaging=0.999)
FLOW = {"width": 64, "depth": 2, "knots": 12}

Rows = Float[np.ndarray, "galaxy 5"]


def cuts(table: Table) -> Mapping[str, Bool[np.ndarray, " galaxy"]]:
    """Which rows pass each cut.

    `measured`: none of the five variables is missing (-99 or not finite); a missing star-formation rate is
    none, FAST's way to say that the age is a hundred times tau or more. `good_fit`: chi2 at most 10.
    `redshift`: 0.05 to 6, below which the catalogue piles up at the lower end of EAZY's grid. `mass`: 6 to
    12.5 in log10. `on_grid`: age, tau and A_V lie on FAST's grid and the age within that of the Universe.
    """
    column = {name: np.asarray(table[name], np.float64) for name in (*VARIABLES, "chi2")}
    oldest = np.log10(jax.vmap(age_gyr)(jnp.asarray(column["z"], jnp.float32))) + 9.0
    on_grid = [
        np.abs(column[grid.name] - grid.values()[grid.cell(column[grid.name])]) < 1e-3
        for grid in (AGE, TAU, AV)
    ]
    half = 0.5 * LOG_MASS_STEP
    return {
        "measured": np.all(
            [np.isfinite(column[name]) & (column[name] > -90.0) for name in VARIABLES], axis=0
        ),
        "good_fit": column["chi2"] <= MOST_CHI2,
        "redshift": (column["z"] > REDSHIFT.lowest) & (column["z"] < REDSHIFT.edges()[-1]),
        "mass": (column["lmass"] > LOG_MASS_RANGE[0] + half) & (column["lmass"] < LOG_MASS_RANGE[1] - half),
        "on_grid": np.all(on_grid, axis=0) & (column["lage"] <= oldest + 1e-3),
    }


def split(table: Table) -> np.ndarray:
    """Part of each row: a hash of field and id, as ids repeat from field to field."""
    pairs = zip(table["field"].tolist(), table["id"].tolist(), strict=True)
    return Split(seed=SPLIT_SEED).parts(np.array([f"{field} {number}" for field, number in pairs]))


def rows_of(table: Table) -> Rows:
    """The five variables, in the order in which the flow draws them."""
    return np.stack([np.asarray(table[name], np.float64) for name in VARIABLES], axis=1)


def dequantise(rows: Rows, rng: np.random.Generator) -> Rows:
    """Put each value at random into the cell that is rounded to it; no age beyond that of the Universe."""
    uniform = rng.uniform(size=rows.shape)
    smooth = np.empty_like(rows)
    for place, grid in enumerate((REDSHIFT, AGE, TAU, AV)):
        cell, edges = grid.cell(rows[:, place]), grid.edges()
        lower, upper = edges[cell], edges[cell + 1]
        if grid is AGE:
            upper = np.minimum(upper, _log_oldest(smooth[:, 0]))
        smooth[:, place] = lower + uniform[:, place] * (upper - lower)
    smooth[:, 4] = rows[:, 4] + LOG_MASS_STEP * (uniform[:, 4] - 0.5)
    return smooth


def requantise(rows: Rows) -> Rows:
    """Round each value to the grid of the table."""
    rounded = [
        grid.values()[grid.cell(rows[:, place])] for place, grid in enumerate((REDSHIFT, AGE, TAU, AV))
    ]
    return np.stack([*rounded, LOG_MASS_STEP * np.rint(rows[:, 4] / LOG_MASS_STEP)], axis=1)


def _log_oldest(redshift: np.ndarray) -> np.ndarray:
    ages = jax.vmap(age_gyr)(jnp.asarray(redshift, jnp.float32))
    return np.log10(np.asarray(ages, np.float64)) + 9.0


def with_redshifts(flow: CandelsFlow, redshift: np.ndarray) -> CandelsFlow:
    """The flow with the distribution of redshifts counted from a table.

    Half a galaxy is added to each cell, so that none is impossible.
    """
    counts = np.bincount(REDSHIFT.cell(redshift), minlength=REDSHIFT.size) + 0.5
    shares = jnp.asarray(np.log(counts / counts.sum()), jnp.float32)
    return eqx.tree_at(lambda model: model.conditionals.log_share_z, flow, shares)


def negative_log_density(flow: CandelsFlow, batch: Mapping[str, Array], key: Key[Array, ""]) -> Array:
    """Loss of each galaxy of a batch."""
    return -jax.vmap(flow.log_prob)(batch["rows"])


def train(
    table: Table, *, config: FitConfig = FIT, flow: Mapping[str, int] = FLOW, progress: bool = False
) -> FitResult[CandelsFlow]:
    """Train the flow on the training rows that pass the cuts, choosing the epoch on validation rows."""
    kept = np.all(list(cuts(table).values()), axis=0)
    part, rows = split(table), rows_of(table)
    rng = np.random.default_rng(config.seed)
    data, validation = (
        {"rows": np.asarray(dequantise(rows[kept & (part == name)], rng), np.float32)}
        for name in ("train", "validation")
    )
    start = CandelsFlow(**flow, key=jax.random.key(config.seed))
    start = with_redshifts(start, rows[kept & (part == "train"), 0])
    return fit(
        start, negative_log_density, data, validation=validation, config=config, trainable=_trained(start),
        progress=progress,
    )  # fmt: skip


def _trained(flow: CandelsFlow) -> Any:
    """All but the counted redshifts."""
    mask = jax.tree.map(eqx.is_inexact_array, flow)
    return eqx.tree_at(lambda model: model.conditionals.log_share_z, mask, False)
