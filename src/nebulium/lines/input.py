"""What the line models read: tables in chunks, or spectra made into one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.glossary import lookup
from nebulium.data.rejects import Rejects
from nebulium.data.spectra.reading import is_spectrum_file, read_spectra
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.tables.column_mapping import column_mapping
from nebulium.data.tables.opening import open_table
from nebulium.data.tables.reading import ROWS_PER_CHUNK, iter_table
from nebulium.data.tables.table import Table, nearest
from nebulium.data.units import FLUX_UNIT, parse_unit
from nebulium.errors import SpectrumError, TableError
from nebulium.lines.continuum.feature_table import features_from_spectra
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.prediction_rows import FLUX_COLUMNS

ID = "target_id"
IVAR_COLUMNS = tuple(f"ew_ivar_{line}" for line in LINES)
#: Columns that are used where the file has them.
OPTIONAL = ("redshift", *IVAR_COLUMNS)
#: A flux in one of these, instead of one at the telescope, still has the colours of a continuum.
RELATIVE_UNITS = ("erg / (s Angstrom)", "")

Columns = Mapping[str, str] | str | Sequence[str]


@dataclass(frozen=True, eq=False)
class LineInput:
    """An input ready to be predicted, chunk by chunk.

    Parameters
    ----------
    name : str
        The file.
    chunks : callable returning an iterator of Table
        With nebulium's names.
    ids : callable returning an iterator of ndarray
        The ids alone, in the order of the rows.
    id_name : str
        What the file calls its ids.
    row_numbers : ndarray of int64 of shape (n,), optional
        Places of the rows in the file, if not all of its rows come in the chunks.
    rejects : Rejects
        Rows set aside in reading.
    metadata : dict
        How the features were made, of spectra.
    """

    name: str
    chunks: Callable[[], Iterator[Table]]
    ids: Callable[[], Iterator[np.ndarray]]
    id_name: str = ID
    row_numbers: np.ndarray | None = None
    rejects: Rejects = field(default_factory=Rejects)
    metadata: dict[str, Any] = field(default_factory=dict)


def open_input(
    path: str | Path,
    *,
    columns: Columns | None = None,
    id_column: str | None = None,
    redshifts: str | Path | float | None = None,
    ebv: str | float | None = None,
    rows_per_chunk: int = ROWS_PER_CHUNK,
) -> LineInput:
    """Open a table of continuum bins, or spectra."""
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


def _of_spectra(spectra: Spectra) -> LineInput:
    spectra = with_known_redshift(spectra)
    features = features_from_spectra(spectra)
    return LineInput(
        spectra.name,
        chunks=lambda: iter([features]),
        ids=lambda: iter([spectra.ids]),
        row_numbers=spectra.row_numbers(),
        rejects=spectra.rejects,
        metadata=features.metadata,
    )


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
) -> LineInput:
    names = {name: given.get(name, name) for name in (ID, *FLUX_COLUMNS, *OPTIONAL)}
    if isinstance(ebv, str):
        names["ebv"] = ebv
    optional = [name for name in OPTIONAL if name not in given]
    relative = _relative_unit(path, names)
    told = dict.fromkeys(FLUX_COLUMNS, FLUX_UNIT) if relative else None

    def chunks() -> Iterator[Table]:
        for chunk in iter_table(
            path, rows_per_chunk=rows_per_chunk, columns=names, optional=optional, units=told
        ):
            if relative:
                chunk = replace(chunk, units={**chunk.units, **dict.fromkeys(FLUX_COLUMNS, relative)})
            yield chunk if ebv is None or isinstance(ebv, str) else _with_constant_ebv(chunk, ebv)

    def ids() -> Iterator[np.ndarray]:
        for chunk in iter_table(path, rows_per_chunk=rows_per_chunk, columns={ID: names[ID]}):
            yield chunk[ID]

    metadata = {} if ebv is None else {"galactic_extinction": {"law": "Fitzpatrick (1999)", "ebv": ebv}}
    return LineInput(str(path), chunks, ids, names[ID], metadata=metadata)


def _with_constant_ebv(chunk: Table, ebv: float) -> Table:
    return chunk.with_columns({"ebv": np.full(len(chunk), ebv)})


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
