"""Emission lines into the spectra of a file."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from nebulium.data.glossary import FILE, units_of
from nebulium.data.ids import check_unique_ids, rows_of_ids
from nebulium.data.output import as_paths, check_not_input
from nebulium.data.rejects import Rejects, write_rejects
from nebulium.data.spectra.checks import Declared
from nebulium.data.spectra.parts import id_name
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.spectra.writing import SpectraWriter
from nebulium.data.tables.reading import column_names, read_table
from nebulium.data.tables.table import Table, stem_of
from nebulium.data.tables.writer import TableWriter
from nebulium.errors import SpectrumError, TableError
from nebulium.lines.continuum.features import features_from_spectra
from nebulium.lines.continuum.line_list import LINES, Widths, line_columns
from nebulium.lines.injection.spectra import InjectedSpectra, inject_lines, sample_ews
from nebulium.lines.input import Source, beside_spectra, good_galaxies, open_spectra, with_known_redshift
from nebulium.lines.model import LineModel
from nebulium.lines.predict import LinePredictor, line_predictor
from nebulium.verbs.predict import Opened

MEDIAN, SAMPLE = "median", "sample"


@dataclass(frozen=True)
class InjectionRun:
    """The files that a run wrote.

    Parameters
    ----------
    output : Path
        The spectra with lines.
    lines_path : Path
        A table of the lines that were put in: `ew_LINE` (AA) and `line_flux_LINE` (1e-17 erg/s/cm2).
    spectra : int
        How many.
    rejects : Rejects
        Spectra set aside.
    rejects_path : Path, optional
        Where they are listed; None if there are none.
    """

    output: Path
    lines_path: Path
    spectra: int
    rejects: Rejects
    rejects_path: Path | None


def inject_file(
    source: Source,
    output: str | Path,
    *,
    ew: str | Path = MEDIAN,
    model: LineModel | str | Path | None = None,
    redshifts: str | Path | float | None = None,
    ebv: str | float | None = None,
    wave_unit: str | None = None,
    flux_unit: str | None = None,
    air: bool | None = None,
    id_column: str | None = None,
    keep_flagged: bool = False,
    seed: int = 0,
    velocity_dispersion_km_s: float = 80.0,
    resolving_power: float | None = None,
) -> InjectionRun:
    """Put emission lines into all spectra of a file.

    Parameters
    ----------
    source : str, Path or sequence of these
        Spectra, as for `read_spectra`: a file, a folder, a pattern, or several files, which the column `file`
        of the table of lines tells apart.
    output : str or Path
        Ending in .parquet or .fits. Beside it appears ``<stem>.lines.ecsv``, a table of the lines, and
        ``<stem>.rejects.csv`` if some spectra were set aside.
    ew : str or Path
        ``median`` or ``sample`` of the model's prediction from each continuum; or a table with `target_id`
        (or the ids by another usual name) and `ew_LINE` (or `ew_LINE_q50`, as `predict_file` writes them), in
        AA; NaN adds no line.
    model : LineModel, str or Path, optional
        A model in memory, a folder, or the name of a packaged model; the packaged ones if not given.
    redshifts : str, Path or float, optional
        A Redrock file or a table, joined by id, or one number for all; those of the file if not given.
    ebv : str or float, optional
        E(B-V) of the Milky Way, mag: ``ebv`` for the column of the file, or one number for all.
    wave_unit, flux_unit : str, optional
        Units, in place of what the file declares.
    air : bool, optional
        Whether the wavelengths are those in air, in place of what the file declares.
    id_column : str, optional
        The file's column of ids; found by its usual names if not given.
    keep_flagged : bool
        Keep failed redshifts, stars and quasars, which are set aside otherwise.
    seed : int
        Of the samples; each spectrum's draw depends on it and on its id.
    velocity_dispersion_km_s : float
        Sigma of the gas.
    resolving_power : float, optional
        Wavelength over the FWHM of the instrument's line-spread function. If not given, that of the file
        is taken, or none if it has none.

    Returns
    -------
    InjectionRun

    Raises
    ------
    NebuliumError
        The input, the table, the model or the output is at fault, or no spectrum is left.

    Examples
    --------
    >>> import jax, tempfile
    >>> from nebulium import write_spectra
    >>> wave = np.arange(3600.0, 9800.0, 4.0, dtype=np.float32)[None]
    >>> ones = np.ones_like(wave)
    >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_spectra(Spectra(np.array([7]), wave, ones, ones, np.array([0.1])), f"{scratch}/in.parquet")
    ...     run = inject_file(f"{scratch}/in.parquet", f"{scratch}/out.parquet", model=model)
    ...     run.lines_path.name, len(read_table(run.lines_path))
    ('out.lines.ecsv', 1)
    """
    output = Path(output)
    for file in as_paths(source):
        check_not_input(file, output)
    declared = Declared(wave_unit, flux_unit, air, id_column)
    opened = open_spectra(source, redshifts=redshifts, ebv=ebv, declared=declared)
    if str(ew) in (MEDIAN, SAMPLE):
        widths = partial(_predicted, line_predictor(model), None if str(ew) == MEDIAN else seed)
    else:
        widths = partial(_given, _read_ews(Path(ew), opened.id_column))

    def parts() -> Iterator[InjectedSpectra]:
        for spectra in map(with_known_redshift, opened.chunks):
            some, ew_aa = widths(spectra if keep_flagged else good_galaxies(spectra))
            if len(some):
                injected = inject_lines(
                    some,
                    ew_aa,
                    velocity_dispersion_km_s=velocity_dispersion_km_s,
                    resolving_power=resolving_power,
                )
                injected.spectra.metadata["lines_added"]["ew"] = str(ew)
                yield injected

    return _write(parts(), opened, output, keep_flagged)


def _predicted(predictor: LinePredictor, seed: int | None, spectra: Spectra) -> tuple[Spectra, Widths]:
    """Medians, or samples where a seed is given; spectra without enough bins are set aside."""
    features = features_from_spectra(spectra)
    rows = predictor.usable_rows(features, spectra.rejects, row_numbers=spectra.row_numbers())
    spectra = spectra.select(np.isin(spectra.ids, rows.ids))
    if seed is None:
        medians = predictor(rows).columns
        return spectra, np.stack([medians[f"ew_{line}_q50"] for line in LINES], axis=1)
    names = predictor.names_of(rows)
    ew_aa = np.empty((len(spectra), len(LINES)), np.float32)
    for named in predictor.models:
        some = rows.select(names == named.name)
        ew_aa[names == named.name] = sample_ews(
            named.model, some.ids, some.continuum_flux, some.redshift, seed=seed
        )
    return spectra, ew_aa


def _given(table: Table, spectra: Spectra) -> tuple[Spectra, Widths]:
    """Equivalent widths of a table, joined by id; spectra that are not in it are set aside."""
    rows = rows_of_ids(spectra.ids, table["target_id"])
    found = rows >= 0
    ew_aa = np.stack([table[f"ew_{line}"][rows[found]] for line in LINES], axis=1)
    return spectra.without(~found, f"the id is not in {Path(table.name).name}"), ew_aa.astype(np.float32)


def _read_ews(path: Path, id_column: str) -> Table:
    """The columns ew_LINE; if there is none, those of the medians."""
    there = column_names(path)
    ending = "" if any(f"ew_{line}" in there for line in LINES) else "_q50"
    names = {f"ew_{line}": f"ew_{line}{ending}" for line in LINES}
    present = {name: column for name, column in names.items() if column in there}
    if not present:
        raise TableError(str(path), "has no column ew_LINE or ew_LINE_q50", "give median, sample or a table")
    named = id_name(there, id_column) or id_name(there, None) or "target_id"
    table = read_table(path, columns={"target_id": named, **present})
    check_unique_ids(lambda: [table["target_id"]], where=str(path))
    absent = {name: np.full(len(table), np.nan, np.float32) for name in names if name not in present}
    return table.with_columns(absent)


def _write(
    parts: Iterator[InjectedSpectra], opened: Opened[Spectra], output: Path, keep_flagged: bool
) -> InjectionRun:
    """Spectra, lines and rejects: all, or none."""
    lines_path = output.with_name(f"{stem_of(output)}.lines.ecsv")
    with ExitStack() as stack:
        writer = stack.enter_context(SpectraWriter(output))
        with TableWriter(lines_path) as table:
            for part in parts:
                writer.append(part.spectra)
                table.append(_lines_table(part, opened.id_column, keep_flagged))
            if not writer.rows:
                problem = f"holds no spectrum that can be given lines ({opened.rejects.summary()})"
                raise SpectrumError(opened.name, problem, "give redshifts, or other spectra")
        try:
            stack.close()
            rejects_path = write_rejects(opened.rejects, output, id_column=opened.id_column)
        except BaseException:
            lines_path.unlink(missing_ok=True)
            raise
    return InjectionRun(output, lines_path, writer.rows, opened.rejects, rejects_path)


def _lines_table(injected: InjectedSpectra, id_column: str, keep_flagged: bool) -> Table:
    spectra, lines = injected.spectra, injected.lines
    columns = {id_column: spectra.ids, "redshift": spectra.redshift}
    beside = beside_spectra(spectra).items()
    columns |= {key: values for key, values in beside if key == FILE or keep_flagged}
    columns |= line_columns(ew=np.asarray(lines.ew_aa)) | line_columns(line_flux=np.asarray(lines.line_flux))
    return Table(columns, units_of(columns), spectra.name, spectra.metadata)
