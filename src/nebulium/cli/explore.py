"""``nebulium explore``."""

import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from nebulium.cli.options import REPLACED, Columns, IdColumn, Missing, Seed
from nebulium.cli.verb import going_on, say
from nebulium.errors import NebuliumError


def explore(
    table: Annotated[
        Path | None,
        typer.Argument(
            metavar="TABLE",
            help="A table, or the folder of a mock survey. [default: the galaxies of nebulium demo]",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME_OR_DIR",
            help="A model of lines, redshifts or properties; or, without TABLE, one of images, which draws "
            "galaxies that follow sliders. [default: the packaged models of lines where there is a "
            "continuum]",
        ),
    ] = None,
    embedding: Annotated[
        Literal["continuum", "colours", "photometry", "latent"] | None,
        typer.Option(
            "--embedding",
            help="The numbers behind the map: twelve bins of the continuum, their colours, colours of the "
            "photometry, or the latent space of --model. [default: continuum, else photometry]",
        ),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes any that is free.")] = 8050,
    host: Annotated[
        str,
        typer.Option(
            "--host", help="Address to listen on; with the default, nobody else can reach the page."
        ),
    ] = "127.0.0.1",
    open_browser: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="DIR",
            help=f"Instead of serving, write a page that needs no server, for a website. {REPLACED}",
        ),
    ] = None,
    refit: Annotated[bool, typer.Option("--refit", help="Draw the map anew.")] = False,
    seed: Seed = 0,
    columns: Columns = None,
    id_column: IdColumn = None,
    missing: Missing = None,
) -> None:
    """Look at galaxies in the browser: a map of them, spectra, images, diagrams, predictions of a model.

    A model of images without a table draws galaxies as sliders of their properties move.

    The map and the predictions are computed once and kept beside the table, in TABLE.explore. Ctrl-C ends it.

    Example: `nebulium explore galaxies.parquet --open`

    Example: `nebulium explore mock --model photoz --embedding latent`

    Example: `nebulium explore --model my-images`

    Example: `nebulium explore galaxies.parquet --export page`

    Example: `nebulium explore fastspec.fits --column fastspecfit`
    """
    from nebulium.data.output import check_place
    from nebulium.explore.export.writing import INDEX, export_page

    if export is not None:
        check_place(export, folder_with=INDEX)
    from nebulium.explore.page.explored import explore as explored
    from nebulium.explore.page.server import make_app, serve

    if table is None and model is not None and _draws_images(model):
        others = {"--embedding": embedding, "--export": export, "--refit": refit, "--column": columns}
        _refuse(model, others | {"--id": id_column, "--missing": missing})
        from nebulium.explore.drawn.page import make_model_app

        with going_on("getting the model ready"):
            app = make_model_app(model)
        serve(app, host=host, port=port, open_browser=open_browser, say=say)
        return
    with going_on("reading the galaxies") as progress:
        galaxies = explored(
            table,
            model=model,
            embedding=embedding,
            seed=seed,
            refit=refit,
            columns=columns,
            id_column=id_column,
            missing=missing,
            progress=progress,
        )
    for note in (*galaxies.galaxies.notes, *galaxies.notes):
        say(note)
    if export is not None:
        with going_on("writing the page"):
            page = export_page(galaxies, export, model=model)
        say(str(page))
        if open_browser:
            webbrowser.open(page.index.resolve().as_uri())
        return
    serve(make_app(galaxies), host=host, port=port, open_browser=open_browser, say=say)


def _draws_images(model: str) -> bool:
    """Whether a model is one of images."""
    from nebulium.generate import LatentImageModel, PixelImageModel
    from nebulium.modelfile import class_name, describe_model

    return describe_model(model).class_name in map(class_name, (LatentImageModel, PixelImageModel))


def _refuse(model: str, options: Mapping[str, Any]) -> None:
    """Options of a table of galaxies."""
    given = [name for name, value in options.items() if value]
    if given:
        problem = f"is a model of images, for which there is no {given[0]}"
        raise NebuliumError(f"model {model}", problem, "leave it out, or name a table of galaxies")
