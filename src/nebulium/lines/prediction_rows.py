"""Rows of a table as the line models need them: checked, the bad ones set aside with their reasons."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from nebulium.data.extinction import extinction_per_ebv
from nebulium.data.rejects import Fault, Rejects
from nebulium.data.tables.table import Table
from nebulium.lines.continuum.bins import BIN_CENTRES_AA
from nebulium.lines.continuum.line_list import LINES

N_BINS = BIN_CENTRES_AA.size
FLUX_COLUMNS = tuple(f"continuum_flux_{place}" for place in range(N_BINS))
#: With fewer bins than this what is missing is most of the shape of the continuum.
FEWEST_BINS = 6
#: The smallest and largest numbers that single precision holds with all its digits.
SMALLEST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
#: Beyond the dawn of the first stars by far; a larger number is no redshift.
LARGEST_REDSHIFT = 100.0


@dataclass(frozen=True, eq=False)
class GalaxyRows:
    """Galaxies that can be predicted.

    Parameters
    ----------
    ids : ndarray of shape (n,)
    continuum_flux : ndarray of float32 of shape (n, 12)
        NaN where a bin is missing.
    redshift : ndarray of float32 of shape (n,)
        NaN where it is not known.
    sigma_aa : ndarray of float32 of shape (n, 10)
        Quoted errors of the measured equivalent widths; NaN where not known.
    places : ndarray of int64 of shape (n,)
        Their rows in the table.
    physical : bool
        Whether the fluxes are in a unit that gives a luminosity.
    """

    ids: np.ndarray
    continuum_flux: Float[np.ndarray, "n 12"]
    redshift: Float[np.ndarray, " n"]
    sigma_aa: Float[np.ndarray, "n 10"]
    places: np.ndarray
    physical: bool = True

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, which: np.ndarray) -> "GalaxyRows":
        """Some of the galaxies."""
        return GalaxyRows(
            self.ids[which],
            self.continuum_flux[which],
            self.redshift[which],
            self.sigma_aa[which],
            self.places[which],
            self.physical,
        )


def galaxy_rows(
    table: Table,
    rejects: Rejects,
    *,
    needs_luminosity: bool,
    row_numbers: np.ndarray | None = None,
    redshift_unused: bool = False,
    physical: bool = True,
) -> GalaxyRows:
    """Check every row of a table, and set the bad ones aside."""
    ids, n = table["target_id"], len(table)
    flux = np.stack([single(table[name]) for name in FLUX_COLUMNS], axis=1)
    known = "redshift" in table
    redshift = single(table["redshift"]) if known else np.full(n, np.nan, np.float32)
    ivar = np.stack([_column(table, f"ew_ivar_{line}") for line in LINES], axis=1)
    ebv = single(table["ebv"]) if "ebv" in table else None
    faults = [
        *_redshift_faults(redshift, may_be_nan=redshift_unused or not known, needed=needs_luminosity),
        *_flux_faults(flux),
        *_ivar_faults(ivar),
        *([] if ebv is None else [("ebv is not a number from 0 on", ~((ebv >= 0) & (ebv <= LARGEST)))]),
    ]
    numbers = np.arange(n) if row_numbers is None else row_numbers
    good = rejects.set_aside(faults, ids, rows=numbers)
    with np.errstate(divide="ignore"):
        sigma = np.where(ivar > 0, 1.0 / np.sqrt(np.where(ivar > 0, ivar, 1.0)), np.nan)
    rows = GalaxyRows(ids, flux, redshift, sigma.astype(np.float32), numbers, physical).select(good)
    return rows if ebv is None else _dereddened(rows, ebv[good])


def single(values: np.ndarray) -> Float[np.ndarray, "..."]:
    """Single precision; what it cannot hold becomes infinite."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(values).astype(np.float32)


def _column(table: Table, name: str) -> Float[np.ndarray, " n"]:
    return single(table[name]) if name in table else np.full(len(table), np.nan, np.float32)


def _redshift_faults(redshift: Float[np.ndarray, " n"], *, may_be_nan: bool, needed: bool) -> Iterator[Fault]:
    """Redshift 0 is that of a rest-frame spectrum, which has no luminosity."""
    absent = np.isnan(redshift)
    if not may_be_nan:
        yield "redshift is NaN", absent
    yield "redshift is infinite", np.isinf(redshift)
    yield "redshift is negative", redshift < 0
    yield f"redshift is above {LARGEST_REDSHIFT:g}", redshift > LARGEST_REDSHIFT
    if needed:
        yield "the model needs a luminosity and the redshift is not known", absent
        yield "the model needs a luminosity and the redshift is 0", redshift < SMALLEST


def _flux_faults(flux: Float[np.ndarray, "n 12"]) -> Iterator[Fault]:
    for name, values in zip(FLUX_COLUMNS, flux.T, strict=True):
        yield f"{name} is infinite", np.isinf(values)
        # Below the smallest normal number arithmetic rounds to zero.
        yield f"{name} is not positive", values < SMALLEST
    yield f"fewer than {FEWEST_BINS} of the {N_BINS} bins are known", _n_known(flux) < FEWEST_BINS


def _ivar_faults(ivar: Float[np.ndarray, "n 10"]) -> Iterator[Fault]:
    """NaN and 0 both say that nothing was measured."""
    for line, values in zip(LINES, ivar.T, strict=True):
        yield f"ew_ivar_{line} is negative", values < 0
        yield f"ew_ivar_{line} is infinite", np.isinf(values)


def _n_known(flux: Float[np.ndarray, "n 12"]) -> np.ndarray:
    return np.sum(~np.isnan(flux), axis=1)


def _dereddened(rows: GalaxyRows, ebv: Float[np.ndarray, " n"]) -> GalaxyRows:
    """Each bin corrected at its middle: across 300 AA the curve is straight enough."""
    redshift = np.where(np.isfinite(rows.redshift), rows.redshift, 0.0)
    wave_aa = BIN_CENTRES_AA[None, :] * (1.0 + redshift[:, None])
    brighter = 10.0 ** (0.4 * extinction_per_ebv(wave_aa) * ebv[:, None])
    return replace(rows, continuum_flux=single(rows.continuum_flux * brighter))
