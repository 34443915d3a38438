"""Make a mock survey: galaxies, their truth, their measurements and their images, in a folder."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nebulium.data.output import output_error
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import OutputError, SurveyError, check_extra
from nebulium.mock.populations.own_table import TablePopulation, read_own_table, table_population
from nebulium.mock.spectra.spectrographs import find_spectrograph
from nebulium.mock.survey.pictures import show_survey
from nebulium.mock.survey.readme import write_readme
from nebulium.mock.survey.run_file import OWN_TABLE, WORK, RunSettings, before, resume_run, start_run
from nebulium.mock.survey.shards import BLOCK, missing_blocks, write_shards
from nebulium.mock.survey.survey_list import Survey, find_survey
from nebulium.mock.survey.workers import make_blocks
from nebulium.training.run_folder import fingerprint

MOST_SEED = 2**32 - 1
# Beside the pixels: some 130 columns, and what Parquet needs for itself.
BYTES_OF_COLUMNS = 1500
Progress = Callable[[int], None]


@dataclass(frozen=True)
class SurveyRun:
    """The result of a run.

    Parameters
    ----------
    folder : Path
        Where the survey is.
    galaxies : int
        Number of galaxies of the whole survey.
    made : int
        Number of them that this call made; fewer when it resumes a run.
    seconds : float
        Wall time of this call.

    Examples
    --------
    >>> SurveyRun(Path("mock"), galaxies=200, made=72, seconds=10.0).made
    72
    """

    folder: Path
    galaxies: int
    made: int
    seconds: float


def make_survey(
    survey: str,
    output: str | Path,
    *,
    n: int | None = None,
    seed: int = 0,
    processes: int = 1,
    shards: int = 1,
    pixels: int | None = None,
    neighbours: float | None = None,
    table: str | Path | Table | None = None,
    spectra: str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> SurveyRun:
    """Make a mock survey.

    Galaxy i of a seed is the same whatever the number of galaxies, processes and shards. Memory does not
    depend on `n`.

    Parameters
    ----------
    survey : str
        candels, sdss, legacy, ps1 or roman.
    output : str or Path
        A new or empty folder, or that of a finished survey, which stays beside it as ``<name>.replaced``
        until the new one is complete. It gets ``data/`` (Parquet in the layout of the Multimodal Universe),
        ``catalogue.parquet`` (the same without images), ``figures/``, ``README.md`` and ``run.json``.
    n : int, optional
        Number of galaxies; those of `table` if not given.
    seed : int, optional
        0 to 4294967295.
    processes : int, optional
        Number of processes that work side by side; best one a core.
    shards : int, optional
        Number of files in ``data/``.
    pixels : int, optional
        Side of the images; that of the instrument if not given.
    neighbours : float, optional
        Mean number of other galaxies in an image; by the surface density of the survey if not given.
    table : str, Path or Table, optional
        Galaxies of your own in place of the survey's population: galaxy i is row i, whether or not it
        passes the survey's magnitude limit.
    spectra : {"noiseless", "sdss", "desi"}, optional
        Make spectra as well, all light without noise or as a spectrograph of `SPECTROGRAPHS` sees it, in
        ``spectra/`` (Parquet in the layout of the Multimodal Universe).
    resume : bool, optional
        Go on with a run that was stopped.
    progress : callable, optional
        Called with the number of galaxies made so far.

    Returns
    -------
    SurveyRun

    Raises
    ------
    NebuliumError
        The survey is not known, a number makes no sense, the table is at fault, the folder holds
        other things, cannot be written, is full, or holds another run.
    MissingExtraError
        A package of the extra `mock` is not installed.

    Examples
    --------
    >>> make_survey("sdss", "mock", n=200, seed=1, processes=2).galaxies  # doctest: +SKIP
    200
    >>> make_survey("sdss", "mock", n=0)
    Traceback (most recent call last):
    nebulium.errors.SurveyError: n: is 0, expected 1 or more. To mend: choose another
    """
    start, folder = time.perf_counter(), Path(output)
    check_extra("mock")
    found = find_survey(survey)
    own = read_own_table(Path(table)) if isinstance(table, (str, Path)) else table
    settings = _settings(found, own, n, seed, pixels, neighbours, shards, spectra)
    _check_positive("processes", processes)
    if resume:
        resume_run(folder, settings)
    else:
        _check_not_inside(table, folder)
        start_run(folder, settings)
    _prepare_work(folder, own)
    missing = missing_blocks(folder, settings)
    made = sum(min(BLOCK, settings.n - BLOCK * block) for block in missing)
    if missing:
        _check_space(folder, found, made, settings)
        make_blocks(folder, missing, processes=processes, progress=_counter(settings.n, made, progress))
    write_shards(folder, settings)
    write_readme(folder)
    show_survey(folder)
    shutil.rmtree(folder / WORK, ignore_errors=True)
    shutil.rmtree(before(folder), ignore_errors=True)
    return SurveyRun(folder, settings.n, made, time.perf_counter() - start)


def _counter(n: int, to_make: int, progress: Progress | None) -> Progress:
    """From finished blocks to the number of galaxies."""
    done = n - to_make

    def count(block: int) -> None:
        nonlocal done
        done += min(BLOCK, n - BLOCK * block)
        if progress is not None:
            progress(done)

    return count


def _settings(
    survey: Survey,
    own: Table | None,
    n: int | None,
    seed: int,
    pixels: int | None,
    neighbours: float | None,
    shards: int,
    spectra: str | None,
) -> RunSettings:
    """The settings, checked; a table is checked as the population that it stands for."""
    population = None if own is None else table_population(own, seed=seed)
    count = _count(n, population)
    _check_positive("shards", shards)
    if shards > count:
        raise SurveyError("shards", f"is {shards}, more than the {count} galaxies", "ask for fewer")
    if not 0 <= seed <= MOST_SEED:
        raise SurveyError("seed", f"is {seed}, expected 0 to {MOST_SEED}", "choose another")
    side = survey.instrument().stamp_pixels if pixels is None else pixels
    _check_positive("pixels", side)
    rate = survey.neighbours_per_stamp(side) if neighbours is None else neighbours
    if not 0 <= rate < float("inf"):
        raise SurveyError("neighbours", f"is {rate}, expected a mean number, 0 or more", "choose another")
    table = None if population is None else fingerprint(population)
    if spectra is not None:
        find_spectrograph(spectra)
    return RunSettings(survey.name, count, seed, side, rate, shards, table, spectra)


def _count(n: int | None, population: TablePopulation | None) -> int:
    if n is None:
        if population is None:
            raise SurveyError("n", "is not given", "give the number of galaxies, such as --n 1000")
        return len(population)
    _check_positive("n", n)
    if population is not None and n > len(population):
        raise SurveyError("n", f"is {n}, but the table has {len(population)} rows", "ask for fewer")
    return n


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise SurveyError(name, f"is {value}, expected 1 or more", "choose another")


def _check_not_inside(table: str | Path | Table | None, folder: Path) -> None:
    """A survey that is replaced must not be the input."""
    if isinstance(table, (str, Path)) and folder.resolve() in Path(table).resolve().parents:
        raise OutputError(
            str(folder), f"holds the input {table}, which would be lost", "choose another folder"
        )


def _prepare_work(folder: Path, own: Table | None) -> None:
    """Make the hidden folder of unfinished blocks, with the user's table for the processes to read."""
    try:
        (folder / WORK).mkdir(exist_ok=True)
    except OSError as error:
        raise output_error(folder / WORK, error) from error
    if own is not None:
        write_table(own, folder / WORK / OWN_TABLE)


def _check_space(folder: Path, survey: Survey, galaxies: int, settings: RunSettings) -> None:
    """Refuse a disk that is too small at once, not after an hour."""
    each = 4 * settings.pixels**2 * len(survey.instrument().bands) + BYTES_OF_COLUMNS
    if settings.spectra is not None:
        # Fluxes and inverse variances; wavelengths repeat and are compressed.
        each += 8 * find_spectrograph(settings.spectra).pixels().wave_aa.size
    needed, free = galaxies * each, shutil.disk_usage(folder).free
    if needed > free:
        problem = f"would need {needed / 1e9:.1f} GB, the disk has {free / 1e9:.1f} GB free"
        raise OutputError(str(folder), problem, "free some space, or resume on another disk")
