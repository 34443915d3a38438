"""Faults of catalogues that would spoil redshifts without a sound: each ends in an error that says so."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from nebulium.errors import TableError

#: Numbers that catalogues write for "not measured"; the positive ones only where magnitudes stand.
SENTINELS = (-99.0, -99.9, -99.99, -999.0, -999.9, -9999.0, -99999.0)
SENTINELS_OF_MAGNITUDES = (99.0, 99.9, 99.99, 999.0, 9999.0, *SENTINELS)
#: Between which all values must lie to be suspected of being magnitudes, and their median error below.
MAGNITUDES, SMALL_ERROR = (10.0, 40.0), 2.0
#: Beyond these nothing is a magnitude.
ANY_MAGNITUDE = (-10.0, 50.0)
#: No galaxy is known beyond it; a redshift in per cent easily is.
MOST_REDSHIFT = 20.0
#: No spectroscopic redshift is worth having with a larger error; one in km/s is larger.
MOST_REDSHIFT_ERR = 1.0
#: Rows that a message names.
NAMED = 3


def check_sentinels(
    values: Float[np.ndarray, " n"], *, where: str, column: str, first_row: int, magnitudes: bool
) -> None:
    """Refuse numbers such as -99 that were not declared to stand for a missing value."""
    found = is_any_of(values, SENTINELS_OF_MAGNITUDES if magnitudes else SENTINELS)
    if np.any(found):
        number = f"{values[np.argmax(found)]:.6g}"
        problem = (
            f"expected measured values, found {number} in {named_rows(found, first_row)}, which looks like a "
            "number that stands for a missing value"
        )
        mend = f"say --missing={number}, or --missing=none if it was measured"
        raise TableError(f"{where}, column {column}", problem, mend)


def is_any_of(values: Float[np.ndarray, "*n"], numbers: Sequence[float]) -> Bool[np.ndarray, "*n"]:
    """Which values are one of some numbers, in the precision of the file."""
    known = np.asarray(numbers, np.float64)
    return np.isin(values, np.concatenate([known, known.astype(np.float32)]))


def check_are_fluxes(
    values: Float[np.ndarray, "n band"],
    errors: Float[np.ndarray, "n band"],
    *,
    where: str,
    columns: Sequence[str],
) -> None:
    """Refuse fluxes that look like magnitudes: galaxies span decades in flux."""
    # A few 99 among magnitudes, for "none", make them no fluxes.
    known = values[np.isfinite(values) & ~is_any_of(values, SENTINELS_OF_MAGNITUDES)]
    scatter = errors[np.isfinite(errors) & (errors > 0)]
    if not known.size or not scatter.size:
        return
    least, most = known.min(), known.max()
    if least >= MAGNITUDES[0] and most <= MAGNITUDES[1] and np.median(scatter) < SMALL_ERROR:
        problem = f"expected fluxes, found values from {least:.4g} to {most:.4g}, which look like magnitudes"
        mend = "say --magnitudes, or --fluxes if they are fluxes"
        raise TableError(f"{where}, columns {', '.join(columns)}", problem, mend)


def check_are_magnitudes(values: Float[np.ndarray, " n"], *, where: str, column: str, first_row: int) -> None:
    """Refuse numbers that no magnitude has."""
    bad = (values < ANY_MAGNITUDE[0]) | (values > ANY_MAGNITUDE[1])
    if np.any(bad):
        found = f"{values[np.argmax(bad)]:.6g}"
        problem = f"expected magnitudes, found {found} in {named_rows(bad, first_row)}"
        mend = (
            f"leave out --magnitudes if these are fluxes; say --missing={found} if it stands for a missing "
            f"value, or --nondetection {found} if it stands for one too faint"
        )
        raise TableError(f"{where}, column {column}", problem, mend)


def check_redshifts(redshift: Float[np.ndarray, " n"], *, where: str, column: str, first_row: int) -> None:
    """Refuse redshifts that are negative, infinite, or percentages."""
    place = f"{where}, column {column}"
    low, high = redshift < 0, redshift > MOST_REDSHIFT
    if np.any(low):
        found = f"{redshift[np.argmax(low)]:.6g}"
        problem = f"expected redshifts of 0 or more, found {found} in {named_rows(low, first_row)}"
        mend = f"say --missing={column}={found} if it stands for a galaxy without one, or mend the rows"
        raise TableError(place, problem, mend)
    if np.any(high):
        found = f"{redshift[np.argmax(high)]:.6g}"
        problem = (
            f"expected redshifts below {MOST_REDSHIFT:g}, found {found} in {named_rows(high, first_row)}: "
            "these may be percentages, or velocities"
        )
        mend = f"write them as fractions, or say --missing={column}={found} if it stands for none"
        raise TableError(place, problem, mend)


def check_redshift_errors(
    redshift_err: Float[np.ndarray, " n"], *, where: str, column: str, first_row: int
) -> None:
    """Refuse errors of redshifts that are negative, or too large to be such."""
    bad = (redshift_err < 0) | (redshift_err > MOST_REDSHIFT_ERR)
    if np.any(bad):
        found = f"{redshift_err[np.argmax(bad)]:.6g}"
        problem = (
            f"expected errors of redshifts from 0 to {MOST_REDSHIFT_ERR:g}, found {found} in "
            f"{named_rows(bad, first_row)}"
        )
        mend = (
            f"name the right column; divide by the speed of light what is in km/s; or say "
            f"--missing={column}={found} if it stands for one that is not known"
        )
        raise TableError(f"{where}, column {column}", problem, mend)


def named_rows(bad: Bool[np.ndarray, " n"], first_row: int = 0) -> str:
    """The first rows at fault, and how many there are."""
    rows = (np.flatnonzero(bad) + first_row).tolist()
    listed = ", ".join(map(str, rows[:NAMED]))
    more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
    return f"row{'s' * (len(rows) > 1)} {listed}{more}"
