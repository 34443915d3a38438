"""Catalogues of photometry: a mock survey, or a table of any kind whose columns are named."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nebulium.data.column_checks import ColumnPlace, MissingNumbers, numbers
from nebulium.data.flags import flag_faults, flag_names
from nebulium.data.ids import check_unique_ids
from nebulium.data.rejects import Fault, Rejects
from nebulium.data.tables.reading import column_names, iter_table
from nebulium.data.tables.table import Table, concatenate_rows
from nebulium.errors import MissingColumnError, TableError, mending
from nebulium.photometry.checks import check_are_fluxes, check_redshift_errors, check_redshifts
from nebulium.photometry.fluxes import FLUX, FLUX_ERR, are_magnitudes, band_fluxes
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import BandColumns, CatalogueLayout

#: The table of a mock survey, in its folder.
CATALOGUE = "catalogue.parquet"
REDSHIFT = "redshift_spec"
ROWS_PER_CHUNK = 65536
#: What the columns are called here, but for those of the bands.
ID, REDSHIFT_ERR, EBV = "target_id", "redshift_err", "ebv"
#: Behind more dust, mag, nothing is seen of a galaxy in the optical; a number in other units may be larger.
MOST_EBV = 10.0
#: Before the names of flags, so that they are read as they are.
FLAG = "flag "
#: What a flux is called in messages.
ANY_FLUX = "flux_njy_obs_BAND"


@dataclass(frozen=True, eq=False)
class PhotometricCatalogue:
    """A catalogue of which it is settled what its columns mean; it stays on disk.

    Attributes
    ----------
    path : Path
        The file.
    layout : CatalogueLayout
        With the bands, and the redshifts if there are any, as they were given or found.
    flags : mapping of str to str
        The columns that say which redshifts failed and what is no galaxy: ``zwarn`` and ``spectype``.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data.tables.writer import write_table
    >>> columns = {"target_id": np.array([1, 2]), "redshift_spec": np.array([0.5, np.nan])}
    >>> columns |= {"flux_njy_obs_r": np.array([80.0, -3.0]), "flux_njy_err_r": np.array([5.0, 5.0])}
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_table(Table(columns), f"{scratch}/catalogue.parquet")
    ...     catalogue = open_photometry(scratch)
    >>> catalogue.layout.names, catalogue.layout.redshift_column
    (('r',), 'redshift_spec')
    """

    path: Path
    layout: CatalogueLayout
    flags: Mapping[str, str] = field(default_factory=dict)

    def chunks(
        self,
        *,
        rejects: Rejects | None = None,
        counted: Counter[str] | None = None,
        rows_per_chunk: int = ROWS_PER_CHUNK,
    ) -> Iterator[PhotometricGalaxies]:
        """Read so many galaxies at a time, in memory that does not grow with their number.

        Parameters
        ----------
        rejects : Rejects, optional
            Takes the galaxies with an infinite flux, or with an E(B-V) that makes no sense.
        counted : Counter, optional
            Counts what was taken as missing, by reason.
        rows_per_chunk : int
            Rows of the catalogue that are read at a time.

        Yields
        ------
        PhotometricGalaxies
            At least one galaxy; fluxes as the catalogue has them: `deredden` corrects them.

        Raises
        ------
        TableError
            The file cannot be read, lacks a column, or its values are not what they are said to be.
        """
        rejects = Rejects() if rejects is None else rejects
        counted = Counter() if counted is None else counted
        first = 0
        for table in self._tables(self._wanted(), rows_per_chunk):
            galaxies = self._galaxies(table, first, counted)
            rows = first + np.arange(len(table))
            good = rejects.set_aside(_faults(galaxies), galaxies.ids, rows=rows)
            first += len(table)
            if np.any(good):
                yield galaxies if np.all(good) else galaxies.select(good)

    def check_ids(self) -> None:
        """Refuse a catalogue in which an id stands twice."""
        wanted, rows = {ID: self.layout.id_column}, 16 * ROWS_PER_CHUNK
        check_unique_ids(lambda: (table[ID] for table in self._tables(wanted, rows)), where=str(self.path))

    def _wanted(self) -> dict[str, str]:
        """Our name of a column -> the file's."""
        layout = self.layout
        wanted = {ID: layout.id_column}
        for place, band in enumerate(layout.bands):
            wanted |= {_value(place): band.value, _error(place): band.error}
        others = {REDSHIFT: layout.redshift_column, REDSHIFT_ERR: layout.redshift_err_column, EBV: layout.ebv}
        wanted |= {name: column for name, column in others.items() if isinstance(column, str)}
        return wanted | {_flag(name): column for name, column in self.flags.items()}

    def _tables(self, wanted: dict[str, str], rows_per_chunk: int) -> Iterator[Table]:
        """Columns as the file has them, but for the numbers that are declared missing."""
        mend = "check the names given with --band, --id, --redshift and --ebv"
        missing = MissingNumbers(self.layout.missing)
        with mending(MissingColumnError, mend):
            yield from iter_table(self.path, rows_per_chunk=rows_per_chunk, columns=wanted, missing=missing)

    def _galaxies(self, table: Table, first: int, counted: Counter[str]) -> PhotometricGalaxies:
        """One chunk, checked and in our units."""
        layout, n = self.layout, len(table)
        known = {REDSHIFT: np.full(n, np.nan), REDSHIFT_ERR: np.full(n, np.nan), EBV: layout.ebv}
        places = {name: ColumnPlace(table.name, column, first) for name, column in self._wanted().items()}
        flags = {name: table[_flag(name)] for name in self.flags}
        others = {name: values for name, values in table.columns.items() if not name.startswith(FLAG)}
        found = known | {name: _numbers(values, name, places[name]) for name, values in others.items()}
        if REDSHIFT in places:
            check_redshifts(found[REDSHIFT], places[REDSHIFT])
            found[REDSHIFT] = _good_redshifts(found[REDSHIFT], flags, counted)
        # What stands beside galaxies without a label does not matter.
        redshift_err = np.where(np.isfinite(found[REDSHIFT]), found[REDSHIFT_ERR], np.nan)
        if REDSHIFT_ERR in places:
            check_redshift_errors(redshift_err, places[REDSHIFT_ERR])
        # Of the first chunk: a few rows at the end of a table may well be of one magnitude.
        if first == 0 and layout.magnitudes is None:
            asked = [
                place
                for place in range(len(layout.bands))
                if not are_magnitudes(layout, table.units.get(_value(place), ""), places[_value(place)])
            ]
            both = [[found[name(band)] for band in asked] for name in (_value, _error)]
            if asked:
                values, errors = (np.stack(one, axis=1) for one in both)
                named = [layout.bands[place].value for place in asked]
                check_are_fluxes(values, errors, where=table.name, columns=named)
        bands = [
            band_fluxes(
                found[_value(band)],
                found[_error(band)],
                columns,
                layout=layout,
                units=(table.units.get(_value(band), ""), table.units.get(_error(band), "")),
                place=places[_value(band)],
                counted=counted,
            )
            for band, columns in enumerate(layout.bands)
        ]
        return PhotometricGalaxies(
            ids=table[ID],
            bands=layout.names,
            flux_njy=np.stack([flux for flux, _ in bands], axis=1),
            flux_err_njy=np.stack([flux_err for _, flux_err in bands], axis=1),
            redshift=found[REDSHIFT].astype(np.float32),
            redshift_err=np.where(redshift_err > 0, redshift_err, 0.0).astype(np.float32),
            ebv=None if layout.ebv is None else np.full(n, found[EBV], np.float32),
            name=table.name,
            dereddened=layout.dereddened,
        )


def open_photometry(
    path: str | Path, layout: CatalogueLayout | None = None, *, with_redshifts: bool = True
) -> PhotometricCatalogue:
    """Settle what the columns of a catalogue mean.

    Parameters
    ----------
    path : str or Path
        Folder of a mock survey, or a table as `nebulium.data.read_table` reads it.
    layout : CatalogueLayout, optional
        What is known of the columns.
    with_redshifts : bool
        Whether redshifts are read, where there are any.

    Returns
    -------
    PhotometricCatalogue

    Raises
    ------
    TableError
        There is no such catalogue, it has none of the columns of a mock survey and none are named, or an id
        stands in it twice.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data.tables.writer import write_table
    >>> columns = {"target_id": np.array([1, 2]), "redshift_spec": np.array([0.5, np.nan])}
    >>> columns |= {"flux_njy_obs_r": np.array([80.0, -3.0]), "flux_njy_err_r": np.array([5.0, 5.0])}
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_table(Table(columns), f"{scratch}/catalogue.parquet")
    ...     chunk = next(open_photometry(scratch).chunks())
    >>> chunk.bands, chunk.flux_njy.ravel().tolist(), chunk.redshift.tolist()
    (('r',), [80.0, -3.0], [0.5, nan])
    """
    path, layout = table_of(Path(path)), layout or CatalogueLayout()
    names = column_names(path)
    if not layout.bands:
        layout = replace(layout, bands=_bands_of_mock(path, names))
    if not with_redshifts:
        layout = replace(layout, redshift_column=None, redshift_err_column=None)
    elif layout.redshift_column is None and REDSHIFT in names:
        layout = replace(layout, redshift_column=REDSHIFT)
    catalogue = PhotometricCatalogue(path, layout, flag_names(names) if layout.redshift_column else {})
    catalogue.check_ids()
    return catalogue


def read_photometry(
    path: str | Path,
    layout: CatalogueLayout | None = None,
    *,
    rejects: Rejects | None = None,
    counted: Counter[str] | None = None,
) -> PhotometricGalaxies:
    """Read a catalogue of photometry into memory.

    Parameters
    ----------
    path : str or Path
        Folder of a mock survey, or a table as `nebulium.data.read_table` reads it.
    layout : CatalogueLayout, optional
        What is known of the columns.
    rejects : Rejects, optional
        Takes the galaxies with an infinite flux, or with an E(B-V) that makes no sense.
    counted : Counter, optional
        Counts what was taken as missing, by reason.

    Returns
    -------
    PhotometricGalaxies
        Fluxes as the catalogue has them: `deredden` corrects them for Galactic extinction.

    Raises
    ------
    TableError
        The catalogue cannot be read, lacks a column, has an id twice or values that are not what they are
        said to be, or no galaxy is left.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data.tables.writer import write_table
    >>> columns = {"target_id": np.array([1, 2]), "redshift_spec": np.array([0.5, np.nan])}
    >>> columns |= {"flux_njy_obs_r": np.array([80.0, -3.0]), "flux_njy_err_r": np.array([5.0, 5.0])}
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_table(Table(columns), f"{scratch}/catalogue.parquet")
    ...     galaxies = read_photometry(scratch)
    >>> galaxies.bands, galaxies.flux_njy.ravel().tolist()
    (('r',), [80.0, -3.0])
    """
    rejects = Rejects() if rejects is None else rejects
    parts = list(open_photometry(path, layout).chunks(rejects=rejects, counted=counted))
    if not parts:
        problem = f"has no galaxy that can be used ({rejects.summary()})"
        raise TableError(str(path), problem, "mend the rows")
    return concatenate_rows(parts)


def table_of(path: Path) -> Path:
    """The table of a catalogue: that of a mock survey, where its folder is given."""
    if path.is_dir():
        if not (path / CATALOGUE).is_file():
            problem = f"is a folder without {CATALOGUE}, which a mock survey has"
            raise TableError(str(path), problem, "give the folder of a mock survey, or a table")
        return path / CATALOGUE
    return path


def _bands_of_mock(path: Path, names: tuple[str, ...]) -> tuple[BandColumns, ...]:
    """Bands as a mock survey names their columns."""
    bands = [name.removeprefix(FLUX) for name in names if name.startswith(FLUX)]
    if not bands:
        problem = f"has no columns {FLUX}BAND, as a mock survey has; it has {', '.join(names[:12])}"
        mend = "name the columns of each band: --band BAND=COLUMN,ERROR_COLUMN"
        raise TableError(str(path), problem, mend)
    return tuple(BandColumns(band, FLUX + band, FLUX_ERR + band) for band in bands)


def _faults(galaxies: PhotometricGalaxies) -> Iterator[Fault]:
    yield "has an infinite flux", np.any(np.isinf(galaxies.flux_njy), axis=1)
    if galaxies.ebv is not None:
        sound = (galaxies.ebv >= 0) & (galaxies.ebv <= MOST_EBV)
        yield f"has an E(B-V) that is negative, above {MOST_EBV:g} or missing", ~sound


def _numbers(values: np.ndarray, name: str, place: ColumnPlace) -> np.ndarray:
    """A column that must hold numbers, in double precision; ids stay as they are."""
    if name == ID:
        return values
    # The others that the glossary does not name are those of the bands.
    known = REDSHIFT if name == REDSHIFT_ERR else ANY_FLUX
    return numbers(values, place, f"a number for {known}").astype(np.float64)


def _good_redshifts(
    redshift: Float[np.ndarray, " n"], flags: Mapping[str, np.ndarray], counted: Counter[str]
) -> Float[np.ndarray, " n"]:
    """NaN for the redshifts of what is no galaxy, and those that failed; they are counted."""
    faults = [*flag_faults(flags), ("its redshift is exactly 0, which no galaxy has", redshift == 0)]
    for reason, bad in faults:
        bad &= np.isfinite(redshift)
        if np.any(bad):
            counted[f"labels ({reason})"] += int(np.sum(bad))
        redshift = np.where(bad, np.nan, redshift)
    return redshift


def _flag(name: str) -> str:
    return FLAG + name


def _value(place: int) -> str:
    return f"value {place}"


def _error(place: int) -> str:
    return f"error {place}"
