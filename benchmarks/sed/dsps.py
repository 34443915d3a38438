"""Cost of lines on DSPS, and the gradient of a magnitude against finite differences."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.processes import answer_of
from benchmarks.results import CHECK_COLUMNS, Check, Result, Target
from benchmarks.sed.chain_cost import BANDS, contestants, fastest, random_galaxies
from benchmarks.settings import Settings, line_model
from nebulium.lines.chain import LineChain, make_chain
from nebulium.sed import DelayedExponential, Galaxy, load_filters, load_ssp
from nebulium.sed.filters import FilterCurve

GALAXIES = 2000
AGE_GYR, TAU_GYR = 7.0, 2.0
STEP_GYR = 1e-3
# Differences need double precision, a setting of the whole process; the weights are loaded as they are saved.
DIFFERENCES = """
import json, sys
import jax
from benchmarks.sed.dsps import finite_differences
from benchmarks.settings import line_model
line_model(sys.argv[1])
jax.config.update("jax_enable_x64", True)
print(json.dumps(finite_differences(sys.argv[1])))
"""


def measure(settings: Settings) -> list[Result]:
    """Ratio of times, and the largest relative difference of the gradient."""
    from sedpy.observate import Filter

    chain = _chain(settings.model)
    curves = [FilterCurve(name, Filter(name).wavelength, Filter(name).transmission) for name in BANDS]
    cost = fastest(contestants(chain, curves), random_galaxies(GALAXIES), settings.repeats)
    ratio = Check(
        "DSPS with lines over DSPS without",
        cost["chain_with_lines"] / cost["dsps_without_lines"],
        Target(most=1.2),
    )
    over_stars = cost["chain_with_lines"] / cost["stars_without_lines"]
    stars = Check("with lines over nebulium's stars without", over_stars, Target(most=1.2))
    exact = np.asarray(jax.jit(jax.jacfwd(lambda p: magnitudes(chain, p)))(_history()))
    differences = np.array(answer_of(DIFFERENCES, settings.model))
    gradient = Check(
        "gradient of a magnitude: largest relative difference",
        np.max(np.abs(exact / differences - 1)),
        Target(most=1e-3),
        ".1e",
    )
    rows = [
        ["DSPS without lines / µs a galaxy", cost["dsps_without_lines"], ""],
        ["nebulium's stars without lines / µs a galaxy", cost["stars_without_lines"], ""],
        ["with lines / µs a galaxy", cost["chain_with_lines"], ""],
        *(check.row for check in (ratio, stars, gradient)),
    ]
    return [
        Result(
            "lines/dsps",
            "Lines on DSPS",
            f"Spectrum and {len(BANDS)} magnitudes of {GALAXIES:,} galaxies, jitted and in batches, the "
            "same galaxies, templates and filters for all; runs take turns and the fastest counts. With "
            "lines: medians by the network, onto a finer grid and into the magnitudes. The gradient is "
            "that of each magnitude, lines included, with respect to age and time scale of a delayed "
            "exponential, in single precision, against central differences in double precision.",
            CHECK_COLUMNS,
            rows,
        )
    ]


def magnitudes(chain: LineChain, history: jax.Array) -> jax.Array:
    """AB magnitudes with lines of a galaxy whose history has this age and time scale, Gyr."""
    galaxy = Galaxy(DelayedExponential(history[0], history[1]), log_mstar=10.0, redshift=0.12)
    return chain(galaxy, log_aperture=-0.3).photometry.mag_ab


def finite_differences(model: str) -> list[list[float]]:
    """Central differences (band, parameter), in the precision of the process."""
    chain = jax.tree.map(_double, _chain(model), is_leaf=eqx.is_array)
    of_history = jax.jit(lambda p: magnitudes(chain, p))
    centre, step = _history(), STEP_GYR * jnp.eye(2)
    columns = [(of_history(centre + h) - of_history(centre - h)) / (2 * STEP_GYR) for h in step]
    return np.stack(columns, axis=1).tolist()


def _history() -> jax.Array:
    return jnp.array([AGE_GYR, TAU_GYR])


def _double(leaf: object) -> object:
    return leaf.astype(float) if eqx.is_inexact_array(leaf) else leaf


def _chain(model: str) -> LineChain:
    return make_chain(load_ssp(), load_filters(*BANDS), line_model(model).median_ew)
