"""The page in a real browser: what is seen and done there, and that nothing comes from outside."""

import re
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from nebulium.explore.page.server import make_app, open_server

#: Long enough for a busy machine.
PATIENCE_MS = 30_000
MAP_DRAWN = "document.querySelector('#map .js-plotly-plot')?._fullData?.[0]?.type"


@pytest.fixture(scope="module")
def address(explored) -> Iterator[str]:
    server = open_server(make_app(explored), port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.socket.getsockname()[1]}/"
    server.shutdown()
    thread.join()


class Visit:
    """One window, with all that it asked of others and complained of."""

    def __init__(self, browser, address: str, **options):
        self.address, self.outside, self.complaints = address, [], []
        self.context = browser.new_context(
            viewport={"width": 1366, "height": 768}, accept_downloads=True, **options
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.route(re.compile(r"^(?!http://127\.0\.0\.1[:/])"), self._refuse)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)

    def _refuse(self, route) -> None:
        self.outside.append(route.request.url)
        route.abort()

    def _hear(self, message) -> None:
        # The software that stands in for a graphics card says so.
        if message.type == "error" and "GPU" not in message.text and "GL Driver" not in message.text:
            self.complaints.append(message.text)

    def open(self, query: str = ""):
        self.page.goto(self.address + query)
        self.page.wait_for_function(MAP_DRAWN)
        self.settled()
        return self.page

    def settled(self) -> None:
        """Wait until nothing is under way, and the address is written."""
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_timeout(250)

    def comes_to(self, query: dict[str, str]) -> bool:
        """Whether the address says so in the end; it is written a moment after the page has changed."""
        for _ in range(PATIENCE_MS // 100):
            if self.query == query:
                return True
            self.page.wait_for_timeout(100)
        return False

    @property
    def query(self) -> dict[str, str]:
        return {name: texts[0] for name, texts in parse_qs(urlsplit(self.page.url).query).items()}

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where on the screen a place of the map is."""
        pixels = self.page.evaluate(
            """([x, y]) => {
              const plot = document.querySelector('#map .js-plotly-plot'), box = plot.getBoundingClientRect();
              const {xaxis, yaxis} = plot._fullLayout;
              return [box.left + xaxis._offset + xaxis.l2p(x), box.top + yaxis._offset + yaxis.l2p(y)];
            }""",
            [x, y],
        )
        return pixels[0], pixels[1]


@pytest.fixture
def visit(browser, address) -> Iterator[Visit]:
    made = Visit(browser, address)
    yield made
    made.context.close()
    assert made.outside == []
    assert made.complaints == []


def text(page, selector: str) -> str:
    return page.locator(selector).inner_text()


def galaxy_in_the_middle(explored) -> int:
    return int(np.nanargmin(np.hypot(*explored.xy.T)))


def test_opening_shows_map_and_views(visit):
    page = visit.open()
    assert "24,000 galaxies" in text(page, "header")
    assert page.evaluate(MAP_DRAWN) == "heatmap"
    assert visit.query == {}
    assert "No galaxy is pinned" in text(page, "#galaxy-title")


def test_recolouring_changes_map_and_address(visit):
    page = visit.open()
    page.locator("#colour").click()
    page.get_by_role("option").filter(has_text="Redshift").first.click()
    title = "document.querySelector('#map .js-plotly-plot')._fullLayout.coloraxis.colorbar.title.text"
    page.wait_for_function(f"{title} === 'Redshift'")
    visit.settled()
    assert visit.comes_to({"colour": "redshift"})


def test_three_panels_zoom_together(visit):
    page = visit.open("?panels=three&quantity=ew_HALPHA&window=-0.5,0.5,-0.4,0.4")
    layout = "document.querySelector('#map .js-plotly-plot')._fullLayout"
    ranges = page.evaluate(f"['xaxis', 'xaxis2', 'xaxis3'].map((name) => {layout}[name].range)")
    assert ranges == 3 * [[-0.5, 0.5]]


def test_the_card_follows_the_pointer_and_a_click_pins(visit, explored):
    page = visit.open()
    row = galaxy_in_the_middle(explored)
    identifier = str(explored.galaxies.ids[row])
    place = visit.at(*explored.xy[row].tolist())
    page.mouse.move(place[0] + 40, place[1])
    page.mouse.move(*place)
    page.wait_for_function("document.querySelector('#card').innerText.length > 0")
    page.wait_for_function("(id) => document.querySelector('#card').innerText.includes(id)", arg=identifier)
    page.mouse.click(*place)
    page.wait_for_function(
        "(id) => document.querySelector('#galaxy-title').innerText.includes(id)", arg=identifier
    )
    visit.settled()
    assert visit.comes_to({"pin": identifier})
    assert page.locator("#neighbours [data-pin]").count() == 8
    names = page.evaluate("document.querySelector('#galaxy-figure .js-plotly-plot').data.map((t) => t.name)")
    assert "continuum" in names


def test_a_lasso_selects_everywhere_and_saves(visit, explored, tmp_path):
    page = visit.open("?sample_view=selection")
    page.locator("#map .modebar-btn[data-val=lasso]").click()
    corners = [visit.at(x, y) for x, y in [(-0.3, -0.3), (0.3, -0.3), (0.3, 0.3), (-0.3, 0.3), (-0.3, -0.29)]]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=6)
    page.mouse.up()
    page.wait_for_function("document.querySelector('#sample-note').innerText.includes('selected')")
    visit.settled()
    inside = int((np.abs(explored.xy) < 0.3).all(axis=1).sum())
    counted = int(text(page, "#sample-note").split()[0].replace(",", ""))
    assert abs(counted - inside) < 0.1 * inside
    assert "Median" in text(page, "#sample-body")
    with page.expect_download() as download:
        page.locator("#save-ids").click()
    download.value.save_as(tmp_path / "ids.txt")
    assert len((tmp_path / "ids.txt").read_text().splitlines()) == counted
    page.locator("#sample_view").get_by_text("BPT").click()
    traces = "document.querySelector('#sample-figure .js-plotly-plot')?.data"
    page.wait_for_function(f"{traces}?.some((trace) => (trace.name || '').startsWith('selected'))")


def test_a_link_shows_the_same_to_a_colleague(visit, browser, address):
    page = visit.open()
    page.locator("#search").fill("39000100")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#galaxy-title').innerText.includes('39000100')")
    page.locator("#theme").click()
    page.locator("#galaxy_view").get_by_text("p(z)").click()
    visit.settled()
    colleague = Visit(browser, address)
    colleague.open("?" + urlsplit(page.url).query)
    assert "39000100" in text(colleague.page, "#galaxy-title")
    assert colleague.page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert colleague.page.locator("#galaxy_view input:checked").count() == 1
    assert colleague.comes_to(visit.query)
    colleague.context.close()
    assert colleague.complaints == []


def test_the_theme_is_that_of_the_system_at_first(browser, address):
    visit = Visit(browser, address, color_scheme="dark")
    page = visit.open()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert visit.query == {}
    page.locator("#theme").click()
    page.wait_for_function("document.documentElement.dataset.theme === 'light'")
    visit.settled()
    assert visit.comes_to({"theme": "light"})
    visit.context.close()


def test_keys_do_what_the_mouse_does(visit):
    page = visit.open()
    page.keyboard.press("/")
    page.keyboard.type("39000200")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#galaxy-title').innerText.includes('39000200')")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.press("n")
    assert page.evaluate("document.activeElement.closest('#neighbours') !== null")
    chosen = page.evaluate("document.activeElement.dataset.pin")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "(id) => document.querySelector('#galaxy-title').innerText.includes(id)", arg=chosen
    )
    page.locator("#maps").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "(id) => !document.querySelector('#galaxy-title').innerText.includes(id)", arg=chosen
    )
    page.keyboard.press("Escape")
    page.wait_for_function("document.querySelector('#galaxy-title').innerText.includes('No galaxy')")
    visit.settled()
    assert visit.query == {}


def test_the_wheel_zooms_from_cells_to_galaxies(visit):
    page = visit.open()
    page.mouse.move(*visit.at(0.0, 0.0))
    # A busy browser makes one of several turns of the wheel.
    for _ in range(40):
        page.mouse.wheel(0, -100)
        page.wait_for_timeout(100)
        if page.evaluate(MAP_DRAWN) == "scattergl":
            break
    page.wait_for_function(f"{MAP_DRAWN} === 'scattergl'")
    visit.settled()
    page.wait_for_function("window.location.search.includes('window=')")
    page.locator("#whole").click()
    page.wait_for_function(f"{MAP_DRAWN} === 'heatmap'")


def test_a_double_click_shows_the_whole_map(visit):
    page = visit.open("?window=-0.1,0.1,-0.1,0.1")
    page.mouse.dblclick(*visit.at(0.05, 0.05))
    page.wait_for_function(f"{MAP_DRAWN} === 'heatmap'")


def test_a_narrow_window_is_usable(visit):
    visit.page.set_viewport_size({"width": 390, "height": 844})
    page = visit.open("?pin=39000100")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#maps").bounding_box()["height"] > 250
    page.locator("#galaxy-figure").scroll_into_view_if_needed()
    assert page.locator("#galaxy-figure").bounding_box()["height"] > 200


def test_nonsense_in_the_address_is_told_and_the_page_works(visit):
    page = visit.open(
        "?colour=/etc/passwd&pin=%3Cimg%20src%3Dx%3E&window=1,2&__proto__=1&panels=three&theme=dark"
    )
    assert "there is no column “/etc/passwd”" in text(page, "#notice")
    assert visit.comes_to({"panels": "three", "theme": "dark"})


def test_hostile_names_are_texts(visit, explored):
    page = visit.open()
    for identifier in explored.galaxies.ids[:7].tolist():
        page.locator("#search").fill(identifier[:200])
        page.keyboard.press("Enter")
        page.wait_for_function(
            "(id) => document.querySelector('#galaxy-title').innerText.startsWith(id)", arg=identifier[:40]
        )
    page.locator("#colour").click()
    page.get_by_role("option").filter(has_text="<script>").first.click()
    visit.settled()
    assert page.evaluate("window.harmed") is None
    assert page.locator("img[src='x']").count() == 0
    assert page.evaluate("({}).harmed") is None


def test_a_fault_in_one_view_leaves_the_others(visit, explored):
    page = visit.open(f"?pin={explored.galaxies.ids[11]}")
    page.locator("#galaxy_view").get_by_text("p(z)").click()
    page.wait_for_function("document.querySelector('#notice').innerText.includes('Something went wrong')")
    visit.complaints.clear()
    page.locator("#galaxy_view").get_by_text("Spectrum").click()
    assert page.evaluate(MAP_DRAWN) == "heatmap"


def test_views_that_lack_something_say_so(visit):
    page = visit.open("?galaxy_view=image&pin=39000100")
    assert "This view stays closed: it needs images" in text(page, "#galaxy-body")
