"""Fluxes of galaxy templates through filters, at the middle of each redshift bin.

The templates are composite stellar populations with dust, gas and intergalactic hydrogen:

- histories that rise and fall, t exp(-t / tau), of several ages and several ages over tau; a template older
  than the Universe at a redshift does not count there;
- three metallicities, each with its dust curve: that of Calzetti et al. (2000) for solar, steeper ones for
  lower metallicity (Salim et al. 2018, ApJ 859, 11). Histories that have ended have little dust, as templates
  of early types have in Ilbert et al. (2009, ApJ 690, 1236);
- lines and continuum of gas, from the ionising light of the stars themselves
  (`nebulium.photoz.templates.gas`);
- no ionising light leaves the galaxy, and the intergalactic medium is that of Inoue et al. (2014).

Of the thousands of combinations a thousand or so, as unlike each other as can be, stand for all. Too coarse a
grid bends redshifts: those that fit noiseless mock galaxies of this library best, between redshifts 0.5 and
1.2, were low by 0.03 (1 + z) with 288 combinations of evenly spaced settings, by 0.01 with 4096.

Real galaxies differ from them by some per cent in places, whatever the survey. What galaxies of zCOSMOS show
of that is multiplied in (`correction.csv`, made by `benchmarks/weights/make_template_correction.py`).

The mock surveys of this library are drawn with other histories (exponential), one dust curve (Calzetti), and
lines learnt from DESI.
"""

from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from nebulium.data.tables.reading import read_table
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.templates.gas import (
    HALPHA_OVER_HBETA,
    LINES_AA,
    continuum_over_hbeta,
    halpha_luminosity,
    lines_over_halpha,
)
from nebulium.photoz.templates.magnitude_prior import KINDS, kind_of_colour
from nebulium.sed.band_fluxes import band_weights, line_njy_per_flux
from nebulium.sed.cosmology import age_gyr
from nebulium.sed.dust import SalimDust
from nebulium.sed.filters import FilterCurve, Filters, load_filters, make_filters
from nebulium.sed.igm import LYMAN_LIMIT_AA, igm_transmission, resolve_lyman_steps
from nebulium.sed.sfh import DelayedExponential
from nebulium.sed.spectrum import SPEED_OF_LIGHT_AA_S, Galaxy, rest_spectrum
from nebulium.sed.ssp import SSPGrid, load_ssp

#: Rest wavelengths, AA, and relative errors of templates there (EAZY's template error function, version 1.0:
#: Brammer, van Dokkum & Coppi 2008, ApJ 686, 1503).
TEMPLATE_ERROR_AA = (
    800.0, 1000.0, 1200.0, 1400.0, 1600.0, 1900.0, 2300.0, 2800.0, 3400.0, 4500.0,
    5500.0, 6500.0, 7800.0, 10000.0, 13000.0, 17000.0, 20000.0, 25000.0, 30000.0, 40000.0,
)  # fmt: skip
TEMPLATE_ERROR = (
    0.0, 0.021, 0.043, 0.063, 0.080, 0.090, 0.078, 0.061, 0.047, 0.036,
    0.044, 0.058, 0.074, 0.079, 0.081, 0.091, 0.101, 0.136, 0.185, 0.257,
)  # fmt: skip
CORRECTION = Path(__file__).parent / "correction.csv"
# Where the I light of a template is absorbed, it counts as this share of that of its brightest band.
LEAST_I_SHARE = 0.01
# Of the stars of one template, dex.
LGMET_SCATTER = 0.1


@dataclass(frozen=True)
class TemplateConfig:
    """What templates there are, and how far they are to be trusted.

    Parameters
    ----------
    ages_gyr : tuple of float
        Times since the onset of star formation.
    ages_over_tau : tuple of float
        The same over tau: below 1 the star formation still rises, far above it has ended.
    lgmet : tuple of float
        log10 of the mass fraction of metals; -1.7 is solar.
    dust_slopes : tuple of float
        Tilt of the dust curve that goes with each metallicity; 0 is Calzetti's.
    av_mag : tuple of float
        Attenuations in V of histories that go on.
    av_ended_mag : tuple of float
        The same of histories that have ended.
    templates : int
        How many of all combinations are compared with the galaxies: those that between them resemble all.
        Each has the weight of those that it stands for.
    ended : float
        Age over tau from which on a history has ended.
    ended_share : float
        Weight of a history that has ended, relative to others, in kinds bluer than ellipticals: galaxies
        after a burst are some per cent at most (Wild et al. 2016, MNRAS 463, 832), and isolated dwarfs hardly
        ever stop (Geha et al. 2012, ApJ 757, 85).
    av_scatter_mag : float
        The share of a template among those of its kind falls with its A_V as half a Gaussian of this width;
        at 0.6 the mean E(B-V) is 0.12, that of galaxies selected in the ultraviolet (Reddy et al. 2008,
        ApJS 175, 48).
    template_error_scale : float
        Of EAZY's template error function; 0.5 is EAZY's own.
    corrected : bool
        Whether templates are multiplied by what real galaxies show of their errors.
    systematic_error : float
        Relative error of any flux against any template, added in quadrature to the error function.
    uncovered_error : float
        The same for a band that reaches beyond the templates, which are continued as hot bodies are, as
        wavelength^-2 per hertz: a band about which nothing much is said.
    even_share : float
        Of the prior that knows nothing of redshifts.
    """

    ages_gyr: tuple[float, ...] = (0.03, 0.05, 0.08, 0.13, 0.2, 0.32, 0.5, 0.8, 1.3, 2.0, 3.2, 5.0, 8.0, 12.0)
    ages_over_tau: tuple[float, ...] = (0.3, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 15.0)
    lgmet: tuple[float, ...] = (-2.7, -2.2, -1.7)
    dust_slopes: tuple[float, ...] = (-0.5, -0.25, 0.0)
    av_mag: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.9, 1.3, 1.8, 2.5)
    av_ended_mag: tuple[float, ...] = (0.0, 0.2, 0.4)
    ended: float = 9.0
    ended_share: float = 0.05
    templates: int = 1200
    av_scatter_mag: float = 0.6
    template_error_scale: float = 0.7
    corrected: bool = True
    systematic_error: float = 0.03
    uncovered_error: float = 0.5
    even_share: float = 0.2


@dataclass(frozen=True, eq=False)
class TemplateFluxes:
    """Templates through filters.

    Attributes
    ----------
    flux : array (bin, band, template)
        Flux density in each band for a template of unit flux density in I.
    error : array (bin, band)
        Relative error of templates there.
    log_share : array (bin, template)
        Logarithm of the share of a template among those of its kind; -inf where it is older than the
        Universe.
    kind : array of int (template,)
        Places in `KINDS`, in order.
    """

    flux: Float[np.ndarray, "bin band template"]
    error: Float[np.ndarray, "bin band"]
    log_share: Float[np.ndarray, "bin template"]
    kind: Int[np.ndarray, " template"]


class _RestTemplates(eqx.Module):
    """Templates at rest behind their dust: stars and gas in Lsun/Hz, lines in Lsun, per solar mass formed."""

    wave_aa: Float[Array, " wave"]
    stars: Float[Array, "template wave"]
    lines: Float[Array, "template line"]


class _Recipes(NamedTuple):
    """All combinations of settings, an array each."""

    age_gyr: Float[np.ndarray, " template"]
    tau_gyr: Float[np.ndarray, " template"]
    lgmet: Float[np.ndarray, " template"]
    dust_slope: Float[np.ndarray, " template"]
    av_mag: Float[np.ndarray, " template"]


def template_fluxes(filters: Filters, grid: RedshiftGrid, config: TemplateConfig) -> TemplateFluxes:
    """Fluxes of all templates in all filters at all redshifts."""
    recipes = _recipes(config)
    rest = _rest_templates(recipes, resolve_lyman_steps(load_ssp()))
    chosen, stands_for = _representatives(_features(rest), config.templates)
    kind = _kinds(rest)[chosen]
    order = np.argsort(kind, kind="stable")
    few = jax.tree.map(lambda leaf: leaf[chosen[order]], (rest.stars, rest.lines))
    rest = _RestTemplates(rest.wave_aa, *few)
    in_bands = _through(filters, rest, grid)
    in_i = _through(load_filters("bessell_I"), rest, grid)
    unit = np.maximum(in_i, LEAST_I_SHARE * in_bands.max(axis=1, keepdims=True))
    if config.corrected:
        in_bands = in_bands * correction(_rest_aa(filters, grid))[:, :, None]
    share = _log_share(recipes, np.argsort(order)[stands_for], kind[order], grid, config)
    return TemplateFluxes(
        flux=(in_bands / unit).astype(np.float32),
        error=template_errors(filters, grid, config).astype(np.float32),
        log_share=share.astype(np.float32),
        kind=kind[order],
    )


def _features(rest: _RestTemplates) -> Float[np.ndarray, "template feature"]:
    """Spectra in boxes of a tenth in ln wavelength; their distances are about relative differences."""
    edges = np.geomspace(1000.0, 19900.0, 31)
    boxes = make_filters(
        [FilterCurve("box", np.array(ends), np.ones(2)) for ends in zip(edges[:-1], edges[1:], strict=True)]
    )
    flux = np.asarray(_through_at(boxes, rest, jnp.float32(0.0)), np.float64).T
    # Nobody measures the little ultraviolet light of old stars to a per cent.
    soft = np.log(flux + 0.1 * flux.mean(axis=1, keepdims=True))
    return soft - soft.mean(axis=1, keepdims=True)


def _representatives(
    features: Float[np.ndarray, "template feature"], count: int
) -> tuple[Int[np.ndarray, " chosen"], Int[np.ndarray, " template"]]:
    """Templates that between them resemble all, and for every template its place among them.

    Each is the one farthest from those before.
    """
    chosen, nearest = [0], np.zeros(len(features), int)
    least = np.sum((features - features[0]) ** 2, axis=1)
    while len(chosen) < count and least.max() > 0:
        chosen.append(int(least.argmax()))
        distance = np.sum((features - features[chosen[-1]]) ** 2, axis=1)
        nearest = np.where(distance < least, len(chosen) - 1, nearest)
        least = np.minimum(distance, least)
    return np.array(chosen), nearest


def _recipes(config: TemplateConfig) -> _Recipes:
    rows = [
        (age, age / ratio, lgmet, slope, av_mag)
        for age, ratio in product(config.ages_gyr, config.ages_over_tau)
        for lgmet, slope in zip(config.lgmet, config.dust_slopes, strict=True)
        for av_mag in (config.av_ended_mag if ratio >= config.ended else config.av_mag)
    ]
    return _Recipes(*np.array(rows).T)


def _rest_templates(recipes: _Recipes, ssp: SSPGrid) -> _RestTemplates:
    """Stars, gas and lines of every template."""
    age, tau, lgmet, slope, av_mag = (jnp.asarray(values, jnp.float32) for values in recipes)
    none = jnp.zeros_like(age)
    dust = SalimDust(av_mag, slope=slope, bump=none)
    stacked = Galaxy(DelayedExponential(age, tau), none, none, lgmet, none + LGMET_SCATTER, dust)
    bare = eqx.tree_at(lambda galaxy: galaxy.dust.av_mag, stacked, replace_fn=jnp.zeros_like)
    spectrum = jax.jit(jax.vmap(lambda galaxy: rest_spectrum(galaxy, ssp).lum_lsun_hz))
    seen, unabsorbed = spectrum(stacked), np.asarray(spectrum(bare), np.float64)
    wave = np.asarray(ssp.wave_aa, np.float64)
    ratios = np.stack([lines_over_halpha(lgmet) for lgmet in recipes.lgmet.tolist()])
    halpha = halpha_luminosity(wave, unabsorbed)[:, None]
    lines = _dimmed(halpha * ratios, dust, jnp.asarray(LINES_AA, jnp.float32))
    gas = _dimmed(halpha / HALPHA_OVER_HBETA * continuum_over_hbeta(wave), dust, ssp.wave_aa)
    stars = jnp.where(ssp.wave_aa[None, :] > LYMAN_LIMIT_AA, seen + gas, 0.0)
    return _RestTemplates(ssp.wave_aa, stars, lines)


def _dimmed(
    light: Float[np.ndarray, "template wave"], dust: SalimDust, wave_aa: Float[Array, " wave"]
) -> Float[Array, "template wave"]:
    """Light behind the dust of each template."""
    dimming = np.asarray(jax.vmap(lambda curve: curve.attenuation_mag(wave_aa))(dust))
    return jnp.asarray(light * 10.0 ** (-0.4 * dimming), jnp.float32)


def _through(filters: Filters, rest: _RestTemplates, grid: RedshiftGrid) -> np.ndarray:
    """Flux densities (bin, band, template) in one unit."""
    at = eqx.filter_jit(partial(_through_at, filters, _continued(rest)))
    return np.stack([np.asarray(at(jnp.float32(z)), np.float64) for z in grid.centres])


def _through_at(filters: Filters, rest: _RestTemplates, redshift: Float[Array, ""]) -> Float[Array, "band t"]:
    wave = rest.wave_aa * (1.0 + redshift)
    # Per Angstrom as it arrives, without the distance, which all bands share; lines in the same unit.
    per_aa = SPEED_OF_LIGHT_AA_S * (1.0 + redshift) * igm_transmission(wave, redshift) / wave**2
    of_stars = band_weights(wave, per_aa, filters)
    of_lines = line_njy_per_flux(jnp.asarray(LINES_AA) * (1.0 + redshift), filters)
    stars = jnp.matmul(of_stars, rest.stars.T, precision="highest")
    return stars + jnp.matmul(of_lines, rest.lines.T, precision="highest")


def _continued(rest: _RestTemplates, until_aa: float = 1e5) -> _RestTemplates:
    """Templates beyond their end, as hot bodies: wavelength^-2 per hertz."""
    end = float(rest.wave_aa[-1])
    beyond = jnp.asarray(np.geomspace(end, until_aa, 60)[1:], jnp.float32)
    tail = rest.stars[:, -1:] * (end / beyond)[None, :] ** 2
    wave, stars = jnp.concatenate([rest.wave_aa, beyond]), jnp.concatenate([rest.stars, tail], axis=1)
    return _RestTemplates(wave, stars, rest.lines)


def _kinds(rest: _RestTemplates) -> Int[np.ndarray, " template"]:
    """Kind of each template, by its rest-frame colour."""
    b, i = np.asarray(_through_at(load_filters("bessell_B", "bessell_I"), rest, jnp.float32(0.0)))
    return kind_of_colour(-2.5 * np.log10(b / i))


def _log_share(
    recipes: _Recipes,
    stands_for: Int[np.ndarray, " recipe"],
    kind: Int[np.ndarray, " template"],
    grid: RedshiftGrid,
    config: TemplateConfig,
) -> np.ndarray:
    """Share of each template, and of those it stands for, among all of its kind, (bin, template)."""
    centres = jnp.asarray(grid.centres, jnp.float32)
    oldest = np.asarray(jax.vmap(age_gyr)(centres), np.float64)
    ages = recipes.age_gyr
    ended = ages >= (config.ended - 1e-6) * recipes.tau_gyr
    weight = np.exp(-0.5 * (recipes.av_mag / config.av_scatter_mag) ** 2)
    blue_and_ended = ended & (kind[stands_for] != KINDS.index("elliptical"))
    weight = np.where(blue_and_ended, config.ended_share, 1.0) * weight
    weight = np.where(ages[None, :] <= oldest[:, None], weight[None, :], 0.0)
    weight = weight @ np.eye(len(kind))[stands_for]
    total = weight @ np.eye(len(KINDS))[kind]
    with np.errstate(divide="ignore"):
        return np.log(weight / np.maximum(total[:, kind], 1e-30))


def correction(rest_aa: Float[np.ndarray, "bin band"]) -> Float[np.ndarray, "bin band"]:
    """Flux of galaxies over that of templates, by the wavelength at rest of the middle of a band."""
    factor = read_table(CORRECTION)
    return np.exp(np.interp(np.log(rest_aa), np.log(factor["rest_wave_aa"]), np.log(factor["factor"])))


def template_errors(
    filters: Filters, grid: RedshiftGrid, config: TemplateConfig
) -> Float[np.ndarray, "bin band"]:
    """Relative error of templates in each band at each redshift."""
    published = np.interp(_rest_aa(filters, grid), TEMPLATE_ERROR_AA, TEMPLATE_ERROR)
    known = np.hypot(config.template_error_scale * published, config.systematic_error)
    reach_aa = np.asarray(filters.reach_aa, np.float64)[None, :, 1] / (1.0 + grid.centres[:, None])
    return np.where(reach_aa > float(load_ssp().wave_aa[-1]), config.uncovered_error, known)


def _rest_aa(filters: Filters, grid: RedshiftGrid) -> Float[np.ndarray, "bin band"]:
    """Where the middle of each band lies at rest."""
    return np.asarray(filters.pivot_aa, np.float64)[None, :] / (1.0 + grid.centres[:, None])
