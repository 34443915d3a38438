"""Made-up galaxies with names that would do harm if they were taken for code."""

import os
import shutil
from typing import NoReturn

import numpy as np
import pytest

from nebulium.explore.maps.embedding import Embedding
from nebulium.explore.maps.embedding_file import GalaxyMap
from nebulium.explore.maps.features import continuum_map_features
from nebulium.explore.page.explored import Explored
from nebulium.explore.sample.galaxies import Galaxies
from nebulium.lines.continuum.line_list import LINES
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HOSTILE_IDS = (
    "<img src=x onerror=window.harmed=1>",
    "__proto__",
    "../../etc/passwd",
    "9" * 600,
    "=cmd|' /C calc'!A0",
    "{{7*7}}${7*7}",
    "a&pin=1;b,c:d%20",
)
HOSTILE_COLUMN = "<script>window.harmed=1</script>"
#: The density of this row fails: a fault in one view.
FAULTY_ROW = 11


def made_up(n: int) -> Explored:
    """Galaxies on a disc; the first ids and one column are hostile."""
    rng = np.random.default_rng(0)
    ids = np.array([*HOSTILE_IDS, *(f"{39_000_000 + i}" for i in range(n - len(HOSTILE_IDS)))])
    radius, angle = np.sqrt(rng.uniform(0.0, 1.0, n)), rng.uniform(0.0, 2.0 * np.pi, n)
    xy = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype(np.float32)
    values = {f"continuum_flux_{i}": rng.lognormal(0.0, 0.1, n).astype(np.float32) for i in range(12)}
    values["redshift"] = rng.uniform(0.0, 0.5, n).astype(np.float32)
    values[HOSTILE_COLUMN] = rng.normal(size=n).astype(np.float32)
    values["__proto__"] = np.full(n, np.nan, np.float32)
    for line in LINES:
        median = np.exp(2.0 + xy[:, 0]).astype(np.float32)
        values[f"ew_{line}"] = median * rng.lognormal(0.0, 0.3, n).astype(np.float32)
        values[f"predicted_ew_{line}"] = median
        values[f"predicted_ew_{line}_q16"], values[f"predicted_ew_{line}_q84"] = median * 0.8, median * 1.2
        values[f"drawn_ew_{line}"] = median * rng.lognormal(0.0, 0.3, n).astype(np.float32)
    values["ew_HALPHA"][:50] = np.nan
    xy[n - 3 :] = np.nan
    galaxies = Galaxies(
        "<b>made up</b>.parquet", ids, values, {"note": np.full(n, "<b>x</b>")}, notes=("<i>Made up.</i>",)
    )
    embedding = Embedding(ids, xy, np.isfinite(xy[:, 0]), {"method": "made up"})
    galaxy_map = GalaxyMap(embedding, continuum_map_features(galaxies, "continuum"), ())
    grid = RedshiftGrid(1.0, 50)

    def density_of(row: int) -> RedshiftDensities:
        if row == FAULTY_ROW:
            raise RuntimeError("a fault on purpose")
        return RedshiftDensities(grid, np.full((1, 50), 0.02, np.float32))

    return Explored(galaxies, galaxy_map, density_of)


@pytest.fixture(scope="session")
def explored() -> Explored:
    """More galaxies than are drawn one by one."""
    return made_up(24_000)


def _cannot_start(message: str) -> NoReturn:
    """Without a browser these tests skip, and with CI=true they fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        _cannot_start("no Chromium: install it (Debian: apt install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        _cannot_start("playwright is not installed: pip install playwright")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()
