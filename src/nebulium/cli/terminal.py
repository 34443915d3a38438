"""How commands speak and end: what they say, what moves while they work, and how faults end them."""

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nebulium.errors import NebuliumError

FAULT, INTERRUPTED = 2, 130
NOTHING_LEFT = "nothing half-written is left"


def ends_well(command: Callable[..., None]) -> Callable[..., None]:
    """A fault that the user can mend ends in its message and code 2, Ctrl-C in code 130.

    What a training had done by then stays, for those commands that can resume it.
    """

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except NebuliumError as error:
            _end(f"Error: {error}", FAULT)
        except KeyboardInterrupt:
            left = "to go on: the same command with --resume" if "resume" in options else NOTHING_LEFT
            _end(f"Interrupted; {left}.", INTERRUPTED)

    return wrapped


def number_or_text(value: str) -> str | float:
    """What may be a number or a name."""
    try:
        return float(value)
    except ValueError:
        return value


def say(message: str) -> None:
    """One line for the terminal."""
    typer.echo(message)


def say_notes(notes: Iterable[str]) -> None:
    """What was supposed, and what was not used."""
    for note in notes:
        say(f"Note: {note}")


def say_predictions(run: Any) -> None:
    """What predicting a file wrote, set aside and supposed."""
    models = ", ".join(f"{count:,} by {name}" for name, count in run.rows_of_model.items())
    say(f"{run.output}: {run.rows:,} galaxies ({models}); {run.out_of_domain:,} outside the training domain")
    for what, path in run.further.items():
        say(f"{path}: their {what}")
    say_rest(run)


def say_rejects(run: Any) -> None:
    """What a run set aside."""
    if run.rejects_path is not None:
        say(f"{run.rejects_path}: {run.rejects.summary()}")


def say_rest(run: Any) -> None:
    """What a run set aside, supposed and left out."""
    say_rejects(run)
    say_notes(run.notes)


def say_trained(run: Any) -> None:
    """The model that a training left, the galaxies of each part, and the rest."""
    parts = run.galaxies
    say(
        f"{run.model}: trained on {parts['train']:,} galaxies with labels, validated on "
        f"{parts['validation']:,}; {parts['test']:,} left for testing"
    )
    say_rest(run)


def _end(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)


@contextmanager
def counting(doing: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """How many galaxies are done, and how long the others will take where their number is known."""
    if total is None:
        with _shown(doing, SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()) as update:
            yield lambda done: update(description=f"{doing}: {done:,} galaxies")
    else:
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("galaxies"), TimeRemainingColumn())
        with _shown(doing, TextColumn("{task.description}"), *columns, total=total) as update:
            yield lambda done: update(completed=done)


@contextmanager
def going_on(doing: str) -> Iterator[Callable[[str, float], None]]:
    """What is being done, one thing after another, and the share of it that is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with _shown(doing, *columns) as update:
        yield lambda now, share: update(description=now, completed=share, total=1.0)


@contextmanager
def _shown(doing: str, *columns: Any, total: int | None = None) -> Iterator[Callable[..., None]]:
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda **now: bar.update(task, **now)
