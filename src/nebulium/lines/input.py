"""What the line models read: tables in chunks, or spectra made into one; bad rows are set aside."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nebulium.data.column_checks import Missing
from nebulium.data.extinction import deredden, extinction_per_ebv
from nebulium.data.flags import FLAGS, flag_faults, flag_names
from nebulium.data.glossary import FILE, FLUX_UNIT, family_of, lookup, parse_unit
from nebulium.data.ids import check_unique_ids
from nebulium.data.output import input_name
from nebulium.data.rejects import Fault, Rejects
from nebulium.data.spectra.checks import Declared
from nebulium.data.spectra.desi import read_redshifts
from nebulium.data.spectra.reading import is_spectrum_file, iter_spectra, read_spectra, spectrum_files
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.tables.reading import (
    ROWS_PER_CHUNK,
    ColumnMapping,
    Units,
    column_mapping,
    iter_table,
    open_table,
    unit_mapping,
)
from nebulium.data.tables.table import Table, TableSource, nearest, select_rows
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


#: What goes from the input into the output.
BESIDE = (FILE, *FLAGS)
KEPT_WITH = " (kept with --keep-flagged)"


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
    beside : dict of str to ndarray of shape (n,)
        What goes into the output as it is: the file, and warnings of the redshift where these are kept.
    """

    ids: np.ndarray
    continuum_flux: Float[np.ndarray, "n 12"]
    redshift: Float[np.ndarray, " n"]
    sigma_aa: Float[np.ndarray, "n 10"]
    places: np.ndarray
    physical: bool = True
    beside: dict[str, np.ndarray] = field(default_factory=dict)

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
    keep_flagged: bool = False,
) -> GalaxyRows:
    """Check every row of a table, and set the bad ones aside; those that lack a bin if a reason is given.

    So are failed redshifts, stars and quasars, unless they are to be kept, with the columns that say so.
    """
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
        *([] if keep_flagged else flag_faults(table.columns, KEPT_WITH)),
        *([] if incomplete is None else [(incomplete, np.isnan(flux).any(axis=1))]),
    ]
    numbers = np.arange(n) if row_numbers is None else row_numbers
    good = rejects.set_aside(faults, ids, rows=numbers)
    with np.errstate(divide="ignore"):
        sigma = np.where(ivar > 0, 1.0 / np.sqrt(np.where(ivar > 0, ivar, 1.0)), np.nan)
    beside = {name: table[name] for name in BESIDE if name in table and (name == FILE or keep_flagged)}
    rows = GalaxyRows(ids, flux, redshift, sigma.astype(np.float32), numbers, physical, beside).select(good)
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


#: The name under which the glossary has the continuum bins.
FLUX_FAMILY = family_of(FLUX_COLUMNS[0])
EW_COLUMNS = tuple(f"ew_{line}" for line in LINES)
IVAR_COLUMNS = tuple(f"ew_ivar_{line}" for line in LINES)
#: Columns that are used where the file has them.
OPTIONAL = ("redshift", *IVAR_COLUMNS)
#: A flux in one of these, instead of one at the telescope, still has the colours of a continuum.
RELATIVE_UNITS = ("erg / (s Angstrom)", "")


Source = str | Path | Sequence[str | Path]


def open_input(
    source: Source,
    *,
    columns: ColumnMapping | None = None,
    id_column: str | None = None,
    redshifts: str | Path | float | None = None,
    ebv: str | float | None = None,
    wave_unit: str | None = None,
    flux_unit: str | None = None,
    air: bool | None = None,
    missing: Missing = None,
    units: Units = None,
    rows_per_chunk: int = ROWS_PER_CHUNK,
) -> Opened[tuple[Table, np.ndarray]]:
    """Open a table of continuum bins, or spectra: chunks with our names, and their rows in the file."""
    path = spectrum_files(source)
    if isinstance(path, Path) and not is_spectrum_file(path):
        told = {"redshifts": redshifts, "wave_unit": wave_unit, "air": air}
        name = next((name for name, value in told.items() if value is not None), None)
        if name is not None:
            problem = f"is a table of continuum bins, to which --{name.replace('_', '-')} does not apply"
            raise TableError(
                str(path), problem, "leave it out; columns are mapped with --column redshift=NAME"
            )
        reading = {"missing": missing, "rows_per_chunk": rows_per_chunk}
        of_columns = unit_mapping(units) | ({} if flux_unit is None else {FLUX_FAMILY: flux_unit})
        return _open_table(path, checked_mapping(columns, id_column), ebv, of_columns, reading)
    of_tables = {"column": columns, "missing": missing, "unit": units}
    name = next((name for name, value in of_tables.items() if value is not None), None)
    if name is not None:
        mend = "leave it out; there are --id, --wave-unit and --flux-unit"
        raise SpectrumError(input_name(source), f"holds spectra, to which --{name} does not apply", mend)
    declared = Declared(wave_unit, flux_unit, air, id_column)
    return _of_spectra(open_spectra(source, redshifts=redshifts, ebv=ebv, declared=declared))


def open_spectra(
    source: Source,
    *,
    redshifts: str | Path | float | None = None,
    ebv: str | float | None = None,
    declared: Declared = Declared(),  # noqa: B008 - frozen
) -> Opened[Spectra]:
    """Spectra of a file, or of many a few at a time, corrected for Galactic extinction if that is asked for.

    The first are read at once, for they say what the ids are called.
    """
    path, rejects = spectrum_files(source), Rejects()
    if isinstance(path, Path):
        parts = iter([read_spectra(path, redshifts=redshifts, **asdict(declared))])
    else:
        id_column = declared.id_column
        known = read_redshifts(redshifts, id_column) if isinstance(redshifts, str | Path) else redshifts
        parts = iter_spectra(path, rejects, redshifts=known, declared=declared)
    first = next(parts)
    check_unique_ids(lambda: [first.ids], where=first.name)
    chunks = (_dereddened_spectra(part, ebv) for part in chain([first], parts))
    return Opened(input_name(source), chunks, first.id_column, first.rejects)


def _dereddened_spectra(spectra: Spectra, ebv: str | float | None) -> Spectra:
    """Corrected by a number, or by the column of the file."""
    if isinstance(ebv, str) and ebv != "ebv":
        mend = "give a number of magnitudes, or ebv"
        raise SpectrumError(spectra.name, f"has no column {ebv!r} of E(B-V)", mend)
    return spectra if ebv is None else deredden(spectra, None if isinstance(ebv, str) else ebv)


def beside_spectra(spectra: Spectra) -> dict[str, np.ndarray]:
    """What may go into the output; of many files, which need not all say it, always the same columns."""
    found = {key: spectra.columns[key] for key in BESIDE if key in spectra.columns}
    if FILE in found:
        zwarn, kinds = found.get("zwarn", np.zeros(0, "U")), found.get("spectype", np.full(len(spectra), ""))
        unknown = np.full(len(spectra), np.nan)
        found["zwarn"] = zwarn.astype(np.float64) if zwarn.dtype.kind in "iuf" else unknown
        found["spectype"] = kinds.astype(np.str_)
    return found


def with_known_redshift(spectra: Spectra) -> Spectra:
    """Spectra whose redshift is known; the others are set aside."""
    return spectra.without(~np.isfinite(spectra.redshift), "redshift is not known (give --redshifts)")


def good_galaxies(spectra: Spectra) -> Spectra:
    """Spectra of galaxies whose redshifts did not fail; the others are set aside."""
    faults = flag_faults(spectra.columns, KEPT_WITH)
    return spectra.select(spectra.rejects.set_aside(faults, spectra.ids, rows=spectra.row_numbers()))


def _of_spectra(spectra: Opened[Spectra]) -> Opened[tuple[Table, np.ndarray]]:
    """What the models read of spectra."""

    def table_of(spectra: Spectra) -> tuple[Table, np.ndarray]:
        spectra = with_known_redshift(spectra)
        return features_from_spectra(spectra).with_columns(beside_spectra(spectra)), spectra.row_numbers()

    first = table_of(next(spectra.chunks))
    chunks = chain([first], map(table_of, spectra.chunks))
    return Opened(spectra.name, chunks, spectra.id_column, spectra.rejects, metadata=first[0].metadata)


def checked_mapping(columns: ColumnMapping | None = None, id_column: str | None = None) -> dict[str, str]:
    """Column mapping of the user, every name checked against the glossary."""
    given = {} if columns is None else column_mapping(columns)
    for name in given:
        if lookup(name) is None:
            near = nearest(name, [ID, *OPTIONAL, *FLUX_COLUMNS])
            mend = f"write {near}" if near else "take a name from the glossary"
            raise TableError(f"column mapping {name}={given[name]}", f"{name} is no name of nebulium's", mend)
    return given if id_column is None else {**given, ID: id_column}


def _open_table(
    path: Path,
    given: Mapping[str, str],
    ebv: str | float | None,
    units: Mapping[str, str],
    reading: Mapping[str, Any],
) -> Opened[tuple[Table, np.ndarray]]:
    names = {name: given.get(name, name) for name in (ID, *FLUX_COLUMNS, *OPTIONAL)}
    source = open_table(path, [names[name] for name in (ID, *FLUX_COLUMNS)])
    names |= flag_columns(source, given)
    if isinstance(ebv, str):
        names["ebv"] = ebv
    optional = [name for name in OPTIONAL if name not in given]
    relative = _relative_unit(source, names, units.get(FLUX_FAMILY))
    units = {**units, FLUX_FAMILY: FLUX_UNIT} if relative else units

    def ids() -> Iterator[np.ndarray]:
        for chunk in iter_table(path, columns={ID: names[ID]}, **reading):
            yield chunk[ID]

    def chunks() -> Iterator[tuple[Table, np.ndarray]]:
        check_unique_ids(ids, where=str(path))
        first = 0
        for chunk in iter_table(path, columns=names, optional=optional, units=units, **reading):
            if relative:
                chunk = replace(chunk, units={**chunk.units, **dict.fromkeys(FLUX_COLUMNS, relative)})
            if isinstance(ebv, float | int):
                chunk = chunk.with_columns({"ebv": np.full(len(chunk), ebv)})
            yield chunk, np.arange(first, first + len(chunk))
            first += len(chunk)

    metadata = {} if ebv is None else {"galactic_extinction": {"law": "Fitzpatrick (1999)", "ebv": ebv}}
    return Opened(str(path), chunks(), names[ID], metadata=metadata)


def flag_columns(source: TableSource, given: Mapping[str, str]) -> dict[str, str]:
    """The columns of a table that say which redshifts failed and what is no galaxy, if it has them."""
    usual = flag_names(source.columns)
    return {name: given.get(name, usual.get(name, "")) for name in FLAGS if name in given or name in usual}


def _relative_unit(source: TableSource, names: Mapping[str, str], flux_unit: str | None) -> str:
    """The declared unit of the fluxes, if they have colours but no luminosity; else empty."""
    declared = (flux_unit or source.units.get(names[FLUX_COLUMNS[0]], "")).strip()
    try:
        unit = parse_unit(declared) if declared else None
    except ValueError:
        return ""  # the reader says what it does not understand
    relative = unit is not None and any(unit.is_equivalent(parse_unit(other)) for other in RELATIVE_UNITS)
    return declared if relative else ""
