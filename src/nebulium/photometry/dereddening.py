"""The dust of the Milky Way taken out of fluxes, once."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nebulium.data.extinction import SFD_RECALIBRATION, extinction_per_ebv
from nebulium.errors import SpectrumError, TableError, mending
from nebulium.photometry.curves import band_filters
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import CatalogueLayout


def extinction_of_bands(pivot_aa: Float[np.ndarray, " band"]) -> Float[np.ndarray, " band"]:
    """Extinction in magnitudes for E(B-V) = 1 of the maps of Schlegel, Finkbeiner & Davis (1998).

    The law of Fitzpatrick (1999) with R_V = 3.1 at the pivot wavelength, times 0.86, the scale of those maps
    by Schlafly & Finkbeiner (2011, ApJ 737, 103). It lies 2 to 6 per cent below their table 6, which weighs
    each filter with a spectrum; give the numbers of the table where that counts.

    Parameters
    ----------
    pivot_aa : ndarray of shape (band,)
        Pivot wavelengths, AA.

    Returns
    -------
    ndarray of shape (band,)

    Examples
    --------
    >>> extinction_of_bands(np.array([4702.0, 6175.0, 7490.0])).round(2).tolist()
    [3.25, 2.22, 1.65]
    """
    return SFD_RECALIBRATION * extinction_per_ebv(np.asarray(pivot_aa, np.float64))


def deredden(galaxies: PhotometricGalaxies, extinction: Mapping[str, float]) -> PhotometricGalaxies:
    """Correct fluxes and their errors for Galactic extinction: times 10^(0.4 R E(B-V)).

    Parameters
    ----------
    galaxies : PhotometricGalaxies
        With `ebv`, and marked as not corrected yet.
    extinction : mapping of str to float
        Band -> extinction in magnitudes for E(B-V) = 1.

    Returns
    -------
    PhotometricGalaxies
        Corrected, and marked so: it cannot be done again.

    Raises
    ------
    TableError
        They are corrected already, or not marked as corrected or not; or E(B-V) or a band is missing.

    Examples
    --------
    >>> one = np.ones((1, 1), np.float32)
    >>> z, ebv = np.zeros(1, np.float32), np.full(1, 0.1, np.float32)
    >>> galaxies = PhotometricGalaxies(np.array([7]), ("r",), one, one, z, z, ebv, "a.fits", dereddened=False)
    >>> corrected = deredden(galaxies, {"r": 2.5})
    >>> corrected.flux_njy.astype(float).round(3).tolist()
    [[1.259]]
    >>> deredden(corrected, {"r": 2.5})
    Traceback (most recent call last):
    nebulium.errors.TableError: a.fits: is corrected for Galactic extinction already. To mend: correct ...
    """
    if galaxies.dereddened is None:
        problem = "does not say whether it is corrected for Galactic extinction"
        raise TableError(galaxies.name, problem, "say --dereddened or --not-dereddened")
    if galaxies.dereddened:
        mend = "correct it once only"
        raise TableError(galaxies.name, "is corrected for Galactic extinction already", mend)
    if galaxies.ebv is None:
        raise TableError(galaxies.name, "has no E(B-V)", "give it: --ebv COLUMN, or --ebv NUMBER")
    lacking = [band for band in galaxies.bands if band not in extinction]
    if lacking:
        problem = f"has no extinction per E(B-V) for {', '.join(lacking)}"
        raise TableError(galaxies.name, problem, "give it: --extinction BAND=NUMBER")
    of_bands = np.array([extinction[band] for band in galaxies.bands], np.float64)
    brighter = 10.0 ** (0.4 * galaxies.ebv[:, None] * of_bands)
    return replace(
        galaxies,
        flux_njy=(galaxies.flux_njy * brighter).astype(np.float32),
        flux_err_njy=(galaxies.flux_err_njy * brighter).astype(np.float32),
        dereddened=True,
    )


def corrected(galaxies: PhotometricGalaxies, extinction: Mapping[str, float]) -> PhotometricGalaxies:
    """Correct fluxes where E(B-V) is given and they are marked as not corrected yet; else as they are."""
    to_do = galaxies.ebv is not None and galaxies.dereddened is False
    return deredden(galaxies, extinction) if to_do else galaxies


def known_extinction(layout: CatalogueLayout, curves: str | Path | None = None) -> dict[str, float]:
    """Extinction for E(B-V) = 1 of the bands of a catalogue that is to be corrected."""
    if layout.ebv is None or layout.dereddened:
        return {}
    given = dict(layout.extinction)
    open_bands = [band for band in layout.names if band not in given]
    if not open_bands:
        return given
    with mending(SpectrumError, "give its extinction: --extinction BAND=NUMBER; or its curve: --filters"):
        pivot_aa = np.asarray(band_filters(open_bands, curves).pivot_aa)
    computed = extinction_of_bands(pivot_aa).tolist()
    return given | dict(zip(open_bands, computed, strict=True))


def check_extinction(extinction: Iterable[str], bands: Iterable[str]) -> None:
    """Refuse the extinction of a band that is not there: it may be a slip of the pen."""
    there = list(dict.fromkeys(bands))
    strange = [band for band in extinction if band not in there]
    if strange:
        problem = f"there is no such band; there are {', '.join(there)}"
        raise TableError(f"extinction of {strange[0]}", problem, "give one of these")


def dust_notes(layout: CatalogueLayout) -> tuple[str, ...]:
    """What should be known of the extinction of a catalogue, a line each."""
    if layout.ebv is not None and layout.dereddened:
        return ("the fluxes are corrected for Galactic extinction already: E(B-V) is not used",)
    if layout.ebv is None and layout.dereddened is False:
        what = "the fluxes are not corrected for Galactic extinction, and no E(B-V) is given"
        return (f"{what}: used as they are",)
    if layout.ebv is not None and not isinstance(layout.ebv, str):
        return (f"E(B-V) is taken to be {layout.ebv:g} mag for all galaxies",)
    return ()
