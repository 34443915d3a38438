"""The galaxies to look at when no table is given."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import jax

from nebulium.data.tables.table import Table
from nebulium.explore.sample.cache import cached_table
from nebulium.lines.chain import SampledLines, make_chain, synthesise
from nebulium.lines.demo.demonstration import BANDS, demo_table
from nebulium.lines.demo.galaxies import LOG_APERTURE, demo_galaxies
from nebulium.lines.model import LineModel
from nebulium.lines.predict import WITH_LUMINOSITY
from nebulium.modelfile import describe_model, load_model
from nebulium.sed import load_filters, load_ssp

NAME = "example galaxies"
N_GALAXIES, SEED = 3000, 0


def example_table(folder: Path) -> Table:
    """The synthetic galaxies of ``nebulium demo``: continua, lines drawn for them, magnitudes."""
    weights = describe_model(WITH_LUMINOSITY).config["weights_sha256"]
    about = {"nebulium": version("nebulium"), "weights_sha256": weights, "n": N_GALAXIES, "seed": SEED}
    return replace(cached_table(folder / "galaxies.parquet", about, _made), name=NAME)


def _made() -> Table:
    model = load_model(WITH_LUMINOSITY, of=LineModel)
    galaxies = demo_galaxies(N_GALAXIES, seed=SEED)
    chain = make_chain(load_ssp(), load_filters(*BANDS), SampledLines(model))
    made = synthesise(chain, galaxies, log_aperture=LOG_APERTURE, key=jax.random.key(SEED))
    return demo_table(galaxies, made, model)
