"""Galaxies with measured lines, as models are scored on them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import galaxy_rows
from nebulium.lines.likelihood import MeasuredLines
from nebulium.lines.model import LineModel


@dataclass(frozen=True, eq=False)
class MeasuredGalaxies:
    """Galaxies with usable continua and their measured lines.

    Attributes
    ----------
    ids : ndarray of shape (n,)
        Identifiers.
    continuum_flux : ndarray of shape (n, 12)
        1e-17 erg/s/cm2/AA, every bin known.
    redshift : ndarray of shape (n,)
        Redshifts; NaN where unknown.
    ew_aa, sigma_aa : ndarray of shape (n, 10)
        Measured equivalent widths and their quoted errors, AA; NaN where missing.
    published_ew_aa : ndarray of shape (n, 10), optional
        Predictions that the table brought along.
    """

    ids: np.ndarray
    continuum_flux: Float[np.ndarray, "n 12"]
    redshift: Float[np.ndarray, " n"]
    ew_aa: Float[np.ndarray, "n 10"]
    sigma_aa: Float[np.ndarray, "n 10"]
    published_ew_aa: Float[np.ndarray, "n 10"] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lines(self) -> MeasuredLines:
        """The measurements as the model takes them."""
        with np.errstate(divide="ignore"):
            return MeasuredLines.from_columns(self.ew_aa, self.sigma_aa**-2.0)


def measured_galaxies(
    table: Table, model: LineModel, rejects: Rejects, *, rows: np.ndarray | None = None
) -> MeasuredGalaxies:
    """Read galaxies with measured lines out of a table; rows that cannot be used go to the rejects."""
    numbers = np.arange(len(table)) if rows is None else rows
    chosen = table.select(numbers)
    good = galaxy_rows(
        chosen,
        rejects,
        needs_luminosity=model.with_luminosity,
        row_numbers=numbers,
        redshift_unused=not model.with_luminosity,
    )
    reason = "a bin is missing: measured lines cannot be scored there"
    gaps = np.isnan(good.continuum_flux).any(axis=1)
    good = good.select(rejects.set_aside([(reason, gaps)], good.ids, rows=good.places))
    measured = table.select(good.places)
    ew = _widths(measured, "ew")
    has_published = all(f"published_ew_{line}" in table for line in LINES)
    return MeasuredGalaxies(
        good.ids,
        good.continuum_flux,
        good.redshift,
        np.where(ew > 0, ew, np.nan),
        good.sigma_aa.astype(float),
        _widths(measured, "published_ew") if has_published else None,
    )


def _widths(table: Table, prefix: str) -> Float[np.ndarray, "n 10"]:
    return np.stack([np.asarray(table[f"{prefix}_{line}"], float) for line in LINES], axis=1)
