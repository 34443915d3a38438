"""How a function becomes a command: its options, the call of the library, what it says and how it ends."""

import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from nebulium.errors import NebuliumError, check_extra

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
    with _shown(doing, "galaxies", total) as now:
        yield now


@contextmanager
def going_on(doing: str) -> Iterator[Callable[[str, float], None]]:
    """What is being done, one thing after another, and the share of it that is done."""
    with _shown(doing, "%", 1.0) as now:
        yield lambda doing, share: now(share, doing)


@contextmanager
def _waiting(counts: str, doing: str, total: int | None) -> Iterator[Callable[[int], None] | None]:
    """What the library tells how much is done, if it does."""
    if counts:
        with counting(counts, total) as progress:
            yield progress
    else:
        with going_on(doing) if doing else nullcontext():
            yield None


@contextmanager
def _shown(*work: Any) -> Iterator[Callable[..., None]]:
    """Imported late, as all of the library."""
    from nebulium.data.progress import Work, shown

    with shown(Work(*work)) as work_in_progress:
        yield work_in_progress.now


Command = Callable[..., None]


def _show_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"nebulium {version('nebulium')}")
        raise typer.Exit
    return asked


def options(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end."),
    ] = False,
) -> None:
    """The light of galaxies and their physical properties, both ways."""


def run(app: typer.Typer) -> None:
    """Run the command that the arguments name; what a queue or a timeout sends ends it as Ctrl-C does."""
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
    """So that nothing half written is left."""
    raise KeyboardInterrupt


def verb(
    app: typer.Typer,
    name: str,
    calls: Callable[..., Any] | None = None,
    counts: str = "",
    *,
    doing: str = "",
    extra: str = "",
    **shared: Callable[..., Any],
) -> Callable[[Command], Command]:
    """Make a function a command that ends well.

    The arguments of the function are the options; in place of one that goes by the name of one of `shared`
    stand the options of that function, which makes the argument of them. With `calls`, from `library` or
    `evaluation`, they go to the library, and the function gets what comes back as one more argument, the
    first. Where the library counts galaxies, `counts` says what is done to them; where it does not, `doing`
    says what is being done. Without the `extra` nothing is begun.
    """

    def decorate(command: Command) -> Command:
        sets = {name: inspect.signature(make).parameters for name, make in shared.items()}
        own = list(inspect.signature(command).parameters.items())[calls is not None :]
        parameters = [
            option.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in own
            for option in (sets[name].values() if name in sets else [parameter])
        ]

        @functools.wraps(command)
        def wrapped(**options: Any) -> None:
            if extra:
                check_extra(extra)
            for name, make in shared.items():
                options[name] = make(**{option: options.pop(option) for option in sets[name]})
            if calls is None:
                return command(**options)
            if isinstance(calls, Library):
                calls.load()
            with _waiting(counts, doing, options.get("n")) as progress:
                result = calls(**options, **given(progress=progress))
            return command(result, **options)

        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {one.name: one.annotation for one in parameters}
        return app.command(name)(ends_well(wrapped))

    return decorate


@dataclass(frozen=True)
class Library:
    """A function of the library, imported when it is called."""

    path: str
    fixed: Mapping[str, Any]
    evaluates: bool = False

    def load(self) -> Callable[..., Any]:
        """Import the function, which takes seconds."""
        module, _, name = f"nebulium.{self.path}".rpartition(".")
        function: Callable[..., Any] = getattr(import_module(module), name)
        return function

    def __call__(self, **options: Any) -> Any:
        """Call it; what is not given is left to its defaults."""
        if self.evaluates:
            return self._evaluated(**options)
        function = self.load()
        defaults = {
            option
            for option, parameter in inspect.signature(function).parameters.items()
            if parameter.default is not parameter.empty
        }
        asked = {name: value for name, value in options.items() if value is not None or name not in defaults}
        return function(**asked, **self.fixed)

    def _evaluated(self, *, output: Path, **options: Any) -> Any:
        """What evaluates is written to the folder `output`."""
        from nebulium.verbs.evaluation import check_evaluation_place

        check_evaluation_place(output)
        result = replace(self, evaluates=False)(**options)
        result.write(output)
        return result


def library(path: str, **fixed: Any) -> Library:
    """A function of the library, by its path below the package, with some of its arguments."""
    return Library(path, fixed)


def evaluation(path: str) -> Library:
    """An evaluation of the library, which is written to the folder `output`."""
    return Library(path, {}, evaluates=True)


def given(**options: Any) -> dict[str, Any]:
    """The options that have a value."""
    return {name: value for name, value in options.items() if value is not None}
