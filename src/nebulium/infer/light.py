"""Light of a galaxy of given properties: its stars through filters, and what emission lines add to them.

Beside the bands, the tables hold the continuum in the twelve bins that the models of lines see. Lines follow
from the continuum by a law, not a number: what they add to the bands has a mean and a covariance.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.infer.line_light import LineLight
from nebulium.infer.parameters import DUST, LGMET_SCATTER, MASS, METALS, Theta, history_of
from nebulium.lines.fixed_grid import bin_means, interpolation
from nebulium.lines.injection.line_grid import COMPONENT_WAVES_AA
from nebulium.lines.injection.profiles import LINE_CENTRES_AA, component_fluxes
from nebulium.sed.band_fluxes import line_njy_per_flux
from nebulium.sed.band_table import BandTable, make_band_table, response_table, weigh_templates
from nebulium.sed.cosmology import DEFAULT_COSMOLOGY, Cosmology, Scalar, as_float
from nebulium.sed.filters import Filters
from nebulium.sed.spectrum import dilution
from nebulium.sed.ssp import SSPGrid

N_BINS, N_LINES = 12, 10


class BandLight(NamedTuple):
    """What a galaxy sends through each filter.

    Parameters
    ----------
    mean : array (band,)
        Stars and lines, nJy.
    factor : array (band, k)
        Times k normal numbers: how lines scatter about their mean.
    log_mformed : scalar
        log10 of all mass ever formed, Msun.
    """

    mean: Float[Array, " band"]
    factor: Float[Array, "band k"]
    log_mformed: Scalar


class GalaxyTable(eqx.Module):
    """Light of galaxies at one redshift: a table for bands and bins, and the way of lines into bands.

    Parameters
    ----------
    stars : BandTable
        Of the filters, nJy, then of the twelve bins, 1e-17 erg/s/cm2/AA.
    njy_per_line : array (band, 10)
        Flux density that a line of 1e-17 erg/s/cm2 adds to each band.
    redshift : scalar
    """

    stars: BandTable
    njy_per_line: Float[Array, "band 10"]
    redshift: Scalar

    def light(self, theta: Theta, lines: LineLight) -> BandLight:
        """Light of a galaxy of these properties."""
        weights, log_mformed = weigh_templates(
            history_of(theta, self.stars.t_obs_gyr),
            theta[MASS],
            theta[METALS],
            LGMET_SCATTER,
            self.stars.lgmet,
            self.stars.lg_age_gyr,
            self.stars.t_obs_gyr,
        )
        seen = 10.0**log_mformed * self.stars.flux_of(weights, theta[DUST])
        band_njy, bins = seen[:-N_BINS], seen[-N_BINS:]
        mean, factor = lines.line_flux(bins, self.redshift)
        return BandLight(band_njy + self.njy_per_line @ mean, self.njy_per_line @ factor, log_mformed)


class LightSource(eqx.Module):
    """Makes the table of each redshift; from `make_light_source`.

    Parameters
    ----------
    ssp : SSPGrid
    filters : Filters
    continuum : BandTable
        Of the twelve bins, then of the continuum at the ten lines, at rest and as luminosity.
    cosmology : Cosmology
    """

    ssp: SSPGrid
    filters: Filters
    continuum: BandTable
    cosmology: Cosmology

    def at(self, redshift: Scalar) -> GalaxyTable:
        """The table of one redshift."""
        bands = make_band_table(self.ssp, self.filters, redshift, cosmology=self.cosmology)
        bins, scale = self.continuum, self.continuum_scale(redshift)
        joined = eqx.tree_at(
            lambda table: (table.flux_njy, table.curve_mag, table.covered),
            bands,
            tuple(
                jnp.concatenate([of_bands, of_bins], axis=-1)
                for of_bands, of_bins in (
                    (bands.flux_njy, scale * bins.flux_njy[..., :N_BINS]),
                    (bands.curve_mag, bins.curve_mag[:N_BINS]),
                    (bands.covered, bins.covered[:N_BINS]),
                )
            ),
        )
        return GalaxyTable(joined, self.njy_per_line(redshift), redshift)

    def continuum_scale(self, redshift: Scalar) -> Scalar:
        """From the table of the continuum to 1e-17 erg/s/cm2/AA as observed."""
        return dilution(redshift, self.cosmology) / (1.0 + redshift) ** 2

    def njy_per_line(self, redshift: Scalar) -> Float[Array, "band 10"]:
        """Flux density that each of the ten lines adds to each band for 1e-17 erg/s/cm2."""
        response = line_njy_per_flux(jnp.asarray(COMPONENT_WAVES_AA) * (1.0 + redshift), self.filters)
        return response @ jax.vmap(component_fluxes)(jnp.eye(N_LINES, dtype=jnp.float32)).T


def make_light_source(
    ssp: SSPGrid, filters: Filters, cosmology: Cosmology = DEFAULT_COSMOLOGY
) -> LightSource:
    """Prepare the light of galaxies at any redshift."""
    wave = np.asarray(ssp.wave_aa)
    to_lines, rows = interpolation(wave, LINE_CENTRES_AA), np.arange(N_LINES)
    at_lines = np.zeros((N_LINES, wave.size), np.float32)
    at_lines[rows, np.asarray(to_lines.left)] = 1.0 - np.asarray(to_lines.share)
    at_lines[rows, np.asarray(to_lines.left) + 1] = np.asarray(to_lines.share)
    response = np.concatenate([np.asarray(bin_means(wave)).T, at_lines]) / wave[None, :] ** 2
    continuum = response_table(ssp, jnp.asarray(response, jnp.float32), as_float(0.0))
    return LightSource(ssp, filters, continuum, cosmology)
