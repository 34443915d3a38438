"""``nebulium generate``: images of galaxies from their properties, and back."""

import contextlib
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from nebulium.cli.options import (
    REPLACED,
    AllRows,
    Bands,
    BatchSize,
    Epochs,
    IdColumn,
    Missing,
    ModelOfGalaxies,
    ModelOutput,
    PredictionsOutput,
    ReportOutput,
    Resume,
    Seed,
    image_data,
)
from nebulium.cli.verb import evaluation, library, say, say_notes, say_predictions, say_trained, verb
from nebulium.errors import TableError

app = typer.Typer(
    help="Images from properties, and how likely an image is given properties.", no_args_is_help=True
)

Names = Annotated[
    Any,
    typer.Option(
        "--properties",
        parser=lambda names: tuple(name.strip() for name in names.split(",")),
        metavar="A,B,...",
        help="Columns to draw images from: numbers or, as text or 0 and 1, classes; some may be missing.",
    ),
]
Classes = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        metavar="COLUMN",
        help="A further column, whose whole numbers are classes; as often as needed.",
    ),
]
Properties = Annotated[
    Path | None,
    typer.Option(
        "--table",
        metavar="TABLE",
        help="Parquet, FITS, ECSV, VOTable, HDF5 or text with the properties. [default: the columns beside "
        "the images]",
    ),
]
FigureOutput = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FILE", help=f"Picture ending in .png, .pdf or .svg. {REPLACED}"),
]
Sampler = Annotated[
    Literal["heun", "ddim", "ancestral"],
    typer.Option(
        "--sampler",
        help="Heun's method; or steps of first order, deterministic or random, which need more of them.",
    ),
]
Steps = Annotated[
    int | None,
    typer.Option("--steps", min=2, help="Of the sampler. [default: heun 40, ddim 160, ancestral 320]"),
]


def channel_counts(text: str) -> tuple[int, ...]:
    """Numbers of at least 1, with commas between them."""
    try:
        counts = tuple(int(number) for number in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"expected whole numbers as 64,128,256, got {text!r}") from error
    if min(counts) < 1:
        raise typer.BadParameter(f"expected numbers of at least 1, got {text!r}")
    return counts


def model_config(
    model: Annotated[
        Literal["latent", "pixels"],
        typer.Option("--model", help="Diffusion of principal components, or of pixels, which is for a GPU."),
    ] = "latent",
    diffusion: Annotated[
        Literal["edm", "ddpm"] | None,
        typer.Option(
            "--diffusion",
            help="Of pixels: Karras et al. 2022, or Ho et al. 2020 and Smith et al. 2022. [default: edm]",
        ),
    ] = None,
    components: Annotated[int, typer.Option("--components", min=16, help="Principal components.")] = 160,
    channels: Annotated[
        Any,
        typer.Option(
            "--channels",
            parser=channel_counts,
            metavar="A,B,...",
            help="Of pixels: channels of each stage of the network. [default: 64,128,256,256]",
        ),
    ] = None,
    epochs: Epochs = None,
    reader_epochs: Annotated[
        int | None,
        typer.Option(
            "--reader-epochs",
            min=1,
            help="Of components: passes of the network that reads properties off images; the recipe's if not "
            "given.",
        ),
    ] = None,
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
    options = {name: value for name, value in locals().items() if name != "model"}
    others = ("diffusion", "channels") if model == "latent" else ("reader_epochs",)
    for name in others:
        if options.pop(name) is not None:
            option = "--" + name.replace("_", "-")
            problem = f"is nothing that a model of {OF_MODELS[model]} has"
            raise TableError(option, problem, "leave it out, or choose another --model")
    return library("generate.LatentConfig" if model == "latent" else "generate.PixelConfig")(**options)


#: What models are of, by their names.
OF_MODELS = {"latent": "principal components", "pixels": "pixels"}


def given_values(
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--given",
            metavar="NAME=VALUE",
            help="A property that all galaxies have, a number or the name of a class, or, as NAME=LOW:HIGH, "
            "a range from which each gets a value of its own, drawn evenly; as often as needed.",
        ),
    ] = None,
) -> dict[str, str | tuple[float, ...]]:
    """Properties by name."""
    values: dict[str, str | tuple[float, ...]] = {}
    for text in given or ():
        name, is_given, value = text.partition("=")
        if name.strip() in values:
            raise TableError(f"--given {text}", f"{name.strip()} is given twice", "give each once")
        if not is_given:
            raise TableError(f"--given {text}", "expected NAME=VALUE or NAME=LOW:HIGH", "as log_mstar=10.5")
        values[name.strip()] = value.strip()
        if ":" in value:
            # Names of classes may hold colons, too.
            with contextlib.suppress(ValueError):
                values[name.strip()] = tuple(float(end) for end in value.split(":", 1))
    return values


@verb(app, "train", library("generate.train_file", progress=True), images=image_data, config=model_config)
def train(
    run: Any,
    *,
    images: Any,
    properties: Names,
    classes: Classes = None,
    output: ModelOutput,
    table: Properties = None,
    id_column: IdColumn = None,
    bands: Bands = None,
    missing: Missing = None,
    config: Any,
    resume: Resume = False,
) -> None:
    """Train a model of images of galaxies given their properties.

    Images and properties are brought together by the id. What cannot be used is listed beside the model.

    Example: `nebulium generate train mock --properties redshift,log_mstar,log_sfr,oh12 --output mine`

    Example: `nebulium generate train cutouts --table z.csv --id objid --properties oh_p50 --output mine`

    Example: `nebulium generate train cutouts --table votes.csv --properties visual_class -o mine`

    Example: `nebulium generate train mock --properties redshift,log_mstar --model pixels --output mine`
    """
    say_trained(run)


@verb(app, "sample", library("generate.sample_file"), "drawing", given=given_values)
def sample(
    run: Any,
    *,
    model: ModelOfGalaxies,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help=f"Images: a name ending in .parquet, or a folder. {REPLACED}",
        ),
    ],
    kind: Annotated[
        Literal["parquet", "fits", "jpeg"] | None,
        typer.Option("--kind", help="Of a folder: FITS, a file a galaxy, or colour JPEGs."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--table", metavar="TABLE", help="Properties of the galaxies to draw, a row each."),
    ] = None,
    given: Any,
    n: Annotated[
        int, typer.Option("--n", min=1, help="Images of each row of the table; without one, in all.")
    ] = 1,
    id_column: IdColumn = None,
    sampler: Sampler = "heun",
    steps: Steps = None,
    guidance: Annotated[
        float | None,
        typer.Option(
            "--guidance",
            min=1,
            help="Above 1: more typical of the properties than galaxies are; not for inference.",
        ),
    ] = None,
    outside: Annotated[
        bool, typer.Option("--outside", help="Draw properties that no galaxies of the training had, too.")
    ] = False,
    seed: Seed = 0,
) -> None:
    """Draw images of galaxies with given properties.

    A Parquet file has the layout of the Multimodal Universe, with the properties beside the images; in a
    folder they are in properties.ecsv. What is not given is drawn for any value.

    Example: `nebulium generate sample --model mine --given log_mstar=10.5 --n 16 --output drawn.parquet`

    Example: `nebulium generate sample --model mine --given visual_class=spiral -o drawn.parquet`

    Example: `nebulium generate sample --model mine --table galaxies.csv --output drawn.parquet`

    Example: `nebulium generate sample --model mine --n 20 --kind jpeg --output drawn`

    Example: `nebulium generate sample --model mine --given redshift=0.05:0.1 --n 100 --output drawn.parquet`
    """
    say(f"{run.output}: {run.images:,} images; {run.out_of_domain:,} outside the training domain")
    say_notes(run.notes)


@verb(app, "page", library("generate.page_file"), doing="drawing", given=given_values)
def page(
    run: Any,
    *,
    model: ModelOfGalaxies,
    output: FigureOutput,
    given: Any,
    columns: Annotated[int, typer.Option("--columns", min=2, help="Galaxies of a row.")] = 8,
    seed: Seed = 0,
) -> None:
    """Draw a page of galaxies sorted by each property.

    A row a property, along which it takes its quantiles among the training galaxies; the others are as given,
    else any. Galaxies outside the training domain have a frame.

    Example: `nebulium generate page --model mine --output page.png`

    Example: `nebulium generate page --model mine --given redshift=0.08 --output page.pdf`
    """
    _say_figure(run)


@verb(app, "strip", library("generate.strip_file"), doing="drawing", given=given_values)
def strip(
    run: Any,
    *,
    model: ModelOfGalaxies,
    vary: Annotated[str, typer.Option("--vary", metavar="NAME", help="The property that changes.")],
    output: FigureOutput,
    low: Annotated[
        float | None,
        typer.Option("--low", help="Where it begins. [default: 2 % of the training galaxies lie below]"),
    ] = None,
    high: Annotated[
        float | None,
        typer.Option("--high", help="Where it ends. [default: 98 % of the training galaxies lie below]"),
    ] = None,
    given: Any,
    columns: Annotated[int, typer.Option("--columns", min=2, help="Steps.")] = 9,
    galaxies: Annotated[int, typer.Option("--galaxies", min=1, help="Rows.")] = 3,
    seed: Seed = 0,
) -> None:
    """Draw galaxies as one of their properties changes, and nothing else.

    A row a galaxy: its noise stays, and so do the other properties, which are as given, else any. Galaxies
    outside the training domain have a frame.

    Example: `nebulium generate strip --model mine --vary log_sfr --given log_mstar=10.5 --output strip.png`

    Example: `nebulium generate strip --model mine --vary redshift --low 0.02 --high 0.2 --output strip.png`
    """
    _say_figure(run)


def _say_figure(run: Any) -> None:
    say(f"{run.output}: {run.images:,} galaxies; {run.out_of_domain:,} outside the training domain")


@verb(app, "posterior", library("generate.posterior_file"), "inferring", images=image_data)
def posterior(
    run: Any,
    images: Any,
    model: ModelOfGalaxies,
    output: PredictionsOutput,
    given: Annotated[
        list[str] | None,
        typer.Option("--given", metavar="COLUMN", help="A property that is known; as often as needed."),
    ] = None,
    prior: Annotated[
        Path | None,
        typer.Option(
            "--prior", metavar="TABLE", help="Properties of a population. [default: the training galaxies]"
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option("--draws", min=0, help="Draws of all properties of each galaxy to write.")
    ] = 0,
    seed: Seed = 0,
    table: Properties = None,
    id_column: IdColumn = None,
    bands: Bands = None,
    missing: Missing = None,
) -> None:
    """Infer the properties of galaxies from their images, by Bayes' rule.

    Written are, for each property, its median NAME, NAME_sigma, NAME_q16 and NAME_q84, of one that is a
    class the most probable and the probabilities NAME_p_CLASS, and in_domain; with --draws, in
    <stem>.draws.parquet beside it, a row for each draw. The prior is the density of properties of the
    training galaxies, or of a table: effective_draws then says how many draws count.

    Example: `nebulium generate posterior cutouts --model mine --output inferred.parquet`

    Example: `nebulium generate posterior mock --given redshift --model mine --output inferred.parquet`

    Example: `nebulium generate posterior mock --prior survey.csv --draws 100 --model mine -o post.parquet`
    """
    say_predictions(run)


@verb(app, "score", library("generate.score_file"), "scoring", images=image_data)
def score(
    run: Any,
    images: Any,
    model: ModelOfGalaxies,
    output: PredictionsOutput,
    table: Properties = None,
    id_column: IdColumn = None,
    bands: Bands = None,
    missing: Missing = None,
) -> None:
    """Say how likely images are given the properties of their galaxies.

    Written is log_ratio, the logarithm of p(image given properties) / p(image): far below 0, and the image is
    not that of such a galaxy; typicality_p, how often images of the survey are as unusual as this one to
    either side, whatever its properties, and the same at each level of noise (typicality_p_level_1, the
    finest, to 4), for the light of each band and for what components leave out of it
    (typicality_p_light_BAND, typicality_p_left_BAND).

    Example: `nebulium generate score mock --model mine --output scores.parquet`
    """
    say_predictions(run)


@verb(
    app, "evaluate", evaluation("generate.evaluate_file"), doing="scoring", extra="bench", images=image_data
)
def evaluate(
    result: Any,
    images: Any,
    model: ModelOfGalaxies,
    output: ReportOutput,
    table: Properties = None,
    rivals: Annotated[
        list[str] | None,
        typer.Option(
            "--rival",
            metavar="DIR_OR_NAME",
            help="A model of properties from images (nebulium properties train --head mixture) whose "
            "posteriors are scored beside; as often as needed.",
        ),
    ] = None,
    id_column: IdColumn = None,
    bands: Bands = None,
    missing: Missing = None,
    all_rows: AllRows = False,
    drawn: Annotated[
        int, typer.Option("--drawn", min=250, help="Images to draw, at the properties of as many galaxies.")
    ] = 2000,
    seed: Seed = 0,
) -> None:
    """Score a model of images on galaxies of known properties: tables of scores, and figures.

    Scored are the galaxies in the test part of the model's own split: posteriors of each property, how well
    drawn galaxies are told from real ones, their features, own properties against those of another galaxy,
    and whether drawn images lie nearer to the training images than others do. Beside the model stand a
    Gaussian, and training galaxies of the nearest properties.

    Example: `nebulium generate evaluate mock --model mine --output scores`

    Example: `nebulium generate evaluate mock --model mine --rival network --output scores`
    """
    for score in result.of_all(next(iter(result.about["models"]))):
        say(f"{score.target}: {score.n:,} galaxies, log score {score['log_score'].value:.3f} nats")
    for row in result.tables["told_apart"]:
        say(f"{row['images']}, {row['features']}: told from real galaxies with AUC {row['auc'].value:.3f}")
    say(f"{output}: scores and figures; {result.rejects.summary()}")
    say_notes(result.notes)
