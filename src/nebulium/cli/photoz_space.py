"""Verbs of ``nebulium photoz`` that look at the space in which a model sees galaxies."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nebulium.cli.options import REPLACED, ModelOfGalaxies, PredictionsOutput, ReportOutput, Seed
from nebulium.cli.photoz import Curves, Data
from nebulium.cli.photoz_columns import catalogue_columns
from nebulium.cli.verb import library, say, say_notes, say_predictions, verb

app = typer.Typer()


@verb(app, "embed", library("photoz.embed_file"), "embedding", columns=catalogue_columns)
def embed(
    run: Any,
    *,
    data: Data,
    model: ModelOfGalaxies,
    output: PredictionsOutput,
    curves: Curves = None,
    columns: dict[str, Any],
) -> None:
    """Write where a model puts galaxies: a vector a galaxy.

    Written are target_id, redshift_median, in_domain and, of a model of images, latent_000 to latent_127, of
    one of fluxes the standardised magnitudes, colours and errors, feature_000 and so on.

    Example: `nebulium photoz embed mock --model mine --output embeddings.parquet`
    """
    say_predictions(run)


@verb(app, "neighbours", library("photoz.neighbours_file"), doing="looking for neighbours")
def neighbours(
    table: Any,
    embeddings: Annotated[Path, typer.Argument(metavar="EMBEDDINGS", help="Table that embed wrote.")],
    galaxies: Annotated[list[str], typer.Option("--galaxy", metavar="ID", help="As often as needed.")],
    count: Annotated[int, typer.Option("--count", min=1, help="Neighbours of each.")] = 10,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help=f"Table ending in .parquet, .fits or .ecsv; shown here if not given. {REPLACED}",
        ),
    ] = None,
) -> None:
    """Find the galaxies that are most alike to some, as a model sees them.

    Latent vectors of images are compared by 1 minus the cosine of the angle between them, features of
    photometry by the Euclidean distance.

    Example: `nebulium photoz neighbours embeddings.parquet --galaxy 17 --galaxy 23 --count 5`
    """
    if output is not None:
        say(f"{output}: {len(table):,} neighbours of {len(galaxies):,} galaxies")
        return
    texts = [[name, *(_shown(value) for value in values.tolist())] for name, values in table.columns.items()]
    widths = [max(map(len, column)) for column in texts]
    for row in zip(*texts, strict=True):
        say("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))


@verb(
    app,
    "disagreements",
    library("photoz.disagreements_file"),
    doing="comparing redshifts",
    columns=catalogue_columns,
)
def disagreements(
    run: Any,
    *,
    data: Data,
    model: ModelOfGalaxies,
    photometry: Annotated[
        str,
        typer.Option(
            "--photometry",
            metavar="DIR_OR_NAME",
            help="A model by the method photometry, trained on the same data.",
        ),
    ],
    output: ReportOutput,
    n: Annotated[int, typer.Option("--n", min=1, help="Most galaxies in the figure.")] = 6,
    count: Annotated[int, typer.Option("--count", min=1, help="Neighbours of each in each space.")] = 4,
    curves: Curves = None,
    seed: Seed = 0,
    columns: dict[str, Any],
) -> None:
    """Show galaxies that photometry gets wrong and the images get right, with their neighbours by both.

    Looked at are galaxies in the test part of both models; neighbours are galaxies from whose redshifts both
    have learned. The number of galaxies that only photometry gets right is printed too.

    Example: `nebulium photoz disagreements mock --model pita --photometry fluxes --output disagreements`
    """
    say(
        f"of {run.galaxies:,} test galaxies, {run.right_by_images:,} are right by images and wrong by "
        "photometry,"
    )
    say(f"{run.right_by_photometry:,} the other way round")
    for space, share in run.far_neighbours.items():
        say(f"neighbours of all by {space}: {100 * share:.1f} % beyond 0.15 (1 + z)")
    say(f"{run.output}: figure of {run.shown:,}, and tables; {run.rejects.summary()}")
    say_notes(run.notes)


def _shown(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
