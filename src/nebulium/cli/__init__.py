"""The command line: ``nebulium SUBJECT VERB``, each verb one call of the library.

The library is imported inside the commands, so that ``--help`` answers at once.
"""

import os
import signal
import sys
from importlib.metadata import version
from types import FrameType
from typing import Annotated

import typer

from nebulium.cli import demo, explore, lines, mock, models, photoz, photoz_space, properties
from nebulium.cli.terminal import INTERRUPTED
from nebulium.cli.verb import library, verb

app = typer.Typer(
    name="nebulium",
    help="The light of galaxies and their physical properties, both ways.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
)
verb(app, "demo", library("lines.demo.demonstration.run_demo"))(demo.demo)
verb(app, "explore")(explore.explore)
app.add_typer(lines.app, name="lines")
app.add_typer(properties.app, name="properties")
photoz.app.add_typer(photoz_space.app)
app.add_typer(photoz.app, name="photoz")
app.add_typer(mock.app, name="mock")
app.add_typer(models.app, name="models")


def _show_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"nebulium {version('nebulium')}")
        raise typer.Exit
    return asked


@app.callback()
def options(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end."),
    ] = False,
) -> None:
    """The light of galaxies and their physical properties, both ways."""


def main() -> None:
    """Entry point of the command ``nebulium``."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except SystemExit as end:
        if end.code != INTERRUPTED:
            raise
        # A compilation that goes on in a thread of its own may crash an interpreter that takes itself down.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """What a queue or a timeout sends does what Ctrl-C does, so that nothing half written is left."""
    raise KeyboardInterrupt
