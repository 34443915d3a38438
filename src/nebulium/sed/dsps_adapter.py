"""The one place where DSPS is called.

DSPS (Hearin et al. 2023, MNRAS 521, 1741) switches jax to 64 bit when imported. It is imported late, the
switch is put back, and its functions then work in whichever precision jax is set to.

What is taken from DSPS: weights of metallicity, attenuation curves, surviving mass. Its age weights are
not: they are differences of 10**log10(mass formed), which float32 holds to 2e-6 of the total, so that the
young stars of a quiescent galaxy are noise (5 % of its light near 2500 AA and 40 % further to the blue, in
one example), and they leave out stars younger than the first bin. `nebulium.sed.sfh` integrates histories
over the age bins in closed form; in 64 bits the two agree to a tenth of a per cent.
"""

from functools import cache
from typing import Any

import jax
from jaxtyping import Array, Float

from nebulium.errors import from_extra
from nebulium.sed.cosmology import Scalar


@cache
def _dsps() -> Any:
    """Import DSPS, leaving jax's configuration as it was."""
    use_64_bit = jax.config.read("jax_enable_x64")
    try:
        # DSPS computes an array while it is imported; inside somebody's jit that would leak a tracer.
        with from_extra("dsps", "sed"), jax.ensure_compile_time_eval():
            import dsps.dust.att_curves
            import dsps.imf.surviving_mstar
            import dsps.sed.metallicity_weights
    finally:
        jax.config.update("jax_enable_x64", use_64_bit)
    return dsps


def metallicity_weights(
    lgmet: Scalar, lgmet_scatter: Scalar, grid_lgmet: Float[Array, " met"]
) -> Float[Array, " met"]:
    """Share of each metallicity of the grid in a lognormal distribution."""
    weights = _dsps().sed.metallicity_weights.calc_lgmet_weights_from_lognormal_mdf
    return weights(lgmet, lgmet_scatter, grid_lgmet).astype(grid_lgmet.dtype)


def calzetti_k(wave_micron: Float[Array, " wave"]) -> Float[Array, " wave"]:
    """Curve of Calzetti et al. (2000, ApJ 533, 682), A(wave) 4.05 / A_V; negative beyond 2.2 micron."""
    return _dsps().dust.att_curves.calzetti00_k_lambda(wave_micron)


def noll_k(wave_micron: Float[Array, " wave"], bump: Scalar, slope: Scalar) -> Float[Array, " wave"]:
    """Noll et al. (2009, A&A 507, 1793): Calzetti's curve plus a bump at 2175 AA, both tilted."""
    return _dsps().dust.att_curves.noll09_k_lambda(wave_micron, bump, slope)


def salim_k(wave_micron: Float[Array, " wave"], bump: Scalar, slope: Scalar) -> Float[Array, " wave"]:
    """Salim et al. (2018, ApJ 859, 11): Calzetti's curve tilted, plus a bump at 2175 AA that is not."""
    return _dsps().dust.att_curves.sbl18_k_lambda(wave_micron, bump, slope)


def surviving_fraction(lg_age_gyr: Float[Array, " age"]) -> Float[Array, " age"]:
    """Share of the mass of coeval stars still in stars and remnants (Chabrier initial mass function)."""
    return _dsps().imf.surviving_mstar.surviving_mstar(lg_age_gyr + 9.0)
