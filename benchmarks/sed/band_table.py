"""Band tables beside the exact chain: largest difference in magnitude, time of a draw, time to build."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.results import CHECK_COLUMNS, Check, Result, Target
from benchmarks.sed.chain_cost import BANDS
from benchmarks.settings import Settings
from benchmarks.timing import median_seconds
from nebulium.sed import (
    CalzettiDust,
    DelayedExponential,
    Filters,
    Galaxy,
    SSPGrid,
    age_gyr,
    igm_transmission,
    load_filters,
    load_ssp,
    make_band_table,
    make_redshift_table,
    observe,
    photometry,
    resolve_lyman_steps,
    rest_spectrum,
)
from nebulium.sed.igm import LYMAN_LIMIT_AA

DRAWS, CHAIN_BATCH, TABLE_BATCH = 1500, 250, 128
AT_REDSHIFTS = (0.02, 0.1, 0.35)
#: Parts of the flux in a galaxy's brightest band below which bands are told apart.
SHARES = (0.01, 0.001)


@dataclass(frozen=True)
class Range:
    """Bands, their redshifts, and how many components their table has."""

    name: str
    bands: tuple[str, ...]
    redshifts: tuple[float, float]
    components: int
    igm: bool

    @property
    def ssp(self) -> SSPGrid:
        """Templates, without ionising light where hydrogen between the galaxies counts."""
        ssp = load_ssp()
        if not self.igm:
            return ssp
        ssp = resolve_lyman_steps(ssp)
        passes = (ssp.wave_aa > LYMAN_LIMIT_AA).astype(ssp.flux.dtype)
        return eqx.tree_at(lambda grid: grid.flux, ssp, ssp.flux * passes[None, None, :])


RANGES = (
    Range("SDSS", BANDS, (0.02, 0.4), 64, igm=False),
    Range(
        "CANDELS", ("acs_wfc_f606w", "acs_wfc_f814w", "wfc3_ir_f125w", "wfc3_ir_f160w"), (0.1, 6.0), 160, True
    ),
)


def measure(settings: Settings) -> list[Result]:
    """Differences and times of both tables."""
    rows = [*_fixed_redshift(settings.repeats)]
    for one in RANGES:
        rows += _any_redshift(one, settings.repeats)
    return [
        Result(
            "sed/band_table",
            "Band tables beside the chain",
            f"{DRAWS:,} galaxies with delayed histories of all ages, A_V from 0 to 4 and metallicities "
            "within those of the templates, float32, against `rest_spectrum`, `observe` and `photometry` "
            f"of the same. SDSS: ugriz, at redshifts {', '.join(map(str, AT_REDSHIFTS))}, or 0.02 to "
            "0.4 with 64 components; CANDELS: F606W, F814W, F125W and F160W, 0.1 to 6 with 160 components, "
            "intergalactic hydrogen included. A draw is history, weights and fluxes; functions take turns, "
            "medians.",
            CHECK_COLUMNS,
            [row if isinstance(row, list) else row.row for row in rows],
        )
    ]


def random_draws(redshift: np.ndarray) -> Galaxy:
    """Galaxies of all kinds at these redshifts."""
    rng, n = np.random.default_rng(0), redshift.size
    oldest = np.asarray(jax.vmap(age_gyr)(jnp.asarray(redshift, jnp.float32)))
    return jax.tree.map(
        partial(jnp.asarray, dtype=jnp.float32),
        Galaxy(
            DelayedExponential(oldest * 10.0 ** rng.uniform(-1.0, 0.0, n), 10.0 ** rng.uniform(-1.5, 1.0, n)),
            log_mstar=rng.uniform(9.0, 11.0, n),
            redshift=redshift,
            lgmet=rng.uniform(-2.5, -1.4, n),
            lgmet_scatter=rng.uniform(0.1, 0.3, n),
            dust=CalzettiDust(rng.uniform(0.0, 4.0, n)),
        ),
    )


def _exact(ssp: SSPGrid, filters: Filters, igm: bool, galaxy: Galaxy) -> jax.Array:
    rest = rest_spectrum(galaxy, ssp)
    seen = observe(rest.wave_rest_aa, rest.lum_lsun_hz, galaxy.redshift)
    through = igm_transmission(seen.wave_aa, galaxy.redshift) if igm else 1.0
    return photometry(seen.wave_aa, seen.flux_lambda * through, filters).flux_njy


def _in_batches(function: Callable[[Galaxy], jax.Array], size: int) -> Callable[[Galaxy], jax.Array]:
    return jax.jit(lambda galaxies: jax.lax.map(function, galaxies, batch_size=size))


def _of_table(table: Any, galaxy: Galaxy, *redshift: jax.Array) -> jax.Array:
    """Fluxes by a table of one redshift, or by one of a range where the redshift is given."""
    return table.photometry(
        galaxy.history,
        galaxy.log_mstar,
        *redshift,
        av_mag=galaxy.dust.av_mag,
        lgmet=galaxy.lgmet,
        lgmet_scatter=galaxy.lgmet_scatter,
    ).flux_njy


def _fixed_redshift(repeats: int) -> list[Check | list[Any]]:
    ssp, filters = load_ssp(), load_filters(*BANDS)
    exact = _in_batches(partial(_exact, ssp, filters, False), CHAIN_BATCH)
    by_table = eqx.filter_jit(jax.vmap(_of_table, (None, 0)))
    differences = []
    for redshift in AT_REDSHIFTS:
        galaxies, table = random_draws(np.full(DRAWS, redshift)), make_band_table(ssp, filters, redshift)
        differences.append(_difference(by_table(table, galaxies), exact(galaxies)).max())
    seconds = median_seconds(
        {
            "build": lambda: jax.block_until_ready(make_band_table(ssp, filters, 0.1)),
            "table": lambda: jax.block_until_ready(by_table(table, galaxies)),
            "chain": lambda: jax.block_until_ready(exact(galaxies)),
        },
        repeats,
    )
    draw = 1e6 * seconds["table"] / DRAWS
    return [
        Check("SDSS, one redshift: largest difference / mag", max(differences), Target(most=1e-4), ".1e"),
        Check("a draw / µs", draw, Target(most=5.0)),
        ["a draw by the chain / µs", 1e6 * seconds["chain"] / DRAWS, ""],
        Check("chain over table", seconds["chain"] / seconds["table"], Target(least=10.0)),
        Check("to build the table / ms", 1e3 * seconds["build"], Target(most=10.0)),
    ]


def _any_redshift(one: Range, repeats: int) -> list[Check | list[Any]]:
    ssp, filters = one.ssp, load_filters(*one.bands)
    low, high = np.log1p(one.redshifts)
    galaxies = random_draws(np.expm1(np.random.default_rng(1).uniform(low, high, DRAWS)))
    make = partial(make_redshift_table, ssp, filters, one.redshifts, components=one.components, igm=one.igm)
    table = make()
    exact = _in_batches(partial(_exact, ssp, filters, one.igm), CHAIN_BATCH)
    by_table = _in_batches(lambda galaxy: _of_table(table, galaxy, galaxy.redshift), TABLE_BATCH)
    expected = np.asarray(exact(galaxies))
    difference, share = (
        _difference(by_table(galaxies), expected),
        expected / expected.max(axis=1, keepdims=True),
    )
    seconds = median_seconds(
        {
            "table": lambda: jax.block_until_ready(by_table(galaxies)),
            "chain": lambda: jax.block_until_ready(exact(galaxies)),
        },
        repeats,
    )
    build = median_seconds({"build": lambda: jax.block_until_ready(make())}, 1)["build"]
    name = f"{one.name}, any redshift"
    most = (Target(most=1e-4), Target(most=3e-4))
    return [
        *(
            Check(
                f"{name}: largest difference, bands above {100 * least:g} % of the brightest / mag",
                difference[share > least].max(),
                target,
                ".1e",
            )
            for least, target in zip(SHARES, most, strict=True)
        ),
        [f"{name}: largest difference of any band / mag", np.nanmax(difference), ""],
        ["a draw / µs", 1e6 * seconds["table"] / DRAWS, ""],
        Check("chain over table", seconds["chain"] / seconds["table"], Target(least=3.0)),
        ["nodes in redshift", table.flux.shape[0], ""],
        ["memory / MB", table.flux.nbytes / 1e6, ""],
        ["to build the table / s", build, ""],
    ]


def _difference(found: jax.Array, expected: jax.Array) -> np.ndarray:
    """Difference in magnitudes; NaN where there is no light."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.abs(2.5 * np.log10(np.asarray(found, np.float64) / np.asarray(expected, np.float64)))
