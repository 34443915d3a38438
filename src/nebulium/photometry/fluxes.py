"""Fluxes in nanojansky from the columns of a catalogue, fluxes in any unit or magnitudes."""

from collections import Counter
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Float32

from nebulium.data.column_checks import CERTAIN, LARGE, ColumnPlace, MissingNumbers, is_any_of
from nebulium.data.glossary import conversion_factor
from nebulium.errors import TableError
from nebulium.photometry.checks import check_are_magnitudes
from nebulium.photometry.layout import BandColumns, CatalogueLayout

#: Columns of a mock survey begin so; their unit is nJy.
FLUX, FLUX_ERR = "flux_njy_obs_", "flux_njy_err_"
#: AB magnitude of one nanojansky.
ZERO_POINT_NJY = 31.4


def band_fluxes(
    value: Float[np.ndarray, " n"],
    error: Float[np.ndarray, " n"],
    columns: BandColumns,
    *,
    layout: CatalogueLayout,
    unit: str,
    place: ColumnPlace,
    counted: Counter[str],
) -> tuple[Float32[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
    """Check the two columns of a band, and bring them to nJy: NaN where there is no flux or no good error."""
    too_faint = is_any_of(value, () if layout.nondetection is None else (layout.nondetection,))
    seen, declared = np.where(too_faint, np.nan, value), MissingNumbers(layout.missing)
    certain = (*CERTAIN, *LARGE) if layout.magnitudes else CERTAIN
    declared.check(seen, place, certain=certain)
    # An error of -1 needs no question: a flux whose error is negative is missing in any case.
    declared.check(error, replace(place, column=columns.error), certain=certain, likely=())
    if layout.magnitudes:
        check_are_magnitudes(seen, place)
        flux, flux_err = flux_njy_of_magnitude(seen, error, too_faint=too_faint)
    else:
        factor = nanojansky(layout.flux_unit, unit, columns, place.file)
        flux, flux_err = value * factor, error * factor
    with np.errstate(over="ignore", under="ignore"):
        flux, flux_err = flux.astype(np.float32), flux_err.astype(np.float32)
    without_error = ~np.isnan(value) & ~((flux_err > 0) & np.isfinite(flux_err))
    if np.any(without_error):
        reason = f"fluxes in {columns.band} whose error is zero, negative, missing or infinite"
        counted[reason] += int(np.sum(without_error))
    missing = without_error | np.isnan(value)
    return np.where(missing, np.nan, flux), np.where(missing, np.nan, flux_err)


def flux_njy_of_magnitude(
    mag_ab: Float[np.ndarray, " n"], mag_err: Float[np.ndarray, " n"], *, too_faint: Bool[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Fluxes of AB magnitudes.

    Parameters
    ----------
    mag_ab, mag_err : ndarray of shape (n,)
        Magnitudes and standard errors.
    too_faint : ndarray of bool of shape (n,)
        Where the galaxy is too faint, and `mag_err` is the magnitude of one sigma.

    Returns
    -------
    flux_njy, flux_err_njy : ndarray of shape (n,)

    Examples
    --------
    >>> too_faint = np.array([False, True])
    >>> mag_ab, mag_err = np.array([23.9, 99.0]), np.array([0.1, 28.9])
    >>> flux, error = flux_njy_of_magnitude(mag_ab, mag_err, too_faint=too_faint)
    >>> flux.round(3).tolist(), error.round(3).tolist()
    ([1000.0, 0.0], [92.103, 10.0])
    """
    flux = np.where(too_faint, 0.0, 10.0 ** (-0.4 * (mag_ab - ZERO_POINT_NJY)))
    limit = 10.0 ** (-0.4 * (mag_err - ZERO_POINT_NJY))
    return flux, np.where(too_faint, limit, 0.4 * np.log(10.0) * mag_err * flux)


def nanojansky(given: str | None, declared: str, columns: BandColumns, where: str) -> float:
    """What fluxes are multiplied by to be in nJy."""
    unit = given or declared or ("nJy" if columns.value.startswith(FLUX) else "")
    place = f"{where}, column {columns.value}"
    mend = "say --flux-unit nJy, uJy, or the AB magnitude of flux 1; or --magnitudes"
    if not unit:
        raise TableError(place, "has no unit", mend)
    try:
        return float(10.0 ** (-0.4 * (float(unit) - ZERO_POINT_NJY)))
    except ValueError:
        return conversion_factor(unit, "nJy", where=place, mend=mend)
