"""What happens to what stands at the place of an output: the same in every command, and said."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.cli.options import REPLACED

#: Options that name what is written.
OUTPUTS = {"output", "folder", "export", "pdf"}
#: Commands that write folders, with input that is not there: they are to look at the place first.
FOLDERS = (
    ("demo",),
    ("lines", "train", "none.parquet"),
    ("lines", "evaluate", "none.parquet"),
    ("properties", "train", "none", "--target", "z"),
    ("properties", "evaluate", "none", "--model", "sdss-metallicity"),
    ("properties", "explain", "none", "--model", "sdss-metallicity"),
    ("photoz", "train", "none", "--method", "template"),
    ("photoz", "evaluate", "none", "--model", "none"),
    ("photoz", "compare", "none", "none", "--data", "none"),
    ("photoz", "label-fraction", "none", "--method", "template"),
    ("photoz", "disagreements", "none", "--model", "none", "--photometry", "none"),
    ("generate", "train", "none", "--properties", "z"),
    ("generate", "evaluate", "none", "--model", "none"),
    ("generate", "sample", "--model", "none", "--kind", "fits"),
    ("spectra", "train", "--images", "none", "--spectra", "none"),
    ("spectra", "basis", "none.parquet"),
    ("spectra", "evaluate", "none", "--spectra", "none", "--model", "none"),
    ("infer", "train", "--bands", "sdss_r0"),
    ("infer", "check", "--model", "none"),
    ("mock", "make", "--survey", "sdss", "--n", "2"),
    ("explore", "none.parquet"),
)


def commands(
    group: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it."""
    if not hasattr(group, "commands"):
        yield " ".join(path), group
        return
    for name, command in group.commands.items():
        yield from commands(command, (*path, name))


def outputs(command: click.Command) -> list[click.Parameter]:
    return [one for one in command.params if one.name in OUTPUTS and one.opts[0].startswith("-")]


WRITING = {
    " ".join(path): command for path, command in commands(typer.main.get_command(app)) if outputs(command)
}


def test_all_that_write_are_known():
    assert len(WRITING) == 34


@pytest.mark.parametrize("name", WRITING)
def test_the_help_says_what_becomes_of_an_earlier_output(name):
    for output in outputs(WRITING[name]):
        assert output.help.endswith(REPLACED)


@pytest.mark.parametrize("arguments", FOLDERS, ids=" ".join)
def test_other_things_are_refused_before_anything_is_read(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    thesis = Path("here", "thesis.txt")
    thesis.parent.mkdir()
    thesis.write_text("ten years of work")
    option = "--export" if arguments[0] == "explore" else "--output"
    done = CliRunner().invoke(app, [*arguments, option, "here"])
    assert done.exit_code == 2, done.output
    assert "here: is a folder with other things in it, which would be lost" in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["here", "thesis.txt"]
