"""``nebulium demo``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nebulium.cli.options import ReportOutput, Seed
from nebulium.cli.verb import say


def demo(
    result: Any,
    folder: ReportOutput = Path("demo"),
    n_galaxies: Annotated[int, typer.Option("--galaxies", min=10, help="Number of galaxies.")] = 3000,
    seed: Seed = 0,
) -> None:
    """Make a few thousand galaxies with emission lines: spectra, magnitudes, BPT diagram, a table.

    Example: `nebulium demo --output demo`
    """
    say(f"{result.galaxies:,} galaxies in {result.seconds:.0f} s; {result.folder}/README.md describes them")
