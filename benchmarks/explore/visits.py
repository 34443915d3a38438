"""Visitors of the explorer page: a browser without a window, scripted, with times taken inside the page."""

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import numpy as np
from jaxtyping import Float
from playwright.async_api import Browser, Page, TimeoutError, ViewportSize, async_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SCREEN = ViewportSize(width=1366, height=768)
PATIENCE_MS = 60_000
#: Between two actions of a visitor, for what else the page still draws.
REST_MS, ADDRESS_MS = 300, 400
#: Corners of the lasso.
CORNERS = 24
#: How far from the place that was clicked the pinned galaxy may lie, as a share of the map's width.
NEAR = 0.03

#: Notes when each part of the page is first seen to change, after the frame that shows it.
WATCH = """
window.bench = {
  seen: {},
  graph: (name) => document.querySelector(`#${name} .js-plotly-plot`),
  note: (name) => { if (!(name in bench.seen)) bench.seen[name] = performance.now(); },
  shown: (name) => requestAnimationFrame(() => bench.note(name)),
  usable: () => {
    const [map, galaxy, sample] = ["map", "galaxy-figure", "sample-figure"].map(bench.graph);
    const drawn = map?._fullData?.length && map.querySelector(".heatmaplayer image, .gl-container canvas");
    const ready = drawn && galaxy?._fullLayout && sample?._fullData?.length;
    return ready && document.querySelector("#galaxy-title")?.textContent ? performance.now() : 0;
  },
  watch: () => {
    for (const name of ["map", "galaxy-figure"])
      bench.graph(name).on("plotly_afterplot", () => bench.shown(name));
    for (const name of ["card", "galaxy-title", "sample-note"])
      new MutationObserver(() => bench.shown(name)).observe(
        document.getElementById(name), { childList: true, subtree: true, characterData: true });
    for (const name of ["pointermove", "pointerup"])
      document.addEventListener(name, () => bench.note(name), { capture: true });
  },
  recolour: (place) => {
    bench.note("asked");
    window.dash_clientside.set_props("colour", { value: String(place) });
  },
  screen: (points) => {
    const map = bench.graph("map"), box = map.getBoundingClientRect(), { xaxis, yaxis } = map._fullLayout;
    return points.map(([x, y]) =>
      [box.left + xaxis._offset + xaxis.l2p(x), box.top + yaxis._offset + yaxis.l2p(y)]);
  },
  colour: () => bench.graph("map")._fullLayout.coloraxis.colorbar.title.text,
};
"""


@dataclass(eq=False)
class Visit:
    """One visitor with a browser of their own: no cookies, cache or store in common with others.

    Attributes
    ----------
    page : Page
    usable_s : float
        From opening the address until the map is drawn and all views are there.
    complaints : list of str
        Errors of scripts, and answers of the server that say that something is wrong.
    """

    page: Page
    usable_s: float = float("nan")
    complaints: list[str] = field(default_factory=list)

    async def recolour(self, place: int) -> float:
        """Colour the map by the column at a place of the list; seconds until it is drawn."""
        return await self._timed("asked", ("map",), lambda: self.page.evaluate("bench.recolour", place))

    async def point_at(self, xy: Float[np.ndarray, " 2"]) -> float:
        """Move the pointer to a place of the map; seconds until the card tells of a galaxy."""
        x, y = await self._screen(xy)
        return await self._timed("pointermove", ("card",), lambda: self.page.mouse.move(x, y))

    async def click(self, xy: Float[np.ndarray, " 2"], *shown: str) -> float:
        """Click on a place of the map; seconds until parts of the page have changed."""
        x, y = await self._screen(xy)
        return await self._timed("pointerup", shown, lambda: self.page.mouse.click(x, y))

    async def lasso(self, corners: Float[np.ndarray, "k 2"]) -> tuple[float, int]:
        """Draw around places of the map; seconds until the page tells how many they are, and that."""
        points = await self.page.evaluate("bench.screen", corners.tolist())
        await self.page.locator("#map .modebar-btn[data-val=lasso]").click()
        await self.page.mouse.move(*points[0])
        await self.page.mouse.down()
        for point in (*points[1:], points[0]):
            await self.page.mouse.move(*point, steps=2)
        seconds = await self._timed("pointerup", ("sample-note",), self.page.mouse.up)
        told = re.match(r"[\d,]+", await self.page.inner_text("#sample-note"))
        return seconds, int(told[0].replace(",", "")) if told else 0

    async def clear(self) -> None:
        """Let go of the selection."""
        await self.page.keyboard.press("Escape")
        await self.page.wait_for_timeout(REST_MS)

    async def state(self) -> tuple[str, str, str, str]:
        """Pinned galaxy and colour: in the address, and on the page."""
        await self.page.wait_for_timeout(ADDRESS_MS)
        asked = {name: texts[0] for name, texts in parse_qs(urlsplit(self.page.url).query).items()}
        shown = await self.page.inner_text("#galaxy-title strong")
        return (
            asked.get("pin", ""),
            asked.get("colour", ""),
            shown,
            await self.page.evaluate("bench.colour()"),
        )

    async def _screen(self, xy: Float[np.ndarray, " 2"]) -> tuple[float, float]:
        x, y = (await self.page.evaluate("bench.screen", [xy.tolist()]))[0]
        return x, y

    async def _timed(self, start: str, shown: tuple[str, ...], act: Callable[[], Awaitable[None]]) -> float:
        await self.page.wait_for_timeout(REST_MS)
        await self.page.evaluate("() => { bench.seen = {}; }")
        await act()
        every = "names => names.every(name => name in bench.seen)"
        try:
            await self.page.wait_for_function(every, arg=[start, *shown], polling=20)
        except TimeoutError as error:
            seen = await self.page.evaluate("bench.seen")
            raise RuntimeError(f"waited for {start} and {shown}, saw {seen} at {self.page.url}") from error
        seen = await self.page.evaluate("bench.seen")
        return (max(seen[name] for name in shown) - seen[start]) / 1000


@asynccontextmanager
async def browsers(count: int = 1) -> AsyncIterator[list[Browser]]:
    """So many of Chromium without a window: in one alone, only the page in front would draw its frames."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise RuntimeError("no Chromium: install it (Debian: apt install chromium)")
    async with async_playwright() as playwright:
        launch = playwright.chromium.launch
        yield [await launch(executable_path=path, args=["--no-sandbox"]) for _ in range(count)]


async def visit(started: Browser, address: str) -> Visit:
    """Open the page as somebody who has never seen it."""
    context = await started.new_context(viewport=SCREEN, color_scheme="light")
    context.set_default_timeout(PATIENCE_MS)
    await context.add_init_script(WATCH)
    page = await context.new_page()
    visitor = Visit(page)
    page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
    page.on(
        "response", lambda answer: visitor.complaints.extend([answer.url] if answer.status >= 400 else [])
    )
    await page.goto(address, wait_until="commit")
    usable = await page.wait_for_function("() => window.bench?.usable()", polling="raf")
    visitor.usable_s = await usable.json_value() / 1000
    await page.evaluate("bench.watch()")
    return visitor


def circle(xy: Float[np.ndarray, "n 2"], count: int) -> Float[np.ndarray, "k 2"]:
    """Corners around so many places, those nearest to the one in the middle."""
    size = np.ptp(xy, axis=0)
    middle = xy[np.argmin(np.sum(((xy - np.median(xy, axis=0)) / size) ** 2, axis=1))]
    radius = np.sort(np.hypot(*((xy - middle) / size).T))[min(count, len(xy) // 2)]
    angle = np.linspace(0.0, 2.0 * np.pi, CORNERS, endpoint=False)
    return middle + radius * size * np.stack([np.cos(angle), np.sin(angle)], axis=1)


@dataclass(frozen=True)
class Crowd:
    """What became of several visitors at once.

    Attributes
    ----------
    actions : int
        That they did together.
    faults : list of str
        Errors, and what a page showed that its visitor had not asked for.
    """

    actions: int
    faults: list[str]


async def crowd(
    visitors: Sequence[Visit],
    places: dict[str, Float[np.ndarray, " 2"]],
    colours: dict[int, tuple[str, str]],
    seconds: float,
) -> Crowd:
    """Each visitor clicks and recolours for so long, and looks whether the page shows their own doing.

    Parameters
    ----------
    visitors : sequence of Visit
    places : dict of str to ndarray of shape (2,)
        Of galaxies in the map, by id.
    colours : dict of int to (str, str)
        Name in the address and title on the page of each column, by its place in the list.
    seconds : float

    Returns
    -------
    Crowd
    """
    width = float(np.ptp([xy[0] for xy in places.values()]))
    end = time.perf_counter() + seconds
    faults: list[str] = []

    async def one(number: int, visitor: Visit) -> int:
        rng = np.random.default_rng(number)
        ids, turns = list(places), 0
        own = list(colours)[number % len(colours) :: len(visitors)] or list(colours)
        while time.perf_counter() < end:
            colour = own[turns % len(own)]
            clicked = places[ids[rng.integers(len(ids))]]
            if turns == 0 or len(own) > 1:
                await visitor.recolour(colour)
            await visitor.click(clicked, "galaxy-title")
            pin, asked, shown, title = await visitor.state()
            away = np.hypot(*(places.get(pin, clicked + np.inf) - clicked))
            if pin != shown or away > NEAR * width:
                faults.append(f"visitor {number}: the address pins {pin}, the page {shown}, {away:.3f} away")
            if (asked, title) != colours[colour]:
                faults.append(f"visitor {number}: colour {asked}, {title}; expected {colours[colour]}")
            turns += 1
        return 2 * turns

    done = await asyncio.gather(*(one(*each) for each in enumerate(visitors)), return_exceptions=True)
    faults += [repr(result) for result in done if isinstance(result, BaseException)]
    faults += [complaint for visitor in visitors for complaint in visitor.complaints]
    return Crowd(sum(result for result in done if isinstance(result, int)), faults)
