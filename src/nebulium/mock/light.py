"""From the properties and the structure of a galaxy to its light: spectra, lines, photometry."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from nebulium.lines.chain import check_spans_bins, lines_njy
from nebulium.lines.fixed_grid import Interpolation, bin_means, interpolation
from nebulium.lines.injection.profiles import LINE_CENTRES_AA, lines_on_continuum
from nebulium.lines.input import COLOURS_ONLY
from nebulium.lines.model import LineModel
from nebulium.mock.components import COMPONENTS, formed_shares
from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.structure import Structure
from nebulium.modelfile import load_model
from nebulium.sed.band_fluxes import covers, mean_flux_njy, photometry_of_flux
from nebulium.sed.cosmology import DEFAULT_COSMOLOGY, Cosmology, Scalar, age_gyr
from nebulium.sed.dust import CalzettiDust
from nebulium.sed.filters import Filters
from nebulium.sed.igm import LYMAN_ALPHA_AA, LYMAN_LIMIT_AA, igm_transmission, resolve_lyman_steps
from nebulium.sed.spectrum import Galaxy, observe, rest_spectra_of_parts
from nebulium.sed.ssp import SSPGrid, load_ssp

YOUNG = COMPONENTS.index("young")
# The highest redshift of the galaxies that the packaged line models were trained on.
LINES_REDSHIFT_MOST = 0.3


class ComponentSpectra(eqx.Module):
    """Starlight of the components as it arrives, without lines.

    Parameters
    ----------
    wave_aa : array (wave,)
        Observed wavelength in vacuum, AA.
    flux_lambda : array (component, wave)
        1e-17 erg/s/cm2/AA.
    log_mformed : scalar
        log10 of all mass ever formed, Msun.
    """

    wave_aa: Float[Array, "*n wave"]
    flux_lambda: Float[Array, "*n component wave"]
    log_mformed: Float[Array, "*n"]


class Light(eqx.Module):
    """The light of one galaxy, or of many.

    Parameters
    ----------
    flux_njy : array (component, band)
        Flux density of bulge, old disc and young disc, nJy; the young one has all the lines. NaN where the
        band is not covered.
    mag_ab : array (band,)
        AB magnitude of the total; NaN where the band is not covered or nothing comes through.
    covered : array (band,) of bool
        Whether the templates span the band at this redshift; those shipped end at 19,950 AA at rest.
    ew_aa : array (10,)
        Rest-frame equivalent width of each line, AA, emission positive.
    line_flux : array (10,)
        1e-17 erg/s/cm2, of the whole galaxy.
    lines_in_domain : bool
        Whether the line model was trained on continua like this one, and at redshifts up to this one.
    log_sfr : scalar
        log10 of the mean star-formation rate over the last 100 Myr, Msun/yr.
    log_mformed : scalar
        log10 of all mass ever formed, Msun.
    continuum_flux : array (12,)
        Continuum that the line model saw, 1e-17 erg/s/cm2/AA.
    """

    flux_njy: Float[Array, "*n component band"]
    mag_ab: Float[Array, "*n band"]
    covered: Bool[Array, "*n band"]
    ew_aa: Float[Array, "*n 10"]
    line_flux: Float[Array, "*n 10"]
    lines_in_domain: Bool[Array, "*n"]
    log_sfr: Float[Array, "*n"]
    log_mformed: Float[Array, "*n"]
    continuum_flux: Float[Array, "*n 12"]


class LightModel(eqx.Module):
    """Properties and structure of one galaxy in, its light out; make one with `make_light_model`.

    It assumes:

    - All components have the galaxy's metallicity and its dust, the curve of Calzetti et al. (2000) with
      the galaxy's A_V, so that they add up to the spectrum of the whole history: the light that a fit
      with that history, such as those of the 3D-HST catalogue, would have seen. Colours differ between
      components by the ages of their stars alone.
    - No ionising light leaves the galaxy: below the Lyman limit, 911.8 AA at rest, there is none. Further
      hydrogen is that of the intergalactic medium on average (Inoue et al. 2014).
    - Ten optical lines, whose equivalent widths are drawn given the total continuum, with the dust,
      inclination and mix of galaxies of the training set. Lyman alpha and the lines of the
      ultraviolet and infrared are missing.

    For many galaxies use `jax.vmap`, and hand the model to the jitted function as an argument: as a constant
    it would be compiled in.

    Parameters
    ----------
    ssp : SSPGrid
        Templates with the Lyman steps resolved and no ionising light.
    filters : Filters
        The bands.
    line_model : LineModel
        Draws the equivalent widths.
    cosmology : Cosmology
        Distances and ages.

    Examples
    --------
    >>> from nebulium.sed import load_filters
    >>> make_light_model(load_filters("sdss_g0", "sdss_r0")).filters.names
    ('sdss_g0', 'sdss_r0')
    """

    ssp: SSPGrid
    filters: Filters
    line_model: LineModel
    cosmology: Cosmology
    _to_lines: Interpolation
    _bin_means: Float[Array, "wave 12"]
    _n_absorbed: int = eqx.field(static=True)

    def __call__(self, properties: GalaxyProperties, structure: Structure, key: Key[Array, ""]) -> Light:
        """Light of one galaxy.

        Parameters
        ----------
        properties : GalaxyProperties
            Its physical properties.
        structure : Structure
            Its share of the bulge is used.
        key : jax key
            Draws the lines.

        Returns
        -------
        Light
        """
        stars, redshift = self.spectra(properties, structure), properties.redshift
        total = stars.flux_lambda.sum(axis=0)
        continuum_flux = total @ self._bin_means
        ew_aa = self.line_model.density(continuum_flux, redshift).sample(key, 1)[0]
        lines = lines_on_continuum(self._to_lines(total), ew_aa, redshift, self.cosmology)
        flux_njy, covered = band_fluxes(stars, lines.line_flux, redshift, self.filters)
        return Light(
            flux_njy=jnp.where(covered[None, :], flux_njy, jnp.nan),
            mag_ab=photometry_of_flux(flux_njy.sum(axis=0), covered).mag_ab,
            covered=covered,
            ew_aa=ew_aa,
            line_flux=lines.line_flux,
            lines_in_domain=self._lines_in_domain(continuum_flux, redshift),
            log_sfr=properties.log_sfr(self.cosmology),
            log_mformed=stars.log_mformed,
            continuum_flux=continuum_flux,
        )

    def _lines_in_domain(self, continuum_flux: Float[Array, "12"], redshift: Scalar) -> Bool[Array, ""]:
        """The model sees colours alone, and gas at high redshift differs behind the same colours."""
        alike = self.line_model.domain.contains(self.line_model.features(continuum_flux, redshift))
        return alike & (redshift <= LINES_REDSHIFT_MOST)

    def spectra(self, properties: GalaxyProperties, structure: Structure) -> ComponentSpectra:
        """Starlight of the components of one galaxy, behind its dust and the intergalactic medium.

        Parameters
        ----------
        properties : GalaxyProperties
            Its physical properties.
        structure : Structure
            Its share of the bulge is used.

        Returns
        -------
        ComponentSpectra
        """
        redshift = properties.redshift
        galaxy = Galaxy(
            properties.history(),
            properties.log_mstar,
            redshift,
            lgmet=properties.lgmet,
            dust=CalzettiDust(properties.av_mag),
        )
        t_obs = age_gyr(redshift, self.cosmology)
        shares = formed_shares(galaxy.history, structure.bulge_share, self.ssp.lg_age_gyr, t_obs)
        rest = rest_spectra_of_parts(galaxy, shares, self.ssp)
        seen = jax.vmap(observe, in_axes=(None, 0, None, None))(
            self.ssp.wave_aa, rest.lum_lsun_hz, redshift, self.cosmology
        )
        wave_aa = self.ssp.wave_aa * (1.0 + redshift)
        transmission = self._transmission(wave_aa, redshift)
        return ComponentSpectra(wave_aa, seen.flux_lambda * transmission[None, :], rest.log_mformed)

    def _transmission(self, wave_aa: Float[Array, " wave"], redshift: Scalar) -> Float[Array, " wave"]:
        absorbed = igm_transmission(wave_aa[: self._n_absorbed], redshift)
        return jnp.concatenate([absorbed, jnp.ones(wave_aa.size - self._n_absorbed, absorbed.dtype)])


def band_fluxes(
    stars: ComponentSpectra, line_flux: Float[Array, "10"], redshift: Scalar, filters: Filters
) -> tuple[Float[Array, "component band"], Bool[Array, " band"]]:
    """Flux density of the components through filters, lines with the young one; and what is covered."""
    covered = covers(stars.wave_aa, stars.flux_lambda.sum(axis=0), filters)
    stars_njy = jax.vmap(mean_flux_njy, in_axes=(None, 0, None))(stars.wave_aa, stars.flux_lambda, filters)
    return stars_njy.at[YOUNG].add(lines_njy(line_flux, redshift, filters)), covered


def make_light_model(
    filters: Filters,
    line_model: LineModel | None = None,
    ssp: SSPGrid | None = None,
    cosmology: Cosmology = DEFAULT_COSMOLOGY,
) -> LightModel:
    """Prepare the way from properties to light.

    Parameters
    ----------
    filters : Filters
        From `nebulium.sed.load_filters`.
    line_model : LineModel, optional
        The packaged ``desi-lines-colours`` unless given. It sees colours alone. The model with luminosity
        was trained on the light in a fibre, at redshifts below 0.5: a mock galaxy has no fibre, and most of
        them lie beyond.
    ssp : SSPGrid, optional
        The shipped grid unless given.
    cosmology : Cosmology, optional
        Distances and ages.

    Returns
    -------
    LightModel

    Raises
    ------
    NebuliumError
        The templates do not span the twelve bins of the line model.

    Examples
    --------
    >>> from nebulium.mock.structure import draw_structure
    >>> from nebulium.sed import load_filters
    >>> model = make_light_model(load_filters("sdss_g0", "sdss_r0"))
    >>> galaxy = GalaxyProperties(0.1, 10.5, 9.0, 3.0, 0.3, 8.9, -1.7)
    >>> light = model(galaxy, draw_structure(galaxy, jax.random.key(0)), jax.random.key(1))
    >>> light.flux_njy.shape, bool(light.covered.all())
    ((3, 2), True)
    """
    line_model = load_model(COLOURS_ONLY, of=LineModel) if line_model is None else line_model
    ssp = load_ssp() if ssp is None else ssp
    check_spans_bins(ssp)
    ssp = _without_ionising_light(resolve_lyman_steps(ssp))
    wave = np.asarray(ssp.wave_aa)
    return LightModel(
        ssp,
        filters,
        line_model,
        cosmology,
        interpolation(wave, LINE_CENTRES_AA),
        bin_means(wave),
        int(np.searchsorted(wave, LYMAN_ALPHA_AA)),
    )


def _without_ionising_light(ssp: SSPGrid) -> SSPGrid:
    passes = (ssp.wave_aa > LYMAN_LIMIT_AA).astype(ssp.flux.dtype)
    return eqx.tree_at(lambda grid: grid.flux, ssp, ssp.flux * passes[None, None, :])
