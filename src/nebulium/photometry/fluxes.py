"""Fluxes in nanojansky from the columns of a catalogue, fluxes in any unit or magnitudes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Float32

from nebulium.data.column_checks import CERTAIN, LARGE, ColumnPlace, MissingNumbers, is_any_of
from nebulium.data.glossary import AB_MAGNITUDES, SPEED_OF_LIGHT_AA_S, conversion_factor
from nebulium.data.uncertainties import (
    POWERS,
    convert_uncertainty,
    kind_of_unit,
    uncertainty_kind,
    unit_of_uncertainty,
)
from nebulium.errors import SpectrumError, TableError
from nebulium.photometry.checks import check_are_magnitudes
from nebulium.photometry.curves import band_filters
from nebulium.photometry.layout import BandColumns, CatalogueLayout

#: Columns of a mock survey begin so; their unit is nJy.
FLUX, FLUX_ERR = "flux_njy_obs_", "flux_njy_err_"
#: AB magnitude of one nanojansky.
ZERO_POINT_NJY = 31.4
PER_WAVELENGTH = "erg / (s cm2 Angstrom)"


def band_fluxes(
    value: Float[np.ndarray, " n"],
    error: Float[np.ndarray, " n"],
    columns: BandColumns,
    *,
    layout: CatalogueLayout,
    units: tuple[str, str],
    place: ColumnPlace,
    counted: Counter[str],
) -> tuple[Float32[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
    """Check the two columns of a band, and bring them to nJy: NaN where there is no flux or no good error.

    Each column has its own unit, as the file declares it; what the user says counts for both. A variance or
    an inverse variance in place of the error is told by its unit, or its name.
    """
    magnitudes = are_magnitudes(layout, units[0], place)
    too_faint = is_any_of(value, () if layout.nondetection is None else (layout.nondetection,))
    seen, declared = np.where(too_faint, np.nan, value), MissingNumbers(layout.missing)
    certain = (*CERTAIN, *LARGE) if magnitudes else CERTAIN
    declared.check(seen, place, certain=certain)
    # An error of -1 needs no question: a flux whose error is negative is missing in any case.
    declared.check(error, replace(place, column=columns.error), certain=certain, likely=())
    if magnitudes:
        check_are_magnitudes(seen, place)
        kind = uncertainty_kind(columns.error, "", "mag", where=place.file)
        flux, flux_err = flux_njy_of_magnitude(
            seen, convert_uncertainty(error, kind, "error"), too_faint=too_faint
        )
    else:
        factor = nanojansky(layout.flux_unit, units[0], columns, place.file)
        flux, flux_err = value * factor, _errors_njy(error, columns, layout, units, factor, place.file)
    with np.errstate(over="ignore", under="ignore"):
        flux, flux_err = flux.astype(np.float32), flux_err.astype(np.float32)
    without_error = ~np.isnan(value) & ~((flux_err > 0) & np.isfinite(flux_err))
    if np.any(without_error):
        reason = f"fluxes in {columns.band} whose error is zero, negative, missing or infinite"
        counted[reason] += int(np.sum(without_error))
    missing = without_error | np.isnan(value)
    return np.where(missing, np.nan, flux), np.where(missing, np.nan, flux_err)


def are_magnitudes(layout: CatalogueLayout, unit: str, place: ColumnPlace) -> bool:
    """Whether a column holds AB magnitudes: as the user says, else as the file declares."""
    told, spelt = layout.magnitudes, unit.strip().lower()
    ab, flux = spelt in AB_MAGNITUDES, kind_of_unit(unit, "nJy") == "error" if spelt else False
    if told and flux:
        problem = f"is declared in {unit!r}, a unit of flux"
        raise TableError(f"{place.file}, column {place.column}", problem, "leave out --magnitudes")
    if told is None and spelt in ("mag", "mags", "magnitude"):
        problem = f"is declared in {unit!r}, which does not say of which system"
        mend = "say --magnitudes if they are AB; convert them first if they are Vega magnitudes"
        raise TableError(f"{place.file}, column {place.column}", problem, mend)
    return ab if told is None else told


def _errors_njy(
    error: Float[np.ndarray, " n"],
    columns: BandColumns,
    layout: CatalogueLayout,
    units: tuple[str, str],
    factor: float,
    where: str,
) -> Float[np.ndarray, " n"]:
    """Standard errors in nJy, from the unit of their own column or else that of the fluxes."""
    unit = "" if layout.flux_unit else units[1]
    kind = uncertainty_kind(columns.error, unit, "nJy", where=where)
    place, mend = f"{where}, column {columns.error}", "mend its unit, or say --flux-unit for both columns"
    if not unit:
        own = factor ** POWERS[kind]
    elif kind_of_unit(unit, PER_WAVELENGTH) == kind == "error":
        own = njy_of_wavelength_unit(unit, columns.band, place)
    else:
        own = conversion_factor(unit, unit_of_uncertainty("nJy", kind), where=place, mend=mend)
    return convert_uncertainty(error * own, kind, "error")


def njy_of_wavelength_unit(unit: str, band: str, place: str) -> float:
    """What fluxes per wavelength are multiplied by to be in nJy: f_nu = f_lambda pivot^2 / c."""
    mend = "call the band as in nebulium.sed.list_filters(), or convert: flux_nu = flux_lambda pivot^2 / c"
    try:
        pivot_aa = float(band_filters([band]).pivot_aa[0])
    except SpectrumError as fault:
        problem = f"has the unit {unit!r}, a flux per wavelength, which needs the curve of the band {band}"
        raise TableError(place, problem, mend) from fault
    per_frequency = conversion_factor(unit, PER_WAVELENGTH, where=place) * pivot_aa**2 / SPEED_OF_LIGHT_AA_S
    return per_frequency * conversion_factor("erg / (s cm2 Hz)", "nJy", where=place)


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


def check_remembered_unit(layout: CatalogueLayout, units: Mapping[str, str], where: str) -> None:
    """Refuse a catalogue that declares another unit than was told of the one that a model learned from."""
    for columns in layout.bands:
        units_of_band = (units.get(columns.value, ""), units.get(columns.error, ""))
        names = (columns.value, columns.error)
        found_in = (units_of_band[0] or str(layout.flux_unit), units_of_band[1])
        both = (layout, replace(layout, flux_unit=None))
        pairs = zip(*(_scales(one, columns, found_in, where) for one in both), strict=True)
        for column, unit, (told, found) in zip(names, units_of_band, pairs, strict=True):
            if unit and not np.isclose(told, found, rtol=1e-4):
                problem = (
                    f"is declared in {unit!r}, and {layout.flux_unit} was told when the model was trained"
                )
                mend = "say --flux-unit UNIT, which counts for fluxes and errors"
                raise TableError(f"{where}, column {column}", problem, mend)


def _scales(
    layout: CatalogueLayout, columns: BandColumns, units: tuple[str, str], where: str
) -> tuple[float, float]:
    """What flux 1 is in nJy, and error 2: its inverse square is another number."""
    factor = nanojansky(layout.flux_unit, units[0], columns, where)
    return factor, float(_errors_njy(np.full(1, 2.0), columns, layout, units, factor, where)[0])


def nanojansky(given: str | None, declared: str, columns: BandColumns, where: str) -> float:
    """What fluxes are multiplied by to be in nJy."""
    unit = given or declared or ("nJy" if columns.value.startswith(FLUX) else "")
    place = f"{where}, column {columns.value}"
    mend = "say --flux-unit nJy, uJy, nanomaggy, or the AB magnitude of flux 1; or --magnitudes"
    if not unit:
        raise TableError(place, "has no unit", mend)
    try:
        return float(10.0 ** (-0.4 * (float(unit) - ZERO_POINT_NJY)))
    except ValueError:
        if kind_of_unit(unit, PER_WAVELENGTH) == "error":
            return njy_of_wavelength_unit(unit, columns.band, place)
        return conversion_factor(unit, "nJy", where=place, mend=mend)
