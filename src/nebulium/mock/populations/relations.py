"""Published relations between the properties of galaxies, each with its source, its scatter and its range.

Masses are surviving masses of a Chabrier initial mass function in Msun, distances those of H0 = 70 and
Om0 = 0.3, metallicities of the gas stand on the scale of electron temperatures (Curti et al. 2017, 2020).
"""

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Array, Float

from nebulium.sed.cosmology import DEFAULT_COSMOLOGY, Cosmology, Scalar, age_gyr

Masses = Float[Array, "..."]

#: log10 of the metal mass fraction of the Sun, as Gallazzi et al. (2005) and the templates have it: 0.02.
SOLAR_LGMET = -1.69897

MAIN_SEQUENCE_SCATTER_DEX = 0.3
RENZINI_PENG_REDSHIFT = 0.05
OH12_SCATTER_FMR_DEX = 0.054
AV_SCATTER_HALPHA_MAG = 0.28
#: Share of the colour excess of the gas that the stars see, and Calzetti's curve at H alpha and V.
STARS_OVER_GAS, K_HALPHA, K_V = 0.44, 3.33, 4.05

# Gallazzi et al. (2005), Table 2: log M*, then median, 16th and 84th percentile of log Z/Zsun.
_GALLAZZI = np.array(
    [
        [8.91, -0.60, -1.11, 0.00],
        [9.11, -0.61, -1.07, 0.00],
        [9.31, -0.65, -1.10, -0.05],
        [9.51, -0.61, -1.03, -0.01],
        [9.72, -0.52, -0.97, 0.05],
        [9.91, -0.41, -0.90, 0.09],
        [10.11, -0.23, -0.80, 0.14],
        [10.31, -0.11, -0.65, 0.17],
        [10.51, -0.01, -0.41, 0.20],
        [10.72, 0.04, -0.24, 0.22],
        [10.91, 0.07, -0.14, 0.24],
        [11.11, 0.10, -0.09, 0.25],
        [11.31, 0.12, -0.06, 0.26],
        [11.51, 0.13, -0.04, 0.28],
        [11.72, 0.14, -0.03, 0.29],
        [11.91, 0.15, -0.03, 0.30],
    ],
    np.float32,
)


def mass_function(log_mstar: Masses) -> Masses:
    """Galaxies a cubic megaparsec and dex of stellar mass.

    Baldry et al. 2012, MNRAS 421, 621, Figure 13: the double Schechter function of GAMA at z < 0.06, with
    log M* = 10.66, 3.96e-3 and 0.79e-3 Mpc-3, slopes -0.35 and -1.47. Holds above 1e8 Msun.
    """
    x = 10.0 ** (log_mstar - 10.66)
    shape = 3.96e-3 * x ** (1.0 - 0.35) + 0.79e-3 * x ** (1.0 - 1.47)
    return np.float32(np.log(10.0)) * shape * jnp.exp(-x)


def quiescent_fraction(log_mstar: Masses) -> Masses:
    """Share of red galaxies.

    Peng et al. 2010, ApJ 721, 193: 1 - exp(-(1 / p1)^p2) exp(-(M / p3)^p4), environment and mass acting
    apart, with their fit to SDSS (log p1 = 1.84, p2 = 0.60, log p3 = 10.56, p4 = 0.80), at the mean density
    of galaxies. Holds for 9 < log M* < 11.5.
    """
    blue_by_density = jnp.exp(-((10.0**-1.84) ** 0.60))
    blue_by_mass = jnp.exp(-((10.0 ** (log_mstar - 10.56)) ** 0.80))
    return 1.0 - blue_by_density * blue_by_mass


def main_sequence_speagle14(log_mstar: Masses, t_obs_gyr: Masses) -> Masses:
    """log10 of the star-formation rate of the main sequence over cosmic time.

    Speagle et al. 2014, ApJS 214, 15, Equation 28: (0.84 - 0.026 t) log M* - (6.51 - 0.11 t) for a Kroupa
    initial mass function, whose masses and rates differ from Chabrier's by 0.03 dex alike; intrinsic scatter
    0.2 dex. Holds for 9.7 < log M* < 11.1 to redshift 6, and less surely below redshift 0.25.
    """
    return (0.84 - 0.026 * t_obs_gyr) * log_mstar - (6.51 - 0.11 * t_obs_gyr)


def main_sequence(log_mstar: Scalar, redshift: Scalar, cosmology: Cosmology = DEFAULT_COSMOLOGY) -> Scalar:
    """log10 of the star-formation rate of the ridge of local star-forming galaxies, for redshifts to 0.2.

    Renzini & Peng 2015, ApJ 801, L29: 0.76 log M* - 7.64 (SDSS, 0.02 < z < 0.085), moved to other
    redshifts by as much as the relation of Speagle et al. (2014) moves. Scatter 0.3 dex. Holds for
    8.5 < log M* < 11.25.
    """
    now, then = age_gyr(redshift, cosmology), age_gyr(RENZINI_PENG_REDSHIFT, cosmology)
    moved = main_sequence_speagle14(log_mstar, now) - main_sequence_speagle14(log_mstar, then)
    return 0.76 * log_mstar - 7.64 + moved


def oh12_mass_local(log_mstar: Masses) -> Masses:
    """12 + log10(O/H) of local star-forming galaxies by mass.

    Curti et al. 2020, MNRAS 491, 944: 8.793 - (0.28 / 1.2) log10(1 + (M / 10^10.02)^-1.2);
    scatter 0.07 dex. On the scale of electron temperatures, about 0.3 dex below Tremonti et al. (2004) for
    massive galaxies. Holds for 8 < log M* < 11.5.
    """
    return 8.793 - 0.28 / 1.2 * jnp.log10(1.0 + 10.0 ** (1.2 * (10.02 - log_mstar)))


def oh12_fundamental(log_mstar: Masses, log_sfr: Masses) -> Masses:
    """12 + log10(O/H) by mass and star-formation rate.

    Curti et al. 2020, MNRAS 491, 944: a turnover mass that grows with the star-formation rate,
    log M0 = 10.11 + 0.56 log SFR, with 8.779, slopes 0.31 and 2.1; scatter 0.054 dex. Holds for 8.5 < log
    M* < 11.5 and
    -1.5 < log SFR < 1.5; beyond these it saturates.
    """
    excess = 10.11 + 0.56 * log_sfr - log_mstar
    # log10(1 + 10^x) that neither overflows nor, in the gradient, turns into NaN.
    softened = jnp.logaddexp(0.0, np.float32(2.1 * np.log(10.0)) * excess) / np.float32(np.log(10.0))
    return 8.779 - 0.31 / 2.1 * softened


def oh12_mass(log_mstar: Masses, redshift: Masses) -> Masses:
    """12 + log10(O/H) of star-forming galaxies by mass and redshift.

    At redshift 0.08 that of Curti et al. 2020 (`oh12_mass_local`); at 2.3 and 3.3 those of Sanders et al.
    2021, ApJ 914, 19: 8.51 + 0.30 (log M* - 10) and 8.41 + 0.29 (log M* - 10), on the
    same scale, measured for about 9 < log M* < 10.5. Between them linear in redshift, constant beyond 3.3,
    and never above the local one.
    """
    local = oh12_mass_local(log_mstar)
    noon = jnp.minimum(8.51 + 0.30 * (log_mstar - 10.0), local)
    early = jnp.minimum(8.41 + 0.29 * (log_mstar - 10.0), noon)
    first = jnp.clip((redshift - 0.08) / (2.3 - 0.08), 0.0, 1.0)
    second = jnp.clip(redshift - 2.3, 0.0, 1.0)
    return local + first * (noon - local) + second * (early - noon)


def lgmet_stars_quantile(log_mstar: Scalar, probability: Scalar) -> Scalar:
    """log10 of the metal mass fraction of the stars of local galaxies, at a quantile of its distribution.

    Gallazzi et al. 2005, MNRAS 362, 41, Table 2: median, 16th and 84th percentile of log Z/Zsun by mass,
    joined as two halves of normal laws, constant beyond its masses (8.91 to 11.91). The widths hold the
    errors of the measurement.
    """
    mass, *curves = (jnp.asarray(column) for column in _GALLAZZI.T)
    median, low, high = (jnp.interp(log_mstar, mass, curve) for curve in curves)
    score = ndtri(probability)
    return SOLAR_LGMET + median + score * jnp.where(score < 0, median - low, high - median)


def av_stars(log_mstar: Masses) -> Masses:
    """Attenuation of the stars of star-forming galaxies in V.

    Garn & Best 2010, MNRAS 409, 421, Equation 5: that of H alpha is 0.91 + 0.77 x + 0.11 x^2 - 0.09 x^3 mag
    with x = log M* - 10, scatter 0.28 mag. Taken to the stars by Calzetti et al. (2000): k(H alpha) = 3.33
    as in that paper, 0.44 of the gas's colour excess, 4.05 in V; 0.535 in all. Holds for 8.66 < log M* <
    11.96; constant beyond.
    """
    x = jnp.clip(log_mstar, 8.66, 11.96) - 10.0
    return av_of_halpha(0.91 + 0.77 * x + 0.11 * x**2 - 0.09 * x**3)


def av_of_halpha(halpha_mag: Masses) -> Masses:
    """Attenuation of the stars in V for that of H alpha, by Calzetti et al. 2000, ApJ 533, 682."""
    return halpha_mag * np.float32(STARS_OVER_GAS * K_V / K_HALPHA)
