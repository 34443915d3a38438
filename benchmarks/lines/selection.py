"""What a missing line means: truncated, censored and learned selection compared on validation galaxies."""

import tempfile
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.results import Result, Row, number
from benchmarks.settings import Settings, desi_table
from nebulium.data.splits import Split
from nebulium.data.tables.table import Table
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import FLUX_COLUMNS
from nebulium.lines.likelihood import SELECTION_KINDS, missing_chance
from nebulium.lines.model import KNOTS, LineModel
from nebulium.lines.recipe import LinesConfig, TrainingGalaxies, train
from nebulium.lines.scores.evaluate import INTRINSIC, evaluate
from nebulium.lines.scores.populations import OBSERVED, OBSERVED_IVAR
from nebulium.modelfile import describe_model, load_model, save_model

# Fewer than for a shipped model: the three are compared with each other.
EPOCHS = 12


def measure(settings: Settings) -> list[Result]:
    """Train three models that differ in this alone, and score each on the validation part."""
    table = _usable(desi_table())
    rows = []
    for kind in SELECTION_KINDS:
        with tempfile.TemporaryDirectory(prefix="nebulium-selection-") as folder:
            config = LinesConfig(selection=kind, epochs=EPOCHS)
            model = _uncalibrated(train(table, Path(folder) / kind, config=config))
            rows.append([kind, *_scores(table, model)])
    return [
        Result(
            "lines/selection",
            "What a missing line means",
            f"Three models trained alike ({EPOCHS} epochs) but for the selection that they assume, on "
            "validation galaxies, means over the ten lines. Truncated: nothing is said of missing lines. "
            "Censored: their measurement was negative. Learned: a smooth chance to be recorded at each "
            "S/N. Coverage and PIT are those with each row's noise, uncalibrated.",
            (
                "selection",
                "Spearman's ρ",
                "worst coverage of 68 %",
                "worst coverage of 95 %",
                "PIT distance",
                "CRPS relative to the median EW",
                "intrinsic over observed median",
                "worst error of the share of missing lines",
            ),
            rows,
        )
    ]


def _uncalibrated(folder: Path) -> Path:
    """The same model without the levels that were set on the galaxies it is to be scored on."""
    described, model = describe_model(folder), load_model(folder, of=LineModel)
    levels = jnp.tile(jnp.asarray(KNOTS), (2, len(LINES), 1))
    model = eqx.tree_at(lambda m: m.measured_levels, model, levels)
    path = folder.with_name(f"{folder.name}-uncalibrated")
    save_model(path, model, config=described.config, card=f"For the benchmark {Path(__file__).stem}.")
    return path


def _usable(table: Table) -> Table:
    good = np.all([table[name] > 0 for name in ("redshift", *FLUX_COLUMNS)], axis=0)
    return table.select(good)


def _scores(table: Table, model: Path) -> Row:
    evaluation = evaluate(table, model=model, split="validation", resamples=2)
    rho = [score["spearman"].value for score in evaluation.of_all(OBSERVED)]
    scores, galaxies = evaluation.of_all(OBSERVED_IVAR), evaluation.galaxies
    typical = {score.target: np.nanmedian(galaxies[score.target]) for score in scores}
    crps = [score["crps"].value / typical[score.target] for score in scores]
    intrinsic = [
        np.median(galaxies[f"{INTRINSIC}_{target}_predicted"]) / width for target, width in typical.items()
    ]
    return [
        number(float(np.mean(rho)), digits=4),
        _worst([score["coverage_68"].value for score in scores], 0.68),
        _worst([score["coverage_95"].value for score in scores], 0.95),
        np.mean([score["pit_ks"].value for score in scores]),
        number(float(np.mean(crps)), digits=4),
        np.mean(intrinsic),
        _worst_missing_error(table, model),
    ]


def _worst_missing_error(table: Table, model: Path) -> float:
    """Largest difference, over the lines, of the share predicted to be missing and the share that is."""
    part = Split().parts(table["target_id"]) == "validation"
    galaxies, lines_model = TrainingGalaxies.from_table(table.select(part)), load_model(model)
    predicted = jax.lax.map(
        lambda g: missing_chance(lines_model, *g),
        (galaxies.continuum_flux, galaxies.redshift),
        batch_size=256,
    )
    missing = 1.0 - np.mean(np.asarray(galaxies.lines.present), axis=0)
    return float(np.max(np.abs(np.mean(np.asarray(predicted), axis=0) - missing)))


def _worst(coverage: list[float], nominal: float) -> float:
    """The coverage farthest from what it should be."""
    return max(coverage, key=lambda share: abs(share - nominal))
