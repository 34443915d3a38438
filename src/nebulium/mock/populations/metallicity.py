"""Metallicities of gas and stars, drawn for a galaxy of given mass, star formation and redshift."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from nebulium.mock.populations.relations import (
    OH12_SCATTER_FMR_DEX,
    lgmet_stars_quantile,
    oh12_fundamental,
    oh12_mass,
    oh12_mass_local,
)

Scalar = Float[Array, ""]
#: Farthest from the main sequence, in dex of star-formation rate, that the fundamental relation is followed.
FARTHEST_DEX = 1.0
#: Ends of what the packaged templates cover, log10 of the metal mass fraction.
LGMET_RANGE = (-3.5, -1.3)


def draw_oh12(
    log_mstar: Scalar, log_sfr: Scalar, log_sfr_ridge: Scalar, redshift: Scalar, key: Key[Array, ""]
) -> Scalar:
    """Gas-phase 12 + log10(O/H) of one galaxy.

    On the main sequence the mass-metallicity relation of its redshift (`relations.oh12_mass`: Curti et al.
    2020, Sanders et al. 2021); off it by as much as the fundamental relation (`relations.oh12_fundamental`)
    differs between the galaxy's star-formation rate and that of the ridge; with the scatter about it,
    0.054 dex. Farther than 1 dex from the ridge, where no metallicity is measured, the shift stays.
    """
    offset = jnp.clip(log_sfr - log_sfr_ridge, -FARTHEST_DEX, FARTHEST_DEX)
    on_ridge, off_ridge = (oh12_fundamental(log_mstar, log_sfr_ridge + shift) for shift in (0.0, offset))
    scatter = OH12_SCATTER_FMR_DEX * jax.random.normal(key)
    return oh12_mass(log_mstar, redshift) + off_ridge - on_ridge + scatter


def draw_lgmet(log_mstar: Scalar, redshift: Scalar, key: Key[Array, ""]) -> Scalar:
    """log10 of the metal mass fraction of one galaxy's stars.

    The distribution of Gallazzi et al. 2005 (`relations.lgmet_stars_quantile`) at redshift 0. At others it
    is shifted by as much as the gas-phase relation is: an assumption, made because no relation for stars
    spans these redshifts; at z = 2 and 1e10 Msun it gives -0.5 solar in the logarithm.
    """
    shift = oh12_mass(log_mstar, redshift) - oh12_mass_local(log_mstar)
    local = lgmet_stars_quantile(log_mstar, jax.random.uniform(key, minval=1e-6, maxval=1.0 - 1e-6))
    return jnp.clip(local + shift, *LGMET_RANGE)
