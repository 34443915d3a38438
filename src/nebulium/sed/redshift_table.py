"""Fluxes of galaxies through filters at any redshift, from a few components of the templates.

A table of all templates at all redshifts would be large and slow to read. Through filters, at all redshifts
and amounts of dust, the thousand templates are sums of some hundred components (a singular value
decomposition), and the flux of each component is interpolated between redshifts by cubic polynomials.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.errors import SpectrumError
from nebulium.sed.band_fluxes import Photometry, photometry_of_flux
from nebulium.sed.band_table import (
    AV_MOST_MAG,
    Weights,
    behind_dust,
    dim,
    response_at,
    template_fluxes,
    typical_light,
    unit_dust,
    weigh_templates,
)
from nebulium.sed.cosmology import DEFAULT_COSMOLOGY, Cosmology, Scalar, age_gyr, as_float
from nebulium.sed.dust import AbstractDust
from nebulium.sed.filters import Filters
from nebulium.sed.sfh import AbstractHistory
from nebulium.sed.spectrum import dilution
from nebulium.sed.ssp import SSPGrid

N_COMPONENTS = 96
STEP = 0.001  # in ln(1 + z), between redshifts of the table
_COARSE_STEP = 0.01  # between the redshifts that components are found from
# Bands that a template's light does not reach are rounding; components need not know them.
_LEAST_LIGHT = 1e-5
_FAINTEST = 1e-12
_AV_SHARES = (0.0, 0.5)  # of the most dust, behind which components are found


class RedshiftTable(eqx.Module):
    """Fluxes of templates through filters over a range of redshifts; make one with `make_redshift_table`.

    Parameters
    ----------
    lgmet : array (met,)
        log10 of the mass fraction of metals of the templates.
    lg_age_gyr : array (age,)
        log10 of their age in Gyr.
    components : array (met, age, component)
        What of each component is in each template.
    flux : array (node, polynomial, band, component)
        Coefficients of the flux of each component at each redshift, before its dilution by distance.
    curve_mag : array (node, band)
        Attenuation of each band per magnitude in V, taken out of `flux`.
    log_1pz_ends : array (2,)
        ln(1 + z) of the first and of the last node.
    av_most_mag : scalar
        Largest A_V, mag.
    wave_ends_aa : array (2,)
        First and last rest wavelength of the templates, AA.
    reach_aa : array (band, 2)
        What a spectrum must cover, as `Filters` have it.
    cosmology : Cosmology
        Distances and ages.

    Examples
    --------
    >>> from nebulium.sed import DelayedExponential, load_filters, load_ssp
    >>> table = make_redshift_table(load_ssp(), load_filters("sdss_g0", "sdss_r0"), (0.099, 0.101))
    >>> table.photometry(DelayedExponential(8.0, 2.0), 10.5, 0.1, av_mag=0.3).mag_ab.round()
    Array([18., 17.], dtype=float32)
    """

    lgmet: Float[Array, " met"]
    lg_age_gyr: Float[Array, " age"]
    components: Float[Array, "met age component"]
    flux: Float[Array, "node polynomial band component"]
    curve_mag: Float[Array, "node band"]
    log_1pz_ends: Float[Array, " 2"]
    av_most_mag: Scalar
    wave_ends_aa: Float[Array, " 2"]
    reach_aa: Float[Array, "band 2"]
    cosmology: Cosmology

    def photometry(
        self,
        history: AbstractHistory,
        log_mstar: Scalar | float,
        redshift: Scalar | float,
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
        redshift : scalar
            Outside the range of the table fluxes are NaN.
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
        z = as_float(redshift)
        weights, log_mformed = weigh_templates(
            history, log_mstar, lgmet, lgmet_scatter, self.lgmet, self.lg_age_gyr, age_gyr(z, self.cosmology)
        )
        flux_njy = 10.0**log_mformed * self.flux_of(weights, z, as_float(av_mag))
        ends_aa = self.wave_ends_aa * (1.0 + z)
        covered = (ends_aa[0] <= self.reach_aa[:, 0]) & (ends_aa[1] >= self.reach_aa[:, 1])
        return photometry_of_flux(flux_njy, covered)

    def flux_of(self, weights: Weights, redshift: Scalar, av_mag: Scalar) -> Float[Array, " band"]:
        """Flux density for weights of one's own, such as those of stars of several metallicities.

        Parameters
        ----------
        weights : array (met, age)
            Mass formed in the stars of each template, Msun; or its share, for the flux per solar mass.
        redshift : scalar
            Outside the range of the table fluxes are NaN.
        av_mag : scalar
            A_V in mag; outside 0 to `av_most_mag` fluxes are NaN.

        Returns
        -------
        array (band,)
            nJy, also of bands that are not covered.
        """
        last = self.flux.shape[0] - 1
        first, end = self.log_1pz_ends
        place = (jnp.log1p(redshift) - first) / (end - first) * last
        start = jnp.clip(jnp.floor(place).astype(int) - 1, 0, last - 3)
        share = _cubic(place - start.astype(place.dtype))
        near = jax.lax.dynamic_slice_in_dim(self.flux, start, 4)
        amounts = jnp.einsum("ma,mak->k", weights, self.components, precision="highest")
        at_nodes = jnp.einsum("k,zpbk->zpb", amounts, near, precision="highest")
        coefficients = jnp.einsum("z,zpb->pb", share, at_nodes, precision="highest")
        curve_mag = share @ jax.lax.dynamic_slice_in_dim(self.curve_mag, start, 4)
        flux = behind_dust(coefficients, curve_mag, av_mag, self.av_most_mag)
        inside = (place >= 0.0) & (place <= last)
        return jnp.where(inside, flux * dilution(redshift, self.cosmology), jnp.nan)


def make_redshift_table(
    ssp: SSPGrid,
    filters: Filters,
    redshifts: tuple[float, float],
    *,
    components: int = N_COMPONENTS,
    dust: AbstractDust | None = None,
    av_most_mag: float = AV_MOST_MAG,
    igm: bool = False,
    cosmology: Cosmology = DEFAULT_COSMOLOGY,
) -> RedshiftTable:
    """Fluxes of templates through filters, behind any amount of dust, over a range of redshifts.

    Parameters
    ----------
    ssp : SSPGrid
        From `load_ssp`.
    filters : Filters
        From `load_filters`.
    redshifts : tuple of float
        Least and largest.
    components : int, optional
        How many components the templates are sums of. The wider the range, the more it takes.
    dust : AbstractDust, optional
        Curve of the attenuation, of one magnitude in V whatever its own `av_mag`: `CalzettiDust` unless
        given, or one such as ``SalimDust(1.0, slope=-0.4)``.
    av_most_mag : float, optional
        Largest A_V.
    igm : bool, optional
        Whether hydrogen between the galaxies absorbs, as `igm_transmission` has it; give the templates
        through `resolve_lyman_steps` then.
    cosmology : Cosmology, optional
        Distances and ages.

    Returns
    -------
    RedshiftTable

    Raises
    ------
    SpectrumError
        The redshifts are no range, or the dust has no amount, `av_mag`.

    Examples
    --------
    >>> from nebulium.sed import load_filters, load_ssp
    >>> make_redshift_table(load_ssp(), load_filters("sdss_r0"), (0.1, 0.11), components=16).flux.shape
    (13, 6, 1, 16)
    """
    low, high = redshifts
    if not 0.0 <= low < high:
        raise SpectrumError(
            "redshifts",
            f"expected the least and the largest, not below 0; found {low} and {high}",
            "swap them",
        )
    most = as_float(av_most_mag)
    through = _Through(ssp.wave_aa, typical_light(ssp), filters, unit_dust(dust), most, igm)
    spectra = ssp.flux.reshape(-1, ssp.wave_aa.size)
    seen = _behind_some_dust(through, spectra, _nodes(low, high, _COARSE_STEP))
    amounts, of_templates = _decompose(np.asarray(seen, np.float64), components)
    of_components = jnp.asarray(of_templates @ np.asarray(spectra, np.float64), spectra.dtype)
    nodes = _nodes(low, high, STEP)
    flux, curve_mag = _at_all(through, of_components, nodes)
    return RedshiftTable(
        lgmet=ssp.lgmet,
        lg_age_gyr=ssp.lg_age_gyr,
        components=jnp.asarray(amounts, ssp.flux.dtype).reshape(*ssp.flux.shape[:2], components),
        flux=jnp.moveaxis(flux, 1, -1),
        curve_mag=curve_mag,
        log_1pz_ends=nodes[jnp.array([0, -1])],
        av_most_mag=most,
        wave_ends_aa=ssp.wave_aa[jnp.array([0, -1])],
        reach_aa=filters.reach_aa,
        cosmology=cosmology,
    )


class _Through(eqx.Module):
    """The way of spectra through dust, hydrogen and filters."""

    wave_rest_aa: Float[Array, " wave"]
    light: Float[Array, " wave"]
    filters: Filters
    dust: AbstractDust
    av_most_mag: Scalar
    igm: bool = eqx.field(static=True)

    def __call__(
        self, spectra: Float[Array, "template wave"], log_1pz: Scalar
    ) -> tuple[Float[Array, "template polynomial band"], Float[Array, " band"]]:
        """Coefficients of the flux of each spectrum, and the attenuation of each band."""
        response = response_at(self.wave_rest_aa, self.filters, jnp.expm1(log_1pz), igm=self.igm)
        per_av = self.dust.attenuation_mag(self.wave_rest_aa)
        dimming = dim(self.light, response, per_av, self.av_most_mag)
        return template_fluxes(spectra, response, dimming), dimming.curve_mag


@eqx.filter_jit
def _at_all(
    through: _Through, spectra: Float[Array, "template wave"], nodes: Float[Array, " node"]
) -> tuple[Float[Array, "node template polynomial band"], Float[Array, "node band"]]:
    """Coefficients at each redshift, and the attenuation of each band."""
    return jax.lax.map(lambda log_1pz: through(spectra, log_1pz), nodes)


@eqx.filter_jit
def _behind_some_dust(
    through: _Through, spectra: Float[Array, "template wave"], nodes: Float[Array, " node"]
) -> Float[Array, "node template column"]:
    """Fluxes in all bands without dust and behind half of the most."""

    def at(log_1pz: Scalar) -> Float[Array, "template column"]:
        coefficients, curve_mag = through(spectra, log_1pz)
        of_each = jax.vmap(behind_dust, in_axes=(0, None, None, None))
        seen = [
            of_each(coefficients, curve_mag, share * through.av_most_mag, through.av_most_mag)
            for share in _AV_SHARES
        ]
        return jnp.concatenate(seen, axis=1)

    return jax.lax.map(at, nodes)


def _decompose(
    seen: Float[np.ndarray, "node template column"], count: int
) -> tuple[Float[np.ndarray, "template component"], Float[np.ndarray, "component template"]]:
    """Amount of each component in each template, and the components as sums of templates."""
    brightest = seen.max(axis=(1, 2), keepdims=True)
    light = np.concatenate([*(seen / brightest)], axis=1)
    light = light[:, light.max(axis=0) > _LEAST_LIGHT]
    # Faint templates and faint bands count like bright ones: it is relative errors that should be small.
    log_light = np.log(np.maximum(light, _FAINTEST))
    of_template = np.exp(-log_light.mean(axis=1))
    even = light * of_template[:, None]
    even /= np.exp(np.log(np.maximum(even, _FAINTEST)).mean(axis=0))
    _, vectors = np.linalg.eigh(even @ even.T)
    largest = vectors[:, ::-1][:, :count]
    return largest / of_template[:, None], largest.T * of_template


def _cubic(place: Scalar) -> Float[Array, " 4"]:
    """Shares of four nodes at 0, 1, 2 and 3 in the cubic polynomial through them."""
    from_0, from_1, from_2, from_3 = (place - node for node in (0.0, 1.0, 2.0, 3.0))
    return jnp.stack(
        [
            -from_1 * from_2 * from_3 / 6.0,
            from_0 * from_2 * from_3 / 2.0,
            -from_0 * from_1 * from_3 / 2.0,
            from_0 * from_1 * from_2 / 6.0,
        ]
    )


def _nodes(low: float, high: float, step: float) -> Float[Array, " node"]:
    """Values of ln(1 + z), one more on either side than the range needs."""
    first, last = np.log1p([low, high])
    count = int(np.ceil((last - first) / step))
    return jnp.asarray(np.linspace(first - step, first + (count + 1) * step, count + 3), jnp.float32)
