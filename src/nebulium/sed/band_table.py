"""Fluxes of all templates through filters at one redshift, so that a galaxy's magnitudes are one product.

Through a filter, a template behind dust of A_V magnitudes gives

    flux = 10^(-0.4 A_V k) sum over n of T_n(A_V) table_n

where k is the attenuation of the band per magnitude in V, and T_n are Chebyshev polynomials: what is left for
them is only how the curve of the dust varies within the band. Fluxes add up, so that the table of a galaxy is
the table of the templates times their weights.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from nebulium.errors import SpectrumError
from nebulium.sed import dsps_adapter
from nebulium.sed.band_fluxes import Photometry, band_weights, covers, photometry_of_flux
from nebulium.sed.cosmology import DEFAULT_COSMOLOGY, Cosmology, Scalar, age_gyr, as_float
from nebulium.sed.dust import AbstractDust, CalzettiDust
from nebulium.sed.filters import Filters
from nebulium.sed.igm import igm_transmission
from nebulium.sed.sfh import AbstractHistory, age_weights
from nebulium.sed.spectrum import dilution, log_mass_formed
from nebulium.sed.ssp import SSPGrid

N_POLYNOMIALS = 6
AV_MOST_MAG = 4.0
# Amounts of dust at which the fluxes are computed, as shares of the most, and polynomials from them.
_COSINES = np.cos((np.arange(N_POLYNOMIALS) + 0.5) * np.pi / N_POLYNOMIALS)
_NODES = 0.5 * (1.0 + _COSINES)
_FROM_NODES = np.linalg.inv(np.polynomial.chebyshev.chebvander(_COSINES, N_POLYNOMIALS - 1))
Weights = Float[Array, "met age"]


class BandTable(eqx.Module):
    """Fluxes of templates through filters at one redshift; make one with `make_band_table`.

    It is a pytree of arrays: hand it to compiled functions as an argument, and they are compiled once for all
    galaxies. For many draws of one galaxy `jax.vmap` over the draws.

    Parameters
    ----------
    lgmet : array (met,)
        log10 of the mass fraction of metals of the templates.
    lg_age_gyr : array (age,)
        log10 of their age in Gyr.
    t_obs_gyr : scalar
        Age of the Universe at the redshift, Gyr.
    flux_njy : array (met, age, polynomial, band)
        Coefficients of the flux of each template, nJy per solar mass formed.
    curve_mag : array (band,)
        Attenuation of each band per magnitude in V, taken out of `flux_njy`.
    av_most_mag : scalar
        Largest A_V, mag.
    covered : array (band,) of bool
        Whether the templates span the filter at the redshift.

    Examples
    --------
    >>> from nebulium.sed import DelayedExponential, load_filters, load_ssp
    >>> table = make_band_table(load_ssp(), load_filters("sdss_g0", "sdss_r0"), redshift=0.1)
    >>> table.photometry(DelayedExponential(8.0, 2.0), log_mstar=10.5, av_mag=0.3).mag_ab.round()
    Array([18., 17.], dtype=float32)
    """

    lgmet: Float[Array, " met"]
    lg_age_gyr: Float[Array, " age"]
    t_obs_gyr: Scalar
    flux_njy: Float[Array, "met age polynomial band"]
    curve_mag: Float[Array, " band"]
    av_most_mag: Scalar
    covered: Bool[Array, " band"]

    def photometry(
        self,
        history: AbstractHistory,
        log_mstar: Scalar | float,
        *,
        av_mag: Scalar | float = 0.0,
        lgmet: Scalar | float = -1.7,
        lgmet_scatter: Scalar | float = 0.2,
    ) -> Photometry:
        """Brightness of one galaxy's stars behind their dust.

        Parameters
        ----------
        history : AbstractHistory
            Shape of its star-formation history.
        log_mstar : scalar
            log10 of the surviving stellar mass in Msun.
        av_mag : scalar, optional
            A_V in mag; outside 0 to `av_most_mag` fluxes are NaN.
        lgmet : scalar, optional
            log10 of the mass fraction of metals; -1.7 is solar.
        lgmet_scatter : scalar, optional
            Scatter of the same in dex.

        Returns
        -------
        Photometry
        """
        weights, log_mformed = weigh_templates(
            history, log_mstar, lgmet, lgmet_scatter, self.lgmet, self.lg_age_gyr, self.t_obs_gyr
        )
        per_mass = self.flux_of(weights, as_float(av_mag))
        return photometry_of_flux(10.0**log_mformed * per_mass, self.covered)

    def flux_of(self, weights: Weights, av_mag: Scalar) -> Float[Array, " band"]:
        """Flux density for weights of one's own, such as those of stars of several metallicities.

        Parameters
        ----------
        weights : array (met, age)
            Mass formed in the stars of each template, Msun; or its share, for the flux per solar mass.
        av_mag : scalar
            A_V in mag; outside 0 to `av_most_mag` fluxes are NaN.

        Returns
        -------
        array (band,)
            nJy, also of bands that are not covered.
        """
        table = self.flux_njy.reshape(weights.size, -1)
        coefficients = jnp.matmul(weights.reshape(-1), table, precision="highest")
        return behind_dust(
            coefficients.reshape(-1, self.curve_mag.size), self.curve_mag, av_mag, self.av_most_mag
        )


def make_band_table(
    ssp: SSPGrid,
    filters: Filters,
    redshift: Scalar | float,
    *,
    dust: AbstractDust | None = None,
    av_most_mag: float = AV_MOST_MAG,
    igm: bool = False,
    cosmology: Cosmology = DEFAULT_COSMOLOGY,
) -> BandTable:
    """Fluxes of all templates through filters, behind any amount of dust, at one redshift.

    Parameters
    ----------
    ssp : SSPGrid
        From `load_ssp`.
    filters : Filters
        From `load_filters`.
    redshift : scalar
        0 stands for ten parsecs, so that magnitudes are absolute.
    dust : AbstractDust, optional
        Curve of the attenuation, of one magnitude in V whatever its own `av_mag`: `CalzettiDust` unless
        given, or one such as ``SalimDust(1.0, slope=-0.4)``.
    av_most_mag : float, optional
        Largest A_V.
    igm : bool, optional
        Whether hydrogen between the galaxies absorbs, as `igm_transmission` has it; give the templates
        through `resolve_lyman_steps` then.
    cosmology : Cosmology, optional
        Distance and age.

    Returns
    -------
    BandTable

    Raises
    ------
    SpectrumError
        The dust has no amount, `av_mag`.

    Examples
    --------
    >>> from nebulium.sed import load_filters, load_ssp
    >>> make_band_table(load_ssp(), load_filters("sdss_r0"), redshift=0.1).flux_njy.shape
    (6, 197, 6, 1)
    """
    return _make(ssp, filters, as_float(redshift), unit_dust(dust), as_float(av_most_mag), igm, cosmology)


@eqx.filter_jit
def _make(
    ssp: SSPGrid,
    filters: Filters,
    redshift: Scalar,
    dust: AbstractDust,
    av_most_mag: Scalar,
    igm: bool,
    cosmology: Cosmology,
) -> BandTable:
    response = response_at(ssp.wave_aa, filters, redshift, igm=igm) * dilution(redshift, cosmology)
    table = response_table(ssp, response, age_gyr(redshift, cosmology), dust, av_most_mag)
    wave_aa = ssp.wave_aa * (1.0 + redshift)
    covered = covers(wave_aa, jnp.zeros_like(wave_aa), filters)
    return eqx.tree_at(lambda one: one.covered, table, covered)


def response_table(
    ssp: SSPGrid,
    response: Float[Array, "band wave"],
    t_obs_gyr: Scalar,
    dust: AbstractDust | None = None,
    av_most_mag: Scalar | float = AV_MOST_MAG,
) -> BandTable:
    """The table of bands of one's own: what a luminosity at each wavelength of the templates adds to each."""
    most, per_av = as_float(av_most_mag), unit_dust(dust).attenuation_mag(ssp.wave_aa)
    dimming = dim(typical_light(ssp), response, per_av, most)
    flux = template_fluxes(ssp.flux.reshape(-1, ssp.wave_aa.size), response, dimming)
    flux = flux.reshape(*ssp.flux.shape[:2], *flux.shape[1:])
    covered = jnp.ones(len(response), bool)
    return BandTable(ssp.lgmet, ssp.lg_age_gyr, t_obs_gyr, flux, dimming.curve_mag, most, covered)


def unit_dust(dust: AbstractDust | None) -> AbstractDust:
    """The curve with one magnitude in V."""
    if dust is None:
        return CalzettiDust(as_float(1.0))
    if not hasattr(dust, "av_mag"):
        raise SpectrumError(
            f"dust {type(dust).__name__}",
            "has no av_mag, the amount that a table leaves free",
            "give CalzettiDust(1.0), or a curve with that field",
        )
    unit: AbstractDust = eqx.tree_at(lambda curve: curve.av_mag, dust, as_float(1.0))
    return unit


class Dimming(NamedTuple):
    """What dust does within bands.

    Parameters
    ----------
    curve_mag : array (band,)
        Mean attenuation of each band per magnitude in V.
    left : array (node, band, wave)
        Share of the light left at each amount of dust, over that of the whole band.
    """

    curve_mag: Float[Array, " band"]
    left: Float[Array, "node band wave"]


def template_fluxes(
    spectra: Float[Array, "template wave"], response: Float[Array, "band wave"], dimming: Dimming
) -> Float[Array, "template polynomial band"]:
    """Coefficients of the flux of each spectrum through filters, before its dilution by distance."""
    rows = (response[None, :, :] * dimming.left).reshape(-1, spectra.shape[1])
    at_nodes = jnp.matmul(spectra, rows.T, precision="highest")
    at_nodes = at_nodes.reshape(spectra.shape[0], N_POLYNOMIALS, -1)
    from_nodes = jnp.asarray(_FROM_NODES, at_nodes.dtype)
    return jnp.einsum("pn,tnb->tpb", from_nodes, at_nodes, precision="highest")


def response_at(
    wave_rest_aa: Float[Array, " wave"], filters: Filters, redshift: Scalar, *, igm: bool
) -> Float[Array, "band wave"]:
    """What a luminosity at each rest wavelength adds to each band, before its dilution by distance."""
    wave_aa = wave_rest_aa * (1.0 + redshift)
    through = igm_transmission(wave_aa, redshift) if igm else jnp.ones_like(wave_aa)
    return band_weights(wave_aa, through / wave_aa**2, filters)


def dim(
    light: Float[Array, " wave"],
    response: Float[Array, "band wave"],
    per_av: Float[Array, " wave"],
    av_most_mag: Scalar,
) -> Dimming:
    """Attenuation of bands, averaged over typical light, and what is left of it within them."""
    # Behind half of the dust, so that the rest is small on either side.
    share = jnp.abs(response * (light * 10.0 ** (-0.2 * av_most_mag * per_av))[None, :])
    share = share / jnp.maximum(share.sum(axis=-1, keepdims=True), jnp.finfo(share.dtype).tiny)
    curve_mag = share @ per_av
    av_mag = av_most_mag * jnp.asarray(_NODES, per_av.dtype)
    beyond = per_av[None, :] - curve_mag[:, None]
    return Dimming(curve_mag, 10.0 ** (-0.4 * av_mag[:, None, None] * beyond[None, :, :]))


def typical_light(ssp: SSPGrid) -> Float[Array, " wave"]:
    """The mean of all templates, each of unit brightness."""
    return jnp.mean(ssp.flux / ssp.flux.mean(axis=-1, keepdims=True), axis=(0, 1))


def behind_dust(
    coefficients: Float[Array, "polynomial band"],
    curve_mag: Float[Array, " band"],
    av_mag: Scalar,
    av_most_mag: Scalar,
) -> Float[Array, " band"]:
    """Fluxes of coefficients at one A_V; NaN outside the range of the table."""
    x = 2.0 * av_mag / av_most_mag - 1.0
    polynomials = [jnp.ones_like(x), x]
    for _ in range(2, coefficients.shape[0]):
        polynomials.append(2.0 * x * polynomials[-1] - polynomials[-2])
    flux = jnp.sum(jnp.stack(polynomials)[:, None] * coefficients, axis=0) * 10.0 ** (
        -0.4 * av_mag * curve_mag
    )
    return jnp.where((av_mag >= 0.0) & (av_mag <= av_most_mag), flux, jnp.nan)


def weigh_templates(
    history: AbstractHistory,
    log_mstar: Scalar | float,
    lgmet: Scalar | float,
    lgmet_scatter: Scalar | float,
    grid_lgmet: Float[Array, " met"],
    lg_age_gyr: Float[Array, " age"],
    t_obs_gyr: Scalar,
) -> tuple[Weights, Scalar]:
    """Share of each template in the mass formed, and log10 of that mass in Msun."""
    by_age = age_weights(history, lg_age_gyr, t_obs_gyr)
    by_metal = dsps_adapter.metallicity_weights(as_float(lgmet), as_float(lgmet_scatter), grid_lgmet)
    log_mformed = log_mass_formed(as_float(log_mstar), by_age, lg_age_gyr)
    return by_metal[:, None] * by_age[None, :], log_mformed
