"""Options of the commands, each declared once."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from nebulium.cli.verb import number_or_text

#: What happens to an earlier output, in all commands.
REPLACED = "What is there is replaced, once the new is complete, if it is of the same kind, and else refused."
#: What a set of images may be.
OF_IMAGES = (
    "Folder or .zip of JPG or PNG named by id, folder of FITS cutouts, .npy, .npz, .h5, Parquet, or a mock "
    "survey; or several files or a pattern in quotes."
)
Encoder = Literal["resnet-tiny", "convnext-nano", "convnext-tiny", "resnet-small", "resnet18", "resnet34"]

ModelOfGalaxies = Annotated[
    str, typer.Option("--model", metavar="DIR_OR_NAME", help="A model folder or a packaged model.")
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME_OR_DIR",
        help="A packaged model (nebulium models list) or a model folder. By default desi-lines where "
        "redshift and flux give a luminosity in its range, and desi-lines-colours elsewhere.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME=COLUMN",
        help="nebulium's name = the file's, as often as needed; or a JSON, ECSV or CSV file of them; or "
        "'fastspecfit'.",
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="COLUMN",
        help="The file's column of ids; ROW, where there is none: the numbers of the rows. "
        "[default: target_id]",
    ),
]
IdOfSpectra = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="COLUMN",
        help="The file's column of ids. [default: target_id; of spectra also others]",
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        "--missing",
        metavar="NUMBER|COLUMN=NUMBER",
        help="Stands for a missing value, as -99 or z=-1; as often as needed. 'none': what looks like "
        "one was measured.",
    ),
]
Units = Annotated[
    list[str] | None,
    typer.Option(
        "--unit",
        metavar="NAME=UNIT",
        help="Unit of a column, by nebulium's name, in place of what the file declares: redshift=percent, "
        "continuum_flux_N='erg/(s cm2 Angstrom)'; as often as needed.",
    ),
]
EmissionNegative = Annotated[
    bool,
    typer.Option(
        "--emission-negative", help="In the file equivalent widths of emission are negative: they are turned."
    ),
]
Redshifts = Annotated[
    Any,
    typer.Option(
        "--redshifts",
        parser=number_or_text,
        metavar="FILE|NUMBER",
        help="For spectra: a Redrock file, a DESI zcatalog, a table with ids and redshifts, or one redshift "
        "for all.",
    ),
]
WaveUnit = Annotated[
    str | None,
    typer.Option(
        "--wave-unit",
        metavar="UNIT",
        help="Unit of the wavelengths in place of the file's, as nm or 'ln(Angstrom)'.",
    ),
]
FluxUnit = Annotated[
    str | None, typer.Option("--flux-unit", metavar="UNIT", help="Unit of the fluxes in place of the file's.")
]
Air = Annotated[
    bool | None,
    typer.Option("--air/--vacuum", help="What the wavelengths are, in place of what the file says."),
]
KeepFlagged = Annotated[
    bool,
    typer.Option(
        "--keep-flagged",
        help="Keep failed redshifts, stars and quasars (by zwarn and spectype); these columns go into what "
        "is written of each galaxy.",
    ),
]
Ebv = Annotated[
    Any,
    typer.Option(
        "--ebv",
        parser=number_or_text,
        metavar="COLUMN|NUMBER",
        help="Correct for Galactic extinction with this E(B-V), mag: a number, or a "
        "column (of spectra: ebv).",
    ),
]
AllRows = Annotated[
    bool, typer.Option("--all-rows", help="Score every galaxy: only if no model was trained on any of them.")
]
Seed = Annotated[int, typer.Option("--seed", help="Of all that is random.")]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", min=1, help="Passes over the training galaxies; the recipe's if not given."),
]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", min=1, help="Galaxies of a step; the recipe's if not given.")
]
Patience = Annotated[
    int | None,
    typer.Option("--patience", min=1, help="Stop after so many epochs without gain in validation."),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Take up an interrupted training of the same settings.")
]
PredictionsOutput = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="FILE", help=f"Table ending in .parquet, .fits, .ecsv or .csv. {REPLACED}"
    ),
]
SpectraOutput = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FILE", help=f"Spectra ending in .parquet or .fits. {REPLACED}"),
]
ModelOutput = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help=f"Folder of the model. {REPLACED}")
]
ReportOutput = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help=f"Folder to write. {REPLACED}")
]


def names_of(text: str) -> list[str]:
    """Names with commas between them."""
    return [name.strip() for name in text.split(",")]


def numbers(text: str, example: str, count: int | None = None) -> tuple[float, ...]:
    """Numbers with commas between them, so many if that is told."""
    try:
        found = tuple(float(number) for number in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"expected numbers as {example}, got {text!r}") from error
    if count not in (None, len(found)):
        raise typer.BadParameter(f"expected {count} numbers as {example}, got {text!r}")
    return found


Bands = Annotated[
    Any,
    typer.Option(
        "--bands",
        parser=names_of,
        metavar="A,B,...",
        help="Bands to use, in order; names for them where the files have none.",
    ),
]


def image_data(
    data: Annotated[list[Path], typer.Argument(metavar="DATA...", help=OF_IMAGES, show_default=False)],
) -> Any:
    """The images."""
    return data if len(data) > 1 else data[0]
