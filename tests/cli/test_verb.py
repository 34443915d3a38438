"""How functions become commands: options are passed on by name, and shared ones stand where they belong."""

import sys
import time
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from nebulium.cli.verb import given, library, verb
from nebulium.data import progress
from nebulium.errors import NebuliumError


def test_what_is_not_given_is_left_to_the_library():
    band_columns = library("photometry.layout.band_columns")
    assert band_columns(text="r=flux,error").band == "r"
    stretch = library("data.images.stretches.Stretch")
    assert stretch(kind="none", softening=None).softening == ()


def test_an_option_that_the_library_does_not_know_is_a_fault_even_if_it_is_not_given():
    with pytest.raises(TypeError, match="no_such_option"):
        library("data.images.stretches.Stretch")(kind="none", no_such_option=None)


def test_given_leaves_out_none_alone():
    assert given(a=0, b=None, c="", d=False) == {"a": 0, "c": "", "d": False}


def test_without_its_extra_a_command_is_not_begun(monkeypatch):
    app = typer.Typer()
    monkeypatch.setitem(sys.modules, "qp", None)

    def work(**_: Any) -> None:
        raise AssertionError("it was begun")

    @verb(app, "look", work, doing="looking", extra="photoz")
    def look(run: Any) -> None:
        """Look."""

    @verb(app, "other")
    def other() -> None:
        """Look elsewhere."""

    done = CliRunner().invoke(app, ["look"])
    told = "Error: the extra photoz: qp-prob is not installed. To mend: pip install 'nebulium[photoz]'\n"
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", told)


@pytest.mark.parametrize("counts", [{"counts": "predicting"}, {"doing": "scoring"}])
def test_what_takes_long_says_so(monkeypatch, counts):
    app = typer.Typer()
    monkeypatch.setattr(progress, "FIRST_S", 0.01)

    def work(progress: Any = None) -> None:
        if progress is not None:
            progress(1234)
        time.sleep(0.2)

    @verb(app, "look", work, **counts)
    def look(run: Any) -> None:
        """Look."""

    @verb(app, "other")
    def other() -> None:
        """Look elsewhere."""

    said = CliRunner().invoke(app, ["look"]).stderr
    assert said.startswith("predicting: 1,234 galaxies" if "counts" in counts else "scoring (")


def test_shared_options_stand_in_the_place_of_their_argument():
    app = typer.Typer()
    seen: list[Any] = []

    def both(
        first: Annotated[int, typer.Option("--first")] = 1,
        second: Annotated[int, typer.Option("--second")] = 2,
    ) -> tuple[int, int]:
        return first, second

    @verb(app, "look", lambda **options: options, pair=both)
    def look(
        run: Any,
        *,
        before: Annotated[int, typer.Option("--before")] = 0,
        pair: tuple[int, int],
        after: Annotated[int, typer.Option("--after")] = 3,
    ) -> None:
        """Look."""
        seen.append((run, before, pair, after))

    @verb(app, "fail")
    def fail() -> None:
        """Fail."""
        raise NebuliumError("here", "is a fault", "mend it")

    runner = CliRunner()
    assert runner.invoke(app, ["look", "--second", "5"]).exit_code == 0
    assert seen == [({"before": 0, "pair": (1, 5), "after": 3}, 0, (1, 5), 3)]
    text = runner.invoke(app, ["look", "--help"], env={"TERM": "dumb"}).output
    places = [text.index(f"--{name}") for name in ("before", "first", "second", "after")]
    assert places == sorted(places)
    failed = runner.invoke(app, ["fail"])
    assert (failed.exit_code, "here: is a fault" in failed.stderr) == (2, True)
