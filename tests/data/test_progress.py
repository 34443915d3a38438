"""Progress where there is no terminal: lines at each stage and every now and then, none of what is quick."""

import time

import pytest

from nebulium.data import progress
from nebulium.data.progress import Work, shown


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(progress, "FIRST_S", 0.01)
    monkeypatch.setattr(progress, "BETWEEN_S", 0.05)


def waited_for(capsys, text: str) -> str:
    """All lines until one has the text; of a thread, so that it may take a moment."""
    said, until = "", time.monotonic() + 5.0
    while text not in said and time.monotonic() < until:
        time.sleep(0.01)
        said += capsys.readouterr().err
    assert text in said
    return said


def test_a_stage_is_told_and_so_is_work_that_reports_nothing(capsys):
    with shown(Work("reading", total=1.0)) as work:
        assert waited_for(capsys, "reading (0 s)").count("\n") == 1
        work.now(0.5, "drawing the map")
        waited_for(capsys, "drawing the map: 50%")
        # Nothing is reported, as in a long compilation.
        waited_for(capsys, "drawing the map: 50%")


def test_what_is_counted_is_counted(capsys):
    with shown(Work("training", "epochs", 40)) as work:
        work.now(3, remark="loss 0.5")
        waited_for(capsys, "training: 3 of 40 epochs, loss 0.5")
    with shown(Work("predicting", "galaxies")) as work:
        work.now(65536)
        waited_for(capsys, "predicting: 65,536 galaxies")


def test_what_is_quick_or_not_asked_for_says_nothing(capsys, monkeypatch):
    with shown(Work("training"), shows=False):
        time.sleep(0.03)
    monkeypatch.setattr(progress, "FIRST_S", 60.0)
    with shown(Work("predicting")):
        pass
    assert capsys.readouterr() == ("", "")


def test_a_fault_ends_the_lines(capsys):
    with pytest.raises(ValueError, match="bad"), shown(Work("predicting")):
        raise ValueError("bad")
    capsys.readouterr()
    time.sleep(0.03)
    assert capsys.readouterr() == ("", "")


def test_in_a_terminal_there_is_a_bar(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with shown(Work("training", "epochs", 4)) as work:
        work.now(4)
    said = capsys.readouterr().err
    assert "training: 4 of 4 epochs" in said
    assert "\x1b[" in said
