"""``nebulium generate``: images of galaxies from their properties, and back."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from nebulium.cli.options import (
    OF_IMAGES,
    REPLACED,
    Bands,
    BatchSize,
    Epochs,
    IdColumn,
    Missing,
    ModelOfGalaxies,
    ModelOutput,
    PredictionsOutput,
    Resume,
    Seed,
)
from nebulium.cli.verb import library, say, say_notes, say_predictions, say_trained, verb
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
        help="Columns that images are drawn from: numbers, some of which may be missing.",
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


def image_data(
    data: Annotated[list[Path], typer.Argument(metavar="DATA...", help=OF_IMAGES, show_default=False)],
) -> Any:
    """The images."""
    return data if len(data) > 1 else data[0]


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
    components: Annotated[int, typer.Option("--components", min=16, help="Principal components.")] = 224,
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
            "--given", metavar="NAME=VALUE", help="A property that all galaxies have; as often as needed."
        ),
    ] = None,
) -> dict[str, float]:
    """Properties by name."""
    values = {}
    for text in given or ():
        name, _, value = text.partition("=")
        if name.strip() in values:
            raise TableError(f"--given {text}", f"{name.strip()} is given twice", "give each once")
        try:
            values[name.strip()] = float(value)
        except ValueError as error:
            raise TableError(f"--given {text}", "expected NAME=VALUE", "as log_mstar=10.5") from error
    return values


@verb(app, "train", library("generate.train_file", progress=True), images=image_data, config=model_config)
def train(
    run: Any,
    *,
    images: Any,
    properties: Names,
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

    Example: `nebulium generate train mock --properties redshift,log_mstar --model pixels --output mine`
    """
    say_trained(run)


@verb(app, "sample", library("generate.sample_file"), "drawing", given=given_values)
def sample(
    run: Any,
    *,
    model: ModelOfGalaxies,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help=f"Images, ending in .parquet. {REPLACED}")
    ],
    table: Annotated[
        Path | None,
        typer.Option("--table", metavar="TABLE", help="Properties of the galaxies to draw, a row each."),
    ] = None,
    given: Any,
    n: Annotated[
        int, typer.Option("--n", min=1, help="Images of each row of the table; without one, in all.")
    ] = 1,
    id_column: IdColumn = None,
    steps: Annotated[int, typer.Option("--steps", min=2, help="Of the sampler.")] = 40,
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

    FILE has the layout of the Multimodal Universe, with the properties beside the images. What is not given
    is drawn for any value.

    Example: `nebulium generate sample --model mine --given log_mstar=10.5 --n 16 --output drawn.parquet`

    Example: `nebulium generate sample --model mine --table galaxies.csv --output drawn.parquet`
    """
    say(f"{run.output}: {run.images:,} images; {run.out_of_domain:,} outside the training domain")
    say_notes(run.notes)


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
    table: Properties = None,
    id_column: IdColumn = None,
    bands: Bands = None,
    missing: Missing = None,
) -> None:
    """Infer the properties of galaxies from their images, by Bayes' rule.

    Written are, for each property, its median NAME, NAME_sigma, NAME_q16 and NAME_q84, and in_domain. The
    prior is the density of properties of the training galaxies.

    Example: `nebulium generate posterior cutouts --model mine --output inferred.parquet`

    Example: `nebulium generate posterior mock --given redshift --model mine --output inferred.parquet`
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
    not that of such a galaxy.

    Example: `nebulium generate score mock --model mine --output scores.parquet`
    """
    say_predictions(run)
