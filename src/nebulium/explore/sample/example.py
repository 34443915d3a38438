"""The galaxies to look at when no table is given."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from nebulium.data.tables.table import Table
from nebulium.explore.sample.cache import cached_table
from nebulium.lines.demo.demonstration import demo_table, galaxies_with_light
from nebulium.lines.model import LineModel
from nebulium.lines.predict import WITH_LUMINOSITY
from nebulium.modelfile import describe_model, load_model

NAME = "example galaxies"
N_GALAXIES, SEED = 3000, 0


def example_table(folder: Path) -> Table:
    """The synthetic galaxies of ``nebulium demo``: continua, lines drawn for them, magnitudes."""
    weights = describe_model(WITH_LUMINOSITY).config["weights_sha256"]
    about = {"nebulium": version("nebulium"), "weights_sha256": weights, "n": N_GALAXIES, "seed": SEED}
    return replace(cached_table(folder / "galaxies.parquet", about, _made), name=NAME)


def _made() -> Table:
    model = load_model(WITH_LUMINOSITY, of=LineModel)
    return demo_table(*galaxies_with_light(N_GALAXIES, SEED, model), model)
