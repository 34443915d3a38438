"""The settings of a run, kept in its folder, so that it can be resumed and explains itself."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from nebulium.data.output import check_place, output_error, replace_on_success
from nebulium.errors import OutputError
from nebulium.training.run_folder import check_same, package_versions, remove_half_written

RUN_FILE, WORK, OWN_TABLE = "run.json", ".work", "table.parquet"
FORMAT_VERSION = 1
#: Packages that decide the numbers of a survey.
VERSIONS_OF = (
    "nebulium", "jax", "jaxlib", "equinox", "numpy", "scipy", "galsim", "dsps", "flowjax", "astro-sedpy",
)  # fmt: skip


@dataclass(frozen=True)
class RunSettings:
    """The settings that decide every number of a survey, and into how many files it is cut.

    Parameters
    ----------
    survey : str
        Its name.
    n : int
        Number of galaxies.
    seed : int
    pixels : int
        Side of the stamps.
    neighbours : float
        Mean number of other galaxies in a stamp.
    shards : int
        Number of files.
    table : str, optional
        Hash of the user's table, if there is one.
    spectra : str, optional
        Name of the spectrograph; no spectra are made unless given.
    """

    survey: str
    n: int
    seed: int
    pixels: int
    neighbours: float
    shards: int
    table: str | None = None
    spectra: str | None = None

    def shard_rows(self) -> list[range]:
        """The galaxies of each file, in order; as equal in number as can be."""
        edges = [self.n * shard // self.shards for shard in range(self.shards + 1)]
        return [range(first, last) for first, last in zip(edges, edges[1:], strict=False)]


@dataclass(frozen=True)
class RunFile:
    """The contents of ``run.json``.

    Parameters
    ----------
    settings : RunSettings
    versions : dict of str to str
        Of the packages that made it.
    """

    settings: RunSettings
    versions: dict[str, str]


def check_new(folder: Path) -> None:
    """Refuse a folder in which no survey can be begun."""
    check_place(folder, folder_with=RUN_FILE)
    if (folder / WORK).is_dir():
        mend = "go on with it by --resume, or choose another folder"
        raise OutputError(str(folder), "holds a survey that was stopped", mend)


def before(folder: Path) -> Path:
    """Where an earlier survey stays until the new one is complete."""
    return folder.with_name(f"{folder.name}.replaced")


def start_run(folder: Path, settings: RunSettings) -> None:
    """Begin a run in a new or empty folder, or in that of a finished survey, which steps aside."""
    check_new(folder)
    try:
        if (folder / RUN_FILE).is_file():
            shutil.rmtree(before(folder), ignore_errors=True)
            folder.rename(before(folder))
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    document = {"format": FORMAT_VERSION, **asdict(settings), "versions": package_versions(VERSIONS_OF)}
    with replace_on_success(folder / RUN_FILE) as partial:
        partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def resume_run(folder: Path, settings: RunSettings) -> None:
    """Check that a folder holds a run of the same settings, made by the same versions."""
    there = read_run(folder)
    before = {**asdict(there.settings), "versions": there.versions}
    now = {**asdict(settings), "versions": package_versions(VERSIONS_OF)}
    mend = "resume with the same settings, or choose another folder"
    check_same(folder / RUN_FILE, before, now, mend)
    remove_half_written(folder)


def read_run(folder: Path) -> RunFile:
    """Read the settings of a run."""
    try:
        document = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        if document["format"] != FORMAT_VERSION:
            problem = f"is of format {document['format']}, expected {FORMAT_VERSION}"
            raise OutputError(str(folder / RUN_FILE), problem, "upgrade nebulium")
        names = RunSettings.__dataclass_fields__
        # Runs from before there were spectra have none.
        settings = RunSettings(**{name: document[name] for name in names if name in document})
        return RunFile(settings, document["versions"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"holds no mock survey ({type(error).__name__}: {error})"
        raise OutputError(
            str(folder), problem, "check the path; without --resume a new run begins"
        ) from error
