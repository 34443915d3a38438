"""Tables of continua and measured lines: read, checked, and as models are trained and scored on them."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nebulium.data.column_checks import Missing
from nebulium.data.ids import check_unique_ids
from nebulium.data.rejects import Rejects
from nebulium.data.tables.reading import ColumnMapping, Units, open_table, read_table
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import (
    EW_COLUMNS,
    FLUX_COLUMNS,
    IVAR_COLUMNS,
    checked_mapping,
    flag_columns,
    galaxy_rows,
)
from nebulium.lines.likelihood import MeasuredLines
from nebulium.lines.model import LineModel
from nebulium.verbs.predict import ID

PUBLISHED_COLUMNS = tuple(f"published_ew_{line}" for line in LINES)


#: Lines of which absorption is weak or unknown; the higher Balmer lines of old stars are seen in absorption.
IN_EMISSION = tuple(line for line in LINES if line not in ("HGAMMA", "HBETA"))
#: Of so many measurements above 3 sigma the sign tells in which convention they are.
ENOUGH, SIGNIFICANT = 10, 3.0
NEGATIVE = ("negative, as in the catalogues of MPA-JHU", "say --emission-negative to turn them")


def read_measured(
    path: str | Path,
    *,
    columns: ColumnMapping | None = None,
    id_column: str | None = None,
    missing: Missing = None,
    units: Units = None,
    emission_negative: bool = False,
    need_ivar: bool = True,
) -> Table:
    """Read a table of continua and measured lines, every id once; emission becomes positive."""
    given = checked_mapping(columns, id_column)
    names = (ID, "redshift", *FLUX_COLUMNS, *EW_COLUMNS, *IVAR_COLUMNS, *PUBLISHED_COLUMNS)
    optional = PUBLISHED_COLUMNS if need_ivar else (*IVAR_COLUMNS, *PUBLISHED_COLUMNS)
    source = open_table(Path(path), [given.get(name, name) for name in (ID, *FLUX_COLUMNS)])
    table = read_table(
        path,
        columns={name: given.get(name, name) for name in names} | flag_columns(source, given),
        optional=[name for name in optional if name not in given],
        missing=missing,
        units=units,
    )
    check_unique_ids(lambda: [table[ID]], where=str(path))
    check_sign(table, emission_negative=emission_negative)
    return table.with_columns({name: -table[name] for name in EW_COLUMNS}) if emission_negative else table


def check_sign(table: Table, *, emission_negative: bool) -> None:
    """Refuse equivalent widths of the other convention than is said: catalogues use both."""
    above = below = 0
    for line in IN_EMISSION:
        width = table[f"ew_{line}"]
        ivar = table[f"ew_ivar_{line}"] if f"ew_ivar_{line}" in table else np.full(len(table), np.inf)
        with np.errstate(invalid="ignore"):
            sure = np.isfinite(width) & (np.abs(width) * np.sqrt(np.maximum(ivar, 0.0)) > SIGNIFICANT)
        above, below = above + int(np.sum(sure & (width > 0))), below + int(np.sum(sure & (width < 0)))
    found, other = (above, below) if emission_negative else (below, above)
    if found >= ENOUGH and found > other:
        sign, mend = ("positive", "leave out --emission-negative") if emission_negative else NEGATIVE
        problem = f"emission is {sign}: so are {found:,} of {found + other:,} certain equivalent widths"
        raise TableError(f"{table.name}, columns ew_LINE", problem, mend)


def usable_rows(
    table: Table, rejects: Rejects, *, with_luminosity: bool, keep_flagged: bool = False
) -> Table:
    """Rows that a model can learn from; the others are set aside."""
    rows = galaxy_rows(
        table,
        rejects,
        needs_luminosity=with_luminosity,
        incomplete="a bin is missing",
        keep_flagged=keep_flagged,
    )
    faults = [(f"{name} is infinite", np.isinf(table[name][rows.places])) for name in EW_COLUMNS]
    places = rows.places[rejects.set_aside(faults, rows.ids, rows=rows.places)]
    if not len(places):
        problem = f"has no row to learn from ({rejects.summary()})"
        raise TableError(table.name, problem, "check the columns and their units")
    return table.select(places)


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
    beside : dict of str to ndarray of shape (n,)
        Warnings of the redshift, where such galaxies are kept.
    """

    ids: np.ndarray
    continuum_flux: Float[np.ndarray, "n 12"]
    redshift: Float[np.ndarray, " n"]
    ew_aa: Float[np.ndarray, "n 10"]
    sigma_aa: Float[np.ndarray, "n 10"]
    published_ew_aa: Float[np.ndarray, "n 10"] | None = None
    beside: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lines(self) -> MeasuredLines:
        """The measurements as the model takes them."""
        with np.errstate(divide="ignore"):
            return MeasuredLines.from_columns(self.ew_aa, self.sigma_aa**-2.0)


def measured_galaxies(
    table: Table,
    model: LineModel,
    rejects: Rejects,
    *,
    rows: np.ndarray | None = None,
    keep_flagged: bool = False,
) -> MeasuredGalaxies:
    """Read galaxies with measured lines out of a table; rows that cannot be used go to the rejects."""
    numbers = np.arange(len(table)) if rows is None else rows
    good = galaxy_rows(
        table.select(numbers),
        rejects,
        needs_luminosity=model.with_luminosity,
        row_numbers=numbers,
        redshift_unused=not model.with_luminosity,
        incomplete="a bin is missing: measured lines cannot be scored there",
        keep_flagged=keep_flagged,
    )
    measured = table.select(good.places)
    ew = _widths(measured, EW_COLUMNS)
    has_published = all(name in table for name in PUBLISHED_COLUMNS)
    return MeasuredGalaxies(
        good.ids,
        good.continuum_flux,
        good.redshift,
        np.where(ew > 0, ew, np.nan),
        good.sigma_aa.astype(float),
        _widths(measured, PUBLISHED_COLUMNS) if has_published else None,
        good.beside,
    )


def _widths(table: Table, columns: tuple[str, ...]) -> Float[np.ndarray, "n 10"]:
    return np.stack([np.asarray(table[name], float) for name in columns], axis=1)
