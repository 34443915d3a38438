"""The command line: ``nebulium SUBJECT VERB``, each verb one call of the library.

The library is imported inside the commands, so that ``--help`` answers at once.
"""

from functools import partial

import typer

from nebulium.cli import (
    demo,
    explore,
    generate,
    infer,
    lines,
    mock,
    models,
    photoz,
    photoz_space,
    properties,
    spectra,
)
from nebulium.cli.verb import library, options, run, verb

app = typer.Typer(
    name="nebulium",
    callback=options,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
)
verb(app, "demo", library("lines.demo.demonstration.run_demo"), doing="making galaxies", extra="sed")(
    demo.demo
)
verb(app, "explore", extra="explore")(explore.explore)
app.add_typer(lines.app, name="lines")
app.add_typer(properties.app, name="properties")
photoz.app.add_typer(photoz_space.app)
app.add_typer(photoz.app, name="photoz")
app.add_typer(generate.app, name="generate")
app.add_typer(infer.app, name="infer")
app.add_typer(spectra.app, name="spectra")
app.add_typer(mock.app, name="mock")
app.add_typer(models.app, name="models")
#: Entry point of the command ``nebulium``.
main = partial(run, app)
