"""The page as a folder of files, which a browser shows without a server."""

import html
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs, get_plotlyjs_version

from nebulium.data.output import check_place, replace_on_success
from nebulium.errors import TableError
from nebulium.explore.export.data import SAMPLE_SEED, PageData
from nebulium.explore.export.encoding import script
from nebulium.explore.page.explored import Explored
from nebulium.explore.page.map_view import NO_MAP
from nebulium.lines.input import COLOURS_ONLY
from nebulium.lines.predict import WITH_LUMINOSITY
from nebulium.modelfile import describe_model

PAGE = Path(__file__).parent / "assets_static"
INDEX, README, PLOTLY = "index.html", "README.txt", "page/plotly.min.js"
MADE_OF = ("page.css", "data.js", "map.js", "spectrum.js", "page.js", "plotly-license.txt")


@dataclass(frozen=True)
class ExportedPage:
    """The result of an export.

    Attributes
    ----------
    folder : Path
        Where the page is.
    galaxies : int
        Number of galaxies in its map.
    sampled : int
        Number of them that can be pointed at.
    size_bytes : int
        Size of all files.

    Examples
    --------
    >>> print(ExportedPage(Path("page"), 40, 40, 5_000_000))
    page: 5.0 MB, 40 galaxies; open page/index.html
    """

    folder: Path
    galaxies: int
    sampled: int
    size_bytes: int

    @property
    def index(self) -> Path:
        """The file to open."""
        return self.folder / INDEX

    def __str__(self) -> str:
        size = f"{self.size_bytes / 1e6:.1f} MB"
        pointed = "" if self.sampled == self.galaxies else f", {self.sampled:,} of them to point at"
        return f"{self.folder}: {size}, {self.galaxies:,} galaxies{pointed}; open {self.index}"


def export_page(explored: Explored, folder: str | Path, *, model: str | Path | None = None) -> ExportedPage:
    """Write a page with the map, colours and spectra, to be opened as a file or put on a website.

    Parameters
    ----------
    explored : Explored
        The galaxies, with a map.
    folder : str or Path
        A new one; an earlier page is replaced.
    model : str or Path, optional
        The model of the predictions, if these are not by the packaged models of lines; the page names it.

    Returns
    -------
    ExportedPage

    Raises
    ------
    TableError
        There is no map.
    OutputError
        The folder holds other things, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from nebulium.data import Table, write_table
    >>> from nebulium.explore import explore
    >>> fluxes = {f"flux_njy_{band}": np.random.default_rng(0).lognormal(size=40) for band in "gri"}
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_table(Table(fluxes), f"{scratch}/mine.parquet")
    ...     page = export_page(explore(f"{scratch}/mine.parquet"), f"{scratch}/page")
    >>> page.galaxies, page.index.name
    (40, 'index.html')
    """
    folder = Path(folder)
    check_place(folder, folder_with=INDEX)
    if explored.galaxy_map is None:
        raise TableError(explored.galaxies.name, "has no map to write", f"see what it needs. {NO_MAP}")
    data = PageData(explored)
    with replace_on_success(folder, folder_with=INDEX) as partial:
        for name, text in _files(data, _about(data, model)):
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_text(text, encoding="utf-8", newline="\n")
        size = sum(path.stat().st_size for path in partial.rglob("*") if path.is_file())
    return ExportedPage(folder, len(data.placed), len(data.rows), size)


def _files(data: PageData, about: list[str]) -> Iterator[tuple[str, str]]:
    name = data.explored.galaxies.name
    yield INDEX, Template((PAGE / INDEX).read_text(encoding="utf-8")).substitute(title=html.escape(name))
    yield PLOTLY, get_plotlyjs()
    for part in MADE_OF:
        yield f"page/{part}", (PAGE / part).read_text(encoding="utf-8")
    for part, content in data.scripts(about):
        yield f"data/{part}.js", script(part, content)
    yield README, _readme(data, about)


def _about(data: PageData, model: str | Path | None) -> list[str]:
    """Where all of it is from: on the page and in its README."""
    explored = data.explored
    about_map = explored.galaxy_map.embedding.about if explored.galaxy_map else {}
    rows = f"{len(explored.galaxies):,} rows, {len(data.placed):,} of them in the map"
    lines = [
        f"Galaxies: {explored.galaxies.name}, {rows}.",
        f"Map: {about_map.get('method')}, seed {about_map.get('seed')}, of {about_map.get('features')}.",
    ]
    if explored.quantities:
        lines.append(f"Predictions: {_model_name(model)}.")
    if len(data.rows) < len(data.placed):
        lines.append(
            f"{len(data.rows):,} galaxies, chosen at random with seed {SAMPLE_SEED}, can be pointed at; "
            "colours of the whole map are means of all galaxies in a cell."
        )
    if data.left_out:
        lines.append(f"{data.left_out} columns of the table have no colour here.")
    return [*(" ".join(line.split()) for line in lines), f"Made with nebulium {version('nebulium')}."]


def _model_name(model: str | Path | None) -> str:
    if model is None:
        return f"columns of the table, or the packaged models of lines ({WITH_LUMINOSITY}, {COLOURS_ONLY})"
    return f"model {describe_model(model).name}"


def _readme(data: PageData, about: list[str]) -> str:
    """What the folder holds; plain text, for names in it may be anything."""
    colours = [f"data/colour-{place}.js: {', '.join(columns)}" for place, columns in enumerate(data.colours)]
    return "\n".join(
        [
            "A map of galaxies that needs no server: open index.html, or copy the folder to a website.",
            "",
            *about,
            "",
            "index.html           the page",
            "page/                how it looks and works",
            f"page/plotly.min.js   plotly.js {get_plotlyjs_version()}, MIT licence: page/plotly-license.txt",
            "data/galaxies.js     ids, places in the map, redshifts",
            "data/spectra.js      continua and lines, or fluxes, of the galaxies that can be pointed at",
            "data/colour-*.js     columns that colour the map:",
            *(" ".join(line.split()) for line in colours),
            "",
        ]
    )
