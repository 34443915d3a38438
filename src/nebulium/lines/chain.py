"""The differentiable chain: stars and dust to continuum, continuum to lines, both to spectra and magnitudes.

Magnitudes with lines need no fine spectrum: a line is narrow against any filter, so its flux times the
filter's response at the line is added to the band's flux.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.errors import NebuliumError
from nebulium.lines.continuum.bins import BIN_EDGES_AA
from nebulium.lines.continuum.line_list import Continuum, OfLines
from nebulium.lines.fixed_grid import (
    REACH_KM_S,
    Interpolation,
    LineWindows,
    bin_means,
    interpolation,
    windows_of_lines,
)
from nebulium.lines.injection.line_grid import COMPONENT_WAVES_AA, line_grid
from nebulium.lines.injection.profiles import (
    LINE_CENTRES_AA,
    EmissionLines,
    component_fluxes,
    lines_on_continuum,
)
from nebulium.nn.mapping import padded_batches
from nebulium.sed.band_fluxes import Photometry, covers, line_njy_per_flux, mean_flux_njy, photometry_of_flux
from nebulium.sed.cosmology import DEFAULT_COSMOLOGY, Cosmology, Scalar, as_float
from nebulium.sed.filters import Filters
from nebulium.sed.spectrum import Galaxy, RestSpectrum, observe, rest_spectrum
from nebulium.sed.ssp import SSPGrid

BATCH = 500


# Ten equivalent widths in AA from twelve continuum bins, a redshift and, for a model that samples, a key.
LineModel = Callable[..., OfLines]


class SampledLines(eqx.Module):
    """A line model that draws from a conditional density, one draw a key.

    Parameters
    ----------
    model : eqx.Module
        With a method `density(continuum_flux, redshift)` whose result has `sample(key, n)` giving (n, 10).

    Examples
    --------
    >>> class Fixed:
    ...     def density(self, continuum_flux, redshift): return self
    ...     def sample(self, key, n): return jnp.ones((n, 10))
    >>> SampledLines(Fixed())(jnp.ones(12), jnp.array(0.1), jax.random.key(0)).shape
    (10,)
    """

    model: Any

    def __call__(self, continuum_flux: Continuum, redshift: Scalar, key: Key[Array, ""]) -> OfLines:
        """One draw of the ten equivalent widths, AA."""
        return self.model.density(continuum_flux, redshift).sample(key, 1)[0]


class SyntheticStars(eqx.Module):
    """A galaxy without lines.

    Parameters
    ----------
    rest : RestSpectrum
        Luminosity and masses.
    wave_aa : array (wave,)
        Observed wavelength of the templates' grid, AA.
    flux_lambda : array (wave,)
        1e-17 erg/s/cm2/AA.
    photometry : Photometry
    """

    rest: RestSpectrum
    wave_aa: Float[Array, "*batch wave"]
    flux_lambda: Float[Array, "*batch wave"]
    photometry: Photometry


class SyntheticGalaxy(eqx.Module):
    """A galaxy with lines.

    Parameters
    ----------
    stars : SyntheticStars
        The same galaxy without lines.
    continuum_flux : array (12,)
        Input of the line model: continuum through the fibre in the twelve bins, 1e-17 erg/s/cm2/AA.
    lines : EmissionLines
        Of the whole galaxy, by name: `lines["HALPHA"].line_flux`.
    wave_aa : array (fine,)
        Observed wavelength of a grid fine enough for the lines, AA.
    continuum_lambda, flux_lambda : array (fine,)
        Without and with lines, 1e-17 erg/s/cm2/AA.
    photometry : Photometry
        With lines; without them it is `stars.photometry`.
    """

    stars: SyntheticStars
    continuum_flux: Float[Array, "*batch 12"]
    lines: EmissionLines
    wave_aa: Float[Array, "*batch fine"]
    continuum_lambda: Float[Array, "*batch fine"]
    flux_lambda: Float[Array, "*batch fine"]
    photometry: Photometry


class LineChain(eqx.Module):
    """Galaxies in, spectra and magnitudes out; make one with `make_chain`.

    Parameters
    ----------
    ssp : SSPGrid
        Templates of the stars.
    filters : Filters
        The bands of the magnitudes.
    line_model : LineModel
        Gives the equivalent widths.
    cosmology : Cosmology
        Distances and ages.
    wave_rest_aa : array (fine,)
        Rest wavelength of the spectra with lines, AA.

    Examples
    --------
    >>> from nebulium.sed import load_filters, load_ssp
    >>> ssp = load_ssp()
    >>> chain = make_chain(ssp, load_filters("sdss_r0"), lambda flux, redshift: jnp.full(10, 20.0))
    >>> chain.wave_rest_aa.size > ssp.wave_aa.size
    True
    """

    ssp: SSPGrid
    filters: Filters
    line_model: Any
    cosmology: Cosmology
    wave_rest_aa: Float[Array, " fine"]
    _to_fine: Interpolation
    _to_lines: Interpolation
    _windows: LineWindows
    _bin_means: Float[Array, "wave 12"]

    def stars(self, galaxy: Galaxy) -> SyntheticStars:
        """One galaxy without lines.

        Parameters
        ----------
        galaxy : Galaxy
            Its star-formation history, mass, redshift, metallicity and dust.

        Returns
        -------
        SyntheticStars
        """
        rest = rest_spectrum(galaxy, self.ssp, self.cosmology)
        seen = observe(rest.wave_rest_aa, rest.lum_lsun_hz, galaxy.redshift, self.cosmology)
        brightness = photometry_of_flux(
            mean_flux_njy(seen.wave_aa, seen.flux_lambda, self.filters),
            covers(seen.wave_aa, seen.flux_lambda, self.filters),
        )
        return SyntheticStars(rest, seen.wave_aa, seen.flux_lambda, brightness)

    def __call__(
        self,
        galaxy: Galaxy,
        *,
        log_aperture: Scalar | float,
        key: Key[Array, ""] | None = None,
        velocity_dispersion_km_s: Scalar | float = 80.0,
    ) -> SyntheticGalaxy:
        """One galaxy with lines.

        Parameters
        ----------
        galaxy : Galaxy
            Its star-formation history, mass, redshift, metallicity and dust.
        log_aperture : scalar
            log10 of the light in the fibre over that of the whole galaxy, 0 or less. The line models
            were trained on fibre spectra: one that knows the luminosity must see the fibre's. Equivalent
            widths are taken to be the same outside the fibre.
        key : jax key, optional
            Passed to the line model, for one that draws samples.
        velocity_dispersion_km_s : scalar, optional
            Sigma of the gas; lines are drawn to 1200 km/s from their centre, enough for a sigma of 300.

        Returns
        -------
        SyntheticGalaxy
        """
        stars, redshift = self.stars(galaxy), galaxy.redshift
        continuum_flux = stars.flux_lambda @ self._bin_means * 10.0 ** as_float(log_aperture)
        ew_aa = self.line_model(continuum_flux, redshift, *(() if key is None else (key,)))
        lines = lines_on_continuum(self._to_lines(stars.flux_lambda), ew_aa, redshift, self.cosmology)
        continuum = self._to_fine(stars.flux_lambda)
        emission = self._windows.spectrum(lines.line_flux, redshift, as_float(velocity_dispersion_km_s))
        with_lines_njy = stars.photometry.flux_njy + lines_njy(lines.line_flux, redshift, self.filters)
        return SyntheticGalaxy(
            stars=stars,
            continuum_flux=continuum_flux,
            lines=lines,
            wave_aa=self.wave_rest_aa * (1.0 + redshift),
            continuum_lambda=continuum,
            flux_lambda=continuum + emission,
            photometry=photometry_of_flux(with_lines_njy, stars.photometry.covered),
        )


def make_chain(
    ssp: SSPGrid, filters: Filters, line_model: LineModel, *, cosmology: Cosmology = DEFAULT_COSMOLOGY
) -> LineChain:
    """Prepare the chain from stars to magnitudes with lines.

    Parameters
    ----------
    ssp : SSPGrid
        From `nebulium.sed.load_ssp`.
    filters : Filters
        From `nebulium.sed.load_filters`.
    line_model : LineModel
        Any callable (continuum_flux (12,), redshift ()) -> ew_aa (10,), such as `model.median_ew`;
        with a key as third argument if it draws samples, such as `SampledLines(model)`.
    cosmology : Cosmology, optional
        Distances and ages.

    Returns
    -------
    LineChain
        A function of one galaxy; for many see `synthesise`, or use `jax.vmap` and `jax.jit`.

    Raises
    ------
    NebuliumError
        The templates do not span the twelve bins.

    Examples
    --------
    >>> from nebulium.sed import DelayedExponential, Galaxy, load_filters, load_ssp
    >>> chain = make_chain(load_ssp(), load_filters("sdss_r0"), lambda flux, redshift: jnp.full(10, 20.0))
    >>> galaxy = Galaxy(DelayedExponential(8.0, 2.0), log_mstar=10.0, redshift=0.1)
    >>> out = chain(galaxy, log_aperture=-0.4)
    >>> bool(out.photometry.mag_ab[0] < out.stars.photometry.mag_ab[0])
    True
    """
    check_spans_bins(ssp)
    wave = np.asarray(ssp.wave_aa)
    fine = line_grid(wave, reach_km_s=REACH_KM_S)
    return LineChain(
        ssp,
        filters,
        line_model,
        cosmology,
        jnp.asarray(fine),
        interpolation(wave, fine),
        interpolation(wave, LINE_CENTRES_AA),
        windows_of_lines(fine),
        bin_means(wave),
    )


def lines_njy(line_flux: OfLines, redshift: Scalar, filters: Filters) -> Float[Array, " band"]:
    """Flux density in nJy that lines of given fluxes, 1e-17 erg/s/cm2, add to each band."""
    response = line_njy_per_flux(jnp.asarray(COMPONENT_WAVES_AA) * (1.0 + redshift), filters)
    return response @ component_fluxes(line_flux)


def check_spans_bins(ssp: SSPGrid) -> None:
    """Refuse templates that do not reach over the twelve bins of the line models."""
    shortest, longest = float(ssp.wave_aa[0]), float(ssp.wave_aa[-1])
    if shortest > BIN_EDGES_AA[0] or longest < BIN_EDGES_AA[-1]:
        raise NebuliumError(
            "template grid",
            f"spans {shortest:.0f} to {longest:.0f} AA; the continuum bins need 3400 to 7000",
            "use a grid that reaches further, such as the shipped one",
        )


def synthesise(
    chain: LineChain,
    galaxies: Galaxy,
    *,
    log_aperture: Float[Array | np.ndarray, "..."] | float,
    key: Key[Array, ""] | None = None,
    velocity_dispersion_km_s: Float[Array | np.ndarray, "..."] | float = 80.0,
    batch: int = BATCH,
) -> SyntheticGalaxy:
    """Many galaxies with lines, in batches of one compiled function.

    Parameters
    ----------
    chain : LineChain
        From `make_chain`.
    galaxies : Galaxy
        In arrays (n, ...).
    log_aperture, velocity_dispersion_km_s : scalar or array (n,)
        log10 of the light in the fibre over that of the galaxy, and sigma of the gas.
    key : jax key, optional
        One key for all; each galaxy gets its own, whatever the batch.
    batch : int, optional
        Galaxies computed at a time.

    Returns
    -------
    SyntheticGalaxy
        In arrays (n, ...).

    Raises
    ------
    NebuliumError
        Parameters of the galaxies are scalars or of different lengths.

    Examples
    --------
    >>> from nebulium.sed import DelayedExponential, Galaxy, load_filters, load_ssp
    >>> chain = make_chain(load_ssp(), load_filters("sdss_r0"), lambda flux, redshift: jnp.full(10, 20.0))
    >>> ages, ones = jnp.array([2.0, 4.0, 8.0]), jnp.ones(3)
    >>> galaxies = Galaxy(DelayedExponential(ages, ones), 10 * ones, 0.1 * ones, -1.7 * ones, 0.2 * ones)
    >>> synthesise(chain, galaxies, log_aperture=-0.4).photometry.mag_ab.shape
    (3, 1)
    """
    n = _count(galaxies)
    per_galaxy = (
        galaxies,
        jnp.broadcast_to(as_float(log_aperture), (n,)),
        jnp.broadcast_to(as_float(velocity_dispersion_km_s), (n,)),
        None if key is None else jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(n)),
    )
    parts = [
        _synthesise_batch(chain, jax.tree.map(lambda leaf, rows=rows: leaf[rows], per_galaxy))
        for rows, _ in padded_batches(n, min(batch, n))
    ]
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[:n], *parts)


@eqx.filter_jit
def _synthesise_batch(chain: LineChain, per_galaxy: tuple[Any, ...]) -> SyntheticGalaxy:
    return jax.vmap(
        lambda galaxy, log_aperture, velocity, key: chain(
            galaxy, log_aperture=log_aperture, key=key, velocity_dispersion_km_s=velocity
        )
    )(*per_galaxy)


def _count(galaxies: Galaxy) -> int:
    lengths = {leaf.shape[0] if leaf.ndim else 0 for leaf in jax.tree.leaves(galaxies)}
    if len(lengths) != 1 or 0 in lengths:
        raise NebuliumError(
            "galaxies",
            f"have arrays of lengths {sorted(lengths)}, 0 for a scalar; expected one, that of the batch",
            "give every parameter an array (n,), the defaults too, or map over single galaxies",
        )
    return lengths.pop()
