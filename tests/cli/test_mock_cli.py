"""The commands `nebulium mock`: options reach the library, faults end well, Ctrl-C says how to go on."""

import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nebulium import mock
from nebulium.cli import app
from nebulium.mock.survey.making import SurveyRun


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def nebulium(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def fails(*arguments: object) -> str:
    result = nebulium(*arguments)
    assert result.exit_code == 2, (result.output, result.exception)
    return " ".join(result.stderr.split())


def test_make_passes_its_options_on(monkeypatch):
    asked = {}

    def pretend(survey, output, **options):
        asked.update(options, survey=survey, output=output)
        options["progress"](64)
        return SurveyRun(Path(output), 100, 36, 2.0)

    monkeypatch.setattr(mock, "make_survey", pretend)
    result = nebulium(
        "mock", "make", "--survey", "candels", "-o", "here", "--n", 100, "--seed", 7, "--processes", 2,
        "--shards", 3, "--pixels", 32, "--neighbours", 0.5, "--table", "t.ecsv",
        "--spectra", "desi", "--resume",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    progress = asked.pop("progress")
    assert callable(progress)
    assert asked == {
        "survey": "candels", "output": Path("here"), "n": 100, "seed": 7, "processes": 2, "shards": 3,
        "pixels": 32, "neighbours": 0.5, "table": Path("t.ecsv"), "spectra": "desi",
        "resume": True,
    }  # fmt: skip
    said = " ".join(result.stdout.split())
    assert "100 galaxies, 36 of them made now in 2 s, 18 a second" in said
    assert "here/README.md" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--survey", "sdds", "--n", 5), "did you mean sdss"),
        (("--survey", "sdss"), "n: is not given"),
        (("--survey", "sdss", "--n", 5, "--table", "none.parquet"), "none.parquet: is not there"),
        (("--survey", "sdss", "--n", 5, "--spectra", "boss"), "expected one of noiseless, sdss, desi"),
        (("--survey", "sdss", "--n", 5, "--resume"), "holds no mock survey"),
    ],
)
def test_bad_options_end_with_a_message_and_leave_nothing(work, options, message):
    assert message in fails("mock", "make", "-o", "mock", *options)
    assert not list(work.iterdir())


def test_an_output_that_is_not_empty_is_left_alone(work):
    (work / "mock").mkdir()
    (work / "mock" / "thesis.txt").write_text("ten years")
    assert "other things in it, which would be lost" in fails(
        "mock", "make", "--survey", "sdss", "--n", 5, "-o", "mock"
    )
    assert [path.name for path in (work / "mock").iterdir()] == ["thesis.txt"]


def test_an_interrupt_says_how_to_go_on(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(mock, "make_survey", interrupt)
    result = nebulium("mock", "make", "--survey", "sdss", "--n", 5, "-o", "mock")
    assert result.exit_code == 130
    assert "--resume" in result.output + result.stderr


def test_show_names_the_pictures(monkeypatch):
    monkeypatch.setattr(mock, "show_survey", lambda folder: [folder / "figures" / "relations.png"])
    assert nebulium("mock", "show", "mock").stdout.strip() == "mock/figures/relations.png"


def test_show_of_no_survey_is_an_error():
    assert re.search("mock: holds no mock survey", fails("mock", "show", "mock"))


@pytest.mark.parametrize("lacking", ["galsim", "flowjax", "dsps"])
def test_without_the_extra_it_ends_in_one_line_before_anything_is_made(work, monkeypatch, lacking):
    monkeypatch.setitem(sys.modules, lacking, None)
    result = nebulium("mock", "make", "--survey", "candels", "--n", 3, "-o", "m")
    assert (result.exit_code, result.stdout, list(work.iterdir())) == (2, "", [])
    [line] = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert f"{lacking} is not installed. To mend: pip install 'nebulium[mock]'" in line


def test_a_table_older_than_the_universe_is_refused_whatever_stands_beside(work):
    (work / "g.csv").write_text(
        "name,redshift,log_mstar,age_gyr,tau_gyr,av_mag\nold,3.0,10.0,12.0,2.0,0.3\n", encoding="utf-8"
    )
    said = fails("mock", "make", "--survey", "candels", "--table", "g.csv", "-o", "m")
    assert "found 12 Gyr at redshift 3, where it is 2.113 Gyr old" in said
    assert [path.name for path in work.iterdir()] == ["g.csv"]
