"""The explorer page in a browser: how soon it answers, what its map costs, and ten visitors at once."""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from benchmarks.explore.refit import refit_error
from benchmarks.explore.server import SCATTER, Server, serving, write_desi, write_mock
from benchmarks.explore.visits import Crowd, browsers, circle, crowd, visit
from benchmarks.processes import Cost, cost_of_command
from benchmarks.results import CHECK_COLUMNS, Check, Result, Row, Target
from benchmarks.settings import Settings
from nebulium.explore.maps.embedding_file import GalaxyMap, open_embedding
from nebulium.explore.maps.map_error import PlacementError, left_out_error
from nebulium.explore.sample.galaxies import read_galaxies

ACTIONS, SLOW, VISITORS, SELECTED = 30, 0.95, 10, 10_000
#: Columns among which the visitors at once choose colours.
COLOURS = 20
FLAT = Target(most=1.10)
LASSO = Target(most=1.0)
FIT = """
import sys
from pathlib import Path
from nebulium.explore.sample.cache import cache_folder
from nebulium.explore.maps.embedding_file import open_embedding
from nebulium.explore.sample.galaxies import read_galaxies
table = Path(sys.argv[1])
open_embedding(read_galaxies(table), cache_folder(table).folder, "continuum")
"""


@dataclass(frozen=True)
class Answers:
    """Seconds that the page takes.

    Attributes
    ----------
    start : float
        From the command to the address, once all is computed.
    usable : list of float
        From opening to a drawn map.
    recolour, card, spectrum, star, lasso : list of float
        From the action to what it shows.
    selected : list of int
        Galaxies within each lasso.
    """

    start: float
    usable: list[float]
    recolour: list[float]
    card: list[float]
    spectrum: list[float]
    star: list[float]
    lasso: list[float]
    selected: list[int]


def measure(settings: Settings) -> Iterator[Result]:
    """The DESI table, the map, the crowd, and a million mock galaxies."""
    with tempfile.TemporaryDirectory(prefix="nebulium-explore-") as scratch:
        desi, mock = Path(scratch) / "desi.parquet", Path(scratch) / "mock.parquet"
        count = write_desi(desi, settings.most_galaxies)
        cost = cost_of_command(sys.executable, "-c", FIT, str(desi))
        drawn = _map_of(desi)
        with serving(desi):
            pass  # predictions are computed, and kept
        with serving(desi) as server:
            answers = asyncio.run(_answers(server, drawn, settings.repeats))
            yield _speed("explore/page", f"The page with {count:,} DESI galaxies", ABOUT, answers, 3.0, 0.2)
            together, grown = asyncio.run(_crowd(server, drawn, settings.explore_seconds))
            yield _visitors(together, grown, settings.explore_seconds)
        yield _placed(drawn, cost)
        write_mock(mock, count, settings.explore_galaxies)
        shutil.copytree(desi.with_suffix(".explore"), mock.with_suffix(".explore"))
        with serving(mock):
            pass
        with serving(mock) as server:
            of_mock = asyncio.run(_answers(server, _map_of(mock), settings.repeats))
    about = (
        f"The same with {settings.explore_galaxies:,} galaxies: the DESI table, and galaxies drawn from its "
        f"rows, each column times a factor with a scatter of {SCATTER:.0%}. They are made up, and serve for "
        "speed alone. The map is that of the DESI galaxies, and the others are placed in it."
    )
    yield _speed("explore/million", "The page with many mock galaxies", about, of_mock, 5.0, 0.4)


ABOUT = (
    "`nebulium explore` in a process of its own, seen by Chromium without a window and without a graphics "
    "card, 1366 x 768, on the same machine. Opening is a visitor's first, with nothing in the browser's "
    "cache, until the map and the views are drawn; the slowest of several. The other times are taken inside "
    "the page, from the event to the frame that shows the answer: 95th percentiles of "
    f"{ACTIONS} actions, and the slowest lasso."
)


def _map_of(table: Path) -> GalaxyMap:
    return open_embedding(read_galaxies(table), table.with_suffix(".explore"), "continuum")


async def _answers(server: Server, drawn: GalaxyMap, repeats: int) -> Answers:
    """One visitor after the other opens the page; the last of them uses it."""
    xy = drawn.embedding.xy[drawn.embedding.placed]
    rng = np.random.default_rng(0)
    somewhere = xy[rng.integers(0, len(xy), (3, ACTIONS))]
    async with browsers() as (started,):
        visitors = []
        for _ in range(repeats):
            visitors.append(await visit(started, server.address))
            if len(visitors) < repeats:
                await visitors[-1].page.close()
        last = visitors[-1]
        recolour = [await last.recolour(1 + place) for place in range(ACTIONS)]
        card = [await last.point_at(place) for place in somewhere[0]]
        spectrum = [await last.click(place, "galaxy-title", "galaxy-figure") for place in somewhere[1]]
        star = [await last.click(place, "map") for place in somewhere[2]]
        lassos = []
        for _ in range(repeats):
            await last.clear()
            lassos.append(await last.lasso(circle(xy, SELECTED)))
        if last.complaints:
            raise RuntimeError(f"the page complains: {last.complaints}")
    usable = [visitor.usable_s for visitor in visitors]
    seconds, selected = zip(*lassos, strict=True)
    return Answers(server.seconds, usable, recolour, card, spectrum, star, list(seconds), list(selected))


def _speed(name: str, title: str, about: str, answers: Answers, opening: float, acting: float) -> Result:
    usable, quick = Target(most=opening), Target(most=acting)
    checks = [
        Check("opening the page / s", max(answers.usable), usable),
        Check("another colour / s", _slow(answers.recolour), quick),
        Check("card of the galaxy under the pointer / s", _slow(answers.card), quick),
        Check("click: galaxy named, spectrum drawn / s", _slow(answers.spectrum), quick),
        Check("click: star in the map / s", _slow(answers.star), quick),
        Check(f"lasso of {np.median(answers.selected):,.0f} galaxies / s", max(answers.lasso), LASSO),
    ]
    start = ["from the command to the address, map and predictions kept / s", answers.start, ""]
    return Result(name, title, about, CHECK_COLUMNS, [start, *(check.row for check in checks)])


def _slow(seconds: list[float]) -> float:
    return float(np.quantile(seconds, SLOW))


def _placed(drawn: GalaxyMap, cost: Cost) -> Result:
    """What the map costs, and how well and how soon new galaxies are placed in it."""
    embedding, features = drawn.embedding, drawn.features
    rng = np.random.default_rng(0)
    rows = rng.choice(np.flatnonzero(embedding.placed), 1 + ACTIONS)
    known = features.values[rows]
    new = (known * rng.lognormal(0.0, SCATTER, known.shape)).astype(np.float32)
    first, *seconds = [_seconds_to_place(drawn, one[None, :]) for one in new]
    left_out, refitted = left_out_error(embedding, features), refit_error(embedding, features)
    checks = [
        Check("drawing the map / s", cost.seconds, Target(most=180.0)),
        Check("drawing the map: peak memory / GB", cost.peak_bytes / 1e9, Target(most=2.0)),
        Check("placing a new galaxy, 95th percentile / s", _slow(seconds), Target(most=0.3)),
    ]
    rows_of_errors = [*_error_rows("left out", left_out), *_error_rows("refit", refitted)]
    started = ["placing the first one, with the search tree / s", first, ""]
    return Result(
        "explore/map",
        "The map",
        f"UMAP of the continua of {int(embedding.fitted.sum()):,} galaxies in a process of its own, from the "
        "command to the table that is kept; then new galaxies, one at a time. Left out: galaxies of the map, "
        "one by one, are placed among the others, and compared with where the fit has them. Refit: the map "
        "is drawn again without a tenth of its galaxies, which are then placed in it; the new map is turned, "
        "mirrored, scaled and shifted onto the old one as well as it can be (Procrustes). What remains is "
        "also due to the others, which have moved. Distances are in units of the median distance from the "
        "middle of the map.",
        CHECK_COLUMNS,
        [*(check.row for check in checks), started, *rows_of_errors],
    )


def _seconds_to_place(drawn: GalaxyMap, features: Float[np.ndarray, "1 feature"]) -> float:
    start = time.perf_counter()
    drawn.placement.place(features)
    return time.perf_counter() - start


def _error_rows(kind: str, error: PlacementError) -> list[Row]:
    return [
        [f"{kind}: distance, median", error.median, ""],
        [f"{kind}: distance, 84th percentile", error.q84, ""],
        [f"{kind}: share of the 15 nearest that are kept", error.neighbours_kept, ""],
    ]


async def _crowd(server: Server, drawn: GalaxyMap, seconds: float) -> tuple[Crowd, float]:
    """Visitors at once, and by which factor the server's memory grows meanwhile."""
    embedding = drawn.embedding
    placed = np.flatnonzero(embedding.placed)
    places = {str(embedding.ids[row]): embedding.xy[row] for row in placed}
    async with browsers(1 + VISITORS) as (first, *started):
        alone = await visit(first, server.address)
        colours = {}
        for place in range(1, 1 + COLOURS):
            await alone.recolour(place)
            _, name, _, title = await alone.state()
            colours[place] = (name, title)
        await alone.page.close()
        visitors = [await visit(each, server.address) for each in started]
        before = server.memory_bytes()
        done = await crowd(visitors, places, colours, seconds)
        return done, server.memory_bytes() / before


def _visitors(done: Crowd, grown: float, seconds: float) -> Result:
    for fault in done.faults:
        print(fault, file=sys.stderr)
    checks = [
        Check("errors, and pages that show what another visitor did", len(done.faults), Target(most=0)),
        Check("server's memory at the end over that at the start", grown, FLAT),
    ]
    return Result(
        "explore/visitors",
        "Ten visitors at once",
        f"{VISITORS} browsers without anything in common click and recolour the DESI galaxies for "
        f"{seconds:.0f} seconds, {done.actions:,} times together. After each click, the galaxy and the "
        "colour in the visitor's address are compared with those on the page, with the colour that this "
        "visitor chose, and with the place that was clicked.",
        CHECK_COLUMNS,
        [check.row for check in checks],
    )
