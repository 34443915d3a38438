"""Options of the commands, each declared once, and how faults end a command."""

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from nebulium.errors import NebuliumError

FAULT, INTERRUPTED = 2, 130
NOTHING_LEFT = "nothing half-written is left"

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME_OR_DIR",
        help="A packaged model (nebulium models list) or a model folder. By default desi-lines where "
        "redshift and flux give a luminosity in its range, and desi-lines-colours elsewhere.",
        show_default=False,
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME=COLUMN",
        help="nebulium's name = the file's, as often as needed; or a JSON, ECSV or CSV file of them; or "
        "'fastspecfit'.",
        show_default=False,
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option(
        "--id", metavar="COLUMN", help="The file's column of ids. [default: target_id]", show_default=False
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        "--missing",
        metavar="NUMBER|COLUMN=NUMBER",
        help="Stands for a missing value, as -99 or z=-1; as often as needed. 'none': what looks like "
        "one was measured.",
        show_default=False,
    ),
]
Redshifts = Annotated[
    str | None,
    typer.Option(
        "--redshifts",
        metavar="FILE|NUMBER",
        help="For spectra: a Redrock file, a table with target_id and redshift, or one redshift for all.",
        show_default=False,
    ),
]
Ebv = Annotated[
    str | None,
    typer.Option(
        "--ebv",
        metavar="COLUMN|NUMBER",
        help="Correct for Galactic extinction with this E(B-V), mag: a number, or a "
        "column (of spectra: ebv).",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Of all that is random.")]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", min=1, help="Passes over the training galaxies; the recipe's if not given."),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Take up an interrupted training of the same settings.")
]
PredictionsOutput = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FILE", help="Table ending in .parquet, .fits or .ecsv."),
]
SpectraOutput = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="Spectra ending in .parquet or .fits.")
]
ModelOutput = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the model.")]
ReportOutput = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="DIR", help="Folder to write; an earlier one of such a run is replaced."
    ),
]


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


def number_or_text(value: str | None) -> str | float | None:
    """What may be a number or a name."""
    if value is None:
        return None
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


def say_rest(run: Any) -> None:
    """What a run set aside, supposed and left out."""
    if run.rejects_path is not None:
        say(f"{run.rejects_path}: {run.rejects.summary()}")
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
