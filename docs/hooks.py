"""Pages that follow from the code: a marker on a page is replaced when the site is built."""

import ast
import html
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

from nebulium.data.glossary import COLUMNS
from nebulium.modelfile import describe_model, list_models

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "src" / "nebulium"
RESULTS = REPOSITORY / "benchmarks" / "results"
#: Divides evenly among the rooms of any floor, which have up to six.
FLOOR_COLUMNS = 60


def on_page_markdown(markdown: str, **_: object) -> str:
    """Replace each ``{{ name }}`` or ``{{ name argument }}`` by what its maker returns; for every page."""
    marker = r"^\{\{ (\w+)(?: (\S+))? \}\}$"
    return re.sub(marker, lambda m: MAKERS[m[1]](*filter(None, [m[2]])), markdown, flags=re.MULTILINE)


def glossary() -> str:
    """Table of all columns."""
    rows = ((f"`{c.name}`", f"`{c.unit}`" if c.unit else "", c.kind, c.meaning) for c in COLUMNS)
    return table(("column", "unit", "kind", "meaning"), rows)


def model_cards(room: str) -> str:
    """The card of each packaged model of a room, one heading down."""
    found = (describe_model(name) for name in list_models())
    cards = (model.card for model in found if model.path.parent.parent.name == room)
    return "\n\n".join(re.sub(r"^#", "##", card, flags=re.MULTILINE) for card in cards)


def measured(results: str) -> str:
    """The tables of a subject's results, or of one result: a heading, a paragraph, rows."""
    paths = sorted((RESULTS / results).glob("*.json")) or [RESULTS / f"{results}.json"]
    found = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    sections = (f"## {r['title']}\n\n{r['about']}\n\n{table(r['columns'], r['rows'])}" for r in found)
    return "\n\n".join(sections)


def house() -> str:
    """The floors of the house, from the contract of imports: no floor knows a higher one."""
    contract = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    floors = contract["tool"]["importlinter"]["contracts"][0]["layers"]
    rows = "\n".join(f"<tr>{_floor(floor.split(' | '))}</tr>" for floor in floors)
    return f'<table class="house">\n{rows}\n</table>'


def _floor(rooms: list[str]) -> str:
    """One row: every floor is as wide as the house."""
    said = ((room, html.escape(_says(PACKAGE / room).replace("`", ""))) for room in rooms)
    share = FLOOR_COLUMNS // len(rooms)
    return "".join(f'<td colspan="{share}"><strong>{room}</strong><br>{what}</td>' for room, what in said)


def drawers() -> str:
    """What lies in each room: its folders, with the first line of each."""
    folders = sorted(
        path.parent for path in PACKAGE.glob("*/**/__init__.py") if path.parent.parent != PACKAGE
    )
    rows = ((f"`{folder.relative_to(PACKAGE)}/`", _says(folder)) for folder in folders)
    return table(("folder", "what is there"), rows)


def _says(module: Path) -> str:
    """The first line of a module's or a package's docstring."""
    path = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].replace("``", "`")


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


def api(room: str) -> str:
    """The reference of what a room exports, which a reader of sources cannot see: its page is lazy."""
    names = ", ".join(import_module(f"nebulium.{room}").__all__)
    return f"::: nebulium.{room}\n    options: {{ members: [{names}] }}"


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
        ("properties/mock", "image", RMSE),
        ("properties/sdss", "process on profiles and networks", RMSE),
    ),
    (
        "a random forest on three magnitudes",
        "0.130",
        ("properties/mock", "forest on magnitudes", RMSE),
        ("properties/sdss", "forest on magnitudes", RMSE),
    ),
    ("the mean of all galaxies", "0.20", None, ("properties/sdss", "mean", RMSE)),
    (
        "the relation at the true mass",
        "–",
        ("properties/mass", "RMSE from the true mass / dex", "value"),
        None,
    ),
    (
        "the relation at the mass predicted from the image",
        "0.121",
        ("properties/mass", "RMSE from the predicted mass / dex", "value"),
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
        ("properties/resolution", RMSE, str(side)),
        None,
    )
    for side, rmse in PAPER_RESOLUTION.items()
)

MAKERS: dict[str, Callable[..., str]] = {
    maker.__name__: maker
    for maker in (glossary, model_cards, measured, house, drawers, beside_the_paper, api, commands)
}
