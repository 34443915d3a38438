"""On simulated measurements: does a model trained through noise and selection find the lines beneath?"""

import numpy as np

from benchmarks.lines.simulate import Recovery, recovery
from benchmarks.results import Check, Result, Target
from benchmarks.settings import Settings, galaxies_of, line_model
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.measured_galaxies import MeasuredGalaxies
from nebulium.lines.recipe import LinesConfig, TrainingGalaxies
from nebulium.metrics.probabilistic import Estimate, bootstrap

RATIO, COVERS = Target(0.97, 1.03), Target(0.66, 0.70)
# Expected S/N of a line: bins around 1 and around 12 among them.
SNR_EDGES = (0.0, 0.5, 1.5, 3.0, 8.0, 16.0, np.inf)
FEWEST = 300


def measure(settings: Settings) -> list[Result]:
    """Retrain on the simulation and compare with its truth, by line and by expected S/N."""
    model = line_model(settings.model)
    config = LinesConfig(with_luminosity=model.with_luminosity)
    training, held_out = (_as_training(galaxies_of(settings, part)) for part in ("train", "validation"))
    found = recovery(model, training, held_out, config=config)
    return [_by_line(found), _by_snr(found)]


def _as_training(galaxies: MeasuredGalaxies) -> TrainingGalaxies:
    return TrainingGalaxies(galaxies.continuum_flux, galaxies.redshift, galaxies.lines)


def _by_line(found: Recovery) -> Result:
    everything = np.ones(len(found.true_ew_aa), bool)
    rows = [
        [
            line,
            Check(f"{line}: median of predicted over true", _ratio(found, everything, place), RATIO),
            Check(f"{line}: truth inside 68 %", _covered(found, everything, place), COVERS),
            np.median(found.expected_snr[:, place]),
        ]
        for place, line in enumerate(LINES)
    ]
    return Result(
        "lines/simulation",
        "Simulated measurements",
        f"True equivalent widths of {len(found.true_ew_aa):,} galaxies, drawn from a law outside the "
        "model's family given real continua and measured with the noise and the selection estimated from "
        "the data; a model trained from scratch on such measurements is compared with the truth. Wanted: "
        f"median of predicted over true {RATIO}, truth inside the intrinsic 68 % interval {COVERS}.",
        ("line", "median of predicted / true", "inside 68 %", "median expected S/N"),
        rows,
    )


def _by_snr(found: Recovery) -> Result:
    rows = []
    for low, high in zip(SNR_EDGES[:-1], SNR_EDGES[1:], strict=True):
        name = f"S/N above {low:g}" if np.isinf(high) else f"S/N {low:g} to {high:g}"
        ratios, shares, count = [], [], 0
        for place in range(len(LINES)):
            inside = (found.expected_snr[:, place] >= low) & (found.expected_snr[:, place] < high)
            if np.count_nonzero(inside) < FEWEST:
                continue
            count += int(np.count_nonzero(inside))
            ratios.append(_ratio(found, inside, place).value)
            shares.append(_covered(found, inside, place).value)
        if not ratios:
            continue
        ratio = Check(f"{name}: mean over the lines of predicted over true", np.mean(ratios), RATIO)
        share = Check(f"{name}: mean share of the truth inside 68 %", np.mean(shares), COVERS)
        spread = (f"{min(ratios):.3f} to {max(ratios):.3f}", f"{min(shares):.3f} to {max(shares):.3f}")
        rows.append([name, count, ratio, spread[0], share, spread[1]])
    return Result(
        "lines/simulation_by_snr",
        "Simulated measurements by expected S/N",
        "The same in bins of the S/N that is expected of a line, predicted median over the quoted error: "
        f"mean over the lines with {FEWEST} galaxies or more in the bin, and the range of the lines.",
        ("bin", "lines of galaxies", "predicted / true", "range", "inside 68 %", "range of it"),
        rows,
    )


def _ratio(found: Recovery, rows: np.ndarray, place: int) -> Estimate:
    ratio = found.quantiles_ew_aa[rows, 0, place] / found.true_ew_aa[rows, place]
    return bootstrap(lambda r: float(np.median(r)), ratio, seed=0, resamples=50)


def _covered(found: Recovery, rows: np.ndarray, place: int) -> Estimate:
    low, high = found.quantiles_ew_aa[rows, 1, place], found.quantiles_ew_aa[rows, 2, place]
    truth = found.true_ew_aa[rows, place]
    share = float(np.mean((truth >= low) & (truth <= high)))
    return Estimate(share, float(np.sqrt(share * (1 - share) / truth.size)))
