"""Cost of emission lines on top of stars: DSPS alone, the stars of nebulium, and the chain with lines.

Everything is jitted, in batches of one size, on the same galaxies and template grid; runs take turns, and the
fastest of each counts.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nebulium.lines.chain import LineChain
from nebulium.sed import DelayedExponential, Galaxy, SalimDust, SSPGrid, age_gyr
from nebulium.sed.filters import FilterCurve

BANDS = ("sdss_u0", "sdss_g0", "sdss_r0", "sdss_i0", "sdss_z0")
BATCH, N_TIMES = 500, 100


def random_galaxies(n: int) -> Galaxy:
    """Galaxies of all kinds."""
    rng = np.random.default_rng(0)
    return Galaxy(
        DelayedExponential(rng.uniform(1, 12, n), rng.uniform(0.3, 5, n)),
        log_mstar=rng.uniform(9, 11, n),
        redshift=rng.uniform(0.01, 0.3, n),
        lgmet=rng.uniform(-2.5, -1.5, n),
        lgmet_scatter=np.full(n, 0.2),
        dust=SalimDust(rng.uniform(0, 1, n), np.full(n, -0.3), np.full(n, 1.0)),
    )


def dsps_alone(ssp: SSPGrid, curves: list[FilterCurve]) -> Callable[[Galaxy], Any]:
    """Spectrum and magnitudes by DSPS's own functions, in float32."""
    import dsps
    from dsps.dust.att_curves import sbl18_k_lambda

    jax.config.update("jax_enable_x64", False)
    tables = [(jnp.asarray(c.wave_aa, jnp.float32), jnp.asarray(c.transmission, jnp.float32)) for c in curves]

    def synthesise(galaxy: Galaxy) -> Any:
        t_obs = age_gyr(galaxy.redshift)
        t = jnp.linspace(0.05, 1.0, N_TIMES) * t_obs
        since = jnp.clip(t - (t_obs - galaxy.history.age_gyr), 0.0)
        sfr = since * jnp.exp(-since / galaxy.history.tau_gyr)
        rest = dsps.calc_rest_sed_sfh_table_lognormal_mdf(
            t, sfr, galaxy.lgmet, galaxy.lgmet_scatter, ssp.lgmet, ssp.lg_age_gyr, ssp.flux, t_obs
        ).rest_sed
        k = sbl18_k_lambda(ssp.wave_aa / 1e4, galaxy.dust.bump, galaxy.dust.slope)
        dimmed = rest * 10.0 ** (-0.4 * galaxy.dust.av_mag * k / 4.05)
        magnitudes = [
            dsps.calc_obs_mag(ssp.wave_aa, dimmed, wave, curve, galaxy.redshift, 0.3, -1.0, 0.0, 0.7)
            for wave, curve in tables
        ]
        return dimmed, jnp.stack(magnitudes)

    return synthesise


def contestants(chain: LineChain, curves: list[FilterCurve]) -> dict[str, Callable[[Galaxy], Any]]:
    """What is timed; each gives a spectrum and five magnitudes."""
    return {
        "dsps_without_lines": dsps_alone(chain.ssp, curves),
        "stars_without_lines": chain.stars,
        "chain_with_lines": lambda galaxy: chain(galaxy, log_aperture=-0.3),
    }


def fastest(
    functions: dict[str, Callable[[Galaxy], Any]], galaxies: Galaxy, repeats: int
) -> dict[str, float]:
    """Microseconds a galaxy, of the fastest run of each."""
    n = galaxies.redshift.size
    batches = [jax.tree.map(lambda leaf, i=i: leaf[i : i + BATCH], galaxies) for i in range(0, n, BATCH)]
    compiled = {name: jax.jit(jax.vmap(function)) for name, function in functions.items()}
    for function in compiled.values():
        jax.block_until_ready(function(batches[0]))
    best = dict.fromkeys(compiled, np.inf)
    for _ in range(repeats):
        for name, function in compiled.items():
            start = time.perf_counter()
            for batch in batches:
                jax.block_until_ready(function(batch))
            best[name] = min(best[name], (time.perf_counter() - start) / n * 1e6)
    return best
