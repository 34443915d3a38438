"""Train the flow of the population `candels` and write its model folder.

    python -m benchmarks.weights.make_candels_flow ../shared/data/hst/3dhst_fast_eazy.parquet

The epoch is chosen on the validation rows; the test rows are not looked at here, but by the benchmark
`mock_population`.
"""

import argparse
import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.settings import REPOSITORY
from benchmarks.weights.candels_recipe import (
    CUTS,
    FIT,
    FLOW,
    LOG_MASS_STEP,
    MOST_CHI2,
    SPLIT_SEED,
    cuts,
    requantise,
    rows_of,
    split,
    train,
)
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.metrics.two_sample import ClassifierAUC, classifier_auc
from nebulium.mock.populations.candels_flow import VARIABLES, CandelsFlow
from nebulium.mock.populations.candels_grid import AGE, AV, LOG_MASS_RANGE, REDSHIFT, TAU
from nebulium.modelfile import save_model
from nebulium.training import FitResult

DESTINATION = REPOSITORY / "src/nebulium/mock/weights/candels"
CITATION = (
    "Skelton et al. 2014, ApJS 214, 24 (3D-HST photometry and fits); Kriek et al. 2009, ApJ 700, 221 (FAST); "
    "Brammer et al. 2008, ApJ 686, 1503 (EAZY)"
)
UNITS = {"z": "", "lage": "log10 yr", "ltau": "log10 yr", "av": "mag", "lmass": "log10 Msun, surviving"}


def validation_auc(flow: CandelsFlow, validation: np.ndarray) -> ClassifierAUC:
    """Classifier between validation rows and as many samples, both on the grids of the table."""
    keys = jax.random.split(jax.random.key(1), len(validation))
    samples = np.asarray(jax.jit(jax.vmap(flow.sample))(keys), np.float64)
    return classifier_auc(requantise(validation), requantise(samples), seed=0)


def configuration(
    table: Table, source: Path, result: FitResult[CandelsFlow], sizes: dict[str, int], auc: ClassifierAUC
) -> dict[str, Any]:
    """Entries of config.json."""
    passed = cuts(table)
    losses = {record.epoch: record.validation_loss for record in result.history}
    return {
        "hyperparameters": FLOW,
        "recipe": dataclasses.asdict(FIT),
        "trained_on": source.name,
        "trained_on_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "preprocessing": {
            "variables": VARIABLES,
            "cuts": {name: f"drops {int((~passed[name]).sum())} of {len(table)} rows" for name in CUTS},
            "grids": {grid.name: dataclasses.asdict(grid) for grid in (REDSHIFT, AGE, TAU, AV)},
            "log_mass_step": LOG_MASS_STEP,
        },
        "units": UNITS,
        "training_domain": {
            "redshift": [REDSHIFT.lowest, float(REDSHIFT.edges()[-1])],
            "log_mstar": LOG_MASS_RANGE,
            "most_chi2": MOST_CHI2,
        },
        "split": {"seed": SPLIT_SEED, "id": "field and id with a space between", **sizes},
        "metrics": {
            "best_epoch": result.best_epoch,
            "validation_negative_log_density": losses[result.best_epoch],
            "validation_auc": auc.value,
            "validation_auc_error": auc.error,
        },
        "citation": CITATION,
    }


def model_card(config: dict[str, Any], kept: int) -> str:
    """Text of README.md."""
    preprocessing, metrics = config["preprocessing"], config["metrics"]
    auc_text = f"{metrics['validation_auc']:.3f} ± {metrics['validation_auc_error']:.3f}"
    split_text = ", ".join(f"{name} {value}" for name, value in config["split"].items())
    dropped = "\n".join(f"- `{name}`: {text}" for name, text in preprocessing["cuts"].items())
    return f"""# candels

Normalizing flow over redshift, age, tau, A_V and stellar mass of the galaxies of 3D-HST, as fits of FAST to
their photometry have them. It makes the population `candels` of `nebulium.mock`.

- **Trained on** `{config["trained_on"]}`: fields GOODS-N, COSMOS, UDS, AEGIS; {kept:,} rows pass all cuts.
- **Split** by a hash of field and id: {split_text}.
- **Variables** in the order in which they are drawn: {", ".join(VARIABLES)}. Age and tau of an exponential
  history in log10 yr, surviving mass (Chabrier) in log10 Msun. Values on the table's grid are dequantised
  evenly within their cells; no age exceeds that of the Universe (H0 = 70, Om0 = 0.3).
- **Flow**: flowjax. Redshift: counts in cells of 0.01. Age, tau, A_V: splines of degree one with the grid's
  cells for knots. Mass: a rational-quadratic spline. Each law comes from a network that sees the
  variables drawn before.
- **Validation rows** (the epoch was chosen on them): gradient-boosted classifier between them and as many
  samples, both on the table's grids, AUC {auc_text}.
  The benchmark `mock_population` gives that of the test rows.
- **Made by** `python -m benchmarks.weights.make_candels_flow`.

Cuts, with the rows that each alone would drop:

{dropped}

A missing star-formation rate (lsfr of -99) is not cut: FAST writes it where the age is a hundred times tau
or more, and these are the quiescent galaxies.

**Not to be concluded from it.** These are fits, not galaxies: errors, degeneracies (age with tau and
dust), the limits of the grid and the pile-ups at its ends are learned with the rest, as are the photometric
redshifts and the structure of four small fields. Depth varies within and between the fields and is not
modelled. FAST took solar metallicity throughout.

**Cite** {config["citation"]}.
"""


def main() -> None:
    """Train, judge on validation rows, write the folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="the 3D-HST table")
    source = parser.parse_args().source
    table = read_table(source)
    result = train(table, progress=True)
    kept, part = np.all(list(cuts(table).values()), axis=0), split(table)
    sizes = {name: int((kept & (part == name)).sum()) for name in ("train", "validation", "test")}
    auc = validation_auc(result.model, rows_of(table)[kept & (part == "validation")])
    config = configuration(table, source, result, sizes, auc)
    save_model(
        DESTINATION, result.model, config=config, card=model_card(config, int(kept.sum())), overwrite=True
    )
    print(DESTINATION, config["metrics"], sep="\n")


if __name__ == "__main__":
    main()
