"""What the line models read: tables in chunks, or spectra made into one; bad rows are set aside."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nebulium.data.extinction import extinction_per_ebv
from nebulium.data.glossary import FLUX_UNIT, lookup, parse_unit
from nebulium.data.ids import check_unique_ids
from nebulium.data.rejects import Fault, Rejects
from nebulium.data.spectra.reading import is_spectrum_file, read_spectra
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.tables.reading import ROWS_PER_CHUNK, column_mapping, iter_table, open_table
from nebulium.data.tables.table import Table, nearest, select_rows
from nebulium.errors import NebuliumError, SpectrumError, TableError
from nebulium.lines.continuum.bins import BIN_CENTRES_AA
from nebulium.lines.continuum.features import features_from_spectra
from nebulium.lines.continuum.line_list import LINES
from nebulium.verbs.predict import ID, Opened

N_BINS = BIN_CENTRES_AA.size
FLUX_COLUMNS = tuple(f"continuum_flux_{place}" for place in range(N_BINS))
#: The packaged model that needs no luminosity.
COLOURS_ONLY = "desi-lines-colours"
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
        return select_rows(self, which)


def galaxy_rows(
    table: Table,
    rejects: Rejects,
    *,
    needs_luminosity: bool,
    row_numbers: np.ndarray | None = None,
    redshift_unused: bool = False,
    incomplete: str | None = None,
) -> GalaxyRows:
    """Check every row of a table, and set the bad ones aside; those that lack a bin if a reason is given."""
    ids, n, unit = table[ID], len(table), table.units.get(FLUX_COLUMNS[0], "")
    physical = unit in ("", FLUX_UNIT)
    if needs_luminosity and not physical:
        problem = f"the model needs a luminosity, so expected what converts to {FLUX_UNIT}, found {unit}"
        raise NebuliumError(f"{table.name}, columns continuum_flux", problem, f"use the model {COLOURS_ONLY}")
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
        *([] if incomplete is None else [(incomplete, np.isnan(flux).any(axis=1))]),
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
    known = np.sum(~np.isnan(flux), axis=1)
    yield f"fewer than {FEWEST_BINS} of the {N_BINS} bins are known", known < FEWEST_BINS


def _ivar_faults(ivar: Float[np.ndarray, "n 10"]) -> Iterator[Fault]:
    """NaN and 0 both say that nothing was measured."""
    for line, values in zip(LINES, ivar.T, strict=True):
        yield f"ew_ivar_{line} is negative", values < 0
        yield f"ew_ivar_{line} is infinite", np.isinf(values)


def _dereddened(rows: GalaxyRows, ebv: Float[np.ndarray, " n"]) -> GalaxyRows:
    """Each bin corrected at its middle: across 300 AA the curve is straight enough."""
    redshift = np.where(np.isfinite(rows.redshift), rows.redshift, 0.0)
    wave_aa = BIN_CENTRES_AA[None, :] * (1.0 + redshift[:, None])
    brighter = 10.0 ** (0.4 * extinction_per_ebv(wave_aa) * ebv[:, None])
    return replace(rows, continuum_flux=single(rows.continuum_flux * brighter))


EW_COLUMNS = tuple(f"ew_{line}" for line in LINES)
IVAR_COLUMNS = tuple(f"ew_ivar_{line}" for line in LINES)
#: Columns that are used where the file has them.
OPTIONAL = ("redshift", *IVAR_COLUMNS)
#: A flux in one of these, instead of one at the telescope, still has the colours of a continuum.
RELATIVE_UNITS = ("erg / (s Angstrom)", "")

Columns = Mapping[str, str] | str | Sequence[str]


def open_input(
    path: str | Path,
    *,
    columns: Columns | None = None,
    id_column: str | None = None,
    redshifts: str | Path | float | None = None,
    ebv: str | float | None = None,
    rows_per_chunk: int = ROWS_PER_CHUNK,
) -> Opened[tuple[Table, np.ndarray]]:
    """Open a table of continuum bins, or spectra: chunks with our names, and their rows in the file."""
    path = Path(path)
    if not is_spectrum_file(path):
        if redshifts is not None:
            raise TableError(
                str(path), "is a table, which has its own redshifts", "map the column: redshift=NAME"
            )
        return _open_table(path, checked_mapping(columns, id_column), ebv, rows_per_chunk)
    if columns is not None or id_column is not None:
        raise SpectrumError(str(path), "holds spectra, which need no column mapping", "leave it out")
    return _of_spectra(load_spectra(path, redshifts=redshifts, ebv=ebv))


def load_spectra(
    path: str | Path, *, redshifts: str | Path | float | None = None, ebv: str | float | None = None
) -> Spectra:
    """Read spectra, corrected for Galactic extinction where that is asked for."""
    if not isinstance(ebv, str):
        return read_spectra(path, redshifts=redshifts, ebv=ebv, correct_extinction=ebv is not None)
    if ebv == "ebv":
        return read_spectra(path, redshifts=redshifts, correct_extinction=True)
    raise SpectrumError(str(path), f"has no column {ebv!r} of E(B-V)", "give a number of magnitudes, or ebv")


def with_known_redshift(spectra: Spectra) -> Spectra:
    """Spectra whose redshift is known; the others are set aside."""
    return spectra.without(~np.isfinite(spectra.redshift), "redshift is not known (give --redshifts)")


def _of_spectra(spectra: Spectra) -> Opened[tuple[Table, np.ndarray]]:
    spectra = with_known_redshift(spectra)
    features = features_from_spectra(spectra)

    def chunks() -> Iterator[tuple[Table, np.ndarray]]:
        check_unique_ids(lambda: [spectra.ids], where=spectra.name)
        yield features, spectra.row_numbers()

    return Opened(spectra.name, chunks(), rejects=spectra.rejects, metadata=features.metadata)


def checked_mapping(columns: Columns | None = None, id_column: str | None = None) -> dict[str, str]:
    """Column mapping of the user, every name checked against the glossary."""
    given = {} if columns is None else column_mapping(columns)
    for name in given:
        if lookup(name) is None:
            near = nearest(name, [ID, *OPTIONAL, *FLUX_COLUMNS])
            mend = f"write {near}" if near else "take a name from the glossary"
            raise TableError(f"column mapping {name}={given[name]}", f"{name} is no name of nebulium's", mend)
    return given if id_column is None else {**given, ID: id_column}


def _open_table(
    path: Path, given: Mapping[str, str], ebv: str | float | None, rows_per_chunk: int
) -> Opened[tuple[Table, np.ndarray]]:
    names = {name: given.get(name, name) for name in (ID, *FLUX_COLUMNS, *OPTIONAL)}
    if isinstance(ebv, str):
        names["ebv"] = ebv
    optional = [name for name in OPTIONAL if name not in given]
    relative = _relative_unit(path, names)
    told = dict.fromkeys(FLUX_COLUMNS, FLUX_UNIT) if relative else None

    def ids() -> Iterator[np.ndarray]:
        for chunk in iter_table(path, rows_per_chunk=rows_per_chunk, columns={ID: names[ID]}):
            yield chunk[ID]

    def chunks() -> Iterator[tuple[Table, np.ndarray]]:
        check_unique_ids(ids, where=str(path))
        first = 0
        for chunk in iter_table(
            path, rows_per_chunk=rows_per_chunk, columns=names, optional=optional, units=told
        ):
            if relative:
                chunk = replace(chunk, units={**chunk.units, **dict.fromkeys(FLUX_COLUMNS, relative)})
            if isinstance(ebv, float | int):
                chunk = chunk.with_columns({"ebv": np.full(len(chunk), ebv)})
            yield chunk, np.arange(first, first + len(chunk))
            first += len(chunk)

    metadata = {} if ebv is None else {"galactic_extinction": {"law": "Fitzpatrick (1999)", "ebv": ebv}}
    return Opened(str(path), chunks(), names[ID], metadata=metadata)


def _relative_unit(path: Path, names: Mapping[str, str]) -> str:
    """The declared unit of the fluxes, if they have colours but no luminosity; else empty."""
    source = open_table(path, [names[name] for name in FLUX_COLUMNS])
    declared = source.units.get(names[FLUX_COLUMNS[0]], "").strip()
    try:
        unit = parse_unit(declared) if declared else None
    except ValueError:
        return ""  # the reader says what it does not understand
    relative = unit is not None and any(unit.is_equivalent(parse_unit(other)) for other in RELATIVE_UNITS)
    return declared if relative else ""
