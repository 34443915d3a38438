"""``nebulium mock``: a universe with known answers."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nebulium.cli.options import REPLACED, Seed
from nebulium.cli.verb import library, say, verb

app = typer.Typer(help="A mock universe: galaxies with known answers.", no_args_is_help=True)


@verb(app, "make", library("mock.make_survey"), "making", extra="mock")
def make(
    run: Any,
    survey: Annotated[
        str,
        typer.Option(
            "--survey",
            metavar="candels|sdss|legacy|ps1|roman",
            help="candels: as Hubble sees them, F160W < 26; roman: the same by Roman; sdss: the main galaxy "
            "sample, r < 17.77; legacy, ps1: the same in those images.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help=f"Folder to make. {REPLACED}")
    ],
    n: Annotated[
        int | None, typer.Option("--n", help="How many galaxies. [default: the rows of --table]")
    ] = None,
    seed: Seed = 0,
    processes: Annotated[
        int, typer.Option("--processes", help="Number of processes that work side by side; best one a core.")
    ] = 1,
    shards: Annotated[int, typer.Option("--shards", help="Number of files with images.")] = 1,
    pixels: Annotated[
        int | None, typer.Option("--pixels", help="Side of the images. [default: the instrument's]")
    ] = None,
    neighbours: Annotated[
        float | None,
        typer.Option(
            "--neighbours",
            help="Mean number of other galaxies in an image. [default: by the survey's density]",
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            metavar="FILE",
            help="Galaxies of your own, a row each: redshift, log_mstar, age_gyr, tau_gyr, av_mag, oh12, "
            "lgmet.",
        ),
    ] = None,
    spectra: Annotated[
        str | None,
        typer.Option(
            "--spectra",
            metavar="noiseless|sdss|desi",
            help="Make spectra as well: all light without noise, or with fibre, resolution and noise of SDSS "
            "or of DESI's bright programme.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
) -> None:
    """Make a survey: truth, photometry with noise, spectroscopic labels, images.

    DIR gets catalogue.parquet, data/*.parquet (the same with images), figures/, README.md and run.json;
    with --spectra also spectra/*.parquet, which `nebulium lines predict` reads.
    Galaxy i of a seed is the same however many are made, by however many processes, into however many files.

    Example: `nebulium mock make --survey sdss --n 200 --seed 1 --output mock`

    Example: `nebulium mock make --survey sdss --n 200 --spectra desi --output mock`

    Example: `nebulium mock make --survey candels --n 20000 --processes 2 --shards 8 --output mock`
    """
    rate = f", {run.made / run.seconds:.0f} a second" if run.made else ""
    say(
        f"{run.folder}: {run.galaxies:,} galaxies, {run.made:,} of them made now in {run.seconds:.0f} s{rate}"
    )
    say(f"{run.folder}/README.md describes the files, {run.folder}/figures shows them")


@verb(app, "show", library("mock.show_survey"), doing="drawing")
def show(
    paths: list[Path], folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a survey.")]
) -> None:
    """Draw the pictures of a survey into DIR/figures.

    Two pages of colour images, sorted by redshift and by metallicity, and a page of relations: colour and
    redshift, size and mass, main sequence, mass and metallicity, BPT, counts.

    Example: `nebulium mock show mock`
    """
    for path in paths:
        say(str(path))
