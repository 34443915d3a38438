"""What every benchmark is given, and the galaxies they share."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.lines.model import LineModel
from nebulium.lines.scores.evaluate import Evaluation, evaluate
from nebulium.lines.scores.measured_galaxies import MeasuredGalaxies, measured_galaxies
from nebulium.modelfile import describe_model, load_model

REPOSITORY = Path(__file__).parent.parent
RESULTS = REPOSITORY / "benchmarks" / "results"
FIGURES = REPOSITORY / "docs" / "lines" / "figures"
#: Models that take hours to train, and the data they are trained on; not part of the repository.
RUNS = REPOSITORY / "runs"


@dataclass(frozen=True)
class Settings:
    """What a benchmark is run with.

    Attributes
    ----------
    model : str
        Packaged model, or folder.
    colours_model : str
        The same of the model without luminosity.
    most_galaxies : int, optional
        Test galaxies to use at most, for a quick look; all of them where absent.
    memory_rows : tuple of int
        Rows of the tables of the benchmark ``memory``, ascending.
    mock_galaxies : tuple of int
        Lengths of the surveys of the benchmark ``mock_survey``.
    memory_images : int
        Images of the set of the benchmark ``properties_memory``.
    mock_survey : Path, optional
        Folder of a mock survey `sdss` of 20,000 galaxies and seed 4; made anew if not given.
    photoz_runs : Path, optional
        Folder of the survey and the models of `photoz_mock`, if it is not where `make bench-train` puts it.
    explore_galaxies : int
        Mock galaxies that the benchmark `explore` shows.
    explore_seconds : float
        How long its visitors click.
    repeats : int
        Runs of each timing.
    figures : Path
        Folder of the figures.
    house_before : str
        Commit with which `house` compares the tree.
    """

    model: str = "desi-lines"
    colours_model: str = "desi-lines-colours"
    most_galaxies: int | None = None
    memory_rows: tuple[int, ...] = (100_000, 1_000_000, 10_000_000)
    mock_galaxies: tuple[int, ...] = (1_000, 20_000)
    memory_images: int = 200_000
    mock_survey: Path | None = None
    photoz_runs: Path | None = None
    explore_galaxies: int = 1_000_000
    explore_seconds: float = 120.0
    repeats: int = 5
    figures: Path = FIGURES
    house_before: str = "3a5cd87"


def data_folder() -> Path:
    """Folder of the real data."""
    return Path(os.environ.get("NEBULIUM_DATA", REPOSITORY.parent / "shared" / "data"))


def desi_path() -> Path:
    """The table of DESI galaxies with measured lines."""
    return data_folder() / "desi" / "desi_edr_emission_lines.parquet"


@cache
def desi_table() -> Table:
    """The table of DESI galaxies, in memory."""
    return read_table(desi_path())


@cache
def line_model(name: str) -> LineModel:
    """A model, loaded once."""
    return load_model(name, of=LineModel)


@cache
def galaxies_of(settings: Settings, part: str) -> MeasuredGalaxies:
    """Galaxies of one part of the model's split."""
    table = desi_table()
    rows = np.flatnonzero(_parts(table, settings) == part)
    limit = settings.most_galaxies if part == "test" else None
    return measured_galaxies(table, line_model(settings.model), Rejects(), rows=rows[:limit])


@cache
def test_evaluation(settings: Settings, *, traditional: bool) -> Evaluation:
    """The model on its test galaxies."""
    return evaluate(_limited(settings), model=settings.model, traditional=traditional)


def _limited(settings: Settings) -> Table:
    """The table, with no more test galaxies than wanted."""
    table = desi_table()
    if settings.most_galaxies is None:
        return table
    part = _parts(table, settings)
    test = np.flatnonzero(part == "test")[: settings.most_galaxies]
    return table.select(np.union1d(test, np.flatnonzero(part == "train")))


def _parts(table: Table, settings: Settings) -> np.ndarray:
    """Part of each row in the split of the model."""
    split = Split.from_dict(describe_model(settings.model).config["split"])
    return split.parts(table[split.id_column])
