"""The page as files in a real browser, which has neither a server nor a network."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from nebulium.explore.export import data as export_data
from nebulium.explore.export.data import PageData
from nebulium.explore.export.writing import export_page
from nebulium.explore.page.explored import OUTSIDE

PATIENCE_MS = 60_000
#: A column of the made-up galaxies, and two of their ids.
HOSTILE_COLUMN = "<script>window.harmed=1</script>"
HOSTILE_ID, HOSTILE_QUERY = "<img src=x onerror=window.harmed=1>", "a&pin=1;b,c:d%20"


@pytest.fixture(scope="module")
def data(explored) -> PageData:
    return PageData(explored)


@pytest.fixture(scope="module")
def folder(explored, tmp_path_factory) -> Path:
    return export_page(explored, tmp_path_factory.mktemp("export") / "page").folder


@pytest.fixture
def page(browser, folder) -> Iterator:
    """The page in a window that has no network."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, offline=True)
    context.set_default_timeout(PATIENCE_MS)
    window, asked, complaints = context.new_page(), [], []
    window.on("request", lambda request: asked.append(request.url))
    window.on("pageerror", lambda error: complaints.append(str(error)))
    window.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
    yield window
    harmed = window.evaluate("window.harmed")
    context.close()
    assert complaints == []
    assert {urlsplit(url).scheme for url in asked} <= {"file", "data", "blob"}
    assert harmed is None


def is_complaint(message) -> bool:
    # The software that stands in for a graphics card says so.
    return message.type == "error" and "GPU" not in message.text and "GL Driver" not in message.text


def opened(page, folder, address: str = ""):
    page.goto(f"{(folder / 'index.html').as_uri()}{address}")
    page.wait_for_selector("html[data-ready=yes]")
    return page


def wait_for_address(page, name: str, text: str) -> None:
    page.wait_for_function(
        "([name, text]) => new URLSearchParams(location.hash.slice(1)).get(name) === text", arg=[name, text]
    )


def place_of(page, galaxy: int) -> tuple[float, float]:
    """Where on the screen the first panel shows a galaxy of the sample."""
    return page.evaluate(
        """(galaxy) => {
          const box = document.getElementById("graph").getBoundingClientRect();
          const [left, top] = nebulium.map.placesOf(galaxy)[0];
          return [box.left + left, box.top + top];
        }""",
        galaxy,
    )


def drawn(page, what: str):
    return page.evaluate(f"document.getElementById('graph').{what}")


def galaxy_in_the_middle(data) -> int:
    return int(np.argmin(np.hypot(*data.explored.xy[data.rows].T)))


def test_opens_with_three_panels_and_a_galaxy(page, folder):
    opened(page, folder)
    assert "24,000 galaxies" in page.inner_text("header")
    kinds = drawn(page, "_fullData.filter((trace) => trace.visible).map((trace) => trace.type)")
    assert kinds == ["heatmap", "scatter"] * 3
    assert page.locator("#lines tbody tr").count() == 10
    assert "<b>made up</b>.parquet" in page.inner_text("h1")


def test_recolours_on_one_scale(page, folder):
    opened(page, folder).select_option("#colour", label="Redshift")
    page.wait_for_function(
        "document.getElementById('graph')._fullLayout.coloraxis.colorbar.title.text === 'Redshift'"
    )
    wait_for_address(page, "colour", "Redshift")
    assert page.locator("#show-field").is_hidden()
    page.select_option("#colour", label=HOSTILE_COLUMN)
    page.wait_for_function("document.getElementById('graph').textContent.includes('<script>')")


def test_pointing_and_clicking(page, folder, data):
    opened(page, folder)
    galaxy = galaxy_in_the_middle(data)
    identifier = str(data.explored.galaxies.ids[data.rows[galaxy]])
    page.mouse.move(*place_of(page, galaxy))
    page.wait_for_selector("#card[data-open=yes]")
    assert identifier in page.inner_text("#card")
    assert page.locator("#rings i").count() == 3
    page.mouse.down()
    page.mouse.up()
    wait_for_address(page, "pin", identifier)
    page.wait_for_function(
        "(id) => document.getElementById('galaxy-title').textContent.includes(id)", arg=identifier
    )
    row = data.rows[galaxy]
    steps = page.evaluate("[...document.getElementById('spectrum').data[0].y]")
    np.testing.assert_allclose(steps[::2], data.explored.galaxies.continuum[row], rtol=1e-3)


def test_close_up_shows_single_galaxies(page, folder):
    opened(page, folder)
    page.evaluate("Plotly.relayout('graph', {'xaxis.range': [-0.2, 0.2], 'yaxis.range': [-0.2, 0.2]})")
    visible = "document.getElementById('graph')._fullData.filter((trace) => trace.visible)"
    page.wait_for_function(f"{visible}.filter((trace) => trace.type === 'scattergl').length === 3")
    assert "chosen at random" in page.inner_text("#drawn")


def test_keys_search_and_theme(page, folder, data):
    opened(page, folder).locator("#map").focus()
    page.keyboard.press("Escape")
    wait_for_address(page, "pin", "")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("new URLSearchParams(location.hash.slice(1)).get('pin')")
    sampled = {str(one) for one in data.explored.galaxies.ids[data.rows]}
    assert parse_qs(urlsplit(page.url).fragment)["pin"][0] in sampled
    hostile = HOSTILE_QUERY if HOSTILE_QUERY in sampled else HOSTILE_ID
    page.keyboard.press("/")
    page.keyboard.insert_text(hostile)
    page.keyboard.press("Enter")
    wait_for_address(page, "pin", hostile)
    page.wait_for_function(
        "(id) => document.querySelector('#galaxy-title strong').textContent === id", arg=hostile
    )
    before = page.evaluate("document.documentElement.dataset.theme")
    page.click("#theme")
    page.wait_for_function(
        "(before) => document.getElementById('graph')._fullLayout.paper_bgcolor !== before",
        arg="#ffffff" if before == "light" else "#12161c",
    )


def test_an_address_shows_the_same_again_and_nonsense_is_dropped(page, folder, data):
    identifier = str(data.explored.galaxies.ids[data.rows[100]])
    opened(page, folder, f"#show=1&theme=dark&frame=observed&pin={identifier}&colour=../../etc/passwd")
    assert page.inner_text("#galaxy-title strong") == identifier
    assert drawn(page, "layout.paper_bgcolor") == "#12161c"
    assert len(drawn(page, "_fullLayout._subplots.cartesian")) == 1
    assert page.evaluate("document.getElementById('spectrum').layout.xaxis.title.text").startswith("Observed")


def test_a_narrow_window_stacks_the_panels(page, folder):
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, folder)
    assert drawn(page, "_fullLayout.xaxis2.domain") == [0, 1]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_prediction_outside_the_domain_is_marked(page, explored, tmp_path):
    outside = dict.fromkeys(["in_domain"], np.zeros(len(explored.galaxies)))
    marked = replace(explored, galaxies=explored.galaxies.with_values(outside, {}))
    opened(page, export_page(marked, tmp_path / "page").folder)
    assert OUTSIDE in page.inner_text("#galaxy-title")


def test_few_galaxies_are_points(page, explored, tmp_path, monkeypatch):
    monkeypatch.setattr(export_data, "MOST_POINTS", 30_000)
    opened(page, export_page(explored, tmp_path / "page").folder, "#show=0")
    kinds = drawn(page, "_fullData.filter((trace) => trace.visible).map((trace) => trace.type)")
    assert kinds == ["scattergl", "scatter"]
    assert page.inner_text("#drawn") == ""
