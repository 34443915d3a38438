"""The page of a model of images: what the sliders ask for, what is drawn, and how it looks in a browser."""

import base64
import io
import threading

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dash.exceptions import PreventUpdate
from PIL import Image
from typer.testing import CliRunner

from nebulium.cli import app as command
from nebulium.explore.drawn.galaxies import SHOWN, DrawnGalaxies
from nebulium.explore.drawn.page import OUTSIDE, application, settings
from nebulium.explore.page.server import open_server
from nebulium.generate import LatentImageModel
from nebulium.generate.latent.noise import PixelNoise
from nebulium.modelfile import save_model
from nebulium.nn.training_domain import TrainingDomain
from nebulium.verbs.predict import NamedModel

SIDE, REFERENCES = 8, 64
#: Long enough for a busy machine.
PATIENCE_MS = 60_000
HOSTILE = "<script>window.harmed=1</script>"


@pytest.fixture(scope="module")
def galaxies() -> DrawnGalaxies:
    """Galaxies that are the brighter the larger their property, whose name would do harm as code."""
    settings = {"components": [1, 0, 0, 0], "width": 8, "depth": 1, "domain_references": REFERENCES}
    images = {"bands": ["g", "r"], "unit": "nJy", "size": SIDE, "stretch": {"kind": "none", "softening": []}}
    model = LatentImageModel(conditions=[HOSTILE, "age"], **settings, **images)
    domain = eqx.tree_at(
        lambda one: (one.reference, one.most_distance),
        TrainingDomain(2, REFERENCES),
        (jax.random.normal(jax.random.key(0), (REFERENCES, 2)), jnp.asarray(0.6)),
    )
    where = lambda m: (  # noqa: E731
        m.basis.template, m.basis.centres, m.diffusion.gaussian.closed.cross, m.condition_domain, m.noise,
        m.condition_mean,
    )  # fmt: skip
    # The brightness of the middle band, that of the other relative to it, and an amplitude.
    new = (
        jnp.full((SIDE, SIDE), 1.0 / SIDE), jnp.array([1.0, 0.0, 0.0]),
        jnp.array([[0.95, 0.0], [0.0, 0.0], [0.0, 0.0]]), domain, PixelNoise(2), jnp.array([10.0, 5.0]),
    )  # fmt: skip
    return DrawnGalaxies(
        NamedModel(f"<b>{HOSTILE}</b>", eqx.tree_at(where, model, new), {"units": {"age": "Gyr"}})
    )


def pixels(address: str) -> np.ndarray:
    content = base64.b64decode(address.partition("base64,")[2])
    return np.asarray(Image.open(io.BytesIO(content)), float)


def test_sliders_go_over_the_training_galaxies(galaxies):
    first, second = galaxies.sliders
    assert (first.name, second.unit) == (HOSTILE, "Gyr")
    assert 8.5 > first.low > 7
    assert abs(first.middle - 10) < 0.5
    assert 11.5 < first.high < 13
    assert first.step in (0.01, 0.1)


def test_galaxies_change_with_a_property_and_keep_their_noise(galaxies):
    faint, bright = galaxies.draw([9.0, 5.0]), galaxies.draw([11.0, 5.0])
    assert len(faint.pictures) == SHOWN
    assert faint.in_domain
    assert galaxies.draw([9.0, 5.0]).pictures == faint.pictures
    assert not galaxies.draw([20.0, None]).in_domain
    light = [np.mean([pixels(one) for one in made.pictures]) for made in (faint, bright)]
    assert light[1] > light[0] + 10
    other = galaxies.draw([9.0, 5.0], 1)
    assert not set(other.pictures) & set(faint.pictures)


@pytest.mark.parametrize(
    ("values", "given"),
    [
        ([10.0], [["given"]]),
        ([10.0, "x"], [["given"], ["given"]]),
        ([10.0, float("nan")], [["given"], ["given"]]),
        ([10.0, True], [["given"], ["given"]]),
        ({"a": 1}, [["given"], ["given"]]),
    ],
)
def test_what_makes_no_sense_is_not_drawn(galaxies, values, given):
    with pytest.raises(PreventUpdate):
        settings(galaxies.sliders, values, given)


def test_settings_stay_within_the_sliders(galaxies):
    known = settings(galaxies.sliders, [1e9, 5.0], [["given"], []])
    assert known == [galaxies.sliders[0].high, None]


def test_the_galaxies_follow_the_sliders_in_a_browser(galaxies, browser):
    server = open_server(application(galaxies), port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.set_default_timeout(PATIENCE_MS)
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    try:
        page.goto(f"http://127.0.0.1:{server.socket.getsockname()[1]}/")
        page.wait_for_selector("#drawn img")
        shown = lambda: page.eval_on_selector_all("#drawn img", "all => all.map(one => one.src)")  # noqa: E731
        changed = "old => document.querySelector('#drawn img').src != old"
        first = shown()
        assert len(first) == SHOWN
        handle = page.locator("[role=slider]").first
        handle.focus()
        handle.press("ArrowRight")
        page.wait_for_function(changed, arg=first[0])
        second = shown()
        page.get_by_role("checkbox").first.uncheck()
        page.wait_for_function(changed, arg=second[0])
        assert page.locator(".said").first.inner_text() == "any"
        third = shown()
        page.get_by_text("Other galaxies").click()
        page.wait_for_function(changed, arg=third[0])
        assert OUTSIDE not in page.inner_text("#page")
        assert page.evaluate("window.harmed") is None
        assert HOSTILE in page.inner_text("#page")
        assert not complaints
        narrow = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert narrow
    finally:
        page.close()
        server.shutdown()
        thread.join()


def test_options_of_a_table_are_refused(galaxies, tmp_path):
    config = {
        "hyperparameters": {
            "conditions": ["z"], "components": [1, 0, 0, 0], "width": 8, "depth": 1,
            "bands": ["g", "r"], "unit": "nJy", "size": SIDE, "stretch": {"kind": "none", "softening": []},
        },
        **{name: {} for name in ("preprocessing", "units", "training_domain", "split", "metrics")},
        "citation": "none",
    }  # fmt: skip
    folder = save_model(
        tmp_path / "m", LatentImageModel(**config["hyperparameters"]), config=config, card="# m"
    )
    done = CliRunner().invoke(
        command, ["explore", "--model", str(folder), "--export", str(tmp_path / "page")]
    )
    assert done.exit_code == 2
    assert "is a model of images, for which there is no --export" in done.stderr
