"""Posteriors of simulated galaxies: where the truth lies in them, how efficient and how fast draws are."""

import time
from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from scipy.stats import kstest

from benchmarks.results import CHECK_COLUMNS, Check, Result, Target
from benchmarks.settings import Settings
from nebulium.infer.likelihood import MeasuredFluxes
from nebulium.infer.parameters import PROPERTIES
from nebulium.infer.predict import BATCH, LEAST_EFFECTIVE, PosteriorPredictor
from nebulium.infer.recipe import COMPONENTS, simulate
from nebulium.infer.scores.calibration import Calibration, calibration, simulator_of
from nebulium.sed import SalimDust, make_redshift_table
from nebulium.verbs import find_predictor

MODEL = "sdss-ugriz-properties"
#: Thirds of so many galaxies show a share of 68 % to 0.7 %.
GALAXIES, OTHERS, TIMED = 12_000, 600, 512
ERROR = 0.03
#: A law of dust as steep as that of the Small Magellanic Cloud.
OTHER_DUST = SalimDust(1.0, slope=-1.0)
OTHER_NOISE = 2.0
_Row = Check | list[object]


def measure(settings: Settings) -> list[Result]:
    """Calibration, efficiency and time of the packaged model."""
    predictor = find_predictor(MODEL, of=PosteriorPredictor)
    n = min(GALAXIES, settings.most_galaxies or GALAXIES)
    found = calibration(predictor, n)
    reliable = found.select(~found.flagged)
    rows: list[_Row] = [
        *_held(reliable, "reliable"),
        *_held(found, "all"),
        ["said not to be reliable / %", 100.0 * found.flagged.mean(), ""],
        *_efficiency(predictor, n),
        _seconds(predictor, settings.repeats),
    ]
    return [
        Result(
            "infer/calibration",
            "Posteriors of simulated galaxies",
            f"{n:,} galaxies of the interim prior at redshifts 0.005 to 0.35 in ugriz, which the packaged "
            f"`{MODEL}` has not learned from: masses within 1.5 dex of each other, noise of any strength, "
            "which tells nothing of the galaxy, model errors of 3 %, three in ten galaxies without some "
            "bands, lines drawn from their own law. The faintest are not seen at all; the model learned from "
            "galaxies whose brightest band is at 2 errors or more. Least and largest are over six properties "
            "and three thirds of signal over noise. "
            f"{predictor.draws:,} draws a galaxy.",
            CHECK_COLUMNS,
            [row if isinstance(row, list) else row.row for row in rows],
        ),
        _others(predictor, min(OTHERS, n)),
    ]


def _held(found: Calibration, which: str) -> list[_Row]:
    parts = [found.select(chosen) for chosen in found.parts().values()]
    rows: list[_Row] = []
    for share, bounds in ((0.68, Target(0.663, 0.703)), (0.95, Target(0.935, 0.965))):
        held = np.array([part.held(share) for part in parts])
        rows += [
            Check(f"{which}: central {share:.0%} hold, {name}", float(end), bounds)
            for name, end in (("least", held.min()), ("largest", held.max()))
        ]
    pits = [pit for part in parts for pit in part.pit.T]
    chances = [kstest(pit, "uniform").pvalue for pit in pits]
    return [
        *rows,
        Check(f"{which}: least chance of one as uneven, of {len(pits)} (K-S)", min(chances), Target(0.01)),
        Check(
            f"{which}: all properties at once, farthest from even (TARP)",
            found.tarp_distance(),
            Target(most=0.03),
        ),
    ]


def _efficiency(predictor: PosteriorPredictor, n: int) -> list[_Row]:
    """With errors of 3 % of the fluxes, and none of the model beside them."""
    exact = _with_model(predictor, jnp.zeros_like(predictor.model.model_error))
    found = calibration(exact, min(n, 1000), relative_error=ERROR)
    few = found.effective < LEAST_EFFECTIVE
    unflagged = float(np.mean(few & ~found.flagged))
    return [
        Check("errors of 3 %: median efficiency of draws", float(np.median(found.efficiency)), Target(0.25)),
        Check("errors of 3 %: fewer than 50 effective draws / %", 100.0 * few.mean(), Target(most=2.0)),
        Check("of these not flagged / %", 100.0 * unflagged, Target(most=0.0)),
    ]


def _seconds(predictor: PosteriorPredictor, repeats: int) -> Check:
    galaxies = simulate(simulator_of(predictor), TIMED, 5)
    flux = jnp.asarray(galaxies.flux_njy)
    limits, z = jnp.zeros(flux.shape, bool), jnp.asarray(galaxies.redshift)
    measured, numbers = MeasuredFluxes(flux, ERROR * flux, limits, z), np.arange(TIMED, dtype=np.int32)
    predictor.posteriors(measured, numbers)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        predictor.posteriors(measured, numbers)
        seconds.append(time.perf_counter() - start)
    name = f"a galaxy, {predictor.draws:,} draws, {BATCH} at a time / ms"
    return Check(name, 1e3 * float(np.median(seconds)) / TIMED, Target(most=25.0))


def _others(predictor: PosteriorPredictor, n: int) -> Result:
    """Galaxies that are not those of the model."""
    simulator = simulator_of(predictor)
    table = make_redshift_table(
        simulator.source.ssp,
        simulator.source.filters,
        predictor.model.redshifts,
        components=COMPONENTS,
        dust=OTHER_DUST,
    )
    dusty = eqx.tree_at(lambda one: one.table, simulator, table)
    # The noise is what is measured with; the model believes that it is less.
    doubtful = _with_model(predictor, predictor.model.model_error / OTHER_NOISE)
    cases = {
        "as in training": calibration(predictor, n, relative_error=ERROR),
        "another law of dust (SMC-like)": calibration(predictor, n, relative_error=ERROR, simulator=dusty),
        "model errors twice what is told": calibration(
            doubtful, n, relative_error=ERROR, model_error=predictor.model.model_error
        ),
    }
    return Result(
        "infer/outside",
        "Galaxies that are not as the model has them",
        f"{n:,} simulated galaxies with errors of 3 %: shares of the truths that the central 68 % hold "
        "(least and largest of six properties), of galaxies that are flagged because none of the model fits, "
        "and because draws are too few.",
        ["galaxies", "68 % hold, least", "largest", "A_V", "not in_domain / %", "not reliable / %"],
        [
            [
                name,
                one.held(0.68).min(),
                one.held(0.68).max(),
                one.held(0.68)[PROPERTIES.index("av_mag")],
                100.0 * (~one.in_domain).mean(),
                100.0 * one.flagged.mean(),
            ]
            for name, one in cases.items()
        ],
    )


def _with_model(predictor: PosteriorPredictor, model_error: jnp.ndarray) -> PosteriorPredictor:
    named = predictor.models[0]
    model = eqx.tree_at(lambda one: one.model_error, named.model, model_error)
    return replace(predictor, models=(replace(named, model=model),))
