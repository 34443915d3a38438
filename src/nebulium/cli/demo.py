"""``nebulium demo``."""

from pathlib import Path
from typing import Annotated

import typer

from nebulium.cli.options import ReportOutput, Seed
from nebulium.cli.terminal import say


def demo(
    output: ReportOutput = Path("demo"),
    galaxies: Annotated[int, typer.Option("--galaxies", min=10, help="Number of galaxies.")] = 3000,
    seed: Seed = 0,
) -> None:
    """Make a few thousand galaxies with emission lines: spectra, magnitudes, BPT diagram, a table.

    Example: `nebulium demo --output demo`
    """
    from nebulium.lines.demo.demonstration import run_demo

    result = run_demo(output, n_galaxies=galaxies, seed=seed)
    say(f"{result.galaxies:,} galaxies in {result.seconds:.0f} s; {result.folder}/README.md describes them")
