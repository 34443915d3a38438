"""Instruments that the mock images are made for: bands, point-spread functions, pixels, depths, zero points.

Sources of the numbers stand beside them. A depth is that of a typical field, a width the median one: how they
vary over a survey is not modelled.
"""

from dataclasses import dataclass

from nebulium.errors import ImageError

NJY_AT_AB_ZERO = 3.631e12  # 3631 Jy: Oke & Gunn 1983, ApJ 266, 713


@dataclass(frozen=True)
class Moffat:
    """Point-spread function of a telescope below the atmosphere.

    Parameters
    ----------
    beta : float
        Slope of the wings: brightness falls as radius to the power -2 beta.
    """

    beta: float


@dataclass(frozen=True)
class Airy:
    """Point-spread function of a telescope in space: diffraction, widened to the width measured.

    Parameters
    ----------
    diameter_m : float
        Of the mirror, m.
    obscuration : float
        Diameter of the central hole of the pupil over that of the mirror.
    """

    diameter_m: float
    obscuration: float


@dataclass(frozen=True)
class Band:
    """One band of an instrument.

    Parameters
    ----------
    name : str
        Name that the survey uses.
    filter : str
        Name of the transmission curve for `nebulium.sed.load_filters`.
    pivot_aa : float
        Pivot wavelength, AA.
    psf_fwhm_arcsec : float
        Full width at half maximum of the point-spread function, arcsec.
    zero_point_ab : float
        AB magnitude of one unit of the image.
    depth_5sigma_ab : float
        AB magnitude of five times the noise.
    electrons_per_unit : float
        Electrons counted for one unit of the image in the whole exposure; sets the photon noise of the
        source in images. NaN for a band that has none.
    depth_aperture_arcsec : float, optional
        Diameter of the aperture whose noise the depth is; unless given, that of a fit of the point-spread
        function to a point source.

    Examples
    --------
    >>> instrument("sdss").bands[1].zero_point_ab
    22.5
    """

    name: str
    filter: str
    pivot_aa: float
    psf_fwhm_arcsec: float
    zero_point_ab: float
    depth_5sigma_ab: float
    electrons_per_unit: float
    depth_aperture_arcsec: float | None = None

    @property
    def units_per_njy(self) -> float:
        """Image units of one nanojansky."""
        return 10.0 ** (0.4 * self.zero_point_ab) / NJY_AT_AB_ZERO


@dataclass(frozen=True)
class Instrument:
    """An instrument: its bands, its pixels and its point-spread function.

    Parameters
    ----------
    name : str
        By which `instrument` finds it.
    about : str
        One line on the data that it imitates.
    bands : tuple of Band
        In the order of the images.
    pixel_scale_arcsec : float
        Side of a pixel, arcsec.
    stamp_pixels : int
        Side of the usual stamp.
    psf : Moffat or Airy
        Shape of the point-spread function.
    width_holds_pixel : bool
        Whether the widths of the bands were measured on images, and so hold the width of the pixel, or are
        those of the optics alone.
    catalogue_only : tuple of Band
        Bands of the catalogue that images lack.

    Examples
    --------
    >>> instrument("sdss").band_names
    ('g', 'r', 'i')
    """

    name: str
    about: str
    bands: tuple[Band, ...]
    pixel_scale_arcsec: float
    stamp_pixels: int
    psf: Moffat | Airy
    width_holds_pixel: bool = True
    catalogue_only: tuple[Band, ...] = ()

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the bands, in the order of the images."""
        return tuple(band.name for band in self.bands)

    @property
    def filters(self) -> tuple[str, ...]:
        """Names of the transmission curves, in the order of the images."""
        return tuple(band.filter for band in self.bands)

    @property
    def catalogue_bands(self) -> tuple[Band, ...]:
        """Bands of the catalogue: those of the images, then the others."""
        return (*self.bands, *self.catalogue_only)


# Wings of ground-based point-spread functions: beta of about 3 (Racine 1996, PASP 108, 699).
_GROUND = Moffat(beta=3.0)

# Widths and depths: medians of the imaging, SDSS data release 13 and later, "Imaging: other information".
# Pixel: Gunn et al. 1998, AJ 116, 3040. Images are in nanomaggies. Electrons per nanomaggie: from the gains
# and zero points of the camera, such as 4.7 electrons per count and 0.005 nanomaggies per count in r.
_SDSS = Instrument(
    name="sdss",
    about="Sloan Digital Sky Survey, single pass",
    bands=(
        Band("g", "sdss_g0", 4702.0, 1.44, 22.5, 23.13, 1000.0),
        Band("r", "sdss_r0", 6175.0, 1.32, 22.5, 22.70, 940.0),
        Band("i", "sdss_i0", 7489.0, 1.26, 22.5, 22.20, 680.0),
    ),
    pixel_scale_arcsec=0.396,
    stamp_pixels=64,
    psf=_GROUND,
    catalogue_only=(
        Band("u", "sdss_u0", 3557.0, 1.53, 22.5, 22.15, float("nan")),
        Band("z", "sdss_z0", 8946.0, 1.29, 22.5, 20.71, float("nan")),
    ),
)

# Widths: Dey et al. 2019, AJ 157, 168 (DECaLS). Depths: what two exposures reach on point sources, data
# release 9 of the Legacy Surveys, "Description: depths". Pixel and unit: the same page. Electrons per
# nanomaggie: exposures of 166, 134 and 200 s (the same survey's page on DECaLS) at 25.0, 25.2 and 24.9 mag
# for an electron a second.
_LEGACY = Instrument(
    name="legacy",
    about="DESI Legacy Imaging Surveys, DECam, data release 9",
    bands=(
        Band("g", "decam_g", 4825.0, 1.29, 22.5, 24.7, 1660.0),
        Band("r", "decam_r", 6432.0, 1.18, 22.5, 23.9, 1610.0),
        Band("z", "decam_z", 9178.0, 1.11, 22.5, 23.0, 1820.0),
    ),
    pixel_scale_arcsec=0.262,
    stamp_pixels=96,
    psf=_GROUND,
)

# Widths, depths, pixel, numbers and lengths of exposures (43, 40, 45, 30, 30 s, about 12 of each): Chambers
# et al. 2016, arXiv:1612.05560. Zero points of an electron a second: Schlafly et al. 2012, ApJ 756, 158,
# Table 1. Images are in nanomaggies, as cutouts converted to linear flux.
_PS1 = Instrument(
    name="ps1",
    about="Pan-STARRS1 3-pi survey, stacks",
    bands=(
        Band("g", "panstarrs_g", 4811.0, 1.31, 22.5, 23.3, 3000.0),
        Band("r", "panstarrs_r", 6156.0, 1.19, 22.5, 23.2, 3570.0),
        Band("i", "panstarrs_i", 7504.0, 1.11, 22.5, 23.1, 3590.0),
        Band("z", "panstarrs_z", 8669.0, 1.07, 22.5, 22.3, 1750.0),
        Band("y", "panstarrs_y", 9613.0, 1.02, 22.5, 21.4, 710.0),
    ),
    pixel_scale_arcsec=0.25,
    stamp_pixels=96,
    psf=_GROUND,
)

# Widths and depths (noise in an aperture with the width as radius): CANDELS in UDS, Galametz et al. 2013,
# ApJS 206, 10, Table 1, a field of the Wide survey. Zero points: Skelton et al. 2014, ApJS 214, 24, Table 3;
# images are in electrons a second. Exposures of 2/3 orbit in F606W and F125W, 4/3 orbit in F814W and F160W:
# Grogin et al. 2011, ApJS 197, 35. Pixel: Koekemoer et al. 2011, ApJS 197, 36. Mirror and hole: HST primer.
_CANDELS = Instrument(
    name="candels",
    about="CANDELS Wide mosaics of HST, ACS and WFC3",
    bands=(
        Band("F606W", "acs_wfc_f606w", 5921.0, 0.10, 26.491, 28.49, 1750.0, 0.20),
        Band("F814W", "acs_wfc_f814w", 8057.0, 0.10, 25.943, 28.53, 3500.0, 0.20),
        Band("F125W", "wfc3_ir_f125w", 12486.0, 0.20, 26.230, 27.35, 1750.0, 0.40),
        Band("F160W", "wfc3_ir_f160w", 15369.0, 0.20, 25.946, 27.45, 3500.0, 0.40),
    ),
    pixel_scale_arcsec=0.06,
    stamp_pixels=64,
    psf=Airy(diameter_m=2.4, obscuration=0.33),
)

# Bands and depths: medium tier of the High Latitude Wide Area Survey, Roman Observations Time Allocation
# Committee, final report, 2025. Widths of the optics, pixel: Roman WFI technical pages. Zero points of an
# electron a second: `galsim.roman` 2.8. Exposures: six of 107 s.
_ROMAN = Instrument(
    name="roman",
    about="Roman High Latitude Wide Area Survey, medium tier, WFI",
    bands=(
        Band("F106", "roman_wfi_f106", 10595.0, 0.087, 26.46, 26.5, 640.0),
        Band("F129", "roman_wfi_f129", 12936.0, 0.105, 26.48, 26.4, 640.0),
        Band("F158", "roman_wfi_f158", 15791.0, 0.127, 26.51, 26.4, 640.0),
    ),
    pixel_scale_arcsec=0.11,
    stamp_pixels=64,
    psf=Airy(diameter_m=2.36, obscuration=0.32),
    width_holds_pixel=False,
)

INSTRUMENTS = {made.name: made for made in (_SDSS, _LEGACY, _PS1, _CANDELS, _ROMAN)}


def instrument(name: str) -> Instrument:
    """Instrument by name.

    Parameters
    ----------
    name : str
        One of `INSTRUMENTS`.

    Returns
    -------
    Instrument

    Raises
    ------
    ImageError
        The name is not known.

    Examples
    --------
    >>> instrument("candels").pixel_scale_arcsec
    0.06
    """
    if name not in INSTRUMENTS:
        raise ImageError(
            f"instrument {name}",
            f"is not known; those known are {', '.join(INSTRUMENTS)}",
            "take one of these, or make an Instrument of your own",
        )
    return INSTRUMENTS[name]
