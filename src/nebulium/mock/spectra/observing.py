"""Mock galaxies through a spectrograph: light in the fibre, lines at its resolution, noise."""

from functools import cache, partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.stats import ncx2

from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.lines.injection.profiles import FWHM_PER_SIGMA, line_spectrum
from nebulium.mock.galaxies import GalaxyMaker, MockGalaxy, arcsec_of_kpc
from nebulium.mock.light import LightModel
from nebulium.mock.spectra.spectrographs import Fibre, SpectralPixels, Spectrograph
from nebulium.mock.structure import Structure, enclosed_light
from nebulium.nn.mapping import in_batches
from nebulium.sed.cosmology import Scalar

GAS_DISPERSION_KM_S = 80.0
#: Stream of random numbers of the noise of spectra; those of images and neighbours have others.
NOISE_STREAM = 3
#: Signal to noise of the mean flux that spectra without noise are given: a variance of 0 has no inverse.
NOMINAL_SN = 1000.0
BATCH = 64


def observe_spectra(
    maker: GalaxyMaker, galaxies: MockGalaxy, ids: np.ndarray, spectrograph: Spectrograph, *, seed: int
) -> Spectra:
    """Spectra of mock galaxies, in the observed frame and in vacuum.

    Continuum and lines are those of the galaxy as a whole, with its equivalent widths, times the part of the
    light that the fibre takes in. That part is counted as surveys count: as their fluxes are tied to stars in
    the same fibres, what a star loses is given back. The continuum is no sharper than the templates, about
    20 AA; lines have the width of the gas, sigma 80 km/s, and of the instrument. Noise is that of the sky and
    of the photons of the galaxy, independent between pixels.

    Parameters
    ----------
    maker : GalaxyMaker
        That made them.
    galaxies : MockGalaxy
        In arrays (n, ...).
    ids : ndarray of int of shape (n,)
        Numbers of the galaxies; the noise depends on these and on the seed.
    spectrograph : Spectrograph
        From `find_spectrograph`.
    seed : int
        Of the noise.

    Returns
    -------
    Spectra
        With the columns `fibre_fraction` and `median_sn_per_pixel`; beyond the end of the templates the
        inverse variance is 0. Spectra without noise have that of a thousandth of their mean flux.

    Examples
    --------
    >>> from nebulium.mock import GalaxyProperties, find_spectrograph, find_survey, make_galaxy_maker
    >>> maker = make_galaxy_maker(find_survey("sdss"))
    >>> properties = GalaxyProperties(0.1, 10.5, 8.0, 4.0, 0.5, 8.9, -1.7)
    >>> galaxy = eqx.filter_jit(maker)(properties, jax.random.key(1))
    >>> one = jax.tree.map(lambda leaf: np.asarray(leaf)[None], galaxy)
    >>> spectra = observe_spectra(maker, one, np.array([7]), find_spectrograph("sdss"), seed=1)
    >>> spectra.flux_lambda.shape, bool(0 < spectra.columns["fibre_fraction"][0] < 1)
    ((1, 3840), True)
    """
    pixels, survey = spectrograph.pixels(), maker.survey
    band = survey.instrument().band_names.index(survey.limit.band)
    seen = partial(_seen, maker.light_model, pixels, spectrograph.fibre, band)
    flux, fraction = in_batches(seen, galaxies, size=BATCH)
    covered = np.isfinite(flux)
    flux = np.where(covered, flux, np.float32(0.0))
    if spectrograph.fibre is None:
        sigma = np.broadcast_to(_mean(flux, covered)[:, None] / np.float32(NOMINAL_SN), flux.shape)
    else:
        photons = np.asarray(pixels.photon_variance) * np.maximum(flux, 0.0)
        sigma = np.sqrt(np.asarray(pixels.sky_sigma) ** 2 + photons)
        flux = np.where(covered, flux + sigma * _noise(seed, ids, flux.shape[1]), np.float32(0.0))
    lsf = None if spectrograph.fibre is None else _rows(pixels.lsf_sigma_aa, len(ids))
    return Spectra(
        ids=np.asarray(ids),
        wave_aa=_rows(pixels.wave_aa, len(ids)),
        flux_lambda=flux,
        ivar=np.where(covered, sigma**-2, np.float32(0.0)),
        redshift=np.asarray(galaxies.properties.redshift, np.float64),
        lsf_sigma_aa=lsf,
        metadata=_metadata(maker, spectrograph, seed),
        name=survey.name,
        columns={"fibre_fraction": fraction, "median_sn_per_pixel": _median_sn(flux / sigma, covered)},
    )


@eqx.filter_jit
def _seen(
    light_model: LightModel, pixels: SpectralPixels, fibre: Fibre | None, band: int, galaxies: MockGalaxy
) -> tuple[Float[Array, "n wave"], Float[Array, " n"]]:
    """Spectra without noise, NaN beyond the templates, and the part of the light that is in them."""

    def one(galaxy: MockGalaxy) -> tuple[Float[Array, " wave"], Scalar]:
        properties, structure = galaxy.properties, galaxy.structure
        stars = light_model.spectra(properties, structure)
        total = stars.flux_lambda.sum(axis=0)
        continuum = jnp.interp(pixels.wave_aa, stars.wave_aa, total, left=jnp.nan, right=jnp.nan)
        emission = line_spectrum(
            pixels.wave_aa,
            galaxy.light.line_flux,
            properties.redshift,
            velocity_dispersion_km_s=GAS_DISPERSION_KM_S,
            lsf_sigma_aa=pixels.lsf_sigma_aa,
        )
        fraction = jnp.ones_like(properties.redshift)
        if fibre is not None:
            light = galaxy.light.flux_njy[:, band]
            fraction = fibre_fraction(structure, light / light.sum(), properties.redshift, fibre)
        return fraction * (continuum + emission), fraction

    return jax.vmap(one)(galaxies)


def fibre_fraction(structure: Structure, shares: Float[Array, "3"], redshift: Scalar, fibre: Fibre) -> Scalar:
    """Light of a galaxy in the fibre over all of it, over the same of a star.

    Each component is taken as round, with the half-light radius of the circle as large as its ellipse; the
    seeing is a Gaussian.
    """
    edges, caught = _caught(fibre)
    cos_squared = structure.cos_inclination**2
    disc_axis_ratio = jnp.sqrt(cos_squared + (1.0 - cos_squared) * structure.disc_thickness**2)

    def circular_arcsec(re_kpc: Scalar, axis_ratio: Scalar) -> Scalar:
        return arcsec_of_kpc(re_kpc, redshift) * jnp.sqrt(axis_ratio)

    enclosed = enclosed_light(
        jnp.asarray(edges),
        shares,
        structure.bulge_sersic_n,
        circular_arcsec(structure.bulge_re_kpc, structure.bulge_axis_ratio),
        circular_arcsec(structure.disc_re_kpc, disc_axis_ratio),
        circular_arcsec(structure.young_re_kpc, disc_axis_ratio),
    )
    return jnp.diff(enclosed) @ jnp.asarray(caught)


@cache
def _caught(fibre: Fibre) -> tuple[Float[np.ndarray, " edge"], Float[np.ndarray, " ring"]]:
    """Ends of rings around the fibre in arcsec, and the share of their light that it takes in, over a star's.

    Light from the distance r, spread by a Gaussian, falls within the radius R of the fibre as often as a
    noncentral chi-squared variable of two degrees of freedom stays below R^2.
    """
    radius, sigma = 0.5 * fibre.diameter_arcsec, fibre.seeing_fwhm_arcsec / FWHM_PER_SIGMA
    edges = np.concatenate([[0.0], np.geomspace(0.01, radius + 5.0 * sigma, 120)])
    middles = 0.5 * (edges[1:] + edges[:-1])
    within = ncx2.cdf((radius / sigma) ** 2, 2, (middles / sigma) ** 2)
    star = -np.expm1(-0.5 * (radius / sigma) ** 2)
    return edges.astype(np.float32), (within / star).astype(np.float32)


def _noise(seed: int, ids: np.ndarray, pixels: int) -> Float[np.ndarray, "n wave"]:
    rngs = (np.random.default_rng([seed, int(index), NOISE_STREAM]) for index in ids)
    return np.stack([rng.standard_normal(pixels, np.float32) for rng in rngs])


def _mean(flux: np.ndarray, covered: np.ndarray) -> Float[np.ndarray, " n"]:
    """Mean flux of each spectrum where there is any."""
    mean = flux.sum(axis=1) / np.maximum(covered.sum(axis=1), 1)
    return np.where(mean > 0, mean, 1.0).astype(np.float32)


def _median_sn(signal_to_noise: np.ndarray, covered: np.ndarray) -> Float[np.ndarray, " n"]:
    return np.nanmedian(np.where(covered, signal_to_noise, np.nan), axis=1).astype(np.float32)


def _rows(values: Array, n: int) -> Float[np.ndarray, "n wave"]:
    return np.broadcast_to(np.asarray(values), (n, values.size))


def _metadata(maker: GalaxyMaker, spectrograph: Spectrograph, seed: int) -> dict[str, Any]:
    return {
        "survey": maker.survey.name,
        "seed": seed,
        "spectra": f"{spectrograph.name}: {spectrograph.about}",
        "velocity_dispersion_km_s": GAS_DISPERSION_KM_S,
    }
