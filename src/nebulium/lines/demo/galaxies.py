"""A population of synthetic galaxies to show the lines on: varied, and about as bright as DESI's."""

import jax.numpy as jnp
import numpy as np

from nebulium.sed import Burst, DelayedExponential, Galaxy, SalimDust, TwoComponents

REDSHIFTS = (0.06, 0.3)
#: log10 of the light in a fibre over that of the whole galaxy: a typical value for DESI's fibres of 1.5
#: arcsec and nearby galaxies, here the same for all.
LOG_APERTURE = -0.4


def demo_galaxies(n: int, *, seed: int = 0) -> Galaxy:
    """Draw galaxies from blue and dwarfish to red and massive.

    Masses rise with redshift as in a flux-limited survey. The share of galaxies that are past their star
    formation rises with mass, metallicity too; the others have more dust and recent bursts. No law here is
    fitted to anything: it is a set of continua, like those of a survey, to put lines on.
    """
    drawn = {name: jnp.asarray(values, jnp.float32) for name, values in _parameters(n, seed).items()}
    ones = jnp.ones(n, jnp.float32)
    history = TwoComponents(
        DelayedExponential(drawn["age_gyr"], drawn["tau_gyr"]),
        Burst(drawn["burst_age_gyr"], 0.15 * ones),
        drawn["burst_share"],
    )
    return Galaxy(
        history,
        log_mstar=drawn["log_mstar"],
        redshift=drawn["redshift"],
        lgmet=drawn["lgmet"],
        lgmet_scatter=0.2 * ones,
        dust=SalimDust(drawn["av_mag"], drawn["slope"], ones),
    )


def _parameters(n: int, seed: int) -> dict[str, np.ndarray]:
    """Arrays (n,) of the parameters of the galaxies."""
    rng = np.random.default_rng(seed)
    redshift = rng.uniform(*REDSHIFTS, n)
    log_mstar = 10.0 + 1.8 * np.log10(redshift / 0.125) + rng.normal(0.0, 0.42, n)
    passive = rng.uniform(size=n) < 1.0 / (1.0 + np.exp(-3.0 * (log_mstar - 10.5)))
    log_share = np.where(passive, rng.uniform(-5.0, -3.5, n), rng.normal(-2.6, 0.5, n))
    return {
        "redshift": redshift,
        "log_mstar": log_mstar,
        "age_gyr": rng.uniform(6.0, 11.0, n),
        "tau_gyr": np.where(passive, rng.uniform(0.5, 1.6, n), rng.uniform(2.0, 8.0, n)),
        "burst_age_gyr": 10.0 ** rng.uniform(-2.0, 0.0, n),
        "burst_share": 10.0 ** log_share.clip(-5.0, -1.0),
        "lgmet": (-1.85 + 0.35 * (log_mstar - 10.3) + rng.normal(0.0, 0.12, n)).clip(-2.6, -1.4),
        "av_mag": np.abs(rng.normal(np.where(passive, 0.1, 0.4), 0.2)).clip(0.0, 1.5),
        "slope": rng.uniform(-0.6, 0.1, n),
    }
