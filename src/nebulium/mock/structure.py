"""The structure of a galaxy: bulge, disc, inclination, arms and clumps, from its properties.

The whole galaxy's half-light radius follows the published relation of size with mass, redshift and type. How
that light divides between bulge, old disc and young disc, and the arms and clumps of the young stars, follow
trends that are known in sense and rough size only; they are stated where they are set.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammainc, ndtr
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, UInt32

from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.populations.relations import av_stars, oh12_mass
from nebulium.mock.populations.size_relations import (
    local_weight,
    shen_2003,
    shen_2003_scatter,
    van_der_wel_2014,
    van_der_wel_2014_scatter,
)
from nebulium.sed.cosmology import Scalar, age_gyr

SERSIC_INDICES = tuple(float(n) for n in np.arange(1.0, 6.01, 0.5))  # the renderer tabulates each once
QUIESCENT_PER_AGE = 0.2  # Pacifici et al. 2016, ApJ 832, 79: quiescent below 0.2 over the age of the Universe
# Circular half-light radius over that along the major axis, median over viewing angles: measured on the
# galaxies of this module, late and early.
_CIRCULAR_OVER_MAJOR_LATE, _CIRCULAR_OVER_MAJOR_EARLY = 0.75, 0.82
_DUST_INCLINATION = 0.45  # rank correlation, nearly, of attenuation and inclination of discs
_AV_SPREAD_MAG = 0.3  # of the attenuation about that typical of the mass
# Light per mass over that of the old disc, at 5000 AA in the rest frame, by log10 of the specific
# star-formation rate: of stars below 100 Myr, and of the bulge. Medians of what `nebulium.mock.light` makes.
_LOG_SSFR = np.array([-11.5, -10.5, -10.0, -9.5, -9.0, -8.5], np.float32)
_YOUNG_OVER_DISC_LIGHT = np.array([40.0, 40.0, 27.0, 11.5, 6.5, 4.9], np.float32)
_BULGE_OVER_DISC_LIGHT = np.array([0.8, 0.4, 0.4, 0.4, 0.62, 1.1], np.float32)
# Of the curve of growth, in half-light radii of the disc.
_LOG_RADII = np.linspace(-2.0, 1.6, 181, dtype=np.float32)


class Structure(eqx.Module):
    """The structure of one galaxy, or of many in arrays (n,).

    Parameters
    ----------
    bulge_share : scalar
        Share of the stellar mass in the bulge.
    bulge_re_kpc : scalar
        Half-light radius of the bulge along its major axis, kpc.
    bulge_sersic_n : scalar
        Sersic index, one of `SERSIC_INDICES`.
    bulge_axis_ratio : scalar
        Minor over major axis as seen.
    disc_re_kpc : scalar
        Half-light radius of the old disc, seen face on, kpc.
    cos_inclination : scalar
        1 face on, 0 edge on.
    disc_thickness : scalar
        Scale height (sech^2) over scale length.
    position_angle_rad : scalar
        Of the major axis, from the x axis towards y, 0 to pi.
    young_re_kpc : scalar
        Half-light radius of the stars younger than 100 Myr, kpc.
    clump_share : scalar
        Share of the young light in clumps.
    n_clumps : int scalar
        Number of clumps.
    clump_fwhm_kpc : scalar
        Full width at half maximum of a clump, kpc.
    arm_contrast : scalar
        Share of the young light outside clumps that lies in spiral arms; the old disc has a third of it
        there.
    n_arms : int scalar
        Number of spiral arms.
    pitch_angle_rad : scalar
        Angle between an arm and the circle through it.
    arm_phase_rad : scalar
        Angle at which the first arm starts.
    pattern_seed : uint32 scalar
        Seeds the places of clumps and the knots of arms.

    Examples
    --------
    >>> properties = GalaxyProperties(0.05, 10.5, 9.0, 5.0, 0.4, 8.9, -1.8)
    >>> structure = draw_structure(properties, jax.random.key(0))
    >>> bool(structure.young_re_kpc > structure.bulge_re_kpc)
    True
    """

    bulge_share: Float[Array, "*n"]
    bulge_re_kpc: Float[Array, "*n"]
    bulge_sersic_n: Float[Array, "*n"]
    bulge_axis_ratio: Float[Array, "*n"]
    disc_re_kpc: Float[Array, "*n"]
    cos_inclination: Float[Array, "*n"]
    disc_thickness: Float[Array, "*n"]
    position_angle_rad: Float[Array, "*n"]
    young_re_kpc: Float[Array, "*n"]
    clump_share: Float[Array, "*n"]
    n_clumps: Int[Array, "*n"]
    clump_fwhm_kpc: Float[Array, "*n"]
    arm_contrast: Float[Array, "*n"]
    n_arms: Int[Array, "*n"]
    pitch_angle_rad: Float[Array, "*n"]
    arm_phase_rad: Float[Array, "*n"]
    pattern_seed: UInt32[Array, "*n"]


class _Traits(NamedTuple):
    """The properties that the structure depends on."""

    mass: Scalar  # log10 stellar mass
    redshift: Scalar
    log_ssfr: Scalar  # 1/yr
    early: Bool[Array, ""]
    av_mag: Scalar
    metal_poor: Scalar  # -1 to 1: how far the gas lies below that of galaxies of its mass


def is_quiescent(log_ssfr: Scalar, redshift: Scalar) -> Bool[Array, ""]:
    """Whether a galaxy is quiescent, and so given the structure of an early type: Pacifici et al. 2016."""
    return log_ssfr < jnp.log10(QUIESCENT_PER_AGE / (1e9 * age_gyr(redshift)))


def median_log_size(log_mstar: Scalar, redshift: Scalar, early: Bool[Array, ""]) -> Scalar:
    """Median half-light radius of the whole galaxy along its major axis.

    Shen et al. 2003 up to redshift 0.2, from circular apertures to the major axis by the median ratio of the
    two over viewing angles; van der Wel et al. 2014 from 0.5; joined smoothly between.
    """
    weight = local_weight(redshift)
    ratio = jnp.where(early, _CIRCULAR_OVER_MAJOR_EARLY, _CIRCULAR_OVER_MAJOR_LATE)
    local = shen_2003(log_mstar, early) - jnp.log10(ratio)
    return weight * local + (1.0 - weight) * van_der_wel_2014(log_mstar, redshift, early)


def draw_structure(properties: GalaxyProperties, key: PRNGKeyArray) -> Structure:
    """Draw the structure of one galaxy.

    Size follows `median_log_size` with the published scatter. Bulges grow with mass and as star formation
    fades (in sense as in Lang et al. 2014, ApJ 788, 11, and Bluck et al. 2014, MNRAS 441, 599); young stars
    lie further out than old ones, the more so in massive galaxies (Nelson et al. 2016, ApJ 828, 27); clumps
    are more important at high redshift and low mass (Guo et al. 2015, ApJ 800, 39); discs are thicker at high
    redshift (van der Wel et al. 2014, ApJ 792, L6); viewing angles are random, but discs dustier than is
    typical of their mass are seen more edge on; gas poor in metals for the mass goes with clumpy light and
    small bulges.

    Parameters
    ----------
    properties : GalaxyProperties
        Of one galaxy; `jax.vmap` for many.
    key : PRNG key
        Draws all that the properties leave open.

    Returns
    -------
    Structure

    Examples
    --------
    >>> properties = GalaxyProperties(0.05, 11.0, 10.0, 0.5, 0.1, 9.0, -1.7)
    >>> bool(draw_structure(properties, jax.random.key(1)).bulge_share > 0.4)
    True
    """
    traits = _traits(properties)
    keys = jax.random.split(key, 5)
    bulge_share, sersic_n, roundness = _draw_bulge(traits, keys[0])
    cos_inclination, position_angle_rad = _draw_view(traits, keys[1])
    bulge_re, disc_re, young_re = _draw_sizes(traits, bulge_share, sersic_n, keys[2])
    thickness = jnp.where(traits.early, 0.25, 0.14 + 0.05 * jnp.minimum(traits.redshift, 2.5))
    return Structure(
        bulge_share=bulge_share,
        bulge_re_kpc=bulge_re,
        bulge_sersic_n=sersic_n,
        bulge_axis_ratio=jnp.sqrt(cos_inclination**2 * (1.0 - roundness**2) + roundness**2),
        disc_re_kpc=disc_re,
        cos_inclination=cos_inclination,
        disc_thickness=thickness,
        position_angle_rad=position_angle_rad,
        young_re_kpc=young_re,
        **_draw_clumps(traits, young_re, keys[3]),
        **_draw_arms(traits, bulge_share, keys[4]),
    )


def _traits(properties: GalaxyProperties) -> _Traits:
    log_ssfr = properties.log_sfr() - properties.log_mstar
    return _Traits(
        mass=properties.log_mstar,
        redshift=properties.redshift,
        log_ssfr=log_ssfr,
        early=is_quiescent(log_ssfr, properties.redshift),
        av_mag=properties.av_mag,
        metal_poor=jnp.tanh((oh12_mass(properties.log_mstar, properties.redshift) - properties.oh12) / 0.2),
    )


def _draw_bulge(traits: _Traits, key: PRNGKeyArray) -> tuple[Scalar, Scalar, Scalar]:
    """Share of the mass, Sersic index, and intrinsic axis ratio of an oblate spheroid."""
    keys = jax.random.split(key, 3)
    # Logits of the bulge's share of the mass: 0.15 at 1e9.5 Msun to 0.45 at 1e11 for the star-forming.
    fading = jnp.clip(-10.0 - traits.log_ssfr, -1.0, 1.0)
    late = -0.7 + 1.0 * (traits.mass - 10.5) + 0.5 * fading - 0.3 * traits.metal_poor
    early = 0.9 + 0.6 * (traits.mass - 10.5)
    logit = jnp.where(traits.early, early, late) + 0.6 * jax.random.normal(keys[0])
    share = jnp.clip(jax.nn.sigmoid(logit), 0.01, 0.97)
    # Bulges of discs are near exponential, spheroids near de Vaucouleurs, steeper with mass.
    median_n = jnp.where(traits.early, 3.6 + 0.8 * (traits.mass - 10.5), 1.2 + 2.5 * share)
    sersic_n = median_n * jnp.exp(0.2 * jax.random.normal(keys[1]))
    sersic_n = jnp.clip(jnp.round(2.0 * sersic_n) / 2.0, SERSIC_INDICES[0], SERSIC_INDICES[-1])
    low, high = jnp.where(traits.early, 0.45, 0.6), jnp.where(traits.early, 0.95, 0.9)
    return share, sersic_n, low + (high - low) * jax.random.uniform(keys[2])


def _draw_view(traits: _Traits, key: PRNGKeyArray) -> tuple[Scalar, Scalar]:
    """Cosine of the inclination, and position angle.

    Directions are random over all galaxies; a Gaussian copula makes the dusty discs edge on more often.
    """
    tilt, turn = jax.random.split(key)
    dust = jnp.clip((traits.av_mag - av_stars(traits.mass)) / _AV_SPREAD_MAG, -2.0, 2.0)
    correlation = jnp.where(traits.early, 0.0, _DUST_INCLINATION)
    normal = correlation * dust + jnp.sqrt(1.0 - correlation**2) * jax.random.normal(tilt)
    return ndtr(-normal), jnp.pi * jax.random.uniform(turn)


def _draw_sizes(
    traits: _Traits, bulge_share: Scalar, sersic_n: Scalar, key: PRNGKeyArray
) -> tuple[Scalar, Scalar, Scalar]:
    """Half-light radii of the components, scaled so that the whole has the radius drawn for it."""
    keys = jax.random.split(key, 3)
    weight = local_weight(traits.redshift)
    scatter = weight * shen_2003_scatter(traits.mass)
    scatter = scatter + (1.0 - weight) * van_der_wel_2014_scatter(traits.redshift, traits.early)
    median = median_log_size(traits.mass, traits.redshift, traits.early)
    whole = 10.0 ** (median + scatter * jax.random.normal(keys[0]))
    typical = jnp.where(traits.early, 0.6, 0.22)
    bulge_over_disc = typical * jnp.exp(0.25 * jax.random.normal(keys[1]))
    young_over_disc = 1.15 * 10.0 ** (0.05 * (traits.mass - 10.0) + 0.05 * jax.random.normal(keys[2]))
    shares = light_shares(bulge_share, traits.log_ssfr)
    in_discs = half_light_radius(
        shares, sersic_n, bulge_over_disc, jnp.ones_like(bulge_over_disc), young_over_disc
    )
    disc = whole / in_discs
    return bulge_over_disc * disc, disc, young_over_disc * disc


def light_shares(bulge_share: Scalar, log_ssfr: Scalar) -> Float[Array, "3"]:
    """Rough shares of bulge, old disc and young stars in the visible light.

    Only to turn a radius of the light into radii of the components; the light itself is made from templates.
    The ratios of light to mass are typical of what `nebulium.mock.light` makes of nearby galaxies.
    """
    young, bulge = (
        jnp.interp(log_ssfr, jnp.asarray(_LOG_SSFR), jnp.asarray(ratio))
        for ratio in (_YOUNG_OVER_DISC_LIGHT, _BULGE_OVER_DISC_LIGHT)
    )
    young_mass = jnp.minimum(10.0 ** (log_ssfr + 8.0), 1.0)
    light = jnp.stack([bulge * bulge_share, 1.0 - bulge_share, young * young_mass])
    return light / light.sum()


def half_light_radius(
    shares: Float[Array, "3"], sersic_n: Scalar, bulge_re: Scalar, disc_re: Scalar, young_re: Scalar
) -> Scalar:
    """Half-light radius of a Sersic bulge and two exponential discs together, along the major axis.

    Where their curves of growth (Graham & Driver 2005, PASA 22, 118, eq. 2), weighted by their light, reach a
    half; their ellipses are taken to be the same.
    """
    radii = disc_re * jnp.asarray(10.0**_LOG_RADII)
    growth = enclosed_light(radii, shares, sersic_n, bulge_re, disc_re, young_re)
    return disc_re * 10.0 ** jnp.interp(0.5, growth, jnp.asarray(_LOG_RADII))


def enclosed_light(
    radii: Float[Array, "..."],
    shares: Float[Array, "3"],
    sersic_n: Scalar,
    bulge_re: Scalar,
    disc_re: Scalar,
    young_re: Scalar,
) -> Float[Array, "..."]:
    """Share of the light of a Sersic bulge and two exponential discs within radii in the unit of theirs."""
    return (
        shares[0] * gammainc(2.0 * sersic_n, _b(sersic_n) * (radii / bulge_re) ** (1.0 / sersic_n))
        + shares[1] * gammainc(2.0, _b(1.0) * radii / disc_re)
        + shares[2] * gammainc(2.0, _b(1.0) * radii / young_re)
    )


def _b(n: Scalar | float) -> Scalar | float:
    """The constant of a Sersic law: Ciotti & Bertin 1999, A&A 352, 447, eq. 18."""
    return 2.0 * n - 1.0 / 3.0 + 4.0 / (405.0 * n) + 46.0 / (25515.0 * n**2)


def _draw_clumps(traits: _Traits, young_re_kpc: Scalar, key: PRNGKeyArray) -> dict[str, Array]:
    keys = jax.random.split(key, 4)
    logit = (
        -1.4 + 0.5 * jnp.minimum(traits.redshift, 2.5) - 0.3 * (traits.mass - 10.0) + 0.5 * traits.metal_poor
    )
    share = jax.nn.sigmoid(logit + 0.4 * jax.random.normal(keys[0]))
    number = jnp.exp(2.3 + 0.4 * jax.random.normal(keys[1]))
    fwhm = 0.15 * young_re_kpc * jnp.exp(0.25 * jax.random.normal(keys[2]))
    return {
        "clump_share": share,
        "n_clumps": jnp.clip(jnp.round(number), 3, 30).astype(jnp.int32),
        "clump_fwhm_kpc": fwhm,
        "pattern_seed": jax.random.bits(keys[3]),
    }


def _draw_arms(traits: _Traits, bulge_share: Scalar, key: PRNGKeyArray) -> dict[str, Array]:
    keys = jax.random.split(key, 4)
    # Arms need a settled disc: massive enough, not early, and rare above redshift 2.
    logit = 0.6 + 1.2 * (traits.mass - 10.0) - 0.8 * jnp.maximum(traits.redshift - 0.5, 0.0)
    contrast = jax.nn.sigmoid(logit + 0.6 * jax.random.normal(keys[0]))
    contrast = jnp.where(traits.early, 0.2 * contrast, jnp.clip(contrast, 0.0, 0.95))
    number = 2 + jax.random.categorical(keys[1], jnp.log(jnp.array([0.7, 0.15, 0.15])))
    # Arms open from early to late spirals: Kennicutt 1981, AJ 86, 1847.
    pitch = jnp.deg2rad(jnp.clip(24.0 - 30.0 * bulge_share + 5.0 * jax.random.normal(keys[2]), 8.0, 40.0))
    return {
        "arm_contrast": contrast,
        "n_arms": number.astype(jnp.int32),
        "pitch_angle_rad": pitch,
        "arm_phase_rad": 2.0 * jnp.pi * jax.random.uniform(keys[3]),
    }
