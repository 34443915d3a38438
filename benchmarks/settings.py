"""What every benchmark is given, and the galaxies they share."""

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nebulium.data.output import replace_on_success
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.lines.measured_galaxies import MeasuredGalaxies, measured_galaxies
from nebulium.lines.model import LineModel
from nebulium.lines.scores.evaluate import evaluate
from nebulium.modelfile import describe_model, load_model
from nebulium.verbs import Evaluation

REPOSITORY = Path(__file__).parent.parent
RESULTS = REPOSITORY / "benchmarks" / "results"
FIGURES = REPOSITORY / "docs" / "lines" / "figures"
#: Models that take hours to train, and the data they are trained on; not part of the repository.
RUNS = REPOSITORY / "runs"


def option(default: Any, text: str) -> Any:
    """A setting, with what `--help` says of it; lists are tuples."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Settings:
    """What benchmarks are run with; each setting is an option of the command line."""

    model: str = option("desi-lines", "packaged model of lines, or folder")
    colours_model: str = option("desi-lines-colours", "the same, of the model without luminosity")
    most_galaxies: int | None = option(None, "test galaxies to use at most, for a quick look")
    memory_rows: tuple[int, ...] = option((100_000, 1_000_000, 10_000_000), "rows of the tables of `memory`")
    mock_galaxies: tuple[int, ...] = option((1_000, 20_000), "lengths of the surveys of `mock_survey`")
    memory_images: int = option(200_000, "images of the set of `properties_memory`")
    mock_survey: Path | None = option(None, "survey that `properties_mock` takes: sdss, seed 4, n 20,000")
    generate_survey: Path | None = option(None, "survey that `generate_mock` takes: sdss, seed 21, n 64,000")
    generate_candels: Path | None = option(
        None, "survey that `generate_candels` takes: candels, seed 31, n 30,000"
    )
    generate_small: Path | None = option(
        None, "survey that the other benchmarks of `generate` take: sdss, seed 11, n 20,000"
    )
    generate_model: Path | None = option(
        None, "model that `generate_mock` scores in place of the packaged one"
    )
    pictures_model: Path | None = option(
        None, "model that `generate_pictures` scores; one is trained if not given"
    )
    spectra_survey: Path | None = option(
        None, "survey that `spectra` and `spectra_rivals` take: sdss, seed 11, n 20,000, spectra noiseless"
    )
    spectra_model: Path | None = option(None, "model that `spectra` scores in place of the packaged one")
    legacy_survey: Path | None = option(
        None, "survey that `spectra_legacy` takes: legacy, seed 18, n 6,000, spectra desi"
    )
    legacy_model: Path | None = option(None, "model that `spectra_legacy` scores; trained if not given")
    pairs_survey: Path | None = option(
        None, "survey that `spectra_pairs` learns from: sdss, seed 19, n 3,000, spectra sdss"
    )
    photoz_runs: Path | None = option(None, "folder of `make bench-train`")
    explore_galaxies: int = option(1_000_000, "mock galaxies that `explore` shows")
    explore_seconds: float = option(120.0, "how long the visitors of `explore` click")
    repeats: int = option(5, "runs of each timing")
    figures: Path = option(FIGURES, "folder of the figures of `lines`")
    tables_before: str = option("c97e868", "commit with which `tables` compares the tree")
    house_before: str = option("3a5cd87", "commit with which `house` compares the tree")


def data_folder() -> Path:
    """Folder of the real data."""
    return Path(os.environ.get("NEBULIUM_DATA", REPOSITORY.parent / "shared" / "data"))


def desi_path() -> Path:
    """The table of DESI galaxies with measured lines."""
    return data_folder() / "desi" / "desi_edr_emission_lines.parquet"


def figure_path(name: str) -> Path:
    """Where a figure of the documentation lies, whose name is the subject's and its own: "mock/sizes"."""
    subject, _, figure = name.partition("/")
    return REPOSITORY / "docs" / subject / "figures" / f"{figure}.png"


def save_figure(figure: Figure, name: str) -> None:
    """Write a figure of the documentation."""
    with replace_on_success(figure_path(name)) as partial:
        figure.savefig(partial, dpi=110, format="png")


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
    rows = _split_of(settings).rows(desi_table()["target_id"])[part]
    limit = settings.most_galaxies if part == "test" else None
    return measured_galaxies(desi_table(), line_model(settings.model), Rejects(), rows=rows[:limit])


@cache
def test_evaluation(settings: Settings, *, traditional: bool) -> Evaluation:
    """The model on its test galaxies, of which there are no more than wanted."""
    table = desi_table()
    if settings.most_galaxies is not None:
        rows = _split_of(settings).rows(table["target_id"])
        table = table.select(np.union1d(rows["test"][: settings.most_galaxies], rows["train"]))
    return evaluate(table, model=settings.model, traditional=traditional)


def _split_of(settings: Settings) -> Split:
    return Split.from_dict(describe_model(settings.model).config["split"])
