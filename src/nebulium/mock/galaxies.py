"""From a key to a galaxy as a survey measures it: properties, structure, light, photometry, label."""

from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from nebulium.mock.images.point_spread import ARCSEC_PER_RADIAN
from nebulium.mock.light import Light, LightModel, band_fluxes, make_light_model
from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.structure import Structure, draw_structure, half_light_radius
from nebulium.mock.survey.selection import MeasuredPhotometry, PhotometricNoise, photometric_noise
from nebulium.mock.survey.survey_list import Survey
from nebulium.sed import Filters, load_filters
from nebulium.sed.band_fluxes import photometry_of_flux
from nebulium.sed.cosmology import DEFAULT_COSMOLOGY, Scalar, luminosity_distance_mpc


@runtime_checkable
class Population(Protocol):
    """Draws the properties of galaxies."""

    def draw(self, key: Key[Array, ""]) -> GalaxyProperties:
        """One galaxy."""
        ...


class MockGalaxy(eqx.Module):
    """One galaxy of a mock survey, or many in arrays (n, ...).

    Parameters
    ----------
    properties : GalaxyProperties
        Its physical properties.
    structure : Structure
        Its bulge, discs, arms and clumps.
    light : Light
        Its true light.
    half_light_radius_kpc : scalar
        Half-light radius of the whole galaxy along its major axis, in the band of the magnitude limit.
    measured : MeasuredPhotometry
        Its photometry with noise.
    redshift_spec : scalar
        Spectroscopic redshift; NaN where the galaxy has no spectrum.
    selected : scalar of bool
        Whether it passes the magnitude limit, and its half-light radius is smaller than the survey's largest.
    """

    properties: GalaxyProperties
    structure: Structure
    light: Light
    half_light_radius_kpc: Float[Array, "*n"]
    measured: MeasuredPhotometry
    redshift_spec: Float[Array, "*n"]
    selected: Bool[Array, "*n"]


class BandPhotometry(eqx.Module):
    """Brightness of a whole galaxy in some bands, or of many in arrays (n, band).

    Parameters
    ----------
    flux_njy, mag_ab : array (band,)
        The truth, in nJy and AB magnitudes; NaN where the templates do not span the band.
    measured : MeasuredPhotometry
        With noise.
    """

    flux_njy: Float[Array | np.ndarray, "*n band"]
    mag_ab: Float[Array | np.ndarray, "*n band"]
    measured: MeasuredPhotometry


class FurtherBands(eqx.Module):
    """What measures the bands of a catalogue that its images lack.

    Parameters
    ----------
    filters : Filters
    noise : PhotometricNoise
    """

    filters: Filters
    noise: PhotometricNoise


class GalaxyMaker(eqx.Module):
    """Makes galaxies of a survey, one a key; from `make_galaxy_maker`. Jit and vmap it for many.

    Parameters
    ----------
    survey : Survey
        The survey that sees the galaxies.
    light_model : LightModel
        Makes their light.
    noise : PhotometricNoise
        Measures their photometry.
    further : FurtherBands, optional
        The bands that the survey's images lack.

    Examples
    --------
    >>> from nebulium.mock.survey.survey_list import find_survey
    >>> make_galaxy_maker(find_survey("sdss")).survey.limit.band
    'r'
    """

    survey: Survey = eqx.field(static=True)
    light_model: LightModel
    noise: PhotometricNoise
    further: FurtherBands | None = None

    def __call__(self, properties: GalaxyProperties, key: Key[Array, ""]) -> MockGalaxy:
        """Make one galaxy.

        Parameters
        ----------
        properties : GalaxyProperties
            Its physical properties.
        key : jax key
            Draws its structure, its lines, the noise and the label.

        Returns
        -------
        MockGalaxy
        """
        for_structure, for_light, for_noise, for_label = jax.random.split(key, 4)
        structure = draw_structure(properties, for_structure)
        light = self.light_model(properties, structure, for_light)
        band = self.survey.instrument().band_names.index(self.survey.limit.band)
        radius_kpc = half_light_radius_kpc(structure, light.flux_njy[:, band])
        flux_njy = jnp.where(light.covered, jnp.sum(light.flux_njy, axis=0), jnp.nan)
        radius_arcsec = arcsec_of_kpc(radius_kpc, properties.redshift)
        measured = self.noise(flux_njy, radius_arcsec, for_noise)
        mag_ab = measured.mag_ab[band]
        redshift_spec = self.survey.labels.redshift(
            properties.redshift, mag_ab, light.log_sfr - properties.log_mstar, for_label
        )
        return MockGalaxy(
            properties=properties,
            structure=structure,
            light=light,
            half_light_radius_kpc=radius_kpc,
            measured=measured,
            redshift_spec=redshift_spec,
            selected=self.survey.limit.passes(mag_ab) & (radius_arcsec < self.survey.largest_arcsec()),
        )

    def further_photometry(self, galaxy: MockGalaxy, key: Key[Array, ""]) -> BandPhotometry | None:
        """Measure one galaxy in the bands of the catalogue that the images lack.

        They do not decide whether a galaxy is selected, and so are made for those that are.

        Parameters
        ----------
        galaxy : MockGalaxy
        key : jax key
            Draws the noise; another one than that of the galaxy.

        Returns
        -------
        BandPhotometry or None
            In the order of the instrument's `catalogue_only`; None if it has none.
        """
        if self.further is None:
            return None
        properties, filters = galaxy.properties, self.further.filters
        stars = self.light_model.spectra(properties, galaxy.structure)
        parts, covered = band_fluxes(stars, galaxy.light.line_flux, properties.redshift, filters)
        true = photometry_of_flux(parts.sum(axis=0), covered)
        radius_arcsec = arcsec_of_kpc(galaxy.half_light_radius_kpc, properties.redshift)
        measured = self.further.noise(true.flux_njy, radius_arcsec, key)
        return BandPhotometry(true.flux_njy, true.mag_ab, measured)


def make_galaxy_maker(survey: Survey, **options: Any) -> GalaxyMaker:
    """Prepare to make the galaxies of a survey.

    Parameters
    ----------
    survey : Survey
        From `find_survey`.
    options : Any
        For `make_light_model`: other templates, another line model, another cosmology.

    Returns
    -------
    GalaxyMaker

    Raises
    ------
    NebuliumError
        A filter is unknown.
    MissingExtraError
        A package of the extra `mock` is missing.

    Examples
    --------
    >>> from nebulium.mock.survey.survey_list import find_survey
    >>> make = make_galaxy_maker(find_survey("sdss"))
    >>> properties = GalaxyProperties(0.1, 10.5, 8.0, 4.0, 0.5, 8.9, -1.7)
    >>> eqx.filter_jit(make)(properties, jax.random.key(1)).light.mag_ab.shape
    (3,)
    """
    instrument = survey.instrument()
    light_model = make_light_model(load_filters(*instrument.filters), **options)
    further = None
    if instrument.catalogue_only:
        others = replace(instrument, bands=instrument.catalogue_only)
        further = FurtherBands(load_filters(*others.filters), photometric_noise(others))
    return GalaxyMaker(survey, light_model, photometric_noise(instrument), further)


def load_population(survey: Survey) -> Population:
    """The population that a survey is drawn from.

    Parameters
    ----------
    survey : Survey
        From `find_survey`.

    Returns
    -------
    Population
        With a method `draw(key)`.

    Raises
    ------
    MissingExtraError
        flowjax is not installed.

    Examples
    --------
    >>> from nebulium.mock.survey.survey_list import find_survey
    >>> population = load_population(find_survey("sdss"))
    >>> bool(population.draw(jax.random.key(0)).redshift < 0.5)
    True
    """
    if survey.population == "candels":
        from nebulium.mock.populations.candels import candels_population

        return candels_population()
    from nebulium.mock.populations.sdss import sdss_population

    return sdss_population()


def half_light_radius_kpc(structure: Structure, flux: Float[Array, " component"]) -> Scalar:
    """Half-light radius in kpc of a whole galaxy along its major axis."""
    return half_light_radius(
        flux / jnp.sum(flux),
        structure.bulge_sersic_n,
        structure.bulge_re_kpc,
        structure.disc_re_kpc,
        structure.young_re_kpc,
    )


def arcsec_of_kpc(radius_kpc: Scalar, redshift: Scalar) -> Scalar:
    """Angle that a length has at a redshift."""
    angular_distance_kpc = 1e3 * luminosity_distance_mpc(redshift, DEFAULT_COSMOLOGY) / (1.0 + redshift) ** 2
    return ARCSEC_PER_RADIAN * radius_kpc / angular_distance_kpc
