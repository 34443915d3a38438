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
    """The card of each packaged model, one heading down."""
    cards = (re.sub(r"^#", "##", describe_model(name).card, flags=re.MULTILINE) for name in list_models())
    return "\n\n".join(cards)


def measured() -> str:
    """What was measured of emission lines."""
    return _results(path for path in sorted(RESULTS.glob("*.json")) if not path.name.startswith("mock"))


def measured_mock() -> str:
    """What was measured of mock universes."""
    return _results(sorted(RESULTS.glob("mock*.json")))


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


MAKERS: dict[str, Callable[[], str]] = {
    "glossary": glossary,
    "model_cards": model_cards,
    "measured": measured,
    "measured_mock": measured_mock,
    "commands": commands,
}
