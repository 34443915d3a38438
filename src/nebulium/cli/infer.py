"""``nebulium infer``: properties of galaxies from their photometry."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from nebulium.cli.options import (
    REPLACED,
    BatchSize,
    Epochs,
    ModelOfGalaxies,
    ModelOutput,
    PredictionsOutput,
    ReportOutput,
    Resume,
    Seed,
    names_of,
    numbers,
)
from nebulium.cli.photoz_columns import catalogue_columns
from nebulium.cli.verb import given, library, say, say_predictions, say_rest, verb
from nebulium.errors import NebuliumError

app = typer.Typer(help="Properties of galaxies from their photometry.", no_args_is_help=True)


def infer_config(
    survey: Annotated[
        str | None, typer.Option("--survey", metavar="NAME", help="The bands of a mock survey, such as sdss.")
    ] = None,
    bands: Annotated[
        Any,
        typer.Option(
            "--bands",
            parser=names_of,
            metavar="A,B,...",
            help="In place of a survey: filters, as sdss_u0,sdss_g0,sdss_r0.",
        ),
    ] = None,
    redshifts: Annotated[
        Any,
        typer.Option(
            "--redshifts",
            parser=partial(numbers, count=2, example="0.005,0.35"),
            metavar="LEAST,LARGEST",
            help="Of the galaxies. [default: 0.005,0.35]",
        ),
    ] = None,
    model_error: Annotated[
        float | None,
        typer.Option(
            "--model-error",
            metavar="FRACTION",
            help="Error of the model in each band, as a fraction of the flux. [default: 0.03]",
        ),
    ] = None,
    simulated: Annotated[
        int | None, typer.Option("--simulated", min=1000, help="Galaxies to learn from. [default: 400000]")
    ] = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Seed = 0,
) -> Any:
    """The recipe, whose fields go by these names."""
    fields = given(
        redshifts=redshifts,
        model_error=model_error,
        simulated=simulated,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
    if (survey is None) == (bands is None):
        what = "neither is given" if bands is None else "both are given"
        raise NebuliumError("--survey, --bands", what, "give one: --survey sdss, or --bands sdss_g0,sdss_r0")
    if survey is not None:
        instrument = library("mock.survey.survey_list.find_survey").load()(survey).instrument()
        every = sorted((*instrument.bands, *instrument.catalogue_only), key=lambda band: band.pivot_aa)
        bands = [band.filter for band in every]
    return library("infer.InferConfig")(bands=tuple(bands), **fields)


@verb(app, "train", library("infer.train_file", progress=True), config=infer_config, extra="sed")
def train(run: Any, *, output: ModelOutput, config: Any, resume: Resume = False) -> None:
    """Train a posterior for any photometry in some bands; it learns from galaxies simulated on the spot.

    Example: `nebulium infer train --survey sdss --output mine`

    Example: `nebulium infer train --bands sdss_g0,sdss_r0,sdss_i0 --redshifts 0.01,0.2 --output mine`
    """
    say(f"{run.model}: trained on simulated galaxies")
    say_rest(run)


@verb(app, "predict", library("infer.predict_file"), "inferring", columns=catalogue_columns, extra="sed")
def predict(
    run: Any,
    catalogue: Annotated[
        Path, typer.Argument(metavar="CATALOGUE", help="Folder of a mock survey, or a table with redshifts.")
    ],
    model: ModelOfGalaxies,
    output: PredictionsOutput,
    draws: Annotated[
        Path | None,
        typer.Option("--draws", metavar="FILE", help=f"A table of draws too, 250 of each galaxy. {REPLACED}"),
    ] = None,
    draws_per_galaxy: Annotated[
        int, typer.Option("--draws-per-galaxy", min=100, help="Before they are weighed.")
    ] = 1500,
    seed: Seed = 0,
    columns: Any = None,
) -> None:
    """Infer mass, star-formation rate, age, dust and metals of galaxies from fluxes, at known redshifts.

    Written are the median NAME and the quantiles NAME_q16, NAME_q84, NAME_q025 and NAME_q975 of log_mstar,
    log_sfr, log_ssfr, age_gyr, av_mag and lgmet, and how far they can be relied on: reliable, in_domain.

    Example: `nebulium infer predict mock --model mine --output properties.parquet --draws draws.parquet`

    Example: `nebulium infer predict sdss.fits --band sdss_g0=g,g_err --band sdss_r0=r,r_err --magnitudes
    --redshift z --id name --model mine --output properties.parquet`
    """
    say_predictions(run)


@verb(app, "check", library("infer.check_file"), doing="checking", extra="sed")
def check(
    run: Any,
    *,
    model: ModelOfGalaxies,
    output: ReportOutput,
    n: Annotated[int, typer.Option("--n", help="Simulated galaxies.")] = 2000,
    relative_error: Annotated[
        float | None,
        typer.Option(
            "--relative-error",
            metavar="FRACTION",
            help="Error of all fluxes. [default: noise of any strength, and bands missing]",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the galaxies.")] = 1,
) -> None:
    """Look where the truth of simulated galaxies lies in their posteriors: a table, a figure, a page.

    Example: `nebulium infer check --model mine --n 2000 --output checked`
    """
    found = run.found
    for name, held in zip(("68", "95"), (found.held(0.68), found.held(0.95)), strict=True):
        say(f"central {name} %: hold {held.min():.1%} to {held.max():.1%} of the truths")
    say(f"{run.output}: {found.flagged.mean():.1%} of {len(found.tarp):,} galaxies said not to be reliable")
