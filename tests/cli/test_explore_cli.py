"""The command `nebulium explore`: options reach the library, a missing extra is named, faults end well."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.errors import TableError
from nebulium.explore.page import explored as explored_module
from nebulium.explore.page import server as server_module


class Pretended:
    """What `explore` gives back, as far as the command looks."""

    notes = ("The map: made up.",)

    class galaxies:
        notes = ("A note.",)


@pytest.fixture
def asked(monkeypatch) -> dict:
    """What the library was asked for."""
    seen: dict = {}

    def explore(table, *, progress, **options):
        progress("drawing the map", 0.5)
        seen.update(options, table=table)
        return Pretended()

    monkeypatch.setattr(explored_module, "explore", explore)
    monkeypatch.setattr(server_module, "make_app", lambda explored: "the page")
    monkeypatch.setattr(
        server_module, "serve", lambda page, *, say, **options: seen.update(options, page=page)
    )
    return seen


def nebulium(*arguments: object):
    return CliRunner().invoke(app, ["explore", *map(str, arguments)])


def test_options_reach_the_library(asked):
    result = nebulium(
        "a.parquet", "--model", "pita", "--embedding", "latent", "--port", 0, "--host", "::1", "--open",
        "--refit", "--seed", 7, "--id", "name", "--column", "z=ZBEST", "--missing", "-99",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert asked == {
        "table": Path("a.parquet"), "model": "pita", "embedding": "latent", "seed": 7, "refit": True,
        "id_column": "name", "columns": ["z=ZBEST"], "missing": ["-99"],
        "page": "the page", "host": "::1", "port": 0, "open_browser": True,
    }  # fmt: skip
    assert "A note." in result.stdout
    assert "The map: made up." in result.stdout


def test_without_options_nobody_else_can_reach_the_page(asked):
    assert nebulium().exit_code == 0
    assert (asked["table"], asked["host"], asked["port"]) == (None, "127.0.0.1", 8050)


@pytest.mark.parametrize("options", [("--embedding", "tsne"), ("--port", "70000"), ("--port", "x")])
def test_options_that_make_no_sense_are_refused(asked, options):
    assert nebulium(*options).exit_code == 2
    assert asked == {}


def test_a_fault_of_the_table_is_told(monkeypatch):
    def explore(*_, **__):
        raise TableError("a.csv", "is empty", "give another")

    monkeypatch.setattr(explored_module, "explore", explore)
    result = nebulium("a.csv")
    assert (result.exit_code, "a.csv: is empty" in result.stderr) == (2, True)


def test_a_missing_extra_is_named():
    # In a process of its own: the modules of the page are imported once for all tests of this one.
    code = "import sys; sys.modules['dash'] = None; from nebulium.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "explore", "a.csv"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "nebulium[explore]" in done.stderr
