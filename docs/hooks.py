"""Pages that follow from the code: a marker on a page is replaced when the site is built."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from nebulium.data.glossary import COLUMNS
from nebulium.modelfile import describe_model, list_models

REPOSITORY = Path(__file__).parent.parent
RESULTS = REPOSITORY / "benchmarks" / "results"


def on_page_markdown(markdown: str, **_: object) -> str:
    """Replace each ``{{ name }}`` by what its maker returns; mkdocs calls this for every page."""
    return re.sub(r"^\{\{ (\w+) \}\}$", lambda match: MAKERS[match[1]](), markdown, flags=re.MULTILINE)


def glossary() -> str:
    """Table of all columns."""
    rows = ((f"`{c.name}`", f"`{c.unit}`" if c.unit else "", c.kind, c.meaning) for c in COLUMNS)
    return table(("column", "unit", "kind", "meaning"), rows)


def model_cards() -> str:
    """The cards of the packaged models of emission lines."""
    return _cards("lines")


def property_cards() -> str:
    """The cards of the packaged models of properties."""
    return _cards("properties")


def _cards(room: str) -> str:
    """The card of each packaged model of a room, one heading down."""
    found = (describe_model(name) for name in list_models())
    cards = (model.card for model in found if model.path.parent.parent.name == room)
    return "\n\n".join(re.sub(r"^#", "##", card, flags=re.MULTILINE) for card in cards)


def measured() -> str:
    """What was measured of emission lines."""
    others = ("explore", "house", "mock", "photoz", "properties")
    return _results(path for path in sorted(RESULTS.glob("*.json")) if not path.name.startswith(others))


def measured_mock() -> str:
    """What was measured of mock universes."""
    return _results(sorted(RESULTS.glob("mock*.json")))


def measured_photoz() -> str:
    """What was measured of redshifts."""
    return _results(sorted(RESULTS.glob("photoz*.json")))


def photoz_methods() -> str:
    """The table that helps to choose a method of redshifts."""
    return _results([RESULTS / "photoz_mock.json"])


def measured_explore() -> str:
    """What was measured of the explorer page."""
    return _results(sorted(RESULTS.glob("explore*.json")))


def measured_properties() -> str:
    """What was measured of properties from images."""
    return _results(sorted(RESULTS.glob("properties*.json")))


def beside_the_paper() -> str:
    """The paper's errors, and those measured here where there are any."""
    rows = [
        [what, paper, *(_cell(*place) if place else "" for place in places)]
        for what, paper, *places in (*OF_METHODS, *OF_RESOLUTION)
    ]
    return table(("from", "Wu & Boada 2019", "mock SDSS", "400 SDSS cutouts"), rows)


def _cell(name: str, row: str, column: str) -> str:
    """A cell of a result, found by the first cell of its row and the head of its column; else a dash."""
    path = RESULTS / f"{name}.json"
    result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"columns": [], "rows": []}
    cells = (dict(zip(result["columns"], one, strict=True)) for one in result["rows"] if one[0] == row)
    return next(cells, {}).get(column, "–")


def _results(paths: Iterable[Path]) -> str:
    """Each file of results as a table: a title, a text ``about`` it, names of columns, and rows."""
    results = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    sections = (f"## {r['title']}\n\n{r['about']}\n\n{table(r['columns'], r['rows'])}" for r in results)
    return "\n\n".join(sections)


def commands() -> str:
    """The help of every command, as typer writes it."""
    done = subprocess.run(
        [sys.executable, "-m", "typer", "nebulium.cli", "utils", "docs", "--name", "nebulium"],
        check=True,
        capture_output=True,
        text=True,
    )
    return re.sub(r"^# .*\n", "", done.stdout, count=1)


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Markdown table."""
    head = list(columns)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


RMSE = "RMSE / dex"
#: What the metallicity is from, the RMSE of Wu & Boada 2019 (their figures and released notebooks), and where
#: ours stands: the result, its row and column, on the mock and on real cutouts.
OF_METHODS = (
    (
        "the image",
        "0.085 (resnet34)",
        ("properties_mock", "image", RMSE),
        ("properties_sdss", "process on profiles and networks", RMSE),
    ),
    (
        "a random forest on three magnitudes",
        "0.130",
        ("properties_mock", "forest on magnitudes", RMSE),
        ("properties_sdss", "forest on magnitudes", RMSE),
    ),
    ("the mean of all galaxies", "0.20", None, ("properties_sdss", "mean", RMSE)),
    (
        "the relation at the true mass",
        "–",
        ("properties_mass", "RMSE from the true mass / dex", "value"),
        None,
    ),
    (
        "the relation at the mass predicted from the image",
        "0.121",
        ("properties_mass", "RMSE from the predicted mass / dex", "value"),
        None,
    ),
)
#: The paper's errors by the pixels on a side.
PAPER_RESOLUTION = {
    1: 0.1609, 2: 0.1587, 4: 0.1290, 8: 0.1125, 16: 0.1053, 32: 0.0927, 64: 0.0893, 128: 0.0851,
}  # fmt: skip
OF_RESOLUTION = tuple(
    (
        f"the image, {side} pixel{'s' * (side > 1)} a side",
        f"{rmse:.3f}",
        ("properties_resolution", RMSE, str(side)),
        None,
    )
    for side, rmse in PAPER_RESOLUTION.items()
)

MAKERS: dict[str, Callable[[], str]] = {
    "glossary": glossary,
    "model_cards": model_cards,
    "measured": measured,
    "property_cards": property_cards,
    "measured_mock": measured_mock,
    "measured_photoz": measured_photoz,
    "measured_explore": measured_explore,
    "measured_properties": measured_properties,
    "photoz_methods": photoz_methods,
    "beside_the_paper": beside_the_paper,
    "commands": commands,
}
