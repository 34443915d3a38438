"""``nebulium spectra``: spectra of galaxies from their images."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from nebulium.cli.options import (
    OF_IMAGES,
    REPLACED,
    Air,
    AllRows,
    Bands,
    BatchSize,
    Epochs,
    FluxUnit,
    IdColumn,
    IdOfSpectra,
    Missing,
    ModelOfGalaxies,
    ModelOutput,
    PredictionsOutput,
    ReportOutput,
    Resume,
    Seed,
    WaveUnit,
    image_data,
    names_of,
    numbers,
)
from nebulium.cli.verb import (
    evaluation,
    library,
    say,
    say_notes,
    say_predictions,
    say_rest,
    say_trained,
    verb,
)

app = typer.Typer(help="Spectra of galaxies from their images.", no_args_is_help=True)

SpectraPaths = Annotated[
    list[Path],
    typer.Option(
        "--spectra",
        metavar="PATH",
        help="Their spectra: Parquet, FITS or a folder of these, as often as needed; joined by id.",
    ),
]
RedshiftTable = Annotated[
    Path | None,
    typer.Option(
        "--redshifts", metavar="TABLE", help="Redshifts of the spectra, joined by id. [default: their own]"
    ),
]
RedshiftColumn = Annotated[
    str | None,
    typer.Option(
        "--redshift",
        metavar="COLUMN",
        help="Known redshifts, with COLUMN_sigma or COLUMN_err their errors. [default: inferred]",
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(
        "--table", metavar="TABLE", help="With that column. [default: the columns beside the images]"
    ),
]


Filters = Annotated[
    Any,
    typer.Option(
        "--filters",
        parser=names_of,
        metavar="A,B,...",
        help="Magnitudes and colours of the spectra too, through filters such as sdss_g0,sdss_r0.",
    ),
]


def training_images(
    images: Annotated[
        list[Path], typer.Option("--images", metavar="PATH", help=f"{OF_IMAGES} As often as needed.")
    ],
) -> Any:
    """The images that are learned from."""
    return images if len(images) > 1 else images[0]


def spectra_config(
    components: Annotated[
        int, typer.Option("--components", min=2, help="Principal components of the continua.")
    ] = 12,
    basis: Annotated[
        str | None,
        typer.Option(
            "--basis", metavar="DIR_OR_NAME", help="Components of `spectra basis` in place of these."
        ),
    ] = None,
    members: Annotated[int, typer.Option("--members", min=1, help="Networks that are averaged.")] = 2,
    lines: Annotated[
        str, typer.Option("--lines", metavar="DIR_OR_NAME", help="Model of the lines given the continuum.")
    ] = "desi-lines-colours",
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    size: Annotated[
        int | None,
        typer.Option("--size", min=8, help="Pixels on a side, cut or padded; those of the first image."),
    ] = None,
    binning: Annotated[
        int, typer.Option("--binning", min=1, help="Average blocks of so many pixels on a side.")
    ] = 1,
    seed: Seed = 0,
) -> Any:
    """The recipe, whose fields go by these names."""
    return library("spectra.SpectraConfig")(**locals())


def spectrum_form(
    waves_aa: Annotated[
        Any,
        typer.Option(
            "--wavelengths",
            parser=partial(numbers, example="3600,9800,2", count=3),
            metavar="FIRST,LAST,STEP",
            help="AA in vacuum. [default: 3600,9824,2]",
        ),
    ] = None,
    at_rest: Annotated[bool, typer.Option("--rest", help="In the rest frame.")] = False,
    normalised: Annotated[
        bool, typer.Option("--normalised", help="Divided by the continuum from 5400 to 5600 AA at rest.")
    ] = False,
    resolving_power: Annotated[
        float | None,
        typer.Option("--resolution", metavar="R", help="Resolving power. [default: of the training]"),
    ] = None,
    velocity_dispersion_km_s: Annotated[
        float, typer.Option("--velocity-dispersion", help="Sigma of the gas, km/s.")
    ] = 80.0,
) -> Any:
    """How spectra are to look."""
    return library("spectra.SpectrumForm")(**locals())


@verb(
    app, "train", library("spectra.train_file", progress=True), images=training_images, config=spectra_config
)
def train(
    run: Any,
    *,
    images: Any,
    spectra: SpectraPaths,
    output: ModelOutput,
    redshifts: RedshiftTable = None,
    bands: Bands = None,
    id_column: IdOfSpectra = None,
    wave_unit: WaveUnit = None,
    flux_unit: FluxUnit = None,
    air: Air = None,
    config: Any,
    resume: Resume = False,
) -> None:
    """Train a model of spectra of galaxies given their images.

    Images and spectra are brought together by the id. What cannot be used is listed beside the model.

    Example: `nebulium spectra train --images mock --spectra mock/spectra --output mine`

    Example: `nebulium spectra train --images cutouts --spectra 'spec-*.fits' --output mine`
    """
    say_trained(run)


@verb(app, "basis", library("spectra.basis_file"))
def basis(
    run: Any,
    spectra: Annotated[
        list[Path],
        typer.Argument(metavar="SPECTRA...", help="Parquet, FITS or a folder of these; several files."),
    ],
    output: ModelOutput,
    redshifts: RedshiftTable = None,
    components: Annotated[int, typer.Option("--components", min=1, help="How many.")] = 10,
    id_column: IdOfSpectra = None,
    wave_unit: WaveUnit = None,
    flux_unit: FluxUnit = None,
    air: Air = None,
) -> None:
    """Fit principal components to the continua of spectra, lines left out.

    They are fitted to four fifths of the spectra, and judged by a tenth.

    Example: `nebulium spectra basis 'spec-*.fits' --output continua`

    Example: `nebulium spectra train --basis continua --images cutouts --spectra 'spec-*.fits' --output mine`
    """
    say_trained(run)


@verb(app, "predict", library("spectra.predict_file"), "predicting", images=image_data)
def predict(
    run: Any,
    images: Any,
    model: ModelOfGalaxies,
    output: PredictionsOutput,
    redshift: RedshiftColumn = None,
    table: Table = None,
    id_column: IdColumn = None,
    bands: Bands = None,
    missing: Missing = None,
    filters: Filters = None,
    seed: Seed = 0,
) -> None:
    """Predict redshifts, breaks, equivalent widths and BPT classes of galaxies from their images.

    Written are, over 256 drawn spectra, the median NAME, NAME_q16 and NAME_q84 of redshift, log_flux_5500,
    dn4000 and ew_LINE, the BPT class with its probabilities, and in_domain.

    Example: `nebulium spectra predict cutouts --model mine --output predicted.parquet`

    Example: `nebulium spectra predict mock --redshift redshift --model mine --output predicted.parquet`
    """
    say_predictions(run)


@verb(app, "draw", library("spectra.draw_file"), "drawing", images=image_data, form=spectrum_form)
def draw(
    run: Any,
    images: Any,
    model: ModelOfGalaxies,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help=f"A name ending in .parquet or .fits. {REPLACED}"
        ),
    ],
    draws: Annotated[
        int, typer.Option("--draws", min=0, help="Spectra of each galaxy; 0 for the mean of 256.")
    ] = 0,
    quantiles: Annotated[
        Any,
        typer.Option(
            "--quantiles",
            parser=partial(numbers, example="0.16,0.5,0.84"),
            metavar="A,B,...",
            help="In place of these: quantiles at each wavelength, as 0.16,0.5,0.84.",
        ),
    ] = None,
    form: Any = None,
    redshift: RedshiftColumn = None,
    table: Table = None,
    id_column: IdColumn = None,
    bands: Bands = None,
    missing: Missing = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            "--figures",
            metavar="FOLDER",
            help=f"Pages with the images and predicted spectra of the first 25 galaxies. {REPLACED}",
        ),
    ] = None,
    spectra: Annotated[
        list[Path] | None,
        typer.Option(
            "--spectra",
            metavar="PATH",
            help="Observed spectra for the figures: the first 25 galaxies that have one are shown, with it.",
        ),
    ] = None,
    wave_unit: WaveUnit = None,
    flux_unit: FluxUnit = None,
    air: Air = None,
    seed: Seed = 0,
) -> None:
    """Draw spectra of galaxies from their images, in the layout of the Multimodal Universe.

    Example: `nebulium spectra draw cutouts --model mine --draws 4 --output drawn.parquet`

    Example: `nebulium spectra draw mock --redshift redshift --model mine --rest --output mean.parquet`

    Example: `nebulium spectra draw mock --spectra mock/spectra --model mine --figures shown -o mean.parquet`
    """
    say(f"{run.output}: {run.spectra:,} spectra of {run.galaxies:,} galaxies")
    if run.figures is not None:
        say(f"{run.figures}: figures of {run.shown:,} of the {run.galaxies:,} galaxies")
    say_rest(run)


@verb(app, "evaluate", evaluation("spectra.evaluate_file"), doing="scoring", extra="bench", images=image_data)
def evaluate(
    result: Any,
    images: Any,
    spectra: SpectraPaths,
    model: ModelOfGalaxies,
    output: ReportOutput,
    redshifts: RedshiftTable = None,
    with_redshift: Annotated[
        bool, typer.Option("--with-redshift", help="Tell the model, and the baselines, the redshift.")
    ] = False,
    bands: Bands = None,
    id_column: IdOfSpectra = None,
    wave_unit: WaveUnit = None,
    flux_unit: FluxUnit = None,
    air: Air = None,
    all_rows: AllRows = False,
    draws: Annotated[int, typer.Option("--draws", min=16, help="Spectra drawn of each galaxy.")] = 128,
    seed: Seed = 0,
) -> None:
    """Score a model of spectra on galaxies whose spectra are known: tables of scores, and figures.

    Scored are the galaxies in the test part of the model's own split, beside the mean spectrum, trees on
    colours and magnitude, trees on rings, and the galaxy that looks most alike.

    Example: `nebulium spectra evaluate mock --spectra mock/spectra --model mine --output scores`
    """
    for score in result.of_all(next(iter(result.about["models"]))):
        error = score["error_over_variance"].value
        say(f"{score.target}: {score.n:,} galaxies, MSE / variance {error:.3f}")
    say(f"{output}: scores and figures; {result.rejects.summary()}")
    say_notes(result.notes)
