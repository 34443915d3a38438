"""``nebulium properties``: metallicity, and any other property, from images or embeddings of galaxies."""

from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from nebulium.cli.options import (
    OF_IMAGES,
    AllRows,
    Bands,
    BatchSize,
    Encoder,
    Epochs,
    IdColumn,
    Missing,
    ModelOfGalaxies,
    ModelOutput,
    Patience,
    PredictionsOutput,
    ReportOutput,
    Resume,
    Seed,
)
from nebulium.cli.verb import evaluation, library, say, say_notes, say_predictions, say_trained, verb
from nebulium.errors import ImageError, TableError

app = typer.Typer(help="Metallicity, and other properties, from images or embeddings.", no_args_is_help=True)

Head = Literal["gaussian", "mixture", "quantiles", "gaussian-process"]


def image_data(
    data: Annotated[
        list[Path] | None, typer.Argument(metavar="DATA...", help=OF_IMAGES, show_default=False)
    ] = None,
    named: Annotated[Path | None, typer.Option("--images", metavar="DATA", hidden=True)] = None,
) -> Any:
    """The images, if there are any: the first argument, or the option by which they went before."""
    if data and named is not None:
        raise ImageError("DATA", f"is given twice, {data[0]} and --images {named}", "leave out --images")
    if not data:
        return named
    return data if len(data) > 1 else data[0]


def embedding_table(
    embeddings: Annotated[
        Path | None,
        typer.Option(
            "--embeddings",
            metavar="TABLE",
            help="Vectors that another network has made of the galaxies, with ids, in any table: beside "
            "images, or alone.",
            show_default=False,
        ),
    ] = None,
    embedding_columns: Annotated[
        str | None,
        typer.Option(
            "--embedding-columns",
            metavar="COLUMN|PATTERN",
            help="The column of arrays, or a pattern of the columns of numbers in quotes, as 'feat_*'. "
            "[default: the model's, or the only column of arrays]",
            show_default=False,
        ),
    ] = None,
    embedding_id: Annotated[
        str | None,
        typer.Option(
            "--embedding-id",
            metavar="COLUMN",
            help="Their column of ids. [default: the model's, that of --id, target_id or object_id]",
            show_default=False,
        ),
    ] = None,
) -> Any:
    """The table of embeddings, if there is one."""
    if embeddings is None:
        given = {"--embedding-columns": embedding_columns, "--embedding-id": embedding_id}
        for option in (name for name, value in given.items() if value is not None):
            problem = "is given without a table of embeddings"
            raise TableError(option, problem, f"give the table: --embeddings TABLE, or leave out {option}")
        return None
    return library("data.EmbeddingTable")(path=embeddings, columns=embedding_columns, id_column=embedding_id)


Labels = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="TABLE",
        help="Parquet, FITS, ECSV, VOTable, HDF5 or text. [default: the columns beside the images or "
        "embeddings]",
    ),
]


def properties_config(
    init: Annotated[
        str | None, typer.Option("--init", metavar="DIR_OR_NAME", help="Start from the networks of a model.")
    ] = None,
    encoder: Annotated[Encoder, typer.Option("--encoder", help="Network of the image.")] = "resnet-small",
    head: Annotated[
        Head,
        typer.Option(
            "--head",
            help="Error bars: of one Gaussian, of three, or quantiles; gaussian-process is for hundreds of "
            "galaxies, classes for thousands, with the networks of --init or without any.",
        ),
    ] = "gaussian",
    features: Annotated[
        Any,
        typer.Option(
            "--features",
            parser=lambda names: tuple(name.strip() for name in names.split(",")),
            metavar="A,B,...",
            help="What gaussian-process has measured in the image: profiles, modes, scattering.",
            show_default=False,
        ),
    ] = None,
    members: Annotated[int, typer.Option("--members", min=1, help="Networks of the ensemble.")] = 1,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    patience: Patience = None,
    size: Annotated[
        int | None,
        typer.Option("--size", min=8, help="Pixels on a side, cut or padded; those of the first image."),
    ] = None,
    binning: Annotated[
        int, typer.Option("--binning", min=1, help="Average blocks of so many pixels on a side.")
    ] = 1,
    with_profiles: Annotated[
        bool, typer.Option("--profiles/--no-profiles", help="Radial profiles beside the image.")
    ] = True,
    balance: Annotated[
        float,
        typer.Option(
            "--balance", min=0, max=1, help="Weigh rare classes more: 1, all classes alike; 0, all galaxies."
        ),
    ] = 0.0,
    conformal: Annotated[
        bool, typer.Option("--conformal", help="Set the error bars so that they hold 68 % in validation.")
    ] = False,
    seed: Seed = 0,
) -> Any:
    """The recipe, whose fields go by these names."""
    return library("properties.PropertiesConfig")(**locals())


@verb(
    app,
    "train",
    library("properties.train_file", progress=True),
    images=image_data,
    embeddings=embedding_table,
    config=properties_config,
)
def train(
    run: Any,
    *,
    images: Any,
    embeddings: Any,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar="COLUMN",
            help="Label to learn, a number or, as text or 0 and 1, a class; as often as needed.",
        ),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class", metavar="COLUMN", help="Label whose whole numbers are classes; as often as needed."
        ),
    ] = None,
    output: ModelOutput,
    labels: Labels = None,
    id_column: IdColumn = None,
    bands: Bands = None,
    missing: Missing = None,
    config: Any,
    resume: Resume = False,
) -> None:
    """Train a model on images of galaxies, embeddings of them or both, and a table of labels.

    They are brought together by the id. TARGET_sigma or TARGET_err in the table is the error of
    a label. What cannot be used is listed beside the model.

    Example: `nebulium properties train cutouts --labels z.csv --id objid --target oh_p50 -o mine`

    Example: `nebulium properties train mock --target oh12 --target log_mstar --output mine`

    Example: `nebulium properties train cutouts --labels votes.csv --target visual_class --output mine`

    Example: `nebulium properties train --embeddings zoobot.parquet --labels z.csv --target oh12 -o mine`
    """
    say_trained(run)


@verb(
    app,
    "predict",
    library("properties.predict_file"),
    "predicting",
    images=image_data,
    embeddings=embedding_table,
)
def predict(
    run: Any,
    images: Any,
    embeddings: Any,
    model: ModelOfGalaxies,
    output: PredictionsOutput,
    bands: Bands = None,
) -> None:
    """Predict the properties of galaxies from their images, embeddings or both, as the model sees them.

    Written are target_id, for each target TARGET, TARGET_sigma, TARGET_q16 and TARGET_q84, for each that is a
    class TARGET and TARGET_p_CLASS, the probability of each class, and in_domain; of several files that hold
    many galaxies each the column file says which.

    Example: `nebulium properties predict cutouts --model mine --output metallicities.parquet`

    Example: `nebulium properties predict --embeddings zoobot.parquet --model mine -o out.parquet`
    """
    say_predictions(run)


@verb(
    app,
    "evaluate",
    evaluation("properties.evaluate_file"),
    doing="scoring",
    images=image_data,
    embeddings=embedding_table,
)
def evaluate(
    result: Any,
    images: Any,
    embeddings: Any,
    model: ModelOfGalaxies,
    output: ReportOutput,
    labels: Labels = None,
    id_column: IdColumn = None,
    bands: Bands = None,
    missing: Missing = None,
    all_rows: AllRows = False,
    traditional: Annotated[
        bool,
        typer.Option(
            "--traditional",
            help="Also fit a random forest to the integrated light, or to embeddings alone, and score it.",
        ),
    ] = False,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against", metavar="COLUMN", help="More columns of the labels to draw residuals against."
        ),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Score a model on images or embeddings with labels: a table of scores, and figures.

    Scored are the galaxies in the test part of the model's own split. Columns log_mstar, redshift and
    half_light_radius_kpc of the labels are used where they are there.

    Example: `nebulium properties evaluate cutouts --labels z.csv --id objid --model mine -o scores`
    """
    for score in result.of_all(result.about["method"]):
        measured = [("RMSE", "rmse"), ("accuracy", "accuracy"), ("balanced accuracy", "balanced_accuracy")]
        known = {
            name: score.estimates[metric].value for name, metric in measured if metric in score.estimates
        }
        numbers = ", ".join(f"{name} {value:.4f}" for name, value in known.items() if isfinite(value))
        say(f"{score.target}: {score.n:,} galaxies, {numbers}")
    say(f"{output}: scores and figures; {result.rejects.summary()}")
    say_notes(result.notes)


@verb(
    app,
    "explain",
    library("properties.explain_file"),
    doing="explaining",
    images=image_data,
    embeddings=embedding_table,
)
def explain(
    run: Any,
    images: Any,
    embeddings: Any,
    model: ModelOfGalaxies,
    output: ReportOutput,
    galaxies: Annotated[
        list[str] | None,
        typer.Option("--galaxy", metavar="ID", help="As often as needed; some at random if not given."),
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="How many at random.")] = 6,
    bands: Bands = None,
    seed: Seed = 0,
) -> None:
    """Draw what a model looks at: integrated gradients and Grad-CAM over the galaxies.

    Example: `nebulium properties explain cutouts --model mine --galaxy 1237648704043942146 -o seen`
    """
    say(f"{run.output}: {', '.join(run.figures)} of {run.galaxies:,} galaxies; {run.rejects.summary()}")
    say(
        f"the shares of the pixels add up to within {run.largest_gap:.2g} standard deviations, or of a class "
        "in the logarithm of its odds"
    )
    say_notes(run.notes)
