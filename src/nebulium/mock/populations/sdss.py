"""The population `sdss`: the main galaxy sample below redshift 0.2, from published relations."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Bool, Float, Int, Key

from nebulium.mock.populations.metallicity import draw_lgmet, draw_oh12
from nebulium.mock.populations.properties import GalaxyProperties, log_recent_rate, surviving_share
from nebulium.mock.populations.relations import (
    AV_SCATTER_HALPHA_MAG,
    MAIN_SEQUENCE_SCATTER_DEX,
    av_of_halpha,
    av_stars,
    main_sequence,
    mass_function,
    quiescent_fraction,
)
from nebulium.sed.cosmology import Scalar, age_gyr, luminosity_distance_mpc
from nebulium.sed.sfh import Exponential

REDSHIFT_RANGE = (0.01, 0.2)
#: Least and greatest log10 mass: where the mass function is published, and where nothing is left.
LOG_MASS_RANGE = (8.0, 12.3)
#: r-band limit of the main galaxy sample, AB mag (Strauss et al. 2002, AJ 124, 1810).
MAG_LIMIT = 17.77
#: log10 of 10^(log M + 0.4 (m_r - distance modulus)), stellar mass over light in the observed band, below
#: which hardly any star-forming, and any quiescent, galaxy of this population lies. The tests measure it.
LEAST_LOG_MASS_TO_LIGHT = (1.2, 1.9)
#: Quiescent galaxies: mean and scatter of log10 of SFR over mass, 1/yr; scale of the attenuation, mag.
QUIESCENT_LOG_SSFR, QUIESCENT_SCATTER_DEX, QUIESCENT_AV_MAG = -12.0, 0.4, 0.1
#: Onset of star formation, as a share of the age of the Universe.
ONSET_SHARE = (0.5, 0.95)
LOG_TAU_RANGE = (-2.5, 3.0)
_REDSHIFT_NODES, _MASS_NODES = 400, 1000
_BISECTIONS, _ROUNDS = 26, 4


class SdssPopulation(eqx.Module):
    """Galaxies of the nearby Universe bright enough for spectroscopy; make one with `sdss_population`.

    Redshift and mass follow comoving volume and mass function (Baldry et al. 2012) above a mass that
    depends on the redshift and lies so low that next to no galaxy below it is brighter than r = 17.77; the
    selection itself is made later, on the light. Then, each with its published scatter: quiescent or not
    (Peng et al. 2010); the star-formation rate of the main sequence (Renzini & Peng 2015, moved by Speagle
    et al. 2014); A_V (Garn & Best 2010); metallicities (`nebulium.mock.populations.metallicity`). The
    history is the
    exponential one that has this star-formation rate over the last 100 Myr.

    Assumed, for want of a published relation: quiescent galaxies have log10 SFR over mass of -12 with a
    scatter of 0.4 dex, about where their peak is seen though single values are upper limits, and an A_V
    half-normal of scale 0.1 mag; star formation set in evenly between 0.5 and 0.95 of the age of the
    Universe ago, or as lately as a young galaxy's rate demands.

    Parameters
    ----------
    quiescent_share : scalar
        Of the galaxies above the limits in mass.
    redshift : array (node,)
    redshift_level : array (2, node)
        Cumulative distribution of redshift, of star-forming and of quiescent galaxies.
    log_mstar : array (mass,)
    log_density_above : array (2, mass)
        log10 of the galaxies per Mpc3 above each mass, of both types.
    """

    quiescent_share: Scalar
    redshift: Float[Array, " node"]
    redshift_level: Float[Array, "2 node"]
    log_mstar: Float[Array, " mass"]
    log_density_above: Float[Array, "2 mass"]

    def draw(self, key: Key[Array, ""]) -> GalaxyProperties:
        """One galaxy."""
        keys = jax.random.split(key, 7)
        quiescent = jax.random.uniform(keys[0]) < self.quiescent_share
        redshift, log_mstar = self._redshift_and_mass(quiescent, keys[1])
        ridge = main_sequence(log_mstar, redshift)
        log_sfr = _draw_log_sfr(log_mstar, ridge, quiescent, keys[2])
        history = history_of_rate(log_sfr - log_mstar, age_gyr(redshift), jax.random.uniform(keys[3]))
        return GalaxyProperties(
            redshift=redshift,
            log_mstar=log_mstar,
            age_gyr=history.age_gyr,
            tau_gyr=history.tau_gyr,
            av_mag=_draw_av(log_mstar, quiescent, keys[4]),
            oh12=draw_oh12(log_mstar, log_sfr, ridge, redshift, keys[5]),
            lgmet=draw_lgmet(log_mstar, redshift, keys[6]),
        )

    def _redshift_and_mass(self, quiescent: Bool[Array, ""], key: Key[Array, ""]) -> tuple[Scalar, Scalar]:
        kind = quiescent.astype(jnp.int32)
        level, share = jax.random.uniform(key, (2,))
        redshift = jnp.interp(level, self.redshift_level[kind], self.redshift)
        density = self.log_density_above[kind]
        above = jnp.interp(least_log_mass(redshift, quiescent), self.log_mstar, density)
        # Never the empty end of the mass function, where the logarithm has none.
        wanted = above + jnp.log10(jnp.maximum(share, 1e-6))
        return redshift, jnp.interp(-wanted, -density, self.log_mstar)


def sdss_population() -> SdssPopulation:
    """The population with its tables of volume and mass."""
    redshift = jnp.linspace(*REDSHIFT_RANGE, _REDSHIFT_NODES)
    log_mstar = jnp.linspace(*LOG_MASS_RANGE, _MASS_NODES)
    density, red = mass_function(log_mstar), quiescent_fraction(log_mstar)
    above = [_integral_above(log_mstar, density * share) for share in (1.0 - red, red)]
    counts = [
        _counts_below(redshift, log_mstar, number, quiescent=kind == 1) for kind, number in enumerate(above)
    ]
    totals = [count[-1] for count in counts]
    return SdssPopulation(
        quiescent_share=jnp.asarray(totals[1] / sum(totals), jnp.float32),
        redshift=redshift,
        redshift_level=jnp.asarray([count / count[-1] for count in counts], jnp.float32),
        log_mstar=log_mstar,
        log_density_above=jnp.asarray(np.log10(np.maximum(above, 1e-30)), jnp.float32),
    )


def _integral_above(log_mstar: Array, density: Array) -> np.ndarray:
    """Integral of a density from each node to the last, in double precision."""
    values = np.asarray(density, np.float64)
    cells = 0.5 * (values[1:] + values[:-1]) * np.diff(np.asarray(log_mstar, np.float64))
    return np.append(np.cumsum(cells[::-1])[::-1], 0.1 * cells[-1])


def _counts_below(redshift: Array, log_mstar: Array, above: np.ndarray, *, quiescent: bool) -> np.ndarray:
    """Galaxies above the limit in mass nearer than each redshift, up to a constant."""
    z = np.asarray(redshift, np.float64)
    comoving = np.asarray(jax.vmap(luminosity_distance_mpc)(redshift), np.float64) / (1.0 + z)
    kind = jnp.asarray(quiescent)
    limits = np.asarray(jax.vmap(lambda one: least_log_mass(one, kind))(redshift))
    number = np.interp(0.5 * (limits[1:] + limits[:-1]), np.asarray(log_mstar), above)
    return np.append(0.0, np.cumsum(np.diff(comoving**3) * number))


def least_log_mass(redshift: Scalar, quiescent: Bool[Array, ""]) -> Scalar:
    """log10 of the mass below which hardly any galaxy is as bright as the survey's limit."""
    modulus = 5.0 * jnp.log10(luminosity_distance_mpc(redshift)) + 25.0
    ratio = jnp.where(quiescent, LEAST_LOG_MASS_TO_LIGHT[1], LEAST_LOG_MASS_TO_LIGHT[0])
    return jnp.maximum(ratio + 0.4 * (modulus - MAG_LIMIT), LOG_MASS_RANGE[0])


def history_of_rate(log_ssfr: Scalar, t_obs_gyr: Scalar, onset: Scalar) -> Exponential:
    """The exponential history with a given star-formation rate over surviving mass."""
    share = ONSET_SHARE[0] + onset * (ONSET_SHARE[1] - ONSET_SHARE[0])
    # A constant rate over 1 / SSFR forms more than the mass there is, as some of it is lost again.
    age = jnp.minimum(share * t_obs_gyr, 10.0 ** (-log_ssfr - 9.0))
    survives = jnp.full_like(age, 0.6)
    history = Exponential(age, age)
    for _ in range(_ROUNDS):
        history = Exponential(age, _tau_of_rate(log_ssfr + jnp.log10(survives), age, t_obs_gyr))
        survives = surviving_share(history, t_obs_gyr)
    return history


def _tau_of_rate(log_rate: Scalar, age: Scalar, t_obs_gyr: Scalar) -> Scalar:
    """Bisect the logarithm of tau for a rate over the mass formed, which grows with tau."""

    def halve(_: Int[Array, ""], ends: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
        low, high = ends
        middle = 0.5 * (low + high)
        too_much = log_recent_rate(Exponential(age, 10.0**middle), t_obs_gyr) > log_rate
        return jnp.where(too_much, low, middle), jnp.where(too_much, middle, high)

    ends = tuple(jnp.full_like(age, end) for end in LOG_TAU_RANGE)
    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, ends)
    return 10.0 ** (0.5 * (low + high))


def _draw_log_sfr(
    log_mstar: Scalar, ridge: Scalar, quiescent: Bool[Array, ""], key: Key[Array, ""]
) -> Scalar:
    # Both within four standard deviations: no rate that a history of some 100 Myr cannot have.
    score = jax.random.truncated_normal(key, -4.0, 4.0)
    low = log_mstar + QUIESCENT_LOG_SSFR + QUIESCENT_SCATTER_DEX * score
    return jnp.where(quiescent, low, ridge + MAIN_SEQUENCE_SCATTER_DEX * score)


def _draw_av(log_mstar: Scalar, quiescent: Bool[Array, ""], key: Key[Array, ""]) -> Scalar:
    """Normal laws cut off at no dust."""
    mean = jnp.where(quiescent, 0.0, av_stars(log_mstar))
    scatter = jnp.where(quiescent, QUIESCENT_AV_MAG, av_of_halpha(jnp.asarray(AV_SCATTER_HALPHA_MAG)))
    clear = ndtr(-mean / scatter)
    score = ndtri(jnp.clip(clear + (1.0 - clear) * jax.random.uniform(key), 1e-6, 1.0 - 1e-6))
    return jnp.maximum(mean + scatter * score, 0.0)
