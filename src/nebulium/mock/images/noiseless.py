"""Images of galaxies without noise, by GalSim.

A galaxy is the sum of a few shapes whose light differs from band to band in amount only. So each shape's
Fourier image is drawn once, on one grid; a band is their weighted sum times the Fourier image of its
point-spread function, and one inverse transform. Frequencies above those of the pixels are kept, so that
nothing is lost to the undersampling of space telescopes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import fft

from nebulium.errors import ImageError
from nebulium.mock.images.on_sky import GalaxyOnSky, Points, on_sky
from nebulium.mock.images.point_spread import FWHM_PER_SIGMA, galsim_module, point_spread
from nebulium.mock.instruments import Instrument
from nebulium.mock.structure import Structure

# Grids of so many pixels a side, the least that holds the galaxy is taken.
GRID_PIXELS = (96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
LOST_FREQUENCIES = 2e-3  # amplitude of the point-spread function at the frequencies that are left out
NO_KERNEL = 1e-7  # amplitude of the kernel of arms or clumps below which it counts as nothing


@dataclass(frozen=True)
class Neighbour:
    """Another galaxy in the stamp.

    Parameters
    ----------
    structure : Structure
        Of one galaxy.
    flux_njy : array (component, band)
        Flux of bulge, old disc and young stars, nJy.
    redshift : float
        Above 0.
    x_arcsec, y_arcsec : float
        Offset from the middle of the stamp, along columns and rows.

    Examples
    --------
    >>> import jax
    >>> from nebulium.mock.populations.properties import GalaxyProperties
    >>> from nebulium.mock.structure import draw_structure
    >>> structure = draw_structure(GalaxyProperties(0.1, 10.0, 8.0, 4.0, 0.3, 8.7, -1.8), jax.random.key(0))
    >>> Neighbour(structure, np.ones((3, 3)), redshift=0.1, x_arcsec=4.0, y_arcsec=-2.0).x_arcsec
    4.0
    """

    structure: Structure
    flux_njy: np.ndarray
    redshift: float
    x_arcsec: float
    y_arcsec: float


@dataclass(frozen=True)
class _Grid:
    """Half plane of frequencies, 1/arcsec times 2 pi: rows in the order of an FFT, columns from 0 up."""

    pixels: int  # a side of the periodic image
    fine: int  # frequencies kept, in units of those that pixels can hold
    step: float

    @property
    def half(self) -> int:
        return self.fine * self.pixels // 2

    @property
    def shape(self) -> tuple[int, int]:
        return 2 * self.half, self.half + 1

    @property
    def ky(self) -> np.ndarray:
        return self.step * fft.fftfreq(2 * self.half, 1.0 / (2 * self.half))

    @property
    def kx(self) -> np.ndarray:
        return self.step * np.arange(self.half + 1)


def noiseless_image(
    structure: Structure,
    flux_njy: np.ndarray,
    redshift: float,
    instrument: Instrument,
    pixels: int | None = None,
    neighbours: Sequence[Neighbour] = (),
) -> np.ndarray:
    """Image of one galaxy as an instrument would see it without noise.

    Parameters
    ----------
    structure : Structure
        Of one galaxy.
    flux_njy : array (component, band)
        Flux of bulge, old disc and young stars in the instrument's bands, nJy.
    redshift : float
        Above 0.
    instrument : Instrument
        Gives bands, pixels and point-spread functions.
    pixels : int, optional
        Side of the image; the instrument's stamp unless given.
    neighbours : sequence of Neighbour, optional
        Other galaxies in the image.

    Returns
    -------
    array (pixels, pixels, band), float64
        In the instrument's units; the galaxy stands in the middle, at row and column (pixels - 1) / 2.

    Raises
    ------
    ImageError
        A redshift that is not above 0, fluxes of another shape or negative, or a galaxy too large to draw.
    MissingExtraError
        GalSim is not installed.

    Examples
    --------
    >>> import jax
    >>> from nebulium.mock.instruments import instrument
    >>> from nebulium.mock.populations.properties import GalaxyProperties
    >>> from nebulium.mock.structure import draw_structure
    >>> structure = draw_structure(GalaxyProperties(0.1, 10.0, 8.0, 4.0, 0.3, 8.7, -1.8), jax.random.key(0))
    >>> image = noiseless_image(structure, np.full((3, 3), 1000.0), 0.1, instrument("sdss"))
    >>> image.shape
    (64, 64, 3)
    """
    stamp = instrument.stamp_pixels if pixels is None else pixels
    itself = Neighbour(structure, flux_njy, redshift, 0.0, 0.0)
    drawn = [
        (one, _checked(one, instrument), on_sky(one.structure, one.redshift)) for one in (itself, *neighbours)
    ]
    grid = _grid_for([sky for _, _, sky in drawn], instrument, stamp)
    total = np.zeros((len(instrument.bands), *grid.shape), np.complex128)
    for one, flux, sky in drawn:
        shapes = _shapes(sky, grid)
        if one.x_arcsec or one.y_arcsec:
            shapes *= _shift(grid, one.x_arcsec, one.y_arcsec)
        total += np.tensordot(flux.T.astype(np.complex128), shapes, axes=1)
    seen = total * _transfers(instrument, grid, stamp)
    return np.stack([_to_pixels(band, grid, stamp) for band in seen], axis=-1)


def _checked(one: Neighbour, instrument: Instrument) -> np.ndarray:
    """Fluxes in units of the image, once they make sense."""
    flux = np.asarray(one.flux_njy, np.float64)
    expected = (3, len(instrument.bands))
    if flux.shape != expected:
        raise ImageError(
            "flux_njy",
            f"has shape {flux.shape}; expected {expected}, component by band of {instrument.name}",
            "give bulge, old disc and young stars in each of the instrument's bands",
        )
    if not (np.all(np.isfinite(flux)) and np.all(flux >= 0)):
        raise ImageError(
            "flux_njy", "is negative or not finite", "leave out bands that the spectrum does not cover"
        )
    return flux * np.array([band.units_per_njy for band in instrument.bands])


def _grid_for(skies: Sequence[GalaxyOnSky], instrument: Instrument, stamp: int) -> _Grid:
    """The least grid on which no galaxy's wings come round to the other side of the stamp."""
    reach = max(_reach_arcsec(sky) for sky in skies) / instrument.pixel_scale_arcsec
    needed = max(1.25 * stamp, 0.5 * stamp + reach)
    fitting = [pixels for pixels in GRID_PIXELS if pixels >= needed]
    if not fitting:
        raise ImageError(
            "the galaxy",
            f"needs {needed:.0f} pixels a side; at most {GRID_PIXELS[-1]} are drawn",
            "take it further away, or an instrument with larger pixels",
        )
    return _Grid(fitting[0], _fine(instrument), 2.0 * np.pi / (fitting[0] * instrument.pixel_scale_arcsec))


def _reach_arcsec(sky: GalaxyOnSky) -> float:
    """Where the surface brightness has become negligible beside that of the centre."""
    bulge = (3.0 + 1.5 * sky.bulge_sersic_n) * sky.bulge_re_arcsec
    return max(bulge, 6.0 * sky.disc_re_arcsec, 6.0 * sky.young_re_arcsec)


@lru_cache(maxsize=32)
def _fine(instrument: Instrument) -> int:
    """How far beyond the frequencies of the pixels the point-spread functions reach."""
    nyquist = np.pi / instrument.pixel_scale_arcsec
    profiles = [point_spread(instrument, band) for band in instrument.bands]
    for fine in (1, 2, 3):
        beyond = np.linspace(fine, fine + 1.0, 41) * nyquist
        left_out = max(abs(profile.kValue(k, 0.0)) for profile in profiles for k in beyond)
        if left_out < LOST_FREQUENCIES:
            return fine
    return 4


@lru_cache(maxsize=6)
def _transfers(instrument: Instrument, grid: _Grid, stamp: int) -> np.ndarray:
    """Point-spread functions (band, ky, kx), with the shift that puts the first pixel of the stamp first."""
    corner = -0.5 * (stamp - 1) * instrument.pixel_scale_arcsec
    shift = _shift(grid, -corner, -corner)
    return np.stack([_fourier(point_spread(instrument, band), grid) * shift for band in instrument.bands])


def _shift(grid: _Grid, x_arcsec: float, y_arcsec: float) -> np.ndarray:
    return np.exp(-1j * grid.ky * y_arcsec)[:, None] * np.exp(-1j * grid.kx * x_arcsec)[None, :]


def _fourier(profile: Any, grid: _Grid) -> np.ndarray:
    """A profile's Fourier image on the grid."""
    galsim = galsim_module()
    half = grid.half
    image = galsim.ImageCD(galsim.BoundsI(0, half, -half, half - 1))
    profile.drawKImage(image=image, scale=grid.step, recenter=False)
    return fft.ifftshift(image.array, axes=0)


def _bulge(sky: GalaxyOnSky, grid: _Grid) -> np.ndarray:
    galsim = galsim_module()
    # Shearing keeps the area, so the circle to start from has the geometric mean of the axes.
    circle = sky.bulge_re_arcsec * np.sqrt(sky.bulge_axis_ratio)
    profile = galsim.Sersic(n=sky.bulge_sersic_n, half_light_radius=circle)
    angle = sky.position_angle_rad * galsim.radians
    return _fourier(profile.shear(q=sky.bulge_axis_ratio, beta=angle), grid)


def _disc(sky: GalaxyOnSky, half_light_arcsec: float, grid: _Grid) -> np.ndarray:
    galsim = galsim_module()
    profile = galsim.InclinedExponential(
        inclination=sky.inclination_rad * galsim.radians,
        half_light_radius=half_light_arcsec,
        scale_h_over_r=sky.thickness,
    )
    return _fourier(profile.rotate(sky.position_angle_rad * galsim.radians), grid)


def _shapes(sky: GalaxyOnSky, grid: _Grid) -> np.ndarray:
    """Fourier images (component, ky, kx) of bulge, old disc and young stars, each of flux 1."""
    shapes = np.stack(
        [_bulge(sky, grid), _disc(sky, sky.disc_re_arcsec, grid), _disc(sky, sky.young_re_arcsec, grid)]
    )
    shapes[1] *= 1.0 - sky.old_in_arms
    shapes[2] *= 1.0 - sky.young_in_arms - sky.young_in_clumps
    rows, columns, waves = _points(sky.arms, grid)
    shapes[1][rows, columns] += sky.old_in_arms * waves
    shapes[2][rows, columns] += sky.young_in_arms * waves
    rows, columns, waves = _points(sky.clumps, grid)
    shapes[2][rows, columns] += sky.young_in_clumps * waves
    return shapes


def _points(points: Points, grid: _Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fourier image of many like Gaussians, and the rows and columns outside which it is nothing.

    Waves along y times waves along x, summed over the points, are one product of matrices.
    """
    sigma = points.fwhm_arcsec / FWHM_PER_SIGMA
    # Beyond this frequency along either axis even the narrow way through the kernel lets nothing pass.
    limit = np.sqrt(-2.0 * np.log(NO_KERNEL)) / (sigma * points.axis_ratio)
    rows, columns = np.flatnonzero(np.abs(grid.ky) < limit), np.flatnonzero(grid.kx < limit)
    ky, kx = grid.ky[rows], grid.kx[columns]
    along_y = np.exp(-1j * np.outer(ky, points.y_arcsec)) * points.share[None, :]
    along_x = np.exp(-1j * np.outer(points.x_arcsec, kx))
    cos, sin = np.cos(points.position_angle_rad), np.sin(points.position_angle_rad)
    major = cos * kx[None, :] + sin * ky[:, None]
    minor = points.axis_ratio * (cos * ky[:, None] - sin * kx[None, :])
    kernel = np.exp(-0.5 * sigma**2 * (major**2 + minor**2))
    return rows[:, None], columns[None, :], kernel * (along_y @ along_x)


def _to_pixels(spectrum: np.ndarray, grid: _Grid, stamp: int) -> np.ndarray:
    """Pixels (stamp, stamp) of a Fourier image; aliases fold as pixels fold them."""
    rows = fft.ifft(spectrum, axis=0, norm="forward")[:: grid.fine][:stamp]
    image = fft.irfft(rows, n=2 * grid.half, axis=1, norm="forward")[:, :: grid.fine][:, :stamp]
    return image / grid.pixels**2
