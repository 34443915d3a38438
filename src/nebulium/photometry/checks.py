"""Faults of catalogues that would spoil redshifts without a sound: each ends in an error that says so."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from nebulium.data.column_checks import CERTAIN, LARGE, ColumnPlace, is_any_of
from nebulium.errors import TableError

#: Between which all values must lie to be suspected of being magnitudes, and their median error below.
MAGNITUDES, SMALL_ERROR = (10.0, 40.0), 2.0
#: Beyond these nothing is a magnitude.
ANY_MAGNITUDE = (-10.0, 50.0)
#: No galaxy is known beyond it; a redshift in per cent easily is.
MOST_REDSHIFT = 20.0
#: No spectroscopic redshift is worth having with a larger error; one in km/s is larger.
MOST_REDSHIFT_ERR = 1.0


def check_are_fluxes(
    values: Float[np.ndarray, "n band"],
    errors: Float[np.ndarray, "n band"],
    *,
    where: str,
    columns: Sequence[str],
) -> None:
    """Refuse fluxes that look like magnitudes: galaxies span decades in flux."""
    # A few 99 among magnitudes, for "none", make them no fluxes.
    known = values[np.isfinite(values) & ~is_any_of(values, (*CERTAIN, *LARGE))]
    scatter = errors[np.isfinite(errors) & (errors > 0)]
    if not known.size or not scatter.size:
        return
    least, most = known.min(), known.max()
    if least >= MAGNITUDES[0] and most <= MAGNITUDES[1] and np.median(scatter) < SMALL_ERROR:
        problem = f"expected fluxes, found values from {least:.4g} to {most:.4g}, which look like magnitudes"
        mend = "say --magnitudes, or --fluxes if they are fluxes"
        raise TableError(f"{where}, columns {', '.join(columns)}", problem, mend)


def check_are_magnitudes(values: Float[np.ndarray, " n"], place: ColumnPlace) -> None:
    """Refuse numbers that no magnitude has."""
    place.refuse(
        values,
        (values < ANY_MAGNITUDE[0]) | (values > ANY_MAGNITUDE[1]),
        "magnitudes",
        "leave out --magnitudes if these are fluxes; say --missing={found} if it stands for a missing value, "
        "or --nondetection {found} if it stands for one too faint",
    )


def check_redshifts(redshift: Float[np.ndarray, " n"], place: ColumnPlace) -> None:
    """Refuse redshifts that are negative, infinite, or percentages."""
    declare = f"say --missing={place.column}={{found}} if it stands for a galaxy without one"
    place.refuse(redshift, redshift < 0, "redshifts of 0 or more", f"{declare}, or mend the rows")
    place.refuse(
        redshift,
        redshift > MOST_REDSHIFT,
        f"redshifts below {MOST_REDSHIFT:g}",
        f"write them as fractions, or {declare}",
        remark=": these may be percentages, or velocities",
    )


def check_redshift_errors(redshift_err: Float[np.ndarray, " n"], place: ColumnPlace) -> None:
    """Refuse errors of redshifts that are negative, or too large to be such."""
    place.refuse(
        redshift_err,
        (redshift_err < 0) | (redshift_err > MOST_REDSHIFT_ERR),
        f"errors of redshifts from 0 to {MOST_REDSHIFT_ERR:g}",
        "name the right column; divide by the speed of light what is in km/s; or say "
        f"--missing={place.column}={{found}} if it stands for one that is not known",
    )
